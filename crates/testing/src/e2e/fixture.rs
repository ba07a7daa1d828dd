//! The policy that most scenarios use, and its challenges.

use serde_json::Value;

use crate::e2e::bootstrap::{Listener, listener};
use crate::e2e::client::{Request, get};
use crate::e2e::mint::{ISSUER, OTHER_ISSUER, SECRET, jwks, token_for};

/// Password of `alice`, hashed by `htpasswd -nbB -C 4 alice wonderland-1865`.
pub const ALICE: &str = "wonderland-1865";
const ALICE_HASH: &str = "$2y$04$KMxBxzIwEmfvrwjrASLsourzvow5I7eO9CtJaX399s4VEB4MVLi2a";
/// Password of `bob`, hashed by `htpasswd -nbB -C 4 bob can-we-fix-it`.
pub const BOB: &str = "can-we-fix-it";
const BOB_HASH: &str = "$2y$04$KeCgq7RqQortuAPMmfexbuqPr6Dp/n9Abdp5vXC6W4mU0iRkZ00jC";

/// The challenge of `staff`.
pub const BASIC: &str = r#"Basic realm="restricted", charset="UTF-8""#;
/// The challenge of a JWT authenticator to a client without credentials.
pub const BEARER: &str = r#"Bearer realm="restricted""#;
/// The same challenge for a rule with the scope `admin`.
pub const BEARER_ADMIN: &str = r#"Bearer realm="restricted", scope="admin""#;
/// The challenge to a client whose token is rejected.
pub const INVALID_TOKEN: &str = r#"Bearer realm="restricted", error="invalid_token", error_description="…""#;
/// The challenge to a client whose valid token lacks the scope `admin`.
pub const INSUFFICIENT_SCOPE: &str =
    r#"Bearer realm="restricted", error="insufficient_scope", …scope="admin""#;
/// The challenge to a client that sends credentials in more than one way.
pub const INVALID_REQUEST: &str = r#"Bearer realm="restricted", error="invalid_request"…"#;

const DEFAULT_POLICY: &str = r#"
authenticators:
  staff:
    basic: {users: {alice: $ALICE, bob: $BOB}}
  partners:
    jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}, max_token_bytes: 16384}
  others:
    jwt:
      issuer: $OTHER_ISSUER
      audiences: [api]
      keys: {secret: {value: $SECRET, algorithm: HS256, encoding: utf8}}
  device:
    jwt: {issuer: $ISSUER, audiences: [api], keys: {jwks: $JWKS}, from: [{header: x-jwt}]}
rules:
  - {name: public, match: [{path: /healthz}, {prefix: /public}], public: true}
  - {name: denied, match: {prefix: /denied}, deny: true}
  - {name: optional, match: {prefix: /optional}, require: {any_of: [staff, partners]}, optional: true}
  - {name: basic, match: {prefix: /basic}, require: staff}
  - {name: jwt, match: {prefix: /jwt}, require: partners}
  - {name: either, match: {prefix: /either}, require: {any_of: [staff, partners]}}
  - {name: reversed, match: {prefix: /reversed}, require: {any_of: [partners, staff]}}
  - {name: issuers, match: {prefix: /issuers}, require: {any_of: [partners, others]}}
  - {name: any, match: {prefix: /any}, require: {any_of: [staff, device]}}
  - {name: any-reversed, match: {prefix: /yna}, require: {any_of: [device, staff]}}
  - {name: all, match: {prefix: /all}, require: {all_of: [staff, device]}}
  - {name: all-reversed, match: {prefix: /lla}, require: {all_of: [device, staff]}}
  - {name: nested, match: {prefix: /nested}, require: {any_of: [{all_of: [staff, device]}, others]}}
  - {name: admin, match: {prefix: /admin}, require: partners, authorize: {scopes: [admin]}}
  - {name: alice-only, match: {prefix: /alice}, require: staff, authorize: {subjects: [alice]}}
  - {name: team, match: {prefix: /team}, require: partners, authorize: {claims: {"/org/team": [web, ops]}}}
  - {name: writes, match: {prefix: /writes, except_methods: [GET]}, deny: true}
  - {name: reads, match: {prefix: /writes, methods: [GET]}, public: true}
identity:
  headers: {x-auth-user: "{subject}", x-auth-by: "{authenticator}", x-auth-team: "{claim:/org/team}"}
  remove: [x-forwarded-user]
"#;

/// Parses a policy. `yaml` may use the placeholders `$ALICE`, `$ALICE_LINE`, `$BOB`, `$ISSUER`, `$OTHER_ISSUER`,
/// `$JWKS` and `$SECRET`.
pub fn policy(yaml: &str) -> Value {
    let quoted = |text: &str| format!("\"{text}\"");
    let text = yaml
        .replace("$ALICE_LINE", &quoted(&format!("alice:{ALICE_HASH}")))
        .replace("$ALICE", &quoted(ALICE_HASH))
        .replace("$BOB", &quoted(BOB_HASH))
        .replace("$ISSUER", ISSUER)
        .replace("$OTHER_ISSUER", OTHER_ISSUER)
        .replace("$SECRET", &quoted(SECRET))
        .replace("$JWKS", &jwks().to_string());
    serde_yaml_ng::from_str(&text).expect("a policy in YAML")
}

/// Returns the default policy.
pub fn default_policy() -> Value {
    policy(DEFAULT_POLICY)
}

/// Returns a listener `default` with the default policy.
pub fn default_listener() -> Listener {
    listener("default", default_policy(), good())
}

/// Returns a request that every listener with `partners` on `/jwt` responds to with 200.
pub fn good() -> Request {
    get("/jwt/good").bearer(&token_for("good"))
}
