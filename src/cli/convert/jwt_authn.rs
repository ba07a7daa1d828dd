//! Envoy's `envoy.filters.http.jwt_authn`.

use serde_json::{Map, Value, json};

use super::{Output, Part, claim, duration, label, list, path, put, text};

pub fn convert(filter: &Value) -> Output {
    let mut converted = Output::default();
    converted.head.push(
        "from jwt_authn. Stricter here, wherever it came from: a token needs a subject, stands in one place alone, and\n\
         holds no name twice; a path that can be read in several ways for which rules differ is refused"
            .to_owned(),
    );
    let none = Map::new();
    let providers = filter.get("providers").and_then(Value::as_object).unwrap_or(&none);
    for (name, given) in providers {
        let part = provider(name, given, &mut converted.headers);
        converted.authenticators.push(part);
    }
    for (number, rule) in list(filter, "rules").iter().enumerate() {
        convert_rule(&mut converted, filter, number, rule);
    }
    let mut rest = Part::new("rest");
    rest.set("public", true);
    rest.comment("jwt_authn lets pass what no rule names; without this rule it is refused, which is safer");
    converted.rules.push(rest);
    if filter.get("bypass_cors_preflight") == Some(&Value::Bool(true)) {
        converted.more.push(("cors_preflight", json!("allow")));
    }
    let mut of_all = Part::new("");
    of_all.unknown(filter, &["@type", "providers", "rules", "requirement_map", "bypass_cors_preflight"]);
    converted.head.extend(of_all.comments);
    converted
}

fn provider(name: &str, given: &Value, headers: &mut Map<String, Value>) -> Part {
    let mut part = Part::new(label(name));
    let mut jwt = Map::new();
    let mut set = |name: &str, value: Value| drop(jwt.insert(name.to_owned(), value));
    match text(given, "issuer") {
        Some(issuer) => set("issuer", json!(issuer)),
        None => {
            part.comment("no issuer was asked for, which has no equal: name yours");
            set("issuer", json!("https://issuer.example.com"));
        }
    }
    match list(given, "audiences") {
        [] => set("any_audience", json!(true)),
        audiences => set("audiences", json!(audiences)),
    }
    set("keys", keys(&mut part, given));
    // Without a word of it, a token may lack `exp`.
    if given.get("require_expiration") != Some(&Value::Bool(true)) {
        set("require_exp", json!(false));
    }
    if let Some(skew) = given.get("clock_skew_seconds").and_then(Value::as_u64).filter(|skew| *skew > 0) {
        set("clock_skew", json!(format!("{skew}s")));
    }
    if let Some(longest) = text(given, "max_lifetime").and_then(duration) {
        set("max_lifetime", json!(longest));
        part.comment("with `max_lifetime` a token needs `iat` here");
    }
    if given.get("forward") == Some(&Value::Bool(true)) {
        set("forward_credentials", json!(true));
    }
    if let Some(subjects) = given.get("subjects") {
        match string_match(subjects) {
            Some(matcher) => set("claims", json!({"sub": matcher})),
            None => part.comment("this matcher of `subjects` has no equal: see `claims`"),
        }
    }
    let from = places(&mut part, given);
    set("from", json!(from));
    if let Some(header) = text(given, "forward_payload_header") {
        headers.insert(header.to_lowercase(), json!(format!("{{{}.claims}}", part.name)));
    }
    for claims in list(given, "claim_to_headers") {
        if let (Some(header), Some(name)) = (text(claims, "header_name"), text(claims, "claim_name")) {
            headers.insert(header.to_lowercase(), json!(format!("{{{}.claim:{}}}", part.name, claim(name))));
        }
    }
    part.unknown(
        given,
        &[
            "issuer",
            "audiences",
            "local_jwks",
            "remote_jwks",
            "require_expiration",
            "clock_skew_seconds",
            "max_lifetime",
            "forward",
            "subjects",
            "from_headers",
            "from_params",
            "from_cookies",
            "forward_payload_header",
            "claim_to_headers",
            "jwt_cache_config",
        ],
    );
    part.set("jwt", Value::Object(jwt));
    part
}

fn keys(part: &mut Part, given: &Value) -> Value {
    if let Some(local) = given.get("local_jwks") {
        if let Some(set) = text(local, "inline_string") {
            let parsed = authgate::json::parse(set.as_bytes()).unwrap_or_else(|_| json!(set));
            return json!({"jwks": parsed});
        }
        part.comment("the keys stand elsewhere (`filename` or the like): put the JWK Set here");
        return json!({"jwks": {"keys": []}});
    }
    let remote = given.get("remote_jwks").unwrap_or(&Value::Null);
    let uri = remote.get("http_uri").unwrap_or(&Value::Null);
    let mut keys = json!({"uri": text(uri, "uri").unwrap_or_default(), "cluster": text(uri, "cluster").unwrap_or_default()});
    if let Some(timeout) = text(uri, "timeout").and_then(duration) {
        put(&mut keys, "timeout", json!(timeout));
    }
    if let Some(refresh) = text(remote, "cache_duration").and_then(duration) {
        put(&mut keys, "refresh", json!(refresh));
    }
    for name in ["async_fetch", "retry_policy"] {
        if remote.get(name).is_some() {
            part.comment(format!(
                "`remote_jwks.{name}` has no equal: keys are always fetched in the background and again"
            ));
        }
    }
    json!({"remote": keys})
}

fn places(part: &mut Part, given: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    for from in list(given, "from_headers") {
        let name = text(from, "name").unwrap_or_default();
        match text(from, "value_prefix").unwrap_or_default() {
            "" => places.push(json!({"header": name})),
            prefix => match prefix.strip_suffix(' ') {
                Some(scheme) if !scheme.contains(' ') => {
                    places.push(json!({"header": name, "scheme": scheme}))
                }
                _ => {
                    part.comment(format!(
                        "the prefix {prefix:?} in `{name}` has no equal: only `Scheme ` does"
                    ));
                    places.push(json!({"header": name}));
                }
            },
        }
    }
    let texts = |name: &'static str| list(given, name).iter().filter_map(Value::as_str);
    places.extend(texts("from_params").map(|name| json!({"query": name})));
    places.extend(texts("from_cookies").map(|name| json!({"cookie": name})));
    if list(given, "from_cookies").is_empty() && places.is_empty() {
        places.push(json!({"header": "authorization", "scheme": "Bearer"}));
        places.push(json!({"query": "access_token"}));
    }
    places
}

fn convert_rule(converted: &mut Output, filter: &Value, number: usize, rule: &Value) {
    let mut part = Part::new(format!("rule-{number}"));
    let given = rule.get("match").unwrap_or(&Value::Null);
    let (matched, is_whole) = route_match(&mut part, given);
    if matched != json!({"prefix": "/"}) {
        part.set("match", matched);
    }
    let named = text(rule, "requirement_name");
    let named = named.and_then(|name| filter.get("requirement_map")?.get(name));
    match rule.get("requires").or(named) {
        None => part.set("public", true),
        Some(requirement) => {
            match require(converted, &mut part, requirement) {
                Required::Nothing => part.set("public", true),
                Required::This { requirement, optional } => {
                    part.set("require", requirement);
                    if optional {
                        part.set("optional", true);
                        part.comment("an Authorization field of another scheme counts as credentials here, and is refused");
                    }
                }
            }
        }
    }
    if !is_whole {
        part.close(&["a condition was lost".to_owned()]);
    }
    converted.rules.push(part);
}

/// What a rule of ours matches, and whether nothing of it was lost.
fn route_match(part: &mut Part, given: &Value) -> (Value, bool) {
    let mut is_whole = true;
    let ignores_case = given.get("case_sensitive") == Some(&Value::Bool(false));
    let regex = given.get("safe_regex").and_then(|regex| text(regex, "regex"));
    let mut matched =
        match (text(given, "prefix"), text(given, "path"), text(given, "path_separated_prefix"), regex) {
            (Some(prefix), ..) if ignores_case => {
                json!({"regex": format!("(?i:{}).*", path::escaped(prefix))})
            }
            (_, Some(exact), ..) if ignores_case => {
                json!({"regex": format!("(?i:{})", path::escaped(exact))})
            }
            (Some(prefix), ..) => path::prefix(prefix),
            (_, Some(exact), ..) => path::exact(exact),
            (_, _, Some(prefix), _) => json!({"prefix": prefix}),
            (.., Some(regex)) => json!({"regex": regex}),
            _ => {
                part.comment("this match of a path has no equal, and every path stands for it");
                json!({"prefix": "/"})
            }
        };
    if let Some(regex) = text(&matched, "regex").filter(|_| text(given, "prefix").is_some()) {
        part.comment(format!(
            "`prefix` means whole segments here; where that would do, write it in place of {regex}"
        ));
    }
    for header in list(given, "headers") {
        let method = header.get("string_match").and_then(|matcher| text(matcher, "exact"));
        match (text(header, "name"), method) {
            (Some(":method"), Some(method)) if header.get("invert_match") != Some(&Value::Bool(true)) => {
                put(&mut matched, "methods", json!([method]));
            }
            (name, _) => {
                part.comment(format!("the match of the field `{}` has no equal", name.unwrap_or_default()));
                is_whole = false;
            }
        }
    }
    if !list(given, "query_parameters").is_empty() {
        part.comment("the match of query parameters has no equal");
        is_whole = false;
    }
    (matched, is_whole)
}

/// What a rule of ours requires.
enum Required {
    Nothing,
    This { requirement: Value, optional: bool },
}

fn require(converted: &mut Output, part: &mut Part, requirement: &Value) -> Required {
    let this = |name: String| Required::This { requirement: json!(name), optional: false };
    if let Some(name) = text(requirement, "provider_name") {
        return this(label(name));
    }
    if let Some(both) = requirement.get("provider_and_audiences") {
        return this(with_audiences(converted, both));
    }
    if requirement.get("allow_missing_or_failed").is_some() {
        part.comment(
            "`allow_missing_or_failed` has no equal: every request passes, and nothing is known of who sends it",
        );
        return Required::Nothing;
    }
    if requirement.get("allow_missing").is_some() {
        // Alone: any provider's token, or none.
        let names: Vec<String> = converted.authenticators.iter().map(|part| part.name.clone()).collect();
        return Required::This { requirement: json!({"any_of": names}), optional: true };
    }
    let (kind, parts) = match (requirement.get("requires_any"), requirement.get("requires_all")) {
        (Some(any), _) => ("any_of", list(any, "requirements")),
        (None, Some(all)) => ("all_of", list(all, "requirements")),
        (None, None) => return Required::Nothing,
    };
    let (mut members, mut is_optional) = (Vec::new(), false);
    for inner in parts {
        if kind == "any_of" && inner.get("allow_missing").is_some() {
            is_optional = true;
            continue;
        }
        match require(converted, part, inner) {
            Required::This { requirement, optional } => {
                members.push(requirement);
                is_optional |= optional;
            }
            // In `any` it lets everything pass, in `all` it asks for nothing.
            Required::Nothing if kind == "any_of" => return Required::Nothing,
            Required::Nothing => {}
        }
    }
    if kind == "all_of" && members.len() > 1 {
        part.comment("two that read one place cannot both hold here: give each a `from` of its own");
    }
    match members.as_slice() {
        [] if is_optional => require(converted, part, &json!({"allow_missing": {}})),
        [] => Required::Nothing,
        [only] => Required::This { requirement: only.clone(), optional: is_optional },
        _ => Required::This { requirement: json!({kind: members}), optional: is_optional },
    }
}

/// An authenticator like a provider's, for other audiences.
fn with_audiences(converted: &mut Output, both: &Value) -> String {
    let name = label(text(both, "provider_name").unwrap_or_default());
    let own = label(&format!(
        "{name}-for-{}",
        list(both, "audiences").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("-")
    ));
    let known = converted.authenticators.iter().any(|part| part.name == own);
    let original = converted.authenticators.iter().find(|part| part.name == name);
    if let (false, Some(original)) = (known, original) {
        let mut part = Part::new(own.clone());
        part.value = original.value.clone();
        part.comment(format!(
            "like `{name}`, whose fields for the upstream it does not fill: give it some of its own"
        ));
        if let Some(jwt) = part.value.get_mut("jwt").and_then(Value::as_object_mut) {
            jwt.remove("any_audience");
            jwt.insert("audiences".to_owned(), json!(list(both, "audiences")));
        }
        converted.authenticators.push(part);
    }
    own
}

/// `envoy.type.matcher.v3.StringMatcher` → what a claim must be.
fn string_match(matcher: &Value) -> Option<Value> {
    if matcher.get("ignore_case") == Some(&Value::Bool(true)) {
        return None;
    }
    let exact = text(matcher, "exact").map(|exact| json!(exact));
    let prefix = || text(matcher, "prefix").map(|prefix| json!({"prefix": prefix}));
    let suffix = || text(matcher, "suffix").map(|suffix| json!({"suffix": suffix}));
    exact.or_else(prefix).or_else(suffix)
}
