//! The parts of a denial that the client may see, independent of the form of the body.

use super::messages::{Explanation, explain, title};
use super::{Denial, DenialFormat, Reason};
use crate::http::request_id::RequestId;

/// Contents of a body.
pub struct ErrorBody<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The explanation; absent if the reason is not disclosed.
    pub detail: Option<Detail<'a>>,
    /// URL of further help.
    pub help: Option<&'a str>,
    /// Identifier of the request.
    pub request_id: Option<&'a str>,
}

/// An explained reason.
pub struct Detail<'a> {
    /// The stable code.
    pub code: &'static str,
    /// The public detail code of a token error.
    pub detail_code: Option<&'static str>,
    /// A short title.
    pub title: &'static str,
    /// The problem, and the remedy.
    pub explanation: Explanation,
    /// The auth-schemes that the rule accepts; only for a 401.
    pub accepted: Vec<&'a str>,
    /// The required scope.
    pub scope: Option<&'a str>,
    /// State of a browser's password prompt.
    pub prompt: Prompt,
}

/// State of a browser's password prompt. A browser that knows a challenged scheme prompts by itself and shows the page
/// only after the user cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// No prompt: no accepted scheme makes a browser prompt, or the reason is unrelated to passwords.
    Beside,
    /// The user entered nothing.
    Cancelled,
    /// The user entered wrong credentials.
    Failed,
}

impl<'a> ErrorBody<'a> {
    /// Selects what the client may see of `denial`.
    pub fn of(denial: &'a Denial, format: &'a DenialFormat) -> Self {
        let is_hidden = denial.is_hidden_by(format);
        let status = if is_hidden { 404 } else { denial.reason.status() };
        let detail = (format.tells_reasons && !is_hidden).then(|| Detail::of(denial, status));
        let request_id = denial.request_id.as_ref().map(RequestId::as_str);
        ErrorBody { status, detail, help: format.help.as_deref(), request_id }
    }
}

impl<'a> Detail<'a> {
    fn of(denial: &'a Denial, status: u16) -> Self {
        let reason = denial.reason;
        let accepted = if status == 401 { denial.accepted() } else { Vec::new() };
        let asks_for_scope = matches!(
            reason,
            Reason::MissingCredentials
                | Reason::UnsupportedScheme
                | Reason::InsufficientScope
                | Reason::InsufficientUserAuthentication
        );
        let has_prompt =
            |scheme: &str| ["Basic", "Digest"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let prompt = match reason {
            Reason::MissingCredentials if accepted.iter().any(|scheme| has_prompt(scheme)) => {
                Prompt::Cancelled
            }
            Reason::InvalidCredentials
                if denial.presented().is_some_and(|set| {
                    set.challenges.iter().any(|challenge| has_prompt(challenge.scheme()))
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
            scope: denial.wanted.scope.as_deref().filter(|_| asks_for_scope),
            prompt,
        }
    }

    /// Appends both codes, as in `invalid_token (expired)`.
    pub fn push_codes(&self, text: &mut String) {
        text.push_str(self.code);
        if let Some(detail) = self.detail_code {
            for part in [" (", detail, ")"] {
                text.push_str(part);
            }
        }
    }
}
