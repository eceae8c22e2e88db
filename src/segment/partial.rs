//! An index file of which only parts are there: it answers as soon as it has what the answer needs.
//!
//! No byte is read here. A call that lacks something names the ranges of the file ([`Step::Lacks`]),
//! the caller fetches them from wherever the file is, [feeds](Partial::feed) them, and calls again.
//! A search takes three turns at most:
//!
//! 1. what opening needs: checksums of blocks, rotation, centroids, directory;
//! 2. the codes of the lists that the query's nearest centroids name;
//! 3. the rows of the candidates that those codes name;
//!
//! and [`Partial::read`] then names what keys and stored fields of the hits take. What has been fed
//! stays, so that a later query names only what no other has fetched.
//!
//! The search itself is that of a whole file. What isn't there yet reads as zeros, which name the
//! right lists (centroids are there), and with these the right candidates; only what a search with
//! all that it has read has found is an answer. So answers are those of the whole file, bit for bit.
//!
//! Every byte is checked against the section `checks` before it is taken in: a damaged range is
//! `CORRUPT_FILE`, and changes nothing.

use super::fields::Fields;
use super::keys::{Key, Keys};
use crate::format::{BLOCK_BYTES, Blocks, Checks, FileReader, Header, Kind, Layout, checksum};
use crate::index::{Index, Scan, Scratch, SearchParams, Sections, Shape};
use crate::quantize::sq8;
use crate::words::bytes::AlignedBuffer;
use crate::words::{Bitmap, Blob, Code, Error, Hit, IndexType, Result, Window};
use std::ops::Range;

/// How many candidates are compared exactly if a search doesn't say. The error bound, which decides
/// in a whole file, would need another turn for each few rows.
pub const RERANK: usize = 100;

/// What a call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<T> {
    /// These ranges of the file must be fed first, the last of them first: sorted, and apart from each
    /// other. [`merge`](crate::format::ranges::merge) makes fewer of them.
    Lacks(Vec<Range<u64>>),
    /// All was there.
    Done(T),
}

/// A file that is there in part. Its memory is the length of the file; pages that nothing was fed
/// into stay untouched.
#[derive(Debug)]
pub struct Partial {
    layout: Layout,
    file: Blob,
    blocks: Blocks,
    checks: Option<Checks>,
    /// Blocks that were fed.
    have: Bitmap,
    /// Opened over `file` when it is needed, and let go when `file` changes.
    index: Option<Index>,
}

impl Partial {
    /// A file of which its first bytes are there: at least header and section table. `file_bytes` is
    /// the length of the whole, of which there may be `most_bytes`: so much memory is reserved.
    ///
    /// # Errors
    /// Those of [`Layout::read`]; `OUT_OF_MEMORY` if the file is too long; `UNSUPPORTED_FORMAT` if it
    /// can't be read in parts.
    pub fn open(head: &[u8], file_bytes: u64, most_bytes: usize) -> Result<Self> {
        let layout = Layout::read(&head[..head.len().min(Layout::MAX_BYTES)], file_bytes)?;
        let whole = |why: String| {
            let remedy = "load the whole file, or build it with --checks as IVF_RABITQ or SCAN_RABITQ of 1 bit";
            Err(Error::new(Code::UnsupportedFormat, format!("the file can't be searched in parts: {why}; {remedy}")))
        };
        let index_type = layout.header.index_type;
        if !matches!(index_type, IndexType::ScanRabitq | IndexType::IvfRabitq | IndexType::IvfPq) {
            return whole(format!("it is a {index_type} index"));
        }
        if layout.entry(Kind::EXTENDED).is_some() {
            return whole("its codes have more bits than the scan reads".to_owned());
        }
        if layout.entry(Kind::CHECKS).is_none() {
            return whole("it has no checksums of blocks, so parts of it can't be trusted".to_owned());
        }
        let length = usize::try_from(file_bytes).ok().filter(|&length| length <= most_bytes).ok_or_else(|| {
            Error::new(
                Code::OutOfMemory,
                format!("the file has {file_bytes} bytes, and {most_bytes} are the most that may be reserved for it"),
            )
        })?;
        let mut buffer = AlignedBuffer::zeroed(length)?;
        // Header and table were checked by their own sums; whatever else came along is asked for again.
        let known = layout.entries.first().map_or(0, |entry| entry.offset as usize).min(head.len());
        buffer.as_mut_slice()[..known].copy_from_slice(&head[..known]);
        let blocks = Blocks::new(layout.checked_bytes());
        let have = Bitmap::none(blocks.count());
        Ok(Partial { layout, file: buffer.into(), blocks, checks: None, have, index: None })
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.layout.header
    }

    /// Where everything in the file lies, and its checksum.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes in a range that was named, or one that holds it. The checksums come first: they lie behind
    /// all that they are of, so they are in the last range.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the bytes are damaged, `INVALID_ARGUMENT` if they have no whole block or come
    /// before the checksums. No damaged byte is taken in.
    pub fn feed(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let end = at.saturating_add(bytes.len() as u64);
        let brings_checks = self.checks.is_none();
        if brings_checks {
            self.checks = Some(self.checks_in(at, bytes)?);
        }
        let blocks = self.checks.as_ref().map_or(Ok(0..0), |checks| checks.verify(at, bytes))?;
        if blocks.is_empty() {
            return match brings_checks {
                true => Ok(()),
                false => Err(Error::argument(format!(
                    "bytes {at} to {end} have no whole block of {BLOCK_BYTES}; feed the ranges that were named"
                ))),
            };
        }
        self.index = None;
        let file =
            self.file.get_mut().ok_or_else(|| Error::argument("the file is in use; feed it between searches"))?;
        let place = self.blocks.bytes(blocks.clone());
        file[place.start as usize..place.end as usize]
            .copy_from_slice(&bytes[(place.start - at) as usize..(place.end - at) as usize]);
        blocks.for_each(|block| self.have.insert(block));
        Ok(())
    }

    /// The checksums, if these bytes have them.
    fn checks_in(&self, at: u64, bytes: &[u8]) -> Result<Checks> {
        let (place, sum) = self.entry(Kind::CHECKS)?;
        let end = at.saturating_add(bytes.len() as u64);
        if at > place.start || end < place.end {
            return Err(Error::argument(format!(
                "bytes {at} to {end} came before the checksums that they are checked by; feed bytes {} to {} first",
                place.start, place.end
            )));
        }
        let section = &bytes[(place.start - at) as usize..(place.end - at) as usize];
        let found = checksum(section);
        if found != sum {
            return Err(Error::corrupt(format!(
                "checks should have checksum {sum:016x}, but the bytes that came have {found:016x}; they were damaged \
                 on their way, or the file has changed: fetch them again, or open the file anew"
            )));
        }
        Checks::open(section, self.layout.checked_bytes())
    }

    /// The nearest rows, nearest first, with internal distances: what a whole file answers to the same
    /// parameters, of which a `rerank` left out is [`RERANK`].
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for searches that need every row; those of [`Index::search`]; `CORRUPT_FILE`
    /// if what was fed contradicts itself.
    pub fn search(&mut self, query: &[f32], params: &SearchParams, scratch: &mut Scratch) -> Result<Step<Vec<Hit>>> {
        if params.exact || params.window != Window::ALL {
            return Err(Error::argument(
                "an exact search and one within a radius read every row, which a file that is there in part hasn't; \
                 leave them out, or load the whole file",
            ));
        }
        let resident = self.resident()?;
        if !resident.is_empty() {
            return Ok(Step::Lacks(resident));
        }
        let params = SearchParams { rerank: Some(params.rerank.unwrap_or(RERANK)), ..*params };
        if self.index.is_none() {
            let file = FileReader::open(self.file.clone())?;
            self.index = Some(Index::open(&Shape::from(file.header()), &Sections::of(&file))?);
        }
        let Some(index @ Index::Scan(scan)) = &self.index else {
            return Err(Error::corrupt("the file holds another index than its header says"));
        };
        let hits = index.search(query, &params, None, scratch)?;
        let mut places = Vec::new();
        for list in scratch.probed() {
            places.push((Kind::CODES, scan.codes_of(list)));
            places.push((Kind::ORDER, 4 * list.range().start..4 * list.range().end));
        }
        let lacks = self.lacks(&places);
        if !lacks.is_empty() {
            return Ok(Step::Lacks(lacks));
        }
        if params.rerank == Some(0) {
            return Ok(Step::Done(hits));
        }
        let lacks = self.lacks(&places_of_rows(scan, scratch.candidates()));
        Ok(if lacks.is_empty() { Step::Done(hits) } else { Step::Lacks(lacks) })
    }

    /// Keys and stored fields (JSON objects, `{}` if the file has none) of these rows, in their order.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row, `CORRUPT_FILE` if what was fed contradicts itself.
    pub fn read(&mut self, rows: &[u32]) -> Result<Step<Vec<(Key, String)>>> {
        let count = self.header().count;
        if let Some(row) = rows.iter().find(|&&row| row >= count) {
            return Err(Error::argument(format!("there is no row {row}; the file has {count}")));
        }
        let resident = self.resident()?;
        if !resident.is_empty() {
            return Ok(Step::Lacks(resident));
        }
        let file = FileReader::open(self.file.clone())?;
        let (keys, fields) = (file.section(Kind::KEYS), file.section(Kind::FIELDS));
        let directory = fields.as_ref().map_or(0..0, |section| Fields::directory(section));
        let keys = Keys::open(keys, file.section(Kind::ORDER).as_ref(), count)?;
        let mut places = vec![(Kind::FIELDS, directory)];
        for &row in rows {
            places.push((Kind::KEYS, keys.place(row)));
            places.push((Kind::ORDER, 4 * row as usize..4 * row as usize + 4));
        }
        let lacks = self.lacks(&places);
        if !lacks.is_empty() {
            return Ok(Step::Lacks(lacks));
        }
        let fields = fields.map(|section| Fields::open(section, count)).transpose()?;
        let mut places = Vec::new();
        for &row in rows {
            places.push((Kind::KEYS, keys.text_place(row)?));
            if let Some(fields) = &fields {
                places.push((Kind::FIELDS, fields.place(row)?));
            }
        }
        let lacks = self.lacks(&places);
        if !lacks.is_empty() {
            return Ok(Step::Lacks(lacks));
        }
        let texts = fields.map_or_else(|| Ok(vec!["{}".to_owned(); rows.len()]), |fields| fields.read(rows))?;
        rows.iter().zip(texts).map(|(&row, text)| Ok((keys.key(row)?, text))).collect::<Result<_>>().map(Step::Done)
    }

    /// What must be there before anything can be asked.
    fn resident(&self) -> Result<Vec<Range<u64>>> {
        let header = self.header();
        let mut places: Vec<(Kind, Range<usize>)> = [Kind::ROTATION, Kind::CENTROIDS, Kind::DIRECTORY, Kind::CODEBOOKS]
            .into_iter()
            .map(|kind| (kind, 0..usize::MAX))
            .collect();
        places.push((Kind::ROWS_I8, sq8::mean_place(header.dimension as usize)));
        if let Some(keys) = self.layout.entry(Kind::KEYS) {
            places.extend(Keys::ends(keys.length as usize, header.count).map(|place| (Kind::KEYS, place)));
        }
        places.push((Kind::FIELDS, 0..4));
        let mut lacks = self.lacks(&places);
        if self.checks.is_none() {
            lacks.push(self.entry(Kind::CHECKS)?.0);
        }
        Ok(lacks)
    }

    /// Of these places in sections, what isn't there; nothing of sections that the file hasn't.
    fn lacks(&self, places: &[(Kind, Range<usize>)]) -> Vec<Range<u64>> {
        let mut wanted = Bitmap::none(self.blocks.count());
        for (kind, place) in places {
            let Some(entry) = self.layout.entry(*kind) else { continue };
            let end = entry.length.min(place.end as u64);
            let start = end.min(place.start as u64);
            self.blocks.touched(entry.offset + start..entry.offset + end).for_each(|block| wanted.insert(block));
        }
        let mut runs: Vec<Range<usize>> = Vec::new();
        for block in wanted.iter().filter(|&block| !self.have.contains(block)) {
            match runs.last_mut() {
                Some(last) if last.end == block => last.end += 1,
                _ => runs.push(block..block + 1),
            }
        }
        runs.into_iter().map(|blocks| self.blocks.bytes(blocks)).collect()
    }

    /// Where a section lies, and its checksum.
    fn entry(&self, kind: Kind) -> Result<(Range<u64>, u64)> {
        let entry = self.layout.entry(kind);
        let entry = entry.ok_or_else(|| Error::corrupt(format!("the file has no section {kind}")))?;
        Ok((entry.offset..entry.offset + entry.length, entry.checksum))
    }
}

/// What comparing these rows exactly reads.
fn places_of_rows(scan: &Scan, rows: &[Hit]) -> Vec<(Kind, Range<usize>)> {
    let mut places = Vec::with_capacity(4 * rows.len());
    for hit in rows {
        if let Some(bytes) = scan.rows().bytes() {
            places.extend(bytes.places(hit.row as usize).map(|place| (Kind::ROWS_I8, place)));
        }
        places.push((Kind::ROWS_F32, scan.rows().floats_of(hit.row)));
    }
    places
}
