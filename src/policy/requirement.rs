//! Which authenticators a rule asks for, with names resolved and contradictions found.

use crate::principal::AuthenticatorId;

/// Which authenticators must hold, by their place in the policy.
pub enum Requirement {
    /// This one.
    One(AuthenticatorId),
    /// The first of these that holds.
    AnyOf(Vec<Requirement>),
    /// Each of these.
    AllOf(Vec<Requirement>),
}

impl Requirement {
    /// All authenticators that it names, in its order, each once.
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
