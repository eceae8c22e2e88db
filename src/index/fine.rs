//! What all bits of their codes say of the candidates of a scan, which has read the first alone.

use super::passes::Probe;
use crate::distance::BLOCK_ROWS;
use crate::quantize::{extended, pq, rabitq};
use crate::words::{Hit, Result, TopK, order};

/// Bits of codes that the scan doesn't read.
#[derive(Debug, Clone)]
pub(super) enum Codes {
    /// Of RaBitQ, past the first of each dimension.
    Levels(extended::Codes),
    /// Of parts, past the fourth.
    Parts(pq::Codes),
}

impl Codes {
    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        match self {
            Codes::Levels(codes) => codes.verify(),
            Codes::Parts(codes) => codes.verify(),
        }
    }

    fn touch(&self, row: usize) {
        match self {
            Codes::Levels(codes) => codes.touch(row),
            Codes::Parts(codes) => codes.touch(row),
        }
    }
}

/// A query as they want it.
#[derive(Debug, Clone, Default)]
struct Query {
    levels: extended::Query,
    parts: pq::Query,
}

/// Memory of it.
#[derive(Debug, Clone)]
pub(super) struct FineScratch {
    query: Query,
    /// The lists that are scanned, in the order of their rows.
    probes: Vec<Probe>,
    /// The nearest rows by all bits.
    pub best: TopK,
}

impl Default for FineScratch {
    fn default() -> Self {
        FineScratch { query: Query::default(), probes: Vec::new(), best: TopK::new(0, 0) }
    }
}

/// The codes of the rows of some lists, as one query sees them.
pub(super) struct Fine<'a> {
    codes: &'a Codes,
    /// Blocks of the bits that were scanned.
    blocks: &'a [u8],
    block_bytes: usize,
    query: &'a mut Query,
    probes: &'a [Probe],
}

impl<'a> Fine<'a> {
    /// `query` and `probes` are those of the scan. What is left is room for the best.
    pub fn new(
        codes: &'a Codes,
        blocks: &'a [u8],
        block_bytes: usize,
        query: &rabitq::Query,
        probes: &[Probe],
        scratch: &'a mut FineScratch,
    ) -> (Self, &'a mut TopK) {
        let FineScratch { query: prepared, probes: sorted, best } = scratch;
        match codes {
            Codes::Levels(codes) => prepared.levels.prepare(query, codes),
            Codes::Parts(codes) => codes.prepare(query, &mut prepared.parts),
        }
        // An empty list has no rows to be found, and would hide the list that begins where it lies.
        let some = (0u64..).zip(probes).filter(|(_, probe)| probe.list.rows > 0);
        let mut keys: Vec<u64> = some.map(|(i, probe)| (probe.list.first_row as u64) << 32 | i).collect();
        order::sort(&mut keys);
        sorted.clear();
        sorted.extend(keys.into_iter().map(|key| probes[key as u32 as usize]));
        (Fine { codes, blocks, block_bytes, query: prepared, probes: sorted }, best)
    }

    /// Puts its estimate in the place of each candidate's distance, less so many standard deviations.
    pub fn estimate(&mut self, epsilon: f32, candidates: &mut [Hit]) {
        candidates.iter().for_each(|candidate| self.codes.touch(candidate.row as usize));
        for candidate in candidates {
            let row = candidate.row as usize;
            let Probe { list, place } =
                self.probes[self.probes.partition_point(|probe| probe.list.first_row <= row) - 1];
            let at = row - list.first_row;
            let block = &self.blocks[(list.first_block + at / BLOCK_ROWS) * self.block_bytes..][..self.block_bytes];
            let (estimate, error) = match self.codes {
                Codes::Levels(codes) => codes.estimate(&mut self.query.levels, row, block, at % BLOCK_ROWS),
                Codes::Parts(codes) => codes.estimate(&self.query.parts, row, block, at % BLOCK_ROWS),
            };
            candidate.distance = estimate + place.added - epsilon * (error * place.norm);
        }
    }
}
