//! Sparse vectors, kept as what is asked of them: a posting list a dimension.
//!
//! Weights are 32-bit floats as they were given, so products are exact: a learned sparse model's
//! lists are long and its weights few bits wide, but a file that answers exactly needs no second
//! copy to rerank from.

use super::lengths::Lengths;
use super::lists::{self, MAX_WEIGHT, Values};
use super::prune::{self, Among, PruneScratch, Term};
use crate::words::bytes::{as_bytes, cast};
use crate::words::{Blob, Code, Cursor, Error, Result, TopK, order, say};
use std::collections::BTreeMap;
use std::ops::Range;

const HEAD: usize = 16;

/// A vector of which only the dimensions that aren't 0 are named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseVector<'a> {
    /// The dimensions, in any order, none twice: 0 to 2³² − 2.
    pub indices: &'a [u32],
    /// Their values, as many: not negative, at most 10¹⁵.
    pub values: &'a [f32],
}

impl SparseVector<'_> {
    /// Dimensions and values, ascending by dimension; those of value 0 are left out.
    ///
    /// # Errors
    /// `INVALID_VECTOR`.
    pub fn sorted(&self) -> Result<Vec<(u32, f32)>> {
        let wrong = |what: String| Err(Error::new(Code::InvalidVector, what));
        if self.indices.len() != self.values.len() {
            return wrong(format!(
                "the sparse vector has {} dimensions but {} values; give one each",
                self.indices.len(),
                self.values.len()
            ));
        }
        let pairs = self.indices.iter().copied().zip(self.values.iter().copied());
        let mut pairs: Vec<(u32, f32)> = lists::sorted_pairs(pairs);
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return wrong(format!("the sparse vector has dimension {} twice; give each once", pair[0].0));
        }
        for &(index, value) in &pairs {
            if index == u32::MAX || !(0.0..=MAX_WEIGHT).contains(&value) {
                return wrong(format!(
                    "the sparse vector has {} in dimension {index}; values must be 0 to 1e15, dimensions below {}",
                    say::decimal(value),
                    u32::MAX
                ));
            }
        }
        pairs.retain(|&(_, value)| value > 0.0);
        Ok(pairs)
    }
}

/// Collects rows and writes their section.
#[derive(Debug, Default)]
pub struct SparseBuilder {
    lists: BTreeMap<u32, Vec<(u32, f32)>>,
    lengths: Vec<u32>,
}

impl SparseBuilder {
    /// No rows yet.
    pub fn new() -> Self {
        SparseBuilder::default()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `INVALID_INPUT`, naming the row; it is then not added.
    pub fn push(&mut self, vector: SparseVector<'_>) -> Result<()> {
        let row = self.lengths.len();
        let invalid = |what: String| Error::new(Code::InvalidInput, format!("row {row}: {what}"));
        let pairs = vector.sorted().map_err(|e| invalid(e.message))?;
        let number = u32::try_from(row).map_err(|_| invalid("one file holds no more rows".into()))?;
        self.lengths.push(pairs.len() as u32);
        for (index, value) in pairs {
            self.lists.entry(index).or_default().push((number, value));
        }
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// The rows in another order: the first is now row `order[0]`.
    pub fn reordered(mut self, order: &[u32]) -> Self {
        lists::reorder(self.lists.values_mut(), order);
        SparseBuilder { lengths: order.iter().map(|&row| self.lengths[row as usize]).collect(), ..self }
    }

    /// The section.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (mut dimensions, mut ends, mut postings) = (Vec::new(), Vec::new(), 0u64);
        for (dimension, list) in self.lists {
            lists::write(&list, Values::Weights, &mut bytes);
            dimensions.push(dimension);
            ends.push(bytes.len() as u64);
            postings += list.len() as u64;
        }
        let (width, lengths) = Lengths::encode(&self.lengths);
        let mut section = [as_bytes(&[ends.len() as u32, width]), as_bytes(&[postings])].concat();
        for part in [&lengths, as_bytes(&dimensions), as_bytes(&ends)] {
            section.extend(part);
            section.resize(section.len().next_multiple_of(8), 0);
        }
        section.append(&mut bytes);
        section
    }
}

/// The sparse vectors of a file.
#[derive(Debug, Clone)]
pub struct SparseVectors {
    section: Blob,
    postings: u64,
    rows: usize,
    lengths: Lengths,
    /// The parts of the section: lengths, dimensions, ends of their lists, lists.
    parts: [Range<usize>; 4],
}

impl SparseVectors {
    /// The vectors of so many rows in this section. Looks at its head only.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(section: Blob, rows: usize) -> Result<Self> {
        let mut c = Cursor::new(&section, "the section sparse");
        let (lists, width, postings) = (c.u32()? as usize, c.u32()?, c.u64()?);
        let (lengths, place) = Lengths::open(&section, HEAD, width, rows)?;
        let mut parts = [place, 0..0, 0..0, 0..0];
        for (i, bytes) in [(1, 4), (2, 8)] {
            let start = parts[i - 1].end.next_multiple_of(8);
            parts[i] = start..start.saturating_add(lists.saturating_mul(bytes));
            if parts[i].end > section.len() {
                return Err(Error::corrupt(format!(
                    "the section sparse states {lists} dimensions, which its {} bytes can't hold",
                    section.len()
                )));
            }
        }
        parts[3] = parts[2].end..section.len();
        Ok(SparseVectors { postings, rows, lengths, parts, section })
    }

    /// Values that aren't 0, of all rows.
    pub fn postings(&self) -> u64 {
        self.postings
    }

    /// Dimensions that some row has.
    pub fn dimensions(&self) -> usize {
        self.parts[1].len() / 4
    }

    fn named(&self) -> Result<&[u32]> {
        cast(&self.section[self.parts[1].clone()])
    }

    fn ends(&self) -> Result<&[u64]> {
        cast(&self.section[self.parts[2].clone()])
    }

    /// The posting list of a dimension, if some row has it.
    pub(super) fn list_of(&self, dimension: u32) -> Result<Option<&[u8]>> {
        self.named()?.binary_search(&dimension).ok().map(|i| self.list(i)).transpose()
    }

    fn list(&self, i: usize) -> Result<&[u8]> {
        let ends = self.ends()?;
        let bytes = &self.section[self.parts[3].clone()];
        let start = if i == 0 { 0 } else { ends[i - 1] };
        let range = usize::try_from(start).ok().zip(usize::try_from(ends[i]).ok());
        range
            .and_then(|(start, end)| bytes.get(start..end))
            .ok_or_else(|| Error::corrupt(format!("posting list {i} lies outside of its section; the file is damaged")))
    }

    /// Offers `top` the allowed rows by their products with the query; those with none above 0 are
    /// no hits. `drop_ratio` of the query's dimensions, those of the smallest values, are left out:
    /// 0 leaves the answer exact.
    ///
    /// # Errors
    /// `INVALID_VECTOR`, `INVALID_ARGUMENT`; `CORRUPT_FILE` if a list is damaged.
    pub fn search(
        &self,
        query: SparseVector<'_>,
        drop_ratio: f32,
        among: Among<'_>,
        top: &mut TopK,
        scratch: &mut PruneScratch,
    ) -> Result<()> {
        if !(0.0..1.0).contains(&drop_ratio) {
            return Err(Error::argument(format!(
                "drop_ratio_search is {}; it must be 0 or more and below 1",
                say::decimal(drop_ratio)
            )));
        }
        let mut pairs = query.sorted()?;
        let dropped = (pairs.len() as f64 * f64::from(drop_ratio)) as usize;
        if dropped > 0 {
            // Bits of positive floats are ordered as they are.
            let mut keys: Vec<u64> =
                pairs.iter().map(|&(index, value)| u64::from(!value.to_bits()) << 32 | u64::from(index)).collect();
            order::sort(&mut keys);
            keys.truncate(pairs.len() - dropped);
            pairs =
                lists::sorted_pairs(keys.into_iter().map(|key| (key as u32, f32::from_bits(!((key >> 32) as u32)))));
        }
        let mut terms = Vec::with_capacity(pairs.len());
        for (index, weight) in pairs {
            if let Some(list) = self.list_of(index)? {
                terms.push(Term { list, weight });
            }
        }
        prune::search(&terms, Values::Weights, self.rows, among, top, scratch).map(drop)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        let named = self.named()?;
        let [lengths, dimensions, ends, bytes] = &self.parts;
        let mut gaps = [lengths.end..dimensions.start, dimensions.end..ends.start].into_iter();
        if named.windows(2).any(|pair| pair[0] >= pair[1])
            || named.last() == Some(&u32::MAX)
            || gaps.any(|gap| self.section[gap].iter().any(|&b| b != 0))
            || self.ends()?.last().copied().unwrap_or(0) != bytes.len() as u64
        {
            return Err(Error::corrupt(
                "the dimensions of the sparse vectors don't ascend, or their lists don't fill the section; \
                 the file is damaged",
            ));
        }
        let mut lengths = vec![0u32; self.rows];
        for i in 0..named.len() {
            lists::verify(self.list(i)?, Values::Weights, self.rows, |row, _| lengths[row] += 1)?;
        }
        if lengths.iter().map(|&n| u64::from(n)).sum::<u64>() != self.postings || !self.lengths.are(&lengths) {
            return Err(Error::corrupt(
                "the sparse vectors haven't as many values as the section states; the file is damaged",
            ));
        }
        Ok(())
    }
}
