//! Sections of stored fields: the first byte is the number of rows.
#![no_main]

use elanus::segment::Fields;
use elanus::segment::fields::MAX_ROW_BYTES;
use elanus::words::Blob;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [rows, section @ ..] = data else { return };
    let rows = u32::from(*rows);
    let Ok(fields) = Blob::copy_of(section).and_then(|blob| Fields::open(blob, rows)) else { return };
    let _ = fields.verify();
    for row in 0..rows + 1 {
        if let Ok(texts) = fields.read(&[row]) {
            assert!(row < rows && texts[0].len() < MAX_ROW_BYTES && !texts[0].contains('\n'));
        }
    }
    let _ = fields.for_each(|_, _| Ok(()));
});
