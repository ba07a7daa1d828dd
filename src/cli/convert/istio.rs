//! Istio's `RequestAuthentication` and `AuthorizationPolicy`.
//!
//! There a request passes unless a DENY rule takes it or ALLOW rules exist and none does; here the first rule that
//! matches decides. So denials come first, and rules that match the same become one with several ways to be allowed.

use serde_json::{Map, Value, json};

use super::{Output, Part, claim, duration, label, list, path, put, text};

pub fn convert(documents: &[Value]) -> Output {
    let mut converted = Output::default();
    converted.head.push(
        "from RequestAuthentication and AuthorizationPolicy, as if all had the same selector".to_owned(),
    );
    let of_kind =
        |kind: &'static str| documents.iter().filter(move |document| text(document, "kind") == Some(kind));
    let mut number = 0;
    for document in of_kind("RequestAuthentication") {
        for rule in document.get("spec").map(|spec| list(spec, "jwtRules")).unwrap_or_default() {
            let part = authenticator(number, rule, &mut converted.headers);
            converted.authenticators.push(part);
            number += 1;
        }
    }
    let has_allow = of_kind("AuthorizationPolicy").any(|policy| {
        policy.get("spec").is_none_or(|spec| text(spec, "action").unwrap_or("ALLOW") == "ALLOW")
    });
    for wanted in ["DENY", "ALLOW"] {
        for policy in of_kind("AuthorizationPolicy") {
            let spec = policy.get("spec").unwrap_or(&Value::Null);
            let name = policy.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("policy");
            match text(spec, "action").unwrap_or("ALLOW") {
                action if action == wanted => {
                    for (number, rule) in list(spec, "rules").iter().enumerate() {
                        convert_rule(
                            &mut converted,
                            &label(&format!("{name}-{number}")),
                            action,
                            rule,
                            has_allow,
                        );
                    }
                }
                "DENY" | "ALLOW" => {}
                action if wanted == "DENY" => {
                    converted.head.push(format!("NOT CONVERTED: {name}, whose action is {action}"))
                }
                _ => {}
            }
        }
    }
    if !has_allow {
        let mut rest = Part::new("rest");
        match require_any(&converted) {
            Some(requirement) => {
                rest.comment("without an ALLOW policy requests without a token pass, and those with a wrong one do not");
                rest.set("require", requirement);
                rest.set("optional", true);
            }
            None => rest.set("public", true),
        }
        converted.rules.push(rest);
    }
    converted
}

fn authenticator(number: usize, rule: &Value, headers: &mut Map<String, Value>) -> Part {
    let mut part = Part::new(format!("jwt-{number}"));
    let mut jwt = Map::new();
    let mut set = |name: &str, value: Value| drop(jwt.insert(name.to_owned(), value));
    set("issuer", json!(text(rule, "issuer").unwrap_or_default()));
    match list(rule, "audiences") {
        [] => set("any_audience", json!(true)),
        audiences => set("audiences", json!(audiences)),
    }
    match (text(rule, "jwks"), text(rule, "jwksUri")) {
        (Some(set_text), _) => {
            let parsed = authgate::json::parse(set_text.as_bytes()).unwrap_or_else(|_| json!(set_text));
            set("keys", json!({"jwks": parsed}));
        }
        (None, Some(uri)) => {
            part.comment("name the cluster of the proxy through which the keys are fetched");
            let mut remote = json!({"uri": uri, "cluster": "CLUSTER"});
            if let Some(timeout) = text(rule, "timeout").and_then(duration) {
                put(&mut remote, "timeout", json!(timeout));
            }
            set("keys", json!({"remote": remote}));
        }
        (None, None) => {
            part.comment(
                "name the cluster of the proxy through which the issuer's metadata and keys are fetched",
            );
            set("keys", json!({"discovery": {"cluster": "CLUSTER"}}));
        }
    }
    set("require_exp", json!(false));
    let mut from: Vec<Value> = Vec::new();
    for place in list(rule, "fromHeaders") {
        let name = text(place, "name").unwrap_or_default();
        match text(place, "prefix").unwrap_or_default() {
            "" => from.push(json!({"header": name})),
            prefix => from.push(json!({"header": name, "scheme": prefix.trim_end()})),
        }
    }
    let texts = |name: &'static str| list(rule, name).iter().filter_map(Value::as_str);
    from.extend(texts("fromParams").map(|name| json!({"query": name})));
    from.extend(texts("fromCookies").map(|name| json!({"cookie": name})));
    if from.is_empty() {
        from = vec![json!({"header": "authorization", "scheme": "Bearer"}), json!({"query": "access_token"})];
    }
    set("from", json!(from));
    if rule.get("forwardOriginalToken") == Some(&Value::Bool(true)) {
        set("forward_credentials", json!(true));
    }
    if let Some(header) = text(rule, "outputPayloadToHeader") {
        headers.insert(header.to_lowercase(), json!(format!("{{{}.claims}}", part.name)));
    }
    for output in list(rule, "outputClaimToHeaders") {
        if let (Some(header), Some(name)) = (text(output, "header"), text(output, "claim")) {
            headers.insert(header.to_lowercase(), json!(format!("{{{}.claim:{}}}", part.name, claim(name))));
        }
    }
    part.unknown(
        rule,
        &[
            "issuer",
            "audiences",
            "jwks",
            "jwksUri",
            "timeout",
            "fromHeaders",
            "fromParams",
            "fromCookies",
            "forwardOriginalToken",
            "outputPayloadToHeader",
            "outputClaimToHeaders",
        ],
    );
    part.set("jwt", Value::Object(jwt));
    part
}

/// Any of the authenticators.
fn require_any(converted: &Output) -> Option<Value> {
    let names: Vec<&str> = converted.authenticators.iter().map(|part| part.name.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(json!(only)),
        _ => Some(json!({"any_of": names})),
    }
}

fn convert_rule(converted: &mut Output, name: &str, action: &str, rule: &Value, has_allow: bool) {
    let mut part = Part::new(name);
    let mut way = Map::new();
    let (mut wants_token, mut wants_none, mut is_whole) = (false, false, true);
    let mut sources: Vec<Value> = Vec::new();
    for from in list(rule, "from") {
        let source = from.get("source").unwrap_or(&Value::Null);
        wants_none |= list(source, "notRequestPrincipals") == [json!("*")];
        let principals = list(source, "requestPrincipals");
        if !principals.is_empty() {
            wants_token = true;
            is_whole &= subjects(&mut part, &mut way, converted, principals);
        }
        sources.extend(list(source, "ipBlocks").iter().chain(list(source, "remoteIpBlocks")).cloned());
        is_whole &= !part
            .unknown(source, &["requestPrincipals", "notRequestPrincipals", "ipBlocks", "remoteIpBlocks"]);
    }
    if list(rule, "from").len() > 1 {
        part.comment("several `from` have no equal: write a rule for each");
        is_whole = false;
    }
    let mut claims = Map::new();
    for when in list(rule, "when") {
        let key = text(when, "key").unwrap_or_default();
        let name = key.strip_prefix("request.auth.claims[").and_then(|rest| rest.strip_suffix(']'));
        match (name, list(when, "values")) {
            (Some(name), [_, ..]) if list(when, "notValues").is_empty() => {
                wants_token = true;
                let values: Vec<Value> = list(when, "values").iter().map(string_match).collect();
                claims.insert(claim(&name.replace("][", ".")), json!(values));
            }
            _ => {
                part.comment(format!("the condition on `{key}` has no equal"));
                is_whole = false;
            }
        }
    }
    if let (false, Some(known)) =
        (claims.is_empty(), way.entry("claims").or_insert_with(|| json!({})).as_object_mut())
    {
        known.extend(claims);
    }
    way.retain(|_, value| *value != json!({}));
    let (matches, has_all) = operations(&mut part, rule, &sources);
    is_whole &= has_all;
    if !matches.is_empty() {
        part.set("match", json!(matches));
    }
    let requirement = require_any(converted);
    match (action, wants_none, wants_token, requirement) {
        // No token, no way in; what else is asked, other policies say.
        // Where ALLOW rules have a say too, a token alone would be too little.
        ("DENY", true, false, Some(requirement)) if !has_allow => part.set("require", requirement),
        ("DENY", false, false, _) => part.set("deny", true),
        ("DENY", ..) => {
            part.comment(
                "NOT CONVERTED: who is denied, or who is allowed of the others; everybody is denied",
            );
            part.set("deny", true);
        }
        (_, false, true, Some(requirement)) => {
            part.set("require", requirement);
            if !way.is_empty() {
                part.set("authorize", Value::Object(way));
            }
        }
        ("ALLOW", false, false, Some(requirement)) => {
            part.set("require", requirement);
            part.set("optional", true);
        }
        ("ALLOW", false, false, None) => part.set("public", true),
        _ => {
            part.comment("NOT CONVERTED: who is allowed; nobody is");
            part.set("deny", true);
        }
    }
    if !is_whole && action == "ALLOW" {
        part.close(&["a condition was lost".to_owned()]);
    }
    merge(converted, part);
}

/// Rules that match the same are several ways to be allowed.
fn merge(converted: &mut Output, part: Part) {
    let same = converted.rules.iter_mut().find(|known| {
        known.value.get("match") == part.value.get("match")
            && known.value.get("require") == part.value.get("require")
            && known.value.contains_key("authorize")
            && part.value.contains_key("authorize")
    });
    match (same, part.value.get("authorize")) {
        (Some(known), Some(way)) => {
            let ways = match known.value.remove("authorize") {
                Some(Value::Array(mut ways)) => {
                    ways.push(way.clone());
                    ways
                }
                Some(first) => vec![first, way.clone()],
                None => vec![way.clone()],
            };
            known.set("authorize", ways);
            known.comments.extend(part.comments);
        }
        _ => converted.rules.push(part),
    }
}

/// `issuer/subject`, with `*` for any; whether nothing was lost.
fn subjects(part: &mut Part, way: &mut Map<String, Value>, converted: &Output, principals: &[Value]) -> bool {
    let issuer = |issuer: &str| {
        converted
            .authenticators
            .iter()
            .find(|part| part.value.get("jwt").and_then(|jwt| text(jwt, "issuer")) == Some(issuer))
    };
    let (mut subjects, mut speaks_for, mut is_anybody) = (Vec::new(), Vec::new(), false);
    for principal in principals.iter().filter_map(Value::as_str) {
        if principal == "*" {
            is_anybody = true;
            continue;
        }
        let (of, subject) = principal.rsplit_once('/').unwrap_or((principal, "*"));
        let Some(known) = issuer(of) else {
            part.comment(format!("no issuer here makes the principal {principal}"));
            continue;
        };
        match (subject, converted.authenticators.len()) {
            ("*", _) => speaks_for.push(json!(known.name)),
            (subject, 1) => subjects.push(json!(subject)),
            (subject, _) => subjects.push(json!(format!("{}/{subject}", known.name))),
        }
    }
    match (subjects.is_empty(), speaks_for.is_empty()) {
        _ if is_anybody => true,
        (false, true) => {
            way.insert("subjects".to_owned(), json!(subjects));
            true
        }
        (true, false) => {
            if converted.authenticators.len() > 1 {
                way.insert("authenticators".to_owned(), json!(speaks_for));
                way.insert("claims".to_owned(), json!({"sub": {"present": true}}));
            }
            true
        }
        (false, false) => {
            part.comment("subjects of one issuer and all of another have no equal in one way to be allowed");
            false
        }
        (true, true) => false,
    }
}

/// What requests look like: each operation, with each of its paths; and whether nothing was lost.
fn operations(part: &mut Part, rule: &Value, sources: &[Value]) -> (Vec<Value>, bool) {
    let (mut matches, mut is_whole) = (Vec::new(), true);
    for to in list(rule, "to") {
        let operation = to.get("operation").unwrap_or(&Value::Null);
        let paths = list(operation, "paths").iter().filter_map(Value::as_str);
        let mut paths: Vec<Value> = paths.map(istio_path).collect();
        if paths.is_empty() {
            paths.push(json!({}));
        }
        for mut matched in paths {
            for (theirs, ours) in [("methods", "methods"), ("notMethods", "except_methods")] {
                if !list(operation, theirs).is_empty() {
                    put(&mut matched, ours, json!(list(operation, theirs)));
                }
            }
            let hosts = list(operation, "hosts").iter().filter_map(Value::as_str);
            let hosts: Vec<&str> = hosts.filter(|host| *host != "*").collect();
            if !hosts.is_empty() {
                put(&mut matched, "hosts", json!(hosts));
            }
            if !sources.is_empty() {
                put(&mut matched, "sources", json!(sources));
            }
            if matched != json!({}) {
                matches.push(matched);
            }
        }
        is_whole &= !part.unknown(operation, &["paths", "methods", "notMethods", "hosts"]);
    }
    if list(rule, "to").is_empty() && !sources.is_empty() {
        matches.push(json!({"sources": sources}));
    }
    (matches, is_whole)
}

/// `/exact`, `/prefix*`, `*suffix` or a template with `{*}` and `{**}`.
fn istio_path(given: &str) -> Value {
    if given.contains("{*}") || given.contains("{**}") {
        let mut template = String::new();
        for (number, piece) in given.split('/').enumerate().skip(1) {
            template.push('/');
            match piece {
                "{*}" => template.push_str(&format!("{{p{number}}}")),
                "{**}" => template.push_str(&format!("{{p{number}=**}}")),
                piece => template.push_str(piece),
            }
        }
        return json!({"template": template});
    }
    match (given.strip_suffix('*'), given.strip_prefix('*')) {
        (Some("" | "/"), _) => json!({"prefix": "/"}),
        (Some(prefix), _) => path::prefix(prefix),
        (None, Some(suffix)) => path::suffix(suffix),
        (None, None) => path::exact(given),
    }
}

fn string_match(value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default();
    match (text.strip_suffix('*'), text.strip_prefix('*')) {
        (Some(prefix), _) if !prefix.is_empty() => json!({"prefix": prefix}),
        (None, Some(suffix)) if !suffix.is_empty() => json!({"suffix": suffix}),
        _ => value.clone(),
    }
}
