//! The JOSE header of a JWS (RFC 7515 §4).

use serde_json::{Map, Value};

use super::{Malformed, Part};
use crate::jose::jwk::Algorithm;

/// A JOSE header. `jwk`, `jku`, `x5u` and `x5c` have no meaning here: keys come from the configuration alone.
pub struct Header {
    algorithm: Option<Algorithm>,
    members: Map<String, Value>,
}

impl Header {
    /// `alg` must be a text, `kid` and `typ` too where they are present.
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

    /// Its `alg`; None where that is `none` or anything else that is not supported.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.members.get("kid").and_then(Value::as_str)
    }

    /// Its `typ`, as written.
    pub fn typ(&self) -> Option<&str> {
        self.members.get("typ").and_then(Value::as_str)
    }

    /// Whether it asks for nothing that changes how the token is to be read. Any `crit` does, be it empty (RFC 7515
    /// §4.1.11), and so does `b64` (RFC 7797), be it `true`.
    pub fn is_understood(&self) -> bool {
        !self.members.contains_key("crit") && !self.members.contains_key("b64")
    }

    /// Any member, for profiles of JWS that give more of them a meaning (RFC 9449 §4.2). Not verified.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }
}
