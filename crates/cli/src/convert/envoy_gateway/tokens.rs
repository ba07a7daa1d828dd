//! `jwt.providers` of a SecurityPolicy → authenticators.

use serde_json::{Map, Value, json};

use super::secrets::Secrets;
use crate::convert::istio::{header_place, host_and_port};
use crate::convert::message::Message;
use crate::convert::output::Part;
use crate::convert::{claim, label};

/// An authenticator that has no unique name yet.
pub struct Provider {
    /// The name of the provider in the policy.
    pub name: String,
    pub part: Part,
    pub issuer: Option<String>,
    /// Headers that the provider fills, each with the selector of a claim.
    pub headers: Vec<(String, String)>,
    /// Reasons why the provider cannot be used.
    pub lost: Vec<String>,
}

/// Reads a provider.
pub fn provider(given: Message<'_>, namespace: Option<&str>, secrets: &Secrets<'_>) -> Provider {
    let findings = given.file().findings;
    let mark = findings.mark();
    let name = given.filled("name").unwrap_or("jwt").to_owned();
    let mut part = Part::from(label(&name), given.at());
    let mut jwt = Map::new();
    let issuer = given.filled("issuer").map(str::to_owned);
    match &issuer {
        Some(issuer) => jwt.insert("issuer".to_owned(), json!(issuer)),
        None => {
            let advice = "Name the issuer: authgate accepts only tokens of known issuers.";
            given.finding("has no `issuer`, so it accepts tokens of any issuer", advice);
            jwt.insert("issuer".to_owned(), json!("https://issuer.invalid"))
        }
    };
    match given.texts("audiences") {
        audiences if audiences.is_empty() => jwt.insert("any_audience".to_owned(), json!(true)),
        audiences => jwt.insert("audiences".to_owned(), json!(audiences)),
    };
    let mut harmless = Vec::new();
    jwt.insert("keys".to_owned(), keys(&given, namespace, secrets, &mut harmless));
    jwt.insert("require_exp".to_owned(), json!(false));
    jwt.insert("forward_credentials".to_owned(), json!(true));
    jwt.insert("from".to_owned(), json!(places(&given)));
    let mut headers = Vec::new();
    for output in given.messages("claimToHeaders") {
        if let (Some(header), Some(name)) = (output.filled("header"), output.filled("claim")) {
            headers.push((header.to_lowercase(), claim(name)));
        }
    }
    if given.is_true("recomputeRoute") {
        let what = format!(
            "`{}` has no equivalent: the route is chosen before the claims are known",
            given.path("recomputeRoute")
        );
        findings.add(&given.at(), what.clone(), "Select the route in another way than by these headers.");
        harmless.push(what);
    }
    drop(given);
    part.set("jwt", Value::Object(jwt));
    let lost = findings.since(mark).into_iter().filter(|lost| !harmless.contains(lost)).collect();
    Provider { name, part, issuer, headers, lost }
}

fn keys(
    given: &Message<'_>,
    namespace: Option<&str>,
    secrets: &Secrets<'_>,
    harmless: &mut Vec<String>,
) -> Value {
    let none = json!({"jwks": {"keys": []}});
    if let Some(local) = given.message("localJWKS") {
        local.skip(&["type"]);
        let inline = local.filled("inline").map(str::to_owned);
        let set = match local.message("valueRef") {
            Some(reference) if inline.is_none() => secrets.jwks(&reference, namespace),
            Some(_) => {
                local.finding("has both `inline` and `valueRef`", "Keep one of them.");
                None
            }
            None => inline,
        };
        let parsed = set.as_ref().map(|set| authgate::json::parse(set.as_bytes()));
        return match parsed {
            Some(Ok(parsed)) => json!({"jwks": parsed}),
            Some(Err(_)) => {
                local.finding("is not a JWK Set", "Put the keys of the issuer here.");
                none
            }
            None => {
                local.finding("has no keys", "Put the keys of the issuer here.");
                none
            }
        };
    }
    let Some(remote) = given.message("remoteJWKS") else {
        given.finding("has no keys", "Add `localJWKS` or `remoteJWKS`.");
        return none;
    };
    // Settings of the connection belong to the cluster.
    remote.skip(&["backendRef", "backendRefs", "backendSettings", "failedRefetchDuration"]);
    let uri = remote.filled("uri").unwrap_or_default();
    let Some((host, port)) = host_and_port(uri) else {
        remote.finding_at("uri", "is not a URL", "Correct it: Envoy Gateway refuses it.");
        return none;
    };
    let cluster = "httproute/NAMESPACE/NAME/rule/0";
    let what =
        format!("`{}` is fetched through a cluster, whose name is not in the input", remote.path("uri"));
    let advice = format!(
        "Add an HTTPRoute with {host}:{port} as its backend, and name its cluster in place of {cluster}."
    );
    remote.file().findings.add(&remote.at(), what.clone(), advice);
    harmless.push(what);
    let mut source = json!({"uri": uri, "cluster": cluster});
    if let Some(text) = remote.text("cacheDuration") {
        match seconds(text) {
            Some(seconds) => super::super::put(&mut source, "refresh", json!(format!("{seconds}s"))),
            None => remote.finding_at("cacheDuration", "is not a duration", "Correct it."),
        }
    }
    json!({"remote": source})
}

/// A duration of Gateway API, such as `1h30m`, in whole seconds.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut digits) = (0u64, String::new());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let unit = match letter {
            'h' => 3_600_000,
            'm' if letters.next_if_eq(&'s').is_some() => 1,
            'm' => 60_000,
            's' => 1000,
            digit if digit.is_ascii_digit() => {
                digits.push(digit);
                continue;
            }
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && total >= 1000).then_some(total / 1000)
}

fn places(given: &Message<'_>) -> Vec<Value> {
    let mut places = Vec::new();
    if let Some(extract) = given.message("extractFrom") {
        for from in extract.messages("headers") {
            let name = from.filled("name").unwrap_or_default();
            match header_place(name, from.text("valuePrefix").unwrap_or_default()) {
                Some(place) => places.push(place),
                None => {
                    let advice = "Send the token after such a prefix, or without one.";
                    from.finding_at(
                        "valuePrefix",
                        "has no equivalent: a prefix must be a word and a space",
                        advice,
                    );
                }
            }
        }
        places.extend(extract.texts("params").into_iter().map(|name| json!({"query": name})));
        places.extend(extract.texts("cookies").into_iter().map(|name| json!({"cookie": name})));
    }
    if places.is_empty() {
        places =
            vec![json!({"header": "authorization", "scheme": "Bearer"}), json!({"query": "access_token"})];
    }
    places
}
