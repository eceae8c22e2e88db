//! Graphs of instant-distance as JSON.
#![no_main]

mod foreign;
#[path = "../../src/cli/instant_json.rs"]
mod instant_json;

use elanus::foreign::{Foreign, Format, Hints, Space};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = instant_json::is_graph(data);
    let Ok(file) = instant_json::to_bincode(data, data) else { return };
    let hints = Hints { format: Some(Format::InstantDistance), metric: Some(Space::L2), dimension: None };
    foreign::exercise(&file, &hints);
    // Links may lead nowhere; all else was checked when it was put so.
    if let Err(error) = Foreign::open(file, &hints) {
        assert!(error.message.contains("has a link"), "{error}");
    }
});
