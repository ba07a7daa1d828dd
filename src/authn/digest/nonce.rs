//! Nonces that contain their time of issue, and that are authenticated with a key.
//!
//! ```text
//! base64url( milliseconds since 1970, 8 bytes | salt, 8 bytes | HMAC-SHA-256 of both and the realm, 16 bytes )
//! ```

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac_sha256::HMAC;
use subtle::ConstantTimeEq;

use crate::http::challenge::Realm;
use crate::timestamp::NumericDate;

/// Time by which the clock of another worker may be ahead.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A nonce that was issued with the key.
pub struct Nonce {
    /// Time of issue.
    pub issued: NumericDate,
    /// Unique identifier of the nonce.
    pub id: u128,
}

/// Issues a nonce.
pub fn issue(key: &[u8], realm: &Realm, now: NumericDate, salt: [u8; 8]) -> String {
    let issued = (now.seconds() * 1000.0) as u64; // saturates
    let stem = [issued.to_be_bytes(), salt].concat();
    let mac = mac(key, realm, &stem);
    URL_SAFE_NO_PAD.encode([stem.as_slice(), &mac].concat())
}

impl Nonce {
    /// Decodes a nonce. Returns `None` if it was not issued with this key for this realm.
    pub fn open(text: &[u8], key: &[u8], realm: &Realm) -> Option<Self> {
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (stem, found) = bytes.split_first_chunk::<16>()?;
        if !bool::from(mac(key, realm, stem).ct_eq(found)) {
            return None;
        }
        let issued = u64::from_be_bytes(*stem.first_chunk()?) as f64 / 1000.0;
        let id = u128::from_be_bytes(found.try_into().ok()?);
        Some(Nonce { issued: NumericDate::from_seconds(issued)?, id })
    }

    /// True if the nonce was issued less than `lifetime` ago, and not too far in the future.
    pub fn counts_at(&self, now: NumericDate, lifetime: Duration) -> bool {
        now.since(self.issued) < lifetime && self.issued.since(now) <= CLOCK_SKEW
    }
}

fn mac(key: &[u8], realm: &Realm, stem: &[u8]) -> [u8; 16] {
    let input = [b"authgate nonce\0", stem, realm.as_str().as_bytes()].concat();
    HMAC::mac(input, key).first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_by_key_and_realm_and_grows_old() {
        let at = |seconds: f64| NumericDate::from_seconds(seconds).unwrap();
        let (realm, other) = (Realm::new("a").unwrap(), Realm::new("b").unwrap());
        let text = issue(b"key", &realm, at(1_700_000_000.25), [9; 8]);
        assert_eq!(text.len(), 43);
        let nonce = Nonce::open(text.as_bytes(), b"key", &realm).unwrap();
        assert_eq!(nonce.issued, at(1_700_000_000.25));
        for (age, expected) in
            [(-61.0, false), (-60.0, true), (0.0, true), (299.75, true), (300.0, false), (1e9, false)]
        {
            let now = at(1_700_000_000.25 + age);
            assert_eq!(nonce.counts_at(now, Duration::from_secs(300)), expected, "{age}");
        }
        assert!(Nonce::open(text.as_bytes(), b"kez", &realm).is_none());
        assert!(Nonce::open(text.as_bytes(), b"key", &other).is_none());
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(Nonce::open(&bytes, b"key", &realm).is_none(), "{at}");
        }
        let short = text.strip_suffix(char::is_alphanumeric).unwrap_or("");
        for text in ["", "A", short, &format!("{text}A"), &format!("{text}=")] {
            assert!(Nonce::open(text.as_bytes(), b"key", &realm).is_none(), "{text}");
        }
    }
}
