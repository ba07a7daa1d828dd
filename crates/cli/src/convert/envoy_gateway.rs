//! SecurityPolicy of Envoy Gateway, with the Secrets and ConfigMaps that it names.
//!
//! Every policy becomes a separate configuration: Envoy Gateway applies only the most specific policy to a route.

mod authorization;
mod secrets;
mod tokens;

use authgate::http::codec::to_hex;
use serde_json::{Map, Value, json};

use self::secrets::Secrets;
use super::access::{self, Clause, Effect, Policy};
use super::finding::Findings;
use super::istio::Resource;
use super::message::Message;
use super::output::{Output, Part};

/// Converts each SecurityPolicy of the input.
pub fn convert(resources: &[Resource<'_>], findings: &Findings) -> Vec<Output> {
    let secrets = Secrets { resources };
    let policies = resources.iter().filter(|resource| resource.kind() == "SecurityPolicy");
    policies.map(|policy| convert_policy(policy, &secrets, findings)).collect()
}

fn convert_policy(resource: &Resource<'_>, secrets: &Secrets<'_>, findings: &Findings) -> Output {
    let mut output = Output::from(resource.at());
    let Some(spec) = resource.spec() else {
        let what = format!("{} has no `spec`", resource.title());
        findings.add(&resource.at(), what.clone(), "Correct it: Envoy Gateway refuses it.");
        output.deny_all(&[what]);
        return output;
    };
    let mark = findings.mark();
    output.head.push(format!("from {}, for {}", resource.title(), targets(&spec)));
    output.head.push(
        "stricter than Envoy Gateway: a token needs a subject and is in one location only; a path with several \
         interpretations for which rules differ is rejected"
            .to_owned(),
    );
    for (name, what, advice) in NOT_CONVERTED {
        if spec.has(name) {
            spec.finding_at(name, what, *advice);
        }
    }
    let mut lost = findings.since(mark);
    if spec.has("cors") {
        let advice = "Keep it in a SecurityPolicy; CORS does not decide who may send a request.";
        spec.finding_at("cors", "is not converted", advice);
    }
    let namespace = resource.metadata("namespace");
    let mut refused = Vec::new();
    let mut add = |output: &mut Output, part: Part, lost: Vec<String>| {
        let name = output.free_name(&part.name);
        output.authenticators.push(Part { name: name.clone(), ..part });
        if !lost.is_empty() {
            refused.push((name.clone(), lost));
        }
        name
    };
    // The authenticators of tokens are first: `authorize` applies to the first one that accepts.
    let mut policy = Policy {
        callers: Vec::new(),
        anonymous: true,
        with: Vec::new(),
        stages: Vec::new(),
        clauses: Vec::new(),
        otherwise: Effect::Allow,
    };
    let mut providers = Vec::new();
    if let Some(jwt) = spec.message("jwt") {
        let mark = findings.mark();
        policy.anonymous = jwt.is_true("optional");
        if jwt.is_true("failOpen") {
            jwt.finding_at(
                "failOpen",
                "lets requests with a wrong token pass, which has no equivalent",
                "Write `public` rules for them by hand.",
            );
        }
        for given in jwt.messages("providers") {
            let provider = tokens::provider(given, namespace, secrets);
            let name = add(&mut output, provider.part, provider.lost);
            for (header, claim) in provider.headers {
                output.headers.insert(header, json!(format!("{{{name}.claim:{claim}}}")));
            }
            if let Some(part) = output.authenticators.last() {
                policy.callers.push(access::Caller::new(part, provider.issuer));
            }
            providers.push((provider.name, name));
        }
        if providers.is_empty() {
            jwt.finding_at("providers", "is empty", "Correct it: Envoy Gateway refuses it.");
        }
        let is_open = jwt.is_true("failOpen") || providers.is_empty();
        drop(jwt);
        if is_open {
            lost.extend(findings.since(mark));
        }
    }
    if let Some(basic) = spec.message("basicAuth") {
        let mark = findings.mark();
        let mut part = Part::from("basic", basic.at());
        let header = basic.filled("forwardUsernameHeader").map(str::to_lowercase);
        let users = secrets.htpasswd(&basic, namespace);
        part.set("basic", json!({"htpasswd": users, "forward_credentials": true}));
        drop(basic);
        let name = add(&mut output, part, findings.since(mark));
        output.headers.extend(header.map(|header| (header, json!(format!("{{{name}.subject}}")))));
        policy.with.push(name);
    }
    if let Some(keys) = spec.message("apiKeyAuth") {
        let mark = findings.mark();
        let mut part = Part::from("api-key", keys.at());
        let header = keys.filled("forwardClientIDHeader").map(str::to_lowercase);
        part.set("api_key", api_key(&keys, namespace, secrets));
        drop(keys);
        let name = add(&mut output, part, findings.since(mark));
        output.headers.extend(header.map(|header| (header, json!(format!("{{{name}.subject}}")))));
        policy.with.push(name);
    }
    if let Some(authorization) = spec.message("authorization") {
        let (clauses, otherwise) = authorization::clauses(authorization, &providers);
        policy.clauses = clauses;
        policy.otherwise = otherwise;
    }
    let mark = findings.mark();
    drop(spec);
    // Members that were not read may decide about access.
    lost.extend(findings.since(mark));
    add_header_rules(&mut policy.clauses);
    access::compile(policy, findings, &mut output);
    for (name, reasons) in &refused {
        output.refuse(name, reasons);
        lost.extend(reasons.iter().cloned());
    }
    if !lost.is_empty() {
        output.deny_all(&lost);
    }
    output
}

/// Members that decide about access and have no equivalent: the name, the effect, and the advice.
const NOT_CONVERTED: &[(&str, &str, &str)] = &[
    (
        "oidc",
        "logs users in, which has no equivalent",
        "Keep it in a SecurityPolicy, and let authgate check the token that it forwards.",
    ),
    (
        "extAuth",
        "asks another service, which has no equivalent",
        "Keep it in a SecurityPolicy, or write rules for what the service decides.",
    ),
    ("csrf", "rejects requests from other sites, which has no equivalent", "Keep it in a SecurityPolicy."),
    (
        "mergeType",
        "merges this policy with another, which has no equivalent here",
        "Write what both say into one policy and convert that.",
    ),
];

/// Names the targets of a policy.
fn targets(spec: &Message<'_>) -> String {
    let mut targets = Vec::new();
    let mut references = spec.messages("targetRefs");
    references.extend(spec.message("targetRef"));
    for reference in references {
        reference.skip(&["group"]);
        let text = |name| reference.text(name).unwrap_or_default();
        let section = reference.text("sectionName").map(|name| format!(" ({name})")).unwrap_or_default();
        targets.push(format!("{} {}{section}", text("kind"), text("name")));
        if text("kind") == "TCPRoute" {
            reference.finding_at(
                "kind",
                "is TCPRoute: authgate handles only HTTP requests",
                "Keep this policy.",
            );
        }
    }
    for selector in spec.messages("targetSelectors") {
        selector.skip(&["group"]);
        let kind = selector.text("kind").unwrap_or_default();
        let labels: Vec<String> =
            selector.text_map("matchLabels").iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expressions = selector.value("matchExpressions").map(|value| value.to_string());
        let parts: Vec<String> = labels.into_iter().chain(expressions).collect();
        targets.push(format!("each {kind} with the labels {}", parts.join(",")));
    }
    if targets.is_empty() { "no target".to_owned() } else { targets.join(", ") }
}

fn api_key(keys: &Message<'_>, namespace: Option<&str>, secrets: &Secrets<'_>) -> Value {
    let mut from = Vec::new();
    for place in keys.messages("extractFrom") {
        from.extend(place.texts("headers").into_iter().map(|name| json!({"header": name})));
        from.extend(place.texts("params").into_iter().map(|name| json!({"query": name})));
        from.extend(place.texts("cookies").into_iter().map(|name| json!({"cookie": name})));
    }
    if from.is_empty() {
        keys.finding_at("extractFrom", "does not name a location", "Correct it: Envoy Gateway refuses it.");
    }
    let entries: Vec<Value> = secrets
        .api_keys(keys, namespace)
        .into_iter()
        .map(|(id, key)| {
            let digest = to_hex(&hmac_sha256::Hash::hash(&key));
            json!({"id": id, "sha256": digest})
        })
        .collect();
    let mut value = Map::new();
    value.insert("from".to_owned(), json!(from));
    value.insert("keys".to_owned(), json!(entries));
    if !keys.is_true("sanitize") {
        value.insert("forward_credentials".to_owned(), json!(true));
    }
    Value::Object(value)
}

/// Names the clauses without a name: rules must have different names, and rules of Envoy Gateway may have none.
fn add_header_rules(clauses: &mut [Clause]) {
    for (number, clause) in clauses.iter_mut().enumerate() {
        if clause.name.is_empty() {
            clause.name = format!("rule-{number}");
        }
    }
}
