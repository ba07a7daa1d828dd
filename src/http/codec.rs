//! Hex digits, percent-encoding ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)) and
//! `application/x-www-form-urlencoded`.

use std::borrow::Cow;

/// The byte of two hex digits, in upper or lower case. This function and `hex_value` are always inlined: the module is
/// built for size, and a hostile path consists of escapes.
#[inline(always)]
pub fn hex_byte(high: u8, low: u8) -> Option<u8> {
    Some(hex_value(high)? << 4 | hex_value(low)?)
}

#[inline(always)]
fn hex_value(digit: u8) -> Option<u8> {
    let (value, letter) = (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a'));
    if value < 10 { Some(value) } else { (letter < 6).then(|| letter + 10) }
}

/// The digit of a value below 16. `first_letter` is the digit of 10: `b'a'` or `b'A'`. Does not branch, because some
/// digests are secrets.
fn hex_digit(value: u8, first_letter: u8) -> u8 {
    b'0' + value + (first_letter - b'0' - 10) * u8::from(value > 9)
}

/// Decodes exactly `N` bytes from hex digits; `None` for any other text.
pub fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = digits else { return None };
        *byte = hex_byte(*high, *low)?;
    }
    Some(bytes)
}

/// Encodes bytes as hex digits in lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|value| char::from(hex_digit(value, b'a'))));
    }
    text
}

/// The percent-encoding of a byte, with digits in upper case.
#[inline(always)]
pub fn escape(byte: u8) -> [u8; 3] {
    [b'%', hex_digit(byte >> 4, b'A'), hex_digit(byte & 15, b'A')]
}

/// Appends `bytes` to `text`, percent-encoding those for which `is_plain` is false.
pub fn percent_encode(bytes: &[u8], is_plain: impl Fn(u8) -> bool, text: &mut Vec<u8>) {
    for byte in bytes {
        if is_plain(*byte) {
            text.push(*byte);
        } else {
            text.extend(escape(*byte));
        }
    }
}

/// Appends a name or a value to a form.
pub fn form_encode(bytes: &[u8], form: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => form.push(*byte),
            b' ' => form.push(b'+'),
            _ => form.extend(escape(*byte)),
        }
    }
}

/// Decodes the escapes of a text, once. An incomplete escape stays as it is.
pub fn percent_decode(encoded: &[u8]) -> Cow<'_, [u8]> {
    if !encoded.contains(&b'%') {
        return Cow::Borrowed(encoded);
    }
    let (mut decoded, mut rest) = (Vec::with_capacity(encoded.len()), encoded);
    while let [byte, after @ ..] = rest {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, after @ ..]) => hex_byte(*high, *low).map(|byte| (byte, after)),
            _ => None,
        };
        decoded.push(match escaped {
            Some((byte, after)) => {
                rest = after;
                byte
            }
            None => *byte,
        });
    }
    Cow::Owned(decoded)
}

/// Decodes a name or a value of a form or a query; `None` if an escape is invalid.
pub fn form_decode(encoded: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(encoded));
    }
    let (mut decoded, mut rest) = (Vec::with_capacity(encoded.len()), encoded);
    while let [byte, after @ ..] = rest {
        rest = after;
        decoded.push(match byte {
            b'%' => {
                let [high, low, after @ ..] = after else { return None };
                rest = after;
                hex_byte(*high, *low)?
            }
            b'+' => b' ',
            _ => *byte,
        });
    }
    Some(Cow::Owned(decoded))
}

/// True if a byte is unreserved ([RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)):
/// `unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"`.
pub const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// True if a byte is a `pchar` other than an escape
/// ([RFC 3986 §3.3](https://www.rfc-editor.org/rfc/rfc3986#section-3.3)):
/// `pchar = unreserved / pct-encoded / sub-delims / ":" / "@"`.
pub const fn is_pchar(byte: u8) -> bool {
    let is_sub_delim =
        matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
    is_unreserved(byte) || is_sub_delim || matches!(byte, b':' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte once, as `format!` and `char::to_digit` of the standard library see it.
    #[test]
    fn each_byte_has_its_digits() {
        for byte in 0..=255u8 {
            let (lower, upper) = (format!("{byte:02x}"), format!("%{byte:02X}"));
            assert_eq!(to_hex(&[byte]), lower);
            assert_eq!(escape(byte), upper.as_bytes());
            assert_eq!(from_hex(lower.as_bytes()), Some([byte]));
            assert_eq!(from_hex(&upper.as_bytes()[1..]), Some([byte]));

            let digit = char::from(byte).to_digit(16).map(|value| value as u8);
            assert_eq!(hex_byte(byte, b'0'), digit.map(|value| value << 4), "{byte:#x}");
            assert_eq!(hex_byte(b'0', byte), digit, "{byte:#x}");
        }
    }

    #[test]
    fn only_the_exact_number_of_digits_is_decoded() {
        assert_eq!(to_hex(&[0, 1, 0xab, 0xff]), "0001abff");
        assert_eq!(from_hex(b"0001aBFf"), Some([0, 1, 0xab, 0xff]));
        assert_eq!(from_hex(b""), Some([]));
        for wrong in ["", "a", "abc", "abcdef", "0xab", "+1", "+1ab", "ab c", "abcg", "éé"] {
            assert_eq!(from_hex::<2>(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn each_byte_has_its_class() {
        let in_class =
            |is_in: fn(u8) -> bool| (0..=255).filter(|byte| is_in(*byte)).map(char::from).collect();
        let unreserved: String = in_class(is_unreserved);
        let alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
        assert_eq!(unreserved, format!("-.{alphanumeric}~"));
        let pchar: String = in_class(is_pchar);
        let (digits, letters) = alphanumeric.split_at(10);
        assert_eq!(pchar, format!("!$&'()*+,-.{digits}:;=@{letters}~"));
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (encoded, decoded) in
            [("a+b", "a+b"), ("%61%2Fb", "a/b"), ("%2561", "%61"), ("%4", "%4"), ("%zz%", "%zz%"), ("", "")]
        {
            assert_eq!(percent_decode(encoded.as_bytes()).as_ref(), decoded.as_bytes(), "{encoded}");
        }
    }

    #[test]
    fn each_byte_survives_a_form() {
        for byte in 0..=255u8 {
            let mut form = Vec::new();
            form_encode(&[byte], &mut form);
            assert_eq!(form_decode(&form).as_deref(), Some(&[byte][..]), "{byte:#x}");
            // https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set
            let is_plain = byte.is_ascii_alphanumeric() || b"*-._".contains(&byte);
            let expected = match byte {
                _ if is_plain => vec![byte],
                b' ' => b"+".to_vec(),
                _ => format!("%{byte:02X}").into_bytes(),
            };
            assert_eq!(form, expected, "{byte:#x}");

            let mut text = Vec::new();
            percent_encode(&[byte], |_| false, &mut text);
            percent_encode(&[byte], |_| true, &mut text);
            assert_eq!(text, [format!("%{byte:02X}").as_bytes(), &[byte]].concat(), "{byte:#x}");
        }
    }

    #[test]
    fn an_incomplete_escape_is_invalid() {
        let check = |encoded: &str, expected: Option<&str>| {
            assert_eq!(form_decode(encoded.as_bytes()).as_deref(), expected.map(str::as_bytes), "{encoded}");
        };
        check("", Some(""));
        check("a", Some("a"));
        check("a+b%2B%2b", Some("a b++"));
        check("%25", Some("%"));
        check("%2525", Some("%25"));
        for invalid in ["%", "%2", "a%", "+%2", "%2g", "%g2", "%%2B", "%+2", "%-1"] {
            check(invalid, None);
        }
    }
}
