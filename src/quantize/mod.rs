//! Smaller forms of vectors: a random rotation, 1-bit codes with an error bound, 8-bit rows; and
//! k-means, which parts them into lists.

pub mod kmeans;
mod parallel;
pub mod rabitq;
pub mod rotation;
pub mod sq8;

pub(crate) use parallel::{map_chunks, map_range};
