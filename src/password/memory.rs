//! Check for available memory before an allocation that would abort.

/// Upper bound of what scrypt and yescrypt allocate besides their large block, in bytes.
const SMALL_BLOCKS: usize = 4 << 20;

/// True if `bytes` and a reserve can be allocated in one piece.
///
/// The crates for scrypt and yescrypt abort if an allocation fails, which is an outage in a proxy. A module has one
/// thread, so memory that is available here is still available when they allocate it a moment later.
pub(super) fn is_available(bytes: usize) -> bool {
    let mut probe: Vec<u8> = Vec::new();
    let granted = probe.try_reserve_exact(bytes.saturating_add(SMALL_BLOCKS)).is_ok();
    // Without a use, the compiler may remove the allocation and assume that it succeeds.
    std::hint::black_box(&mut probe);
    #[cfg(test)]
    let granted = granted && !tests::IS_OUT.get();
    granted
}

/// Runs a test as if no memory were available.
#[cfg(test)]
pub(crate) fn without_memory<T>(run: impl FnOnce() -> T) -> T {
    tests::IS_OUT.set(true);
    let result = run();
    tests::IS_OUT.set(false);
    result
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::is_available;

    thread_local! {
        pub(super) static IS_OUT: Cell<bool> = const { Cell::new(false) };
    }

    #[test]
    fn what_no_machine_has_is_not_available() {
        assert!(is_available(64 << 20));
        assert!(!is_available(usize::MAX / 2));
        assert!(!is_available(usize::MAX));
    }
}
