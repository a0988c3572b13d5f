#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cx_tests::fuzzing::check("policy", bytes));
