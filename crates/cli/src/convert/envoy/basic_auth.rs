//! Envoy's `envoy.filters.http.basic_auth`.

use serde_json::json;

use super::super::message::Message;
use super::super::output::{Output, Part};
use super::Place;
use super::route_match::Matched;
use super::routes::{Access, Draft, Filter, Rules};

/// Converts one filter.
pub fn convert<'a>(filter: &Message<'a>, place: &Place<'a>) -> Output {
    let mut output = Output::from(filter.at());
    output.head.push(
        "from basic_auth. Credentials are not forwarded; add `forward_credentials: true` if the upstream needs them"
            .to_owned(),
    );
    let findings = filter.file().findings;
    let mark = findings.mark();
    let header = filter.filled("authentication_header");
    if header.is_some_and(|name| !name.eq_ignore_ascii_case("authorization")) {
        filter.finding_at(
            "authentication_header",
            "has no equivalent here: Basic credentials are in Authorization",
            "Let clients send Authorization.",
        );
    }
    let optional = filter.is_true("allow_missing");
    if let Some(header) = filter.filled("forward_username_header") {
        output.headers.insert(header.to_lowercase(), json!("{subject}"));
    }
    let at = filter.at();
    filter.skip(&["users", "stat_prefix"]);
    let own = match (place.is_disabled, users(&mut output, filter)) {
        (true, _) => Access::Public,
        (false, Some(name)) => Access::Require { requirement: json!(name), optional, authorize: None },
        (false, None) => Access::Deny(Vec::new()),
    };
    let reasons = findings.since(mark);
    let own = if reasons.is_empty() || place.is_disabled { own } else { Access::Deny(reasons.clone()) };
    let draft =
        Draft { name: "all".to_owned(), matched: Matched::any(), access: own, comments: Vec::new(), at };
    place.write(&mut output, &Filter { name: place.name, own: &[draft] }, &mut |output, route| {
        Rules::All(match users(output, &route) {
            // A finding about the filter itself affects every route.
            Some(_) if !reasons.is_empty() => Access::Deny(reasons.clone()),
            Some(name) => Access::Require { requirement: json!(name), optional, authorize: None },
            None => Access::Deny(Vec::new()),
        })
    });
    output
}

/// The authenticator for `users`.
fn users(output: &mut Output, of: &Message<'_>) -> Option<String> {
    const ADVICE: &str =
        "Put the text of this file below `basic.htpasswd`, or into a variable of the VM: {env: NAME}.";
    let Some(users) = of.message("users") else {
        of.finding("has no `users`", "Name its users below `basic`.");
        return None;
    };
    let mut part = Part::from("basic", users.at());
    let text = match users.filled("environment_variable") {
        Some(name) => {
            part.comment(format!("`{name}` must be a variable of the VM"));
            json!({"env": name})
        }
        None => json!(super::jwt_authn::provider::inline(&users, ADVICE)?),
    };
    part.set("basic", json!({"htpasswd": text}));
    part.comment("{SHA} hashes are fast to guess: make new ones with `authgate hash`");
    if let Some(known) = output.authenticators.iter().find(|known| known.value == part.value) {
        return Some(known.name.clone());
    }
    part.name = output.free_name("basic");
    let name = part.name.clone();
    output.authenticators.push(part);
    Some(name)
}
