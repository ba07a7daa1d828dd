//! The MCP calls to try: each method and name of both policies, a name with each prefix, and others that no rule names.

use std::collections::BTreeSet;

use authgate::config::{Match, Mcp, McpName};
use authgate::http::mcp::FIRST_REVISION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The headers of a call.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The maximum number of combinations of a method and a name.
const MOST_CALLS: usize = 5000;

/// A method that rules usually do not name, and two whose calls have a name, in one case a URI.
const METHODS: [&str; 3] = ["x/other", "tools/call", "resources/read"];

/// The headers of all calls to try; none if no rule has `mcp`. If there are too many combinations, adds a note to
/// `unknown`.
pub fn of(all: &[&Match], unknown: &mut Vec<String>) -> Vec<Fields> {
    let rules: Vec<&Mcp> = all.iter().filter_map(|matched| matched.mcp.as_ref()).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&str> = rules.iter().flat_map(|rule| methods(rule)).chain(METHODS).collect();
    let names: BTreeSet<String> = rules.iter().flat_map(|rule| names_of(rule)).collect();
    let is_fresh = |name: &String| !names.contains(name);
    let other = (0u32..).map(|number| format!("x-other-{number}")).find(is_fresh);
    let other_uri = (0u32..).map(|number| format!("x-other:///{number}")).find(is_fresh);
    let other: Vec<String> = other.into_iter().chain(other_uri).collect();
    let calls: Vec<Fields> = if named.len().saturating_mul(names.len() + 3) <= MOST_CALLS {
        let names: Vec<&String> = names.iter().chain(&other).collect();
        named.iter().flat_map(|method| with_names(method, &names)).collect()
    } else {
        // Each rule's own methods and names, and those that no rule names.
        let own = rules.iter().flat_map(|rule| {
            let names: Vec<String> = names_of(rule).into_iter().chain(other.clone()).collect();
            let calls = methods(rule).chain(METHODS).flat_map(|method| {
                let names: Vec<&String> = names.iter().collect();
                with_names(method, &names)
            });
            calls.collect::<Vec<Fields>>()
        });
        let own: BTreeSet<Fields> = own.collect();
        unknown.push("MCP calls with a method of one rule and a name of another".to_owned());
        if own.len() > MOST_CALLS {
            unknown.push(format!("{} of {} MCP calls", own.len() - MOST_CALLS, own.len()));
        }
        own.into_iter().take(MOST_CALLS).collect()
    };
    calls
}

fn methods(rule: &Mcp) -> impl Iterator<Item = &str> {
    rule.methods.iter().flatten().map(String::as_str)
}

/// The names of a rule, and for each prefix the prefix itself and a longer name.
fn names_of(rule: &Mcp) -> Vec<String> {
    let names = rule.names.iter().flat_map(|names| &names.0);
    let names = names.flat_map(|name| match name {
        McpName::Exact(name) => vec![name.clone()],
        McpName::Prefix(prefix) => vec![prefix.clone(), format!("{prefix}x")],
    });
    names.collect()
}

/// Calls of a method without a name and with each name.
fn with_names(method: &str, names: &[&String]) -> Vec<Fields> {
    let with_name = names.iter().map(|name| fields(method, Some(name)));
    std::iter::once(fields(method, None)).chain(with_name).collect()
}

fn fields(method: &str, name: Option<&str>) -> Fields {
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut fields = vec![field("mcp-method", method), field("mcp-protocol-version", FIRST_REVISION)];
    fields.extend(name.map(|name| field("mcp-name", &encoded(name))));
    fields
}

/// The name as the value of a header.
fn encoded(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    let has_mark = name.get(..2).is_some_and(|start| start == "=?");
    if is_plain && !has_mark { name.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(name)) }
}

#[cfg(test)]
mod tests {
    use authgate::config;
    use authgate::http::mcp::McpCall;
    use authgate::http::request::Request;
    use serde_json::json;

    use super::*;

    fn calls(rules: serde_json::Value) -> (Vec<String>, Vec<String>) {
        let rules = rules.as_array().unwrap().iter().map(|matched| json!({"match": matched, "deny": true}));
        let rules: Vec<serde_json::Value> = rules.collect();
        let config = config::from_value(json!({ "rules": rules })).unwrap();
        let matches = config.rules.0.into_iter().flat_map(|rule| rule.matches.unwrap().0);
        let matches: Vec<Match> = matches.collect();
        let mut unknown = Vec::new();
        let found = of(&matches.iter().collect::<Vec<_>>(), &mut unknown);
        let found = found.iter().filter_map(|fields| {
            let pairs = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            let request = Request::new(pairs, None);
            let call = McpCall::of(&request).ok()?;
            Some(format!("{} {}", call.method, call.name.as_deref().unwrap_or("-")))
        });
        (found.collect(), unknown)
    }

    #[test]
    fn each_method_is_tried_with_each_name() {
        let (found, unknown) = calls(json!([
            {"mcp": {"methods": ["tools/list"]}},
            {"mcp": {"methods": ["prompts/get"], "names": ["é", {"prefix": "a_"}]}},
            {"path": "/x"},
        ]));
        for call in
            ["tools/list -", "tools/list a_", "prompts/get a_x", "prompts/get é", "x/other -", "x/other é"]
        {
            assert!(found.iter().any(|known| known == call), "{call}: {found:?}");
        }
        for method in ["tools/list", "prompts/get", "x/other", "tools/call"] {
            assert!(found.iter().any(|known| *known == format!("{method} x-other-0")), "{method}: {found:?}");
        }
        assert!(unknown.is_empty());
        assert_eq!(calls(json!([{"path": "/mcp"}])), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_number_of_calls_is_bounded() {
        let rules: Vec<_> = (0..300)
            .map(|at| json!({"mcp": {"methods": [format!("m/{at}")], "names": [format!("n{at}")]}}))
            .collect();
        let (found, unknown) = calls(json!(rules));
        assert!(found.len() <= MOST_CALLS, "{}", found.len());
        assert!(found.iter().any(|call| call == "m/299 n299"), "{found:?}");
        assert_eq!(unknown.len(), 1, "{unknown:?}");
    }
}
