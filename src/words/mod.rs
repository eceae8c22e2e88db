//! The vocabulary that every other layer is written in. Imports nothing from the crate.

pub mod bitmap;
pub mod bits;
pub mod bytes;
pub mod error;
pub mod half;
pub mod hit;
pub mod json;
#[cfg(test)]
mod json_tests;
pub mod matrix;
pub mod metric;
pub mod number;
pub mod order;
pub mod random;
pub mod say;
pub mod topk;

pub use bitmap::Bitmap;
pub use bits::BitsView;
pub use bytes::{AlignedBuffer, Blob, Cursor};
pub use error::{Code, Error, Result};
pub use hit::Hit;
pub use json::Json;
pub use matrix::MatrixView;
pub use metric::{IndexType, Metric, Precision};
pub use topk::{TopK, Window};
