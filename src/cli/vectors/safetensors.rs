//! Tensors as Hugging Face's `safetensors` writes them: the length of a JSON header in 8 bytes, the
//! header, and the tensors' bytes at offsets that it states.

use super::{Element, Vectors, numbers};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The library's own bound.
const MAX_HEADER_BYTES: u64 = 100_000_000;

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The vectors of a tensor of two axes: the one of this name, or the only one.
pub fn read(
    path: &Path,
    reader: &mut (impl Read + Seek),
    bytes: u64,
    array: Option<&str>,
    progress: Progress,
) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let io = |e: std::io::Error| Failure::io("read", path, &e);
    let mut length = [0; 8];
    let no_header = || refused("this is no safetensors file: its header isn't whole".into());
    if bytes < 8 {
        return Err(no_header());
    }
    reader.read_exact(&mut length).map_err(io)?;
    let length = u64::from_le_bytes(length);
    if length > (bytes - 8).min(MAX_HEADER_BYTES) {
        return Err(no_header());
    }
    let mut header = vec![0; length as usize];
    reader.read_exact(&mut header).map_err(io)?;
    let mut header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
        .map_err(|e| refused(format!("this is no safetensors file: its header is no JSON object ({e})")))?;
    header.remove("__metadata__");
    let tensors: BTreeMap<String, Tensor> =
        header.into_iter().filter_map(|(name, value)| Some((name, serde_json::from_value(value).ok()?))).collect();
    let mut matrices = tensors.iter().filter(|(_, tensor)| tensor.shape.len() == 2);
    let chosen = match array {
        Some(name) => tensors.get_key_value(name),
        None => matrices.next().filter(|_| matrices.next().is_none()),
    };
    let Some((name, tensor)) = chosen else {
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        return Err(refused(format!(
            "choose with --array the tensor that holds the vectors; there are: {}",
            names.join(", ")
        )));
    };
    let element = match &tensor.dtype[..] {
        "I8" => Element::I8,
        "U8" => Element::U8,
        "I16" => Element::I16,
        "U16" => Element::U16,
        "I32" => Element::I32,
        "F16" => Element::F16,
        "BF16" => Element::Bf16,
        "F32" => Element::F32,
        "F64" => Element::F64,
        other => return Err(refused(format!("the tensor {name} is of {other}, which isn't read: convert it to F32"))),
    };
    let [rows, dimension] = tensor.shape[..] else {
        return Err(refused(format!(
            "the tensor {name} has the shape {:?}; it must be [rows, dimensions]",
            tensor.shape
        )));
    };
    let [start, end] = tensor.data_offsets;
    let stated = rows.checked_mul(dimension).and_then(|n| n.checked_mul(element.bytes() as u64));
    if end.checked_sub(start) != stated || end > bytes - 8 - length {
        return Err(refused(format!(
            "the bytes {start} to {end} aren't those of the tensor {name}; the file is damaged"
        )));
    }
    reader.seek(SeekFrom::Start(8 + length + start)).map_err(io)?;
    numbers(path, element, reader, rows, dimension, progress)
}
