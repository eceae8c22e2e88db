//! `IndexFlat`: the head, then the rows as an array of f32 (`count · dimension` of them).

use super::head::Head;
use super::node::{Computer, Context, Node, compare_all};
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result};

/// Rows that are compared as they are.
#[derive(Debug)]
pub(super) struct Flat {
    head: Head,
    rows: Span,
}

impl Flat {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let head = Head::read(reader)?;
        let rows = reader.numbers::<f32>()?;
        if head.count.checked_mul(4 * head.dimension) != Some(rows.len) {
            return Err(reader
                .corrupt(format!("{} bytes for {} vectors of {} dimensions", rows.len, head.count, head.dimension)));
        }
        Ok(Flat { head, rows })
    }

    /// A row. Panics if there is no such row.
    #[inline]
    pub(super) fn row<'a>(&self, file: &'a [u8], row: u32) -> &'a [f32] {
        self.rows.part(row as usize, 4 * self.head.dimension).numbers(file)
    }
}

struct Rows<'a> {
    flat: &'a Flat,
    file: &'a [u8],
    query: &'a [f32],
    measure: Measure,
}

impl Computer for Rows<'_> {
    #[inline]
    fn distance(&mut self, row: u32) -> f32 {
        self.measure.between(self.query, self.flat.row(self.file, row))
    }
}

impl Node for Flat {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        "Flat".into()
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        compare_all(self, context, query, limit)
    }

    fn computer<'a>(&'a self, file: &'a [u8], query: &'a [f32]) -> Option<Box<dyn Computer + 'a>> {
        Some(Box::new(Rows { flat: self, file, query, measure: self.head.measure }))
    }
}
