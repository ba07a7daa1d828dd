//! `docs/recipes/browser-login.md` in a real browser, with a real identity provider: log in, use the session, log out, and
//! a form on a page of another site.

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use authgate_testing::e2e::client::{Connection, get};
use authgate_testing::e2e::idp::{Idp, MACHINE};
use authgate_testing::e2e::process::{Envoy, directory, module, root};
use authgate_testing::e2e::programs::{chromium, is_there, or_skip};
use authgate_testing::e2e::upstream::Upstream;
use authgate_testing::pages::page;

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Returns the configuration of the page, with the addresses of this test.
fn bootstrap(idp: &Idp, gate: u16, upstream: u16) -> Value {
    let page = page("docs/recipes/browser-login.md");
    let bootstrap = page.bootstrap(&page.policy().expect("a policy"), &module()).to_string();
    let text = bootstrap
        .replace("https://idp.example.com", &idp.issuer)
        .replace("https://app.example.com", &format!("http://127.0.0.1:{gate}"))
        .replace("the client secret", "secret-of-web");
    let mut bootstrap: Value = serde_json::from_str(&text).expect("JSON");
    bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    bootstrap["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = json!(gate);
    // Otherwise the filter sends the browser back to the default port.
    bootstrap.pointer_mut(HCM).expect("the connection manager")["strip_any_host_port"] = json!(false);
    let cluster = |name: &str, port: u16| {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({"name": name, "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]},
        ]}})
    };
    bootstrap["static_resources"]["clusters"] =
        json!([cluster("idp", idp.port), cluster("service", upstream)]);
    bootstrap
}

/// Logs in with a browser; returns what it saw.
fn log_in(origin: &str) -> Option<Value> {
    let script = root().join("tests/browser");
    let chromium = or_skip("Chromium", chromium())?;
    or_skip("Node", is_there("node", &["--version"]).then_some(()))?;
    let installed = script.join("node_modules/playwright-core").exists();
    or_skip("`npm ci` in tests/browser, which `make test` does", installed.then_some(()))?;
    let output = Command::new("timeout")
        .args(["120", "node"])
        .arg(script.join("login.mjs"))
        .args([&chromium, origin])
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("a report"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn people_log_in_and_pages_of_other_sites_cannot_act_for_them() {
    // As the page shows it, and with the setting that it warns about.
    for (forwards, cross_site) in [(false, 403), (true, 200)] {
        let gate = free_port();
        let origin = format!("http://127.0.0.1:{gate}");
        let Some(idp) = Idp::start_with_login(&[&format!("{origin}/callback")]) else { return };
        let upstream = Upstream::start();
        let mut bootstrap = bootstrap(&idp, gate, upstream.port);
        let oauth2 =
            bootstrap.pointer_mut(&format!("{HCM}/http_filters/0/typed_config/config")).expect("oauth2");
        oauth2["forward_bearer_token"] = json!(forwards);
        if forwards {
            let authenticator =
                "/http_filters/1/typed_config/config/configuration/value/authenticators/idp/jwt";
            let jwt = bootstrap.pointer_mut(&format!("{HCM}{authenticator}")).expect("the authenticator");
            jwt["from"] = json!([{"header": "authorization", "scheme": "Bearer"}]);
        }
        let envoy = Envoy::start(&directory(&format!("login-{forwards}")), &bootstrap, &[]);
        let Some(report) = log_in(&origin) else { return };
        assert_eq!(report["asked"], "interaction", "{report}");
        assert_eq!(
            (&report["crossSite"], &report["sameSite"]),
            (&json!(cross_site), &json!(200)),
            "{report}"
        );
        let cookies = report["cookies"].as_array().expect("cookies");
        assert!(cookies.iter().any(|cookie| cookie["name"] == "BearerToken"), "{report}");
        assert!(
            cookies.iter().all(|cookie| cookie["httpOnly"] == true && cookie["secure"] == true),
            "{report}"
        );
        let deleted = report["deleted"].as_array().expect("cookies");
        assert!(deleted.contains(&json!("BearerToken")) && deleted.contains(&json!("OauthHMAC")), "{report}");

        // A program beside it needs no login, and gets a challenge if its token is wrong.
        let mut connection = Connection::open(gate).expect("a connection");
        let token = idp.token(MACHINE, "urn:api", None);
        let answer = connection.send(&get("/orders").bearer(&token), "program").expect("an answer");
        assert_eq!(answer.second_word(), "200", "{answer:?}");
        let answer = connection.send(&get("/orders").bearer("x.y.z"), "wrong").expect("an answer");
        assert_eq!(answer.second_word(), "401", "{answer:?}");
        assert_eq!(answer.all("www-authenticate").len(), 1, "{answer:?}");
        assert_eq!(envoy.signs_of_a_trap(), Vec::<String>::new());
    }
}
