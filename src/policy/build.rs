//! Builds a policy from a configuration, and reports all of its errors.

mod authenticators;
mod authorization;
mod denials;
mod matching;
mod operation;
mod protected_resource;
mod requirement;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

pub use matching::matches;

use super::requirement::Requirement;
use super::rules::RuleIndex;
use super::{Access, Policy, Protection, Rule};
use crate::authn::Authenticator;
use crate::config::reader::member;
use crate::config::shape::Named;
use crate::config::value::Secret;
use crate::config::{self, Config, ConfigError, ConfigErrorKind, CorsPreflight};
use crate::http::challenge::Realm;
use crate::http::header_name::{HeaderNames, canonical};
use crate::http::location::CredentialLocation;
use crate::jose::jwk::KeyError;
use crate::password::HashScheme;
use crate::policy::identity::{IdentityFields, Template, TemplateError, identity_name, removable_name};

/// Maximum number of names in one warning.
const MOST_NAMED: usize = 20;

/// A policy, with warnings.
pub struct Built {
    /// The policy.
    pub policy: Policy,
    /// Warnings for the log.
    pub warnings: Vec<Warning>,
}

/// A warning: the configuration is valid, but should be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Path in the configuration.
    pub path: String,
    /// Kind of warning.
    pub kind: WarningKind,
}

/// Kinds of warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarningKind {
    /// Number of passwords whose hashes are fast to guess.
    WeakHashes(usize),
    /// A member of a key set is ignored for this reason.
    IgnoredKey(KeyError),
    /// Number of users with MD5 digests only, in an authenticator that has no others.
    Md5Digests(usize),
    /// Rules in shadow mode, which are not enforced.
    NotEnforced {
        /// Names of rules, and other things that are not enforced.
        what: String,
        /// Number of further rules.
        more: usize,
    },
    /// Number of users with MD5 digests only, in an authenticator that offers SHA-256 first.
    UnreachableDigests(usize),
    /// Tokens may be bound to keys, but no proofs can be checked.
    NoProofs,
    /// The passwords of one authenticator have hashes of these different kinds and costs.
    MixedHashes(Vec<(HashScheme, u64)>),
    /// Number of passwords with slow hashes, without throttling.
    Unthrottled(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.kind {
            WarningKind::WeakHashes(count) => write!(
                f,
                "{count} password(s) in plain text or with {{SHA}}, {{SSHA}} or $apr1$ hashes, which are fast to guess; \
                 make new ones with `authgate hash`"
            ),
            WarningKind::IgnoredKey(error) => write!(f, "this key is ignored: {error}"),
            WarningKind::Md5Digests(count) => {
                write!(f, "{count} user(s) with MD5 digests, and MD5 is broken; add SHA-256 digests")
            }
            WarningKind::NotEnforced { what, more } => {
                write!(f, "NOT ENFORCED, requests are allowed whatever is decided: {what}")?;
                if *more > 0 { write!(f, ", and {more} more") } else { Ok(()) }
            }
            WarningKind::UnreachableDigests(count) => write!(
                f,
                "{count} user(s) with MD5 digests only, who can log in only with clients that do not support SHA-256; \
                 add SHA-256 digests"
            ),
            WarningKind::NoProofs => f.write_str(
                "without `dpop: {origin: …}` tokens that are bound to a key are rejected, and only those that are bound \
                 to a certificate are accepted",
            ),
            WarningKind::MixedHashes(kinds) => {
                f.write_str("the users' hashes differ in kind or cost: ")?;
                for (at, (scheme, cost)) in kinds.iter().take(MOST_NAMED).enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{scheme}")?;
                    if *cost > 1 {
                        write!(f, " (cost {cost})")?;
                    }
                }
                f.write_str(
                    "; the time of a check reveals which kind a user has; use one kind and one cost for all",
                )
            }
            WarningKind::Unthrottled(count) => write!(
                f,
                "{count} password(s) have slow hashes, and guessing is not throttled, so wrong passwords can use up the \
                 time for hashes (`slow_hashes`); add `throttle: {{}}`"
            ),
        }
    }
}

/// Builds a policy. `environment` looks up the variables of `{env: NAME}`.
///
/// # Errors
/// Returns all errors of the configuration.
pub fn build(
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Built, Vec<ConfigError>> {
    let mut builder = Builder::new(config, environment);
    let policy = builder.policy(config);
    if builder.errors.is_empty() {
        Ok(Built { policy, warnings: builder.warnings })
    } else {
        Err(builder.errors)
    }
}

/// State of a build. Errors are recorded and the build continues, so that all are found.
pub(super) struct Builder<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<Warning>,
    /// Names of all authenticators, including those with errors.
    pub(super) declared: Vec<String>,
    /// Number of passwords with slow hashes.
    pub(super) slow_users: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(config: &Config, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let declared = config.authenticators.0.iter().map(|(name, _)| name.clone()).collect();
        Builder { environment, errors: Vec::new(), warnings: Vec::new(), declared, slow_users: 0 }
    }
}

impl Builder<'_> {
    pub(super) fn error(&mut self, path: impl Into<String>, kind: ConfigErrorKind) {
        self.errors.push(ConfigError::new(path, kind));
    }

    pub(super) fn invalid(&mut self, path: impl Into<String>, cause: &dyn fmt::Display) {
        self.errors.push(ConfigError::invalid(path, cause));
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, kind: WarningKind) {
        self.warnings.push(Warning { path: path.into(), kind });
    }

    /// Returns the value, or records the error.
    pub(super) fn checked<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.invalid(path, &error)).ok()
    }

    /// Returns a secret, from the configuration or the environment.
    pub(super) fn secret<'s>(&mut self, path: &str, secret: &'s Secret) -> Option<Cow<'s, str>> {
        let name = match secret {
            Secret::Inline(text) => return Some(Cow::Borrowed(text)),
            // A text that cannot be a name may be the secret itself, so it is not shown.
            Secret::Environment(name) if !is_label(name) => {
                let expected = "the name of an environment variable, of letters, digits, `_`, `-` and `.`";
                self.error(format!("{path}.env"), ConfigErrorKind::Expected(expected));
                return None;
            }
            Secret::Environment(name) => name,
        };
        let value = (self.environment)(name);
        // Secrets that are read from files end in a newline.
        let value = value.map(|value| match value.strip_suffix('\n') {
            Some(line) => line.strip_suffix('\r').unwrap_or(line).to_owned(),
            None => value,
        });
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() {
            self.error(path, ConfigErrorKind::NoEnvironmentVariable(name.clone()));
        }
        value.map(Cow::Owned)
    }

    pub(super) fn realm(&mut self, path: &str, own: Option<&String>, default: &Realm) -> Realm {
        let own = own.and_then(|realm| self.checked(&member(path, "realm"), Realm::new(realm)));
        own.unwrap_or_else(|| default.clone())
    }

    fn policy(&mut self, config: &Config) -> Policy {
        let realm = self.realm("", config.realm.as_ref(), &Realm::default());
        let authenticators = self.authenticators(&config.authenticators, &realm);
        let specs = self.matches(&config.rules.0);
        let rules = self.rules(config, &authenticators);
        let identity = self.identity(&config.identity, &authenticators);
        let denials = self.denials(&config.denials);
        let locations = authenticators.iter().flat_map(|authenticator| authenticator.scheme.locations());
        let token_parameters = locations
            .filter_map(|location| match location {
                CredentialLocation::Query(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let credential_headers = authenticators.iter().flat_map(|authenticator| {
            let scheme = &authenticator.scheme;
            scheme.locations().iter().chain(scheme.proof_locations()).map(CredentialLocation::header)
        });
        let credential_headers = HeaderNames::new(credential_headers.flatten());
        let limits = self.limits(config);
        if self.slow_users > 0 && limits.throttle.is_none() {
            self.warn("throttle", WarningKind::Unthrottled(self.slow_users));
        }
        let resources = self.protected_resources(config.protected_resource.as_ref());
        let allow_preflight = config.cors_preflight == CorsPreflight::Allow;
        Policy {
            index: RuleIndex::new(specs),
            rules,
            identity,
            metrics: config.telemetry.metrics,
            is_shadowed: config.shadow,
            filter_state: config.telemetry.filter_state.0.clone(),
            denials,
            resources,
            allow_preflight,
            limits,
            token_parameters,
            credential_headers,
            authenticators,
        }
    }

    fn rules(&mut self, config: &Config, authenticators: &[Authenticator]) -> Vec<Rule> {
        let rules = &config.rules.0;
        if rules.is_empty() {
            self.error("rules", ConfigErrorKind::Expected("at least one rule"));
        }
        let mut names = HashSet::new();
        let mut built = Vec::with_capacity(rules.len());
        for (at, rule) in rules.iter().enumerate() {
            let path = format!("rules[{at}]");
            let name = rule.name.clone().unwrap_or_else(|| format!("rule-{at}"));
            if !is_label(&name) {
                let expected = "a name of letters, digits, `-`, `_` and `.`";
                self.error(format!("{path}.name"), ConfigErrorKind::Expected(expected));
            } else if !names.insert(name.clone()) {
                self.error(format!("{path}.name"), ConfigErrorKind::DuplicateName(name.clone()));
            }
            let is_shadowed = rule.shadow.unwrap_or(config.shadow);
            if let Some(access) = self.access(&path, rule, is_shadowed, authenticators) {
                built.push(Rule { number: at, name, is_shadowed, access });
            }
        }
        self.warn_of_shadow(config.shadow, &built);
        built
    }

    /// Warns of shadow mode, so that nobody takes a rule in it for an enforced one.
    fn warn_of_shadow(&mut self, is_shadowed: bool, rules: &[Rule]) {
        let names: Vec<&str> =
            rules.iter().filter(|rule| rule.is_shadowed).map(|rule| rule.name.as_str()).collect();
        if is_shadowed || !names.is_empty() {
            let unmatched = is_shadowed.then_some("requests without a rule");
            let named = names.iter().copied().take(MOST_NAMED).chain(unmatched);
            let more = names.len().saturating_sub(MOST_NAMED);
            let kind = WarningKind::NotEnforced { what: named.collect::<Vec<_>>().join(", "), more };
            self.warn("shadow", kind);
        }
    }

    fn access(
        &mut self,
        path: &str,
        rule: &config::Rule,
        is_shadowed: bool,
        authenticators: &[Authenticator],
    ) -> Option<Access> {
        for (name, value) in [("public", rule.public), ("deny", rule.deny)] {
            if value == Some(false) {
                self.error(format!("{path}.{name}"), ConfigErrorKind::Expected("true, or no such field"));
            }
        }
        let access = match (rule.public, rule.deny, &rule.require) {
            (Some(_), None, None) => Some(Access::Public),
            (None, Some(_), None) => Some(Access::Denied),
            (None, None, Some(requirement)) => {
                let protection = self.protection(path, rule, requirement, is_shadowed, authenticators);
                return protection.map(Access::Protected);
            }
            _ => {
                self.error(path, ConfigErrorKind::ExactlyOne(&["public", "deny", "require"]));
                None
            }
        };
        for (name, stands) in [("optional", rule.optional), ("authorize", rule.authorize.is_some())] {
            if stands {
                self.error(format!("{path}.{name}"), ConfigErrorKind::Expected("`require` in the same rule"));
            }
        }
        access
    }

    fn protection(
        &mut self,
        path: &str,
        rule: &config::Rule,
        requirement: &config::Requirement,
        is_shadowed: bool,
        authenticators: &[Authenticator],
    ) -> Option<Box<Protection>> {
        if rule.optional && rule.authorize.is_some() {
            let expected =
                "no `authorize` in the same rule: nothing is known about a caller without credentials";
            self.error(format!("{path}.optional"), ConfigErrorKind::Expected(expected));
        }
        let requirement = self.requirement(&format!("{path}.require"), requirement, authenticators);
        let members = requirement.as_ref().map(Requirement::members).unwrap_or_default();
        let ways = match (&rule.authorize, &requirement) {
            (Some(ways), Some(_)) => {
                self.authorizations(&format!("{path}.authorize"), ways, &members, authenticators)
            }
            _ => Vec::new(),
        };
        let (requirement, optional) = (requirement?, rule.optional);
        Some(Box::new(Protection { requirement, members, optional, ways, is_shadowed }))
    }

    fn identity(&mut self, identity: &config::Identity, authenticators: &[Authenticator]) -> IdentityFields {
        let defaults = default_headers(self.declared.len());
        let headers = identity.headers.as_ref().unwrap_or(&defaults);
        let names: Vec<String> = self.declared.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut known = HashSet::new();
        let mut fields = Vec::new();
        for (name, template) in &headers.0 {
            let path = member("identity.headers", name);
            let name = self.checked(&path, identity_name(name));
            let template = match Template::parse(template, &names) {
                Err(TemplateError::UnknownAuthenticator(name)) => {
                    self.unknown_authenticator(&path, &name);
                    None
                }
                template => self.checked(&path, template),
            };
            let (Some(name), Some(template)) = (name, template) else { continue };
            self.not_read_by_anyone(&path, &name, authenticators);
            if !known.insert(canonical(name.as_bytes())) {
                self.error(path, ConfigErrorKind::DuplicateName(name.clone()));
            }
            fields.push((name, template));
        }
        let mut removed = Vec::new();
        for (at, name) in identity.remove.iter().enumerate() {
            let path = format!("identity.remove[{at}]");
            if let Some(name) = self.checked(&path, removable_name(name)) {
                self.not_read_by_anyone(&path, &name, authenticators);
                removed.push(name);
            }
        }
        IdentityFields::new(fields, &removed, self.declared.clone())
    }

    /// Records an error if an authenticator reads credentials from the header. Such a header cannot be removed as
    /// forged identity.
    fn not_read_by_anyone(&mut self, path: &str, name: &str, authenticators: &[Authenticator]) {
        let is_same = |location: &CredentialLocation| match location {
            CredentialLocation::Field { name: read, .. } => {
                canonical(read.as_bytes()) == canonical(name.as_bytes())
            }
            _ => false,
        };
        let reader = authenticators.iter().find(|authenticator| {
            let scheme = &authenticator.scheme;
            scheme.locations().iter().chain(scheme.proof_locations()).any(is_same)
        });
        if let Some(reader) = reader {
            let text =
                format!("\"{}\" reads credentials from this header; expected another name", reader.name);
            self.error(path, ConfigErrorKind::Invalid(text));
        }
    }
}

fn default_headers(authenticators: usize) -> Named<String> {
    let mut headers = vec![("x-auth-user".to_owned(), "{subject}".to_owned())];
    if authenticators > 1 {
        headers.push(("x-auth-by".to_owned(), "{authenticator}".to_owned()));
    }
    Named(headers)
}

/// True if a name can be used in metrics, logs and templates without escaping.
pub(super) fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
