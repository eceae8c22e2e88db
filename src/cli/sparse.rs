//! Reads sparse vectors: JSON, JSON Lines, and the compressed rows of the big-ann benchmarks (.csr).

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::index::sparse::{SparseBuilder, SparseVector};
use elanus::words::Cursor;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A sparse vector as JSON: `{"indices": […], "values": […]}` or `{"dimension": value, …}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Json {
    Lists { indices: Vec<u32>, values: Vec<f32> },
    Pairs(BTreeMap<String, f32>),
}

/// A sparse vector, not checked yet.
#[derive(Debug, Default, PartialEq)]
pub struct Sparse {
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Sparse {
    pub fn view(&self) -> SparseVector<'_> {
        SparseVector { indices: &self.indices, values: &self.values }
    }
}

/// Reads one sparse vector.
pub fn parse(text: &str) -> Result<Sparse> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::input(format!(
            "this is no sparse vector ({why}); write one as {{\"indices\":[3,17],\"values\":[0.5,1.2]}} or {{\"3\":0.5,\"17\":1.2}}"
        ))
    };
    match serde_json::from_str(text).map_err(|e| wrong(&e))? {
        Json::Lists { indices, values } => Ok(Sparse { indices, values }),
        Json::Pairs(pairs) => {
            let mut sparse = Sparse::default();
            for (name, value) in pairs {
                sparse.indices.push(name.parse().map_err(|_| wrong(&format!("{name:?} is no dimension")))?);
                sparse.values.push(value);
            }
            Ok(sparse)
        }
    }
}

/// Reads a file of sparse vectors.
pub fn read(path: &Path, progress: Progress) -> Result<SparseBuilder> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "json") => read_lines(path, progress),
        Some("csr") => {
            let bytes = std::fs::read(path).map_err(|e| Failure::io("read", path, &e))?;
            read_csr(&bytes, progress).map_err(|e| e.at(path.display()))
        }
        _ => Err(Failure::input(format!(
            "{}: its ending says nothing known; sparse vectors come as .jsonl (an object a line) or .csr",
            path.display()
        ))),
    }
}

fn read_lines(path: &Path, progress: Progress) -> Result<SparseBuilder> {
    let io = |e| Failure::io("read", path, &e);
    let mut builder = SparseBuilder::new();
    let bar = progress.count("reading sparse vectors", 0);
    for (i, line) in BufReader::new(std::fs::File::open(path).map_err(io)?).lines().enumerate() {
        let place = |e: Failure| e.at(format!("{}:{}", path.display(), i + 1));
        let sparse = parse(&line.map_err(io)?).map_err(place)?;
        builder.push(sparse.view()).map_err(|e| place(e.into()))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(builder)
}

/// Rows, columns and values in i64; where rows start in i64 × (rows + 1); columns in i32; values in
/// f32. All of it is there or it isn't the format.
fn read_csr(bytes: &[u8], progress: Progress) -> Result<SparseBuilder> {
    let damaged = |what: &str| Failure::input(format!("{what}; it is no .csr file, or a damaged one"));
    let mut c = Cursor::new(bytes, "the file");
    let (rows, _, count) = (c.u64()?, c.u64()?, c.u64()?);
    let expected = (u128::from(rows) + 4) * 8 + u128::from(count) * 8;
    if expected != bytes.len() as u128 {
        return Err(damaged(&format!(
            "it states {rows} rows of {count} values, which {} bytes don't hold",
            bytes.len()
        )));
    }
    let starts = c.take(8 * (rows as usize + 1))?.as_chunks().0;
    let columns = c.take(4 * count as usize)?.as_chunks().0;
    let values = c.take(4 * count as usize)?.as_chunks().0;
    let mut builder = SparseBuilder::new();
    let bar = progress.count("reading sparse vectors", rows);
    let mut sparse = Sparse::default();
    for row in starts.windows(2) {
        let [start, end] = [row[0], row[1]].map(|b| usize::try_from(u64::from_le_bytes(b)).unwrap_or(usize::MAX));
        let range = columns.get(start..end).zip(values.get(start..end));
        let (columns, values) = range.ok_or_else(|| damaged("its rows don't ascend"))?;
        sparse.indices.clear();
        sparse.indices.extend(columns.iter().map(|&b| u32::from_le_bytes(b)));
        sparse.values.clear();
        sparse.values.extend(values.iter().map(|&b| f32::from_le_bytes(b)));
        builder.push(sparse.view())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_two_shapes() {
        let expected = Sparse { indices: vec![17, 3], values: vec![1.5, 0.5] };
        assert_eq!(parse(r#"{"indices":[17,3],"values":[1.5,0.5]}"#).unwrap(), expected);
        assert_eq!(parse(r#"{"17":1.5,"3":0.5}"#).unwrap(), expected);
        assert_eq!(parse("{}").unwrap(), Sparse::default());
        for text in ["", "[1]", r#"{"a":1}"#, r#"{"-1":1}"#, r#"{"indices":[1]}"#, r#"{"1":"x"}"#] {
            assert!(parse(text).unwrap_err().message.contains("no sparse vector"), "{text}");
        }
    }

    #[test]
    fn compressed_rows_are_checked() {
        let file = |starts: &[u64], columns: &[u32], values: &[f32]| {
            let head = [starts.len() as u64 - 1, 9, columns.len() as u64];
            let mut bytes: Vec<u8> = head.iter().chain(starts).flat_map(|n| n.to_le_bytes()).collect();
            bytes.extend(columns.iter().flat_map(|n| n.to_le_bytes()));
            bytes.extend(values.iter().flat_map(|n| n.to_le_bytes()));
            bytes
        };
        let read = |bytes: &[u8]| read_csr(bytes, Progress::new(false)).map(|builder| builder.rows());
        let good = file(&[0, 2, 2, 3], &[1, 5, 0], &[0.5, 1.0, 2.0]);
        assert_eq!(read(&good).unwrap(), 3);
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "cut to {len}");
        }
        assert!(read(&file(&[0, 3, 2], &[1, 5, 0], &[0.5, 1.0, 2.0])).is_err());
        assert!(read(&file(&[0, 9], &[1], &[0.5])).is_err());
        assert!(read(&file(&[0, 2], &[1, 1], &[0.5, 1.0])).unwrap_err().message.contains("twice"));
    }
}
