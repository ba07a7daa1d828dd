//! Lints: warnings about valid but risky configurations.

mod callers;
mod issuer;
mod mcp;

use std::collections::BTreeSet;

use authgate::config::path::ConfigPath;
use authgate::config::value::Secret;
use authgate::config::{Authenticator, Config, Encoding, Keys, SecretKey};
use authgate::http::path::PathInterpretations;
use authgate::jose::jwk::Algorithm;
use authgate::policy::rules::{MatchSpec, Methods, PathPattern, Target};
use authgate::policy::{self, Access, Policy, Rule};
use serde_json::Value;

/// A warning about a configuration.
pub struct Lint {
    /// The stable code of the warning.
    pub code: &'static str,
    /// The path in the configuration.
    pub path: String,
    /// The consequence and the remedy.
    pub message: String,
}

/// Returns all warnings. `environment` returns the variables that are set.
pub fn lints(
    value: &Value,
    config: &Config,
    policy: &Policy,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<Lint> {
    let mut lints = Lints { config, policy, specs: specs(config), found: Vec::new() };
    lints.tokens(environment);
    lints.unused_authenticators();
    lints.ambiguous_subject();
    lints.hidden_rules();
    lints.public_everything();
    lints.optional_everywhere();
    lints.found.extend(issuer::lints(config));
    lints.found.extend(callers::lints(config, policy));
    let skipping = mcp::lints(policy, &lints.specs);
    lints.found.extend(skipping);
    lints.unlisted_methods();
    lints.shadow(value);
    lints.found
}

/// The match of each rule; a rule without `match` matches every request.
fn specs(config: &Config) -> Vec<Vec<MatchSpec>> {
    let every = || vec![MatchSpec::new(PathPattern::any(), Methods::All, Vec::new(), Vec::new())];
    let specs = policy::matches(config).into_iter();
    specs.map(|specs| if specs.is_empty() { every() } else { specs }).collect()
}

struct Lints<'a> {
    config: &'a Config,
    policy: &'a Policy,
    specs: Vec<Vec<MatchSpec>>,
    found: Vec<Lint>,
}

impl Lints<'_> {
    fn note(&mut self, code: &'static str, path: String, message: String) {
        self.found.push(Lint { code, path, message });
    }

    fn tokens(&mut self, environment: &dyn Fn(&str) -> Option<String>) {
        for (name, authenticator) in &self.config.authenticators.0 {
            let (scheme, any_audience) = match authenticator {
                Authenticator::Jwt(jwt) => ("jwt", jwt.any_audience),
                Authenticator::Introspection(asked) => ("introspection", asked.any_audience),
                _ => continue,
            };
            let at = ConfigPath::Root.member("authenticators");
            let at = at.member(name);
            let at = at.member(scheme);
            if any_audience {
                let message = "tokens that the issuer created for other services are accepted too; list the audience \
                               of this service in `audiences`";
                self.note("any-audience", at.member("any_audience").to_string(), message.to_owned());
            }
            let Authenticator::Jwt(jwt) = authenticator else { continue };
            let Keys::Secret(keys) = &jwt.keys else { continue };
            for (index, key) in keys.0.iter().enumerate() {
                if let Some(message) = short_secret(key, environment) {
                    let at = at.member("keys");
                    let at = at.member("secret");
                    let at = at.element(index, keys.0.len());
                    self.note("short-secret", at.member("value").to_string(), message);
                }
            }
        }
    }

    fn unused_authenticators(&mut self) {
        let used = self.used();
        for (at, authenticator) in self.policy.authenticators.iter().enumerate() {
            if !used.contains(&at) {
                let path = ConfigPath::Root.member("authenticators").member(&authenticator.name).to_string();
                self.note("unused-authenticator", path, "no rule requires this authenticator".to_owned());
            }
        }
    }

    /// The authenticators that rules require.
    fn used(&self) -> BTreeSet<usize> {
        let protections = self.policy.rules.iter().filter_map(|rule| match &rule.access {
            Access::Protected(protection) => Some(protection),
            Access::Public | Access::Denied => None,
        });
        protections.flat_map(|protection| protection.members.iter().map(|id| id.index())).collect()
    }

    fn ambiguous_subject(&mut self) {
        let Some(headers) = &self.config.identity.headers else { return };
        let says = |what: &str| headers.0.iter().find(|(_, template)| template.contains(what));
        if let (Some((name, _)), None, true) =
            (says("{subject}"), says("{authenticator}"), self.used().len() > 1)
        {
            let message = "several authenticators may have a subject of this name; also send the authenticator \
                           upstream, for example `x-auth-by: \"{authenticator}\"`";
            let path = ConfigPath::Root.member("identity").member("headers").member(name).to_string();
            self.note("ambiguous-subject", path, message.to_owned());
        }
    }

    fn hidden_rules(&mut self) {
        for (at, specs) in self.specs.iter().enumerate() {
            let hiding = |spec: &MatchSpec| {
                self.specs
                    .iter()
                    .take(at)
                    .position(|earlier| earlier.iter().any(|other| other.subsumes(spec)))
            };
            let hiding: Option<BTreeSet<usize>> = specs.iter().map(hiding).collect();
            let Some(hiding) = hiding.filter(|hiding| !hiding.is_empty()) else { continue };
            let names: Vec<String> = hiding.into_iter().map(|at| self.named(at)).collect();
            let message = format!(
                "this rule never applies: everything that it matches is decided by {}",
                names.join(" and ")
            );
            self.found.push(Lint { code: "hidden-rule", path: format!("rules[{at}]"), message });
        }
    }

    fn named(&self, at: usize) -> String {
        let name = self.policy.rules.get(at).map_or("?", |rule| rule.name.as_str());
        format!("\"{name}\" (rules[{at}])")
    }

    fn public_everything(&mut self) {
        for (at, (rule, specs)) in self.policy.rules.iter().zip(&self.specs).enumerate() {
            let takes_all = |spec: &MatchSpec| {
                spec.matches_every_path()
                    && spec.mcp().is_none()
                    && spec.example_host().is_none()
                    && spec.example_source().is_none()
                    && (spec.methods().contains(b"GET") || spec.methods().contains(b"POST"))
            };
            if matches!(rule.access, Access::Public) && specs.iter().any(takes_all) {
                let message = "requests that no earlier rule matches are allowed without credentials";
                self.found.push(Lint {
                    code: "public-everything",
                    path: format!("rules[{at}].public"),
                    message: message.to_owned(),
                });
            }
        }
    }

    /// Warns if every rule that requires credentials is optional.
    fn optional_everywhere(&mut self) {
        let mut optional = Vec::new();
        for (at, rule) in self.policy.rules.iter().enumerate() {
            match &rule.access {
                Access::Protected(protection) if protection.optional => optional.push(at),
                Access::Protected(_) => return,
                Access::Public | Access::Denied => {}
            }
        }
        if let Some(first) = optional.first() {
            let message = "every rule that requires credentials is optional, so requests without credentials are allowed; \
                           remove `optional` from rules that must authenticate clients";
            self.note("optional-everywhere", format!("rules[{first}].optional"), message.to_owned());
        }
    }

    /// Warns about rules that list some methods that write, if a later rule with weaker requirements matches the
    /// others.
    fn unlisted_methods(&mut self) {
        for (at, (rule, specs)) in self.policy.rules.iter().zip(&self.specs).enumerate() {
            for (number, spec) in specs.iter().enumerate() {
                let lists_some = matches!(spec.methods(), Methods::Only(_));
                // An MCP client sends POST only.
                if !lists_some
                    || spec.mcp().is_some()
                    || !WRITING.iter().any(|method| spec.methods().contains(method.as_bytes()))
                {
                    continue;
                }
                let unlisted = WRITING.iter().filter(|method| !spec.methods().contains(method.as_bytes()));
                let weaker = unlisted.filter_map(|method| {
                    let other = self.decides(spec, method)?;
                    (strength(other) < strength(rule)).then_some((*method, other.number))
                });
                let weaker: Vec<(&str, usize)> = weaker.collect();
                let Some((_, other)) = weaker.first() else { continue };
                let methods: Vec<&str> = weaker.iter().map(|(method, _)| *method).collect();
                let message = format!(
                    "{} on the same path is decided by {}, which has weaker requirements; `except_methods: [GET, HEAD, \
                     OPTIONS]` matches every method that writes",
                    methods.join(" and "),
                    self.named(*other),
                );
                let index = if specs.len() == 1 { String::new() } else { format!("[{number}]") };
                let path = format!("rules[{at}].match{index}.methods");
                self.found.push(Lint { code: "unlisted-methods", path, message });
            }
        }
    }

    /// The rule that decides a request that `spec` matches, except for its method.
    fn decides(&self, spec: &MatchSpec, method: &str) -> Option<&Rule> {
        let path = spec.example_path()?;
        let interpretations = PathInterpretations::of(path.as_bytes()).ok()?;
        let host = spec.example_host();
        let target = Target {
            method: method.as_bytes(),
            host: host.as_ref(),
            peer: spec.example_source(),
            interpretations: &interpretations,
            mcp: None,
        };
        self.policy.rules.get(self.policy.index.select(&target).ok()??.index())
    }

    /// Warns about each rule in shadow mode, with its position. The warning of the core does not name the rule.
    fn shadow(&mut self, value: &Value) {
        let is_shadow = |value: &Value| value.get("shadow") == Some(&Value::Bool(true));
        let message = "in shadow mode denials are only counted and logged, and every request is allowed";
        let rules = value.get("rules").and_then(Value::as_array).into_iter().flatten();
        for (at, _) in rules.enumerate().filter(|(_, rule)| is_shadow(rule)) {
            self.note("shadow", format!("rules[{at}].shadow"), message.to_owned());
        }
    }
}

const WRITING: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];

/// The strength of the requirements of a rule.
fn strength(rule: &Rule) -> u8 {
    match &rule.access {
        Access::Denied => 4,
        Access::Protected(protection) if protection.optional => 1,
        Access::Protected(protection) if protection.authorizations.is_empty() => 2,
        Access::Protected(_) => 3,
        Access::Public => 0,
    }
}

/// Returns a message if a textual secret has fewer bits than its algorithm. A text with as many characters as the hash
/// has bytes satisfies [RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2), but is easier to guess,
/// because a character has fewer than eight bits.
fn short_secret(key: &SecretKey, environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = match &key.value {
        Secret::Inline(text) => text.clone(),
        Secret::Environment(name) => environment(name)?,
    };
    let wanted = match Algorithm::from_name(&key.algorithm)? {
        Algorithm::HS256 => 256.0,
        Algorithm::HS384 => 384.0,
        Algorithm::HS512 => 512.0,
        _ => return None,
    };
    if key.encoding != Encoding::Utf8 {
        return None;
    }
    let is_hex = text.chars().all(|letter| letter.is_ascii_hexdigit());
    let classes = [
        (10, text.contains(|letter: char| letter.is_ascii_digit())),
        (if is_hex { 6 } else { 26 }, text.contains(|letter: char| letter.is_ascii_lowercase())),
        (if is_hex { 6 } else { 26 }, text.contains(|letter: char| letter.is_ascii_uppercase())),
        (32, !text.chars().all(|letter| letter.is_ascii_alphanumeric())),
    ];
    let alphabet: u32 = classes.into_iter().filter(|(_, is_used)| *is_used).map(|(size, _)| size).sum();
    let bits = text.chars().count() as f64 * f64::from(alphabet.max(2)).log2();
    (bits < wanted).then(|| {
        format!(
            "{} characters of these kinds have at most {bits:.0} bits, and {} requires {wanted}; `openssl rand -base64 \
             {}` generates a secret (`encoding: base64`)",
            text.chars().count(),
            key.algorithm,
            wanted / 8.0,
        )
    })
}
