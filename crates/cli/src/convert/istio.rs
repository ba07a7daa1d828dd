//! RequestAuthentication and AuthorizationPolicy of Istio.
//!
//! Istio denies a request that a DENY policy matches. If there are ALLOW policies, it then denies a request that none
//! of them matches. Both become clauses of [`super::access`]. Each selection of workloads has a separate output with
//! all policies that apply to these workloads. Policies in dry-run mode have a separate output in shadow mode.

mod authentication;
mod authorization;
mod selection;

use std::collections::BTreeSet;

use serde_json::json;

pub use authentication::{header_place, host_and_port};

use self::authentication::Authenticator;
use self::authorization::Rule;
use self::selection::{Applies, Selection};
use super::access::{self, Caller, Condition, Effect, Identity, Policy, Text};
use super::document::Node;
use super::finding::{At, Findings};
use super::label;
use super::message::{self, File, Message};
use super::output::Output;

/// A Kubernetes resource of the input.
pub struct Resource<'a> {
    pub file: File<'a>,
    pub node: &'a Node,
}

impl Resource<'_> {
    /// A member of `metadata`.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.node.get("metadata")?.get(name)?.text()
    }

    pub fn kind(&self) -> &str {
        self.node.get("kind").and_then(Node::text).unwrap_or_default()
    }

    /// The name of the resource in comments.
    pub fn title(&self) -> String {
        let name = self.metadata("name").unwrap_or("without a name");
        match self.metadata("namespace") {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind()),
            None => format!("{} {name}", self.kind()),
        }
    }

    pub fn at(&self) -> At {
        message::place(&self.file, self.node.span.start)
    }

    pub fn spec(&self) -> Option<Message<'_>> {
        self.node.get("spec").map(|spec| Message::new(&self.file, spec, "spec"))
    }

    fn is_dry_run(&self) -> bool {
        let annotations = self.node.get("metadata").and_then(|metadata| metadata.get("annotations"));
        annotations.and_then(|all| all.get("istio.io/dry-run")).and_then(Node::text) == Some("true")
    }
}

/// The contents of a resource.
struct Read {
    title: String,
    at: At,
    selections: Vec<Selection>,
    authenticators: Vec<Authenticator>,
    rules: Vec<Rule>,
    action: Action,
    is_dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Authenticate,
    Custom,
    Deny,
    Allow,
    Audit,
}

/// Converts all policies of the input together. `services` are the hosts that ServiceEntries name.
pub fn convert(resources: &[Resource<'_>], services: &[String], findings: &Findings) -> Vec<Output> {
    let read: Vec<Read> = resources.iter().map(|resource| resource.read(services)).collect();
    let mut outputs = Vec::new();
    for dry_run in [false, true] {
        let is_of = |policy: &&Read| policy.is_dry_run == dry_run || policy.action == Action::Authenticate;
        let policies: Vec<&Read> = read.iter().filter(is_of).collect();
        if dry_run && !policies.iter().any(|policy| policy.is_dry_run) {
            continue;
        }
        if !dry_run && policies.is_empty() {
            continue;
        }
        let selections = policies.iter().filter(|policy| !dry_run || policy.is_dry_run);
        let selections = selections.flat_map(|policy| policy.selections.iter().cloned());
        let Some(groups) = selection::groups(selections) else {
            let what = "these policies select workloads in too many ways";
            if let Some(first) = policies.first() {
                findings.add(&first.at, what, "Convert the policies of each workload by themselves.");
                let mut output = Output::from(first.at.clone());
                output.deny_all(&[what.to_owned()]);
                outputs.push(output);
            }
            continue;
        };
        for group in groups {
            let mut output = convert_group(&group, &policies, findings);
            if dry_run {
                output.head.push("dry run: load this as a plugin of its own, before the other".to_owned());
                output.more.push(("shadow", json!(true)));
            }
            outputs.push(output);
        }
    }
    outputs
}

impl Resource<'_> {
    fn read(&self, services: &[String]) -> Read {
        let mut read = Read {
            title: self.title(),
            at: self.at(),
            selections: Vec::new(),
            authenticators: Vec::new(),
            rules: Vec::new(),
            action: Action::Authenticate,
            is_dry_run: false,
        };
        let spec = self.spec();
        read.selections = Selection::read(self.metadata("namespace"), spec.as_ref());
        let has_service = |host: &str| {
            services.iter().any(|known| {
                known == host || known.strip_prefix('*').is_some_and(|below| host.ends_with(below))
            })
        };
        if self.kind() == "RequestAuthentication" {
            let rules = spec.as_ref().map(|spec| spec.messages("jwtRules")).unwrap_or_default();
            read.authenticators =
                rules.into_iter().map(|rule| authentication::authenticator(rule, &has_service)).collect();
            return read;
        }
        read.is_dry_run = self.is_dry_run();
        let action = spec.as_ref().and_then(|spec| spec.filled("action")).unwrap_or("ALLOW");
        read.action = match action {
            "ALLOW" => Action::Allow,
            "DENY" => Action::Deny,
            "AUDIT" => Action::Audit,
            _ => Action::Custom,
        };
        let Some(spec) = spec else { return read };
        if read.action == Action::Audit {
            spec.skip(&["rules"]);
            return read;
        }
        let is_custom = read.action == Action::Custom;
        if is_custom {
            spec.skip(&["provider"]);
            let what = format!("is {action}: another service decides about these requests");
            let advice = "Keep the policy, or write rules in place of what its provider decides.";
            spec.finding_at("action", &what, advice);
        }
        let effect = if read.action == Action::Allow { Effect::Allow } else { Effect::Deny };
        let name = self.metadata("name").unwrap_or("policy");
        let rules = spec.messages("rules");
        let is_single = rules.len() == 1;
        for (number, rule) in rules.into_iter().enumerate() {
            let name = if is_single { label(name) } else { label(&format!("{name}-{number}")) };
            read.rules.extend(authorization::clauses(rule, &name, effect));
        }
        if is_custom {
            for rule in &mut read.rules {
                rule.clause.lost.push(format!("the action of {} is {action}", read.title));
            }
        }
        read
    }
}

fn convert_group(group: &Selection, all: &[&Read], findings: &Findings) -> Output {
    let mut unclear = Vec::new();
    let mut policies: Vec<&Read> = Vec::new();
    for policy in all {
        let applies: Vec<Applies> =
            policy.selections.iter().map(|selection| selection.applies_to(group)).collect();
        if applies.contains(&Applies::Yes) {
            policies.push(policy);
        } else if applies.contains(&Applies::Perhaps) {
            let what = format!("the input does not say whether {} applies to {group}", policy.title);
            findings.add(
                &policy.at,
                what.clone(),
                "Give it `targetRefs` of its own, or convert the policies apart.",
            );
            unclear.push(what);
        }
    }
    let at = policies.first().map(|policy| policy.at.clone());
    let mut output = Output { at, ..Output::default() };
    let titles: Vec<&str> = policies.iter().map(|policy| policy.title.as_str()).collect();
    output.head.push(format!("for {group}, from {}", titles.join(", ")));
    output.head.push(
        "stricter than Istio: a token needs a subject and is in one location only; a path with several \
         interpretations for which rules differ is rejected; where requests without a token are allowed, those with \
         other credentials are denied"
            .to_owned(),
    );
    let has_authentication = all.iter().any(|policy| policy.action == Action::Authenticate);
    let mut callers = Vec::new();
    let mut refused = Vec::new();
    let mut spaced = Vec::new();
    let mut headers: Vec<(String, String, String)> = Vec::new();
    for authenticator in policies.iter().flat_map(|policy| &policy.authenticators) {
        let name = format!("jwt-{}", callers.len());
        let mut part = authenticator.part.clone();
        part.name = name.clone();
        let fields = authenticator.headers.iter();
        headers.extend(fields.map(|(header, what)| (header.clone(), name.clone(), what.clone())));
        spaced.extend(authenticator.spaced.iter().cloned());
        if !authenticator.lost.is_empty() {
            refused.push((name.clone(), authenticator.lost.clone()));
        }
        callers.push(Caller::new(&part, Some(authenticator.issuer.clone())));
        output.authenticators.push(part);
    }
    set_headers(&mut output, &headers, findings);
    let mut rules: Vec<Rule> = Vec::new();
    for action in [Action::Custom, Action::Deny, Action::Allow] {
        let of_action = policies.iter().filter(|policy| policy.action == action);
        rules.extend(of_action.flat_map(|policy| policy.rules.iter().cloned()));
    }
    separate_addresses(&mut rules, findings, &mut output);
    if rules.iter().any(|rule| rule.clause.region.iter().any(|part| part.atoms().any(is_host))) {
        output.head.push("the port of the authority is ignored, so a host matches all its ports".to_owned());
    }
    for rule in &mut rules {
        check_callers(rule, has_authentication, &callers, findings);
    }
    let scope_claim = convert_scopes(&mut rules, &spaced, findings);
    if let Some(claim) = scope_claim {
        for part in &mut output.authenticators {
            if let Some(jwt) = part.value.get_mut("jwt") {
                super::put(jwt, "scope_claims", json!([claim]));
            }
        }
    }
    for policy in policies.iter().filter(|policy| policy.action == Action::Audit) {
        output.head.push(format!("{} is not converted: AUDIT decides nothing", policy.title));
    }
    let has_allow = policies.iter().any(|policy| policy.action == Action::Allow);
    let policy = Policy {
        callers,
        anonymous: true,
        with: Vec::new(),
        stages: Vec::new(),
        clauses: rules.into_iter().map(|rule| rule.clause).collect(),
        otherwise: if has_allow { Effect::Deny } else { Effect::Allow },
    };
    access::compile(policy, findings, &mut output);
    for (name, reasons) in refused {
        output.refuse(&name, &reasons);
        // Its tokens would count as anonymous where other authenticators are optional.
        output.deny_all(&reasons);
    }
    if !unclear.is_empty() {
        output.deny_all(&unclear);
    }
    output
}

fn is_host(atom: &super::space::Atom) -> bool {
    matches!(atom, super::space::Atom::Host(_))
}

/// Writes `identity.headers`. If several authenticators fill one header, the one that accepts the request fills it.
fn set_headers(output: &mut Output, headers: &[(String, String, String)], findings: &Findings) {
    for (header, name, what) in headers {
        let kinds: BTreeSet<&String> =
            headers.iter().filter(|(other, ..)| other == header).map(|(.., what)| what).collect();
        let count = headers.iter().filter(|(other, ..)| other == header).count();
        if kinds.len() > 1 {
            let at = output.at.clone();
            let what = format!("the header `{header}` gets different claims from different issuers");
            if let Some(at) = at {
                findings.add(&at, what, "Give each issuer a header of its own.");
            }
            continue;
        }
        let template = if count > 1 { format!("{{{what}}}") } else { format!("{{{name}.{what}}}") };
        output.headers.insert(header.clone(), json!(template));
    }
}

/// Drops conditions on the peer if policies distinguish it from the client, since rules match only one address.
fn separate_addresses(rules: &mut [Rule], findings: &Findings, output: &mut Output) {
    let sees_client = rules.iter().any(|rule| rule.sees_client);
    for rule in rules.iter_mut().filter(|rule| rule.sees_peer) {
        if sees_client {
            findings.add(&rule.clause.at, authorization::BOTH_ADDRESSES, authorization::BOTH_ADVICE);
            rule.clause.lost.push(authorization::BOTH_ADDRESSES.to_owned());
            if let Some(constraint) = rule.clause.region.get_mut(2) {
                *constraint = super::space::Constraint::default();
            }
        } else {
            let note = "`ipBlocks` and `source.ip` are the peer of the connection; `sources` is the client address \
                        that Envoy determined: the same unless the proxy trusts `x-forwarded-for`, as a sidecar does";
            if !output.head.iter().any(|known| known == note) {
                output.head.push(note.to_owned());
            }
        }
    }
}

/// Finds conditions on tokens that no RequestAuthentication of the input accepts.
fn check_callers(rule: &mut Rule, has_authentication: bool, callers: &[Caller], findings: &Findings) {
    let clause = &mut rule.clause;
    if clause.who.is_empty() {
        return;
    }
    if !has_authentication {
        let what = "this requires a token, and the input has no RequestAuthentication";
        findings.add(&clause.at, what, "Convert it together with the RequestAuthentication.");
        clause.lost.push(what.to_owned());
        return;
    }
    let is_known = |principal: &Identity| {
        let issuer = |caller: &Caller| {
            let issuer = caller.issuer.as_deref().unwrap_or_default();
            principal.issuer == Text::Any || principal.issuer.matches(issuer)
        };
        callers.is_empty() || callers.iter().any(issuer)
    };
    for condition in &clause.who {
        if let Condition::Identity { any, negated } = condition
            && !any.iter().all(is_known)
        {
            let what =
                "this names a principal whose issuer no RequestAuthentication for these workloads accepts";
            findings.add(
                &clause.at,
                what,
                "Add its `jwtRules`, or remove the principal: no caller matches it.",
            );
            // The condition matches no caller, so it allows nobody. If it is meant to exclude callers, it would exclude
            // none, so the clause denies all.
            if clause.effect == Effect::Deny || *negated {
                clause.lost.push(what.to_owned());
            }
        }
    }
}

/// Converts conditions on claims that are lists of words to scopes, and returns the claim that contains them.
fn convert_scopes(rules: &mut [Rule], spaced: &[String], findings: &Findings) -> Option<String> {
    let mut used: Option<String> = None;
    for rule in rules {
        let clause = &mut rule.clause;
        for condition in &mut clause.who {
            let Condition::Claim { claim, any, negated } = condition else { continue };
            if !authorization::is_spaced(claim, spaced) {
                continue;
            }
            let words: Option<Vec<String>> = any
                .iter()
                .map(|text| match text {
                    Text::Exact(word) if !word.contains(' ') && !word.is_empty() => Some(word.clone()),
                    _ => None,
                })
                .collect();
            match words {
                Some(words) if !*negated && used.as_ref().is_none_or(|used| used == claim) => {
                    used = Some(claim.clone());
                    *condition = Condition::Scope(words);
                }
                _ => {
                    let what = format!(
                        "this is a condition on the words in the claim `{claim}` that rules cannot express"
                    );
                    findings.add(
                        &clause.at,
                        what.clone(),
                        "Rules can match whole words of one such claim, with `any_scope`.",
                    );
                    clause.lost.push(what);
                }
            }
        }
    }
    used
}
