//! Smaller forms of vectors: a random rotation, codes of 1 to 8 bits with an error bound, parts
//! as numbers of centroids, 8-bit rows; and k-means, which parts them into lists.

pub mod extended;
pub mod kmeans;
mod parallel;
pub mod pq;
pub mod rabitq;
pub mod rotation;
pub mod sq8;

pub(crate) use parallel::{map_chunks, map_range};
