//! URIs of resources, which servers parse before they look them up.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use authgate_testing::e2e::bootstrap::listener;
use authgate_testing::e2e::fixture::policy as parsed;
use authgate_testing::e2e::proxy::Proxy;

use super::{NAMES, body, mcp, sent, server};

/// Spellings of the URIs `note://first` and `note://notes/secret`, each of which some server reads as one of them.
const CLOSED: [&str; 14] = [
    "note://first",
    "NOTE://first",
    "n\tote://first",
    " note://first",
    "note://first ",
    "note://first\n",
    "note://notes/secret",
    "Note://notes/secret",
    "note://notes/%73ecret",
    "note://notes/x/../secret",
    "note://notes/./secret",
    "note://notes//secret",
    "note://notes/%2e/secret",
    "note://notes/secret#x",
];

#[test]
fn no_spelling_of_a_uri_reads_a_denied_resource() {
    let mut leaks = Vec::new();
    for language in ["node", "python"] {
        let Some(server) = server(language) else { return };
        let (mut guarded, mut open) = (parsed(NAMES), parsed(NAMES));
        let names = json!(["note://first", {"prefix": "note://notes/secret"}]);
        let rule = json!({"name": "closed", "deny": true,
            "match": {"path": "/mcp", "mcp": {"methods": ["resources/read"], "names": names}}});
        guarded["rules"].as_array_mut().expect("rules").insert(0, rule);
        open["rules"].as_array_mut().expect("rules").retain(|rule| rule["name"] != "resource");
        let hosts = json!([{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "server", "host_rewrite_literal": "127.0.0.1"}}],
        }]);
        let read = |uri: &str| {
            let name = format!("=?base64?{}?=", BASE64_STANDARD.encode(uri));
            sent(
                mcp("resources/read").field("mcp-name", name),
                &body("resources/read", json!(uri)).to_string(),
            )
        };
        let listeners = [("guarded", guarded), ("open", open)].map(|(name, policy)| {
            listener(name, policy, read("note://notes/open"))
                .hosts(hosts.clone())
                .cluster("server", server.port)
        });
        let proxy = Proxy::start(&format!("mcp-resources-{language}"), listeners.into());
        for uri in CLOSED {
            let reads = |listener: &str| {
                let exchange = proxy.send(listener, &read(uri));
                let body = &exchange.answer.body;
                (
                    exchange.status == 200
                        && (body.contains("first note") || body.contains("the note secret")),
                    exchange,
                )
            };
            let (is_read, exchange) = reads("guarded");
            if is_read || ![400, 403].contains(&exchange.status) {
                proxy
                    .fault(format!("{language}: {uri:?} got {} {:?}", exchange.status, exchange.answer.body));
            }
            if reads("open").0 {
                leaks.push((language, uri));
            }
        }
        proxy.finish();
    }
    // Without the rule, servers read them, each others.
    for read in
        [("node", "NOTE://first"), ("node", "note://notes/x/../secret"), ("python", "note://notes/%73ecret")]
    {
        assert!(leaks.contains(&read), "{read:?} is not among {leaks:?}");
    }
}
