//! `IndexRefine`, `IndexRefineFlat`: the head, an index that proposes candidates, one that compares
//! them again, and `k_factor` (f32, 1..=1000): how many times `limit` candidates there are.

use super::head::Head;
use super::node::{Context, Node, check_labels};
use super::read;
use crate::foreign::library::Groups;
use crate::foreign::reader::Reader;
use crate::words::{Error, Hit, Result, TopK};

/// The most that Faiss reads.
const MAX_FACTOR: f32 = 1000.0;

/// Candidates of one index, compared by another.
#[derive(Debug)]
pub(super) struct Refine {
    head: Head,
    base: Box<dyn Node>,
    exact: Box<dyn Node>,
    k_factor: f32,
}

impl Refine {
    pub(super) fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        let base = read(reader, depth + 1)?;
        let exact = read(reader, depth + 1)?;
        let k_factor = reader.f32()?;
        let fits = |inner: &Head| (inner.dimension, inner.count) == (head.dimension, head.count);
        if !fits(base.head()) || !fits(exact.head()) || !(1.0..=MAX_FACTOR).contains(&k_factor) {
            return Err(reader.corrupt(format!(
                "a refinement of {} vectors by {}, {k_factor} times as many as are wanted",
                base.head().count,
                exact.head().count
            )));
        }
        check_labels(&*base, reader, head.count)?;
        Ok(Refine { head, base, exact, k_factor })
    }
}

impl Node for Refine {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        format!("{},Refine({})", self.base.describe(), self.exact.describe())
    }

    fn groups(&self, file: &[u8]) -> Option<Groups> {
        self.base.groups(file)
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.base.label(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let factor = context.params.k_factor.unwrap_or(self.k_factor);
        if !(1.0..=MAX_FACTOR).contains(&factor) {
            return Err(Error::argument(format!("k_factor is {factor}; it must be 1 to {MAX_FACTOR}")));
        }
        let Some(mut computer) = self.exact.computer(context.file, query) else {
            return Err(Error::argument(format!("{} can't compare single rows", self.exact.describe())));
        };
        // Faiss multiplies as floats and drops the fraction.
        let candidates = self.base.search(context, query, (limit as f32 * factor) as usize)?;
        let mut top = TopK::new(limit, candidates.len());
        for Hit { row, .. } in candidates {
            let distance = computer.distance(self.base.label(context.file, row) as u32);
            top.push(Hit { row, distance });
        }
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        self.exact.decode(file, self.base.label(file, row) as u32, out)
    }
}
