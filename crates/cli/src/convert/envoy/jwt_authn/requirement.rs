//! `JwtRequirement` → `require`.

use serde_json::{Value, json};

use super::super::super::message::Message;
use super::super::super::output::Output;
use super::{Context, Payload};

/// The converted requirement of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Need {
    Nothing,
    This {
        requirement: Value,
        optional: bool,
    },
    /// The requirement was not converted, and a finding says why.
    Lost,
}

const KINDS: &[&str] = &[
    "provider_name",
    "provider_and_audiences",
    "requires_any",
    "requires_all",
    "allow_missing",
    "allow_missing_or_failed",
    "extract_only_without_validation",
];

const BY_HAND: &str = "Write the rule by hand: `optional: true` allows requests without credentials and rejects \
                       wrong ones; `public: true` ignores credentials.";

/// Reads the requirement of this name in `requirement_map`.
pub fn named<'a>(
    output: &mut Output,
    context: &mut Context<'a>,
    filter: &Message<'a>,
    by: &Message<'a>,
    name: &str,
) -> Need {
    match filter.entry("requirement_map", name) {
        Some(requirement) => read(output, context, requirement),
        None => {
            let what = format!("names `{name}`, which is not in `requirement_map`");
            by.finding_at("requirement_name", &what, "Correct the input: the rule denies until then.");
            Need::Lost
        }
    }
}

/// Reads a `JwtRequirement`.
pub fn read<'a>(output: &mut Output, context: &mut Context<'a>, given: Message<'a>) -> Need {
    let kinds: Vec<&str> = KINDS.iter().copied().filter(|kind| given.has(kind)).collect();
    let [kind] = kinds.as_slice() else {
        if kinds.is_empty() {
            return Need::Nothing;
        }
        given.finding("has several requirements at once", "Keep one of them.");
        return Need::Lost;
    };
    match *kind {
        "provider_name" => one(context, &given, given.text("provider_name").unwrap_or_default()),
        "provider_and_audiences" => match given.message("provider_and_audiences") {
            Some(both) => with_audiences(output, context, &both),
            None => Need::Lost,
        },
        "requires_any" | "requires_all" => group(output, context, &given, kind),
        "allow_missing" => any_token(output, context, &given),
        kind => {
            let what = match kind {
                "allow_missing_or_failed" => "allows requests with an invalid token, which has no equivalent",
                _ => "uses claims of unverified tokens, which has no equivalent",
            };
            given.finding_at(kind, what, BY_HAND);
            Need::Lost
        }
    }
}

fn this(name: &str) -> Need {
    Need::This { requirement: json!(name), optional: false }
}

fn one(context: &Context<'_>, given: &Message<'_>, name: &str) -> Need {
    match context.names.get(name) {
        Some(own) => this(own),
        None => {
            let what = format!("names the provider `{name}`, which does not exist");
            given.finding_at("provider_name", &what, "Correct the input: the rule denies until then.");
            Need::Lost
        }
    }
}

/// Converts `allow_missing` alone: a token of any provider, or no token.
fn any_token(output: &Output, context: &Context<'_>, given: &Message<'_>) -> Need {
    let names: Vec<&String> = context.names.values().collect();
    let place = |name: &String| {
        let part = output.authenticators.iter().find(|part| part.name == *name);
        part.and_then(|part| part.value.get("jwt")?.get("from"))
    };
    let first = names.first().and_then(|name| place(name));
    if names.is_empty() || names.iter().any(|name| place(name) != first) {
        let what =
            "requires that the tokens in the locations of all providers are valid, which has no equivalent";
        given.finding_at("allow_missing", what, BY_HAND);
        return Need::Lost;
    }
    match names.as_slice() {
        [only] => Need::This { requirement: json!(only), optional: true },
        names => Need::This { requirement: json!({"any_of": names}), optional: true },
    }
}

fn group<'a>(output: &mut Output, context: &mut Context<'a>, given: &Message<'a>, kind: &str) -> Need {
    let is_any = kind == "requires_any";
    let list = given.message(kind).map(|group| group.messages("requirements")).unwrap_or_default();
    let (mut members, mut is_optional, mut is_lost) = (Vec::new(), false, list.is_empty());
    if list.is_empty() {
        given.finding_at(kind, "is empty", "Correct the input: Envoy would refuse it.");
    }
    let is_provider = |inner: &Message<'_>| inner.has("provider_name") || inner.has("provider_and_audiences");
    let has_provider = list.iter().any(is_provider);
    for inner in list {
        if is_any && inner.has("allow_missing") && inner.names().len() == 1 {
            is_optional = true;
            continue;
        }
        let (at, file) = (inner.at(), inner.file().clone());
        match read(output, context, inner) {
            Need::Lost => is_lost = true,
            Need::This { requirement, optional } if is_any || !optional => {
                members.push(requirement);
                is_optional |= optional;
            }
            Need::This { .. } => {
                let what = format!(
                    "`{}` combines an optional token with other requirements, which has no equivalent",
                    given.path(kind)
                );
                file.findings.add(&at, what, BY_HAND);
                is_lost = true;
            }
            Need::Nothing => {
                let what = format!("`{}` has an element that requires nothing", given.path(kind));
                file.findings.add(
                    &at,
                    what,
                    "Remove it, or make the rule public if every request is allowed.",
                );
                is_lost = true;
            }
        }
    }
    let name = if is_any { "any_of" } else { "all_of" };
    if is_any && is_optional && !members.is_empty() && !has_provider {
        // In this case, Envoy looks for tokens in the locations of every provider.
        let what = "allows a missing token as an alternative to groups only, which has no equivalent";
        given.finding_at(kind, what, BY_HAND);
        return Need::Lost;
    }
    match members.as_slice() {
        _ if is_lost => Need::Lost,
        [] => any_token(output, context, given),
        [only] => Need::This { requirement: only.clone(), optional: is_optional },
        _ => Need::This { requirement: json!({name: members}), optional: is_optional },
    }
}

/// Adds a copy of the authenticator of a provider, with other audiences.
fn with_audiences<'a>(output: &mut Output, context: &mut Context<'a>, both: &Message<'a>) -> Need {
    let audiences = both.texts("audiences");
    let Need::This { requirement, .. } = one(context, both, both.text("provider_name").unwrap_or_default())
    else {
        return Need::Lost;
    };
    let original = output.authenticators.iter().find(|part| requirement == json!(part.name)).cloned();
    let Some(mut part) = original else { return Need::Lost };
    if audiences.is_empty() {
        return this(&part.name);
    }
    let origin = part.name.clone();
    if let Some(jwt) = part.value.get_mut("jwt").and_then(Value::as_object_mut) {
        jwt.remove("any_audience");
        jwt.insert("audiences".to_owned(), json!(audiences));
    }
    if let Some(known) = output.authenticators.iter().find(|known| known.value == part.value) {
        return this(&known.name);
    }
    part.name = output.free_name(&format!("{origin}-for-{}", audiences.join("-")));
    part.comments = vec![format!("like `{origin}`, for other audiences")];
    if let Some(reasons) = context.broken.get(&origin).cloned() {
        context.broken.insert(part.name.clone(), reasons);
    }
    let copies: Vec<_> = context.headers.iter().filter(|(of, ..)| *of == origin).cloned().collect();
    context.headers.extend(copies.into_iter().map(|(_, header, what)| (part.name.clone(), header, what)));
    let copies: Vec<_> =
        context.payloads.iter().filter(|known| known.authenticator == origin).cloned().collect();
    context
        .payloads
        .extend(copies.into_iter().map(|known| Payload { authenticator: part.name.clone(), ..known }));
    let name = part.name.clone();
    output.authenticators.push(part);
    this(&name)
}
