//! Responses to Digest challenges ([RFC 7616 §3.4](https://www.rfc-editor.org/rfc/rfc7616#section-3.4)).

use std::borrow::Cow;

use super::DigestAlgorithm;
use crate::http::authorization::auth_params;
use crate::http::codec::from_hex;

/// A parsed response. Only its form has been checked.
pub struct DigestResponse<'a> {
    /// Name of the user.
    pub username: Cow<'a, [u8]>,
    /// Realm of the challenge.
    pub realm: Cow<'a, [u8]>,
    /// Nonce of the challenge.
    pub nonce: Cow<'a, [u8]>,
    /// Target of the request that the response is made for.
    pub uri: Cow<'a, [u8]>,
    /// The digest, in lower-case digits.
    pub response: Vec<u8>,
    /// Algorithm of the digest.
    pub algorithm: DigestAlgorithm,
    /// Number of the response among those for this nonce, from 1.
    pub count: u32,
    cnonce: Cow<'a, [u8]>,
    /// The count as written.
    nc: Cow<'a, [u8]>,
}

impl<'a> DigestResponse<'a> {
    /// Parses a response. Returns `None` if it is malformed, lacks a parameter, or uses something that was not offered.
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let mut params = auth_params(content)?;
        let mut take = |wanted: &str| {
            let at = params.iter().position(|(name, _)| name == wanted.as_bytes())?;
            Some(params.swap_remove(at).1)
        };
        let algorithm = match take("algorithm") {
            // RFC 7616 §3.4: the default is MD5.
            None => DigestAlgorithm::Md5,
            Some(name) => DigestAlgorithm::ALL
                .into_iter()
                .find(|known| known.name().as_bytes().eq_ignore_ascii_case(&name))?,
        };
        let is_hashed = take("userhash").is_some_and(|flag| !flag.eq_ignore_ascii_case(b"false"));
        if is_hashed || take("username*").is_some() || *take("qop")? != *b"auth" {
            return None;
        }
        let response = take("response")?.to_ascii_lowercase();
        if response.len() != algorithm.digits() || !response.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let nc = take("nc")?;
        Some(DigestResponse {
            username: take("username").filter(|name| !name.is_empty())?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            cnonce: take("cnonce").filter(|cnonce| !cnonce.is_empty())?,
            response,
            algorithm,
            count: count(&nc)?,
            nc,
        })
    }

    /// Returns the digest of a valid response for this method, made with this `HA1`.
    pub fn expected(&self, secret: &str, method: &[u8]) -> String {
        let request = self.algorithm.digest(&[method, &self.uri]);
        let parts = [secret.as_bytes(), &self.nonce, &self.nc, &self.cnonce, b"auth", request.as_bytes()];
        self.algorithm.digest(&parts)
    }
}

/// Parses eight hexadecimal digits that are not all 0.
fn count(nc: &[u8]) -> Option<u32> {
    from_hex(nc).map(u32::from_be_bytes).filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests the responses of RFC 7616 §3.9.1, by Mufasa, whose password is "Circle of Life".
    #[test]
    fn the_examples_of_the_rfc() {
        let check = |algorithm: DigestAlgorithm, response: &str| {
            let secret = algorithm.digest(&[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
            let text = format!(
                r#"username="Mufasa",
                   realm="http-auth@example.org",
                   uri="/dir/index.html",
                   algorithm={},
                   nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                   nc=00000001,
                   cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                   qop=auth,
                   response="{response}",
                   opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
                algorithm.name()
            );
            // A header has no line feeds.
            let text = text.replace('\n', " ");
            let parsed = DigestResponse::parse(text.as_bytes()).unwrap();
            assert_eq!(parsed.expected(&secret, b"GET"), response);
            assert_eq!(parsed.response, response.as_bytes());
            assert_eq!((parsed.count, &*parsed.username), (1, &b"Mufasa"[..]));
            assert_ne!(parsed.expected(&secret, b"POST"), response);
        };
        check(DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec");
        check(DigestAlgorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn an_answer_has_all_its_parts_and_nothing_that_was_not_offered() {
        const GOOD: &str = r#"username="u", realm="r", nonce="n", uri="/", response="0123456789abcdef0123456789ABCDEF", cnonce="c", qop=auth, nc=0000000a"#;
        let check = |from: &str, to: &str, expected: bool| {
            assert!(GOOD.contains(from));
            let text = GOOD.replacen(from, to, 1);
            assert_eq!(DigestResponse::parse(text.as_bytes()).is_some(), expected, "{text}");
        };
        check("", "", true);
        check("qop=auth", r#"qop="auth""#, true);
        check("qop=auth", "qop=auth, opaque=\"x\", algorithm=md5, userhash=false, later=1", true);
        check("nc=0000000a", "nc=\"0000000A\"", true);
        for name in ["username", "realm", "nonce", "uri", "response", "cnonce", "qop", "nc"] {
            let text = GOOD.replacen(&format!("{name}="), &format!("x{name}="), 1);
            assert!(DigestResponse::parse(text.as_bytes()).is_none(), "without {name}");
            let twice = format!("{GOOD}, {name}=x");
            assert!(DigestResponse::parse(twice.as_bytes()).is_none(), "{name} twice");
        }
        check("qop=auth", "qop=auth-int", false);
        check("qop=auth", "qop=AUTH", false);
        check("qop=auth", "qop=\"auth,auth-int\"", false);
        check("qop=auth", "qop=auth, algorithm=MD5-sess", false);
        check("qop=auth", "qop=auth, algorithm=SHA-256", false);
        check("qop=auth", "qop=auth, algorithm=SHA-512-256", false);
        check("qop=auth", "qop=auth, algorithm=\"\"", false);
        check("qop=auth", "qop=auth, userhash=true", false);
        check("username=\"u\"", "username*=UTF-8''u", false);
        check("qop=auth", "qop=auth, username*=UTF-8''u", false);
        check("username=\"u\"", "username=\"\"", false);
        check("cnonce=\"c\"", "cnonce=\"\"", false);
        for nc in ["00000000", "a", "0000000000a", "+000000a", "0000000g", "-0000001", "0x00000a", "\"\""] {
            check("nc=0000000a", &format!("nc={nc}"), false);
        }
        check("0123456789abcdef0123", "123456789abcdef0123", false);
        check("0123456789abcdef0123", "00123456789abcdef0123", false);
        check("0123456789abcdef0123", "g123456789abcdef0123", false);
        check("uri=\"/\"", "uri=/", false);
        check(", nc", "; nc", false);
    }
}
