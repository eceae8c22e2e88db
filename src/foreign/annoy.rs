//! Files that Annoy writes with `save`.
//!
//! Read and searched as in `src/annoylib.h` of <https://github.com/spotify/annoy> at commit 379f7446
//! (1.17.3 and what came after; Apache 2.0 licence). A file is nodes of one size and nothing else,
//! so that dimension and metric are hints:
//!
//! ```text
//!              angular     euclidean, manhattan   dot, to 1.17.3   dot, later    hamming
//! i32          rows below it; 1 for a vector; in a root, the number of all vectors
//!              i32 × 2     f32 a, i32 × 2         i32 × 2, f32     i32 × 2, f32 × 2, bool + 3 bytes   i32 × 2, 4 bytes (not in 1.16)
//! then         f32 × dimension (hamming: u64 × ⌈dimension / 64⌉)
//! ```
//!
//! First come the vectors, a node each, in the order of their ids. A node of no more rows than
//! there is room for numbers from its children on lists those rows there; one of more splits the
//! rest in two by a plane (hamming: by a bit). Children stand before their parents. The file ends
//! with copies of the roots.

mod layout;
mod tree;

use super::library::{Library, not_kept};
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::index::Structure;
use crate::words::{AlignedBuffer, Bitmap, Blob, Error, Hit, Result, TopK};
use layout::{Layout, Probe};
use std::collections::BinaryHeap;

/// An index of Annoy, in place.
#[derive(Debug)]
pub(super) struct Annoy {
    file: Blob,
    layout: Layout,
    /// Ids from 0 to this; some may have no vector.
    count: usize,
    /// The trees' topmost nodes.
    roots: Vec<u32>,
}

impl Annoy {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if dimension or metric weren't given; `CORRUPT_FILE`.
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        let (Some(dimension), Some(space)) = (hints.dimension, hints.metric) else {
            let missing = match (hints.dimension, hints.metric) {
                (None, None) => "dimension and metric",
                (None, _) => "dimension",
                _ => "metric (angular, euclidean, manhattan, dot or hamming)",
            };
            return Err(Error::argument(format!(
                "an Annoy file doesn't say its {missing}: give what it was built with"
            )));
        };
        let mut reason = None;
        for layout in Layout::of(space, dimension)? {
            match tree::check(&file, &layout) {
                Ok((count, roots)) => return Ok(Annoy { file: Blob::from(file), layout, count, roots }),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        Err(reason.unwrap_or_else(|| Error::corrupt("the Annoy file is damaged")))
    }

    /// Rows that the trees bring near the query, some of them several times: at least `search_k` of
    /// those allowed, unless there are fewer. As in Annoy, the subtree on whose side of its planes
    /// the query lies deepest comes first.
    fn candidates(&self, probe: &Probe<'_>, search_k: usize, allow: Option<&Bitmap>) -> Vec<u32> {
        let allowed = |row: &u32| allow.is_none_or(|allow| allow.contains(*row as usize));
        let mut queue: BinaryHeap<(u64, u32)> = self.roots.iter().map(|&root| (probe.first_key(), root)).collect();
        let mut rows = Vec::new();
        while rows.len() < search_k {
            let Some((key, number)) = queue.pop() else { break };
            let node = self.layout.node(&self.file, number);
            if node.below() == 1 && (number as usize) < self.count {
                rows.extend(Some(number).filter(allowed));
            } else if let Some(list) = node.list() {
                rows.extend(list.filter(allowed));
            } else {
                let [left, right] = node.children();
                let [to_left, to_right] = probe.keys(key, &node);
                queue.push((to_right, right));
                queue.push((to_left, left));
            }
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

impl Library for Annoy {
    fn index_type(&self) -> String {
        format!("Annoy ({} trees)", self.roots.len())
    }

    fn count(&self) -> usize {
        self.count
    }

    fn dimension(&self) -> usize {
        self.layout.dimension
    }

    fn is_binary(&self) -> bool {
        self.layout.space == Space::Hamming
    }

    fn measure(&self) -> Measure {
        match self.layout.space {
            Space::L2 => Measure::Euclidean,
            Space::Cosine => Measure::Angular,
            Space::L1 => Measure::L1,
            Space::Ip => Measure::Ip,
            Space::Hamming => Measure::Hamming,
        }
    }

    /// A bit as 0 or 1, as Annoy gives it.
    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        let node = self.layout.node(&self.file, row);
        match self.layout.space {
            Space::Hamming => {
                let bits = node.vector();
                (0..).zip(out).for_each(|(i, x): (usize, &mut f32)| *x = f32::from(bits[i / 8] >> (i % 8) & 1));
            }
            _ => out.copy_from_slice(node.floats()),
        }
        node.below() == 1
    }

    fn alive(&self) -> Option<Bitmap> {
        let alive = Bitmap::from_fn(self.count, |row| self.layout.node(&self.file, row as u32).below() == 1);
        (alive.count() < self.count).then_some(alive)
    }

    fn structure(&self) -> Result<Structure> {
        Err(not_kept("it is a forest of trees"))
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let probe = self.layout.probe(query)?;
        let search_k = match params.search_k {
            Some(0) => return Err(Error::argument("search_k is 0; gather at least one candidate")),
            Some(search_k) => search_k,
            None => params.limit.saturating_mul(self.roots.len()),
        };
        let rows = self.candidates(&probe, search_k, allow);
        let mut top = TopK::new(params.limit, rows.len());
        for row in rows {
            let node = self.layout.node(&self.file, row);
            // An id without a vector may stand in a list.
            if node.below() == 1 {
                top.push(Hit { row, distance: probe.distance(&node) });
            }
        }
        Ok(top.into_sorted())
    }
}
