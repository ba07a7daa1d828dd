//! A trap on demand, to test how hosts handle one. Only in a module that is built for tests.

use super::{HeaderMap, Host};
use crate::header_map;

/// Header of a request that makes the module trap.
const FIELD: &[u8] = b"authgate-trap";

/// Traps if the effective request has the header.
pub fn if_asked(host: &impl Host) {
    let map = host.header_map(HeaderMap::RequestHeaders).unwrap_or_default();
    if header_map::pairs(&map).is_some_and(|pairs| pairs.iter().any(|(name, _)| *name == FIELD)) {
        std::process::abort();
    }
}
