//! `.fvecs`, `.bvecs` and `.ivecs`, as the corpora of TEXMEX are published.

use super::{Element, Vectors, reserve, shape};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::words::MatrixView;
use std::io::Read;
use std::path::Path;

/// Vectors each of which has its dimension in front.
pub fn read(path: &Path, element: Element, reader: &mut impl Read, bytes: u64, progress: Progress) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let io = |error: std::io::Error| Failure::io("read", path, &error);
    let mut read_dimension = || -> Result<i32> {
        let mut dimension = [0; 4];
        reader.read_exact(&mut dimension).map_err(io)?;
        Ok(i32::from_le_bytes(dimension))
    };
    let first = match bytes {
        0 => 0,
        1..4 => return Err(refused(format!("it has {bytes} bytes, less than one vector; the file is truncated"))),
        _ => read_dimension()?,
    };
    if bytes > 0 && (first <= 0 || first as usize > MatrixView::MAX_DIMENSION) {
        return Err(refused(format!(
            "the first vector states {first} dimensions; this is no such file (each vector: its dimension as \
             a 32-bit integer, then its numbers)"
        )));
    }
    let row_bytes = 4 + element.bytes() as u64 * first as u64;
    let rows = bytes / row_bytes;
    let dimension = shape(path, rows, first as u64)?;
    let mut data = reserve(rows as usize * dimension)?;
    let bar = progress.bytes("reading vectors", bytes);
    let mut row = vec![0; element.bytes() * dimension];
    for i in 0..rows {
        if i > 0 {
            let mut own = [0; 4];
            reader.read_exact(&mut own).map_err(io)?;
            let own = i32::from_le_bytes(own);
            if own != first {
                return Err(refused(format!(
                    "row {i} has {own} dimensions, but row 0 has {first}; the rows are ragged: \
                     give all vectors the same dimension"
                )));
            }
        }
        reader.read_exact(&mut row).map_err(io)?;
        element.decode(&row, &mut data);
        bar.inc(row_bytes);
    }
    if !bytes.is_multiple_of(row_bytes) {
        return Err(refused(format!(
            "row {rows} is cut off after {} of {row_bytes} bytes; the file is truncated",
            bytes % row_bytes
        )));
    }
    bar.finish_and_clear();
    Ok(Vectors { data, dimension })
}
