//! Requirements: the combinations of authenticators that a rule accepts.

use crate::principal::AuthenticatorId;

/// A requirement on the credentials of a request.
pub enum Requirement {
    /// A credential of this authenticator.
    One(AuthenticatorId),
    /// One of these. The first that is verified counts.
    AnyOf(Vec<Requirement>),
    /// All of these.
    AllOf(Vec<Requirement>),
}

impl Requirement {
    /// Returns all authenticators of the requirement, in order, each once.
    pub fn members(&self) -> Vec<AuthenticatorId> {
        let mut members = Vec::new();
        self.collect(&mut members);
        members
    }

    fn collect(&self, members: &mut Vec<AuthenticatorId>) {
        match self {
            Requirement::One(at) if members.contains(at) => {}
            Requirement::One(at) => members.push(*at),
            Requirement::AnyOf(parts) | Requirement::AllOf(parts) => {
                parts.iter().for_each(|part| part.collect(members));
            }
        }
    }
}
