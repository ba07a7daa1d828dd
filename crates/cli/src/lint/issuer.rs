//! Warnings about issuers with a superfluous or missing slash at the end: tokens and metadata have the other form.

use authgate::config::path::ConfigPath;
use authgate::config::{Authenticator, Config, Keys};
use serde_json::Value;

use super::Lint;

/// An issuer in the configuration.
struct Issuer<'a> {
    text: &'a str,
    path: String,
    /// True if its metadata is fetched.
    is_discovered: bool,
}

/// Returns warnings about slashes at the end of issuers.
pub fn lints(config: &Config) -> Vec<Lint> {
    let issuers = issuers(config);
    let mut lints = Vec::new();
    let mut note = |path: String, message: String| lints.push(Lint { code: "issuer-slash", path, message });
    for (at, issuer) in issuers.iter().enumerate() {
        let Issuer { text, path, is_discovered } = issuer;
        if let Some(known) = issuers.iter().take(at).find(|known| differ_by_slash(known.text, text)) {
            let message = format!(
                "{text:?} differs from {:?} at `{}` by a slash at its end only; an issuer is compared exactly",
                known.text, known.path
            );
            note(path.clone(), message);
        } else if let Some(expected) = published(text) {
            let discovered = if *is_discovered { ", so its metadata are refused" } else { "" };
            let message = format!(
                "this provider calls itself {expected:?}, not {text:?}{discovered}; an issuer is compared exactly"
            );
            note(path.clone(), message);
        }
    }
    for (path, server) in authorization_servers(config) {
        if let Some(issuer) = issuers.iter().find(|issuer| differ_by_slash(issuer.text, server)) {
            let message = format!(
                "{server:?} differs from the issuer {:?} at `{}` by a slash at its end only; clients compare it exactly",
                issuer.text, issuer.path
            );
            note(path, message);
        }
    }
    lints
}

fn issuers(config: &Config) -> Vec<Issuer<'_>> {
    let mut issuers = Vec::new();
    for (name, authenticator) in &config.authenticators.0 {
        let (scheme, list, is_discovered) = match authenticator {
            Authenticator::Jwt(jwt) => ("jwt", Some(&jwt.issuer), matches!(jwt.keys, Keys::Discovery(_))),
            Authenticator::Introspection(asked) => ("introspection", asked.issuer.as_ref(), false),
            _ => continue,
        };
        let list = list.map(|list| list.0.as_slice()).unwrap_or_default();
        let at = ConfigPath::Root.member("authenticators");
        let at = at.member(name);
        let at = at.member(scheme);
        for (index, text) in list.iter().enumerate() {
            let path = at.member("issuer").element(index, list.len()).to_string();
            issuers.push(Issuer { text, path, is_discovered });
        }
    }
    issuers
}

fn authorization_servers(config: &Config) -> Vec<(String, &str)> {
    let resources = config.protected_resource.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
    let mut servers = Vec::new();
    let at = ConfigPath::Root.member("protected_resource");
    for (index, resource) in resources.iter().enumerate() {
        let at = at.element(index, resources.len());
        let list = resource.0.iter().find(|(name, _)| name == "authorization_servers");
        let list = list.and_then(|(_, list)| list.as_array()).map(Vec::as_slice).unwrap_or_default();
        for (number, server) in list.iter().enumerate() {
            let path = at.member("authorization_servers").index(number).to_string();
            servers.extend(Value::as_str(server).map(|server| (path, server)));
        }
    }
    servers
}

fn differ_by_slash(a: &str, b: &str) -> bool {
    a.strip_suffix('/') == Some(b) || b.strip_suffix('/') == Some(a)
}

/// The issuer in the metadata of a well-known provider, if it differs by a slash at its end.
fn published(issuer: &str) -> Option<String> {
    let rest = issuer.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let is_auth0 = host.ends_with(".auth0.com");
    let is_azure = host == "sts.windows.net" && path.is_some_and(|tenant| !tenant.is_empty());
    if (is_auth0 && path.is_none()) || (is_azure && !issuer.ends_with('/')) {
        return Some(format!("{issuer}/"));
    }
    let has_no_slash = host == "accounts.google.com"
        || host == "token.actions.githubusercontent.com"
        || host.ends_with(".okta.com")
        || (host.starts_with("cognito-idp.") && host.ends_with(".amazonaws.com"))
        || (host == "login.microsoftonline.com" && issuer.ends_with("/v2.0/"))
        || path.is_some_and(|path| {
            path.strip_prefix("realms/").is_some_and(|realm| realm.matches('/').count() == 1)
        });
    has_no_slash.then(|| issuer.strip_suffix('/').map(str::to_owned))?
}
