//! An index, taken apart.

use crate::foreign::Foreign;
use crate::format::{FileWriter, Kind};
use crate::index::{BuildParams, Partition, Progress, Structure};
use crate::segment::{Input, Key, PrimaryKeys, Sealed, build, keep};
use crate::words::{Code, Error, IndexType, MatrixView, Metric, Precision, Result};

/// What any format is written from. Rows are numbered as their vectors lie.
#[derive(Debug)]
pub struct Parts {
    /// How nearness is measured.
    pub metric: Metric,
    /// Numbers in a vector.
    pub dimension: usize,
    /// The vectors, one after the other; of an index for COSINE they may have any length.
    pub vectors: Vec<f32>,
    /// What callers know the rows by.
    pub keys: PrimaryKeys,
    /// How the rows are arranged, or why the arrangement can't be kept.
    pub structure: Result<Structure>,
}

impl Parts {
    /// Vectors alone.
    pub fn of_vectors(vectors: Vec<f32>, dimension: usize, metric: Metric) -> Self {
        Parts { metric, dimension, vectors, keys: PrimaryKeys::RowNumbers, structure: Ok(Structure::Flat) }
    }

    /// An index of another library. With a `metric` that isn't the index's own its arrangement is
    /// lost, unless it has none.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if its vectors can't be had; `INVALID_ARGUMENT` if no metric is given and
    /// there is none that puts rows in the library's order; `OUT_OF_MEMORY`.
    pub fn of_foreign(index: &Foreign, metric: Option<Metric>) -> Result<Self> {
        let own = index.measure().metric();
        if index.is_binary() {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!("vectors of the {} are of bits, which no other format takes", index.index_type()),
            ));
        }
        let Some(metric) = metric.or(own) else {
            return Err(Error::argument(format!(
                "its metric is {}, by which an .elanus file can't measure; name another to index the vectors by: L2, IP \
                 or COSINE",
                index.measure().name()
            )));
        };
        let structure = match own == Some(metric) {
            true => index.structure(),
            false => index.structure().and_then(|structure| match structure {
                Structure::Flat => Ok(structure),
                _ => Err(Error::new(
                    Code::UnsupportedFormat,
                    format!("its rows are arranged for {}, not for {metric}", index.measure().name()),
                )),
            }),
        };
        let rows = match index.alive() {
            Some(alive) => alive.iter().map(|row| row as u32).collect(),
            None => (0..index.count() as u32).collect::<Vec<_>>(),
        };
        let dimension = index.dimension();
        let mut vectors = zeros(rows.len(), dimension)?;
        for (&row, out) in rows.iter().zip(vectors.chunks_exact_mut(dimension)) {
            if !index.vector(row, out) {
                return Err(Error::new(
                    Code::UnsupportedFormat,
                    format!("vectors can't be had back from {}", index.index_type()),
                ));
            }
        }
        let ids = rows.iter().map(|&row| index.id(row)).collect();
        Ok(Parts { metric, dimension, vectors, keys: PrimaryKeys::Int64(ids), structure }.numbered())
    }

    /// An `.elanus` file. What it has beside vectors and keys is left behind: [`Self::left_behind`].
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if it has no vectors; `CORRUPT_FILE`; `OUT_OF_MEMORY`.
    pub fn of_sealed(sealed: &Sealed) -> Result<Self> {
        let header = *sealed.header();
        let (count, dimension) = (header.count as usize, header.dimension as usize);
        if sealed.index().rows().is_absent() || header.index_type.is_binary() {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "the file has no vectors of floats: bits, codes, words or sparse ones only",
            ));
        }
        let mut vectors = zeros(count, dimension)?;
        let mut rows = vec![0u32; count];
        for row in 0..header.count {
            let given = sealed.given(row)? as usize;
            let Some(out) = vectors.get_mut(given * dimension..(given + 1) * dimension) else {
                return Err(Error::corrupt(format!(
                    "row {row} is said to be number {given} of {count}; it is damaged"
                )));
            };
            sealed.vector(row, out)?;
            rows[given] = row;
        }
        let keys = match sealed.has_varchar_keys() {
            true => PrimaryKeys::VarChar(keys(sealed, &rows, |key| match key {
                Key::VarChar(key) => Some(key),
                Key::Int64(_) => None,
            })?),
            false => PrimaryKeys::Int64(keys(sealed, &rows, |key| match key {
                Key::Int64(key) => Some(key),
                Key::VarChar(_) => None,
            })?),
        };
        let structure = sealed.index().structure(MatrixView::new(&vectors, dimension)?)?;
        Ok(Parts { metric: header.metric, dimension, vectors, keys, structure: Ok(structure) }.numbered())
    }

    /// What of a file [`Self::of_sealed`] doesn't take.
    pub fn left_behind(sealed: &Sealed) -> Vec<&'static str> {
        let all = [
            ("fields to filter by", Kind::COLUMNS),
            ("stored fields", Kind::FIELDS),
            ("sparse vectors", Kind::SPARSE),
            ("texts", Kind::TERMS),
        ];
        all.into_iter().filter(|&(_, kind)| sealed.layout().entry(kind).is_some()).map(|(what, _)| what).collect()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.vectors.len() / self.dimension.max(1)
    }

    /// Puts rows whose ids are the numbers from 0 on in their order: then they need no keys. Rows of a
    /// graph are numbered by it, and stay where they are.
    fn numbered(mut self) -> Self {
        let PrimaryKeys::Int64(ids) = &self.keys else { return self };
        if ids.iter().enumerate().all(|(row, &id)| id == row as i64) {
            self.keys = PrimaryKeys::RowNumbers;
            return self;
        }
        let Ok(Structure::Lists(Partition { sizes, order, .. })) = &mut self.structure else { return self };
        // Which row has each number.
        let mut of = vec![u32::MAX; ids.len()];
        for (row, &id) in (0u32..).zip(ids) {
            match usize::try_from(id).ok().and_then(|id| of.get_mut(id)) {
                Some(place) if *place == u32::MAX => *place = row,
                _ => return self,
            }
        }
        let order_of_ids: Vec<u32> = order.iter().map(|&row| ids[row as usize] as u32).collect();
        let mut left = &order_of_ids[..];
        let ascending = sizes.iter().all(|&size| {
            let (list, rest) = left.split_at(size.min(left.len()));
            left = rest;
            list.is_sorted()
        });
        if !ascending {
            return self;
        }
        let rows = |row: &u32| &self.vectors[*row as usize * self.dimension..(*row as usize + 1) * self.dimension];
        self.vectors = of.iter().flat_map(rows).copied().collect();
        *order = order_of_ids;
        self.keys = PrimaryKeys::RowNumbers;
        self
    }

    /// An `.elanus` file that keeps the arrangement, with rows of 32 bits.
    ///
    /// # Errors
    /// Why the arrangement can't be kept; `INVALID_INPUT` if a vector or key can't.
    pub fn keep(&self, seed: u64, card: String) -> Result<FileWriter<'_>> {
        let params =
            BuildParams { metric: self.metric, precisions: vec![Precision::F32], seed, ..BuildParams::default() };
        let structure = self.structure.as_ref().map_err(Clone::clone)?;
        keep(self.input(IndexType::Flat, params, card)?, structure)
    }

    /// An `.elanus` file of the same vectors and keys, indexed anew.
    ///
    /// # Errors
    /// Those of [`build()`].
    pub fn rebuild(
        &self,
        index_type: IndexType,
        params: BuildParams,
        card: String,
        progress: Progress<'_>,
    ) -> Result<FileWriter<'_>> {
        build(self.input(index_type, BuildParams { metric: self.metric, ..params }, card)?, progress)
    }

    fn input(&self, index_type: IndexType, params: BuildParams, card: String) -> Result<Input<'_>> {
        Ok(Input {
            rows: Some(MatrixView::new(&self.vectors, self.dimension)?),
            index_type,
            bits: None,
            sparse: None,
            text: None,
            params,
            keys: self.keys.clone(),
            columns: None,
            fields: None,
            card: Some(card),
        })
    }

    /// The ids for a format that knows no texts; `None` if row numbers do.
    pub(super) fn ids(&self) -> Result<Option<&[i64]>> {
        match &self.keys {
            PrimaryKeys::RowNumbers => Ok(None),
            PrimaryKeys::Int64(ids) => Ok(Some(ids)),
            PrimaryKeys::VarChar(_) => Err(Error::new(
                Code::UnsupportedFormat,
                "its keys are texts, and ids of the other format are numbers; number the rows instead",
            )),
        }
    }
}

fn keys<T>(sealed: &Sealed, rows: &[u32], of: impl Fn(Key) -> Option<T>) -> Result<Vec<T>> {
    let key = |&row: &u32| Ok(of(sealed.key(row)?));
    let keys: Result<Option<Vec<T>>> = rows.iter().map(key).collect();
    keys?.ok_or_else(|| Error::corrupt("keys are texts and numbers at once; the file is damaged"))
}

/// Room for so many vectors, which codes of few bits may have no memory for.
fn zeros(rows: usize, dimension: usize) -> Result<Vec<f32>> {
    let mut vectors = Vec::new();
    let numbers = rows.checked_mul(dimension).filter(|&numbers| vectors.try_reserve_exact(numbers).is_ok());
    let Some(numbers) = numbers else {
        return Err(Error::new(
            Code::OutOfMemory,
            format!("memory for {rows} vectors of {dimension} floats could not be had; nothing was written"),
        ));
    };
    vectors.resize(numbers, 0.0);
    Ok(vectors)
}
