//! The invariants of ARCHITECTURE.md that can be read off the sources.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the leaves up. Each may use those before it; nothing may use `filter`, and nothing `cli`, which is a
/// program of its own.
const ORDER: &[&str] = &[
    "json",
    "roots",
    "request",
    "header_map",
    "preflight",
    "path",
    "cidr",
    "challenge",
    "password",
    "authority",
    "http_url",
    "protected_resource",
    "numeric_date",
    "log_limit",
    "callout",
    "waiting",
    "claims",
    "credentials",
    "place",
    "principal",
    "jwk",
    "key_source",
    "known_answers",
    "jwt",
    "denial",
    "identity",
    "memory",
    "introspection",
    "source",
    "scheme",
    "config",
    "policy",
    "state",
    "edits",
    "decision",
    "counters",
    "metrics",
    "filter_state",
    "filter",
    "cli",
    "main",
];

/// What has a host, a clock and files.
const OUTSIDE: &[&str] = &["filter", "cli", "main"];

/// A source file without its comments and its unit tests.
struct Source {
    path: String,
    module: String,
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 30, "the sources are not where this test looks");
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let module = relative.split(['/', '.']).next().unwrap().to_owned();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        Source { path: relative, module, code: code.join("\n"), lines: text.lines().count() }
    };
    // A module of tests alone is declared under `#[cfg(test)]` by its parent.
    paths.iter().filter(|path| !path.ends_with("tests.rs")).map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => collect(&path, paths),
            Some(extension) if extension == "rs" => paths.push(path),
            _ => {}
        }
    }
}

/// No file that `applies` holds any of `words`; says which and where.
fn check_absent(what: &str, words: &[&str], applies: impl Fn(&Source) -> bool) {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| applies(source)) {
        for (number, line) in source.code.lines().enumerate() {
            found.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("src/{}:{}: {word}", source.path, number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn imports_point_one_way() {
    let rank = |module: &str| ORDER.iter().position(|known| *known == module);
    for source in sources().iter().filter(|source| source.module != "lib") {
        let own = rank(&source.module).unwrap_or_else(|| panic!("src/{} has no place in ORDER", source.path));
        for used in source.code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let Some(other) = rank(&used) else {
                panic!("src/{} uses {used}, which is not in ORDER", source.path)
            };
            assert!(other <= own, "src/{} uses {used}, which stands above it", source.path);
        }
    }
}

/// A method with a default that is not handed on would have the tool say something else than the filter does.
#[test]
fn who_stands_around_a_scheme_hands_on_all_of_it() {
    let sources = sources();
    let code = |path: &str| sources.iter().find(|source| source.path == path).unwrap().code.as_str();
    let (_, contract) = code("scheme.rs").split_once("pub trait Scheme {").unwrap();
    let (contract, _) = contract.split_once("\n}\n").unwrap();
    let methods: Vec<&str> = contract.lines().filter_map(|line| line.strip_prefix("    fn ")).collect();
    assert!(methods.len() > 10);
    for path in ["cli/witness.rs", "cli/test/stand_in.rs"] {
        let handed_on = [code(path), code("cli/wrapping.rs")].concat();
        for method in &methods {
            let name = method.split(['(', '<']).next().unwrap();
            let is_there = ["(", "<"].iter().any(|end| handed_on.contains(&format!("    fn {name}{end}")));
            assert!(is_there, "src/{path} does not hand on {name}");
        }
    }
}

#[test]
fn the_core_has_no_host_no_clock_and_no_io() {
    let words = [
        "proxy_wasm",
        "std::fs",
        "std::env",
        "std::io",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "TcpStream",
        "UdpSocket",
        "log::",
        "println!",
        "eprintln!",
        "print!",
        "dbg!",
        "getrandom",
        "rand::",
    ];
    check_absent("the core does what only the filter and the tool may", &words, |source| {
        !OUTSIDE.contains(&source.module.as_str())
    });
}

#[test]
fn a_permit_is_issued_in_one_place() {
    check_absent("a permit outside the decision", &["Permit::issue"], |source| source.path != "decision.rs");
    let decision = sources().into_iter().find(|source| source.path == "decision.rs").unwrap();
    assert_eq!(decision.code.matches("Permit::issue").count(), 1);
    assert_eq!(decision.code.matches("Authorized::Yes => (Verdict::Allow(Some(Permit::issue").count(), 1);
    check_absent("a permit made by hand", &["Permit {"], |source| source.module != "principal");
}

#[test]
fn a_reason_becomes_an_answer_in_one_place() {
    let words = ["www-authenticate", "401", "403"];
    check_absent("an answer outside denial", &words, |source| source.module != "denial");
}

#[test]
fn unsafe_is_only_the_abi() {
    check_absent("unsafe", &["unsafe ", "unsafe("], |source| {
        !["filter/abi.rs", "filter/proxy_wasm_host.rs"].contains(&source.path.as_str())
    });
    check_absent("unsafe", &["allow(unsafe_code)"], |source| source.path != "filter.rs");
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"deny\""));
}

/// They unwrap UTF-8, so an octet from a client would trap the module.
#[test]
fn the_sdks_getters_for_text_are_not_used() {
    let words = [
        "get_http_request_header",
        "get_http_request_trailer",
        "get_http_response_header",
        "get_map(",
        "get_map_value(",
        "get_http_call_response_header",
    ];
    check_absent("a getter that traps", &words, |_| true);
}

#[test]
fn no_panic_is_allowed_outside_tests() {
    let words = [
        "allow(clippy::unwrap",
        "allow(clippy::expect",
        "allow(clippy::panic",
        "allow(clippy::index",
        "allow(clippy::string_slice",
        "allow(clippy::unreachable",
        ".unwrap()",
        ".expect(",
        "panic!(",
        "unreachable!(",
        "assert!(",
        "assert_eq!(",
    ];
    check_absent("what could panic", &words, |_| true);
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing", "string_slice"] {
        assert!(manifest.contains(&format!("{lint} = \"deny\"")), "{lint} is not denied");
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > 500)
        .map(|source| format!("src/{}: {} lines", source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// What holds a secret has no derived `Debug`, which would print it.
#[test]
fn what_holds_a_secret_has_no_derived_debug() {
    let secrets =
        ["enum Secret", "struct PasswordHash", "struct VerifyingKey", "struct Claims", "struct Principal"];
    let mut seen = 0;
    for source in sources() {
        for secret in secrets {
            if let Some((before, _)) = source.code.split_once(&format!("pub {secret}")) {
                let attributes = before.rsplit("}\n").next().unwrap_or_default();
                let derive =
                    attributes.lines().rev().find(|line| line.contains("derive(")).unwrap_or_default();
                assert!(!derive.contains("Debug"), "src/{}: {secret} derives Debug", source.path);
                seen += 1;
            }
        }
    }
    assert!(seen >= secrets.len(), "only {seen} of the types were found");
}
