//! Vectors as they are: f32 × dimension.

use super::codec::{Codec, Scanner};
use crate::distance;
use crate::foreign::Measure;
use crate::words::bytes::cast;

/// Keeps every float.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) dimension: usize,
}

struct Rows {
    measure: Measure,
    query: Vec<f32>,
}

impl Codec for Flat {
    fn describe(&self) -> String {
        "Flat".into()
    }

    fn code_bytes(&self) -> usize {
        4 * self.dimension
    }

    fn scanner<'a>(&'a self, _file: &'a [u8], measure: Measure) -> Box<dyn Scanner + 'a> {
        Box::new(Rows { measure, query: Vec::new() })
    }

    fn decode(&self, _file: &[u8], code: &[u8], out: &mut [f32]) {
        out.copy_from_slice(floats(code));
    }
}

impl Scanner for Rows {
    fn set_query(&mut self, query: &[f32]) {
        self.query.clear();
        self.query.extend_from_slice(query);
    }

    #[inline]
    fn distance(&self, code: &[u8]) -> f32 {
        self.measure.between(&self.query, floats(code))
    }

    fn distances(&self, codes: &[u8], code_bytes: usize, out: &mut Vec<f32>) {
        let query = &self.query[..];
        let four: fn(&[f32], [&[f32]; 4]) -> [f32; 4] = match self.measure {
            Measure::L2 => distance::l2_4,
            Measure::Ip => |query, rows| distance::dot_4(query, rows).map(|product| -product),
            _ => return out.extend(codes.chunks_exact(code_bytes).map(|code| self.distance(code))),
        };
        let mut fours = codes.chunks_exact(4 * code_bytes);
        for codes in &mut fours {
            out.extend(four(query, [0, 1, 2, 3].map(|i| floats(&codes[i * code_bytes..(i + 1) * code_bytes]))));
        }
        out.extend(fours.remainder().chunks_exact(code_bytes).map(|code| self.distance(code)));
    }
}

/// A row. Its alignment was seen to when the file was read.
#[inline]
fn floats(code: &[u8]) -> &[f32] {
    cast(code).unwrap_or_default()
}
