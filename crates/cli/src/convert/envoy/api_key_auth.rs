//! Envoy's `envoy.filters.http.api_key_auth`.

use authgate::http::codec::to_hex;
use serde_json::{Map, Value, json};

use super::super::message::Message;
use super::super::output::{Output, Part};
use super::Place;
use super::route_match::Matched;
use super::routes::{Access, Draft, Filter, Rules};

/// Keys, their locations, and the forwarding settings. A route can override each of them.
#[derive(Clone, Default)]
struct Settings {
    keys: Option<Vec<Value>>,
    from: Option<Vec<Value>>,
    forwarding: Option<(Option<String>, bool)>,
}

/// Converts one filter.
pub fn convert<'a>(filter: &Message<'a>, place: &Place<'a>) -> Output {
    let mut output = Output::from(filter.at());
    output.head.push(
        "from api_key_auth. Stricter: a key is in one location only, and has no scheme unless it is in Authorization"
            .to_owned(),
    );
    let findings = filter.file().findings;
    let mark = findings.mark();
    let own = settings(filter);
    let at = filter.at();
    let file = filter.file().clone();
    let access = match (place.is_disabled, findings.since(mark)) {
        (true, _) => Access::Public,
        (false, reasons) if reasons.is_empty() => match authenticator(&mut output, &own, &at) {
            Some(name) => Access::Require { requirement: json!(name), optional: false, authorize: None },
            None => Access::Deny(Vec::new()),
        },
        (false, reasons) => Access::Deny(reasons),
    };
    let draft = Draft { name: "all".to_owned(), matched: Matched::any(), access, comments: Vec::new(), at };
    place.write(&mut output, &Filter { name: place.name, own: &[draft] }, &mut |output, route| {
        let mark = findings.mark();
        let given = settings(&route);
        let clients = route.texts("allowed_clients");
        let at = route.at();
        drop(route);
        let reasons = findings.since(mark);
        if !reasons.is_empty() {
            return Rules::All(Access::Deny(reasons));
        }
        let all = Settings {
            keys: given.keys.or_else(|| own.keys.clone()),
            from: given.from.or_else(|| own.from.clone()),
            forwarding: given.forwarding.or_else(|| own.forwarding.clone()),
        };
        let authorize = (!clients.is_empty()).then(|| json!({"subjects": clients}));
        Rules::All(match authenticator(output, &all, &at) {
            Some(name) => Access::Require { requirement: json!(name), optional: false, authorize },
            None => Access::Deny(Vec::new()),
        })
    });
    forward(&mut output, &file);
    output
}

fn settings(of: &Message<'_>) -> Settings {
    let mut keys = Vec::new();
    for credential in of.messages("credentials") {
        let (key, client) = (credential.filled("key"), credential.filled("client"));
        match (key, client) {
            (Some(key), Some(client)) => {
                let digest = to_hex(&hmac_sha256::Hash::hash(key.as_bytes()));
                keys.push(json!({"id": client, "sha256": digest}));
            }
            _ => credential.finding("lacks `key` or `client`", "Correct the input: Envoy would refuse it."),
        }
    }
    let mut from = Vec::new();
    for source in of.messages("key_sources") {
        let (header, query, cookie) =
            (source.filled("header"), source.filled("query"), source.filled("cookie"));
        match (header, query, cookie) {
            (Some(header), None, None) if header.eq_ignore_ascii_case("authorization") => {
                from.push(json!({"header": "authorization", "scheme": "Bearer"}));
            }
            (Some(header), None, None) => from.push(json!({"header": header.to_lowercase()})),
            (None, Some(query), None) => from.push(json!({"query": query})),
            (None, None, Some(cookie)) => from.push(json!({"cookie": cookie})),
            _ => source.finding("does not name exactly one location", "Name `header`, `query` or `cookie`."),
        }
    }
    let forwarding = of.message("forwarding").map(|forwarding| {
        (forwarding.filled("header").map(str::to_lowercase), forwarding.is_true("hide_credentials"))
    });
    Settings {
        keys: (!keys.is_empty()).then_some(keys),
        from: (!from.is_empty()).then_some(from),
        forwarding,
    }
}

/// Returns the authenticator for these settings; `None` without keys or locations, where Envoy denies.
fn authenticator(output: &mut Output, settings: &Settings, at: &super::super::finding::At) -> Option<String> {
    let (keys, from) = (settings.keys.as_ref()?, settings.from.as_ref()?);
    let hides = settings.forwarding.as_ref().is_some_and(|(_, hides)| *hides);
    let header = settings.forwarding.as_ref().and_then(|(header, _)| header.clone());
    let mut value = Map::new();
    value.insert("from".to_owned(), json!(from));
    value.insert("keys".to_owned(), json!(keys));
    if !hides {
        value.insert("forward_credentials".to_owned(), json!(true));
    }
    let mut part = Part::from("keys", at.clone());
    part.set("api_key", Value::Object(value));
    // Authenticators that differ only in the header remain separate, since each fills its own header.
    if let Some(header) = header {
        part.comment(format!("{HEADER}{header}"));
    }
    let is_same = |known: &&Part| known.value == part.value && known.comments == part.comments;
    if let Some(known) = output.authenticators.iter().find(is_same) {
        return Some(known.name.clone());
    }
    part.name = output.free_name("keys");
    let name = part.name.clone();
    output.authenticators.push(part);
    Some(name)
}

/// Comment of an authenticator that fills a header, before the name of the header.
const HEADER: &str = "fills the header ";

/// Fills the header that `forwarding` names.
fn forward(output: &mut Output, file: &super::super::message::File<'_>) {
    let filled = |part: &Part| {
        part.comments.iter().find_map(|comment| comment.strip_prefix(HEADER)).map(str::to_owned)
    };
    let all: Vec<(String, Option<String>)> =
        output.authenticators.iter().map(|part| (part.name.clone(), filled(part))).collect();
    let headers: std::collections::BTreeSet<String> =
        all.iter().filter_map(|(_, header)| header.clone()).collect();
    for header in headers {
        let fillers: Vec<&String> =
            all.iter().filter(|(_, of)| of.as_ref() == Some(&header)).map(|(name, _)| name).collect();
        let template = match fillers.as_slice() {
            fillers if fillers.len() == all.len() => "{subject}".to_owned(),
            [only] => format!("{{{only}.subject}}"),
            _ => {
                let what = format!("some of the routes fill the header `{header}`, and others do not");
                let advice = "Give each authenticator a header of its own below `identity.headers`.";
                if let Some(at) = &output.at {
                    file.findings.add(at, what, advice);
                }
                output.removed.push(header);
                continue;
            }
        };
        output.headers.insert(header, json!(template));
    }
}
