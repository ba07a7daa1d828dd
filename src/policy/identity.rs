//! Identity headers: written for each permit, and removed from each request before.

mod template;

use crate::http::header_name::{HeaderNames, canonical};
use crate::http::request::is_token;
use crate::principal::Permit;

pub use template::{Template, TemplateError, visible};

/// Headers that tell the upstream who the caller is, and names that no client may send.
pub struct IdentityFields {
    fields: Vec<(String, Template)>,
    /// Names of the authenticators, in the order of the policy.
    authenticators: Vec<String>,
    reserved: HeaderNames,
}

impl IdentityFields {
    /// Creates headers that are written for each permit. They and `removed` are removed from each request.
    /// `authenticators` are the names of all authenticators, in the order of the policy.
    pub fn new(fields: Vec<(String, Template)>, removed: &[String], authenticators: Vec<String>) -> Self {
        let names = fields.iter().map(|(name, _)| name).chain(removed);
        let reserved = HeaderNames::new(names.map(String::as_str));
        IdentityFields { reserved, fields, authenticators }
    }

    /// True if an upstream may take a header of this name for identity: in any case, and with any character except
    /// letters and digits for `-`.
    pub fn reserves(&self, name: &[u8]) -> bool {
        self.reserved.contains(name)
    }

    /// Returns the headers for this permit. Headers without a value are omitted.
    pub fn render<'s>(&'s self, permit: &Permit) -> impl Iterator<Item = (&'s str, Vec<u8>)> {
        let rendered =
            self.fields.iter().map(|(name, template)| (name, template.render(permit, &self.authenticators)));
        rendered.filter_map(|(name, value)| Some((name.as_str(), value?)))
    }
}

/// Error for a header name that cannot carry identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldNameError {
    /// The name is not a `token` ([RFC 9110 §5.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.1)).
    #[error("expected a header name such as x-auth-user")]
    NotAToken,
    /// The header has a meaning for the proxy or the protocol.
    #[error("this header has a meaning for proxies and servers; expected a name such as x-auth-user")]
    Reserved,
}

/// Checks the name of a header that is only removed. Returns it in lower case.
///
/// # Errors
/// Fails if the text is not a header name, or if requests need the header.
pub fn removable_name(name: &str) -> Result<String, FieldNameError> {
    const UNTOUCHABLE: &[&str] = &[
        "connection",
        "content-length",
        "cookie",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if !is_token(name) {
        return Err(FieldNameError::NotAToken);
    }
    // Every spelling of a name is removed, so `content_length` would remove Content-Length.
    let folded = canonical(name.as_bytes());
    if UNTOUCHABLE.iter().any(|untouchable| folded == untouchable.as_bytes()) {
        Err(FieldNameError::Reserved)
    } else {
        Ok(name.to_ascii_lowercase())
    }
}

/// Checks the name of a header that carries identity. Returns it in lower case.
///
/// # Errors
/// Fails if the text is not a header name, or if requests or the proxy need the header.
pub fn identity_name(name: &str) -> Result<String, FieldNameError> {
    let name = removable_name(name)?;
    let folded = canonical(name.as_bytes());
    let proxys = [&b"x-envoy-"[..], b"x-forwarded-"].iter().any(|prefix| folded.starts_with(prefix));
    if proxys { Err(FieldNameError::Reserved) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_reserved_name_is_known() {
        let fields = IdentityFields::new(Vec::new(), &["x-auth-user".to_owned()], Vec::new());
        for name in [
            "x-auth-user",
            "X-Auth-User",
            "x_auth_user",
            "x.auth.user",
            "X_auth-USER",
            "x~auth!user",
            "x*auth+user",
        ] {
            assert!(fields.reserves(name.as_bytes()), "{name}");
        }
        for name in ["x-auth-users", "xauthuser", "x-auth-use1"] {
            assert!(!fields.reserves(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn names_with_a_meaning_of_their_own_are_refused() {
        use FieldNameError::*;
        let check =
            |name: &str, removable: Result<&str, FieldNameError>, identity: Result<&str, FieldNameError>| {
                assert_eq!(removable_name(name), removable.map(str::to_owned), "{name}");
                assert_eq!(identity_name(name), identity.map(str::to_owned), "{name}");
            };
        check("X-Auth-User", Ok("x-auth-user"), Ok("x-auth-user"));
        check("x_user", Ok("x_user"), Ok("x_user"));
        check("x-forwarded-user", Ok("x-forwarded-user"), Err(Reserved));
        check("x_forwarded_user", Ok("x_forwarded_user"), Err(Reserved));
        check("x-envoy-peer", Ok("x-envoy-peer"), Err(Reserved));
        for name in ["Host", "connection", "cookie", "transfer-encoding"] {
            check(name, Err(Reserved), Err(Reserved));
        }
        for name in ["", ":path", "x user", "x:user", "ü"] {
            check(name, Err(NotAToken), Err(NotAToken));
        }
    }
}
