//! A text index: the dictionary of one field's terms, their posting lists, lengths of its texts.

use super::bm25::{Bm25, Bm25Params};
use super::lengths::Lengths;
use super::lists::{self, MAX_COUNT, Values};
use super::prune::{self, Among, PruneScratch, Term};
use super::terms::{self, Terms};
use crate::text::Analyzer;
use crate::words::bytes::as_bytes;
use crate::words::say::quoted;
use crate::words::{Blob, Code, Cursor, Error, Result, TopK, order};
use std::collections::HashMap;
use std::ops::Range;

const HEAD: usize = 48;

/// Longer names are refused.
const MAX_FIELD_BYTES: usize = 255;

/// Collects the texts of a field, a row each, and writes their sections.
#[derive(Debug)]
pub struct TextBuilder {
    field: String,
    analyzer: Analyzer,
    params: Bm25Params,
    numbers: HashMap<Box<str>, u32>,
    lists: Vec<Vec<(u32, f32)>>,
    lengths: Vec<u32>,
    tokens: u64,
    /// The terms of one text.
    row: Vec<u32>,
}

impl TextBuilder {
    /// No texts yet.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if a parameter isn't in range or the field's name is too long.
    pub fn new(field: impl Into<String>, analyzer: Analyzer, params: Bm25Params) -> Result<Self> {
        params.check()?;
        let field = field.into();
        if field.is_empty() || field.len() > MAX_FIELD_BYTES || field.contains('\0') {
            return Err(Error::argument(format!(
                "a text field's name has 1 to {MAX_FIELD_BYTES} bytes and no zero byte, not {} of {}",
                quoted(&field),
                field.len()
            )));
        }
        Ok(TextBuilder {
            field,
            analyzer,
            params,
            numbers: HashMap::new(),
            lists: Vec::new(),
            lengths: Vec::new(),
            tokens: 0,
            row: Vec::new(),
        })
    }

    /// Adds the text of the next row; an empty one has no terms and is never found.
    ///
    /// # Errors
    /// `INVALID_INPUT`, naming the row, if it has more terms than BM25 counts exactly; it is then
    /// not added.
    pub fn push(&mut self, text: &str) -> Result<()> {
        let TextBuilder { analyzer, numbers, lists, row, .. } = self;
        let at = self.lengths.len();
        row.clear();
        analyzer.for_each(text, |term| {
            let number = numbers.get(term).copied().unwrap_or_else(|| {
                numbers.insert(term.into(), lists.len() as u32);
                lists.push(Vec::new());
                lists.len() as u32 - 1
            });
            row.push(number);
        });
        if row.len() as f64 > f64::from(MAX_COUNT) || u32::try_from(at).is_err() {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "row {at}: its text has {} terms; {MAX_COUNT} are the most: split it over several rows",
                    row.len()
                ),
            ));
        }
        self.lengths.push(row.len() as u32);
        self.tokens += row.len() as u64;
        row.sort_unstable();
        for run in row.chunk_by(|a, b| a == b) {
            lists[run[0] as usize].push((at as u32, run.len() as f32));
        }
        Ok(())
    }

    /// Texts so far.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Name of the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The texts in another order: the first is now that of row `order[0]`.
    pub fn reordered(mut self, order: &[u32]) -> Self {
        lists::reorder(self.lists.iter_mut(), order);
        TextBuilder { lengths: order.iter().map(|&row| self.lengths[row as usize]).collect(), ..self }
    }

    /// The sections: postings, terms.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`; `INVALID_INPUT` if the dictionary would pass 4 GiB.
    pub fn finish(self) -> Result<(Vec<u8>, Vec<u8>)> {
        let TextBuilder { field, analyzer, params, numbers, lists, lengths, tokens, .. } = self;
        let (width, lengths_bytes) = Lengths::encode(&lengths);
        let rows = lengths.len();
        let (own, _) = Lengths::open(&Blob::copy_of(&lengths_bytes)?, 0, width, rows)?;
        let bm25 = Bm25::new(params, own, rows, tokens);
        let mut sorted: Vec<(Box<str>, u32)> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut postings = Vec::new();
        let mut sizes = Vec::with_capacity(sorted.len());
        for &(_, number) in &sorted {
            let start = postings.len();
            lists::write(&lists[number as usize], Values::Counts(&bm25), &mut postings);
            sizes.push(postings.len() - start);
        }
        let (starts, offsets, entries) = terms::write(sorted.iter().map(|(term, _)| &**term).zip(sizes));
        if u32::try_from(entries.len()).is_err() {
            return Err(Error::new(Code::InvalidInput, "the terms of all texts have more than 4 GiB; split the rows"));
        }
        let mut section = [
            as_bytes(&[Analyzer::VERSION, analyzer.flags()]),
            as_bytes(&[params.k1, params.b]),
            as_bytes(&[tokens]),
            as_bytes(&[sorted.len() as u32, width, field.len() as u32, 0]),
            as_bytes(&[postings.len() as u64]),
        ]
        .concat();
        for part in [field.as_bytes(), &lengths_bytes] {
            section.extend(part);
            section.resize(section.len().next_multiple_of(8), 0);
        }
        section.extend([as_bytes(&starts), as_bytes(&offsets), &entries].concat());
        Ok((postings, section))
    }
}

/// An opened text index.
#[derive(Debug, Clone)]
pub struct TextIndex {
    field: String,
    analyzer: Analyzer,
    bm25: Bm25,
    tokens: u64,
    rows: usize,
    terms: Terms,
    postings: Blob,
    section: Blob,
    /// Where the lengths are in the section.
    lengths: Range<usize>,
}

impl TextIndex {
    /// The index of so many rows' texts in these sections. Looks at the head of `terms` only.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `UNSUPPORTED_FORMAT` if the texts went through another analyzer.
    pub fn open(postings: Blob, section: Blob, rows: usize) -> Result<Self> {
        let mut c = Cursor::new(&section, "the section terms");
        let analyzer = Analyzer::from_codes(c.u32()?, c.u32()?)?;
        let params = Bm25Params { k1: c.f32()?, b: c.f32()? };
        let tokens = c.u64()?;
        let (terms, width, name, reserved) = (c.u32()? as usize, c.u32()?, c.u32()? as usize, c.u32()?);
        let bytes = c.u64()?;
        if params.check().is_err() || reserved != 0 || name == 0 || name > MAX_FIELD_BYTES {
            return Err(Error::corrupt(
                "the head of the section terms holds numbers that can't be; the file was written wrongly",
            ));
        }
        if bytes != postings.len() as u64 {
            return Err(Error::corrupt(format!(
                "the section terms speaks of {bytes} bytes of postings, but there are {}; the file is damaged",
                postings.len()
            )));
        }
        let field = std::str::from_utf8(c.take(name)?)
            .ok()
            .filter(|name| !name.contains('\0'))
            .ok_or_else(|| {
                Error::corrupt("the text field's name isn't UTF-8 or has a zero in it; the file is damaged")
            })?
            .to_owned();
        let (lengths, place) = Lengths::open(&section, (HEAD + name).next_multiple_of(8), width, rows)?;
        Ok(TextIndex {
            field,
            analyzer,
            bm25: Bm25::new(params, lengths, rows, tokens),
            tokens,
            rows,
            terms: Terms::open(section.clone(), place.end.next_multiple_of(8), terms)?,
            postings,
            section,
            lengths: place,
        })
    }

    /// The field whose texts these are.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// How queries become terms.
    pub fn analyzer(&self) -> Analyzer {
        self.analyzer
    }

    /// What it is tuned by.
    pub fn params(&self) -> Bm25Params {
        self.bm25.params()
    }

    /// Distinct terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Terms of all texts together.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Offers `top` the allowed rows whose text has a term of `query`, by their BM25 scores negated.
    /// A term that the query has twice counts twice.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if what is read is damaged.
    pub fn search(&self, query: &str, among: Among<'_>, top: &mut TopK, scratch: &mut PruneScratch) -> Result<()> {
        let mut found = Vec::new();
        let mut error = Ok(());
        self.analyzer.for_each(query, |term| match self.terms.find(term) {
            Ok(Some(term)) => found.push(term),
            Ok(None) => {}
            Err(e) => error = Err(e),
        });
        error?;
        // Terms are numbered in their order.
        let mut keys: Vec<u64> = (0u64..).zip(&found).map(|(i, &(term, _))| (term as u64) << 32 | i).collect();
        order::sort(&mut keys);
        let mut terms = Vec::new();
        for same in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            let list = self.list(found[same[0] as u32 as usize].1.clone())?;
            let postings = lists::Walk::new(list, Values::Counts(&self.bm25), self.rows)?.postings();
            terms.push(Term { list, weight: same.len() as f32 * Bm25::rarity(postings, self.rows) });
        }
        prune::search(&terms, Values::Counts(&self.bm25), self.rows, among, top, scratch).map(drop)
    }

    fn list(&self, range: Range<u64>) -> Result<&[u8]> {
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        range
            .and_then(|(start, end)| self.postings.get(start..end))
            .ok_or_else(|| Error::corrupt("a posting list lies outside of its section; the file is damaged"))
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        let padding =
            [HEAD + self.field.len()..self.lengths.start, self.lengths.end..self.lengths.end.next_multiple_of(8)];
        if padding.into_iter().any(|gap| self.section[gap].iter().any(|&b| b != 0)) {
            return Err(Error::corrupt("padding in the section terms isn't zero; the file is damaged"));
        }
        let mut lengths = vec![0u32; self.rows];
        let mut end = 0;
        self.terms.verify(|range| {
            end = range.end;
            let count = |row: usize, count: f32| lengths[row] = lengths[row].saturating_add(count as u32);
            lists::verify(self.list(range)?, Values::Counts(&self.bm25), self.rows, count)
        })?;
        if end != self.postings.len() as u64
            || !self.bm25.lengths().are(&lengths)
            || lengths.iter().map(|&n| u64::from(n)).sum::<u64>() != self.tokens
        {
            return Err(Error::corrupt(
                "the lengths of the texts aren't those of their postings, or bytes of the postings belong to no term; \
                 the file is damaged",
            ));
        }
        Ok(())
    }
}
