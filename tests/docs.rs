//! The documents agree with the code: their configurations are loaded by the real reader, invalid ones are rejected
//! with the quoted messages, every field and code is in the reference, every module is on the map, and every link has a
//! target.
//!
//! The info string of a fenced block, in YAML and JSON alike, says how it is checked:
//!
//! - `yaml authgate`: a configuration. [`complete`] adds missing `rules` or `authenticators`.
//! - `yaml authgate spec.pluginConfig`: a configuration at this path in the block.
//! - `yaml authgate refused`: an invalid configuration; the next block contains the messages, one a line.
//! - `yaml envoy`, `sh run`, `text output`: for `tests/envoy/guides.rs`. `yaml istio`, `yaml overlay FILE`, and blocks
//!   with an `apiVersion`: for `tests/manifests`.
//! - `yaml save`, `sh step`, `sh start`: for `tests/envoy/start.rs`. `yaml clusters`, `json token`, `yaml tests`: for
//!   `tests/pages.rs`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use authgate::authn::{Context, NullHost};
use authgate::cache::CredentialCache;
use authgate::config;
use authgate::decision::state::State;
use authgate::decision::{Verdict, decide};
use authgate::http::request::Request;
use authgate::jose::jwt::SoftwareVerifier;
use authgate::policy::{Policy, build};
use authgate::timestamp::NumericDate;
use serde_json::{Value, json};

const REFERENCE: &str = "docs/configuration.md";

#[test]
fn every_configuration_is_read() {
    let mut count = 0;
    for (document, text) in documents() {
        let blocks = blocks(&text);
        for (at, block) in blocks.iter().enumerate() {
            let place = format!("{document}:{}", block.line);
            match block.info.as_slice() {
                [_, "authgate", "refused"] => {
                    let messages = &blocks.get(at + 1).unwrap_or_else(|| panic!("{place}: no messages")).text;
                    let found = policy(value(block, &place)).err().unwrap_or_default();
                    assert_eq!(found.join("\n"), messages.trim_end(), "{place}");
                }
                [_, "authgate", path @ ..] => {
                    let mut configuration = find(value(block, &place), path.first(), &place);
                    complete(&mut configuration);
                    if let Err(errors) = policy(configuration) {
                        panic!("{place}:\n{}\n{}", errors.join("\n"), block.text);
                    }
                }
                // Third-party configurations, checked elsewhere.
                [_, "envoy" | "istio" | "save" | "clusters" | "token" | "tests", ..] => continue,
                // Every configuration must be checked.
                ["yaml" | "json", ..] => {
                    let is_ours = ["authenticators", "rules:", "\"rules\"", "require"];
                    let is_route = block.text.contains("kind: HTTPRoute"); // which has rules too
                    let found = is_ours.iter().any(|word| block.text.contains(word));
                    assert!(!found || is_route, "{place}: not checked");
                    continue;
                }
                _ => continue,
            }
            count += 1;
        }
    }
    assert!(count > 10, "{count} configurations found");
}

#[test]
fn the_answer_in_the_readme_is_the_real_one() {
    let readme = read("README.md");
    let blocks = blocks(&readme);
    let first = blocks.iter().find(|block| block.info.get(1) == Some(&"authgate")).unwrap();
    let configuration = find(value(first, "README.md"), first.info.get(2), "README.md");
    let policy = policy(configuration).unwrap_or_else(|errors| panic!("{errors:?}"));
    let pairs = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "127.0.0.1:10000"),
        (":path", "/basic"),
        ("x-request-id", "0cb6ad0b-6c3e-4f3a-8d3a-2f9b1f0d7c11"),
    ];
    let request = Request::new(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())), None);
    let context =
        Context { now: NumericDate::EPOCH, signatures: &SoftwareVerifier, host: &NullHost, may_wait: false };
    let mut state = State::new(&policy, CredentialCache::new([0; 16], policy.limits));
    let Verdict::Deny(denial) = decide(&policy, &request, &mut state, context).verdict else {
        panic!("allowed without credentials")
    };
    let response = denial.response(&policy.denials, policy.denials.form(&request));
    let fields = response.fields.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let answer = format!(
        "HTTP/1.1 {} Unauthorized\n{}\n{}",
        response.status,
        fields.collect::<String>(),
        response.body
    );
    assert!(blocks.iter().any(|block| block.text == answer), "expected in README.md:\n{answer}");
}

#[test]
fn the_reference_names_every_field_and_every_code() {
    let reference = read(REFERENCE);
    let types = files_below(&root().join("src/config")).into_iter().filter(|path| {
        // These files read or check the types and contain no fields of the configuration.
        ![
            "context.rs",
            "error.rs",
            "keyword.rs",
            "path.rs",
            "reader.rs",
            "schema.rs",
            "shape.rs",
            "source.rs",
            "value.rs",
            "warning.rs",
        ]
        .iter()
        .any(|name| path.ends_with(name))
    });
    let types = types.map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let names = [
        field_names(&(read("src/config/mod.rs") + &types)),
        codes("src/response/mod.rs"),
        codes("src/jose/jwt/error.rs"),
    ];
    for (names, at_least) in names.iter().zip([60, 14, 14]) {
        assert!(names.len() >= at_least, "only {names:?}");
        let missing: Vec<_> = names.iter().filter(|name| !reference.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{REFERENCE} lacks {missing:?}");
    }
}

#[test]
fn every_code_has_a_remedy() {
    let guide = read("docs/troubleshoot.md");
    for path in ["src/response/mod.rs", "src/jose/jwt/error.rs"] {
        for code in codes(path) {
            let row = guide.lines().find(|line| line.starts_with(&format!("| `{code}` |")));
            let cells: Vec<&str> = row.unwrap_or_default().split(" | ").collect();
            let remedy = cells.last().map_or("", |cell| cell.trim_end_matches('|').trim());
            assert!(remedy.len() > 20, "docs/troubleshoot.md has no remedy for {code}");
        }
    }
}

/// The table is the one that `tests/envoy/differential.rs` checks.
#[test]
fn the_page_of_differences_has_each_row_of_the_table() {
    let rows: Vec<Value> = serde_yaml_ng::from_str(&read("tests/data/differential.yaml")).unwrap();
    let page = read("docs/differences.md");
    let field =
        |row: &Value, name| row[name].as_str().unwrap_or_else(|| panic!("no {name}: {row}")).to_owned();
    for stricter in ["envoy", "authgate"] {
        let rows = rows.iter().filter(|row| row["stricter"] == *stricter);
        let lines = rows.map(|row| format!("| {} | {} |\n", field(row, "what"), field(row, "because")));
        let table = format!("| what | why |\n| --- | --- |\n{}\n", lines.collect::<String>());
        assert!(
            page.contains(&table),
            "docs/differences.md: expected where {stricter} is stricter:\n{table}"
        );
    }
}

/// No test runs these commands, but each is a target of the Makefile.
#[test]
fn every_target_of_make_exists() {
    let makefile = read("Makefile");
    let mut count = 0;
    for (document, text) in documents() {
        let blocks = blocks(&text);
        let commands = blocks.iter().filter(|block| block.info.first() == Some(&"sh"));
        let lines = commands.flat_map(|block| block.text.lines()).map(str::to_owned);
        let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
        for command in lines.chain(quoted.filter(|quoted| !quoted.contains('\n'))) {
            let Some(target) = command.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            count += 1;
            let known = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(known, "{document}: there is no `make {target}`");
        }
    }
    assert!(count > 15, "{count} commands found");
}

/// The map in ARCHITECTURE.md lists every room of the core, every crate and every folder, and nothing else.
#[test]
fn the_map_names_every_room() {
    let map = read("ARCHITECTURE.md");
    let rooms = entries("src").into_iter().filter(|name| name != "lib.rs").map(|name| format!("src/{name}"));
    let crates = entries("crates").into_iter().map(|name| format!("crates/{name}/"));
    let beside = ["xtask/", "fuzz/", "benches/", "tests/", "envoy/", "docs/"].map(str::to_owned);
    let expected: BTreeSet<String> = rooms.chain(crates).chain(beside).collect();
    assert!(expected.len() > 20, "{expected:?}");
    let rows = map.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: BTreeSet<String> =
        rows.map(|(name, _)| name.to_owned()).filter(|name| name.contains('/')).collect();
    assert_eq!(named, expected);
    for name in map.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")) {
        assert!(root().join(name).exists(), "ARCHITECTURE.md names {name}, which does not exist");
    }
    assert!(map.lines().count() <= 200, "ARCHITECTURE.md has {} lines", map.lines().count());
}

/// Returns the files and folders in a folder; names of folders end in `/`.
fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && folder != "crates" { format!("{name}/") } else { name }
    };
    entries.map(name).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for (document, text) in documents() {
        let prose = without_blocks(&text);
        for target in
            prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            if target.contains("://") {
                continue;
            }
            count += 1;
            let (file, heading) =
                target.split_once('#').map_or((target, None), |(file, at)| (file, Some(at)));
            let path = match file {
                "" => root().join(&document),
                _ => root().join(&document).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{document}: {target} does not exist");
            if let Some(heading) = heading {
                let text = fs::read_to_string(&path).unwrap();
                let anchors: Vec<String> =
                    without_blocks(&text).lines().filter(|line| line.starts_with('#')).map(anchor).collect();
                assert!(anchors.iter().any(|known| known == heading), "{document}: no heading {target}");
            }
        }
    }
    assert!(count > 5, "{count} links found");
}

/// The site has the pages that `docs/SUMMARY.md` lists.
#[test]
fn every_page_is_in_the_summary() {
    let summary = read("docs/SUMMARY.md");
    let pages: Vec<String> =
        documents().filter_map(|(name, _)| name.strip_prefix("docs/").map(str::to_owned)).collect();
    let missing: Vec<&String> = pages
        .iter()
        .filter(|page| *page != "SUMMARY.md" && !summary.contains(&format!("]({page})")))
        .collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md lacks {missing:?}");
    assert!(pages.len() > 40, "{pages:?}");
}

/// A fenced block.
struct Block<'a> {
    /// Line number of the fence, from 1.
    line: usize,
    /// Words after the opening fence.
    info: Vec<&'a str>,
    text: String,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut open) = (Vec::new(), None::<(usize, Block<'_>)>);
    for (line, content) in (1..).zip(text.lines()) {
        let indent = content.len() - content.trim_start().len();
        match (content.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some((_, block))) => blocks.push(block),
            (Some(info), None) => {
                let info = info.split_whitespace().collect();
                open = Some((indent, Block { line, info, text: String::new() }));
            }
            (None, Some((indent, mut block))) => {
                block.text.push_str(content.get(indent..).unwrap_or_default());
                block.text.push('\n');
                open = Some((indent, block));
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence that is not closed");
    blocks
}

fn without_blocks(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    outside.collect::<Vec<_>>().join("\n")
}

/// Parses YAML, which includes JSON.
fn value(block: &Block<'_>, place: &str) -> Value {
    serde_yaml_ng::from_str(&block.text).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// Returns the value at a dotted path.
fn find(mut value: Value, path: Option<&&str>, place: &str) -> Value {
    for step in path.iter().flat_map(|path| path.split('.')) {
        let member = match step.parse::<usize>() {
            Ok(index) => value.get_mut(index),
            Err(_) => value.get_mut(step),
        };
        value = member.unwrap_or_else(|| panic!("{place}: no {step}")).take();
    }
    // A JSON text, as in a `google.protobuf.StringValue`.
    match value {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{place}: {error}")),
        other => other,
    }
}

/// Completes an excerpt: adds one rule for all of its authenticators, or the authenticators that its rules name.
fn complete(configuration: &mut Value) {
    let Some(members) = configuration.as_object_mut() else { return };
    if !members.contains_key("authenticators") {
        let jwt = |issuer, header| {
            json!({"jwt": {"issuer": issuer, "audiences": ["api"], "from": [header],
                "keys": {"secret": {"value": {"env": "SECRET"}, "algorithm": "HS256"}}}})
        };
        let bearer = json!({"header": "authorization", "scheme": "Bearer"});
        let authenticators = json!({
            "staff": {"basic": {"users": {"alice": {"env": "ALICE_HASH"}}}},
            "partners": jwt("https://idp.example.com", bearer),
            "edge": jwt("https://edge.example.com", json!({"header": "x-edge-token"})),
        });
        members.insert("authenticators".to_owned(), authenticators);
    }
    if !members.contains_key("rules") {
        let names: Vec<_> = members["authenticators"].as_object().unwrap().keys().cloned().collect();
        members.insert("rules".to_owned(), json!([{"require": {"any_of": names}}]));
    }
}

fn policy(configuration: Value) -> Result<Policy, Vec<String>> {
    let config = config::from_value(configuration);
    let built = config.and_then(|config| build(&config, &|name| Some(environment(name))));
    match built {
        Ok(built) => Ok(built.policy),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
    }
}

/// Returns a value of the kind that the variable's name indicates.
fn environment(name: &str) -> String {
    const HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";
    if name.ends_with("_UNSET") {
        String::new()
    } else if name.ends_with("_HASH") {
        HASH.to_owned()
    } else if name.contains("HTPASSWD") {
        format!("alice:{HASH}\n")
    } else if name.contains("HTDIGEST") {
        format!("carol:legacy:{}\n", "8".repeat(64))
    } else if name.ends_with("_SHA256") {
        format!("{:064}", name.len()) // different for each name in a list
    } else {
        "A".repeat(88) // long enough for every algorithm, and valid base64
    }
}

/// Returns the names that a configuration may contain: fields, variants and keywords of the configuration's types.
fn field_names(source: &str) -> BTreeSet<String> {
    let (mut names, mut renamed, mut in_variants) = (BTreeSet::new(), None, false);
    for line in source.lines() {
        let words = line.trim();
        if let Some(rest) = words.strip_prefix("#[serde(rename = \"") {
            renamed = rest.split('"').next().map(str::to_owned);
        } else if words.starts_with("#[serde(rename_all = \"snake_case\")]") {
            in_variants = true;
        } else if let Some((name, _)) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(": ")) {
            names.insert(renamed.take().unwrap_or_else(|| name.to_owned()));
        } else if in_variants && line == "}" {
            in_variants = false;
        } else if let (true, Some((variant, _))) =
            (in_variants && !words.starts_with("//"), words.split_once('('))
        {
            names.insert(snake_case(variant));
        } else if words.starts_with("const FIELDS") || words.starts_with("keyword!(") {
            let quoted = words.split('"').skip(1).step_by(2);
            names.extend(quoted.filter(|word| !word.contains(' ')).map(str::to_owned));
        }
    }
    names
}

fn snake_case(variant: &str) -> String {
    let mut name = String::new();
    for (at, letter) in variant.char_indices() {
        if at > 0 && letter.is_uppercase() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Returns the codes in a source file, as in `=> "no_rule",`.
fn codes(path: &str) -> BTreeSet<String> {
    let source = read(path);
    let quoted = source.lines().filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    let is_code = |text: &&str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_part = |text: &&str| matches!(*text, "header" | "payload" | "signature");
    quoted.filter(|text| is_code(text) && !is_part(text)).map(str::to_owned).collect()
}

/// Returns the anchor that GitHub generates for a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns all documents, with their path from the root.
fn documents() -> impl Iterator<Item = (String, String)> {
    let at_the_root = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];
    let mut names: Vec<String> = at_the_root.into_iter().map(str::to_owned).collect();
    let docs = files_below(&root().join("docs"));
    let docs = docs.iter().map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
    names.extend(docs.filter(|name| name.ends_with(".md")));
    names.into_iter().map(|name| (name.clone(), read(&name)))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
