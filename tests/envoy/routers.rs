//! Variables of templates as real routers behind Envoy parse them: nginx, Express, Werkzeug and Go's `ServeMux`.
//!
//! A policy allows a path only to the caller whose claims equal its variables. Each router responds with the route that
//! it chose and the parameters that it parsed, for random templates, claims and hostile paths. Whatever authgate allows
//! must have the caller's own values there. Another listener requires a token only: its disagreements show that the
//! paths are hostile enough.

mod paths;
mod templates;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::client::get;
use authgate_testing::e2e::fixture::policy;
use authgate_testing::e2e::mint::{claims_but, token};
use authgate_testing::e2e::process::{directory, root};
use authgate_testing::e2e::programs::{Server, is_there, npm_folder, or_skip, python_with};
use authgate_testing::e2e::proxy::{Exchange, Kept, Proxy};
use authgate_testing::e2e::wire::latin1;

use crate::differential::random::Random;
use templates::{Template, VARIABLES};

/// Sets of templates, each with its own servers. `AUTHGATE_WORLDS` sets another number.
const WORLDS: usize = 4;
/// Requests to each listener of a world.
const REQUESTS: usize = 250;
/// Callers of a world.
const CALLERS: usize = 16;

/// Settings for paths in Envoy, which apply before authgate sees a path.
const MODES: [&str; 3] = ["raw", "normalize-path", "sample"];
/// The listener whose rules compare nothing.
const CONTROL: &str = "control";

/// Programs that the test runs.
struct Programs {
    express: PathBuf,
    python: PathBuf,
    go: PathBuf,
    nginx: &'static str,
}

impl Programs {
    fn find() -> Option<Self> {
        let express = npm_folder("tests/routers")?;
        let python = python_with("werkzeug")?;
        let go = authgate_testing::target().join("tools/go-router");
        let go = or_skip("Go's router, which `make test` builds", go.exists().then_some(go))?;
        let nginx = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| is_there(program, &["-v"]));
        Some(Self { express, python, go, nginx: or_skip("nginx", nginx)? })
    }

    /// Starts all servers with these routes, each under the name of its cluster.
    fn start(&self, world: usize, templates: &[Template]) -> Vec<(&'static str, Server)> {
        let routes = Value::from_iter(templates.iter().map(Template::route)).to_string();
        let script = |name: &str| root().join("tests/routers").join(name);
        let nginx = |name: &str, settings: &str| {
            let locations: String = templates.iter().map(Template::location).collect();
            let health = "location = /healthz { return 200 healthy; }";
            let server = format!("server {{ listen 127.0.0.1:$PORT; {settings} {health}\n{locations} }}");
            let http = format!("keepalive_timeout 120s; keepalive_requests 1000000; {server}");
            Server::nginx(self.nginx, &directory(&format!("routers-{world}-{name}")), &http)
        };
        vec![
            ("nginx", nginx("nginx", "")),
            ("nginx-slashes", nginx("nginx-slashes", "merge_slashes off;")),
            (
                "express",
                Server::start(
                    Command::new("node").arg("express.mjs").arg(&routes).current_dir(&self.express),
                ),
            ),
            (
                "werkzeug",
                Server::start(Command::new(&self.python).arg(script("werkzeug_router.py")).arg(&routes)),
            ),
            ("go", Server::start(Command::new(&self.go).arg(&routes))),
        ]
    }
}

/// A caller: the values of its claims, by the name of the variable that they are compared with.
struct Caller {
    values: BTreeMap<&'static str, String>,
    token: String,
}

impl Caller {
    fn random(random: &mut Random) -> Self {
        let values: BTreeMap<_, _> = VARIABLES.map(|name| (name, paths::value(name, random))).into();
        let token = token("ES256", &claims_but("", json!(values)));
        Self { values, token }
    }
}

/// Results of one listener.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    sent: usize,
    allowed: usize,
    /// Allowed, and the router found a route.
    routed: usize,
    disagreements: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.allowed += other.allowed;
        self.routed += other.routed;
        self.disagreements += other.disagreements;
    }
}

#[test]
fn a_router_parses_the_id_that_was_compared() {
    let Some(programs) = Programs::find() else { return };
    let worlds = std::env::var("AUTHGATE_WORLDS").ok();
    let worlds = worlds.map_or(WORLDS, |text| text.parse().expect("AUTHGATE_WORLDS is a number"));
    let mut counts: BTreeMap<(&str, &str), Count> = BTreeMap::new();
    for world in 0..worlds {
        for (key, count) in run(&programs, world) {
            counts.entry(key).or_default().add(count);
        }
        // A long run shows how far it is.
        if world % 10 == 9 {
            report(&counts);
        }
    }
    report(&counts);
    for ((server, mode), count) in &counts {
        if *mode == CONTROL {
            assert!(count.disagreements > 0, "{server}: no path was hostile enough to be misread");
        } else {
            assert!(count.routed >= worlds * REQUESTS / 50, "{server}, {mode}: {count:?} shows little");
        }
    }
}

/// Prints the results so far.
fn report(counts: &BTreeMap<(&str, &str), Count>) {
    println!("{:32} {:>8} {:>8} {:>8} {:>14}", "", "sent", "allowed", "routed", "disagreements");
    for ((server, mode), count) in counts {
        let Count { sent, allowed, routed, disagreements } = count;
        println!("{:32} {sent:8} {allowed:8} {routed:8} {disagreements:14}", format!("{server}, {mode}"));
    }
}

/// Compares all servers with one set of templates.
fn run(programs: &Programs, world: usize) -> BTreeMap<(&'static str, &'static str), Count> {
    let mut random = Random::new(19 + world as u64);
    let templates = Template::set(world, &mut random);
    let callers: Vec<Caller> = (0..CALLERS).map(|_| Caller::random(&mut random)).collect();
    let servers = programs.start(world, &templates);
    let listeners: Vec<(&str, &str, Listener)> = servers
        .iter()
        .flat_map(|(name, server)| {
            let modes = MODES.into_iter().chain([CONTROL]);
            modes.map(|mode| (*name, mode, in_front_of(name, server, mode, &templates)))
        })
        .collect();
    let names: Vec<_> =
        listeners.iter().map(|(server, mode, listener)| (*server, *mode, listener.name)).collect();
    let proxy = Proxy::start(
        &format!("routers-{world}"),
        listeners.into_iter().map(|(_, _, listener)| listener).collect(),
    );
    let mut counts = BTreeMap::new();
    for (server, mode, name) in names {
        let mut connection = Kept::new(&proxy, name);
        let mut count = Count::default();
        for _ in 0..REQUESTS {
            let template = &templates[random.below(templates.len())];
            let caller = &callers[random.below(callers.len())];
            let path = paths::path(template, &caller.values, &mut random);
            let exchange = connection.send(&get(&path).bearer(&caller.token));
            count.sent += 1;
            let Some(rule) = rule(&exchange) else { continue };
            count.allowed += 1;
            if exchange.status != 200 {
                continue;
            }
            count.routed += 1;
            let expected = match rule {
                "health" => "healthy".to_owned(),
                _ => templates.iter().find(|t| t.name == rule).expect("a template").own(&caller.values),
            };
            let body = &exchange.answer.body;
            if *body != latin1(expected.as_bytes()) {
                count.disagreements += 1;
                if mode != CONTROL {
                    let path = path.escape_ascii();
                    proxy.fault(format!("{name}, world {world}: {path} is {body:?}, not {expected:?}"));
                }
            }
        }
        counts.insert((server, mode), count);
    }
    proxy.finish();
    counts
}

/// Returns the rule that allowed a request; `None` if the response does not come from the server.
fn rule(exchange: &Exchange) -> Option<&str> {
    let details = exchange.answer.all("x-details");
    (details == ["via_upstream"]).then(|| exchange.answer.all("x-rule").first().copied()).flatten()
}

/// Returns a listener in front of a server, whose responses name the rule that allowed the request.
fn in_front_of(name: &'static str, server: &Server, mode: &'static str, templates: &[Template]) -> Listener {
    let mut policy = policy(
        "{authenticators: {idp: {jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}}}}, rules: []}",
    );
    let rules = templates.iter().map(|template| template.rule(mode != CONTROL));
    let health = json!({"name": "health", "match": {"path": "/healthz"}, "public": true});
    policy["rules"] = Value::from_iter([health].into_iter().chain(rules));
    policy["telemetry"] = json!({"filter_state": ["rule"]});
    let hosts = json!([{
        "name": "all", "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": name}}],
        "response_headers_to_add": [
            {"header": {"key": "x-rule", "value": "%FILTER_STATE(wasm.authgate.rule:PLAIN)%"}},
            {"header": {"key": "x-details", "value": "%RESPONSE_CODE_DETAILS%"}},
        ],
    }]);
    // Tests address a listener by a static name, and there are few.
    let label = Box::leak(format!("{name}-{mode}").into_boxed_str());
    let listener = listener(label, policy, get("/healthz")).cluster(name, server.port).hosts(hosts);
    match mode {
        "sample" => listener,
        "normalize-path" => listener.raw().settings(json!({"normalize_path": true})),
        _ => listener.raw(),
    }
}
