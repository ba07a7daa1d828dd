//! The examples of the playground, from the pages of the recipes and providers.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::command::Result;

/// The time of requests with tokens of providers: a minute after the `iat` of the tokens on the pages.
const NOW: &str = "2026-01-01T00:01:00Z";

/// A hash of `wonderland`, as in the documents.
const HASH: &str = "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO";

/// Keys of tests, which sign the tokens of the examples.
const KEYS: [(&str, &str); 2] = [("RS256", "tests/data/keys/rsa.pem"), ("ES256", "tests/data/keys/p256.pem")];

/// Returns the script that sets `EXAMPLES`.
///
/// # Errors
/// If a page or its cases cannot be read.
pub fn script() -> Result<String> {
    let mut pages = Vec::new();
    for path in linked(&fs::read_to_string("docs/SUMMARY.md")?) {
        let text = fs::read_to_string(Path::new("docs").join(&path))?;
        let example = example(&path, &text).map_err(|error| format!("docs/{path}: {error}"))?;
        pages.extend(example);
    }
    if pages.len() < 20 {
        return Err(format!("only {} pages have an example", pages.len()).into());
    }
    let mut keys = Map::new();
    for (algorithm, path) in KEYS {
        keys.insert(algorithm.to_owned(), fs::read_to_string(path)?.into());
    }
    Ok(format!(
        "// Policies and requests of the documentation.\nglobalThis.EXAMPLES = {};\n",
        json!({"keys": keys, "pages": pages})
    ))
}

/// The pages with examples, in the order of the summary.
fn linked(summary: &str) -> Vec<String> {
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| link.starts_with("recipes/") || link.starts_with("providers/"))
        .map(str::to_owned)
        .collect()
}

/// The example of a page; `None` if it has no policy or no requests.
fn example(path: &str, text: &str) -> Result<Option<Value>> {
    let name = path.trim_end_matches(".md");
    let Some(policy) = block(text, "yaml authgate") else { return Ok(None) };
    let (group, requests) = match name.strip_prefix("providers/") {
        Some(provider) => {
            let token = block(text, "json token").ok_or("no token")?;
            let cases = fs::read_to_string(format!("tests/cases/providers/{provider}.yaml"))?;
            (
                "Identity providers",
                of_tokens(&serde_json::from_str(&token)?, &serde_yaml_ng::from_str(&cases)?),
            )
        }
        None => {
            let Some(tests) = block(text, "yaml tests") else { return Ok(None) };
            ("Recipes", of_tests(&serde_yaml_ng::from_str(&tests)?))
        }
    };
    if requests.is_empty() {
        return Ok(None);
    }
    let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).ok_or("no title")?;
    Ok(Some(json!({
        "name": name, "group": group, "title": title, "page": format!("../{name}.html"),
        "environment": environment(&policy), "policy": policy, "requests": requests,
    })))
}

/// The first fenced block whose words after the fence are these.
fn block(text: &str, info: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("```{info}\n"))?;
    Some(rest.split_once("\n```")?.0.to_owned() + "\n")
}

/// Values for the variables of a policy, as `tests/pages.rs` has them.
fn environment(policy: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for rest in policy.split("{env: ").skip(1) {
        let Some(name) = rest.split('}').next() else { continue };
        let value = match name {
            name if name.contains("HTPASSWD") => format!("alice:{HASH}"),
            name if name.contains("SHA256") => "7".repeat(64),
            name if name.contains("HASH") => HASH.to_owned(),
            _ => "A".repeat(64),
        };
        let line = format!("{name}={value}\n");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

/// The requests of a file for `authgate test`.
fn of_tests(file: &Value) -> Vec<Value> {
    let tests = file.get("tests").and_then(Value::as_array).into_iter().flatten();
    tests.map(|test| request(test, file.get("at"))).collect()
}

fn request(test: &Value, at: Option<&Value>) -> Value {
    let given = test.get("request").unwrap_or(&Value::Null);
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let (scheme, host) = (text("scheme").unwrap_or("https"), text("host").unwrap_or("localhost"));
    let (user, password) = text("user").and_then(|user| user.split_once(':')).unwrap_or_default();
    let headers =
        given.get("headers").and_then(Value::as_object).into_iter().flatten().flat_map(|(name, value)| {
            let one = std::slice::from_ref(value);
            let values = value.as_array().map_or(one, Vec::as_slice).iter();
            values.map(move |value| format!("{name}: {}\n", plain(value))).collect::<Vec<_>>()
        });
    let identities = test.get("as").and_then(Value::as_object).into_iter().flatten();
    let identities = identities.map(|(name, identity)| format!("{name}={}\n", plain(identity)));
    json!({
        "name": test.get("name"), "method": text("method"),
        "url": format!("{scheme}://{host}{}", text("path").unwrap_or("/")),
        "user": user, "password": password, "headers": headers.collect::<String>().trim_end(),
        "as": identities.collect::<String>().trim_end(), "peer": text("peer"), "certificate": text("certificate"),
        "at": test.get("at").or(at),
    })
}

/// A string without quotes, or JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Requests with tokens of a provider, derived from the token of its page. A case with another policy is left out.
fn of_tokens(token: &Value, file: &Value) -> Vec<Value> {
    let cases = file.get("cases").and_then(Value::as_array).into_iter().flatten();
    let cases = cases.filter(|case| case.get("policy").is_none());
    let merged = |part: &str, case: &str, given: &Value| {
        let mut members = token.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, value) in given.get(case).and_then(Value::as_object).into_iter().flatten() {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        members
    };
    let requests = cases.filter_map(|case| {
        let path = case.get("path").and_then(Value::as_str).unwrap_or("/");
        let location = case.get("location").and_then(Value::as_str).unwrap_or("authorization");
        let mut request = json!({
            "name": case.get("name"), "url": format!("https://api.example.com{path}"), "at": NOW,
        });
        let (member, value) = match case.get("token").and_then(Value::as_str) {
            Some(text) if location == "authorization" => {
                ("headers", format!("{location}: Bearer {text}").into())
            }
            Some(text) => ("headers", format!("{location}: {text}").into()),
            None => {
                let header = merged("header", "header", case);
                let algorithm = header.get("alg").and_then(Value::as_str)?;
                KEYS.iter().find(|(known, _)| *known == algorithm)?;
                let claims = merged("payload", "claims", case);
                ("token", json!({"header": header, "claims": claims, "location": location}))
            }
        };
        request.as_object_mut()?.insert(member.to_owned(), value);
        Some(request)
    });
    requests.collect()
}
