//! A Digest client (RFC 7616), independent of the code under test, that can respond incorrectly on request.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

/// A Digest challenge.
#[derive(Debug, Clone)]
pub struct Challenge {
    pub algorithm: String,
    pub realm: String,
    pub nonce: String,
    pub is_stale: bool,
}

impl Challenge {
    /// Parses the value of a `WWW-Authenticate` header; `None` for another scheme.
    pub fn parse(field: &str) -> Option<Self> {
        let params = field.strip_prefix("Digest ")?;
        // No value in these tests contains a comma.
        let param = |name: &str| {
            let start = format!("{name}=");
            let found = params.split(", ").find_map(|param| param.strip_prefix(start.as_str()));
            found.map(|value| value.trim_matches('"').to_owned())
        };
        assert_eq!(param("qop").as_deref(), Some("auth"));
        Some(Self {
            algorithm: param("algorithm")?,
            realm: param("realm")?,
            nonce: param("nonce")?,
            is_stale: param("stale").as_deref() == Some("true"),
        })
    }
}

/// Credentials in response to a challenge: auth-params, by name.
#[derive(Debug, Clone)]
pub struct Answer {
    params: Vec<(String, String)>,
    password: String,
    /// Replaces the digest of user, realm and password.
    ha1: Option<String>,
    method: String,
}

impl Answer {
    /// Creates the credentials for a challenge and a request.
    pub fn new(challenge: &Challenge, user: &str, password: &str, method: &str, uri: &str) -> Self {
        let params = [
            ("username", user),
            ("realm", &challenge.realm),
            ("nonce", &challenge.nonce),
            ("uri", uri),
            ("algorithm", &challenge.algorithm),
            ("qop", "auth"),
            ("nc", "00000001"),
            ("cnonce", "c0ffee"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { params, password: password.to_owned(), ha1: None, method: method.to_owned() }
    }

    /// Replaces a value, which is included in the digest.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.params.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_owned(),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Computes the digest over another method.
    pub fn for_method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// Computes the digest from a stored H(A1), as a client without the password would.
    pub fn with_ha1(mut self, ha1: &str) -> Self {
        self.ha1 = Some(ha1.to_owned());
        self
    }

    /// Adds the digest. Later changes are not included in it.
    pub fn signed(self) -> Self {
        let get = |wanted: &str| self.param(wanted);
        let is_md5 = get("algorithm") != "SHA-256";
        let digest = |text: String| if is_md5 { md5(&text) } else { sha256(&text) };
        let secret = self
            .ha1
            .clone()
            .unwrap_or_else(|| digest(format!("{}:{}:{}", get("username"), get("realm"), self.password)));
        let request = digest(format!("{}:{}", self.method, get("uri")));
        let answer = [&secret, get("nonce"), get("nc"), get("cnonce"), get("qop"), &request].join(":");
        let response = digest(answer);
        self.with("response", &response)
    }

    /// Removes a param.
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self
    }

    /// Returns the value of an auth-param; empty if absent.
    pub fn param(&self, wanted: &str) -> &str {
        let found = self.params.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Returns the value of `Authorization`.
    pub fn field(&self) -> String {
        let params = self.params.iter().map(|(name, value)| match name.as_str() {
            "algorithm" | "qop" | "nc" | "username*" | "userhash" => format!("{name}={value}"),
            _ => format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
        });
        format!("Digest {}", params.collect::<Vec<_>>().join(", "))
    }
}

/// Returns the MD5 digest in hexadecimal.
pub fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

/// Returns the SHA-256 digest in hexadecimal.
pub fn sha256(text: &str) -> String {
    hex(&hmac_sha256::Hash::hash(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
