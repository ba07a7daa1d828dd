//! Permit → the fields that tell the upstream who the caller is; and which inbound fields must not reach it.

mod template;

use std::collections::BTreeSet;

use crate::http::request::is_token;
use crate::principal::Permit;

pub use template::{Template, TemplateError, visible};

/// What the upstream is told, and what callers cannot tell it themselves.
pub struct IdentityFields {
    fields: Vec<(String, Template)>,
    /// The authenticators' names in the policy's order.
    authenticators: Vec<String>,
    reserved: HeaderNames,
}

/// A set of header names in which spellings do not count: case, and which character stands for `-`.
#[derive(Debug, Default)]
pub struct HeaderNames {
    /// Canonical, each once. They are few, and their lengths tell most names apart.
    names: Vec<Vec<u8>>,
}

impl HeaderNames {
    /// A set of these names.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: BTreeSet<_> = names.into_iter().map(|name| canonical(name.as_bytes())).collect();
        HeaderNames { names: names.into_iter().collect() }
    }

    /// Whether a server could take `name` for one of these.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.names
            .iter()
            .any(|known| known.len() == name.len() && known.iter().zip(name).all(|(a, b)| *a == fold(*b)))
    }
}

/// Whether a server could take the header `name` for `known`.
pub fn is_spelling_of(name: &[u8], known: &str) -> bool {
    known.len() == name.len() && known.bytes().zip(name).all(|(a, b)| fold(a) == fold(*b))
}

impl IdentityFields {
    /// `fields` are written for every permit; they and `removed` are taken out of every request. `authenticators` are the
    /// names of all, in the policy's order.
    pub fn new(fields: Vec<(String, Template)>, removed: &[String], authenticators: Vec<String>) -> Self {
        let names = fields.iter().map(|(name, _)| name).chain(removed);
        let reserved = HeaderNames::new(names.map(String::as_str));
        IdentityFields { reserved, fields, authenticators }
    }

    /// Whether an inbound field of this name could be taken for identity: in any case, with anything but letters
    /// and digits for `-`.
    pub fn reserves(&self, name: &[u8]) -> bool {
        self.reserved.contains(name)
    }

    /// The fields for this permit.
    pub fn render<'s>(&'s self, permit: &Permit) -> impl Iterator<Item = (&'s str, Vec<u8>)> {
        let rendered =
            self.fields.iter().map(|(name, template)| (name, template.render(permit, &self.authenticators)));
        rendered.filter_map(|(name, value)| Some((name.as_str(), value?)))
    }
}

/// Servers that build variables from field names (CGI, WSGI, PHP) see one name where these differ: most write `_` for `-`,
/// some for all that is no letter or digit.
pub fn canonical(name: &[u8]) -> Vec<u8> {
    name.iter().copied().map(fold).collect()
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Why a field name cannot carry identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldNameError {
    /// Not a `token` (RFC 9110 §5.1).
    NotAToken,
    /// The proxy or the protocol gives it a meaning of its own.
    Reserved,
}

impl std::fmt::Display for FieldNameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAToken => "expected a field name such as x-auth-user",
            Self::Reserved => {
                "this field has a meaning of its own for proxies and servers; expected a name such as x-auth-user"
            }
        })
    }
}

impl std::error::Error for FieldNameError {}

/// A name for a field that is only taken out, lower-cased.
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
    // Every spelling of a name is taken out, so `content_length` would take Content-Length.
    let folded = canonical(name.as_bytes());
    if UNTOUCHABLE.iter().any(|untouchable| folded == untouchable.as_bytes()) {
        Err(FieldNameError::Reserved)
    } else {
        Ok(name.to_ascii_lowercase())
    }
}

/// A name for a field that carries identity, lower-cased.
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
