//! Damaged and forged files: refused with a typed error, or answered sanely, quickly, and within
//! twice the file's size and 16 MiB.

use crate::answers::{fixtures, hints};
use crate::mutate::within_limits;
use elanus::foreign::{Foreign, Format, Hints, Query, SearchParams};
use elanus::words::{AlignedBuffer, Code};

/// Opens and searches; whatever the file holds, it must come back.
pub fn exercise(bytes: &[u8], hints: &Hints) -> Result<(), Code> {
    let index = Foreign::open(AlignedBuffer::copy_of(bytes).unwrap(), hints).map_err(|error| error.code)?;
    // A conversion takes the links and lists out: that must end as well, whatever they are.
    let _kept = index.structure();
    let floats = vec![0.5; index.dimension()];
    let bits = vec![0xA5; index.dimension().div_ceil(8)];
    let query = if index.is_binary() { Query::Bits(&bits) } else { Query::Floats(&floats) };
    for (nprobe, ef) in [(None, None), (Some(3), Some(20))] {
        let params = SearchParams { nprobe, ef, limit: 12, ..SearchParams::default() };
        let hits = index.search(query, &params, None).map_err(|error| error.code)?;
        assert!(hits.len() <= 12 && hits.iter().all(|hit| (hit.row as usize) < index.count()));
        // Ids may be any number; they must only be there.
        let _ids: Vec<i64> = hits.iter().map(|hit| index.id(hit.row)).collect();
    }
    Ok(())
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for path in fixtures() {
        let (bytes, hints) = (std::fs::read(&path).unwrap(), hints(&path));
        let step = (bytes.len() / 150).max(1);
        for length in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(20)..bytes.len()) {
            let read = |bytes: &[u8]| exercise(bytes, &hints);
            let result = within_limits(&path.to_string_lossy(), &bytes[..length], &read).result;
            // Whole nodes of an Annoy file are an Annoy file.
            let may_be_whole = hints.format == Some(Format::Annoy);
            assert!(result.is_err() || may_be_whole, "{} cut to {length}", path.display());
        }
    }
}

#[test]
fn rows_of_bytes_that_an_older_usearch_made_in_another_way_are_refused() {
    let path = fixtures().into_iter().find(|path| path.ends_with("usearch/l2sq_i8.bin")).unwrap();
    let whole = std::fs::read(path).unwrap();
    let version = whole.windows(7).position(|bytes| bytes == b"usearch").unwrap() + 7;
    let read = |minor: u8, patch: u8| {
        let mut bytes = whole.clone();
        bytes[version + 2..version + 6].copy_from_slice(&[minor, 0, patch, 0]);
        exercise(&bytes, &Hints::default())
    };
    assert_eq!(read(13, 5), Ok(()));
    assert_eq!([read(13, 0), read(12, 0)], [Err(Code::UnsupportedFormat); 2]);
}
