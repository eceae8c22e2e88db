//! Files that Faiss writes with `write_index` and `write_index_binary`.
//!
//! Read as in `faiss/impl/index_read.cpp`, written as in `faiss/impl/index_write.cpp`, searched as
//! the classes do, all of <https://github.com/facebookresearch/faiss> at commit 02dbb4e4 (1.15.1);
//! MIT licence. A file is one index: a tag of four bytes, a head (`head`), and what belongs to
//! its kind, often with another index inside.
//!
//! | file | classes |
//! |---|---|
//! | `codes` | `IndexFlat`, `IndexScalarQuantizer`, `IndexPQ` |
//! | `ivf` | `IndexIVFFlat`, `IndexIVFScalarQuantizer`, `IndexIVFPQ` |
//! | `refine` | `IndexRefine`, `IndexRefineFlat` |
//! | `wrap` | `IndexIDMap`, `IndexIDMap2` |

mod codec;
mod codes;
mod flat;
mod head;
mod ivf;
mod kinds;
mod lists;
mod node;
mod pq;
mod refine;
mod sq;
mod wrap;

use super::reader::Reader;
use super::{Measure, Query, SearchParams};
use crate::words::{AlignedBuffer, Bitmap, Blob, Error, Hit, Result};
use node::{Context, Node};

/// Indexes inside indexes, at most; no class nests deeper than a few.
const MAX_DEPTH: usize = 8;

/// Whether these bytes start as a Faiss file does.
pub fn is_faiss(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|tag| kinds::name([tag[0], tag[1], tag[2], tag[3]]).is_some())
}

/// An index of Faiss, in place.
#[derive(Debug)]
pub struct Faiss {
    file: Blob,
    root: Box<dyn Node>,
}

impl Faiss {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, naming the class, if it isn't read; `CORRUPT_FILE`.
    pub fn open(mut file: AlignedBuffer) -> Result<Self> {
        let mut reader = Reader::new(file.as_mut_slice(), "the Faiss file");
        let root = read(&mut reader, 0)?;
        if reader.remaining() > 0 {
            return Err(reader.corrupt(format!("{} bytes more than its index has", reader.remaining())));
        }
        Ok(Faiss { file: Blob::from(file), root })
    }

    /// The class and what it is made of, such as `IDMap2,Flat`.
    pub fn index_type(&self) -> String {
        self.root.describe()
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.root.head().count
    }

    /// Numbers (or bits) in a vector.
    pub fn dimension(&self) -> usize {
        self.root.head().dimension
    }

    /// How nearness is measured.
    pub fn measure(&self) -> Measure {
        self.root.head().measure
    }

    /// The id that Faiss gives for the row. Panics if there is no such row.
    pub fn id(&self, row: u32) -> i64 {
        self.root.label(&self.file, row)
    }

    /// The nearest of the allowed rows, as Faiss finds them.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`.
    pub fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        if let Some(allow) = allow
            && allow.len() != self.count()
        {
            return Err(Error::argument(format!(
                "the rows to be searched are given among {}, but the file has {}",
                allow.len(),
                self.count()
            )));
        }
        let context = Context { file: &self.file, params, allow };
        self.root.search(&context, query.floats(self.dimension())?, params.limit)
    }
}

/// The next index of the file.
fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Box<dyn Node>> {
    if depth > MAX_DEPTH {
        return Err(reader.corrupt(format!("indexes nested deeper than {MAX_DEPTH}")));
    }
    let tag = reader.tag()?;
    Ok(match &tag {
        b"IxFI" | b"IxF2" | b"IxFl" => Box::new(codes::Codes::read_flat(reader)?),
        b"IxSQ" => Box::new(codes::Codes::read_scalar(reader)?),
        b"IxPq" | b"IxPo" | b"IxPQ" => Box::new(codes::Codes::read_product(reader, &tag)?),
        b"IwFl" | b"IwSq" | b"IwSQ" | b"IwPQ" => Box::new(ivf::Ivf::read(reader, &tag, depth)?),
        b"IxMp" | b"IxM2" => Box::new(wrap::IdMap::read(reader, &tag, depth)?),
        b"IxRF" => Box::new(refine::Refine::read(reader, depth)?),
        _ => return Err(kinds::refuse(tag, reader)),
    })
}
