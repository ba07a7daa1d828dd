//! The serialized header map of the proxy-wasm ABI: read in place, without copies, and written.
//!
//! ```text
//! count: u32, then for each pair: name length: u32, value length: u32; then for each: name, NUL, value, NUL
//! ```
//!
//! Numbers are little-endian.

use authgate::http::request::Fields;

/// Returns the pairs of a serialized map; `None` if it is malformed.
pub fn pairs(map: &[u8]) -> Option<Fields<'_>> {
    if map.is_empty() {
        return Some(Fields::new());
    }
    let (count, rest) = number(map)?;
    let (mut lengths, mut bytes) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Fields::with_capacity(count);
    for _ in 0..count {
        let (name_length, rest) = number(lengths)?;
        let (value_length, rest) = number(rest)?;
        lengths = rest;
        let (name, rest) = text(bytes, name_length)?;
        let (value, rest) = text(rest, value_length)?;
        bytes = rest;
        pairs.push((name, value));
    }
    Some(pairs)
}

/// Serializes pairs. The ABI allows at most 4 GiB, which the filter's maps never reach.
pub fn serialise(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut map = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        map.extend_from_slice(&number(name.len()));
        map.extend_from_slice(&number(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(text);
        map.push(0);
    }
    map
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let cases: [&[(&[u8], &[u8])]; 4] = [
            &[],
            &[(b":path", b"/")],
            &[(b"a", b""), (b"a", b"\xff\0x"), (b"", b"b")],
            &[(b"x-long", &[b'y'; 70_000])],
        ];
        for case in cases {
            assert_eq!(pairs(&serialise(case)).as_deref(), Some(case));
        }
        assert_eq!(pairs(b"").as_deref(), Some(&[][..]));
    }

    #[test]
    fn what_is_cut_or_lies_about_its_lengths_is_refused() {
        let map = serialise(&[(b"name", b"value"), (b"other", b"v")]);
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
