//! Allocation that may fail.

/// At least what scrypt and yescrypt allocate beside their large block, in octets.
const SMALL_BLOCKS: usize = 4 << 20;

/// Whether `octets` and a little more can be had in one piece.
///
/// The crates for scrypt and yescrypt allocate in a way that aborts when memory is out, which in a proxy is an outage.
/// A module has one thread, so what could be had here is there for them a moment later.
pub(super) fn is_available(bytes: usize) -> bool {
    let mut probe: Vec<u8> = Vec::new();
    let granted = probe.try_reserve_exact(bytes.saturating_add(SMALL_BLOCKS)).is_ok();
    // Without a use the compiler may drop the allocation and take it for granted.
    std::hint::black_box(&mut probe);
    #[cfg(test)]
    let granted = granted && !tests::IS_OUT.get();
    granted
}

/// Runs a test as if there were no memory.
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
