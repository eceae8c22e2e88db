//! What the targets of foreign files share.

use elanus::foreign::{Foreign, Hints, Query, SearchParams};
use elanus::words::AlignedBuffer;

/// Opens a file, and searches it if that went well.
pub fn exercise(data: &[u8], hints: &Hints) {
    let Ok(file) = AlignedBuffer::copy_of(data) else { return };
    let Ok(index) = Foreign::open(file, hints) else { return };
    let floats = vec![0.5; index.dimension()];
    let bits = vec![0xA5; index.dimension().div_ceil(8)];
    let query = if index.is_binary() { Query::Bits(&bits) } else { Query::Floats(&floats) };
    let params = SearchParams { nprobe: Some(3), ef: Some(20), ..SearchParams::default() };
    let Ok(hits) = index.search(query, &params, None) else { return };
    for hit in hits {
        assert!((hit.row as usize) < index.count());
        let _ = index.id(hit.row);
    }
}
