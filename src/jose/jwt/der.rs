//! ECDSA signatures as others take them.

use std::borrow::Cow;

use crate::jose::jwk::Algorithm;

const INTEGER: u8 = 2;
const SEQUENCE: u8 = 0x30;

/// The ASN.1 form (RFC 3279 §2.2.3) of a signature in the form of JWS, two numbers of fixed length (RFC 7518 §3.4). `None`
/// for one of another length, and for other algorithms. Whether the numbers are in range, whoever verifies has to see.
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

/// Without zeros in front, but for one where the number would look negative, or have no octet.
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits: Cow<'_, [u8]> = match number.split_at_checked(zeros)?.1 {
        digits @ [(..0x80), ..] => digits.into(),
        digits => [&[0], digits].concat().into(),
    };
    value(INTEGER, &digits)
}

/// A value with its tag and length, of at most 255 octets.
fn value(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    const LONG_FORM: u8 = 0x81;
    let length = u8::try_from(content.len()).ok()?;
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, LONG_FORM, length] };
    Some([head, content].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the crate that verifies in software writes it, where the numbers are in range.
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
            // The first octet of a number of 521 bits is 1 at the most.
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
