//! A fault on demand, to show what hosts make of one. Only in a module that was built for tests.

use super::{HeaderMap, Host};
use crate::header_map;

/// A request with this field brings the module down.
const FIELD: &[u8] = b"authgate-trap";

/// Traps if the request in effect asks for it.
pub fn if_asked(host: &impl Host) {
    let map = host.header_map(HeaderMap::RequestHeaders).unwrap_or_default();
    if header_map::pairs(&map).is_some_and(|pairs| pairs.iter().any(|(name, _)| *name == FIELD)) {
        std::process::abort();
    }
}
