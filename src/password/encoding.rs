//! Encodings that several kinds of hashes share.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64ct::{Base64ShaCrypt, Encoding as _};

/// True if all characters are in the base64 alphabet of crypt(3): `[./0-9A-Za-z]`.
pub(super) fn is_crypt64(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'.' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'))
}

/// The value of one character in the base64 of crypt(3).
pub(super) fn crypt64_value(character: u8) -> Option<u8> {
    match character {
        b'.'..=b'9' => character.checked_sub(b'.'),
        b'A'..=b'Z' => character.checked_sub(b'A').map(|value| value + 12),
        b'a'..=b'z' => character.checked_sub(b'a').map(|value| value + 38),
        _ => None,
    }
}

/// Decodes the base64 of crypt(3), least significant bits first, as SHA-crypt and yescrypt write bytes.
pub(super) fn crypt64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len()];
    let len = Base64ShaCrypt::decode(text, &mut bytes).ok()?.len();
    bytes.truncate(len);
    // The round trip rejects stray bits, even if the decoder accepts them.
    let mut encoded = vec![0; text.len()];
    (Base64ShaCrypt::encode(&bytes, &mut encoded) == Ok(text)).then_some(bytes)
}

/// Decodes base64 ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)) without padding, as the PHC string
/// format writes bytes.
pub(super) fn phc64(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// Decodes base64 ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)) with padding.
pub(super) fn padded64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Parses a decimal number without a sign or leading zeros.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Parses `NAME=number,NAME=number,…` with exactly these names in this order, as the PHC string format requires.
pub(super) fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let mut fields = text.split(',');
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let (found, number) = fields.next()?.split_once('=')?;
        *value = (found == name).then(|| decimal(number)).flatten()?;
    }
    fields.next().is_none().then_some(values)
}

/// Splits `text` at `$` into exactly `N` parts.
pub(super) fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    let mut parts = text.split('$');
    let mut fields = [""; N];
    for field in &mut fields {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(fields)
}
