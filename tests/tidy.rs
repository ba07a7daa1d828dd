//! The invariants of ARCHITECTURE.md that can be checked in the sources.
//!
//! Each file is parsed, so checks ignore comments and unit tests only.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// The rooms of the core, in order of dependency. Each room may use those before it.
const ROOMS: &[&str] = &[
    "json",
    "timestamp",
    "http",
    "jose",
    "password",
    "config",
    "principal",
    "cache",
    "remote",
    "response",
    "authn",
    "policy",
    "decision",
];

/// A source file without its comments and its unit tests.
struct Source {
    /// Path from the root of the repository, such as `src/http/path.rs`.
    path: String,
    /// Path of the module, such as `["http", "path"]`.
    module: Vec<String>,
    /// The code, line by line as in the file; removed text is blank.
    code: String,
    /// Paths in `use` declarations, types and expressions that begin with `crate`, `self` or `super`.
    uses: Vec<Vec<String>>,
    /// Paths that `use` declarations import, by their local name.
    imports: BTreeMap<String, Vec<String>>,
    lines: usize,
}

impl Source {
    fn read(path: &Path) -> Source {
        let text = fs::read_to_string(path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reading = Reading::default();
        reading.visit_file(&file);
        let mut code = without_comments(&text);
        for (from, to) in reading.tests {
            blank(&mut code, from, to);
        }
        let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let (_, inside) = relative.split_once("src/").unwrap();
        let module =
            inside.trim_end_matches(".rs").split('/').filter(|name| !["mod", "lib", "main"].contains(name));
        let module: Vec<String> = module.map(str::to_owned).collect();
        let resolve = |path| resolve(&module, &reading.children, path);
        let uses = reading.paths.into_iter().filter_map(resolve).collect();
        let imports =
            reading.imports.into_iter().filter_map(|(name, path)| Some((name, resolve(path)?))).collect();
        Source {
            path: relative,
            module,
            code: code.into_iter().map(String::from_iter).collect::<Vec<_>>().join("\n"),
            uses,
            imports,
            lines: text.lines().count(),
        }
    }

    fn is_core(&self) -> bool {
        self.path.starts_with("src/")
    }

    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

/// Declarations and paths of a file outside its unit tests.
#[derive(Default)]
struct Reading {
    tests: Vec<(LineColumn, LineColumn)>,
    paths: Vec<Vec<String>>,
    /// Paths that `use` declarations import, by their local name.
    imports: Vec<(String, Vec<String>)>,
    children: Vec<String>,
}

impl<'ast> Visit<'ast> for Reading {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if attributes(item).iter().any(is_test_only) {
            self.tests.push((item.span().start(), item.span().end()));
        } else {
            if let syn::Item::Mod(child) = item {
                self.children.push(child.ident.to_string());
            }
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if let syn::ImplItem::Fn(function) = item
            && function.attrs.iter().any(is_test_only)
        {
            self.tests.push((item.span().start(), item.span().end()));
        } else {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.collect(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.collect_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

impl Reading {
    fn collect(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.collect(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.collect(prefix, tree)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.import(prefix.last().cloned().unwrap_or_default(), prefix.clone());
            }
            syn::UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.import(name.clone(), [&prefix[..], &[name]].concat());
            }
            syn::UseTree::Rename(name) => {
                self.import(name.rename.to_string(), [&prefix[..], &[name.ident.to_string()]].concat());
            }
            syn::UseTree::Glob(_) => self.paths.push(prefix.clone()),
        }
    }

    fn import(&mut self, name: String, path: Vec<String>) {
        self.paths.push(path.clone());
        self.imports.push((name, path));
    }

    /// Collects the paths in the arguments of a macro, which syn does not parse.
    fn collect_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 && !path.is_empty() => {
                    path.push(name.to_string());
                    colons = 0;
                }
                token => {
                    self.paths.push(std::mem::take(&mut path));
                    colons = 0;
                    match token {
                        TokenTree::Ident(name) => path.push(name.to_string()),
                        TokenTree::Group(group) => self.collect_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.paths.push(path);
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test_only(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
}

/// Returns the absolute form of a path, without `crate`; `None` for paths into other crates and local names.
fn resolve(module: &[String], children: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let mut rest = path.as_slice();
    let mut base = match rest.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        name if children.iter().any(|child| child == name) => module.to_vec(),
        _ => return None,
    };
    if matches!(rest.first()?.as_str(), "crate" | "self") {
        rest = &rest[1..];
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    // `pub(crate)` does not name a module.
    Some(base).filter(|path| !path.is_empty())
}

/// Returns the characters of each line; those of comments are blank.
fn without_comments(text: &str) -> Vec<Vec<char>> {
    let tokens: TokenStream = text.parse().unwrap();
    let mut code: Vec<Vec<char>> = text.lines().map(|line| vec![' '; line.chars().count()]).collect();
    let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    let mut keep = |from: LineColumn, to: LineColumn| {
        for line in from.line..=to.line {
            let length = lines[line - 1].len();
            let start = if line == from.line { from.column } else { 0 };
            let end = if line == to.line { to.column } else { length };
            code[line - 1][start..end].copy_from_slice(&lines[line - 1][start..end]);
        }
    };
    keep_tokens(tokens, &mut keep);
    code
}

fn keep_tokens(tokens: TokenStream, keep: &mut impl FnMut(LineColumn, LineColumn)) {
    let mut is_attribute = false;
    for token in tokens {
        match &token {
            // A doc comment has become an attribute: `#[doc = "…"]`.
            TokenTree::Group(group) if is_attribute && group.stream().to_string().starts_with("doc =") => {}
            TokenTree::Group(group) => {
                keep(group.span_open().start(), group.span_open().end());
                keep_tokens(group.stream(), keep);
                keep(group.span_close().start(), group.span_close().end());
            }
            TokenTree::Punct(mark) if mark.as_char() == '#' || is_attribute => {}
            _ => keep(token.span().start(), token.span().end()),
        }
        is_attribute = matches!(&token, TokenTree::Punct(mark) if ['#', '!'].contains(&mark.as_char()));
    }
}

fn blank(code: &mut [Vec<char>], from: LineColumn, to: LineColumn) {
    for line in from.line..=to.line {
        let length = code[line - 1].len();
        let start = if line == from.line { from.column } else { 0 };
        let end = if line == to.line { to.column } else { length };
        code[line - 1][start..end].fill(' ');
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the sources of the core, the filter and the tool.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "crates/filter/src", "crates/cli/src"] {
        let before = paths.len();
        collect(&root().join(folder), &mut paths);
        assert!(paths.len() > before + 15, "the sources are not where this test looks");
    }
    paths.sort();
    // The parent declares a test module under `#[cfg(test)]`.
    paths.iter().filter(|path| !path.ends_with("tests.rs")).map(|path| Source::read(path)).collect()
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

/// Checks that no file selected by `applies` contains any of `words`, and lists the places where one does.
fn check_absent(what: &str, words: &[&str], applies: impl Fn(&Source) -> bool) {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| applies(source)) {
        for (number, line) in source.code.lines().enumerate() {
            found.extend(
                words
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{}:{}: {word}", source.path, number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn a_check_sees_whole_files_but_comments_and_tests() {
    let text = "//! panic!(1)\n#[cfg(test)]\nmod tests {\n    panic!(2);\n}\n/// panic!(3)\nfn f() {\n    /* panic!(4) */ \
                g(\"// é\"); panic!(5) // panic!(6)\n}\nimpl X {\n    #[cfg(test)]\n    fn t() { panic!(7) }\n}\n";
    let mut reading = Reading::default();
    reading.visit_file(&syn::parse_file(text).unwrap());
    let mut code = without_comments(text);
    for (from, to) in reading.tests {
        blank(&mut code, from, to);
    }
    let code: Vec<String> = code.into_iter().map(String::from_iter).collect();
    let found: Vec<char> =
        code.join("\n").split("panic!(").skip(1).map(|rest| rest.chars().next().unwrap()).collect();
    assert_eq!(found, ['5'], "{code:#?}");
    assert!(code.join("\n").contains("\"// é\""));
}

#[test]
fn rooms_import_in_one_direction() {
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_core() && !source.module.is_empty()) {
        let own = rank(source.room()).unwrap_or_else(|| panic!("{} is in no room", source.path));
        for used in &source.uses {
            let Some(other) = used.first().and_then(|room| rank(room)) else {
                found.push(format!("{} uses {}, which is in no room", source.path, used.join("::")));
                continue;
            };
            if other > own {
                found.push(format!("{} uses {}, which is above it", source.path, used.join("::")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A module and its descendants are one unit, within which siblings import in one direction.
#[test]
fn siblings_import_in_one_direction() {
    let sources = sources();
    for prefix in ["src/", "crates/filter/src/", "crates/cli/src/"] {
        let inside: BTreeMap<&[String], &Source> = sources
            .iter()
            .filter(|source| source.path.starts_with(prefix))
            .map(|source| (source.module.as_slice(), source))
            .collect();
        let mut edges: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
        for (module, source) in &inside {
            for path in &source.uses {
                let used = defined_in(&inside, path);
                let shared = module.iter().zip(used).take_while(|(a, b)| a == b).count();
                // Definitions of an ancestor or descendant belong to the same unit.
                if let (Some(from), Some(to)) = (module.get(..=shared), used.get(..=shared)) {
                    edges.entry(from).or_default().insert(to);
                }
            }
        }
        let mut cycles: Vec<String> = Vec::new();
        for (from, targets) in &edges {
            for to in targets.iter().filter(|to| reaches(&edges, to, from)) {
                cycles.push(format!("{prefix}{} -> {}", from.join("/"), to.join("/")));
            }
        }
        assert!(cycles.is_empty(), "modules that use each other:\n{}", cycles.join("\n"));
    }
}

/// Returns the module that defines the target of a path, following `use` declarations.
fn defined_in<'s>(inside: &BTreeMap<&'s [String], &'s Source>, path: &[String]) -> &'s [String] {
    let (mut path, mut last) = (path.to_vec(), [].as_slice());
    for _ in 0..8 {
        let lengths = (0..=path.len()).rev();
        let Some((length, source)) = lengths.into_iter().find_map(|at| Some((at, inside.get(&path[..at])?)))
        else {
            return last;
        };
        last = &source.module;
        match path.get(length).and_then(|name| source.imports.get(name)) {
            Some(target) => path = [target, &path[length + 1..]].concat(),
            None => return last,
        }
    }
    last
}

fn reaches(edges: &BTreeMap<&[String], BTreeSet<&[String]>>, from: &[String], to: &[String]) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            open.extend(edges.get(module).into_iter().flatten());
        }
    }
    false
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
    check_absent("the core does what only the filter and the tool may", &words, Source::is_core);
}

#[test]
fn a_permit_is_issued_in_one_place() {
    check_absent("a permit outside the decision", &["Permit::issue"], |source| {
        source.path != "src/decision/mod.rs"
    });
    let decision = sources().into_iter().find(|source| source.path == "src/decision/mod.rs").unwrap();
    assert_eq!(decision.code.matches("Permit::issue").count(), 1);
    assert_eq!(decision.code.matches("Authorized::Yes => (Verdict::Allow(Some(Permit::issue").count(), 1);
    check_absent("a permit made by hand", &["Permit {"], |source| source.path != "src/principal.rs");
}

#[test]
fn a_reason_becomes_an_answer_in_one_place() {
    let words = ["www-authenticate", "401", "403"];
    check_absent("an answer outside response", &words, |source| {
        source.is_core() && source.room() != "response"
    });
}

#[test]
fn unsafe_is_only_the_abi() {
    check_absent("unsafe", &["unsafe ", "unsafe("], |source| {
        !["crates/filter/src/abi.rs", "crates/filter/src/proxy_wasm_host.rs"].contains(&source.path.as_str())
    });
    check_absent("unsafe", &["allow(unsafe_code)"], |source| source.path != "crates/filter/src/lib.rs");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"deny\""));
}

/// These getters unwrap UTF-8, so a byte from a client would trap the module.
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
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing", "string_slice"] {
        assert!(manifest.contains(&format!("{lint} = \"deny\"")), "{lint} is not denied");
    }
    for member in ["Cargo.toml", "crates/filter/Cargo.toml", "crates/cli/Cargo.toml"] {
        let manifest = fs::read_to_string(root().join(member)).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member} does not take the lints of the workspace"
        );
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > 500)
        .map(|source| format!("{}: {} lines", source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// A derived `Debug` on a type with a secret would print it.
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
                assert!(!derive.contains("Debug"), "{}: {secret} derives Debug", source.path);
                seen += 1;
            }
        }
    }
    assert!(seen >= secrets.len(), "only {seen} of the types were found");
}

/// A doc comment names its subject first.
#[test]
fn no_doc_comment_begins_with_a_relative_clause() {
    let words = ["What", "Who", "Whose", "Whom", "Whether", "Which", "Where", "How", "When", "That"];
    let mut paths = Vec::new();
    for folder in ["src", "crates", "tests", "fuzz/src", "benches", "xtask"] {
        collect(&root().join(folder), &mut paths);
    }
    assert!(paths.len() > 200, "the sources are not where this test looks");
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| !path.to_string_lossy().contains("node_modules")) {
        let text = fs::read_to_string(path).unwrap();
        let doc = |line: &str| ["///", "//!"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        let mut before = None;
        for (number, line) in text.lines().enumerate() {
            let here = doc(line);
            let first =
                line.trim_start().get(3..).unwrap_or_default().split_whitespace().next().unwrap_or_default();
            if here.is_some() && here != before && words.contains(&first) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
            before = here;
        }
    }
    assert!(found.is_empty(), "doc comments that begin with a relative clause:\n{}", found.join("\n"));
}
