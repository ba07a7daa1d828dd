#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| authgate_fuzz::jws::check(bytes));
