use super::*;

/// Checks that these are all interpretations, and that the first one is in its position.
fn check(target: &str, expected: &[&str]) {
    let interpretations =
        PathInterpretations::of(target.as_bytes()).unwrap_or_else(|error| panic!("{target}: {error}"));
    let found: Vec<&str> = interpretations.iter().collect();
    assert_eq!(found.first(), expected.first(), "{target}");
    assert_eq!(sorted(found), sorted(expected.to_vec()), "{target}");
}

/// Checks that these are among the interpretations, and that none occurs twice.
fn check_some(target: &str, expected: &[&str]) {
    let interpretations =
        PathInterpretations::of(target.as_bytes()).unwrap_or_else(|error| panic!("{target}: {error}"));
    let found = sorted(interpretations.iter().collect());
    expected.iter().for_each(|path| assert!(found.contains(path), "{target}: no {path} in {found:?}"));
    assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{target}: {found:?}");
}

fn check_error(target: &[u8], expected: PathError) {
    let found = PathInterpretations::of(target).err();
    assert_eq!(found, Some(expected), "{:.60}", target.escape_ascii().to_string());
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}

fn sorted(mut paths: Vec<&str>) -> Vec<&str> {
    paths.sort_unstable();
    paths
}

#[test]
fn a_plain_path_has_one_interpretation_and_is_borrowed() {
    for path in ["/", "/a", "/a/", "/a.b/c-d/~e_f/g,h=i", "/a@b:c/$&'()*+!", "/a/b..", "/A"] {
        check(path, &[path]);
        assert!(
            matches!(PathInterpretations::of(path.as_bytes()).unwrap().first, Some(Cow::Borrowed(_))),
            "{path}"
        );
    }
    check("/.well-known/x", &["/.well-known/x"]);
    check("/...", &["/..."]);
    check("/caf%C3%A9/a%20b", &["/caf%C3%A9/a%20b"]);
    check("/caf%c3%a9", &["/caf%C3%A9"]);
}

#[test]
fn query_and_fragment_are_left_out() {
    check("/a?b//../%", &["/a"]);
    check("/a#b", &["/a"]);
    check("/a?b#c", &["/a"]);
    check("/?", &["/"]);
}

#[test]
fn no_path_has_no_interpretation() {
    check("*", &[]);
    check("", &[]);
}

#[test]
fn what_no_path_is_gets_refused() {
    use PathError::*;
    for target in ["a", "*?", "**", "?a", "#", "http://x/", "%2Fa", "\\a", " /a"] {
        check_error(target.as_bytes(), NotAbsolute);
    }
    for target in ["/%", "/%a", "/%zz", "/%2", "/a%", "/%%32%66", "/%2%66", "/%+1", "/%2g/x", "/% 1"] {
        check_error(target.as_bytes(), BadEscape);
    }
    for target in ["/%00", "/a%00b", "/%61%00"] {
        check_error(target.as_bytes(), Nul);
    }
    for target in [&b"/a b"[..], b"/\0", b"/\t", b"/\x7f", b"/\xc3\xa9", b"/\xff", b"/a\n"] {
        check_error(target, NotVisibleAscii);
    }
}

#[test]
fn each_step_is_taken_or_not() {
    check("/%61", &["/%61", "/a"]);
    check("/a%7e", &["/a%7E", "/a~"]);
    check("/a%2fb", &["/a%2Fb", "/a/b"]);
    check("/a%5Cb", &["/a%5Cb", "/a/b"]);
    check("/a\\b", &["/a\\b", "/a%5Cb", "/a/b"]);
    check("/a//b", &["/a//b", "/a/b"]);
    check("/a/./b", &["/a/./b", "/a/b"]);
    check("/a/../b", &["/a/../b", "/b"]);
    check("/a;v=1/b", &["/a;v=1/b", "/a/b"]);
    check("/x:y%3az", &["/x:y%3Az", "/x:y:z"]);
    check("/a%3bx", &["/a%3Bx", "/a;x", "/a"]);
    check("/a\"b", &["/a\"b", "/a%22b"]);
    check("/a%22b%25%3f%23", &["/a%22b%25%3F%23"]);
    // Some servers decode only what is unreserved, and some treat only an unescaped backslash as a slash.
    check("/%61%3a", &["/%61%3A", "/a%3A", "/a:"]);
    check("/a%2e%62", &["/a%2E%62", "/a.%62", "/a.b"]);
    check("/a\\b%5cc", &["/a\\b%5Cc", "/a%5Cb%5Cc", "/a/b%5Cc", "/a/b/c"]);
    // Decoding first or last determines which of two `;` is cut.
    check("/a;b%3bc", &["/a;b%3Bc", "/a;b;c", "/a"]);
    check("/a%3bb;c", &["/a%3Bb;c", "/a;b;c", "/a%3Bb", "/a;b", "/a"]);
}

#[test]
fn nothing_is_decoded_twice() {
    check("/%2561", &["/%2561"]);
    check("/%252e%252e/a", &["/%252e%252e/a"]);
    check("/%25%32%66", &["/%25%32%66", "/%252f"]);
}

#[test]
fn ways_around_a_rule_are_seen() {
    for target in words(
        r"//admin /x/../admin /%61dmin /x/..;/admin /x/..;a=b/admin /x/%2e%2e/admin /x/%2e./admin
            /x/.%2E/admin /x/..%2fadmin /x/..%2Fadmin /x\..\admin /x/..\admin /x/..%5cadmin /x%5c..%5cadmin
            /./admin /%2e/admin /admin/. /admin/x/.. /;/admin /.;/admin /../admin /../../admin
            /public/..//admin /public//../admin /public//../../admin /public/%2e%2e;x/admin
            /public/..%3bx/admin /x/%2e%2e%2fadmin /x/%2e%2e%5cadmin /x/..%2f%2fadmin /x/%2e%2e%3b/admin
            ///admin /%2fadmin /\admin /%5cadmin /.//admin /a/b/../../admin /x;/..//;y/admin //x/admin
            ///x/admin /\x/admin /\/x/admin /%2fx/admin //x:80/admin //u@x/y/../admin /a/..;/%61dmin;q",
    ) {
        check_some(target, &["/admin"]);
    }
    for target in
        ["/admin%2f", "/admin%5c", "/admin\\", "/admin/.", "/admin/x/..", "/admin//", "/admin;x/", "/admin/;"]
    {
        check_some(target, &["/admin/"]);
    }
    for target in words(r"/.. /../ /admin/.. /admin/../ /. /%2e%2e /..; /..%2f // /// //x /;") {
        check_some(target, &["/"]);
    }
    check_some("/admin;x", &["/admin"]);
}

#[test]
fn the_order_of_steps_counts() {
    // Slashes are merged before or after dot segments are removed.
    check("/a//../b", &["/a//../b", "/a/../b", "/a/b", "/b"]);
    // A proxy that does not treat backslashes as slashes, before a server that does.
    check_some("/x/a\\b/../y\\..\\admin", &["/x/admin", "/x/a/admin", "/x/y\\..\\admin"]);
    // A proxy that decodes nothing removes one segment, and a server behind it the other.
    check_some("/a/%2e%2e/../b", &["/a/b", "/b"]);
    // A server that decodes nothing else treats `%2E` as a dot.
    check_some("/x/%2e%2e/%61dmin", &["/%61dmin", "/admin"]);
    check_some("/a/.", &["/a/.", "/a/", "/a"]);
}

#[test]
fn a_path_of_too_many_interpretations_is_refused() {
    check_error(&b"//a".repeat(20_000), PathError::TooManyInterpretations);
    check_error(b"//a/%2e./b%2fc\\d%5ce;x%3by//%61%40\\..%2f;z/.", PathError::TooManyInterpretations);
    check_error(&b"/".repeat(60_000), PathError::TooManyInterpretations);
    check_error(&b"/..;".repeat(15_000), PathError::TooManyInterpretations);
    let long = "a".repeat(4_000);
    let target = format!("/%61/b;/{long}");
    assert_eq!(PathInterpretations::of(target.as_bytes()).unwrap().iter().count(), 4);
    check_error(format!("/%61/b;c/%2f/{long}").as_bytes(), PathError::TooManyInterpretations);
}

#[test]
fn a_path_with_one_interpretation_may_be_long() {
    for piece in ["/a", "/%20", "/%c3%a9", "/.well-known", "/=&%20%25..."] {
        let target = piece.repeat(60_000 / piece.len());
        let interpretations =
            PathInterpretations::of(target.as_bytes()).unwrap_or_else(|error| panic!("{piece}: {error}"));
        assert_eq!(interpretations.iter().count(), 1, "{piece}");
        for change in ["/%61", "/a;", "//", "/.", "/..", "\\", "\"", "%2f"] {
            check_error(format!("{target}{change}").as_bytes(), PathError::TooManyInterpretations);
        }
    }
}

/// The bytes of its interpretations bound the time that a path takes: each is scanned once, and once for each step.
#[test]
fn the_bytes_of_interpretations_are_bounded() {
    let corpus = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/path")).unwrap();
    let mut targets: Vec<Vec<u8>> = corpus
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .chain(random_targets(2_000))
        .collect();
    for piece in
        words(r"%2e %61 %3a %2f %5c \ ;a // /./ /../ /a/.. /.; %2e%61%3a%2f%5c\ /%2e%2e; \%5c%2f a;%61")
    {
        for start in ["/", "//x", "/%2e/", "/a/../", "/;%2f\\"] {
            for size in [10, 100, 400, 1_000, 4_000, 16_000, 60_000] {
                targets.push([start, &piece.repeat(size / piece.len())].concat().into());
            }
        }
    }
    let (mut most_interpretations, mut most_bytes, mut refused) = (0, 0, 0);
    for target in &targets {
        let Ok(interpretations) = PathInterpretations::of(target) else {
            refused += 1;
            continue;
        };
        let (count, bytes) =
            (interpretations.iter().count(), interpretations.iter().map(str::len).sum::<usize>());
        assert!(
            count <= 1 || bytes <= MAX_BYTES,
            "{count}, {bytes}: {:.80}",
            target.escape_ascii().to_string()
        );
        most_interpretations = most_interpretations.max(count);
        most_bytes = most_bytes.max(if count > 1 { bytes } else { 0 });
        // A step at most triples the length, when it escapes every byte.
        for interpretation in interpretations.iter() {
            let features = features(interpretation.as_bytes());
            for (_, step) in STEPS.iter().filter(|(changed, _)| changed & features != 0) {
                assert!(step(interpretation).len() <= 3 * interpretation.len());
            }
        }
    }
    // The test reaches the bounds, and not all targets are rejected.
    assert!(
        most_interpretations > MAX_INTERPRETATIONS / 2 && most_bytes > MAX_BYTES / 2,
        "{most_interpretations}, {most_bytes}"
    );
    assert!(refused > 0 && refused < targets.len() / 2, "{refused}");
}

#[test]
fn as_many_interpretations_as_allowed_are_taken_and_no_byte_more() {
    for target in ["/%61", "/a%3bb;c", "/a//../b", "/x/%2e%2e/%61dmin", "/a\\b%5cc"] {
        let first = as_it_came(target.as_bytes()).unwrap();
        let others = closure(&first, usize::MAX, usize::MAX).unwrap();
        let interpretations = others.len() + 1;
        let bytes = first.len() + others.iter().map(String::len).sum::<usize>();
        assert_eq!(closure(&first, interpretations, bytes), Ok(others), "{target}");
        for (interpretations, bytes) in [
            (interpretations - 1, bytes),
            (interpretations, bytes - 1),
            (interpretations - 1, usize::MAX),
            (usize::MAX, bytes - 1),
        ] {
            assert_eq!(
                closure(&first, interpretations, bytes),
                Err(PathError::TooManyInterpretations),
                "{target}"
            );
        }
    }
}

#[test]
fn interpreting_an_interpretation_adds_nothing() {
    for target in random_targets(5_000) {
        let Ok(interpretations) = PathInterpretations::of(&target) else { continue };
        let known: Vec<&str> = interpretations.iter().collect();
        for &interpretation in &known {
            let again = PathInterpretations::of(interpretation.as_bytes())
                .unwrap_or_else(|error| panic!("{interpretation}: {error}"));
            for path in again.iter() {
                assert!(known.contains(&path), "{}: {interpretation} gives {path}", target.escape_ascii());
            }
        }
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let mut random = Random::new(7);
    for _ in 0..20_000 {
        let target: Vec<u8> = (0..random.below(24)).map(|_| random.below(256) as u8).collect();
        let _ = PathInterpretations::of(&target);
        let _ = PathInterpretations::of(&[b"/", &target[..]].concat());
    }
}

/// Random targets made of the pieces that steps change, and of others.
fn random_targets(count: usize) -> impl Iterator<Item = Vec<u8>> {
    const PIECES: [&str; 22] = [
        "/", "/", "/", "//", "a", "b", ".", "..", ";", "%2e", "%2F", "%5c", "\\", "%61", "%3b", "%3A", "%25",
        "\"", "%c3", "x", "?", "%",
    ];
    let mut random = Random::new(42);
    (0..count).map(move |_| {
        let mut target = b"/".to_vec();
        (0..random.below(9)).for_each(|_| target.extend(random.of(&PIECES).bytes()));
        target
    })
}

/// A linear congruential generator with the same output in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
