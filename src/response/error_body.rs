//! What of a denial the client is told, whatever the form.

use super::messages::{Explanation, explain, title};
use super::{Denial, DenialFormat, Reason};

/// What a body says.
pub struct ErrorBody<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Absent where the reason is kept back.
    pub told: Option<Detail<'a>>,
    /// Where there is more to read.
    pub help: Option<&'a str>,
}

/// A reason, explained.
pub struct Detail<'a> {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong with a token.
    pub detail_code: Option<&'static str>,
    /// A few words.
    pub title: &'static str,
    /// What was wrong, and what to do next.
    pub explanation: Explanation,
    /// The auth-schemes that would do; for a 401 alone.
    pub accepted: Vec<&'a str>,
    /// The scope that is needed.
    pub scope: Option<&'a str>,
    /// What a browser's prompt for a password has to do with it.
    pub prompt: Prompt,
}

/// A browser asks for user name and password by itself, and shows the page only to whoever gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// No scheme is accepted that it knows, or the trouble lies elsewhere.
    Beside,
    /// Nothing was entered.
    Cancelled,
    /// What was entered is wrong.
    Failed,
}

impl<'a> ErrorBody<'a> {
    /// What the client is told of `denial`.
    pub fn of(denial: &'a Denial, format: &'a DenialFormat) -> Self {
        let status = format.status(denial.reason);
        let told = format.tells(denial.reason).then(|| Detail::of(denial, status));
        ErrorBody { status, told, help: format.help.as_deref() }
    }
}

impl<'a> Detail<'a> {
    fn of(denial: &'a Denial, status: u16) -> Self {
        let reason = denial.reason;
        let accepted = if status == 401 { denial.accepted() } else { Vec::new() };
        let asks_for_scope = matches!(
            reason,
            Reason::MissingCredentials | Reason::UnsupportedScheme | Reason::InsufficientScope
        );
        let has_prompt =
            |scheme: &str| ["Basic", "Digest"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let prompt = match reason {
            Reason::MissingCredentials if accepted.iter().any(|scheme| has_prompt(scheme)) => {
                Prompt::Cancelled
            }
            Reason::InvalidCredentials
                if denial.presented().is_some_and(|offer| {
                    offer.challenges.iter().any(|challenge| has_prompt(challenge.scheme()))
                }) =>
            {
                Prompt::Failed
            }
            _ => Prompt::Beside,
        };
        Detail {
            code: reason.code(),
            detail_code: reason.public_detail(),
            title: title(reason),
            explanation: explain(reason),
            accepted,
            scope: denial.scope.as_deref().filter(|_| asks_for_scope),
            prompt,
        }
    }

    /// Both codes, as in `invalid_token (expired)`.
    pub fn push_codes(&self, text: &mut String) {
        text.push_str(self.code);
        if let Some(detail) = self.detail_code {
            for part in [" (", detail, ")"] {
                text.push_str(part);
            }
        }
    }
}
