//! Header maps of the ABI: serialized maps are parsed back, and any input is read within its bounds.

use authgate_filter::header_map::{pairs, serialise};

pub fn check(bytes: &[u8]) {
    if let Some(found) = pairs(bytes) {
        let found: Vec<_> = found.iter().map(|(name, value)| (*name, *value)).collect();
        let again = serialise(&found);
        let said = found.iter().map(|(name, value)| name.len() + value.len() + 2 + 8).sum::<usize>() + 4;
        assert_eq!(again.len(), said);
        assert!(again.len() <= bytes.len().max(4), "more is read than is there");
        let read = pairs(&again).expect("what we write can be read");
        assert!(read.iter().map(|(name, value)| (*name, *value)).eq(found));
    }
    let mut parts = bytes.split(|byte| *byte == b'\n');
    let mut made = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        made.push((name, value));
    }
    let written = serialise(&made);
    let read = pairs(&written).expect("what we write can be read");
    assert!(read.iter().map(|(name, value)| (*name, *value)).eq(made));
}
