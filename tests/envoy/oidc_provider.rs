//! Against a real identity provider.

use serde_json::json;

use crate::bootstrap::listener;
use crate::check::{check, denied, passes};
use crate::client::get;
use crate::house::{INVALID_TOKEN, policy};
use crate::idp::{Idp, MACHINE};
use crate::proxy::Proxy;

#[test]
fn tokens_of_a_real_provider_are_taken() {
    let Some(idp) = Idp::start() else { return };
    let good = get("/").bearer(&idp.token(MACHINE, "urn:api", None));
    let mut policy = policy("{rules: [{require: machines}]}");
    policy["authenticators"] = json!({"machines": {"jwt": {
        "issuer": idp.issuer, "audiences": ["api"], "keys": {"jwks": idp.jwks()}, "typ": ["at+jwt"],
    }}});
    let proxy = Proxy::start("provider-inline", vec![listener("inline", policy, good.clone())]);
    let opaque = idp.token(MACHINE, "urn:opaque", None);
    check(
        &proxy,
        "inline",
        [
            passes("an access token", good).upstream("x-auth-user", MACHINE),
            denied("an opaque one", get("/").bearer(&opaque), 401, "malformed_credentials")
                .challenge(&[INVALID_TOKEN]),
        ],
    );
    proxy.finish();
}
