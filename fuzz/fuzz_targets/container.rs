//! Whole files, with the checksums of header and section table put right.
#![no_main]

use elanus::format::{ENTRY_BYTES, FileReader, HEADER_BYTES, MAX_SECTIONS, checksum};
use elanus::words::Blob;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if bytes.len() >= HEADER_BYTES {
        let sections = u32::from_le_bytes([bytes[48], bytes[49], bytes[50], bytes[51]]) as usize;
        if sections <= MAX_SECTIONS
            && let Some(table) = bytes.get(HEADER_BYTES..HEADER_BYTES + sections * ENTRY_BYTES)
        {
            let sum = checksum(table);
            bytes[56..64].copy_from_slice(&sum.to_le_bytes());
        }
        let sum = checksum(&bytes[..HEADER_BYTES - 8]);
        bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
    let Ok(blob) = Blob::copy_of(&bytes) else { return };
    let Ok(reader) = FileReader::open(blob) else { return };
    let inside: u64 = reader.layout().entries.iter().map(|e| e.length).sum();
    assert!(inside <= bytes.len() as u64);
    for entry in &reader.layout().entries {
        assert_eq!(reader.section(entry.kind).map(|s| s.len() as u64), Some(entry.length));
    }
    let _ = reader.verify();
});
