//! How rows are arranged so that a search needn't compare them all, apart from any file: what other
//! libraries made is kept, and what was made here is taken elsewhere.

use super::hnsw::Layers;
use super::{BuildParams, Built, Flat, Hnsw, Index, Ivf, Partition};
use crate::words::{Error, IndexType, MatrixView, Result};

/// An arrangement of rows. They are numbered in the order in which they are given.
#[derive(Debug, Clone, PartialEq)]
pub enum Structure {
    /// None: every row is compared.
    Flat,
    /// Lists, each with a centroid.
    Lists(Partition),
    /// A graph in layers.
    Graph(Layers),
}

impl Structure {
    /// The type of the index that keeps it.
    pub fn index_type(&self) -> IndexType {
        match self {
            Structure::Flat => IndexType::Flat,
            Structure::Lists(_) => IndexType::IvfFlat,
            Structure::Graph(_) => IndexType::Hnsw,
        }
    }
}

impl Index {
    /// The sections of an index of these rows, arranged so.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used or the arrangement is of other rows; `INVALID_ARGUMENT`
    /// if the precisions aren't those that the type needs.
    pub fn keep<'a>(structure: &Structure, rows: MatrixView<'a>, params: &BuildParams) -> Result<Built<'a>> {
        match structure {
            Structure::Flat => Flat::build(rows, params, &|_, _| ()),
            Structure::Lists(partition) => Ivf::keep(partition, rows, params),
            Structure::Graph(layers) => Hnsw::keep(layers, rows, params),
        }
    }

    /// How the rows are arranged, whatever they are coded as. Lists of codes are given the means of
    /// their `rows`, which are in the order in which they were given.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it can't be taken out; `INVALID_ARGUMENT` if vectors are of bits.
    pub fn structure(&self, rows: MatrixView<'_>) -> Result<Structure> {
        match self {
            Index::Hnsw(index) => index.layers().map(Structure::Graph),
            Index::Ivf(index) => Ok(Structure::Lists(index.partition())),
            Index::Scan(_) if self.lists().is_some() => {
                let sizes = self.lists().into_iter().flat_map(|lists| lists.iter().map(|list| list.rows)).collect();
                let order = self.rows().numbers().unwrap_or_default().to_vec();
                Ok(Structure::Lists(Partition::with_means(rows, sizes, order)))
            }
            Index::Binary(_) => Err(Error::argument("vectors of bits are arranged by themselves, not as floats")),
            Index::Flat(_) | Index::Scan(_) | Index::Absent(_) => Ok(Structure::Flat),
        }
    }
}
