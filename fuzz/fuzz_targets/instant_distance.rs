//! Graphs of instant-distance.
#![no_main]

mod foreign;

use elanus::foreign::{Format, Hints, Space};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (format, metric) = (Some(Format::InstantDistance), Some(Space::L2));
    foreign::exercise(data, &Hints { format, metric, dimension: None });
});
