//! Expected responses under policy A and policy B.

use super::policies::Policy;
use crate::e2e::wire::Message;

/// A response in full.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Allowed; the upstream received this user, authenticated by this authenticator.
    Allowed {
        /// The subject.
        user: String,
        /// The authenticator.
        by: &'static str,
    },
    /// Allowed; the upstream received no identity.
    Anonymous,
    /// Denied with this status and these challenges, compared by their beginning.
    Refused(u16, Vec<String>),
    /// Rejected by Envoy or the filter, whichever checks first.
    Rejected(&'static [u16]),
}

/// The expected responses to a request.
#[derive(Debug, Clone)]
pub struct Expectation {
    under_a: Answer,
    under_b: Answer,
}

impl Expectation {
    /// Expects the same response under both policies.
    pub fn both(answer: Answer) -> Self {
        Self { under_a: answer.clone(), under_b: answer }
    }

    /// Expects a different response under each policy.
    pub fn turns(under_a: Answer, under_b: Answer) -> Self {
        Self { under_a, under_b }
    }

    /// Returns the policies that can have given this response, or its mismatches with each.
    pub fn policies(&self, answer: &Message) -> Result<Vec<Policy>, String> {
        let found = [(Policy::A, &self.under_a), (Policy::B, &self.under_b)]
            .map(|(policy, expected)| expected.check(policy, answer).map(|()| policy));
        match found {
            [Err(under_a), Err(under_b)] => Err(format!("under A: {under_a}; under B: {under_b}")),
            found => Ok(found.into_iter().flatten().collect()),
        }
    }
}

impl Answer {
    /// A 401 with these challenges, compared by their beginning.
    pub fn unauthorized(challenges: &[&str]) -> Self {
        Self::Refused(401, challenges.iter().map(|&challenge| challenge.to_owned()).collect())
    }

    /// Allowed as this user, authenticated by this authenticator.
    pub fn allowed(user: &str, by: &'static str) -> Self {
        Self::Allowed { user: user.to_owned(), by }
    }

    fn check(&self, policy: Policy, answer: &Message) -> Result<(), String> {
        let status = answer.second_word();
        let is_from_service = !answer.all("x-echo").is_empty();
        let told = |name: &str| {
            let start = format!("{name}: ");
            answer.body.lines().filter_map(|line| line.strip_prefix(start.as_str())).collect::<Vec<_>>()
        };
        let told = [told("x-auth-user"), told("x-auth-by"), told("x-policy")];
        let expect = |is: bool, what: String| if is { Ok(()) } else { Err(what) };
        match self {
            Self::Allowed { .. } | Self::Anonymous => {
                expect(is_from_service && status == "200", format!("{status} instead of 200"))?;
                let expected = match self {
                    Self::Allowed { user, by } => [vec![user.as_str()], vec![*by], vec![policy.name()]],
                    _ => [Vec::new(), Vec::new(), Vec::new()],
                };
                expect(told == expected, format!("the service was told {told:?} instead of {expected:?}"))?;
                let is_credential =
                    |line: &str| line.starts_with("authorization:") || line.starts_with("x-api-key:");
                let leaks = matches!(self, Self::Allowed { .. }) && answer.body.lines().any(is_credential);
                expect(!leaks, "the service was given the credentials".to_owned())
            }
            Self::Refused(expected, challenges) => {
                let is_status = status == expected.to_string() && !is_from_service;
                expect(is_status, format!("{status} instead of {expected}"))?;
                let found = answer.all("www-authenticate");
                let fits = found.len() == challenges.len()
                    && found
                        .iter()
                        .zip(challenges)
                        .all(|(found, expected)| found.starts_with(expected.as_str()));
                expect(fits, format!("challenges {found:?} instead of {challenges:?}"))
            }
            Self::Rejected(statuses) => {
                let is_status = statuses.iter().any(|expected| status == expected.to_string());
                expect(is_status && !is_from_service, format!("{status} instead of one of {statuses:?}"))?;
                let bare = status == "401" && answer.all("www-authenticate").is_empty();
                expect(!bare, "401 without a challenge".to_owned())
            }
        }
    }
}
