//! From one library's file to another's: an index is taken apart into vectors, ids and an
//! arrangement, and any format that has a place for these is written from them.
//!
//! What a format has no place for is refused with the reason, so that what is written answers as what
//! was read. `docs/foreign.md` says which is which.

mod arrays;
mod faiss;
mod hnswlib;
mod parts;
#[cfg(test)]
mod tests;

pub use arrays::{fvecs, npy};
pub use faiss::faiss;
pub use hnswlib::hnswlib;
pub use parts::Parts;

use crate::words::bytes::as_bytes;

/// What a writer hands its pieces to.
pub type Sink<'a, E> = dyn FnMut(&[u8]) -> Result<(), E> + 'a;

/// Numbers of a head, one behind the other.
#[derive(Debug, Default)]
struct Head(Vec<u8>);

impl Head {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u64(&mut self, number: usize) -> &mut Self {
        self.bytes(&(number as u64).to_le_bytes())
    }

    fn i32(&mut self, number: i32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }
}

/// Hands the floats on as they lie in a little-endian file.
fn floats<E>(numbers: &[f32], sink: &mut Sink<'_, E>) -> Result<(), E> {
    sink(as_bytes(numbers))
}
