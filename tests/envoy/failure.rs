//! A filter that has trapped, or whose host restricts it: the responses that clients get, and the signs for an
//! operator.

use std::fs;
use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::resets::introspecting;
use authgate_testing::e2e::bootstrap::{Listener, bootstrap_from_file, listener};
use authgate_testing::e2e::client::{Connection, Request, get, stream};
use authgate_testing::e2e::endpoint::{Endpoint, Reply};
use authgate_testing::e2e::fixture::{ALICE, BASIC, good, policy};
use authgate_testing::e2e::process::{Envoy, directory, module, testing_module};
use authgate_testing::e2e::proxy::Proxy;
use authgate_testing::e2e::upstream::Upstream;
use authgate_testing::e2e::wire::Message;

/// Header on which a module built for tests traps.
const TRAP: &str = "authgate-trap";

/// A policy that requires credentials everywhere except on `/public`.
fn plain_listener(name: &'static str) -> Listener {
    let yaml = "{authenticators: {staff: {basic: {users: {alice: $ALICE}}}},
        rules: [{match: {prefix: /public}, public: true}, {name: of-$NAME, require: staff}]}";
    listener(name, policy(&yaml.replace("$NAME", name)), good())
}

/// Result of the check if the listener was rejected.
const REFUSED: (u16, u16) = (NONE, NONE);

/// Time limit for responses that are expected not to arrive.
const PATIENCE: Duration = Duration::from_secs(2);
/// Status of a response that did not arrive.
const NONE: u16 = 0;

/// An Envoy with the service behind it.
struct Host {
    envoy: Envoy,
    upstream: Upstream,
}

impl Host {
    /// Starts Envoy with listeners from a file, so that a rejected listener does not prevent others from being served.
    fn start(name: &str, listeners: &[Listener]) -> Self {
        let (directory, upstream) = (directory(name), Upstream::start());
        let file = directory.join("listeners.json");
        let listeners: Vec<_> = listeners.iter().map(Listener::to_resource).collect();
        fs::write(&file, json!({ "resources": listeners }).to_string()).expect("a file of listeners");
        let bootstrap = bootstrap_from_file(&file, upstream.port);
        Self { envoy: Envoy::start(&directory, &bootstrap, &[]), upstream }
    }

    fn ask(&self, listener: &str, request: &Request) -> Message {
        let Some(&port) = self.envoy.ports.get(listener) else {
            return Message { start: format!("none {NONE}"), ..Message::default() };
        };
        let stream = stream(port).expect("a connection to envoy");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        Connection::over(stream).send(request, listener).unwrap_or_else(|error| {
            // A request that never gets a response does not pass either.
            Message { start: format!("none {NONE} {error}"), ..Message::default() }
        })
    }

    fn status(&self, listener: &str, request: &Request) -> u16 {
        self.ask(listener, request).second_word().parse().expect("a status")
    }

    /// Runs the documented check: a request without credentials, and one with valid credentials.
    fn health(&self, listener: &str) -> (u16, u16) {
        let without = self.ask(listener, &get("/x"));
        let status: u16 = without.second_word().parse().expect("a status");
        // A 401 must have authgate's challenge; otherwise it comes from another component.
        assert!(status != 401 || without.all("www-authenticate") == [BASIC], "{without:?}");
        (status, self.status(listener, &alice()))
    }
}

/// Expected result of the check.
const HEALTHY: (u16, u16) = (401, 200);

fn alice() -> Request {
    get("/x").basic("alice", ALICE)
}

#[test]
fn after_a_trap_requests_are_refused_but_under_fail_open() {
    let with = |name, policy| plain_listener(name).module(testing_module()).failure_policy(policy);
    let listeners = [
        with("closed", "FAIL_CLOSED"),
        with("reload", "FAIL_RELOAD"),
        with("open", "FAIL_OPEN"),
        plain_listener("shipped"),
    ];
    let host = Host::start("failure", &listeners);
    for name in ["closed", "reload", "open", "shipped"] {
        assert_eq!(host.health(name), HEALTHY, "{name}");
    }
    let trap = get("/public").field(TRAP, "1");
    assert_eq!(host.status("shipped", &trap), 200, "the module that is shipped has no trap");
    assert_eq!(host.health("shipped"), HEALTHY);

    // FAIL_CLOSED: nothing passes any more, however long a client waits.
    assert_eq!(host.status("closed", &trap), 503);
    let trapped = Instant::now();
    assert_eq!(host.health("closed"), (503, 503));

    // FAIL_RELOAD: nothing passes until the module is restarted. Then it works as before, also after a second trap.
    for _ in 0..2 {
        assert_eq!(host.status("reload", &trap), 503);
        let found = (0..300).find_map(|_| {
            let health = host.health("reload");
            assert!([401, 503].contains(&health.0), "{health:?} while the module is not there");
            thread::sleep(Duration::from_millis(50));
            (health == HEALTHY).then_some(())
        });
        assert!(found.is_some(), "the module has not come back: {}", host.envoy.log());
    }
    let reloads = host.envoy.admin("/stats?filter=vm_reload_success");
    assert!(reloads.lines().any(|line| line.ends_with(": 2")), "{reloads}");

    // FAIL_OPEN: everything passes, including forged identity.
    host.status("open", &trap);
    let forged = get("/x").field("x-auth-user", "root");
    for _ in 0..3 {
        assert_eq!(host.health("open"), (200, 200));
        assert_eq!(host.status("open", &forged), 200);
    }
    let told = host.upstream.seen("open");
    assert!(told.iter().any(|request| request.all("x-auth-user") == ["root"]), "{told:?}");

    thread::sleep(Duration::from_secs(4).saturating_sub(trapped.elapsed()));
    assert_eq!(host.health("closed"), (503, 503));
    assert_eq!(host.upstream.seen("closed").len(), 1, "only what came before the trap");
    assert_eq!(host.health("shipped"), HEALTHY, "a fault in one VM is none in another");
}

#[test]
fn the_module_that_is_shipped_cannot_be_told_to_trap() {
    let has = |bytes: &[u8]| bytes.windows(TRAP.len()).any(|window| window == TRAP.as_bytes());
    let read = |path| fs::read(path).expect("a module");
    assert!(has(&read(testing_module())), "the field is not where this test looks");
    assert!(!has(&read(module())));
}

/// All exports and imports of the module.
const CALLBACKS: &[&str] = &[
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];
const CALLS: &[&str] = &[
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_call_foreign_function",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_log_level",
    "proxy_get_property",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

fn all_but<'a>(missing: &str) -> Vec<&'a str> {
    CALLBACKS.iter().chain(CALLS).copied().filter(|name| *name != missing).collect()
}

/// The table of docs/security.md: which partial lists fail open, and that the documented check detects them.
#[test]
fn a_partial_list_of_capabilities_is_noticed() {
    // Responses without credentials and with valid ones, if this capability is missing.
    let found: &[(&str, (u16, u16))] = &[
        ("", HEALTHY),
        // Envoy never calls the filter: everything passes.
        ("proxy_on_request_headers", (200, 200)),
        // The configuration cannot be read, or a function that every request needs is missing: the listener is
        // rejected.
        ("proxy_get_buffer_bytes", REFUSED),
        ("proxy_get_current_time_nanoseconds", REFUSED),
        ("proxy_log", REFUSED),
        ("proxy_set_tick_period_milliseconds", REFUSED),
        ("random_get", REFUSED),
        // The filter cannot determine the configuration of a request, has none, or cannot decide.
        ("proxy_on_context_create", (503, 503)),
        ("proxy_on_configure", (503, 503)),
        ("proxy_get_header_map_pairs", (503, 503)),
        // The filter cannot send a denial: the request stays paused.
        ("proxy_send_local_response", (NONE, 200)),
        // The filter cannot change the request.
        ("proxy_remove_header_map_value", (401, 503)),
        ("proxy_replace_header_map_value", (401, 503)),
        // Decisions are the same; another feature is missing.
        ("proxy_on_tick", HEALTHY),
        ("proxy_on_request_body", HEALTHY),
        ("proxy_on_request_trailers", HEALTHY),
        ("proxy_on_http_call_response", HEALTHY),
        ("proxy_call_foreign_function", HEALTHY),
        ("proxy_define_metric", HEALTHY),
        ("proxy_continue_stream", HEALTHY),
        ("proxy_get_log_level", HEALTHY),
        ("proxy_get_property", HEALTHY),
        ("proxy_http_call", HEALTHY),
        ("proxy_increment_metric", HEALTHY),
        ("proxy_record_metric", HEALTHY),
        ("proxy_set_effective_context", HEALTHY),
        ("proxy_set_property", HEALTHY),
    ];
    let mut listeners: Vec<Listener> = found
        .iter()
        .map(|(missing, _)| plain_listener(name(missing)).capabilities(&all_but(missing)))
        .collect();
    listeners.push(plain_listener("calls-only").capabilities(CALLS));
    listeners.push(plain_listener("vm-calls-only").vm_capabilities(CALLS));
    let host = Host::start("capabilities", &listeners);
    for (missing, expected) in found {
        assert_eq!(host.health(name(missing)), *expected, "without {missing}");
        let says = format!("{}: Unable to create Wasm", name(missing));
        assert_eq!(host.envoy.log().contains(&says), *expected == REFUSED, "without {missing}");
    }
    // Trailers are checked in a callback of their own.
    let trailing = alice().chunked("x", &[("x-auth-user", "root")]);
    for (listener, passes) in [("all", false), ("proxy_on_request_trailers", true)] {
        assert_eq!(host.status(listener, &trailing), 200);
        let told = host.upstream.seen(listener);
        assert_eq!(told.iter().any(|request| !request.trailers.is_empty()), passes, "{listener}");
    }
    // A list of imports only: the callbacks are gone, and no credentials are required.
    assert_eq!(host.health("calls-only"), (200, 200));
    assert_eq!(host.health("vm-calls-only"), (200, 200), "the field of the VM has the same effect");
    assert_eq!(host.upstream.seen("calls-only").len(), 2);
    // The second sign: a configured instance publishes this metric from its first tick, with or without requests.
    let is_configured = |name: &str| {
        let stats = host.envoy.admin("/stats?filter=authgate_configuration_hash");
        stats.contains(&format!("plugin.{name}: "))
    };
    let found = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        is_configured("all") && is_configured("proxy_on_request_headers")
    });
    assert!(found, "no gauge says what is configured");
    for silent in ["calls-only", "proxy_on_configure", "proxy_on_tick"] {
        assert!(!is_configured(silent), "{silent}");
    }
    let is_asked = |name: &str| {
        let stats = host.envoy.admin("/stats?filter=authgate_requests_total");
        stats.contains(&format!("rule.of-{name}: "))
    };
    assert!(is_asked("all") && !is_asked("proxy_on_request_headers") && !is_asked("calls-only"));
}

/// With `allow_on_headers_stop_iteration` Envoy brings content while the header section is held back, and continues the
/// request where that passes.
#[test]
fn without_a_capability_no_request_goes_on_with_its_content() {
    let endpoint = Endpoint::start();
    endpoint.otherwise(Reply::Late(Duration::from_millis(200), json!({"active": false})));
    let missing = [
        "proxy_continue_stream",
        "proxy_get_property",
        "proxy_http_call",
        "proxy_on_http_call_response",
        "proxy_on_tick",
        "proxy_send_local_response",
        "proxy_set_effective_context",
        "",
    ];
    let listener = |missing: &&'static str| {
        let gate = introspecting(name(missing), &endpoint).stopping_at_headers_alone();
        gate.capabilities(&all_but(missing))
    };
    let proxy = Proxy::start("capabilities-content", missing.iter().map(listener).collect());
    // Without credentials, with the content in the same read and in another; with a token that is asked about.
    let requests =
        [("", 0), ("", 300), ("Authorization: Bearer one\r\n", 0), ("Authorization: Bearer two\r\n", 900)];
    for missing in missing {
        for (number, (field, pause)) in requests.iter().enumerate() {
            let mark = format!("{}-{number}", name(missing));
            let head =
                format!("POST /x HTTP/1.1\r\nHost: a\r\nx-case: {mark}\r\n{field}Content-Length: 7\r\n\r\n");
            let mut stream = stream(proxy.port(name(missing))).expect("a connection");
            stream.set_read_timeout(Some(Duration::from_millis(700))).expect("a limit");
            let parts = [head.as_str(), "content"];
            let parts = if *pause == 0 { vec![parts.concat()] } else { parts.map(str::to_owned).to_vec() };
            for part in parts {
                // Envoy may have answered and closed before the content comes.
                let _ = stream.write_all(part.as_bytes());
                thread::sleep(Duration::from_millis(*pause));
            }
            let mut answer = Vec::new();
            let _ = stream.take(12).read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer != "HTTP/1.1 200", "{mark}: {answer}");
            assert_eq!(proxy.arrived(&mark).len(), 0, "{mark} went on: {answer}");
        }
    }
    proxy.finish();
}

/// Names of listeners and of the marks of their requests.
fn name(missing: &'static str) -> &'static str {
    if missing.is_empty() { "all" } else { missing }
}
