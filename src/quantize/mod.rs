//! Smaller forms of vectors: a random rotation, 1-bit codes with an error bound, 8-bit rows.

mod parallel;
pub mod rabitq;
pub mod rotation;
pub mod sq8;

pub(crate) use parallel::map_chunks;
