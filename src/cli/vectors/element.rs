//! How numbers lie in files.

use half::{bf16, f16};

/// How a number lies in the file; all little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    I8,
    U8,
    I16,
    U16,
    I32,
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Element::I8 | Element::U8 => 1,
            Element::I16 | Element::U16 | Element::F16 | Element::Bf16 => 2,
            Element::I32 | Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    /// Appends the numbers of whole elements.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Element::I8 => out.extend(bytes.iter().map(|&b| f32::from(b as i8))),
            Element::U8 => out.extend(bytes.iter().map(|&b| f32::from(b))),
            Element::I16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from(i16::from_le_bytes(b)))),
            Element::U16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from(u16::from_le_bytes(b)))),
            Element::I32 => out.extend(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b) as f32)),
            Element::Bf16 => out.extend(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32())),
            Element::F16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32())),
            Element::F32 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
            Element::F64 => out.extend(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32)),
        }
    }
}
