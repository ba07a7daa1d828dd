//! Envoy's own `jwt_authn` and `basic_auth` get the same credentials as authgate, in the same Envoy: valid ones, and
//! valid ones with a single change. Where the filters disagree, a row of `tests/data/differential.yaml` states which
//! one is stricter and why. A disagreement without a row is a fault, and so is a row without a disagreement.

mod basic;
mod fields;
pub mod random;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;
use serde_json::json;

use authgate_testing::e2e::bootstrap::{Listener, listener};
use authgate_testing::e2e::check::fits;
use authgate_testing::e2e::client::{Request, get};
use authgate_testing::e2e::mint::{ISSUER, token_for};
use authgate_testing::e2e::proxy::{Exchange, Kept, Proxy};

const JWT_AUTHN: &str = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";
const BASIC_AUTH: &str = "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth";

/// Credentials, and the change that was made to them.
pub struct Case {
    /// Name of the change. All cases with the same name have the same result.
    pub mutation: String,
    /// Values of the Authorization headers.
    pub fields: Vec<Vec<u8>>,
}

impl Case {
    /// Creates a case with a single header.
    pub fn new(mutation: impl Into<String>, field: impl AsRef<[u8]>) -> Case {
        Case { mutation: mutation.into(), fields: vec![field.as_ref().to_vec()] }
    }

    fn request(&self) -> Request {
        self.fields.iter().fold(get("/x"), |request, field| request.authorization(field))
    }
}

/// The reason why the filters disagree over some mutations.
#[derive(Deserialize)]
struct Row {
    what: String,
    stricter: Side,
    /// Names of mutations; `…` matches any text.
    mutations: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Authgate,
    Envoy,
}

/// Results of each mutation: how often which side was stricter.
type Findings = BTreeMap<String, BTreeMap<Option<Side>, usize>>;

#[test]
fn each_disagreement_with_the_native_filters_has_its_reason() {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/differential.yaml")).unwrap();
    let rows: Vec<Row> = serde_yaml_ng::from_str(&text).unwrap();
    let proxy = Proxy::start("differential", listeners());
    let (tokens, basics) = (tokens::cases(), basic::cases());
    let counts = (tokens.len(), basics.len());
    let mut findings = compare(&proxy, ["jwt-authn", "jwt"], tokens);
    findings.extend(compare(&proxy, ["basic-auth", "basic"], basics));

    let mut used = BTreeSet::new();
    let mut disagreements = vec![0; rows.len()];
    for (mutation, outcomes) in &findings {
        let [(stricter, count)] = outcomes.iter().collect::<Vec<_>>()[..] else {
            proxy.fault(format!("{mutation}: its cases do not all get the same: {outcomes:?}"));
            continue;
        };
        let reasons: Vec<_> = patterns(&rows).filter(|(_, pattern)| fits(pattern, mutation)).collect();
        match (stricter, &reasons[..]) {
            (None, []) => {}
            (Some(side), [(row, pattern)]) if rows[*row].stricter == *side => {
                used.insert((*row, *pattern));
                disagreements[*row] += count;
            }
            _ => proxy.fault(format!("{mutation}: stricter is {stricter:?}, rows say {reasons:?}")),
        }
    }
    for (row, pattern) in patterns(&rows).filter(|used_or_not| !used.contains(used_or_not)) {
        proxy.fault(format!("{}: nothing disagrees over {pattern:?}", rows[row].what));
    }
    println!("{} tokens and {} Basic fields, {} mutations", counts.0, counts.1, findings.len());
    for (row, count) in rows.iter().zip(&disagreements) {
        println!("{count:6} {:?} is stricter: {}", row.stricter, row.what);
    }
    assert!(counts.0 > 2_000 && counts.1 > 2_000, "{counts:?}");
    proxy.finish();
}

fn patterns(rows: &[Row]) -> impl Iterator<Item = (usize, &str)> {
    rows.iter().enumerate().flat_map(|(at, row)| row.mutations.iter().map(move |text| (at, text.as_str())))
}

/// Configures both with the same rules, as far as both support them.
fn listeners() -> Vec<Listener> {
    let keys = tokens::keys();
    let jwt_authn = json!({
        "@type": JWT_AUTHN,
        "providers": {"idp": {
            "issuer": ISSUER,
            "audiences": ["api"],
            "local_jwks": {"inline_string": keys.to_string()},
            "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
            "require_expiration": true,
            "claim_to_headers": [{"header_name": "x-user", "claim_name": "sub"}],
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
    });
    let ours = json!({
        "authenticators": {"idp": {"jwt": {"issuer": ISSUER, "audiences": ["api"], "keys": {"jwks": keys}}}},
        "rules": [{"require": "idp"}],
        "identity": {"headers": {"x-user": "{subject}"}},
    });
    let basic_auth = json!({"@type": BASIC_AUTH, "users": {"inline_string": basic::users()},
        "forward_username_header": "x-user"});
    let ours_basic = json!({
        "authenticators": {"staff": {"basic": {"htpasswd": basic::users()}}},
        "rules": [{"require": "staff"}],
        "identity": {"headers": {"x-user": "{subject}"}},
    });
    let (token, password) = (get("/").bearer(&token_for("alice")), get("/").basic("alice", "wonderland"));
    vec![
        listener("jwt-authn", json!({}), token.clone()).native(jwt_authn),
        listener("jwt", ours, token),
        listener("basic-auth", json!({}), password.clone()).native(basic_auth),
        listener("basic", ours_basic, password),
    ]
}

/// Sends each case to both. If both allow it, the upstream must receive the same user.
fn compare(proxy: &Proxy, [native, ours]: [&str; 2], cases: Vec<Case>) -> Findings {
    let mut connections = [Kept::new(proxy, native), Kept::new(proxy, ours)];
    let mut findings = Findings::new();
    for case in cases {
        let request = case.request();
        let [theirs, own] = connections.each_mut().map(|connection| connection.send(&request));
        let stricter = match (theirs.status == 200, own.status == 200) {
            (true, false) => Some(Side::Authgate),
            (false, true) => Some(Side::Envoy),
            (false, false) => None,
            (true, true) => {
                let [theirs, own] = [user(&theirs), unescaped(&user(&own))];
                if theirs != own {
                    proxy.fault(format!("{}: {native} names {theirs:?}, {ours} {own:?}", case.mutation));
                }
                None
            }
        };
        if ![200, 400, 401, 403, 0].contains(&own.status) {
            proxy.fault(format!("{}: {ours} says {}", case.mutation, own.status));
        }
        *findings.entry(case.mutation).or_default().entry(stricter).or_default() += 1;
    }
    findings
}

/// Returns the user that the upstream received, one character for each byte.
fn user(exchange: &Exchange) -> String {
    let seen: Vec<_> = exchange.upstream.iter().flat_map(|request| request.all("x-user")).collect();
    seen.join(" and ")
}

/// Decodes the bytes that authgate escapes because services interpret them differently.
fn unescaped(user: &str) -> String {
    let mut parts = user.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (byte, rest) = part.split_at(2);
        text + &char::from(u8::from_str_radix(byte, 16).unwrap()).to_string() + rest
    })
}
