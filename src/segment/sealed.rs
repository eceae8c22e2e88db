//! A sealed segment: an index file, opened, answering searches.

use super::bundles;
use super::fields::Fields;
use super::group;
use super::keys::{Key, Keys};
use super::query::Query;
use super::request::{MAX_LIMIT, Request};
use crate::filter::{self, Columns};
use crate::format::{FileReader, Header, Kind, Layout};
use crate::index::sparse::{Among, SparseVectors, TextIndex};
use crate::index::{self, Calibration, Index, SearchParams, Sections, Shape};
use crate::words::say::quoted;
use crate::words::{Bitmap, Blob, Code, Error, Hit, IndexType, Metric, Result};
use std::borrow::Cow;

/// A longer card is refused: it is read whenever a file is opened.
pub const MAX_CARD_BYTES: usize = 1 << 20;

/// Memory that searches use again and again, one at a time. It remembers the rows of the filter
/// used last, so that searching as one types doesn't evaluate it at each key stroke.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) index: index::Scratch,
    filtered: Option<Filtered>,
}

#[derive(Debug)]
struct Filtered {
    file: u64,
    text: String,
    rows: Bitmap,
}

/// An opened index file.
#[derive(Debug)]
pub struct Sealed {
    file: FileReader,
    card: String,
    index: Index,
    calibration: Option<Calibration>,
    sparse: Option<SparseVectors>,
    text: Option<TextIndex>,
    keys: Keys,
    columns: Columns,
    fields: Option<Fields>,
}

impl Sealed {
    /// Opens a file that is in memory. Nothing is copied, and no row, code, key, column or stored
    /// field is read: lengths are checked, values are not. [`Self::verify`] does that; a damaged
    /// file that wasn't verified may give wrong answers, but no panic.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION`, `CORRUPT_FILE`.
    pub fn open(file: Blob) -> Result<Self> {
        let file = FileReader::open(file)?;
        let header = *file.header();
        let count = header.count as usize;
        let index = Index::open(&Shape::from(&header), &Sections::of(&file))?;
        let text = match (file.section(Kind::POSTINGS), file.section(Kind::TERMS)) {
            (Some(postings), Some(terms)) => Some(TextIndex::open(postings, terms, count)?),
            (None, None) => None,
            _ => return Err(Error::corrupt("postings and terms must be there together; the file was written wrongly")),
        };
        if header.index_type == IndexType::SparseInvertedIndex {
            file.require(if header.metric == Metric::Bm25 { Kind::TERMS } else { Kind::SPARSE })?;
        }
        Ok(Sealed {
            card: card(file.section(Kind::CARD))?,
            calibration: file.section(Kind::CALIBRATION).map(|section| Calibration::open(&section)).transpose()?,
            keys: Keys::open(file.section(Kind::KEYS), index.rows().order(), header.count)?,
            columns: match file.section(Kind::COLUMNS) {
                Some(section) => Columns::open(section, count)?,
                None => Columns::empty(count),
            },
            fields: file.section(Kind::FIELDS).map(|section| Fields::open(section, header.count)).transpose()?,
            sparse: file.section(Kind::SPARSE).map(|section| SparseVectors::open(section, count)).transpose()?,
            text,
            index,
            file,
        })
    }

    /// Reads every byte: checksums, padding, and whether all numbers are ones that a build writes.
    /// Only what the stored fields unpack to is left for when they are read.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, with what is wrong.
    pub fn verify(&self) -> Result<()> {
        self.file.verify()?;
        self.index.verify()?;
        if let Some(found) = self.file.section(Kind::BUNDLES)
            && bundles::section(self.header(), |kind| self.file.section(kind))?.as_deref() != Some(&found[..])
        {
            return Err(Error::corrupt(
                "the bundles aren't what lists, codes and rows say; the file was written wrongly",
            ));
        }
        for (kind, filled) in bundles::filled(self.header(), |kind| self.file.section(kind))? {
            if self.file.section(kind).as_deref() != Some(&filled[..]) {
                return Err(Error::corrupt(format!(
                    "{kind} tells of other bundles, groups or rows than the file has; it was written wrongly"
                )));
            }
        }
        self.sparse.as_ref().map_or(Ok(()), SparseVectors::verify)?;
        self.text.as_ref().map_or(Ok(()), TextIndex::verify)?;
        self.keys.verify()?;
        self.columns.verify()?;
        self.fields.as_ref().map_or(Ok(()), Fields::verify)
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        self.file.header()
    }

    /// Where everything in the file lies, and its checksum.
    pub fn layout(&self) -> &Layout {
        self.file.layout()
    }

    /// The card: JSON, not checked to be any. `{}` if the file has none.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// The typed fields that filters speak of.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Which parameter reaches which recall, if it was measured when the file was built.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The file, as it was given.
    pub fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// The index itself.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The sparse vectors, if the file has some.
    pub fn sparse(&self) -> Option<&SparseVectors> {
        self.sparse.as_ref()
    }

    /// The text index, if the file has one.
    pub fn text(&self) -> Option<&TextIndex> {
        self.text.as_ref()
    }

    /// What the distances of a query's hits are.
    pub fn metric_of(&self, query: &Query<'_>) -> Metric {
        match query {
            Query::Dense(_) | Query::Bits(_) => self.header().metric,
            Query::Sparse(_) => Metric::Ip,
            Query::Text(_) => Metric::Bm25,
        }
    }

    /// The nearest rows, nearest first, with internal distances
    /// ([`Metric::to_public`] of [`Self::metric_of`]). Grouped ones lie together, groups in
    /// the order of their nearest.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`, `INVALID_FILTER`,
    /// `FIELD_NOT_FOUND`.
    pub fn search(&self, request: &Request<'_>, scratch: &mut Scratch) -> Result<Vec<Hit>> {
        let mut params = request.params(self.metric_of(&request.query))?;
        // Words and sparse vectors are searched exactly: they reach any recall.
        if let (Some(recall), Query::Dense(_) | Query::Bits(_)) = (request.recall, request.query) {
            self.aim(recall, &mut params)?;
        }
        let Scratch { index, filtered } = scratch;
        let allow = self.allowed(request, filtered)?;
        let mut search =
            |limit, allow: Option<&Bitmap>| self.nearest(request, &SearchParams { limit, ..params }, allow, index);
        let Some(grouping) = request.group else {
            let mut hits = search(params.limit, allow.as_deref())?;
            hits.drain(..request.offset.min(hits.len()));
            return Ok(hits);
        };
        let values = self.columns.groups(grouping.field)?;
        let allow = allow.map_or_else(|| Bitmap::all(self.header().count as usize), Cow::into_owned);
        let found = group::collect(grouping, request.depth(), MAX_LIMIT, &values, allow, |limit, allow| {
            search(limit, Some(allow))
        })?;
        Ok(found.into_iter().skip(request.offset).flatten().collect())
    }

    /// The number of a row among the vectors that the file was built from: its own, unless rows lie
    /// in lists.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row.
    pub fn given(&self, row: u32) -> Result<u32> {
        if row >= self.header().count {
            return Err(Error::argument(format!("there is no row {row}; the file has {}", self.header().count)));
        }
        Ok(self.index.rows().given(row))
    }

    /// The hits of the index that the query is for.
    fn nearest(
        &self,
        request: &Request<'_>,
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut index::Scratch,
    ) -> Result<Vec<Hit>> {
        let lacks = |what: &str, how: &str| {
            Error::argument(format!("the index file has no {what}, so it can't be asked for them; build it with {how}"))
        };
        params.check()?;
        scratch.top.reset_within(params.limit, params.window);
        let among = Among { allow, given: self.index.rows().numbers() };
        match request.query {
            Query::Dense(_) | Query::Bits(_) if self.header().index_type == IndexType::SparseInvertedIndex => {
                return Err(lacks("dense vectors", "some"));
            }
            Query::Dense(query) => return self.index.search(query, params, allow, scratch),
            Query::Bits(query) => return self.index.search_bits(query, params, allow, scratch),
            Query::Sparse(query) => {
                let sparse = self.sparse.as_ref().ok_or_else(|| lacks("sparse vectors", "some"))?;
                sparse.search(query, request.drop_ratio, among, &mut scratch.top, &mut scratch.prune)?;
            }
            Query::Text(query) => {
                let text = self.text.as_ref().ok_or_else(|| lacks("words of texts", "a text field"))?;
                if let Some(field) = request.field.filter(|field| *field != text.field()) {
                    return Err(Error::new(
                        Code::FieldNotFound,
                        format!(
                            "the index has no words of a field {}; it has those of {}",
                            quoted(field),
                            quoted(text.field())
                        ),
                    ));
                }
                text.search(query, among, &mut scratch.top, &mut scratch.prune)?;
            }
        }
        let mut hits = Vec::with_capacity(scratch.top.len());
        scratch.top.drain_sorted(&mut hits);
        Ok(hits)
    }

    /// Writes the vector of a row to `out`, in the best precision that the file has: normalised for
    /// COSINE, and as near as 8 bits come where it has no other.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row or the file has codes only; `DIMENSION_MISMATCH` if
    /// `out` has another length.
    pub fn vector(&self, row: u32, out: &mut [f32]) -> Result<()> {
        self.given(row)?;
        let dimension = self.header().dimension as usize;
        if out.len() != dimension {
            return Err(Error::dimension(dimension, out.len()));
        }
        if self.index.rows().bits().is_some() {
            return Err(Error::argument("the file holds vectors of bits, not of floats; ask for the bits of a row"));
        }
        if !self.index.rows().vector(row as usize, out) {
            return Err(Error::argument("the file holds codes only, no vectors; build it with int8, f16 or f32 rows"));
        }
        Ok(())
    }

    /// The vector of a row of bits.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row or the file's vectors aren't of bits.
    pub fn bits(&self, row: u32) -> Result<&[u8]> {
        self.given(row)?;
        match self.index.rows().bits() {
            Some(bits) => Ok(bits.row(row as usize)),
            None => Err(Error::argument("the file holds no vectors of bits; ask for the vector of a row")),
        }
    }

    /// The key of a row.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row, `CORRUPT_FILE` if its key is damaged.
    pub fn key(&self, row: u32) -> Result<Key> {
        self.keys.key(row)
    }

    /// The row that has this key.
    pub fn row(&self, key: &Key) -> Option<u32> {
        self.keys.row(key)
    }

    /// Whether keys are texts.
    pub fn has_varchar_keys(&self) -> bool {
        self.keys.are_varchar()
    }

    /// The stored fields of these rows, in their order, as JSON objects; `{}` for each if the file
    /// has none.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row or the texts are too long for one answer,
    /// `CORRUPT_FILE` if they are damaged.
    pub fn fields(&self, rows: &[u32]) -> Result<Vec<String>> {
        match &self.fields {
            Some(fields) => fields.read(rows),
            None => match rows.iter().find(|&&row| row >= self.header().count) {
                Some(row) => {
                    Err(Error::argument(format!("there is no row {row}; the file has {}", self.header().count)))
                }
                None => Ok(vec!["{}".to_owned(); rows.len()]),
            },
        }
    }

    /// Unpacks all stored fields and gives each row's text to `check`; none if the file has none.
    ///
    /// # Errors
    /// `CORRUPT_FILE` at the first that is damaged, and those of `check`.
    pub fn for_each_fields(&self, check: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        self.fields.as_ref().map_or(Ok(()), |fields| fields.for_each(check))
    }

    /// Sets what reaches the recall.
    fn aim(&self, recall: f32, params: &mut SearchParams) -> Result<()> {
        match &self.calibration {
            Some(calibration) => calibration.aim(recall, params),
            // All its rows are compared anyway.
            None if matches!(self.header().index_type, IndexType::Flat | IndexType::BinFlat) => Ok(()),
            None => Err(Error::argument(
                "the file has no calibration, so it isn't known what reaches a recall; build it with one, and with rows \
                 to compare, or give ef, rerank or exact instead",
            )),
        }
    }

    /// Refuses deletions of another file.
    pub(super) fn check_deleted(&self, deleted: &Bitmap) -> Result<()> {
        let count = self.header().count as usize;
        if deleted.len() != count {
            return Err(Error::argument(format!(
                "deletions speak of {} rows, but the file has {count}; they belong to another file",
                deleted.len()
            )));
        }
        Ok(())
    }

    /// The rows that a search may return; `None` for all.
    fn allowed<'s>(
        &self,
        request: &Request<'_>,
        filtered: &'s mut Option<Filtered>,
    ) -> Result<Option<Cow<'s, Bitmap>>> {
        let mut allow = match request.filter {
            None => None,
            Some(text) => Some(Cow::Borrowed(self.filter(text, filtered)?)),
        };
        if let Some(deleted) = request.deleted {
            self.check_deleted(deleted)?;
            let mut kept = deleted.clone();
            kept.invert();
            if let Some(allow) = &allow {
                kept.intersect(allow);
            }
            allow = Some(Cow::Owned(kept));
        }
        Ok(allow)
    }

    fn filter<'s>(&self, text: &str, filtered: &'s mut Option<Filtered>) -> Result<&'s Bitmap> {
        let file = self.layout().checksum;
        let rows = match filtered.take() {
            Some(last) if last.file == file && last.text == text => last.rows,
            _ => filter::compile(text, &self.columns)?.evaluate(),
        };
        Ok(&filtered.insert(Filtered { file, text: text.to_owned(), rows }).rows)
    }
}

pub(super) fn card(section: Option<Blob>) -> Result<String> {
    let Some(section) = section else { return Ok("{}".to_owned()) };
    if section.len() > MAX_CARD_BYTES {
        return Err(Error::corrupt(format!(
            "the card has {} bytes; {MAX_CARD_BYTES} is the most, so the file was written wrongly",
            section.len()
        )));
    }
    match std::str::from_utf8(&section) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Error::corrupt("the card isn't UTF-8; the file is damaged")),
    }
}
