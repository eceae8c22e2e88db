//! Files of Faiss: opened, and searched if that went well. Seed it with tests/fixtures/foreign/faiss.
#![no_main]

use elanus::foreign::{Faiss, Query, SearchParams};
use elanus::words::AlignedBuffer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(file) = AlignedBuffer::copy_of(data) else { return };
    let Ok(index) = Faiss::open(file) else { return };
    let floats = vec![0.5; index.dimension()];
    let bits = vec![0xA5; index.dimension().div_ceil(8)];
    let query = if index.is_binary() { Query::Bits(&bits) } else { Query::Floats(&floats) };
    let params = SearchParams { nprobe: Some(3), ef: Some(20), ..SearchParams::default() };
    let Ok(hits) = index.search(query, &params, None) else { return };
    for hit in hits {
        assert!((hit.row as usize) < index.count());
        let _ = index.id(hit.row);
    }
});
