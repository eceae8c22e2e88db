//! NumPy arrays: `.npy`, and `.npz` archives of them.

use super::{Element, Vectors, numbers};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use std::io::{Read, Seek};
use std::path::Path;

/// No stream of DEFLATE unpacks to more times its bytes.
const MAX_RATIO: u64 = 1032;

/// Counts what was read.
struct Counted<'a, R> {
    reader: &'a mut R,
    read: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(out)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// The vectors of an array that takes `bytes` bytes.
pub fn npy(path: &Path, reader: &mut impl Read, bytes: u64, one_axis: bool, progress: Progress) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    // From version 2 on the header's length has 32 bits, and npyz takes as much memory as it says.
    let mut start = Vec::new();
    reader.by_ref().take(12).read_to_end(&mut start).map_err(|e| Failure::io("read", path, &e))?;
    let is_long = |&length: &[u8; 4]| u64::from(u32::from_le_bytes(length)) > bytes;
    if start.get(6).is_some_and(|&version| version > 1) && start.last_chunk().is_some_and(is_long) {
        return Err(refused("this is no NumPy array: its header isn't whole".into()));
    }
    let mut reader = Counted { reader: &mut start.chain(reader), read: 0 };
    let header = npyz::NpyHeader::from_reader(&mut reader)
        .map_err(|e| refused(format!("this is no NumPy array ({e}); write it with numpy.save")))?;
    let element = match header.dtype().descr().trim_matches('\'') {
        "|i1" => Element::I8,
        "|u1" => Element::U8,
        "<i2" => Element::I16,
        "<u2" => Element::U16,
        "<i4" => Element::I32,
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => {
            return Err(refused(format!(
                "the array's dtype is {other}; little-endian floats of 16, 32 and 64 bits and integers of up to 32 \
                 are read: convert it with array.astype('<f4')"
            )));
        }
    };
    let (rows, dimension) = match *header.shape() {
        [rows, dimension] => (rows, dimension),
        [dimension] if one_axis => (1, dimension),
        ref shape => {
            return Err(refused(format!(
                "the array's shape is {shape:?}; it must be (rows, dimensions): use array.reshape(rows, -1)"
            )));
        }
    };
    if header.order() != npyz::Order::C {
        return Err(refused(
            "the array is in Fortran order; write it row by row with numpy.ascontiguousarray(array)".into(),
        ));
    }
    let stated = rows.checked_mul(dimension).and_then(|n| n.checked_mul(element.bytes() as u64));
    let left = bytes.saturating_sub(reader.read);
    if stated != Some(left) {
        return Err(refused(format!(
            "the header states {rows} × {dimension} numbers of {} bytes, but {left} bytes follow; \
             the file is truncated or has something appended",
            element.bytes()
        )));
    }
    numbers(path, element, &mut reader, rows, dimension, progress)
}

/// The vectors of one array of an archive: the one of this name, or the only one.
pub fn npz(
    path: &Path,
    reader: &mut (impl Read + Seek),
    array: Option<&str>,
    one_axis: bool,
    progress: Progress,
) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let damaged =
        |e: zip::result::ZipError| refused(format!("this is no NumPy archive ({e}); write it with numpy.savez"));
    let mut archive = zip::ZipArchive::new(reader).map_err(damaged)?;
    let names: Vec<String> =
        archive.file_names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
    let name = match (array, &names[..]) {
        (Some(name), _) if names.iter().any(|other| other == name) => name,
        (None, [name]) => name,
        _ => {
            return Err(refused(format!(
                "choose with --array the array that holds the vectors; there are: {}",
                names.join(", ")
            )));
        }
    };
    let mut entry = archive.by_name(&format!("{name}.npy")).map_err(damaged)?;
    let bytes = entry.size();
    if bytes / MAX_RATIO > entry.compressed_size() {
        return Err(refused(format!("the array {name} claims to have {bytes} bytes; the archive is damaged")));
    }
    npy(path, &mut entry, bytes, one_axis, progress)
}
