//! A header map as the proxy-wasm ABI hands it over: read in place, without copies.
//!
//! ```text
//! count: u32, then for each pair: name length: u32, value length: u32; then for each: name, NUL, value, NUL
//! ```
//!
//! Numbers are little-endian.

use crate::request::Fields;

/// The pairs of a serialised map; `None` where it is not of that form.
pub fn pairs(map: &[u8]) -> Option<Fields<'_>> {
    if map.is_empty() {
        return Some(Fields::new());
    }
    let (count, rest) = number(map)?;
    let (mut lengths, mut octets) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Fields::with_capacity(count);
    for _ in 0..count {
        let (name_length, rest) = number(lengths)?;
        let (value_length, rest) = number(rest)?;
        lengths = rest;
        let (name, rest) = text(octets, name_length)?;
        let (value, rest) = text(rest, value_length)?;
        octets = rest;
        pairs.push((name, value));
    }
    Some(pairs)
}

fn number(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = octets.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn text(octets: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = octets.split_at_checked(length)?;
    Some((text, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serialised(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut map = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs {
            map.extend_from_slice(&(name.len() as u32).to_le_bytes());
            map.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs {
            for text in [name, value] {
                map.extend_from_slice(text);
                map.push(0);
            }
        }
        map
    }

    #[test]
    fn what_was_written_is_read() {
        let cases: [&[(&[u8], &[u8])]; 4] = [
            &[],
            &[(b":path", b"/")],
            &[(b"a", b""), (b"a", b"\xff\0x"), (b"", b"b")],
            &[(b"x-long", &[b'y'; 70_000])],
        ];
        for case in cases {
            assert_eq!(pairs(&serialised(case)).as_deref(), Some(case));
        }
        assert_eq!(pairs(b"").as_deref(), Some(&[][..]));
    }

    #[test]
    fn what_is_cut_or_lies_about_its_lengths_is_refused() {
        let map = serialised(&[(b"name", b"value"), (b"other", b"v")]);
        for length in 1..map.len() {
            assert_eq!(pairs(&map[..length]), None, "{length}");
        }
        for at in 0..20 {
            let mut wrong = map.clone();
            wrong[at] = wrong[at].wrapping_add(200);
            assert_eq!(pairs(&wrong), None, "{at}");
        }
    }
}
