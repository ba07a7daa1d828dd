//! MCP clients and servers around a real Envoy, with the configuration of `docs/mcp.md`.
//!
//! The clients and servers are npm `@modelcontextprotocol/client` and `server`, and PyPI `mcp`, which speak revision
//! 2026-07-28; npm `@modelcontextprotocol/sdk` does not.

mod resources;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::{Case, check, denied, passes, refused};
use authgate_testing::e2e::client::{Request, get, request};
use authgate_testing::e2e::fixture::policy as parsed;
use authgate_testing::e2e::idp::Idp;
use authgate_testing::e2e::mint::{scoped_token, token_for};
use authgate_testing::e2e::process::{envoy, root};
use authgate_testing::e2e::programs::{Server, free_port, npm_folder, python_with};
use authgate_testing::e2e::proxy::Proxy;

/// The revision that authgate requires.
const REVISION: &str = "2026-07-28";

/// Returns the HTTP filters of the guide, with this issuer and this URL of the MCP server.
fn guide(issuer: &str, origin: &str) -> Value {
    let text = fs::read_to_string(root().join("docs/mcp.md")).expect("the guide");
    let (_, rest) = text.split_once("```yaml authgate 0.").expect("a block");
    let (_, rest) = rest.split_once('\n').expect("lines");
    let (block, _) = rest.split_once("```").expect("an end");
    for (once, expected) in [("https://idp.example.com", 2), ("https://mcp.example.com", 2)] {
        assert_eq!(block.matches(once).count(), expected, "{once}");
    }
    let block = block.replace("https://idp.example.com", issuer).replace("https://mcp.example.com", origin);
    serde_yaml_ng::from_str(&block).expect("YAML")
}

/// Returns the policy of the guide.
fn policy(filters: &Value) -> Value {
    filters[0]["typed_config"]["config"]["configuration"]["value"].clone()
}

/// Returns the `mcp` filter of the guide if this Envoy has one that compares headers with the body.
fn comparing_filter(filters: &Value) -> Option<Value> {
    let output = Command::new(envoy()).arg("--version").output().expect("envoy runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers =
        |word: &str| word.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>();
    let version = text.split('/').filter_map(numbers).find(|numbers| numbers.len() == 3).expect("a version");
    (version >= vec![1, 40]).then(|| filters[1]["typed_config"].clone())
}

/// Returns the guide's listener on this port, in front of a server.
fn guarded(name: &'static str, idp: &Idp, server: &Server) -> Listener {
    let port = free_port();
    let filters = guide(&idp.issuer, &format!("http://127.0.0.1:{port}"));
    let hosts = json!([{
        "name": "all", "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": name}}],
    }]);
    let metadata = get("/.well-known/oauth-protected-resource/mcp");
    listener(name, policy(&filters), metadata)
        .port(port)
        .hosts(hosts)
        .cluster("idp", idp.port)
        .cluster(name, server.port)
        .behind(comparing_filter(&filters))
}

/// Runs a client and returns its report.
fn report(command: &mut Command) -> Value {
    let output = command.output().expect("a client runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error} {errors}"))
}

/// Starts a server by the name of its language.
fn server(language: &str) -> Option<Server> {
    let folder = npm_folder("tests/mcp")?;
    let mut command = match language {
        "node" => Command::new("node"),
        _ => Command::new(python_with("mcp.server.mcpserver")?),
    };
    let script = if language == "node" { "server.mjs" } else { "server.py" };
    Some(Server::start(command.arg(script).current_dir(folder)))
}

#[test]
fn real_clients_discover_authorize_and_step_up() {
    for language in ["node", "python"] {
        let (Some(folder), Some(python)) = (npm_folder("tests/mcp"), python_with("mcp.server.mcpserver"))
        else {
            return;
        };
        let Some(server) = server(language) else { return };
        for client in ["client.mjs", "client.py"] {
            // Each user is new: one that has consented before is asked for nothing.
            let Some(idp) = Idp::start() else { return };
            let proxy = Proxy::start(&format!("mcp-{language}"), vec![guarded("mcp", &idp, &server)]);
            let url = format!("http://127.0.0.1:{}/mcp", proxy.port("mcp"));
            let tools = json!(["read_note", "delete_all", "admin_reset", "read_note"]).to_string();
            let mut command =
                if client == "client.mjs" { Command::new("node") } else { Command::new(&python) };
            let report = report(command.arg(client).args([&url, &tools]).arg(REVISION).current_dir(&folder));
            let label = format!("{client} with the server in {language}: {report:#}");
            assert_eq!(report["listed"], json!(["read_note", "delete_all", "admin_reset"]), "{label}");
            let note = json!({"name": "read_note", "text": "note 1"});
            assert_eq!(report["calls"][0], note, "{label}");
            assert_eq!(report["calls"][1]["text"], "all notes are deleted", "{label}");
            assert_eq!(report["calls"][2]["text"], Value::Null, "a forbidden tool: {label}");
            assert!(report["calls"][2]["error"].is_string(), "a forbidden tool: {label}");
            assert_eq!(report["calls"][3], note, "the larger scope implies the smaller one: {label}");
            let scopes = report["scopes"].as_array().expect("scopes");
            let scopes: Vec<Vec<&str>> = scopes.iter().map(words).collect();
            assert_eq!(scopes, [vec!["mcp:use"], vec!["mcp:admin", "mcp:use"]], "{label}");
            if client == "client.mjs" {
                discovered(&report, &label);
            }
            proxy.finish();
        }
    }
}

/// Returns the words of a text in alphabetical order.
fn words(text: &Value) -> Vec<&str> {
    let mut words: Vec<&str> = text.as_str().unwrap_or_default().split(' ').collect();
    words.sort_unstable();
    words
}

/// Checks the exchanges of a client: it asked for the metadata that the challenge named, and for nothing else.
fn discovered(report: &Value, label: &str) {
    let exchanges = report["exchanges"].as_array().expect("exchanges");
    let [first, second, ..] = &exchanges[..] else { panic!("{label}") };
    assert_eq!(first["status"], 401, "{label}");
    let challenge = first["challenge"].as_str().expect("a challenge");
    assert!(challenge.contains("scope=\"mcp:use\""), "{label}");
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    assert!(challenge.contains("resource_metadata=\"http://127.0.0.1:"), "{label}");
    assert_eq!(
        (&second["method"], &second["path"], &second["status"]),
        (&"GET".into(), &metadata.into(), &200.into())
    );
    let refused = exchanges.iter().filter(|exchange| exchange["status"] == 403);
    let refused: Vec<_> = refused.map(|exchange| (&exchange["name"], &exchange["challenge"])).collect();
    let [(step_up, challenge), (forbidden, none)] = refused[..] else { panic!("{label}") };
    assert_eq!(
        (step_up, forbidden, none),
        (&"delete_all".into(), &"admin_reset".into(), &Value::Null),
        "{label}"
    );
    let challenge = challenge.as_str().expect("a challenge");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"mcp:admin\""),
        "{label}"
    );
}

#[test]
fn an_old_client_is_told_which_revision_it_needs() {
    let Some(folder) = npm_folder("tests/mcp") else { return };
    let (Some(idp), Some(server)) = (Idp::start(), server("node")) else { return };
    let proxy = Proxy::start("mcp-old", vec![guarded("mcp", &idp, &server)]);
    let url = format!("http://127.0.0.1:{}/mcp", proxy.port("mcp"));
    let old =
        report(Command::new("node").args(["old_client.mjs", &url, &token_for("x")]).current_dir(&folder));
    // The default of the new package is the older revision.
    let mut new = Command::new("node");
    let new = report(new.args(["client.mjs", &url, "[]", "default"]).current_dir(&folder));
    for report in [old, new] {
        let error = report["error"].as_str().unwrap_or_else(|| panic!("{report:#}"));
        assert!(error.contains("mcp_headers") && error.contains(REVISION), "{error}");
    }
    proxy.finish();
}

/// Returns a POST with the headers of this revision, for `tools/call` of this tool.
fn call(tool: &str) -> Request {
    mcp("tools/call").field("mcp-name", tool)
}

/// Returns a POST with the headers of this revision, without a name.
fn mcp(method: &str) -> Request {
    post().field("mcp-method", method).field("mcp-protocol-version", REVISION)
}

fn post() -> Request {
    let request = request("POST", "/mcp").bearer(&scoped_token("agent", "mcp:use"));
    request.field("content-type", "application/json")
}

/// Adds a body, and the types that clients accept.
fn sent(request: Request, body: &str) -> Request {
    request.field("accept", "application/json, text/event-stream").body(body)
}

/// Returns a body of this revision.
fn body(method: &str, name: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({"arguments": {}, "_meta": meta});
    params[if method == "resources/read" { "uri" } else { "name" }] = name;
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A policy whose first rules guard a tool, a prompt and a resource by name.
const NAMES: &str = r#"
authenticators:
  idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}
rules:
  - name: tool
    match: {path: /mcp, mcp: {methods: [tools/call], names: [delete_all, {prefix: admin_}]}}
    require: idp
    authorize: {scopes: ["mcp:admin"]}
  - {name: prompt, match: {path: /mcp, mcp: {methods: [prompts/get], names: [secret]}}, deny: true}
  - {name: resource, match: {path: /mcp, mcp: {methods: [resources/read], names: [{prefix: "note://secret"}]}}, deny: true}
  - {name: rest, match: {path: /mcp, methods: [POST]}, require: idp, authorize: {scopes: ["mcp:use"]}}
  - {name: stream, match: {path: /mcp}, deny: true}
  - {name: other, match: {prefix: /other}, require: idp}
"#;

#[test]
fn no_spelling_of_a_header_reaches_a_guarded_tool() {
    let good = call("read_note");
    let proxy = Proxy::start(
        "mcp-headers",
        vec![listener("mcp", parsed(NAMES), good.clone()), listener("raw", parsed(NAMES), good).raw()],
    );
    let scope =
        |hazard: &str, request: Request| denied(hazard, request, 403, "insufficient_scope").any_challenge();
    let headers =
        |hazard: &str, request: Request| denied(hazard, request, 400, "mcp_headers").any_challenge();
    let rule = |hazard: &str, request: Request| denied(hazard, request, 403, "rule_denied");
    for name in ["mcp", "raw"] {
        let cases: Vec<Case> = vec![
            passes("a tool of no rule", call("read_note")).upstream("x-auth-user", "agent"),
            passes("a method without a name", mcp("tools/list")),
            passes(
                "a later revision",
                post().field("mcp-method", "ping").field("mcp-protocol-version", "2027-01-01"),
            ),
            scope("the tool", call("delete_all")),
            scope("a tool with the prefix", call("admin_x")),
            scope("in base64", call("=?base64?ZGVsZXRlX2FsbA==?=")),
            rule("a prompt", mcp("prompts/get").field("mcp-name", "secret")),
            rule("a resource", mcp("resources/read").field("mcp-name", "note://secret/1")),
            rule(
                "a resource in base64",
                mcp("resources/read").field("mcp-name", "=?base64?bm90ZTovL3NlY3JldC8x?="),
            ),
            headers("no header", post()),
            headers(
                "no method",
                post().field("mcp-name", "read_note").field("mcp-protocol-version", REVISION),
            ),
            headers("no name", mcp("tools/call")),
            headers("no version", post().field("mcp-method", "tools/list")),
            headers("two names", call("read_note").field("mcp-name", "delete_all")),
            headers("two names, the guarded one first", call("delete_all").field("mcp-name", "read_note")),
            headers("the same name twice", call("read_note").field("mcp-name", "read_note")),
            headers("two methods", call("delete_all").field("mcp-method", "tools/list")),
            headers("two methods in other cases", mcp("tools/list").field("MCP-METHOD", "tools/call")),
            headers("two versions", call("read_note").field("mcp-protocol-version", "2025-11-25")),
            headers("an older revision", older("2025-11-25")),
            headers("a revision that is not a date", older("latest")),
            headers("a revision with more after it", older("2026-07-28, 2025-11-25")),
            headers("an empty revision", older("")),
            headers(
                "an empty method",
                post().field("mcp-method", "").field("mcp-protocol-version", REVISION),
            ),
            headers("an empty name", call("")),
            headers("base64 that does not decode", call("=?base64?ZGVsZXRlX2FsbA=?=")),
            headers("base64 with stray bits", call("=?base64?ZGVsZXRlX2FsbB==?=")),
            headers("base64 of the URL alphabet", call("=?base64?-_-_?=")),
            headers("base64 that is not UTF-8", call("=?base64?/w==?=")),
            passes("a comma in a name", call("read_note, delete_all")),
            passes(
                "base64 of base64 is decoded once",
                call("=?base64?PT9iYXNlNjQ/WkdWc1pYUmxYMkZzYkE9PT89?="),
            ),
            passes(
                "a method in another case is another one",
                mcp("Tools/Call").field("mcp-name", "delete_all"),
            ),
            passes("a name in another case is another one", call("DELETE_ALL")),
            denied("GET", get("/mcp").bearer(&scoped_token("agent", "mcp:use")), 403, "rule_denied"),
            refused("another path", mcp_at("/mcp/", "delete_all")),
            refused("an escaped path", mcp_at("/%6dcp", "delete_all")),
            refused("a path with a parameter", mcp_at("/mcp;x", "delete_all")),
            passes("another path needs no header", request("POST", "/other").bearer(&token_for("agent"))),
        ];
        check(&proxy, name, cases);
    }
    proxy.finish();
}

/// Returns a request of an older or malformed revision.
fn older(revision: &str) -> Request {
    post().field("mcp-method", "tools/list").field("mcp-protocol-version", revision)
}

/// Returns a call of a tool at another spelling of the path.
fn mcp_at(path: &str, tool: &str) -> Request {
    let request = request("POST", path).bearer(&scoped_token("agent", "mcp:use"));
    request.field("mcp-method", "tools/call").field("mcp-name", tool).field("mcp-protocol-version", REVISION)
}

/// Requests whose body does not do what the headers say: a label, the headers, and the body.
fn contradictions() -> Vec<(&'static str, Request, String)> {
    let later =
        |revision: &str| post().field("mcp-method", "tools/list").field("mcp-protocol-version", revision);
    let call_body = |name: &str| body("tools/call", json!(name)).to_string();
    let doubled = |text: &str, once: &str, twice: &str| {
        assert_eq!(text.matches(once).count(), 1, "{once} in {text}");
        text.replace(once, twice)
    };
    let name = r#""name":"read_note""#;
    let read = call_body("read_note");
    let mut old: Value = serde_json::from_str(&call_body("delete_all")).expect("JSON");
    old["params"].as_object_mut().expect("parameters").remove("_meta");
    let old = old.to_string();
    vec![
        ("another tool", call("read_note"), call_body("delete_all")),
        ("another method", mcp("tools/list"), call_body("delete_all")),
        (
            "another prompt",
            mcp("prompts/get").field("mcp-name", "a"),
            body("prompts/get", json!("b")).to_string(),
        ),
        (
            "another resource",
            mcp("resources/read").field("mcp-name", "note://a"),
            body("resources/read", json!("note://b")).to_string(),
        ),
        ("a batch", call("read_note"), format!("[{read},{}]", call_body("delete_all"))),
        ("an older body", mcp("tools/list"), old.clone()),
        ("an older body of the next day", later("2026-07-29"), old.clone()),
        ("an older body of a later year", later("2027-01-01"), old.clone()),
        ("a body of a later year", later("9999-12-31"), call_body("delete_all")),
        (
            "a name that is read last",
            call("read_note"),
            doubled(&read, name, r#""name":"read_note","name":"delete_all""#),
        ),
        (
            "a name with an escape",
            call("read_note"),
            doubled(&read, name, r#""name":"read_note","\u006eame":"delete_all""#),
        ),
        ("another tool in base64", call("=?base64?cmVhZF9ub3Rl?="), call_body("delete_all")),
        ("two objects", call("read_note"), format!("{read}{}", call_body("delete_all"))),
    ]
}

/// Names that a JSON reader may take first or last, which only the filter rejects.
fn doubled_names() -> (Request, String) {
    let text = body("tools/call", json!("read_note")).to_string();
    (call("read_note"), text.replace(r#""name":"read_note""#, r#""name":"delete_all","name":"read_note""#))
}

#[test]
fn a_body_that_contradicts_its_headers_goes_no_further() {
    let filters = guide("https://idp.example.com", "https://mcp.example.com");
    let Some(filter) = comparing_filter(&filters) else {
        eprintln!("skipped: this Envoy's mcp filter compares nothing");
        return;
    };
    let good = sent(call("read_note"), &body("tools/call", json!("read_note")).to_string());
    let proxy =
        Proxy::start("mcp-bodies", vec![listener("mcp", parsed(NAMES), good.clone()).behind(Some(filter))]);
    let agreeing = [
        ("a tool", good),
        (
            "in base64",
            sent(call("=?base64?cmVhZF9ub3Rl?="), &body("tools/call", json!("read_note")).to_string()),
        ),
        ("a long body", {
            let mut long = body("tools/call", json!("read_note"));
            long["params"]["arguments"]["text"] = json!("x".repeat(20_000));
            sent(call("read_note"), &long.to_string())
        }),
    ];
    check(
        &proxy,
        "mcp",
        agreeing.map(|(label, request)| passes(label, request).upstream("x-auth-user", "agent")),
    );
    let (doubled, text) = doubled_names();
    let cases = contradictions().into_iter().chain([("a name that is read first", doubled, text)]);
    check(&proxy, "mcp", cases.map(|(label, request, body)| refused(label, sent(request, &body))));
    let untyped =
        request("POST", "/mcp").bearer(&scoped_token("agent", "mcp:use")).field("content-type", "text/plain");
    let untyped = untyped.field("mcp-method", "tools/list").field("mcp-protocol-version", REVISION);
    check(
        &proxy,
        "mcp",
        [refused("another type", sent(untyped, &body("tools/call", json!("delete_all")).to_string()))],
    );
    proxy.finish();
}

#[test]
fn servers_of_the_revision_compare_headers_with_the_body_themselves() {
    for language in ["node", "python"] {
        let Some(server) = server(language) else { return };
        let mut policy = parsed(NAMES);
        policy["rules"]
            .as_array_mut()
            .expect("rules")
            .push(json!({"match": {"path": "/healthz"}, "deny": true}));
        let hosts = json!([{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "server", "host_rewrite_literal": "127.0.0.1"}}],
        }]);
        let agrees = sent(call("read_note"), &{
            let mut body = body("tools/call", json!("read_note"));
            body["params"]["arguments"] = json!({"id": "1"});
            body.to_string()
        });
        let listener = listener("mcp", policy, agrees).hosts(hosts).cluster("server", server.port);
        let proxy = Proxy::start(&format!("mcp-server-{language}"), vec![listener]);
        for (label, request, body) in contradictions() {
            let exchange = proxy.send("mcp", &sent(request, &body));
            let answer = &exchange.answer;
            if exchange.status != 400 || answer.body.contains("all notes are deleted") {
                proxy.fault(format!("{language}: {label}: {} {:?}", answer.start, answer.body));
            }
        }
        proxy.finish();
    }
}
