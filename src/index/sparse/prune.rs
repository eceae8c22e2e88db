//! Exact top-k over posting lists that decodes only the blocks that can matter.
//!
//! One walk over each list adds up what each block of rows can be worth at most; then blocks are
//! scored from the most promising on, until the next can't beat the k-th row: block-max pruning
//! (Mallia, Suel and Tonellotto, Faster Learned Sparse Retrieval with Block-Max Pruning, SIGIR 2024),
//! here always exact. Within a block a row's terms are added in the order of the query's terms, and
//! the bounds are added in that same order, so no rounding can lift a score above its bound, and the
//! same row gets the same bits whatever was pruned.

use super::lists::{BLOCK, Entry, Values, Walk};
use crate::words::{Bitmap, Hit, Result, TopK};
use std::collections::BinaryHeap;
use std::ops::Range;

/// A term or dimension of a query: its list, and what its postings' worth is multiplied by.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a> {
    /// The posting list.
    pub list: &'a [u8],
    /// Positive and finite.
    pub weight: f32,
}

/// The rows that a search may return.
#[derive(Debug, Clone, Copy, Default)]
pub struct Among<'a> {
    /// Those in here; all without it.
    pub allow: Option<&'a Bitmap>,
    /// By which number each was given to the build, which ties go by, where rows lie in lists.
    pub given: Option<&'a [u32]>,
}

/// Memory that searches use again and again.
#[derive(Debug, Clone, Default)]
pub struct PruneScratch {
    /// What each block is worth at most.
    bounds: Vec<f32>,
    /// The entries of all lists, one list after the other.
    entries: Vec<Entry>,
    lists: Vec<Range<usize>>,
    queue: BinaryHeap<u64>,
}

/// Offers `top` every allowed row that has a term of the query, with its score negated, but for
/// those that it would not keep. Returns how many blocks were scored.
///
/// # Errors
/// `CORRUPT_FILE` if a list is damaged.
pub fn search(
    terms: &[Term<'_>],
    values: Values<'_>,
    rows: usize,
    among: Among<'_>,
    top: &mut TopK,
    scratch: &mut PruneScratch,
) -> Result<usize> {
    let Among { allow, given } = among;
    let PruneScratch { bounds, entries, lists, queue } = scratch;
    bounds.clear();
    bounds.resize(rows.div_ceil(BLOCK), 0.0);
    entries.clear();
    lists.clear();
    for term in terms {
        let start = entries.len();
        let mut walk = Walk::new(term.list, values, rows)?;
        while let Some(entry) = walk.next()? {
            bounds[entry.block as usize] += term.weight * entry.bound;
            entries.push(entry);
        }
        lists.push(start..entries.len());
    }
    queue.clear();
    queue.extend(
        (bounds.iter().enumerate())
            .filter(|&(block, &bound)| bound > 0.0 && allow.is_none_or(|allow| allowed(allow, block) != 0))
            // Bits of positive floats are ordered as they are. Equal bounds go by block.
            .map(|(block, &bound)| u64::from(bound.to_bits()) << 32 | u64::from(!(block as u32))),
    );
    let mut scored = 0;
    while let Some(next) = queue.pop() {
        let (block, bound) = (!(next as u32) as usize, f32::from_bits((next >> 32) as u32));
        let first = block * BLOCK;
        // What follows is worth no more, and if as much, its rows come later, unless they lie in lists.
        let row = if given.is_some() { 0 } else { first as u32 };
        if !top.admits(Hit { row, distance: -bound }) {
            break;
        }
        scored += 1;
        let mut scores = [0.0f32; BLOCK];
        for (term, list) in terms.iter().zip(lists.iter()) {
            let list_entries = &entries[list.clone()];
            if let Ok(at) = list_entries.binary_search_by_key(&(block as u32), |entry| entry.block) {
                match values {
                    Values::Weights => {
                        list_entries[at].for_each(term.list, |place, value| scores[place] += term.weight * value);
                    }
                    Values::Counts(bm25) => list_entries[at].for_each(term.list, |place, count| {
                        scores[place] += term.weight * bm25.worth(count, first + place);
                    }),
                }
            }
        }
        let mask = allow.map_or(u128::MAX, |allow| allowed(allow, block));
        for (place, &score) in scores.iter().enumerate().take(rows - first) {
            if score > 0.0 && -score <= top.threshold() && mask >> place & 1 == 1 {
                let row = (first + place) as u32;
                let rank = given.and_then(|given| given.get(row as usize)).copied().unwrap_or(row);
                top.push_ranked(Hit { row, distance: -score }, rank);
            }
        }
    }
    Ok(scored)
}

/// The allowed rows of a block.
fn allowed(allow: &Bitmap, block: usize) -> u128 {
    (0..BLOCK / 32).map(|i| u128::from(allow.mask32(block * BLOCK + 32 * i)) << (32 * i)).sum()
}
