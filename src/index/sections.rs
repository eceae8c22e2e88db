//! The sections of a file that indexes are made of, as bytes.

use crate::format::{FileReader, Header, Kind, Section};
use crate::words::{BitsView, Blob, Error, IndexType, MatrixView, Metric, Precision, Result, bits};
use std::borrow::Cow;

/// What the header of a file says about its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How it is searched.
    pub index_type: IndexType,
    /// How nearness is measured.
    pub metric: Metric,
    /// Rows.
    pub count: usize,
    /// Dimensions of a row: floats, or bits.
    pub dimension: usize,
}

impl From<&Header> for Shape {
    fn from(header: &Header) -> Self {
        Shape {
            index_type: header.index_type,
            metric: header.metric,
            count: header.count as usize,
            dimension: header.dimension as usize,
        }
    }
}

impl Shape {
    /// Refuses shapes that no file has.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn check(&self) -> Result<()> {
        let is_sparse = self.index_type == IndexType::SparseInvertedIndex;
        let is_binary = self.index_type.is_binary();
        let metrics: &[Metric] = match (is_sparse, is_binary) {
            (true, _) => &[Metric::Ip, Metric::Bm25],
            (_, true) => Metric::BINARY,
            _ => Metric::DENSE,
        };
        let has_metric = metrics.contains(&self.metric);
        if !has_metric {
            return Err(Error::corrupt(format!(
                "the file claims to be a {} index for {}, which there is none of; it was written wrongly",
                self.index_type, self.metric
            )));
        }
        if is_binary && !bits::is_dimension(self.dimension) {
            return Err(Error::corrupt(format!(
                "the file claims vectors of {} bits, but a multiple of 8 up to {} is possible; it is damaged",
                self.dimension,
                BitsView::MAX_DIMENSION
            )));
        }
        if !is_sparse && !is_binary && (self.dimension == 0 || self.dimension > MatrixView::MAX_DIMENSION) {
            return Err(Error::corrupt(format!(
                "the file claims {} dimensions, but 1 to {} are possible; it is damaged",
                self.dimension,
                MatrixView::MAX_DIMENSION
            )));
        }
        if u32::try_from(self.count).is_err() {
            return Err(Error::corrupt(format!(
                "the file claims {} rows, but row numbers have 32 bits; it is damaged",
                self.count
            )));
        }
        Ok(())
    }
}

/// The sections that an index reads ([`Blob`]s) or that a build made ([`Built`]), by their kinds in
/// the file. What each holds is described where it is read.
#[derive(Debug, Clone)]
pub struct Sections<B> {
    /// Kind 0: centroids in 8 bits (`index::coarse`), in place of those of kind 3.
    pub coarse: Option<B>,
    /// Kind 2: signs of the rotation (`quantize::rotation`).
    pub rotation: Option<B>,
    /// Kind 3: centroids (`quantize::rabitq`, `index::ivf`).
    pub centroids: Option<B>,
    /// Kind 4: list directory (`index::lists`).
    pub lists: Option<B>,
    /// Kind 5: 1-bit codes (`quantize::rabitq`).
    pub codes: Option<B>,
    /// Kind 7: 8-bit rows (`quantize::sq8`).
    pub rows_i8: Option<B>,
    /// Kind 8: rows as f32 (`index::float_rows`).
    pub rows_f32: Option<B>,
    /// Kind 16: rows as f16 (`index::float_rows`).
    pub rows_f16: Option<B>,
    /// Kind 17: rows as bf16 (`index::float_rows`).
    pub rows_bf16: Option<B>,
    /// Kind 11: HNSW graph (`index::hnsw`).
    pub graph: Option<B>,
    /// Kind 23: which parameter reaches which recall (`index::calibration`).
    pub calibration: Option<B>,
    /// Kind 12: the number that each row was given by (`index::lists`).
    pub order: Option<B>,
    /// Kind 13: bits of codes that the scan doesn't read (`quantize::extended`, `quantize::pq`).
    pub extended: Option<B>,
    /// Kind 24: lists in groups (`index::groups`).
    pub groups: Option<B>,
    /// Kind 14: centroids of parts (`quantize::pq`).
    pub codebooks: Option<B>,
    /// Kind 15: rows of bits (`index::bit_rows`).
    pub rows_bits: Option<B>,
}

/// What a build made. Rows that needn't change are borrowed from the input.
pub type Built<'a> = Sections<Cow<'a, [u8]>>;

impl<B> Default for Sections<B> {
    fn default() -> Self {
        Sections {
            coarse: None,
            rotation: None,
            centroids: None,
            lists: None,
            codes: None,
            rows_i8: None,
            rows_f32: None,
            rows_f16: None,
            rows_bf16: None,
            graph: None,
            calibration: None,
            order: None,
            extended: None,
            groups: None,
            codebooks: None,
            rows_bits: None,
        }
    }
}

impl<B> Sections<B> {
    /// The section of rows of floats of this precision.
    pub fn floats_mut(&mut self, precision: Precision) -> &mut Option<B> {
        match precision {
            Precision::Bf16 => &mut self.rows_bf16,
            Precision::F16 => &mut self.rows_f16,
            _ => &mut self.rows_f32,
        }
    }

    /// Whether there are rows of floats or of their 8 bits.
    pub fn has_float_rows(&self) -> bool {
        [&self.rows_i8, &self.rows_f32, &self.rows_f16, &self.rows_bf16].into_iter().any(Option::is_some)
    }
}

impl Sections<Blob> {
    /// The sections of a file, in place.
    pub fn of(file: &FileReader) -> Self {
        Sections {
            coarse: file.section(Kind::COARSE),
            rotation: file.section(Kind::ROTATION),
            centroids: file.section(Kind::CENTROIDS),
            lists: file.section(Kind::DIRECTORY),
            codes: file.section(Kind::CODES),
            rows_i8: file.section(Kind::ROWS_I8),
            rows_f32: file.section(Kind::ROWS_F32),
            rows_f16: file.section(Kind::ROWS_F16),
            rows_bf16: file.section(Kind::ROWS_BF16),
            graph: file.section(Kind::GRAPH),
            calibration: file.section(Kind::CALIBRATION),
            order: file.section(Kind::ORDER),
            extended: file.section(Kind::EXTENDED),
            groups: file.section(Kind::GROUPS),
            codebooks: file.section(Kind::CODEBOOKS),
            rows_bits: file.section(Kind::ROWS_BITS),
        }
    }
}

impl<'a> Built<'a> {
    /// The sections with their kinds, to be written.
    pub fn into_sections(self) -> impl Iterator<Item = Section<'a>> {
        let all = [
            (Kind::COARSE, self.coarse),
            (Kind::ROTATION, self.rotation),
            (Kind::CENTROIDS, self.centroids),
            (Kind::DIRECTORY, self.lists),
            (Kind::CODES, self.codes),
            (Kind::ROWS_I8, self.rows_i8),
            (Kind::ROWS_F32, self.rows_f32),
            (Kind::GRAPH, self.graph),
            (Kind::CALIBRATION, self.calibration),
            (Kind::ORDER, self.order),
            (Kind::EXTENDED, self.extended),
            (Kind::GROUPS, self.groups),
            (Kind::CODEBOOKS, self.codebooks),
            (Kind::ROWS_BITS, self.rows_bits),
            (Kind::ROWS_F16, self.rows_f16),
            (Kind::ROWS_BF16, self.rows_bf16),
        ];
        all.into_iter().filter_map(|(kind, bytes)| bytes.map(|bytes| Section { kind, bytes }))
    }

    /// Copies of the sections, to be opened without a file.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn to_blobs(&self) -> Result<Sections<Blob>> {
        let copy = |section: &Option<Cow<'a, [u8]>>| section.as_deref().map(Blob::copy_of).transpose();
        Ok(Sections {
            coarse: copy(&self.coarse)?,
            rotation: copy(&self.rotation)?,
            centroids: copy(&self.centroids)?,
            lists: copy(&self.lists)?,
            codes: copy(&self.codes)?,
            rows_i8: copy(&self.rows_i8)?,
            rows_f32: copy(&self.rows_f32)?,
            rows_f16: copy(&self.rows_f16)?,
            rows_bf16: copy(&self.rows_bf16)?,
            graph: copy(&self.graph)?,
            calibration: copy(&self.calibration)?,
            order: copy(&self.order)?,
            extended: copy(&self.extended)?,
            groups: copy(&self.groups)?,
            codebooks: copy(&self.codebooks)?,
            rows_bits: copy(&self.rows_bits)?,
        })
    }
}

/// A section that an index of this type can't do without.
///
/// # Errors
/// `CORRUPT_FILE` if it isn't there.
pub fn required<'a, B>(section: &'a Option<B>, what: &str, index_type: IndexType) -> Result<&'a B> {
    section.as_ref().ok_or_else(|| {
        Error::corrupt(format!("a {index_type} index needs {what}, but the file has none; it is damaged or incomplete"))
    })
}
