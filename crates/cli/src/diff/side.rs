//! One policy, the rule of it that a request selects, and the parts of the request that the rule compares.

use authgate::config::{Authenticator, Authorization, Config, Variable as ConfigVariable};
use authgate::policy::rules::RuleId;
use authgate::policy::variables::Variable;
use authgate::policy::{Access, Policy, Protection};
use authgate::timestamp::NumericDate;
use serde_json::Value;

/// The maximum number of users of one authenticator to try.
const MOST_USERS: usize = 50;

/// The variables of a rule, with their values in a request.
pub type Values = Vec<(Variable, Option<String>)>;

/// One policy, and its rule that a request selects.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub config: &'a Config,
    pub policy: &'a Policy,
    pub rule: Option<RuleId>,
    /// The variables of the rule, with their values in the request.
    pub values: &'a Values,
    /// The time of the request, in whole seconds.
    pub now: NumericDate,
}

impl<'a> Side<'a> {
    pub fn authenticator(&self, name: &str) -> Option<&'a Authenticator> {
        self.config
            .authenticators
            .0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, authenticator)| authenticator)
    }

    /// The conditions of the rule, if it is protected.
    pub fn protection(&self) -> Option<&'a Protection> {
        match &self.policy.rules.get(self.rule?.index())?.access {
            Access::Protected(protection) => Some(protection),
            Access::Public | Access::Denied => None,
        }
    }

    /// The objects of `authorize`.
    pub fn authorizations(&self) -> &'a [Authorization] {
        let rule = self.rule.and_then(|rule| self.config.rules.0.get(rule.index()));
        rule.and_then(|rule| rule.authorize.as_ref()).map(|list| list.0.as_slice()).unwrap_or_default()
    }

    /// The scopes that imply a scope that the rule requires.
    pub fn implying(&self, scope: &str) -> Vec<String> {
        let authorizations = self.protection().into_iter().flat_map(|protection| &protection.authorizations);
        let mut required = authorizations.flat_map(|authorization| authorization.required_scopes());
        required
            .find(|required| required.name() == scope)
            .map(|required| required.implied_by().to_vec())
            .unwrap_or_default()
    }
}

/// The value of a variable of a configuration.
pub fn value_of<'v>(values: &'v Values, variable: &ConfigVariable) -> Option<&'v str> {
    let variable = match variable {
        ConfigVariable::Path(name) => Variable::Path(name.clone()),
        ConfigVariable::Host(name) => Variable::Host(name.clone()),
        ConfigVariable::Header(name) => Variable::Header(name.to_ascii_lowercase()),
    };
    values.iter().find(|(known, _)| *known == variable).and_then(|(_, value)| value.as_deref())
}

/// The users and key owners that have scopes or claims, or that only one of the configurations has.
pub fn users(sides: [Side<'_>; 2], name: &str) -> Vec<String> {
    let known = sides.map(|side| -> Vec<(&String, bool)> {
        match side.authenticator(name) {
            Some(Authenticator::Basic(basic)) => {
                let users = basic.users.0.iter();
                users.map(|(name, user)| (name, user.scopes.is_empty() && user.claims.is_empty())).collect()
            }
            Some(Authenticator::ApiKey(keys)) => {
                let keys = keys.keys.0.iter();
                keys.map(|key| (&key.id, key.scopes.is_empty() && key.claims.is_empty())).collect()
            }
            _ => Vec::new(),
        }
    });
    let [old, new] = &known;
    let mut users: Vec<String> = Vec::new();
    for (list, other) in [(old, new), (new, old)] {
        for (user, is_plain) in list {
            let is_alike = *is_plain && other.contains(&(user, true));
            if !is_alike && !users.contains(user) && users.len() < MOST_USERS {
                users.push((*user).clone());
            }
        }
    }
    users
}

/// Returns true if the authenticator may have a user of [`users`].
pub fn may_know(config: &Config, name: &str, held: &Value) -> bool {
    let (Some(user), Some((_, authenticator))) =
        (held.as_str(), config.authenticators.0.iter().find(|(known, _)| known == name))
    else {
        return true;
    };
    match authenticator {
        // The users of `htpasswd` may be in the environment.
        Authenticator::Basic(basic) => {
            basic.htpasswd.is_some() || basic.users.0.iter().any(|(known, _)| known == user)
        }
        Authenticator::ApiKey(keys) => keys.keys.0.iter().any(|key| key.id == user),
        _ => true,
    }
}
