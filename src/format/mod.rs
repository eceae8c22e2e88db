//! The `.elanus` container: header, section table, sections, checksums. It knows no index: what a
//! section means is its reader's affair. `docs/format.md` is the specification.
//!
//! [`FileReader::open`] reads the header and the section table and nothing else, so that it costs
//! the same for a thousand rows and for ten million; [`FileReader::verify`] pays for the rest. Both
//! are needed to trust a file: what opens may still be damaged inside.

mod checks;
mod header;
mod kind;
mod layout;
pub mod ranges;
mod reader;
mod writer;

pub use checks::{BLOCK_BYTES, Blocks, Checks};
pub use header::Header;
pub use kind::Kind;
pub use layout::{Entry, Layout};
pub use reader::FileReader;
pub use writer::{FileWriter, Section};

use std::ops::RangeInclusive;
use xxhash_rust::xxh64::xxh64;

/// First bytes of every index file. The high bit and the line feed show a transfer that took the
/// file for text.
pub const MAGIC: [u8; 8] = *b"\x89ELANUS\n";

/// The versions that [`FileReader`] reads. [`FileWriter`] writes the first of them that has all sections of the file.
pub const READABLE_VERSIONS: RangeInclusive<u32> = 1..=3;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 128;

/// Bytes of one entry of the section table.
pub const ENTRY_BYTES: usize = 32;

/// A file has at most this many sections; it bounds what is read before the table is checked.
pub const MAX_SECTIONS: usize = 64;

/// The checksum of the format: XXH64 with seed 0.
pub fn checksum(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0)
}
