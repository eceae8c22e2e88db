//! Real files of each index type with edited sections, sealed again.
//!
//! An input is the file's type, the section, and then edits: a place, a width and a value each.
#![no_main]

#[path = "../../tests/file/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "../../tests/file/forge.rs"]
#[allow(dead_code)]
mod forge;
mod edits;

use data::{Wanted, every_type, file};
use forge::{Pieces, exercise};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ORIGINALS: LazyLock<Vec<Pieces>> = LazyLock::new(|| {
    every_type()
        .flat_map(|index_type| [false, true].map(|varchar_keys| Wanted { rows: 40, index_type, varchar_keys, ..Wanted::default() }))
        .filter_map(|wanted| Pieces::of(&file(&wanted)).ok())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let [which, section, rest @ ..] = data else { return };
    let mut pieces = ORIGINALS[usize::from(*which) % ORIGINALS.len()].clone();
    let at = usize::from(*section) % (pieces.sections.len() + 1);
    if let Some((_, bytes)) = pieces.sections.get_mut(at) {
        edits::apply(bytes, rest);
    } else if let [a, b, c, d, ..] = rest {
        let value = u32::from_le_bytes([*a, *b, *c, *d]);
        if rest.len() % 2 == 0 { pieces.header.count = value } else { pieces.header.dimension = value }
    }
    let _ = exercise(&pieces.seal());
});
