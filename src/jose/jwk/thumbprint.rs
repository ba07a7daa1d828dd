//! Thumbprints of keys ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).

use hmac_sha256::Hash;
use serde_json::Value;

/// A SHA-256 digest.
pub type Thumbprint = [u8; 32];

/// The SHA-256 thumbprint of a JWK: the digest of its required members, in the order of their names
/// ([RFC 7638 §3.2](https://www.rfc-editor.org/rfc/rfc7638#section-3.2),
/// [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)). `None` for other types of keys, and if a required
/// member is missing or has characters that would need escaping, which neither names nor base64url contain.
pub fn thumbprint(jwk: &Value) -> Option<Thumbprint> {
    let required: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        "oct" => &["k", "kty"],
        _ => return None,
    };
    let mut hash = Hash::new();
    let mut before = "{\"";
    for name in required {
        let value = jwk.get(name)?.as_str()?;
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        for part in [before, name, "\":\"", value] {
            hash.update(part);
        }
        before = "\",\"";
    }
    hash.update("\"}");
    Some(hash.finalize())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    fn check(jwk: &Value, expected: Option<&str>) {
        assert_eq!(
            thumbprint(jwk).map(|digest| URL_SAFE_NO_PAD.encode(digest)).as_deref(),
            expected,
            "{jwk}"
        );
    }

    #[test]
    fn those_of_the_rfcs() {
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9\
                 c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1j\
                 F44-csFCur-kEgU8awapJzKnqDKgw";
        check(
            &json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}),
            Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        );
        // RFC 8037 §A.3.
        check(
            &json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        );
        // RFC 9449 §4.1 and §6.1.
        check(
            &json!({"kty": "EC", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", "crv": "P-256"}),
            Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        );
    }

    #[test]
    fn what_is_not_needed_does_not_count() {
        let plain = thumbprint(&json!({"kty": "oct", "k": "AAAA"}));
        assert!(plain.is_some());
        assert_eq!(thumbprint(&json!({"use": "sig", "k": "AAAA", "kty": "oct", "x": 1})), plain);
        assert_ne!(thumbprint(&json!({"kty": "oct", "k": "AAAB"})), plain);
    }

    #[test]
    fn what_is_no_such_key_has_none() {
        for jwk in [
            json!(null),
            json!([]),
            json!({}),
            json!({"kty": 1}),
            json!({"kty": "AKP", "pub": "AAAA"}),
            json!({"kty": "oct"}),
            json!({"kty": "oct", "k": 1}),
            json!({"kty": "oct", "k": "A\",\"x\":\"A"}),
            json!({"kty": "oct", "k": "A\\u0041"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AAAA"}),
            json!({"kty": "OKP", "crv": "Ed25519"}),
            json!({"kty": "RSA", "n": "AAAA"}),
        ] {
            check(&jwk, None);
        }
    }
}
