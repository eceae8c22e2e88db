//! What every index starts with after its tag.
//!
//! ```text
//! dimension   i32
//! count       i64
//! two i64 that mean nothing
//! trained     u8
//! metric      i32
//! argument    f32, only if metric > 1
//! ```

use crate::foreign::Measure;
use crate::foreign::reader::Reader;
use crate::words::{Code, Error, Result};

/// Faiss takes no more dimensions than this.
const MAX_DIMENSION: usize = 1 << 20;

/// Shape and metric of an index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head {
    pub(super) dimension: usize,
    pub(super) count: usize,
    pub(super) measure: Measure,
}

impl Head {
    /// The head of an index of floats.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (dimension, count) = (reader.size32()?, reader.size()?);
        reader.span(16)?;
        let trained = reader.bool()?;
        let measure = measure(reader)?;
        Head { dimension, count, measure }.checked(reader, trained)
    }

    /// The head of a binary index.
    pub(super) fn read_binary(reader: &mut Reader<'_>) -> Result<Self> {
        let (dimension, code_bytes, count) = (reader.size32()?, reader.size32()?, reader.size()?);
        let trained = reader.bool()?;
        reader.i32()?;
        // Maps of ids said 0 bytes before 1.8.
        if !dimension.is_multiple_of(8) || (code_bytes != dimension / 8 && code_bytes != 0) {
            return Err(reader.corrupt(format!("vectors of {dimension} bits in {code_bytes} bytes")));
        }
        Head { dimension, count, measure: Measure::Hamming }.checked(reader, trained)
    }

    fn checked(self, reader: &Reader<'_>, trained: bool) -> Result<Self> {
        let Head { dimension, count, .. } = self;
        // Links and rows are numbered with 31 bits in many classes.
        if dimension == 0 || dimension > MAX_DIMENSION || i32::try_from(count).is_err() {
            return Err(reader.corrupt(format!("{count} vectors of {dimension} dimensions")));
        }
        if !trained {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "the Faiss index was saved before it was trained, so it has nothing to search; train it, add vectors, \
                 and save it again",
            ));
        }
        Ok(self)
    }

    /// Refuses a metric that the class doesn't search by.
    pub(super) fn only_l2_and_ip(&self, reader: &Reader<'_>) -> Result<()> {
        match self.measure {
            Measure::L2 | Measure::Ip => Ok(()),
            other => Err(reader.corrupt(format!("an index that can't measure by {}", other.name()))),
        }
    }
}

fn measure(reader: &mut Reader<'_>) -> Result<Measure> {
    let metric = reader.i32()?;
    let argument = if metric > 1 { reader.f32()? } else { 0.0 };
    Ok(match metric {
        0 => Measure::Ip,
        1 => Measure::L2,
        2 => Measure::L1,
        3 => Measure::Linf,
        4 => Measure::Lp(argument),
        20 => Measure::Canberra,
        21 => Measure::BrayCurtis,
        22 => Measure::JensenShannon,
        23 => Measure::Jaccard,
        24 => Measure::NanEuclidean,
        25 => Measure::Gower,
        other => return Err(reader.corrupt(format!("the metric {other}"))),
    })
}
