//! Builds a policy from a configuration, and reports all of its errors.

mod authorization;
mod identity;
mod matching;
mod parts;
mod requirement;
mod rule;
mod scopes;

pub use matching::matches;
use parts::Parts;

use super::rules::RuleIndex;
use super::{Policy, Rule};
use crate::authn::Authenticator;
use crate::cache::Limits;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{Config, ConfigError, CorsPreflight, Warning, WarningKind};
use crate::http::challenge::Realm;
use crate::http::header_name::HeaderNames;
use crate::http::location::CredentialLocation;
use crate::http::mcp;
use crate::response::DenialFormat;
use crate::response::protected_resource::ProtectedResources;

/// A policy, with warnings.
pub struct Built {
    /// The policy.
    pub policy: Policy,
    /// Warnings for the log.
    pub warnings: Vec<Warning>,
}

/// Builds a policy. `environment` looks up the variables of `{env: NAME}`.
///
/// # Errors
/// Returns all errors of the configuration.
pub fn build(
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Built, Vec<ConfigError>> {
    let declared = config.authenticators.0.iter().map(|(name, _)| name.clone()).collect();
    let mut cx = BuildContext::new(environment, declared);
    let policy = policy(&mut cx, config);
    if cx.errors.is_empty() { Ok(Built { policy, warnings: cx.warnings }) } else { Err(cx.errors) }
}

fn policy(cx: &mut BuildContext<'_>, config: &Config) -> Policy {
    let root = &ConfigPath::Root;
    let realm = cx.realm(root, config.realm.as_ref(), &Realm::default());
    let at = &root.member("authenticators");
    let authenticators = config.authenticators.0.iter();
    // Those with errors are omitted.
    let authenticators: Vec<Authenticator> = authenticators
        .filter_map(|(name, config)| Authenticator::build(cx, &at.member(name), name, config, &realm))
        .collect();
    let specs = matching::build(cx, &root.member("rules"), &config.rules.0);
    let scopes = scopes::build(cx, &root.member("scope_implies"), &config.scope_implies);
    let errors = cx.errors.len();
    let identity = identity::build(cx, &root.member("identity"), &config.identity, &authenticators);
    // Rules need the identity, but their errors are reported first.
    let identity_errors = cx.errors.split_off(errors);
    let denials = DenialFormat::build(cx, &root.member("denials"), &config.denials);
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
    let is_replaced =
        |name: &str| identity.reserves(name.as_bytes()) || credential_headers.contains(name.as_bytes());
    let parts =
        Parts { authenticators: &authenticators, specs: &specs, scopes: &scopes, is_replaced: &is_replaced };
    let rules = rule::build(cx, &root.member("rules"), config, &parts);
    cx.errors.extend(identity_errors);
    let index = RuleIndex::new(specs);
    let mcp_headers = if index.wants_mcp() { &mcp::HEADERS[..] } else { &[] };
    let compared_headers = rules.iter().flat_map(Rule::compared_headers).chain(mcp_headers.iter().copied());
    let compared_headers = HeaderNames::new(compared_headers);
    let limits = Limits::build(cx, config);
    let slow_hashes = authenticators.iter().map(|authenticator| authenticator.scheme.slow_hashes()).sum();
    if slow_hashes > 0 && limits.throttle.is_none() {
        cx.warn(&root.member("throttle"), WarningKind::Unthrottled(slow_hashes));
    }
    let at = &root.member("protected_resource");
    let resources = ProtectedResources::build(cx, at, config.protected_resource.as_ref());
    Policy {
        index,
        rules,
        identity,
        metrics: config.telemetry.metrics,
        is_shadowed: config.shadow,
        filter_state: config.telemetry.filter_state.0.clone(),
        denials,
        resources,
        allow_preflight: config.cors_preflight == CorsPreflight::Allow,
        limits,
        token_parameters,
        credential_headers,
        compared_headers,
        authenticators,
    }
}
