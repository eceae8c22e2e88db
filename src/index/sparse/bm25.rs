//! BM25: what it is worth that a term is in a text so often.
//!
//! Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with the
//! inverse document frequency that stays positive, as in Lucene and Milvus.

use super::lengths::Lengths;
use crate::words::say::decimal;
use crate::words::{Error, Result};

/// The two numbers that BM25 is tuned by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25Params {
    /// How fast more of a term stops counting: 0 to 1,000. Milvus's default is 1.2.
    pub k1: f32,
    /// How much long texts are held against: 0 to 1. Milvus's default is 0.75.
    pub b: f32,
}

impl Default for Bm25Params {
    fn default() -> Self {
        Bm25Params { k1: 1.2, b: 0.75 }
    }
}

impl Bm25Params {
    /// Refuses what isn't in range.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1000.0).contains(&self.k1) || !(0.0..=1.0).contains(&self.b) {
            return Err(Error::argument(format!(
                "k1 is {} and b is {}; k1 must be 0 to 1000 and b 0 to 1",
                decimal(self.k1),
                decimal(self.b)
            )));
        }
        Ok(())
    }
}

/// BM25 over the texts of one field.
#[derive(Debug, Clone)]
pub struct Bm25 {
    params: Bm25Params,
    lengths: Lengths,
    /// k1 · (1 − b), and k1 · b over the mean length.
    constant: f32,
    slope: f32,
}

impl Bm25 {
    /// Over texts of these lengths, with so many terms in all of them.
    pub fn new(params: Bm25Params, lengths: Lengths, rows: usize, tokens: u64) -> Self {
        let Bm25Params { k1, b } = params;
        let mean = if tokens == 0 { 1.0 } else { (tokens as f64 / rows as f64) as f32 };
        Bm25 { params, lengths, constant: k1 * (1.0 - b), slope: k1 * b / mean }
    }

    /// The numbers it is tuned by.
    pub fn params(&self) -> Bm25Params {
        self.params
    }

    /// Lengths of the texts.
    pub fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// What a term is worth, before its frequency over all texts comes in, that is `count` times in
    /// the text of `row`.
    #[inline]
    pub fn worth(&self, count: f32, row: usize) -> f32 {
        let length = self.lengths.get(row) as f32;
        (count * self.most() / (count + (self.constant + self.slope * length))).min(self.most())
    }

    /// No term is worth more.
    #[inline]
    pub fn most(&self) -> f32 {
        self.params.k1 + 1.0
    }

    /// What a term's worth is multiplied by that is in so many of the texts: the more, the rarer.
    pub fn rarity(postings: u32, rows: usize) -> f32 {
        let (with, all) = (f64::from(postings), rows as f64);
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln() as f32
    }
}
