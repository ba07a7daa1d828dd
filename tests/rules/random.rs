//! Random rules and requests from a small set of names, so they often match.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::{BoxedStrategy, Just, Strategy, prop_oneof};
use proptest::sample::{select, subsequence};

use super::model::{Match, Request, Rules};

/// Number of requests for each set of rules.
pub const REQUESTS: usize = 16;

/// Generates a set of rules, and requests to it.
pub fn rules_and_requests() -> impl Strategy<Value = (Rules, Vec<Request>)> {
    let matches = weighted(0.95, vec(matched(), 1..4));
    (vec(matches, 1..10), vec(request(), REQUESTS))
}

fn matched() -> impl Strategy<Value = Match> {
    const METHODS: &[&str] = &["GET", "HEAD", "PUT", "X-1"];
    const HOSTS: &[&str] = &[
        "a.example",
        "B.a.Example.",
        "*.example",
        "*.a.example",
        "*.1",
        "{tenant}.example",
        "{tenant}.a.Example.",
        "192.0.2.1",
        "[2001:DB8::1]",
        "x_y",
    ];
    const SOURCES: &[&str] = &[
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3",
        "0.0.0.0/0",
        "10.1.2.2/31",
        "::/0",
        "2001:db8::/33",
        "2001:db8::1",
        "::ffff:10.1.0.0/112",
    ];
    let path = prop_oneof![
        2 => Just(Match::default()),
        4 => literal().prop_map(|path| Match { path: Some(path), ..Match::default() }),
        4 => literal().prop_map(|prefix| Match { prefix: Some(prefix), ..Match::default() }),
        4 => template().prop_map(|template| Match { template: Some(template), ..Match::default() }),
        2 => regex().prop_map(|regex| Match { regex: Some(regex), ..Match::default() }),
    ];
    let methods = prop_oneof![
        3 => Just((None, None)),
        1 => some_of(METHODS).prop_map(|names| (Some(names), None)),
        1 => some_of(METHODS).prop_map(|names| (None, Some(names))),
    ];
    let parts = (path, methods, weighted(0.3, some_of(HOSTS)), weighted(0.15, some_of(SOURCES)));
    parts.prop_map(|(path, (methods, except_methods), hosts, sources)| {
        let matched = Match { methods, except_methods, hosts, sources, ..path };
        // A `match` of every request is written in another way.
        if matched == Match::default() { Match { prefix: Some("/".to_owned()), ..matched } } else { matched }
    })
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(words, 1..words.len().min(4)).prop_map(|some| some.into_iter().map(str::to_owned).collect())
}

/// Generates a segment of a pattern, in any spelling.
fn segment() -> impl Strategy<Value = String> {
    const COMMON: &[&str] = &["a", "b", "ab"];
    const ODD: &[&str] = &["A", "a;b", "a@b", "a%40b", "%61", "a%2Db", "caf%c3%a9", "café", "a\"", "..."];
    prop_oneof![4 => select(COMMON), 1 => select(ODD)].prop_map(str::to_owned)
}

fn literal() -> impl Strategy<Value = String> {
    (vec(segment(), 0..4), of(Just(()))).prop_map(|(segments, slash)| joined(&segments, slash.is_some()))
}

fn template() -> impl Strategy<Value = String> {
    let segments = vec(prop_oneof![segment(), Just("{}".to_owned())], 0..4);
    let tail = prop_oneof![3 => Just(""), 1 => Just("/"), 2 => Just("/{rest=**}")];
    (segments, tail).prop_map(|(segments, tail)| {
        let named = segments.iter().enumerate().map(|(at, segment)| match segment.as_str() {
            "{}" => format!("{{v{at}}}"),
            literal => literal.to_owned(),
        });
        match (joined(&named.collect::<Vec<_>>(), false).as_str(), tail) {
            ("/", "/{rest=**}") => tail.to_owned(),
            ("/", _) => "/".to_owned(),
            (template, tail) => format!("{template}{tail}"),
        }
    })
}

fn joined(segments: &[String], slash: bool) -> String {
    format!("/{}{}", segments.join("/"), if slash && !segments.is_empty() { "/" } else { "" })
}

fn regex() -> impl Strategy<Value = String> {
    const REGEXES: &[&str] = &[
        "/a/.*",
        "/[ab]",
        ".*b.*",
        "/a|/b",
        "/(?:a|ab)/[^/]*",
        "(?i)/ab",
        "/a@b",
        "/caf%C3%A9/?",
        "",
        "/.{3}",
    ];
    select(REGEXES).prop_map(str::to_owned)
}

fn request() -> impl Strategy<Value = Request> {
    const METHODS: &[&str] = &["GET", "HEAD", "PUT", "X-1", "get", "Head", "x-1"];
    const HOSTS: &[&str] = &[
        "a.example",
        "A.EXAMPLE.:80",
        "b.a.example",
        "c.b.a.example:65535",
        "example",
        "xa.example",
        "192.0.2.1:80",
        "0.0.2.1",
        "0.0.0.1",
        "[2001:db8:0::1]",
        "[2001:db8::1]:1",
        "x_y",
        "u@a.example",
        "a..example",
        "a.example:0",
        "a.example:",
        "a,b",
    ];
    const PEERS: &[&str] = &[
        "10.1.2.3",
        "10.1.2.4",
        "10.2.0.1",
        "11.0.0.1",
        "::ffff:10.1.2.3",
        "2001:db8::1",
        "2001:db8:8000::1",
        "2001:db9::1",
        "::a01:203",
    ];
    let peer = weighted(0.97, select(PEERS)).prop_map(|peer| peer.map(|peer| peer.parse().unwrap()));
    let authority = weighted(0.9, select(HOSTS)).prop_map(|host| host.map(str::to_owned));
    (select(METHODS), target(), authority, peer).prop_map(|(method, target, authority, peer)| Request {
        method: method.to_owned(),
        target,
        authority,
        peer,
    })
}

/// Generates paths, most of which match rules and many of which have several interpretations.
fn target() -> BoxedStrategy<Option<String>> {
    const PLAIN: &[&str] = &["/a", "/b", "/ab", "/A", "/x", "/a@b", "/caf%C3%A9", "/a-b"];
    const ODD: &[&str] = &[
        "/",
        "//",
        "/.",
        "/..",
        "/...",
        "/a;b",
        ";",
        "%2F",
        "%2fa",
        "\\",
        "/%5Cb",
        "/%2e%2E",
        "/%61",
        "/a%40b",
        "/a%2db",
        "%3Bx",
        "/caf%c3%a9",
        "/a\"",
        "/%25",
        "/%2561",
        ".",
        "a",
    ];
    const BAD: &[&str] = &["/%", "/%0", "/%zz", "/%00", "/é", "\u{7f}", "%"];
    const ENDS: &[&str] = &["", "", "", "", "?", "?x=/a", "#x", "?a/../b"];
    let pieces = |most: usize, piece: BoxedStrategy<&'static str>| {
        (vec(piece, 0..most), select(ENDS)).prop_map(|(pieces, end)| {
            let path = if pieces.is_empty() { "/".to_owned() } else { pieces.concat() };
            Some(path + end)
        })
    };
    let plain = || select(PLAIN).boxed();
    prop_oneof![
        8 => pieces(4, plain()),
        8 => pieces(6, prop_oneof![3 => plain(), 2 => select(ODD)].boxed()),
        1 => pieces(4, prop_oneof![3 => plain(), 1 => select(BAD)].boxed()),
        1 => select(&[None, Some("*"), Some("*?x"), Some("?a")][..]).prop_map(|target| target.map(str::to_owned)),
    ]
    .boxed()
}
