//! Parts of a policy that its rules refer to.

use super::scopes::ScopeImplications;
use crate::authn::Authenticator;
use crate::policy::rules::MatchSpec;

/// Parts of the policy that rules refer to.
pub(super) struct Parts<'a> {
    /// All authenticators without errors.
    pub authenticators: &'a [Authenticator],
    /// The matches of each rule.
    pub specs: &'a [Vec<MatchSpec>],
    /// Scopes that imply others.
    pub scopes: &'a ScopeImplications,
    /// True for headers that carry identity or a credential, so that the upstream never gets them as they arrive.
    pub is_replaced: &'a dyn Fn(&str) -> bool,
}
