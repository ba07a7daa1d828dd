#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| authgate_fuzz::lenient::check(octets));
