//! The JOSE header of a JWS ([RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4)).

use serde_json::{Map, Value};

use super::{Malformed, Part};
use crate::jose::jwk::Algorithm;

/// A JOSE header. Its `jwk`, `jku`, `x5u` and `x5c` never select the key of a token: keys of tokens come from the
/// configuration alone.
pub struct Header {
    algorithm: Option<Algorithm>,
    members: Map<String, Value>,
}

impl Header {
    /// Checks that `alg` is a string, and that `kid` and `typ` are strings if present.
    pub(super) fn from_json(header: Value) -> Result<Header, Malformed> {
        let Value::Object(members) = header else { return Err(Malformed::NotAnObject(Part::Header)) };
        let alg = members.get("alg").and_then(Value::as_str).ok_or(Malformed::Alg)?;
        let is_text = |name| members.get(name).is_none_or(Value::is_string);
        if !is_text("kid") {
            return Err(Malformed::Kid);
        }
        if !is_text("typ") {
            return Err(Malformed::Typ);
        }
        Ok(Header { algorithm: Algorithm::from_name(alg), members })
    }

    /// The `alg`; `None` if it is `none` or any other algorithm that is not supported.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.members.get("kid").and_then(Value::as_str)
    }

    /// The `typ` as written.
    pub fn typ(&self) -> Option<&str> {
        self.members.get("typ").and_then(Value::as_str)
    }

    /// True if the header requires no extension, which would change the interpretation of the token. Any `crit` does,
    /// even an empty one ([RFC 7515 §4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)), and so does any
    /// `b64` ([RFC 7797](https://www.rfc-editor.org/rfc/rfc7797)), even `true`.
    pub fn is_understood(&self) -> bool {
        !self.members.contains_key("crit") && !self.members.contains_key("b64")
    }

    /// Any member, for profiles of JWS that define further ones
    /// ([RFC 9449 §4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)). Not verified.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
}
