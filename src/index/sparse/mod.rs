//! Sparse vectors and texts: posting lists, and the exact search over them.

pub mod bm25;
pub mod lengths;
pub mod lists;
pub mod prune;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod text;
pub mod vectors;

pub use bm25::{Bm25, Bm25Params};
pub use prune::{Among, PruneScratch};
pub use text::{TextBuilder, TextIndex};
pub use vectors::{SparseBuilder, SparseVector, SparseVectors};
