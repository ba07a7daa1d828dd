#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| authgate_fuzz::lenient::check(bytes));
