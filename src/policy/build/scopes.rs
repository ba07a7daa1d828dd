//! Builds `scope_implies`.

use crate::config::ConfigErrorKind;
use crate::config::context::{BuildContext, SCOPE, is_scope};
use crate::config::path::ConfigPath;
use crate::config::shape::Named;
use crate::policy::authorization::RequiredScope;

/// Scopes, each with those that it implies directly. No scope implies itself.
pub(super) struct ScopeImplications(Vec<(String, Vec<String>)>);

/// Builds the implications. There are none if any is invalid.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    config: &Named<Vec<String>>,
) -> ScopeImplications {
    let errors = cx.errors.len();
    for (scope, implied) in &config.0 {
        let at = &at.member(scope);
        if !is_scope(scope) {
            cx.expected(at, SCOPE);
        }
        cx.scopes(at, Some(implied));
    }
    let implications = ScopeImplications(config.0.clone());
    for (scope, _) in &config.0 {
        if implications.implying(scope).contains(scope) {
            let text = format!("\"{scope}\" implies itself; expected no cycle");
            cx.error(&at.member(scope), ConfigErrorKind::Invalid(text));
        }
    }
    if cx.errors.len() == errors { implications } else { ScopeImplications(Vec::new()) }
}

impl ScopeImplications {
    /// Returns a required scope, with all scopes that imply it.
    pub(super) fn require(&self, scope: &str) -> RequiredScope {
        RequiredScope { name: scope.to_owned(), implied_by: self.implying(scope) }
    }

    /// Returns the scopes that imply `scope`, directly or through others, each once.
    fn implying(&self, scope: &str) -> Vec<String> {
        let mut implying: Vec<String> = Vec::new();
        let mut next = Some(scope.to_owned());
        let mut done = 0;
        while let Some(scope) = next {
            let direct = self.0.iter().filter(|(_, implied)| implied.contains(&scope)).map(|(name, _)| name);
            for name in direct {
                if !implying.contains(name) {
                    implying.push(name.clone());
                }
            }
            next = implying.get(done).cloned();
            done += 1;
        }
        implying
    }
}
