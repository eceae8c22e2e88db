//! Sketches of releases: refused, or used to watch whatever comes.
#![no_main]

use elanus::release::sketch::{Sketch, Watch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Vec<f32>)| {
    let (text, query) = input;
    let Ok(sketch) = serde_json::from_str::<Sketch>(text) else { return };
    let Ok(mut watch) = Watch::new(&sketch) else { return };
    watch.see(&query, query.first().copied().filter(|x| x.is_finite()));
    let findings = watch.judge().expect("one query was seen");
    assert!(findings.checks().iter().all(|(_, check)| !(check.p < 0.0 || check.p > 1.0)));
});
