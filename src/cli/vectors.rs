//! Reads vectors: `.npy`, `.fvecs`, and raw floats with a stated dimension.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::words::MatrixView;
use half::f16;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Row-major vectors, held once.
#[derive(Debug)]
pub struct Vectors {
    pub data: Vec<f32>,
    pub dimension: usize,
}

impl Vectors {
    pub fn rows(&self) -> usize {
        self.data.len() / self.dimension
    }

    pub fn view(&self) -> Result<MatrixView<'_>> {
        Ok(MatrixView::new(&self.data, self.dimension)?)
    }
}

/// The endings that [`read`] takes, for messages.
pub const ENDINGS: &str = ".npy, .fvecs, .f32 or .bin (raw 32-bit floats) and .f16 (raw 16-bit floats)";

/// How a number lies in the file; all little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    F16,
    F32,
    F64,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Element::F16 => 2,
            Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Element::F16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32())),
            Element::F32 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
            Element::F64 => out.extend(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32)),
        }
    }
}

/// Whether the path's ending is one that [`read`] takes.
pub fn is_vector_file(path: &Path) -> bool {
    matches!(ending(path).as_str(), "npy" | "fvecs" | "f32" | "bin" | "f16")
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Reads all vectors of a file, and refuses what no index can hold. `dimension` is needed for raw
/// floats, and checked for the others.
pub fn read(path: &Path, dimension: Option<usize>, progress: Progress) -> Result<Vectors> {
    let vectors = read_file(path, dimension, false, progress)?;
    if let Some((row, column)) = vectors.view()?.first_non_finite() {
        return Err(Failure::input(format!(
            "{}: row {row} holds {} in column {column} (counted from 0); vectors must be finite: \
             look for a failed embedding, and replace or drop the row",
            path.display(),
            vectors.data[row * vectors.dimension + column]
        )));
    }
    Ok(vectors)
}

/// Reads the queries of a file: a NumPy array of one axis is one. What they hold is for the search
/// to judge.
pub fn read_queries(path: &Path, dimension: Option<usize>, progress: Progress) -> Result<Vectors> {
    read_file(path, dimension, true, progress)
}

fn read_file(path: &Path, dimension: Option<usize>, one_axis: bool, progress: Progress) -> Result<Vectors> {
    let io = |error: std::io::Error| Failure::io("read", path, &error);
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let vectors = match ending(path).as_str() {
        "npy" => npy(path, &mut reader, bytes, one_axis, progress)?,
        "fvecs" => fvecs(path, &mut reader, bytes, progress)?,
        "f32" | "bin" => raw(path, Element::F32, &mut reader, bytes, dimension, progress)?,
        "f16" => raw(path, Element::F16, &mut reader, bytes, dimension, progress)?,
        _ => {
            return Err(Failure::input(format!(
                "{}: the ending says nothing about what is in it; vectors are read from {ENDINGS}",
                path.display()
            )));
        }
    };
    if let Some(expected) = dimension.filter(|&d| d != vectors.dimension) {
        return Err(Failure::input(format!(
            "{}: the vectors have {} dimensions, where {expected} were expected",
            path.display(),
            vectors.dimension
        )));
    }
    Ok(vectors)
}

fn npy(path: &Path, reader: &mut BufReader<File>, bytes: u64, one_axis: bool, progress: Progress) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let header = npyz::NpyHeader::from_reader(&mut *reader)
        .map_err(|e| refused(format!("this is no NumPy array ({e}); write it with numpy.save")))?;
    let element = match header.dtype().descr().trim_matches('\'') {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => {
            return Err(refused(format!(
                "the array's dtype is {other}; 16, 32 and 64-bit little-endian floats are read: \
                 convert it with array.astype('<f4')"
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
    let left = bytes - std::io::Seek::stream_position(reader).map_err(|e| Failure::io("read", path, &e))?;
    if stated != Some(left) {
        return Err(refused(format!(
            "the header states {rows} × {dimension} numbers of {} bytes, but {left} bytes follow; \
             the file is truncated or has something appended",
            element.bytes()
        )));
    }
    numbers(path, element, reader, rows, dimension, progress)
}

fn raw(
    path: &Path,
    element: Element,
    reader: &mut impl Read,
    bytes: u64,
    dimension: Option<usize>,
    progress: Progress,
) -> Result<Vectors> {
    let Some(dimension) = dimension else {
        return Err(Failure::usage(format!(
            "{}: raw floats don't say how long a vector is; give --dimension N",
            path.display()
        )));
    };
    let dimension = shape(path, 1, dimension as u64)?;
    let row_bytes = (dimension * element.bytes()) as u64;
    if !bytes.is_multiple_of(row_bytes) {
        return Err(Failure::input(format!(
            "{}: {bytes} bytes are no whole number of vectors of {dimension} dimensions ({row_bytes} bytes each); \
             the last row is ragged, or --dimension is wrong",
            path.display()
        )));
    }
    numbers(path, element, reader, bytes / row_bytes, dimension as u64, progress)
}

/// Reads `rows × dimension` numbers; the caller has checked that the file holds them.
fn numbers(
    path: &Path,
    element: Element,
    reader: &mut impl Read,
    rows: u64,
    dimension: u64,
    progress: Progress,
) -> Result<Vectors> {
    let dimension = shape(path, rows, dimension)?;
    let mut left = rows as usize * dimension;
    let mut data = reserve(left)?;
    let bar = progress.bytes("reading vectors", (left * element.bytes()) as u64);
    let mut chunk = vec![0; 1 << 20];
    while left > 0 {
        let bytes = (left * element.bytes()).min(chunk.len());
        reader.read_exact(&mut chunk[..bytes]).map_err(|e| Failure::io("read", path, &e))?;
        element.decode(&chunk[..bytes], &mut data);
        left -= bytes / element.bytes();
        bar.inc(bytes as u64);
    }
    bar.finish_and_clear();
    Ok(Vectors { data, dimension })
}

fn fvecs(path: &Path, reader: &mut impl Read, bytes: u64, progress: Progress) -> Result<Vectors> {
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
            "the first vector states {first} dimensions; this is no .fvecs file (each vector: its dimension as \
             a 32-bit integer, then its 32-bit floats)"
        )));
    }
    let row_bytes = 4 + 4 * first as u64;
    let rows = bytes / row_bytes;
    let dimension = shape(path, rows, first as u64)?;
    let mut data = reserve(rows as usize * dimension)?;
    let bar = progress.bytes("reading vectors", bytes);
    let mut row = vec![0; 4 * dimension];
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
        Element::F32.decode(&row, &mut data);
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

/// Refuses shapes that no index file holds; gives the dimension.
fn shape(path: &Path, rows: u64, dimension: u64) -> Result<usize> {
    if rows == 0 {
        return Err(Failure::input(format!("{}: there are no vectors in it", path.display())));
    }
    if rows > u64::from(u32::MAX) {
        return Err(Failure::input(format!(
            "{}: {rows} vectors; one index file holds at most {}: split them over several",
            path.display(),
            u32::MAX
        )));
    }
    if dimension == 0 || dimension > MatrixView::MAX_DIMENSION as u64 {
        return Err(Failure::input(format!(
            "{}: vectors of {dimension} dimensions; there must be 1 to {}",
            path.display(),
            MatrixView::MAX_DIMENSION
        )));
    }
    Ok(dimension as usize)
}

fn reserve(numbers: usize) -> Result<Vec<f32>> {
    let mut data = Vec::new();
    data.try_reserve_exact(numbers).map_err(|_| Failure {
        exit: crate::failure::Exit::System,
        code: "OUT_OF_MEMORY",
        message: format!("{} bytes of memory for the vectors could not be had", numbers.saturating_mul(4)),
    })?;
    Ok(data)
}
