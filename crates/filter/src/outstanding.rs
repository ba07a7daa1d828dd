//! Callouts that have no response yet.

use authgate::principal::AuthenticatorId;
use authgate::remote::callout::{CallId, FetchId};

/// Callouts without a response, and settled fetches whose requests have not been resumed yet.
#[derive(Default)]
pub struct Callouts {
    outstanding: Vec<Outstanding>,
    settled: Vec<(AuthenticatorId, FetchId)>,
}

/// A callout without a response.
pub struct Outstanding {
    /// The host's number of the callout.
    pub number: u32,
    /// The authenticator that needs the response.
    pub authenticator: AuthenticatorId,
    /// The core's number of the callout.
    pub call: CallId,
    /// Maximum length of the response body, in bytes.
    pub max_body: usize,
}

impl Callouts {
    /// Adds a callout that was sent.
    pub fn push(&mut self, outstanding: Outstanding) {
        self.outstanding.push(outstanding);
    }

    /// Removes and returns the callout with this number.
    pub fn take(&mut self, number: u32) -> Option<Outstanding> {
        let at = self.outstanding.iter().position(|outstanding| outstanding.number == number)?;
        Some(self.outstanding.swap_remove(at))
    }

    /// Adds a settled fetch.
    pub fn settle(&mut self, authenticator: AuthenticatorId, fetch_id: FetchId) {
        self.settled.push((authenticator, fetch_id));
    }

    /// Removes and returns the settled fetches, each with its authenticator.
    pub fn take_settled(&mut self) -> Vec<(AuthenticatorId, FetchId)> {
        std::mem::take(&mut self.settled)
    }
}
