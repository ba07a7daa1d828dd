//! `jwtRules` of a RequestAuthentication.

use authgate::http::url::{default_port, split_authority};
use serde_json::{Map, Value, json};

use crate::convert::message::Message;
use crate::convert::output::Part;
use crate::convert::{claim, label};

/// An authenticator, before it has a name.
#[derive(Clone)]
pub struct Authenticator {
    pub part: Part,
    pub issuer: String,
    /// Header → the part of the token that fills it: `claims` or `claim:NAME`.
    pub headers: Vec<(String, String)>,
    /// Claims whose text is a list of words, separated by spaces.
    pub spaced: Vec<String>,
    /// Reasons why the authenticator cannot be used.
    pub lost: Vec<String>,
}

/// Reads a `jwtRule`. `has_service` returns true if the mesh knows a host.
pub fn authenticator(rule: Message<'_>, has_service: &dyn Fn(&str) -> bool) -> Authenticator {
    let at = rule.at();
    let findings = rule.file().findings;
    let mark = findings.mark();
    let mut part = Part::from("", at);
    let mut jwt = Map::new();
    let issuer = rule.filled("issuer").unwrap_or_default().to_owned();
    if issuer.is_empty() {
        rule.finding_at("issuer", "is missing", "Name the issuer of the tokens.");
    }
    jwt.insert("issuer".to_owned(), json!(issuer));
    match rule.texts("audiences") {
        audiences if audiences.is_empty() => jwt.insert("any_audience".to_owned(), json!(true)),
        audiences => jwt.insert("audiences".to_owned(), json!(audiences)),
    };
    let timeout = rule.duration("timeout");
    let mut lost_keys = Vec::new();
    let keys = keys(&rule, &issuer, timeout, has_service, &mut lost_keys);
    jwt.insert("keys".to_owned(), keys);
    jwt.insert("require_exp".to_owned(), json!(false));
    jwt.insert("from".to_owned(), json!(places(&rule)));
    if rule.is_true("forwardOriginalToken") {
        jwt.insert("forward_credentials".to_owned(), json!(true));
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(header) = rule.filled("outputPayloadToHeader") {
        headers.push((header.to_lowercase(), "claims".to_owned()));
    }
    for output in rule.messages("outputClaimToHeaders") {
        if let (Some(header), Some(name)) = (output.filled("header"), output.filled("claim")) {
            headers.push((header.to_lowercase(), format!("claim:{}", claim(name))));
        }
    }
    let spaced = rule.texts("spaceDelimitedClaims").into_iter().map(claim).collect();
    drop(rule);
    // An unknown service does not make the configuration incomplete.
    let lost = findings.since(mark).into_iter().filter(|lost| !lost_keys.contains(lost)).collect();
    part.set("jwt", Value::Object(jwt));
    Authenticator { part, issuer, headers, spaced, lost }
}

fn keys(
    rule: &Message<'_>,
    issuer: &str,
    timeout: Option<String>,
    has_service: &dyn Fn(&str) -> bool,
    harmless: &mut Vec<String>,
) -> Value {
    let (jwks, uri) = (rule.filled("jwks"), rule.filled("jwksUri"));
    if let Some(set) = jwks {
        if uri.is_some() {
            rule.finding_at(
                "jwksUri",
                "is set together with `jwks`",
                "Keep one of them: Istio refuses both.",
            );
        }
        return match authgate::json::parse(set.as_bytes()) {
            Ok(parsed) => json!({"jwks": parsed}),
            Err(_) => {
                rule.finding_at("jwks", "is not a JWK Set", "Put the keys of the issuer here.");
                json!({"jwks": {"keys": []}})
            }
        };
    }
    let (member, url) = if let Some(uri) = uri { ("jwksUri", uri) } else { ("issuer", issuer) };
    let Some((host, port)) = host_and_port(url) else {
        let what = if uri.is_some() { "is not a URL" } else { "is not a URL, and there are no keys" };
        rule.finding_at(member, what, "Add `jwks` or `jwksUri`.");
        return json!({"jwks": {"keys": []}});
    };
    let is_inside = !host.contains('.') || host.ends_with(".local") || host.ends_with(".svc");
    if !is_inside && !has_service(&host) {
        let what = format!("`{}` is fetched by the proxy, which does not know {host}", rule.path(member));
        let advice = format!(
            "Add a ServiceEntry for {host}, port {port}, protocol HTTPS with TLS origination; until then requests \
             with a token get 503."
        );
        rule.file().findings.add(&rule.at(), what.clone(), advice);
        harmless.push(what);
    }
    let cluster = format!("outbound|{port}||{host}");
    let mut source = match uri {
        Some(uri) => Map::from_iter([("uri".to_owned(), json!(uri)), ("cluster".to_owned(), json!(cluster))]),
        None => Map::from_iter([("cluster".to_owned(), json!(cluster))]),
    };
    if let Some(timeout) = timeout {
        source.insert("timeout".to_owned(), json!(timeout));
    }
    if uri.is_some() { json!({"remote": source}) } else { json!({"discovery": source}) }
}

/// Host and port of an HTTP URL.
pub fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (is_secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let (authority, _) = split_authority(rest);
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, default_port(is_secure)));
    let port = port.parse().ok()?;
    (!host.is_empty() && !host.contains('@')).then(|| (host.to_ascii_lowercase(), port))
}

fn places(rule: &Message<'_>) -> Vec<Value> {
    let mut places = Vec::new();
    for from in rule.messages("fromHeaders") {
        let name = from.filled("name").unwrap_or_default();
        match header_place(name, from.text("prefix").unwrap_or_default()) {
            Some(place) => places.push(place),
            None => from.finding_at(
                "prefix",
                "has no equivalent: a prefix must be a word and a space",
                "Send the token after such a prefix, or without one.",
            ),
        }
    }
    places.extend(rule.texts("fromParams").into_iter().map(|name| json!({"query": name})));
    places.extend(rule.texts("fromCookies").into_iter().map(|name| json!({"cookie": name})));
    if places.is_empty() {
        places =
            vec![json!({"header": "authorization", "scheme": "Bearer"}), json!({"query": "access_token"})];
    }
    places
}

/// The location of a token in a header. The prefix is empty, or an auth-scheme and a space.
pub fn header_place(name: &str, prefix: &str) -> Option<Value> {
    if prefix.is_empty() {
        return Some(json!({"header": name}));
    }
    let scheme = prefix.strip_suffix(' ')?;
    (label(scheme) == scheme).then(|| json!({"header": name, "scheme": scheme}))
}
