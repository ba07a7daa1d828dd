//! `JwtProvider` → an authenticator.

use std::collections::BTreeSet;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use super::super::super::message::Message;
use super::super::super::output::{Output, Part, mentions};
use super::super::super::{claim, put, selector};
use super::{Context, Payload};

/// Converts a provider. The headers that it fills and the claims that it writes into metadata are added to `context`.
pub fn convert(name: &str, given: Message<'_>, context: &mut Context<'_>) -> Part {
    let headers = &mut context.headers;
    let mut part = Part::from(name, given.at());
    let mut jwt = Map::new();
    let mut set = |name: &str, value: Value| drop(jwt.insert(name.to_owned(), value));
    match given.filled("issuer") {
        Some(issuer) => set("issuer", json!(issuer)),
        None => given.finding(
            "accepts tokens of any issuer, since it has no `issuer`; authgate compares it",
            "Name the issuer of your tokens.",
        ),
    }
    match given.texts("audiences").as_slice() {
        [] => set("any_audience", json!(true)),
        audiences => set("audiences", json!(audiences)),
    }
    if let Some(keys) = keys(&mut part, &given) {
        set("keys", keys);
    }
    // Without this member, a token does not need `exp`.
    if !given.is_true("require_expiration") {
        set("require_exp", json!(false));
    }
    if let Some(skew) = given.number("clock_skew_seconds").filter(|skew| *skew > 0) {
        set("clock_skew", json!(format!("{skew}s")));
    }
    if let Some(longest) = given.duration("max_lifetime") {
        set("max_lifetime", json!(longest));
        part.comment("stricter: with `max_lifetime` a token needs `iat`");
    }
    if given.is_true("forward") {
        set("forward_credentials", json!(true));
    }
    if let Some(subjects) = given.message("subjects") {
        match string_match(&subjects) {
            Some(matcher) => set("claims", json!({"sub": matcher})),
            None => subjects
                .finding("matches in a way that has no equivalent here", "Write `claims: {sub: …}` by hand."),
        }
    }
    set("from", json!(places(&mut part, &given)));
    if let Some(header) = given.filled("forward_payload_header") {
        headers.push((name.to_owned(), header.to_lowercase(), "claims".to_owned()));
        if given.is_true("pad_forward_payload_header") {
            part.comment("`pad_forward_payload_header` has no equivalent: the claims have no padding");
        }
    }
    given.skip(&["pad_forward_payload_header", "jwt_cache_config", "clear_route_cache"]);
    for filled in given.messages("claim_to_headers") {
        if let (Some(header), Some(path)) = (filled.filled("header_name"), claim_of(&filled)) {
            headers.push((name.to_owned(), header.to_lowercase(), format!("claim:{path}")));
        }
    }
    if given.is_true("clear_route_cache") {
        part.comment("`clear_route_cache` has no equivalent: the route is selected before");
    }
    if let (true, Some(payload)) = (context.has_partner, given.filled("payload_in_metadata")) {
        let normal = given.message("normalize_payload_in_metadata");
        let spaced = normal.map(|normal| normal.texts("space_delimited_claims")).unwrap_or_default();
        let spaced = spaced.into_iter().map(claim).collect();
        context.payloads.push(Payload { authenticator: name.to_owned(), name: payload.to_owned(), spaced });
    }
    let in_metadata = [
        "payload_in_metadata",
        "header_in_metadata",
        "failed_status_in_metadata",
        "normalize_payload_in_metadata",
    ];
    let is_read = |name: &str| context.has_partner && name.contains("payload");
    for name in in_metadata {
        if given.has(name) && !is_read(name) {
            part.comment(format!("`{name}` has no equivalent: other filters see nothing of the token"));
        }
    }
    part.set("jwt", Value::Object(jwt));
    part
}

/// `claim_name`, with dots between nested names, or `claim_path`, a list of names.
fn claim_of(filled: &Message<'_>) -> Option<String> {
    let path = filled.texts("claim_path");
    if path.is_empty() {
        return filled.filled("claim_name").map(claim);
    }
    filled.skip(&["claim_name"]);
    Some(selector(&path))
}

/// The text of a `DataSource`, if the file contains it.
pub fn inline(given: &Message<'_>, advice: &str) -> Option<String> {
    let text = given.text("inline_string").map(str::to_owned);
    let bytes = || {
        let decoded = BASE64_STANDARD.decode(given.text("inline_bytes")?).ok()?;
        String::from_utf8(decoded).ok()
    };
    let found = text.or_else(bytes);
    given.skip(&["filename", "environment_variable", "watched_directory"]);
    if found.is_none() {
        given.finding("has no text that can be read here", advice);
    }
    found
}

fn keys(part: &mut Part, given: &Message<'_>) -> Option<Value> {
    if let Some(local) = given.message("local_jwks") {
        let text = inline(&local, "Put the JWK Set of this file below `keys.jwks` of the authenticator.")?;
        return match jwk_set(&text) {
            Some(set) => Some(json!({"jwks": set})),
            None => {
                local.finding("is not a JWK Set", "Put a JWK Set below `keys.jwks` of the authenticator.");
                None
            }
        };
    }
    let Some(remote) = given.message("remote_jwks") else {
        given.finding("has no keys", "Name its keys below `keys`.");
        return None;
    };
    let uri = remote.message("http_uri")?;
    let mut keys = json!({"uri": uri.text("uri").unwrap_or_default(), "cluster": uri.text("cluster").unwrap_or_default()});
    if let Some(timeout) = uri.duration("timeout") {
        put(&mut keys, "timeout", json!(timeout));
    }
    if let Some(refresh) = remote.duration("cache_duration") {
        put(&mut keys, "refresh", json!(refresh));
    }
    for name in ["async_fetch", "retry_policy"] {
        if remote.has(name) {
            part.comment(format!(
                "`remote_jwks.{name}` has no equivalent: keys are always fetched in the background, and failed \
                 fetches are repeated"
            ));
        }
    }
    Some(json!({"remote": keys}))
}

/// Parses a JWK Set as Envoy does: strings may contain line breaks, and white space in numbers is ignored.
fn jwk_set(text: &str) -> Option<Value> {
    let mut set = authgate::json::parse(text.as_bytes())
        .or_else(|_| authgate::json::parse(with_escapes(text).as_bytes()))
        .ok()?;
    let keys = set.get_mut("keys")?.as_array_mut()?;
    for key in keys.iter_mut().filter_map(Value::as_object_mut) {
        for name in ["n", "e", "x", "y", "k", "kty", "crv", "alg", "use"] {
            if let Some(Value::String(number)) = key.get_mut(name) {
                number.retain(|letter| !letter.is_ascii_whitespace());
            }
        }
    }
    Some(set)
}

/// Escapes control characters inside the strings of a JSON text.
fn with_escapes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (mut is_inside, mut is_escape) = (false, false);
    for letter in text.chars() {
        match letter {
            letter if is_inside && letter.is_control() => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => {
                is_inside ^= letter == '"' && !is_escape;
                escaped.push(letter);
            }
        }
        is_escape = letter == '\\' && !is_escape;
    }
    escaped
}

fn places(part: &mut Part, given: &Message<'_>) -> Vec<Value> {
    let mut places = Vec::new();
    for from in given.messages("from_headers") {
        let name = from.text("name").unwrap_or_default();
        let prefix = from.text("value_prefix").unwrap_or_default();
        let scheme = prefix.strip_suffix(' ').unwrap_or(prefix);
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match scheme {
            "" if prefix.is_empty() => places.push(json!({"header": name})),
            scheme if !scheme.is_empty() && scheme.bytes().all(is_token) => {
                if !prefix.ends_with(' ') {
                    part.comment(format!("stricter: a space must follow `{scheme}`"));
                }
                places.push(json!({"header": name, "scheme": scheme}));
            }
            _ => from.finding_at(
                "value_prefix",
                "has no equivalent here: only an authentication scheme can be before a token",
                "Let clients send `Bearer` before the token, or nothing.",
            ),
        }
    }
    places.extend(given.texts("from_params").iter().map(|name| json!({"query": name})));
    let cookies = given.texts("from_cookies");
    if !cookies.is_empty() {
        part.comment("stricter: a cookie needs proof of the same origin for methods that write; see `csrf`");
    }
    places.extend(cookies.iter().map(|name| json!({"cookie": name})));
    if places.is_empty() {
        places.push(json!({"header": "authorization", "scheme": "Bearer"}));
        places.push(json!({"query": "access_token"}));
    }
    places
}

/// Converts a `StringMatcher` to a claim matcher.
pub fn string_match(given: &Message<'_>) -> Option<Value> {
    let ignores_case = given.is_true("ignore_case");
    let exact = given.text("exact").map(|exact| json!(exact));
    let prefix = given.filled("prefix").map(|prefix| json!({"prefix": prefix}));
    let suffix = given.filled("suffix").map(|suffix| json!({"suffix": suffix}));
    exact.or(prefix).or(suffix).filter(|_| !ignores_case)
}

/// Writes the headers that tokens fill. A header on which authenticators disagree is removed from requests.
pub fn write_headers(output: &mut Output, context: &Context<'_>, filter: &Message<'_>) {
    let is_used = |name: &str| {
        output
            .rules
            .iter()
            .filter_map(|rule| rule.value.get("require"))
            .any(|required| mentions(required, name))
    };
    let all: BTreeSet<&String> =
        output.authenticators.iter().map(|part| &part.name).filter(|name| is_used(name)).collect();
    let used = |name: &String| all.contains(name);
    let headers: BTreeSet<&String> = context.headers.iter().map(|(_, header, _)| header).collect();
    let mut written = Map::new();
    let mut removed = Vec::new();
    for header in headers {
        let fillers: BTreeSet<(&String, &String)> = context
            .headers
            .iter()
            .filter(|(name, filled, _)| filled == header && used(name))
            .map(|(name, _, what)| (name, what))
            .collect();
        let names: BTreeSet<&String> = fillers.iter().map(|(name, _)| *name).collect();
        let values: BTreeSet<&String> = fillers.iter().map(|(_, what)| *what).collect();
        match (fillers.first(), values.len()) {
            (Some((_, what)), 1) if names == all => {
                drop(written.insert(header.clone(), json!(format!("{{{what}}}"))))
            }
            (Some((name, what)), 1) if names.len() == 1 => {
                written.insert(header.clone(), json!(format!("{{{name}.{what}}}")));
            }
            // No authenticator that a rule requires fills the header.
            (None, _) => removed.push(header.clone()),
            (Some((name, what)), count) => {
                let not = match count {
                    // The header can be filled for one of them at least.
                    1 => {
                        written.insert(header.clone(), json!(format!("{{{name}.{what}}}")));
                        format!("it is filled for `{name}` only")
                    }
                    _ => {
                        removed.push(header.clone());
                        "it is removed".to_owned()
                    }
                };
                let what = format!(
                    "`{}`: not all providers fill the header `{header}` in the same way; {not}",
                    filter.path("providers")
                );
                let advice = "Give each of them a header of its own below `identity.headers`.";
                filter.file().findings.add(&filter.at(), what, advice);
            }
        }
    }
    output.headers.extend(written);
    output.removed.extend(removed);
}
