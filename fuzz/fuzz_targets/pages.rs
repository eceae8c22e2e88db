//! The heads of a Parquet column's pages.
#![no_main]

#[path = "../../src/cli/vectors/pages.rs"]
mod pages;

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let Some((values, data)) = data.split_first_chunk() else { return };
    let _ = pages::Pages::new(Cursor::new(data), data.len() as u64).all(u32::from_le_bytes(*values).into());
});
