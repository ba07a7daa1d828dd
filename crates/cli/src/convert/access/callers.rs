//! Conditions on the caller of a request.

use serde_json::{Map, Value, json};

use super::Caller;
use crate::convert::finding::{At, Findings};
use crate::convert::pointer_part;

/// A text with an optional wildcard at one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Any text that is not empty.
    Any,
    /// Any value, including one that is not a text.
    Present,
    /// This boolean, not a text.
    Boolean(bool),
    Exact(String),
    Prefix(String),
    Suffix(String),
}

/// A set of identities, written as `issuer/subject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub issuer: Text,
    pub subject: Text,
}

/// A condition on the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The caller is one of these, or none of these.
    Identity { any: Vec<Identity>, negated: bool },
    /// A claim of the token, by its selector, has one of these values, or none of these.
    Claim { claim: String, any: Vec<Text>, negated: bool },
    /// The token has one of these scopes.
    Scope(Vec<String>),
    /// The token was verified by this authenticator.
    Authenticator(String),
}

/// A condition on a token of a known authenticator.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    Claim { claim: String, any: Vec<Text>, negated: bool, at: At },
    Scope { any: Vec<String>, at: At },
}

/// Conditions that must all be met; always met if empty.
pub type Conjunction = Vec<Ask>;

/// An element of `authorize`.
pub type Authorization = Map<String, Value>;

/// Maximum number of alternatives; a user would not review more. Further alternatives are dropped, so their tokens are
/// denied.
const MAX_WAYS: usize = 64;

impl Text {
    /// Reads a text in which `*` at one end is a wildcard.
    pub fn wildcard(text: &str) -> Text {
        match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(""), _) => Text::Any,
            (Some(suffix), _) => Text::Suffix(suffix.to_owned()),
            (None, Some(prefix)) => Text::Prefix(prefix.to_owned()),
            (None, None) => Text::Exact(text.to_owned()),
        }
    }

    /// True if the pattern matches `text`.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Text::Any | Text::Present => !text.is_empty(),
            Text::Boolean(_) => false,
            Text::Exact(exact) => text == exact,
            Text::Prefix(prefix) => text.starts_with(prefix),
            Text::Suffix(suffix) => text.ends_with(suffix),
        }
    }

    /// The claim matcher for this text.
    fn matcher(&self) -> Value {
        match self {
            Text::Any | Text::Present => json!({"present": true}),
            Text::Boolean(value) => json!(value),
            Text::Exact(text) => json!(text),
            Text::Prefix(prefix) => json!({"prefix": prefix}),
            Text::Suffix(suffix) => json!({"suffix": suffix}),
        }
    }
}

impl Identity {
    /// Reads `issuer/subject` with wildcards, as Istio does.
    pub fn parse(text: &str) -> Identity {
        let any = || Text::Any;
        match text.rsplit_once('/') {
            None if text == "*" => Identity { issuer: any(), subject: any() },
            // Without a slash, a wildcard at the start belongs to the subject, and one at the end to the issuer.
            None => match (text.strip_prefix('*'), text.strip_suffix('*')) {
                (Some(suffix), _) => Identity { issuer: any(), subject: Text::Suffix(suffix.to_owned()) },
                (None, Some(prefix)) => Identity { issuer: Text::Prefix(prefix.to_owned()), subject: any() },
                (None, None) => {
                    Identity { issuer: Text::Exact(text.to_owned()), subject: Text::Exact(String::new()) }
                }
            },
            Some(("*", subject)) => Identity { issuer: any(), subject: Text::Exact(subject.to_owned()) },
            Some((issuer, subject)) if issuer.starts_with('*') => Identity {
                issuer: Text::Suffix(issuer.get(1..).unwrap_or_default().to_owned()),
                subject: Text::Exact(subject.to_owned()),
            },
            Some((issuer, "*")) => Identity { issuer: Text::Exact(issuer.to_owned()), subject: any() },
            Some((issuer, subject)) => Identity {
                issuer: Text::Exact(issuer.to_owned()),
                subject: match subject.strip_suffix('*') {
                    Some(prefix) => Text::Prefix(prefix.to_owned()),
                    None => Text::Exact(subject.to_owned()),
                },
            },
        }
    }
}

impl Condition {
    /// True if a request without a token meets the condition: such a request has no identity and no claims.
    pub fn holds_without_token(&self) -> bool {
        match self {
            Condition::Identity { negated, .. } | Condition::Claim { negated, .. } => *negated,
            Condition::Scope(_) | Condition::Authenticator(_) => false,
        }
    }
}

/// The conditions on a token of this caller that remain of `conditions`; `None` if no such token can meet them.
pub fn of_token(conditions: &[Condition], caller: &Caller, at: &At) -> Option<Conjunction> {
    let mut asked = Conjunction::new();
    for condition in conditions {
        let ask = match condition {
            Condition::Authenticator(name) if *name == caller.name => continue,
            Condition::Authenticator(_) => return None,
            Condition::Scope(any) => Ask::Scope { any: any.clone(), at: at.clone() },
            // The issuer of a token is that of its authenticator.
            Condition::Claim { claim, any, negated } if claim == "iss" && caller.issuer.is_some() => {
                let issuer = caller.issuer.as_deref().unwrap_or_default();
                match any.iter().any(|text| text.matches(issuer)) != *negated {
                    true => continue,
                    false => return None,
                }
            }
            Condition::Claim { claim, any, negated } => {
                Ask::Claim { claim: claim.clone(), any: any.clone(), negated: *negated, at: at.clone() }
            }
            Condition::Identity { any, negated } => {
                let issuer = caller.issuer.as_deref().unwrap_or_default();
                let fitting = any.iter().filter(|principal| principal.issuer.matches(issuer));
                let subjects: Vec<Text> = fitting.map(|principal| principal.subject.clone()).collect();
                Ask::Claim { claim: "sub".to_owned(), any: subjects, negated: *negated, at: at.clone() }
            }
        };
        match ask {
            // Every accepted token has a subject.
            Ask::Claim { claim, any, negated: true, .. } if claim == "sub" && any.contains(&Text::Any) => {
                return None;
            }
            Ask::Claim { claim, any, .. } if claim == "sub" && any.contains(&Text::Any) => {}
            Ask::Claim { any, negated: false, .. } if any.is_empty() => return None,
            Ask::Claim { any, negated: true, .. } if any.is_empty() => {}
            ask if !asked.contains(&ask) => asked.push(ask),
            _ => {}
        }
    }
    Some(asked)
}

/// Alternatives of which a token meets one exactly if it does not meet the conjunction.
pub fn negated(conjunction: &Conjunction, findings: &Findings) -> Vec<Conjunction> {
    let negated = conjunction.iter().filter_map(|ask| match ask {
        Ask::Claim { claim, any, negated, at } => Some(vec![Ask::Claim {
            claim: claim.clone(),
            any: any.clone(),
            negated: !negated,
            at: at.clone(),
        }]),
        Ask::Scope { any, at } => {
            let what = format!(
                "tokens with the scope {} are denied, which rules cannot express; all tokens are denied",
                any.join(" or ")
            );
            findings.add(at, what, "Allow the scopes that may pass instead, with `any_scope`.");
            None
        }
    });
    negated.collect()
}

/// All combinations of one alternative of `first` and one of `second`.
pub fn both(first: &[Conjunction], second: &[Conjunction]) -> Vec<Conjunction> {
    let mut all = Vec::new();
    for a in first {
        for b in second {
            let mut joined = a.clone();
            joined.extend(b.iter().filter(|ask| !a.contains(ask)).cloned());
            all.push(joined);
        }
    }
    all.truncate(MAX_WAYS);
    all
}

/// Removes duplicates. If one alternative is always met, it is the only one that remains.
pub fn simplified(alternatives: Vec<Conjunction>) -> Vec<Conjunction> {
    if alternatives.iter().any(Vec::is_empty) {
        return vec![Vec::new()];
    }
    let mut simple: Vec<Conjunction> = Vec::new();
    for conjunction in alternatives {
        if !simple.contains(&conjunction) {
            simple.push(conjunction);
        }
    }
    simple.truncate(MAX_WAYS);
    simple
}

/// Writes a conjunction as an element of `authorize`; `None` if that is not possible.
pub fn authorization(conjunction: &Conjunction, findings: &Findings) -> Option<Authorization> {
    let (mut claims, mut scopes, mut any_scope) = (Map::new(), Vec::new(), None);
    for ask in conjunction {
        match ask {
            Ask::Claim { claim, any, negated, at } => {
                let mut texts = any.clone();
                if *negated && claim != "sub" && claim != "iss" {
                    let what = format!(
                        "the original allows tokens without the claim `{claim}`; authgate denies them"
                    );
                    findings.add(
                        at,
                        what,
                        "Check that every token has this claim, or write the rule by hand.",
                    );
                }
                if *negated && texts.contains(&Text::Any)
                    || !*negated && texts.contains(&Text::Any) && claim != "sub"
                {
                    return None;
                }
                texts.dedup();
                let mut matchers: Vec<Value> = texts.iter().map(Text::matcher).collect();
                let one = if matchers.len() == 1 { matchers.pop() } else { None };
                let matcher = one.unwrap_or_else(|| json!(matchers));
                let matcher = if *negated { json!({"not": matcher}) } else { matcher };
                let Some(name) = free_selector(&claims, claim) else {
                    let what = format!("these policies have too many conditions on the claim `{claim}`");
                    findings.add(at, what, "Write the rule by hand.");
                    return None;
                };
                claims.insert(name, matcher);
            }
            Ask::Scope { any, at } => match (any.as_slice(), &any_scope) {
                ([one], _) => scopes.push(json!(one)),
                (_, None) => any_scope = Some(json!(any)),
                _ => {
                    findings.add(
                        at,
                        "these policies combine conditions on scopes in a way that rules cannot express",
                        "Write the rule by hand.",
                    );
                    return None;
                }
            },
        }
    }
    if claims.is_empty() && scopes.is_empty() && any_scope.is_none() {
        claims.insert("sub".to_owned(), json!({"present": true}));
    }
    let mut authorization = Authorization::new();
    if !claims.is_empty() {
        authorization.insert("claims".to_owned(), Value::Object(claims));
    }
    if !scopes.is_empty() {
        authorization.insert("scopes".to_owned(), json!(scopes));
    }
    if let Some(any_scope) = any_scope {
        authorization.insert("any_scope".to_owned(), any_scope);
    }
    Some(authorization)
}

/// An unused selector for a claim: a claim at the top level can be selected by its name and by a JSON Pointer.
fn free_selector(claims: &Map<String, Value>, claim: &str) -> Option<String> {
    let alias = match claim.strip_prefix('/') {
        None => Some(pointer_part(claim)),
        Some(_) => None,
    };
    std::iter::once(claim.to_owned()).chain(alias).find(|name| !claims.contains_key(name))
}
