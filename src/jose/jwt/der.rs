//! ECDSA signatures in ASN.1 form.

use std::borrow::Cow;

use crate::jose::jwk::Algorithm;

const INTEGER: u8 = 2;
const SEQUENCE: u8 = 0x30;

/// Converts a signature from the form of JWS, two numbers of fixed length
/// ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)), to the ASN.1 form
/// ([RFC 3279 §2.2.3](https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3)). `None` if the length is wrong, and for
/// other algorithms. The verifier must check that the numbers are in range.
pub fn ecdsa_to_der(algorithm: Algorithm, signature: &[u8]) -> Option<Vec<u8>> {
    let length = match algorithm {
        Algorithm::ES256 => 32,
        Algorithm::ES384 => 48,
        Algorithm::ES512 => 66,
        _ => return None,
    };
    let (r, s) = signature.split_at_checked(length).filter(|(_, s)| s.len() == length)?;
    let numbers = [integer(r)?, integer(s)?].concat();
    value(SEQUENCE, &numbers)
}

/// Encodes an integer without leading zeros, except for one if the number would otherwise look negative or have no
/// byte.
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits: Cow<'_, [u8]> = match number.split_at_checked(zeros)?.1 {
        digits @ [first, ..] if *first < 0x80 => digits.into(),
        digits => [&[0], digits].concat().into(),
    };
    value(INTEGER, &digits)
}

/// Encodes a value of at most 255 bytes with its tag and length.
fn value(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    const LONG_FORM: u8 = 0x81;
    let length = u8::try_from(content.len()).ok()?;
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, LONG_FORM, length] };
    Some([head, content].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the crate that verifies in software, for numbers in range.
    #[test]
    fn the_form_is_that_of_another_implementation() {
        for (first, rest) in [(0, 1), (0, 0x7f), (0, 0x80), (1, 0), (0x7f, 0xff), (0x80, 0), (0xfe, 0xff)] {
            let number = |length: usize, zeros: usize| {
                let mut number = vec![rest; length];
                number[..zeros].fill(0);
                number[zeros] = first;
                number
            };
            for zeros in [0, 1, 5, 31] {
                let [r, s] = [number(32, zeros), number(32, 31 - zeros)];
                let signature = [r, s].concat();
                let Ok(other) = p256::ecdsa::Signature::from_slice(&signature) else { continue };
                let expected = other.to_der().as_bytes().to_vec();
                assert_eq!(ecdsa_to_der(Algorithm::ES256, &signature), Some(expected), "{signature:x?}");
            }
            // The first byte of a number of 521 bits is at most 1.
            for zeros in [1, 2, 40, 65] {
                let signature = [number(66, zeros), number(66, 66 - zeros)].concat();
                let Ok(other) = p521::ecdsa::Signature::from_slice(&signature) else { continue };
                let expected = other.to_der().as_bytes().to_vec();
                assert_eq!(ecdsa_to_der(Algorithm::ES512, &signature), Some(expected), "{signature:x?}");
            }
        }
    }

    #[test]
    fn lengths_are_exact_and_zero_is_a_number() {
        for (algorithm, length) in [(Algorithm::ES256, 64), (Algorithm::ES384, 96), (Algorithm::ES512, 132)] {
            let zeros = vec![0; length];
            assert_eq!(ecdsa_to_der(algorithm, &zeros), Some(vec![0x30, 6, 2, 1, 0, 2, 1, 0]));
            for wrong in [0, length - 1, length + 1, 2 * length] {
                assert_eq!(ecdsa_to_der(algorithm, &vec![1; wrong]), None, "{wrong}");
            }
            let largest = ecdsa_to_der(algorithm, &vec![0xff; length]).unwrap();
            let ends_right = largest.len() == length + if length == 132 { 9 } else { 8 };
            assert!(ends_right, "{}", largest.len());
        }
        assert_eq!(ecdsa_to_der(Algorithm::RS256, &[1; 64]), None);
    }
}
