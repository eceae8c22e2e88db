//! Vectors as they are: f32 × dimension.

use super::codec::{Codec, Scanner};
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
}

/// A row. Its alignment was seen to when the file was read.
#[inline]
fn floats(code: &[u8]) -> &[f32] {
    cast(code).unwrap_or_default()
}
