//! What a search is asked with.

use crate::index::sparse::SparseVector;

/// A query, of the kind that says which of the file's indexes answers it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Query<'a> {
    /// A vector of all the file's dimensions: the nearest by the file's metric.
    Dense(&'a [f32]),
    /// A vector of all the file's bits, eight a byte, packed as its rows are.
    Bits(&'a [u8]),
    /// A vector of some dimensions: the sparse vectors of the largest product.
    Sparse(SparseVector<'a>),
    /// Words: the texts of the best BM25 score.
    Text(&'a str),
}

impl<'a> From<&'a [f32]> for Query<'a> {
    fn from(vector: &'a [f32]) -> Self {
        Query::Dense(vector)
    }
}

impl<'a> From<&'a Vec<f32>> for Query<'a> {
    fn from(vector: &'a Vec<f32>) -> Self {
        Query::Dense(vector)
    }
}

impl<'a> From<&'a [u8]> for Query<'a> {
    fn from(bits: &'a [u8]) -> Self {
        Query::Bits(bits)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Query<'a> {
    fn from(vector: &'a [f32; N]) -> Self {
        Query::Dense(vector)
    }
}

impl<'a> From<SparseVector<'a>> for Query<'a> {
    fn from(vector: SparseVector<'a>) -> Self {
        Query::Sparse(vector)
    }
}

impl<'a> From<&'a str> for Query<'a> {
    fn from(text: &'a str) -> Self {
        Query::Text(text)
    }
}
