//! An index file of which only parts are there: it answers as soon as it has what the answer needs.
//!
//! No byte is read here. A call that lacks something names the ranges of the file ([`Step::Lacks`]),
//! the caller fetches them from wherever the file is, [feeds](Partial::feed) them, and calls again.
//! A search takes three turns at most, or four:
//!
//! 1. what opening needs: card, rotation, centroids, directory. They are what a file starts with, so they
//!    are there at once if [`Partial::open`] is given enough of its first bytes;
//!    Where lists are in groups, of these; then the groups that the query's nearest centroids name are a turn more;
//! 2. checksums of blocks (unless lists and rows have checksums of their own), and the codes of the lists that the query's nearest centroids name;
//! 3. the rows of the candidates that those codes name;
//!
//! and [`Partial::read`] then names what keys and stored fields of the hits take. What has been fed
//! stays, so that a later query names only what no other has fetched.
//!
//! Each turn puts together what it has into the sections of a small index, and searches that: see
//! [`Parts`]. Memory is what was fed, whatever the file's length. Answers are those of the whole
//! file, bit for bit.
//!
//! Every byte is checked before it is taken in: sections that are needed whole by their checksums in the
//! table, lists and rows by checksums of their own if they have some, all else by the section `checks`. A damaged range is `CORRUPT_FILE`, and changes nothing.

use super::bundles::{self, Bundles};
use super::fields::Fields;
use super::keys::{Key, KeyPlaces};
use super::pages::Pages;
use super::request::Request;
use super::sealed::card;
use super::summed::{Known, RowRun, Summed, SummedGroups};
use super::{Query, Scratch};
use crate::filter::{self, Columns};
use crate::format::{Checks, Entry, Header, Kind, Layout, checksum};
use crate::index::parts::Gathered;
use crate::index::{Groups, Lists, Parts, SearchParams, Sections, Shape, coarse, float_rows};
use crate::quantize::sq8;
use crate::words::{AlignedBuffer, Bitmap, Blob, Error, Hit, IndexType, Precision, Result, Window};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many candidates are compared exactly if a search doesn't say. The error bound, which decides
/// in a whole file, would need another turn for each few rows.
pub const RERANK: usize = 100;

/// Sections that are needed whole before anything can be asked, if the file has them.
const RESIDENT: [Kind; 6] =
    [Kind::COARSE, Kind::CARD, Kind::ROTATION, Kind::CENTROIDS, Kind::DIRECTORY, Kind::CODEBOOKS];

/// Of the stored fields' directory so much is asked for before it is known how long it is.
const DIRECTORY_BYTES: u64 = 16 << 10;

/// What a call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<T> {
    /// These ranges of the file must be fed first, the last of them first: sorted, and apart from each
    /// other. [`merge`](crate::format::ranges::merge) makes fewer of them.
    Lacks(Vec<Range<u64>>),
    /// All was there.
    Done(T),
}

/// Goes on with what was there, or leaves with what wasn't.
macro_rules! all_there {
    ($step:expr) => {
        match $step {
            Step::Done(there) => there,
            Step::Lacks(ranges) => return Ok(Step::Lacks(ranges)),
        }
    };
}

/// A file that is there in part.
#[derive(Debug)]
pub struct Partial {
    layout: Layout,
    /// Sections that are there whole.
    whole: BTreeMap<Kind, Blob>,
    pages: Pages,
    /// Lists and rows, if they have checksums of their own.
    summed: Option<Summed>,
    parts: Option<Parts>,
    fields: Option<Fields>,
    columns: Option<Columns>,
    filtered: Option<(String, Bitmap)>,
}

impl Partial {
    /// A file of which its first bytes are there: at least header and section table, and whatever more.
    /// `file_bytes` is the length of the whole.
    ///
    /// # Errors
    /// Those of [`Layout::read`]; `UNSUPPORTED_FORMAT` if it can't be read in parts.
    pub fn open(head: &[u8], file_bytes: u64) -> Result<Self> {
        let layout = Layout::read(&head[..head.len().min(Layout::MAX_BYTES)], file_bytes)?;
        Shape::from(&layout.header).check()?;
        if let Some(why) = why_not(&layout) {
            return Err(Error::new(
                crate::words::Code::UnsupportedFormat,
                format!(
                    "the file can't be searched in parts: {why}; load the whole file, or build it with --checks as \
                     IVF_RABITQ or SCAN_RABITQ of 1 bit"
                ),
            ));
        }
        let pages = Pages::new(layout.checked_bytes());
        let (whole, parts, fields, columns, filtered) = (BTreeMap::new(), None, None, None, None);
        let mut partial = Partial { layout, whole, pages, summed: None, parts, fields, columns, filtered };
        partial.take_sections(0, head)?;
        Ok(partial)
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.layout.header
    }

    /// Where everything in the file lies, and its checksum.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> usize {
        let summed = self.summed.as_ref().map_or(0, Summed::bytes);
        self.pages.bytes() + summed + self.whole.values().map(|section| section.len()).sum::<usize>()
    }

    /// Lets go of all but what every search needs.
    pub fn evict(&mut self) {
        self.pages.clear();
        if let Some(summed) = &mut self.summed {
            summed.clear();
        }
    }

    /// Takes in a range that was named, or one that holds it. The checksums of blocks come before the blocks: they
    /// lie behind all that they are of, so they are in the last range.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the bytes are damaged, `INVALID_ARGUMENT` if they have nothing that can be checked. No
    /// damaged byte is taken in.
    pub fn feed(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let sections = self.take_sections(at, bytes)?;
        if self.layout.entry(Kind::COARSE).is_some() && self.summed.is_none() {
            // What has just come may be what lists and rows are checked by.
            self.parts()?;
        }
        let (units, others) = match &mut self.summed {
            Some(summed) => (summed.take_in(at, bytes)?, summed.regions()),
            None => (0, &[][..]),
        };
        let blocks = self.pages.take_in(at, bytes, others)?;
        if sections + units + blocks == 0 && !self.is_known(at, bytes.len()) {
            let end = at.saturating_add(bytes.len() as u64);
            return Err(Error::argument(format!(
                "bytes {at} to {end} have no whole block, list or row, or came before the checksums for them; feed the \
                 ranges that were named, the last of them first"
            )));
        }
        Ok(())
    }

    /// Whether all of these bytes are there already.
    fn is_known(&self, at: u64, bytes: usize) -> bool {
        let place = at..at.saturating_add(bytes as u64);
        self.summed.as_ref().is_some_and(|summed| {
            !place.is_empty() && summed.has_place(&place) && summed.lacks(std::iter::once(place)).is_empty()
        })
    }

    /// Keeps the sections that these bytes have all of and that are needed whole; how many.
    fn take_sections(&mut self, at: u64, bytes: &[u8]) -> Result<usize> {
        let end = at.saturating_add(bytes.len() as u64);
        let mut taken = 0;
        for &Entry { kind, offset, length, checksum: sum } in &self.layout.entries {
            let is_needed = self.is_resident(kind) || kind == Kind::CHECKS || kind == Kind::COLUMNS;
            let is_there = self.whole.contains_key(&kind) || kind == Kind::CHECKS && self.pages.has_checks();
            if !is_needed || is_there || offset < at || offset + length > end {
                continue;
            }
            let section = &bytes[(offset - at) as usize..(offset + length - at) as usize];
            let found = checksum(section);
            if found != sum {
                return Err(Error::corrupt(format!(
                    "{kind} should have checksum {sum:016x}, but the bytes that came have {found:016x}; they were \
                     damaged on their way, or the file has changed: fetch them again, or open the file anew"
                )));
            }
            if kind == Kind::CHECKS {
                self.pages.set_checks(Checks::open(section, self.layout.checked_bytes())?);
            } else {
                self.whole.insert(kind, Blob::copy_of(section)?);
            }
            taken += 1;
        }
        Ok(taken)
    }

    /// The card: JSON, not checked to be any. `{}` if the file has none.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it is too long or isn't UTF-8.
    pub fn card(&mut self) -> Result<Step<String>> {
        all_there!(self.resident()?);
        card(self.whole.get(&Kind::CARD).cloned()).map(Step::Done)
    }

    /// What lists are chosen by.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it contradicts itself.
    pub fn parts(&mut self) -> Result<Step<&Parts>> {
        all_there!(self.resident()?);
        if self.parts.is_none() {
            let get = |kind| self.whole.get(&kind).cloned();
            let sections = Sections {
                coarse: get(Kind::COARSE),
                rotation: get(Kind::ROTATION),
                centroids: get(Kind::CENTROIDS),
                lists: get(Kind::DIRECTORY),
                codebooks: get(Kind::CODEBOOKS),
                ..Sections::default()
            };
            let shape = Shape::from(self.header());
            let parts = match self.layout.entry(Kind::GROUPS) {
                Some(_) => Parts::open_groups(&shape, &sections)?,
                None => Parts::open(&shape, &sections)?,
            };
            self.check_lengths(&parts)?;
            self.summed = self.sum_up(&parts);
            self.parts = Some(parts);
        }
        self.parts.as_ref().map(Step::Done).ok_or_else(|| Error::corrupt("the file has no lists"))
    }

    /// The nearest rows, nearest first, with internal distances: what a whole file answers to the same
    /// request, of which a `rerank` left out is [`RERANK`].
    ///
    /// With `rerank: Some(0)` it is the answer of the codes alone, which takes one turn less. `with_fields` says that
    /// stored fields of the hits will be read: some of what that takes is then named along with the codes.
    ///
    /// # Errors
    /// Those of a whole file; `INVALID_ARGUMENT` for searches that need every row; `CORRUPT_FILE` if what was fed
    /// contradicts itself.
    pub fn search(
        &mut self,
        request: &Request<'_>,
        with_fields: bool,
        scratch: &mut Scratch,
    ) -> Result<Step<Vec<Hit>>> {
        let (query, params) = self.plan(request)?;
        let allow = match request.filter {
            None => None,
            Some(text) => Some(all_there!(self.filter(text)?)),
        };
        let found = self.nearest((query, with_fields), &params, allow.as_ref(), scratch);
        if let (Some(text), Some(rows)) = (request.filter, allow) {
            self.filtered = Some((text.to_owned(), rows));
        }
        Ok(match found? {
            Step::Lacks(ranges) => Step::Lacks(ranges),
            Step::Done(mut hits) => {
                hits.drain(..request.offset.min(hits.len()));
                Step::Done(hits)
            }
        })
    }

    /// What can be asked of parts.
    fn plan<'a>(&self, request: &Request<'a>) -> Result<(&'a [f32], SearchParams)> {
        let refuse = |what: &str| {
            Err(Error::argument(format!(
                "{what} what a file that is there in part hasn't; leave it out, or load the whole file"
            )))
        };
        let mut params = request.params(self.header().metric)?;
        let Query::Dense(query) = request.query else { return refuse("searches for words and sparse vectors read") };
        if params.exact || params.window != Window::ALL {
            return refuse("an exact search and one within a radius read");
        }
        if request.group.is_some() || request.recall.is_some() || request.deleted.is_some() {
            return refuse("groups, recall and deletions need");
        }
        let has_rows = self.layout.entry(Kind::ROWS_I8).is_some() || self.floats().is_some();
        params.rerank = Some(if has_rows { params.rerank.unwrap_or(RERANK) } else { 0 });
        Ok((query, params))
    }

    fn nearest(
        &mut self,
        (query, with_fields): (&[f32], bool),
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Step<Vec<Hit>>> {
        all_there!(self.parts()?);
        // Just seen to be there.
        let Some(parts) = &self.parts else { return Err(Error::corrupt("the file has no lists")) };
        let scratch = &mut scratch.index;
        params.check()?;
        let (own, resolved);
        let (parts, params) = match parts.groups() {
            None => (parts, params),
            Some(groups) => {
                let (chosen, in_groups) = parts.choose_groups(query, params, allow, scratch)?;
                let start = self.section(Kind::GROUPS)?.offset;
                let places: Vec<_> = chosen.iter().map(|&group| moved(groups.place(group as usize), start)).collect();
                all_there!(self.there(places.clone()));
                let members = chosen
                    .iter()
                    .zip(&places)
                    .map(|(&group, place)| groups.read(group as usize, &self.gather(std::slice::from_ref(place))?));
                (own, resolved) = (parts.with_members(&members.collect::<Result<Vec<_>>>()?)?, in_groups);
                (&own, &resolved)
            }
        };
        let gathered = parts.choose(query, params, allow, scratch)?;
        let codes = self.codes_of(parts, &gathered)?;
        let numbers = self.numbers_of(gathered.lists().iter().map(|list| list.range()))?;
        let mut soon = match self.bundles() {
            Some((bundles, start, _)) => {
                gathered.lists().iter().map(|&list| moved(bundles.of(list), start)).collect::<Vec<_>>()
            }
            None => codes.iter().chain(&numbers).cloned().collect(),
        };
        soon.extend(self.soon(with_fields)?);
        if self.layout.entry(Kind::ROWS_I8).is_some() {
            soon.extend(self.within(Kind::ROWS_I8, std::iter::once(self.sq8_places().mean()))?);
        }
        all_there!(self.there(soon));
        let codes = self.gather(&codes)?;
        let numbers = match self.layout.entry(Kind::ORDER) {
            Some(_) => Some(self.gather(&numbers)?),
            None => None,
        };
        let hits = parts.scan(&gathered, (&codes, numbers), params, allow, scratch)?;
        if params.rerank == Some(0) {
            return Ok(Step::Done(hits));
        }
        let rows: Vec<u32> = parts.candidates(scratch).iter().map(|hit| hit.row).collect();
        let mut places = self.places_of_rows(&rows)?;
        // The best of them by their codes will be among the hits, mostly.
        let likely = &rows[..rows.len().min(2 * params.limit)];
        if let Some(keys) = self.key_places()? {
            places.extend(self.within(Kind::KEYS, likely.iter().map(|&row| keys.of(row)))?);
        }
        all_there!(self.there(places));
        let sections = self.sections_of_rows(&rows)?;
        let Some(parts) = &self.parts else { return Err(Error::corrupt("the file has no lists")) };
        parts.compare(query, &sections, params, scratch).map(Step::Done)
    }

    /// Keys and stored fields (JSON objects, `{}` if the file has none or `with_fields` is false) of these rows, in
    /// their order.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row, `CORRUPT_FILE` if what was fed contradicts itself.
    pub fn read(&mut self, rows: &[u32], with_fields: bool) -> Result<Step<Vec<(Key, String)>>> {
        let count = self.header().count;
        if let Some(row) = rows.iter().find(|&&row| row >= count) {
            return Err(Error::argument(format!("there is no row {row}; the file has {count}")));
        }
        all_there!(self.parts()?);
        let with_fields = with_fields && self.layout.entry(Kind::FIELDS).is_some();
        let mut places = self.soon(with_fields)?;
        let keys = self.key_places()?;
        match keys {
            Some(keys) => places.extend(self.within(Kind::KEYS, rows.iter().map(|&row| keys.of(row)))?),
            None if self.layout.entry(Kind::KEYS).is_none() => {
                places.extend(self.numbers_of(rows.iter().map(|&row| row as usize..row as usize + 1))?);
            }
            None => {}
        }
        let directory = if with_fields { self.directory()? } else { None };
        places.extend(directory.clone());
        all_there!(self.there(places));
        if keys.is_none() && self.layout.entry(Kind::KEYS).is_some() || with_fields && directory.is_none() {
            // What says where they are has come just now.
            return self.read(rows, with_fields);
        }
        if let (None, Some(directory)) = (&self.fields, directory) {
            let bytes = self.section(Kind::FIELDS)?.length;
            self.fields = Some(Fields::open_directory(self.gather(&[directory])?, bytes, count)?);
        }
        let mut places = Vec::new();
        for &row in rows {
            places.extend(self.key_text(keys, row)?);
            if let (Some(fields), true) = (&self.fields, with_fields) {
                places.extend(self.within(Kind::FIELDS, std::iter::once(fields.place(row)?))?);
            }
        }
        all_there!(self.there(places));
        let texts = match (&self.fields, with_fields) {
            (Some(fields), true) => {
                let start = self.section(Kind::FIELDS)?.offset;
                fields.read_from(rows, |place| {
                    let place = start + place.start..start + place.end;
                    Ok(Cow::Owned(self.gather(std::slice::from_ref(&place))?.to_vec()))
                })?
            }
            _ => vec!["{}".to_owned(); rows.len()],
        };
        rows.iter()
            .zip(texts)
            .map(|(&row, text)| Ok((self.key(keys, row)?, text)))
            .collect::<Result<_>>()
            .map(Step::Done)
    }

    /// The rows that a filter leaves; it needs the columns whole.
    fn filter(&mut self, text: &str) -> Result<Step<Bitmap>> {
        if let Some((last, rows)) = self.filtered.take()
            && last == text
        {
            return Ok(Step::Done(rows));
        }
        let count = self.header().count as usize;
        if self.columns.is_none() {
            self.columns = Some(match (self.layout.entry(Kind::COLUMNS), self.whole.get(&Kind::COLUMNS)) {
                (None, _) => Columns::empty(count),
                (Some(_), Some(section)) => Columns::open(section.clone(), count)?,
                // A wrong filter should be refused before it is waited for; but only columns know their names.
                (Some(entry), None) => {
                    let mut lacks = self.lacks_resident();
                    lacks.push(entry.offset..entry.offset + entry.length);
                    lacks.sort_by_key(|range| range.start);
                    return Ok(Step::Lacks(lacks));
                }
            });
        }
        let rows = self.columns.as_ref().map(|columns| filter::compile(text, columns)).transpose()?;
        Ok(Step::Done(rows.map_or_else(|| Bitmap::all(count), |filter| filter.evaluate())))
    }

    /// Whether what every search needs is there.
    fn resident(&self) -> Result<Step<()>> {
        let lacks = self.lacks_resident();
        Ok(if lacks.is_empty() { Step::Done(()) } else { Step::Lacks(lacks) })
    }

    /// Whether a section is needed whole before anything can be asked.
    fn is_resident(&self, kind: Kind) -> bool {
        RESIDENT.contains(&kind) && (kind != Kind::DIRECTORY || self.layout.entry(Kind::GROUPS).is_none())
    }

    fn lacks_resident(&self) -> Vec<Range<u64>> {
        if self.parts.is_some() {
            return Vec::new();
        }
        let lacked = self.layout.entries.iter().filter(|entry| self.is_resident(entry.kind));
        let lacked = lacked.filter(|entry| !self.whole.contains_key(&entry.kind) && entry.length > 0);
        lacked.map(|entry| entry.offset..entry.offset + entry.length).collect()
    }

    /// Whether these bytes of the file are there, in any order; else what isn't, with the checksums for it.
    fn there(&self, places: Vec<Range<u64>>) -> Step<()> {
        let places = places.into_iter().filter(|place| place.start < place.end);
        let (in_units, in_blocks): (Vec<_>, Vec<_>) =
            places.partition(|place| self.summed.as_ref().is_some_and(|summed| summed.has_place(place)));
        let mut lacks = self.pages.lacks(in_blocks.into_iter());
        if let (false, false, Some(checks)) =
            (lacks.is_empty(), self.pages.has_checks(), self.layout.entry(Kind::CHECKS))
        {
            lacks.push(checks.offset..checks.offset + checks.length);
        }
        if let Some(summed) = &self.summed {
            lacks.extend(summed.lacks(in_units.into_iter()));
            lacks.sort_unstable_by_key(|range| range.start);
            // Blocks may have a part of what is checked alone.
            lacks.dedup_by(|next, last| {
                let joins = next.start <= last.end;
                if joins {
                    last.end = last.end.max(next.end);
                }
                joins
            });
        }
        if lacks.is_empty() { Step::Done(()) } else { Step::Lacks(lacks) }
    }

    /// What will be needed whatever is found: what says how keys and stored fields lie.
    fn soon(&self, with_fields: bool) -> Result<Vec<Range<u64>>> {
        let mut places = Vec::new();
        if self.layout.entry(Kind::KEYS).is_some() {
            places.extend(self.within(Kind::KEYS, std::iter::once(KeyPlaces::HEAD))?);
        }
        if let (Some(entry), true) = (self.layout.entry(Kind::FIELDS), with_fields) {
            places.push(entry.offset..entry.offset + entry.length.min(DIRECTORY_BYTES));
        }
        Ok(places)
    }

    /// Where lists lie together, if they do: in the section that begins there; and those of them that are known.
    fn bundles(&self) -> Option<(Bundles, u64, &Lists)> {
        let (entry, parts) = (self.layout.entry(Kind::BUNDLES)?, self.parts.as_ref()?);
        let has = |kind| self.layout.entry(kind).is_some();
        let lists = self.summed.as_ref().map_or_else(|| parts.lists(), Summed::lists);
        Some((Bundles::new(self.header(), parts.block_bytes(), has), entry.offset, lists))
    }

    /// What lists and rows with checksums of their own are kept in; lengths were checked.
    fn sum_up(&self, parts: &Parts) -> Option<Summed> {
        let (coarse, entry) = (self.whole.get(&Kind::COARSE)?, self.layout.entry(Kind::BUNDLES)?);
        let has = |kind| self.layout.entry(kind).is_some();
        let dimension = self.header().dimension as usize;
        let places = coarse::Places::new(dimension, parts.lists().count());
        let known = match (parts.groups(), self.layout.entry(Kind::GROUPS)) {
            (Some(groups), Some(entry)) => {
                Known::Groups(SummedGroups::new(groups.clone(), entry.offset, &coarse[places.sums()]))
            }
            _ => Known::Lists(parts.lists().clone(), &coarse[places.sums()]),
        };
        let bundles = Bundles::new(self.header(), parts.block_bytes(), has);
        let rows = bundles::row_kinds(has).filter_map(|kind| {
            let (start, bytes) = bundles::row_place(kind, dimension, &self.sq8_places());
            Some(RowRun { start: self.layout.entry(kind)?.offset + start, bytes })
        });
        let mean = self
            .layout
            .entry(Kind::ROWS_I8)
            .map_or((0, Box::default()), |entry| (entry.offset, coarse[places.mean_i8()].into()));
        let size = (parts.blocks(), self.header().count as usize);
        Some(Summed::new((bundles, entry.offset), size, known, rows.collect(), mean))
    }

    /// Copies bytes of the file.
    fn copy(&self, place: Range<u64>, out: &mut [u8]) -> Result<()> {
        match self.summed.as_ref().filter(|summed| summed.has_place(&place)) {
            Some(summed) => summed.copy(place, out),
            None => self.pages.copy(place, out),
        }
    }

    /// [`Self::copy`] of several places, one behind the other.
    fn gather(&self, places: &[Range<u64>]) -> Result<Blob> {
        let total = places.iter().map(|place| place.end - place.start).sum::<u64>();
        let mut buffer = AlignedBuffer::zeroed(usize::try_from(total).unwrap_or(usize::MAX))?;
        let mut rest = buffer.as_mut_slice();
        for place in places {
            let (now, later) = rest.split_at_mut((place.end - place.start) as usize);
            self.copy(place.clone(), now)?;
            rest = later;
        }
        Ok(buffer.into())
    }

    fn codes_of(&self, parts: &Parts, gathered: &Gathered) -> Result<Vec<Range<u64>>> {
        if let Some((bundles, start, _)) = self.bundles() {
            return Ok(gathered.lists().iter().map(|&list| moved(bundles.codes(list), start)).collect());
        }
        let size = parts.block_bytes() as u64;
        let places = gathered.lists().iter().map(|list| {
            let (first, blocks) = (list.first_block as u64, list.blocks() as u64);
            first * size..(first + blocks) * size
        });
        self.within(Kind::CODES, places)
    }

    /// Where it says by which numbers rows were given; nowhere if they are their own.
    fn numbers_of(&self, rows: impl Iterator<Item = Range<usize>>) -> Result<Vec<Range<u64>>> {
        if self.layout.entry(Kind::ORDER).is_none() {
            return Ok(Vec::new());
        }
        let bundles = self.bundles();
        let mut places = Vec::new();
        for rows in rows {
            match bundles.and_then(|(bundles, start, lists)| Some((bundles, start, lists.find(rows.start)?))) {
                Some((bundles, start, list)) => places.push(moved(bundles.numbers(list, rows), start)),
                None => places
                    .extend(self.within(Kind::ORDER, std::iter::once(4 * rows.start as u64..4 * rows.end as u64))?),
            }
        }
        Ok(places)
    }

    fn sq8_places(&self) -> sq8::Places {
        let Header { count, dimension, metric, .. } = *self.header();
        sq8::Places::new(count as usize, dimension as usize, metric)
    }

    /// What rows of floats there are.
    fn floats(&self) -> Option<Precision> {
        Precision::FLOATS.iter().copied().find(|&precision| self.layout.entry(float_rows::kind(precision)).is_some())
    }

    /// Where these rows' floats lie.
    fn floats_of(&self, precision: Precision, rows: &[u32]) -> Result<Vec<Range<u64>>> {
        let size = precision.size() as u64 * u64::from(self.header().dimension);
        self.within(
            float_rows::kind(precision),
            rows.iter().map(|&row| u64::from(row) * size..(u64::from(row) + 1) * size),
        )
    }

    /// Where scale, square and codes of a row lie in the file, whose 8-bit rows begin there. Lengths were checked.
    fn sq8_of(&self, start: u64, row: u32) -> [Range<u64>; 3] {
        let [scale, square, codes] = self.sq8_places().of(row).map(|place| moved(place, start));
        match self.bundles() {
            None => [scale, square, codes],
            Some((bundles, start, lists)) => {
                let [scale, square] = bundles.factors(lists.get(lists.of(row as usize)), row);
                [moved(scale, start), moved(square, start), codes]
            }
        }
    }

    /// What comparing these rows exactly reads.
    fn places_of_rows(&self, rows: &[u32]) -> Result<Vec<Range<u64>>> {
        let mut places = Vec::with_capacity(4 * rows.len());
        if self.layout.entry(Kind::ROWS_I8).is_some() {
            let start = self.section(Kind::ROWS_I8)?.offset;
            places.extend(rows.iter().flat_map(|&row| self.sq8_of(start, row)));
        }
        if let Some(precision) = self.floats() {
            places.extend(self.floats_of(precision, rows)?);
        }
        Ok(places)
    }

    /// Sections of these rows alone.
    fn sections_of_rows(&self, rows: &[u32]) -> Result<Sections<Blob>> {
        let rows_i8 = match self.layout.entry(Kind::ROWS_I8) {
            None => None,
            Some(entry) => {
                let (sq8, start) = (self.sq8_places(), entry.offset);
                let places = (moved(sq8.mean(), start), |row| self.sq8_of(start, row));
                let copy = |place: Range<u64>, out: &mut [u8]| self.copy(place, out);
                Some(Blob::copy_of(&sq8.some(rows, self.header().metric, places, copy)?)?)
            }
        };
        let numbers = self.numbers_of(rows.iter().map(|&row| row as usize..row as usize + 1))?;
        let order = match numbers.is_empty() {
            true => Blob::copy_of(crate::words::bytes::as_bytes(rows))?,
            false => self.gather(&numbers)?,
        };
        let mut sections = Sections { rows_i8, order: Some(order), ..Sections::default() };
        if let Some(precision) = self.floats() {
            *sections.floats_mut(precision) = Some(self.gather(&self.floats_of(precision, rows)?)?);
        }
        Ok(sections)
    }

    /// How keys lie; `None` if the file has none, or it isn't there yet.
    fn key_places(&self) -> Result<Option<KeyPlaces>> {
        let Some(entry) = self.layout.entry(Kind::KEYS) else { return Ok(None) };
        let head = self.within(Kind::KEYS, std::iter::once(KeyPlaces::HEAD))?;
        match self.gather(&head) {
            Err(_) => Ok(None),
            Ok(head) => KeyPlaces::open(&head, entry.length, self.header().count).map(Some),
        }
    }

    /// Where the text of a row's key is.
    fn key_text(&self, keys: Option<KeyPlaces>, row: u32) -> Result<Option<Range<u64>>> {
        let Some(keys) = keys else { return Ok(None) };
        let place = self.gather(&self.within(Kind::KEYS, std::iter::once(keys.of(row)))?)?;
        let Some(text) = keys.text(&place, row)? else { return Ok(None) };
        Ok(self.within(Kind::KEYS, std::iter::once(text))?.pop())
    }

    fn key(&self, keys: Option<KeyPlaces>, row: u32) -> Result<Key> {
        let Some(keys) = keys else {
            let numbers = self.numbers_of(std::iter::once(row as usize..row as usize + 1))?;
            let given = self.gather(&numbers)?;
            return Ok(Key::Int64(given.as_numbers::<u32>()?.first().map_or(row, |&number| number).into()));
        };
        let place = match self.key_text(Some(keys), row)? {
            Some(text) => vec![text],
            None => self.within(Kind::KEYS, std::iter::once(keys.of(row)))?,
        };
        keys.key(self.gather(&place)?.to_vec(), row)
    }

    /// Where the directory of stored fields is; `None` if it isn't known yet how long it is.
    fn directory(&self) -> Result<Option<Range<u64>>> {
        let entry = self.section(Kind::FIELDS)?;
        let head = self.within(Kind::FIELDS, std::iter::once(0..4))?;
        let Ok(head) = self.gather(&head) else { return Ok(None) };
        let bytes = Fields::directory_bytes(&head);
        Ok(self.within(Kind::FIELDS, std::iter::once(0..bytes.min(entry.length)))?.pop())
    }

    /// Where these places of a section are in the file.
    fn within(&self, kind: Kind, places: impl Iterator<Item = Range<u64>>) -> Result<Vec<Range<u64>>> {
        let entry = self.section(kind)?;
        places
            .map(|place| match place.end <= entry.length {
                true => Ok(entry.offset + place.start..entry.offset + place.end),
                false => Err(Error::corrupt(format!(
                    "{kind} should have bytes {} to {}, but has {}; the file was written wrongly",
                    place.start, place.end, entry.length
                ))),
            })
            .collect()
    }

    fn section(&self, kind: Kind) -> Result<&Entry> {
        self.layout.entry(kind).ok_or_else(|| Error::corrupt(format!("the file has no section {kind}")))
    }

    /// Refuses sections whose lengths don't fit the lists: what a whole file is refused for when it is opened.
    fn check_lengths(&self, parts: &Parts) -> Result<()> {
        let Header { count, dimension, .. } = *self.header();
        let length = |kind| self.layout.entry(kind).map(|entry| entry.length);
        let expect = |kind: Kind, needed: bool, expected: u64| match length(kind) {
            None if !needed => Ok(()),
            Some(found) if found == expected => Ok(()),
            found => Err(Error::corrupt(format!(
                "{kind} of {count} rows should have {expected} bytes, but has {}; the file is damaged",
                found.unwrap_or(0)
            ))),
        };
        expect(Kind::CODES, true, parts.blocks() as u64 * parts.block_bytes() as u64)?;
        expect(Kind::GROUPS, false, parts.groups().map_or(0, Groups::bytes))?;
        expect(Kind::ORDER, self.header().index_type.has_lists(), 4 * u64::from(count))?;
        let bundles = Bundles::new(self.header(), parts.block_bytes(), |kind| length(kind).is_some());
        expect(Kind::BUNDLES, length(Kind::COARSE).is_some(), bundles.bytes(parts.blocks(), count as usize))?;
        expect(Kind::ROWS_I8, false, self.sq8_places().bytes(count))?;
        for &precision in Precision::FLOATS {
            let bytes = precision.size() as u64 * u64::from(count) * u64::from(dimension);
            expect(float_rows::kind(precision), false, bytes)?;
        }
        Ok(())
    }
}

/// A place in a section that begins there, in the file.
fn moved(place: Range<u64>, start: u64) -> Range<u64> {
    start + place.start..start + place.end
}

/// Why a file can't be read in parts.
fn why_not(layout: &Layout) -> Option<String> {
    let index_type = layout.header.index_type;
    if !matches!(index_type, IndexType::ScanRabitq | IndexType::IvfRabitq | IndexType::IvfPq) {
        return Some(format!("it is a {index_type} index"));
    }
    if layout.entry(Kind::EXTENDED).is_some() {
        return Some("its codes have more bits than the scan reads".to_owned());
    }
    if layout.entry(Kind::CHECKS).is_none() {
        return Some("it has no checksums of blocks, so parts of it can't be trusted".to_owned());
    }
    None
}
