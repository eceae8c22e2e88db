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
//! | `bits` | `IndexLSH`, `IndexBinaryFlat`, what is common to binary indexes |
//! | `hnsw` | `IndexHNSWFlat`, `IndexHNSWSQ`, `IndexHNSWPQ`, `IndexBinaryHNSW` |
//! | `nsg` | `IndexNSGFlat`, `IndexNSGSQ`, `IndexNSGPQ` |
//! | `transform` | `IndexPreTransform` and the vector transforms |
//! | `ivf` | `IndexIVFFlat`, `IndexIVFScalarQuantizer`, `IndexIVFPQ`, `IndexBinaryIVF` |
//! | `fastscan` | `IndexPQFastScan`, `IndexIVFPQFastScan` |
//! | `rabitq` | `IndexRaBitQ`, `IndexIVFRaBitQ`, `IndexRaBitQFastScan`, `IndexIVFRaBitQFastScan` |
//! | `refine` | `IndexRefine`, `IndexRefineFlat` |
//! | `wrap` | `IndexIDMap`, `IndexIDMap2` |

mod bits;
mod blocks;
mod codec;
mod codes;
mod fastscan;
mod flat;
mod head;
mod hnsw;
mod ivf;
mod kinds;
mod lists;
mod minimax;
mod node;
mod nsg;
mod pool;
mod pq;
mod rabitq;
mod refine;
mod sq;
mod tables;
mod transform;
mod twister;
mod wrap;

use super::library::{Groups, Library, not_kept};
use super::reader::Reader;
use super::{Measure, Query, SearchParams};
use crate::index::Structure;
use crate::words::{AlignedBuffer, Bitmap, Blob, Hit, Result};
use head::Head;
use node::{Context, Node};

/// Indexes inside indexes, at most; no class nests deeper than a few.
const MAX_DEPTH: usize = 8;

/// Whether these bytes start as a Faiss file does.
pub(super) fn is_faiss(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|tag| kinds::name([tag[0], tag[1], tag[2], tag[3]]).is_some())
}

/// An index of Faiss, in place.
#[derive(Debug)]
pub(super) struct Faiss {
    file: Blob,
    root: Box<dyn Node>,
    /// Vectors are of bits.
    binary: bool,
}

impl Faiss {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, naming the class, if it isn't read; `CORRUPT_FILE`.
    pub(super) fn open(mut file: AlignedBuffer) -> Result<Self> {
        let binary = file.starts_with(b"IB");
        let mut reader = Reader::new(file.as_mut_slice(), "the Faiss file");
        let root = read(&mut reader, 0)?;
        if reader.remaining() > 0 {
            return Err(reader.corrupt(format!("{} bytes more than its index has", reader.remaining())));
        }
        Ok(Faiss { file: Blob::from(file), root, binary })
    }
}

impl Library for Faiss {
    /// The class and what it is made of, such as `IDMap2,Flat`.
    fn index_type(&self) -> String {
        self.root.describe()
    }

    fn count(&self) -> usize {
        self.root.head().count
    }

    fn dimension(&self) -> usize {
        self.root.head().dimension
    }

    fn measure(&self) -> Measure {
        self.root.head().measure
    }

    fn is_binary(&self) -> bool {
        self.binary
    }

    fn id(&self, row: u32) -> i64 {
        self.root.label(&self.file, row)
    }

    /// As it was added, or as near as its code says, a bit as ±1; what is behind a transform can't
    /// be had back.
    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        self.root.decode(&self.file, row, out)
    }

    fn groups(&self) -> Option<Groups> {
        self.root.groups(&self.file)
    }

    fn structure(&self) -> Result<Structure> {
        match self.binary {
            true => Err(not_kept("its vectors are of bits")),
            false => self.root.structure(&self.file),
        }
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let context = Context { file: &self.file, params, allow };
        if self.binary {
            let floats = bits::unpack(query.bits(self.dimension())?, self.dimension());
            return self.root.search(&context, &floats, params.limit);
        }
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
        b"IHNf" | b"IHNs" | b"IHNp" | b"IH00" => {
            let head = Head::read(reader)?;
            Box::new(hnsw::Hnsw::read(reader, head, depth)?)
        }
        b"INSf" | b"INSs" | b"INSp" => Box::new(nsg::Nsg::read(reader, depth)?),
        b"IPfs" => Box::new(fastscan::PqFastScan::read(reader)?),
        b"IwPf" => Box::new(fastscan::IvfPqFastScan::read(reader, depth)?),
        b"Ixrq" | b"Ixrr" => Box::new(rabitq::Rabitq::read(reader, &tag)?),
        b"Irfn" | b"Irfs" => Box::new(rabitq::RabitqFastScan::read(reader, &tag)?),
        b"Iwrn" | b"Iwrf" => Box::new(rabitq::IvfRabitqFastScan::read(reader, &tag, depth)?),
        b"Iwrq" | b"Iwrr" => Box::new(rabitq::IvfRabitq::read(reader, &tag, depth)?),
        b"IxHe" | b"IxHE" => Box::new(bits::Lsh::read(reader, &tag)?),
        b"IxPT" => Box::new(transform::Transformed::read(reader, depth)?),
        b"IBxF" => Box::new(codes::Codes::read_binary(reader)?),
        b"IBwF" => Box::new(ivf::Ivf::read(reader, &tag, depth)?),
        b"IBHf" => {
            let head = Head::read_binary(reader)?;
            Box::new(hnsw::Hnsw::read(reader, head, depth)?)
        }
        b"IBMp" | b"IBM2" => Box::new(wrap::IdMap::read(reader, &tag, depth)?),
        b"IxMp" | b"IxM2" => Box::new(wrap::IdMap::read(reader, &tag, depth)?),
        b"IxRF" => Box::new(refine::Refine::read(reader, depth)?),
        _ => return Err(kinds::refuse(tag, reader)),
    })
}
