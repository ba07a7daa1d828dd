//! The binding of a token, in its `cnf` claim ([RFC 7800 §3.1](https://www.rfc-editor.org/rfc/rfc7800#section-3.1)).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::http::codec::from_hex;
use crate::jose::jwk::Thumbprint;

/// SHA-256 of a DER certificate.
pub type CertificateDigest = [u8; 32];

/// The binding of a token.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `jkt` ([RFC 9449 §6](https://www.rfc-editor.org/rfc/rfc9449#section-6)): thumbprint of a key.
    pub key: Option<Thumbprint>,
    /// `x5t#S256` ([RFC 8705 §3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)): digest of a certificate.
    pub certificate: Option<CertificateDigest>,
}

impl Confirmation {
    /// Parses `cnf`. Returns `None` if it is malformed, or if all its members are unknown, such as `jwk` and `kid`,
    /// since possession cannot be proved for these.
    pub fn from_json(cnf: &Value) -> Option<Confirmation> {
        let cnf = cnf.as_object()?;
        let digest = |name: &str| match cnf.get(name) {
            None => Some(None),
            Some(value) => decode(value.as_str()?).map(Some),
        };
        let confirmation = Confirmation { key: digest("jkt")?, certificate: digest("x5t#S256")? };
        (confirmation != Confirmation::default()).then_some(confirmation)
    }
}

/// Decodes a base64url SHA-256 digest.
pub(super) fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Parses the digest of a certificate as a proxy reports it, in hexadecimal digits. Returns `None` for anything else.
pub fn certificate_digest(hex: &[u8]) -> Option<CertificateDigest> {
    from_hex(hex)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_bound_is_read() {
        // Values of RFC 9449 §6.1 and RFC 8705 §3.1.
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let x5t = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
        let check = |cnf: Value, key: bool, certificate: bool| {
            let confirmation = Confirmation::from_json(&cnf).unwrap();
            assert_eq!((confirmation.key.is_some(), confirmation.certificate.is_some()), (key, certificate));
        };
        check(json!({"jkt": jkt}), true, false);
        check(json!({"x5t#S256": x5t.replace("dg2", "dg0")}), false, true);
        check(json!({"jkt": jkt, "x5t#S256": jkt, "kid": "a"}), true, true);
        for cnf in [
            json!(null),
            json!("x"),
            json!([]),
            json!({}),
            json!({"jwk": {"kty": "EC"}}),
            json!({"kid": "a"}),
            json!({"JKT": jkt}),
            json!({"x5t": jkt}),
            json!({"jkt": null}),
            json!({"jkt": 1}),
            json!({"jkt": ""}),
            json!({"jkt": format!("{jkt}=")}),
            json!({"jkt": format!("{jkt}AAAA")}),
            json!({"jkt": "AAAA"}),
            json!({"jkt": jkt, "x5t#S256": ""}),
            json!({"jkt": null, "x5t#S256": jkt}),
        ] {
            assert_eq!(Confirmation::from_json(&cnf), None, "{cnf}");
        }
    }

    #[test]
    fn digests_are_read_from_hexadecimal_digits() {
        let digits = "0123456789abcdefABCDEF0000000000000000000000000000000000000000ff";
        let digest = certificate_digest(digits.as_bytes()).unwrap();
        assert_eq!(digest[..4], [0x01, 0x23, 0x45, 0x67]);
        assert_eq!(digest[8..12], [0xab, 0xcd, 0xef, 0]);
        assert_eq!(digest[31], 0xff);
        for wrong in
            ["", "0", &digits.replacen('0', "", 1), &format!("{digits}00"), &digits.replace('f', "g")]
        {
            assert_eq!(certificate_digest(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(certificate_digest(&[0xff; 64]), None);
        assert_eq!(certificate_digest("é".repeat(32).as_bytes()), None);
    }
}
