//! Properties of a decision for the proxy's access log: never a credential, and nothing unverified.

use std::borrow::Cow;

use authgate::config::FilterStateKey;
use authgate::decision::{Decision, Verdict};
use authgate::policy::Policy;
use authgate::policy::identity::visible;
use authgate::principal::Principal;

/// Returns the properties that the policy selects, with values that are safe in a log line. Absent values are left out.
pub fn properties<'a>(
    policy: &'a Policy,
    decision: &'a Decision<'_>,
) -> impl Iterator<Item = (&'static str, Cow<'a, str>)> {
    // In shadow, the decision that would have been enforced counts.
    let verdict = decision.shadowed.as_ref().unwrap_or(&decision.verdict);
    policy.filter_state.iter().filter_map(move |fact| {
        Some(match fact {
            FilterStateKey::Subject => ("authgate.subject", Cow::Owned(visible(&caller(verdict)?.subject))),
            FilterStateKey::Authenticator => {
                let authenticator = policy.authenticator(verdict.authenticator()?)?;
                ("authgate.authenticator", Cow::Borrowed(authenticator.name.as_str()))
            }
            FilterStateKey::Rule => ("authgate.rule", Cow::Borrowed(decision.rule?.name.as_str())),
            FilterStateKey::Reason => match verdict {
                Verdict::Deny(denial) => ("authgate.reason", denial.reason.full_code()),
                Verdict::Allow(_) | Verdict::Reply(_) | Verdict::Pending(_) => return None,
            },
        })
    })
}

/// Returns the verified principal, allowed or not.
fn caller(verdict: &Verdict) -> Option<&Principal> {
    match verdict {
        Verdict::Allow(permit) => Some(permit.as_ref()?.first().principal.as_ref()),
        Verdict::Deny(denial) => denial.caller.as_deref(),
        Verdict::Reply(_) | Verdict::Pending(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use authgate::authn::{Context, NullHost};
    use authgate::cache::CredentialCache;
    use authgate::decision::decide;
    use authgate::decision::state::State;
    use authgate::http::request::Request;
    use authgate::jose::jwt::SoftwareVerifier;
    use authgate::timestamp::NumericDate;

    /// Returns the properties for a request with this path and `Authorization`, if `wanted` is configured.
    fn written(
        wanted: &serde_json::Value,
        path: &str,
        authorization: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let configuration = serde_json::json!({
            "authenticators": {
                "staff": {"basic": {"allow_plaintext": true, "users": {"álice 1": "{PLAIN}secret"}}},
                "idp": {"jwt": {"issuer": "https://idp.example.com", "audiences": ["api"], "keys":
                    {"secret": {"value": "0123456789abcdef0123456789abcdef", "algorithm": "HS256"}}}},
            },
            "rules": [
                {"name": "public", "match": {"prefix": "/public"}, "public": true},
                {"name": "admin", "match": {"prefix": "/admin"}, "require": "staff", "authorize": {"subjects": ["root"]}},
                {"name": "anonymous", "match": {"prefix": "/any"}, "require": "staff", "optional": true},
                {"name": "jwt", "match": {"prefix": "/jwt"}, "require": "idp"},
                {"name": "basic", "match": {"prefix": "/basic"}, "require": "staff"},
            ],
            "telemetry": {"filter_state": wanted},
        });
        let configuration = authgate::config::from_value(configuration).unwrap();
        let policy = authgate::policy::build(&configuration, &|_| None).unwrap().policy;
        let mut state = State::new(&policy, CredentialCache::new([0; 16], policy.limits));
        let context = Context {
            now: NumericDate::EPOCH,
            signatures: &SoftwareVerifier,
            host: &NullHost,
            may_wait: false,
        };
        let path = [(&b":path"[..], path.as_bytes())];
        let authorization = authorization.map(|value| (&b"authorization"[..], value.as_bytes()));
        let request = Request::new(path.into_iter().chain(authorization), None);
        let decision = decide(&policy, &request, &mut state, context);
        properties(&policy, &decision).map(|(name, value)| (name, value.into_owned())).collect()
    }

    #[test]
    fn what_is_known_of_a_request_is_told_and_nothing_else() {
        // `álice 1:secret`, then the same with a wrong password.
        let right = Some("Basic w6FsaWNlIDE6c2VjcmV0");
        let wrong = Some("Basic w6FsaWNlIDE6d3Jvbmc=");
        let subject = ("authgate.subject", "%C3%A1lice%201");
        let staff = ("authgate.authenticator", "staff");
        let rule = |name| ("authgate.rule", name);
        let reason = |code| ("authgate.reason", code);
        let cases = [
            ("/basic", right, vec![subject, staff, rule("basic")]),
            ("/basic", wrong, vec![staff, rule("basic"), reason("invalid_credentials")]),
            ("/basic", None, vec![rule("basic"), reason("missing_credentials")]),
            ("/admin", right, vec![subject, staff, rule("admin"), reason("not_authorized")]),
            ("/any", None, vec![rule("anonymous")]),
            ("/public", right, vec![rule("public")]),
            ("/elsewhere", right, vec![reason("no_rule")]),
            (
                "/jwt",
                Some("Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.AAAA"),
                vec![("authgate.authenticator", "idp"), rule("jwt"), reason("invalid_token/wrong_issuer")],
            ),
        ];
        let all = serde_json::json!(["subject", "authenticator", "rule", "reason"]);
        for (path, authorization, expected) in cases {
            let found = written(&all, path, authorization);
            let found: Vec<_> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(found, expected, "{path} {authorization:?}");
        }
        assert_eq!(
            written(&serde_json::json!(["rule"]), "/basic", right),
            [("authgate.rule", "basic".to_owned())]
        );
        assert_eq!(written(&serde_json::json!([]), "/basic", right), []);
    }
}
