//! Files of usearch. Seed it with tests/fixtures/foreign/usearch.
#![no_main]

mod foreign;

use elanus::foreign::{Format, Hints};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    foreign::exercise(data, &Hints { format: Some(Format::Usearch), ..Hints::default() });
});
