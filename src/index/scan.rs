//! The scan over 1-bit codes, and the exact comparison of the best.
//!
//! A search goes once over the blocks and computes a lower bound of each row's distance. Rows whose
//! bound beats the best *k* exact distances known so far become candidates; from time to time the
//! nearest of them are compared exactly, which lowers the mark for the rest of the scan. Whatever is
//! left at the end is compared in the order of its bounds until the next bound is no better than the
//! k-th distance: so many rows are compared as the error bound asks for, few when distances are far
//! apart and more when they are close. With 1.9 standard deviations that is 92 rows on average for
//! the 10 nearest of 117,791 sentence embeddings in 384 dimensions and 770 for the 100 nearest; of
//! their projections on 128 dimensions it is 690, on 16 it is 12,000. At least 0.995 of the nearest
//! are found in each case, where a fixed number would have to know the data: 200 rows do for the
//! first and find few of the last.
//!
//! Codes may have more bits, which the scan doesn't read: see [`extended`]. Then candidates are first
//! estimated by all bits, and what is compared exactly are those that the smaller error bound leaves. A
//! file without rows ends with those estimates.
//!
//! Codes lie in one list ([`IndexType::ScanRabitq`]) or in many ([`IndexType::IvfRabitq`]), of which a
//! search then scans the `nprobe` nearest: the codes of each are of what its rows have past their own
//! centroid, and all lists share one rotation and one set of tables. See [`rabitq`] for what that
//! takes, and [`super::lists`] for how rows lie.
//!
//! In place of signs the codes can be numbers of centroids ([`IndexType::IvfPq`]): [`pq`] says how that
//! fits the same scan and the same bounds.

use super::Scratch;
use super::coarse;
use super::fine::{Codes, Fine, FineScratch};
use super::groups::{self, Groups, Members};
use super::lists::{self, Lists};
use super::params::{BuildParams, Progress, SearchParams};
use super::partition::{self, Partition};
use super::passes::{By, ByBound, Goal, Pass, Probe};
use super::query;
use super::rows::{self, Rows};
use super::sections::{Built, Sections, Shape, required};
use crate::distance::{BLOCK_ROWS, Found, kernels};
use crate::quantize::rotation::{self, Rotation};
use crate::quantize::{extended, map_chunks, map_range, pq, rabitq};
use crate::words::bytes::as_bytes;
use crate::words::{AlignedBuffer, Bitmap, Blob, Error, Hit, IndexType, MatrixView, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks scanned at a time, all with the same threshold.
const BLOCKS_AT_ONCE: usize = 32;

/// So few rows are compared exactly at once: faster than scanning their blocks.
const FEW: usize = 256;

/// Rows scanned in the time in which one is compared, about: allowed rows that are fewer than what
/// would be scanned by so much are all compared, wherever they lie.
const SCANNED_PER_COMPARED: usize = 32;

/// A `SCAN_RABITQ`, `IVF_RABITQ` or `IVF_PQ` index.
#[derive(Debug, Clone)]
pub struct Scan {
    rotation: Rotation,
    /// The mean, and of several lists their shifts.
    centroids: Blob,
    lists: Lists,
    /// Where lists are in groups: these, and their shifts, as the centroids of lists are kept.
    groups: Option<Box<(Groups, Blob)>>,
    /// Of codes that are numbers of centroids.
    books: Option<pq::Books>,
    codes: Blob,
    extended: Option<Codes>,
    rows: Rows,
}

/// Memory of a scan.
#[derive(Debug, Clone)]
pub struct ScanScratch {
    query: rabitq::Query,
    fine: FineScratch,
    near: Vec<Hit>,
    probes: Vec<Probe>,
    candidates: Vec<Hit>,
    bounds: Vec<[f32; BLOCK_ROWS]>,
    hits: Vec<u32>,
}

impl Default for ScanScratch {
    fn default() -> Self {
        ScanScratch {
            query: rabitq::Query::default(),
            fine: FineScratch::default(),
            near: Vec::new(),
            probes: Vec::new(),
            candidates: Vec::new(),
            bounds: vec![[0.0; BLOCK_ROWS]; BLOCKS_AT_ONCE],
            hits: vec![0; BLOCKS_AT_ONCE],
        }
    }
}

impl ScanScratch {
    pub(super) fn probes(&mut self) -> &mut [Probe] {
        &mut self.probes
    }

    pub(super) fn candidates(&self) -> &[Hit] {
        &self.candidates
    }

    pub(super) fn candidates_mut(&mut self) -> &mut [Hit] {
        &mut self.candidates
    }
}

impl Scan {
    /// The sections of an index of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used, `INVALID_ARGUMENT` if `nlist`, `bits`, `m` or `nbits` is out of
    /// range.
    pub fn build<'a>(
        index_type: IndexType,
        rows: MatrixView<'a>,
        params: &BuildParams,
        progress: Progress<'_>,
    ) -> Result<Built<'a>> {
        rows::check_floats(&params.precisions)?;
        if !(1..=extended::MAX_BITS).contains(&params.bits) {
            return Err(Error::argument(format!("bits is {}; it must be 1 to {}", params.bits, extended::MAX_BITS)));
        }
        let parts = match index_type {
            IndexType::IvfPq => Some(pq::parts(params.m, params.nbits, rows.dimension())?),
            _ => None,
        };
        let stored = query::stored_form(rows, params.metric)?;
        let (matrix, dimension) = (MatrixView::new(&stored, rows.dimension())?, rows.dimension());
        let parting = if index_type.has_lists() { partition::steps(rows.rows(), params) } else { 0 };
        let has_levels = params.bits > 1 && parts.is_none();
        let passes = 1 + usize::from(has_levels) + params.precisions.len();
        let training = parts.map_or(0, |parts| pq::training_steps(rows.rows(), parts));
        let (steps, finished) = (parting + training + rows.rows() * passes, AtomicUsize::new(0));
        let done = |n| progress(finished.fetch_add(n, Ordering::Relaxed) + n, steps);

        let signs = rotation::draw_signs(dimension, params.seed);
        let rotation = Rotation::new(&signs, dimension)?;
        let mean = rabitq::centroid(matrix);
        let partition = match index_type.has_lists() {
            true => Some(Partition::of(matrix, params, &done)?),
            false => None,
        };
        let centroids = partition.as_ref().map_or(&[][..], |partition| &partition.centroids);
        let mut shifts: Vec<rabitq::Shift> =
            centroids.chunks_exact(dimension).map(|c| rabitq::Shift::new(&mean, c, &rotation)).collect();
        // Only lists whose codes the scan reads whole are searched in parts.
        let is_coarse =
            params.in_parts && partition.is_some() && !has_levels && parts.is_none_or(|_| params.nbits == 4);
        let (mut coarse, mut in_groups, mut rounded) = (None, None, Vec::new());
        if let Some(partition) = partition.as_ref().filter(|_| is_coarse) {
            let of_lists = coarse::round(shifts, &mean, &rotation);
            if partition.groups.is_empty() {
                coarse = Some(of_lists.section(&mean));
            } else {
                let means = partition.means_of_groups(&of_lists.centroids, rotation.padded());
                let means = means.chunks_exact(rotation.padded()).map(|c| &c[..dimension]);
                let of_groups = means.map(|c| rabitq::Shift::new(&mean, c, &rotation)).collect();
                let of_groups = coarse::round(of_groups, &mean, &rotation);
                let [root, section] = groups::write(&mean, &partition.groups, &of_groups, &of_lists, &partition.sizes);
                (coarse, in_groups) = (Some(root), Some(section));
            }
            (shifts, rounded) = (of_lists.shifts, of_lists.centroids);
        }
        let (centroids, width) = if is_coarse { (&rounded[..], rotation.padded()) } else { (centroids, dimension) };
        let order = partition.as_ref().map(|partition| &partition.order[..]);
        let directory = lists::write_directory(partition.as_ref().map_or(&[rows.rows()], |p| &p.sizes));
        let lists = Lists::open(&directory, rows.rows())?;

        // Which rows lie in which block: of the first of each block, its list and its number.
        let blocks: Vec<(usize, usize)> = (lists.iter().enumerate())
            .flat_map(|(i, list)| list.range().step_by(BLOCK_ROWS).map(move |first| (i, first)))
            .collect();
        let encoder = |list: usize| rabitq::Encoder {
            rotation: &rotation,
            centroid: centroids.get(list * width..(list + 1) * width).unwrap_or(&mean),
            shift: shifts.get(list),
            metric: params.metric,
        };
        let row = |at: usize| matrix.row(order.map_or(at, |order| order[at] as usize));
        let coder = match parts {
            None => None,
            Some(parts) => {
                let some: Vec<usize> = pq::trained_with(rows.rows()).collect();
                let residuals = map_range(some.len(), |i| encoder(lists.of(some[i]) as usize).rotated(row(some[i])));
                Some(pq::Coder::train(residuals.concat(), rotation.padded(), parts, params.nbits, &done)?)
            }
        };
        let block_bytes = coder.as_ref().map_or(rabitq::block_bytes(dimension), |coder| coder.books().block_bytes());
        let mut codes = vec![0; blocks.len() * block_bytes];
        let lower = map_chunks(&mut codes, block_bytes, |block, bytes| {
            let (list, first) = blocks[block];
            let last = (first + BLOCK_ROWS).min(lists.get(list as u32).range().end);
            let (encoder, some) = (encoder(list), (first..last).map(row));
            let lower = match &coder {
                Some(coder) => coder.encode(&encoder, some, bytes),
                None => {
                    encoder.encode(some, bytes);
                    Vec::new()
                }
            };
            done(last - first);
            lower
        });
        let extended = has_levels.then(|| {
            let mut section = extended::empty_section(rows.rows(), dimension, params.bits);
            let row_bytes = extended::row_bytes(dimension, params.bits);
            map_chunks(extended::rows_mut(&mut section), BLOCK_ROWS * row_bytes, |some, bytes| {
                let first = some * BLOCK_ROWS;
                let mut list = lists.of(first);
                for (at, bytes) in (first..).zip(bytes.chunks_exact_mut(row_bytes)) {
                    if !lists.get(list).range().contains(&at) {
                        list = lists.of(at);
                    }
                    extended::encode(&encoder(list as usize), row(at), params.bits, bytes);
                }
                done(bytes.len() / row_bytes);
            });
            section
        });
        let rotated = shifts.iter().flat_map(|shift| &shift.rotated);
        let products = shifts.iter().map(|shift| &shift.product);
        let centroids: Vec<f32> = mean.iter().chain(rotated).chain(products).copied().collect();
        let mut sections = Sections {
            centroids: coarse.is_none().then(|| as_bytes(&centroids).to_vec().into()),
            coarse: coarse.map(Into::into),
            groups: in_groups.map(Into::into),
            rotation: Some(signs.into()),
            lists: Some(directory.into()),
            codes: Some(codes.into()),
            extended: extended
                .or(coder.as_ref().filter(|coder| coder.has_lower()).map(|_| lower.concat()))
                .map(Into::into),
            codebooks: coder.map(|coder| coder.section().to_vec().into()),
            order: order.map(|order| as_bytes(order).to_vec().into()),
            ..Sections::default()
        };
        rows::build(stored, dimension, partition.as_ref().map(|p| &p.order[..]), params, &mut sections, &done)?;
        Ok(sections)
    }

    /// The index of these sections. Reads no codes and no rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let mut scan = Self::open_lists(shape, sections, Rows::open(shape, sections)?)?;
        let codes = required(&sections.codes, "codes", shape.index_type)?;
        let expected = scan.lists.blocks().checked_mul(scan.block_bytes());
        if expected != Some(codes.len()) {
            return Err(Error::corrupt(format!(
                "the codes of {} rows of {} dimensions in {} lists don't fit a section of {} bytes; the file is damaged",
                shape.count,
                shape.dimension,
                scan.lists.count(),
                codes.len()
            )));
        }
        let extended = sections.extended.as_ref();
        scan.extended = match &scan.books {
            Some(books) => pq::Codes::open(extended, shape.count, books)?.map(Codes::Parts),
            None => {
                let open = |section| extended::Codes::open(section, shape.count, shape.dimension);
                extended.map(open).transpose()?.map(Codes::Levels)
            }
        };
        scan.codes = codes.clone();
        Ok(scan)
    }

    /// What an index chooses lists by: all but its codes.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub(super) fn open_lists(shape: &Shape, sections: &Sections<Blob>, rows: Rows) -> Result<Self> {
        let need = |section, what| required(section, what, shape.index_type);
        let rotation = Rotation::new(need(&sections.rotation, "a rotation")?, shape.dimension)?;
        let lists = Lists::open(need(&sections.lists, "a list directory")?, shape.count)?;
        if !shape.index_type.has_lists() && lists.count() != 1 {
            return Err(Error::corrupt(format!(
                "a {} index has one list, but the file has {}; it is damaged",
                shape.index_type,
                lists.count()
            )));
        }
        let mut groups = None;
        let centroids = match (&sections.coarse, &sections.centroids) {
            (None, _) if sections.groups.is_some() => {
                return Err(Error::corrupt(
                    "the file has groups of lists and nothing that says which; it was written wrongly",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Error::corrupt(
                    "the file has centroids twice, in 8 bits and in 32; it was written wrongly",
                ));
            }
            (Some(coarse), None) if shape.index_type.has_lists() => match &sections.groups {
                None => coarse::centroids(coarse, shape.dimension, lists.count())?,
                Some(section) => {
                    let own = Groups::open(coarse, shape.dimension, shape.count)?;
                    let centroids = own.centroids(&coarse[..4 * shape.dimension], section, &lists)?;
                    let shifts = coarse::centroids_of(coarse, shape.dimension, own.count())?;
                    groups = Some(Box::new((own, shifts)));
                    centroids
                }
            },
            _ => need(&sections.centroids, "centroids")?.clone(),
        };
        let shifts =
            if shape.index_type.has_lists() { lists.count().checked_mul(rotation.padded() + 1) } else { Some(0) };
        let expected = shifts.and_then(|floats| floats.checked_add(shape.dimension));
        if expected != Some(centroids.as_numbers::<f32>()?.len()) {
            return Err(Error::corrupt(format!(
                "the centroids of {} lists of {} dimensions don't fit a section of {} bytes; the file is damaged",
                lists.count(),
                shape.dimension,
                centroids.len()
            )));
        }
        let books = match shape.index_type {
            IndexType::IvfPq => Some(pq::Books::open(need(&sections.codebooks, "codebooks")?, shape.dimension)?),
            _ => None,
        };
        let codes = AlignedBuffer::zeroed(0)?.into();
        Ok(Scan { rotation, centroids, lists, groups, books, codes, extended: None, rows })
    }

    /// What groups are chosen by, where lists are in some: a scan over the groups as if they were lists.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub(super) fn open_groups(shape: &Shape, sections: &Sections<Blob>, rows: Rows) -> Result<(Self, Groups)> {
        let need = |section, what| required(section, what, shape.index_type);
        let root = need(&sections.coarse, "centroids")?;
        let rotation = Rotation::new(need(&sections.rotation, "a rotation")?, shape.dimension)?;
        let groups = Groups::open(root, shape.dimension, shape.count)?;
        let centroids = coarse::centroids_of(root, shape.dimension, groups.count())?;
        let books = match shape.index_type {
            IndexType::IvfPq => Some(pq::Books::open(need(&sections.codebooks, "codebooks")?, shape.dimension)?),
            _ => None,
        };
        let codes = AlignedBuffer::zeroed(0)?.into();
        let scan =
            Scan { rotation, centroids, lists: groups.as_lists(), groups: None, books, codes, extended: None, rows };
        Ok((scan, groups))
    }

    /// The same with the lists of some groups in place of the groups.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a number isn't finite; `OUT_OF_MEMORY`.
    pub(super) fn with_members(&self, members: &[Members]) -> Result<Self> {
        let (mean, _) = self.centroids();
        let scan = Scan {
            centroids: groups::centroids(as_bytes(mean), members)?,
            lists: Lists::of_some(members.iter().flat_map(|members| members.lists.iter().copied())),
            ..self.clone()
        };
        scan.verify_lists()?;
        Ok(scan)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        self.verify_lists()?;
        let in_use = self.lists.iter().flat_map(|list| {
            list.range().step_by(BLOCK_ROWS).map(move |first| (list.range().end - first).min(BLOCK_ROWS))
        });
        for (i, (block, rows)) in self.codes.chunks_exact(self.block_bytes()).zip(in_use).enumerate() {
            if let Some(fault) = rabitq::find_fault(block, rows) {
                return Err(Error::corrupt(format!("codes, block {i}: {fault}; the file is damaged")));
            }
        }
        self.extended.as_ref().map_or(Ok(()), Codes::verify)?;
        if let Some(order) = self.rows.order() {
            lists::verify_order(order, &self.lists)?;
        }
        self.rows.verify()
    }

    /// Checks every number that lists are chosen by.
    pub(super) fn verify_lists(&self) -> Result<()> {
        let (mean, shifts) = self.centroids();
        let of_groups = self.groups.as_deref().and_then(|(_, shifts)| shifts.as_numbers().ok()).unwrap_or_default();
        if mean.iter().chain(shifts).chain(of_groups).any(|x| !x.is_finite()) {
            return Err(Error::corrupt("a centroid isn't finite; the file is damaged"));
        }
        self.books.as_ref().map_or(Ok(()), pq::Books::verify)
    }

    /// The rows that candidates are compared with; a file may have none.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The lists.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Leaves in `top` of each scratch the nearest allowed rows to its query: see
    /// [`Index::search_batch`](super::Index::search_batch). What each gets doesn't depend on the
    /// others.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, asked: &mut [Scratch]) -> Result<()> {
        let count = self.rows.shape().count;
        let allowed = allow.map_or(count, Bitmap::count);
        let rows = (!self.rows.is_absent()).then_some(&self.rows);
        if let Some(rows) = rows
            && params.rerank.is_none()
        {
            let scanned = (count / self.lists.count()).saturating_mul(self.lists.nprobe(params));
            if allowed <= FEW.max(scanned / SCANNED_PER_COMPARED) {
                return rows.search(allow, asked);
            }
        }
        asked.iter_mut().for_each(|scratch| self.choose(params, allow, scratch));
        self.look(&self.codes, &self.rows, params, allow, asked);
        Ok(())
    }

    /// Scans the lists that were chosen, which lie in `codes` where the probes say, and compares the best with
    /// these rows.
    pub(super) fn look(
        &self,
        all_codes: &[u8],
        all_rows: &Rows,
        params: &SearchParams,
        allow: Option<&Bitmap>,
        asked: &mut [Scratch],
    ) {
        let rows = (!all_rows.is_absent()).then_some(all_rows);
        let best = match (params.rerank, rows) {
            (None, Some(_)) => None,
            (Some(count), Some(_)) if count > 0 => Some(count.max(params.limit)),
            _ => Some(params.limit),
        };
        let mut passes: Vec<Pass<'_>> = Vec::with_capacity(asked.len());
        for Scratch { query, top, scan, .. } in &mut *asked {
            let ScanScratch { query: tables, fine, probes, candidates, bounds, hits, .. } = scan;
            let extended = self.extended.as_ref();
            let fine = extended.map(|codes| Fine::new(codes, all_codes, self.block_bytes(), tables, probes, fine));
            let (by, top) = match (best, fine) {
                (None, None) => (Some(By::Rows(query)), top),
                (None, Some((fine, _))) => (Some(By::Both(fine, query)), top),
                (Some(count), Some((fine, nearest))) => {
                    nearest.reset(count);
                    (Some(By::Codes(fine)), nearest)
                }
                (Some(_), None) => (None, top),
            };
            let limit = best.unwrap_or(params.limit);
            let (goal, epsilon) = match by {
                Some(by) => {
                    let epsilon = params.epsilon.unwrap_or(rabitq::EPSILON);
                    // What bounds are computed from, at most.
                    let added = probes.iter().fold(0.0, |most: f32, probe| most.max(probe.place.added.abs()));
                    (Goal::Bound(ByBound::new(all_rows, by, top, epsilon, added, limit)), epsilon)
                }
                None => (Goal::Best(limit), 0.0),
            };
            let tables = tables.tables(epsilon);
            passes.push(Pass::new(tables, epsilon, probes, candidates, bounds, hits, goal));
        }
        if self.lists.count() == 1 {
            self.scan(all_codes, 0, allow, &mut passes);
        } else {
            // Each query looks into lists of its own.
            for pass in &mut passes {
                (0..pass.probes.len()).for_each(|nth| self.scan(all_codes, nth, allow, std::slice::from_mut(pass)));
            }
        }
        passes.into_iter().for_each(Pass::finish);
        if best.is_some() {
            for Scratch { query, top, scan, .. } in asked {
                if self.extended.is_some() {
                    scan.fine.best.drain_sorted(&mut scan.candidates);
                }
                match rows {
                    Some(rows) if params.rerank != Some(0) => rows.rerank(query, &scan.candidates, top),
                    _ => scan.candidates.iter().for_each(|&candidate| all_rows.offer(top, candidate)),
                }
            }
        }
    }

    /// Leaves in `scan.near` the nearest groups: see [`Groups::choose`]. For a scan over groups.
    pub(super) fn choose_groups(
        &self,
        groups: &Groups,
        params: &SearchParams,
        allow: Option<&Bitmap>,
        asked: &mut Scratch,
    ) -> Vec<u32> {
        let Scratch { query: asked, scan, .. } = asked;
        let (mean, shifts) = self.centroids();
        scan.query.prepare(asked.floats(), mean, &self.rotation, self.books.as_ref(), self.rows.shape().metric);
        let nprobe = lists::nprobe(params, groups.lists());
        nearest_groups(groups, &scan.query, shifts, &mut scan.near, (nprobe, params.limit), allow)
    }

    /// Leaves the lists to be scanned in `scan.probes`, nearest first.
    pub(super) fn choose(&self, params: &SearchParams, allow: Option<&Bitmap>, asked: &mut Scratch) {
        let Scratch { query: asked, scan, .. } = asked;
        let (mean, _) = self.centroids();
        scan.query.prepare(asked.floats(), mean, &self.rotation, self.books.as_ref(), self.rows.shape().metric);
        scan.candidates.clear();
        let ScanScratch { query, near, probes, .. } = scan;
        probes.clear();
        let (_, shifts) = self.centroids();
        if shifts.is_empty() {
            return probes.push(Probe { list: self.lists.get(0), place: query.place() });
        }
        let d = self.rotation.padded();
        let (rotated, products) = shifts.split_at(self.lists.count() * d);
        let shift = |list: u32| (&rotated[list as usize * d..][..d], products[list as usize]);
        let nprobe = self.lists.nprobe(params);
        let lists: Vec<u32> = match self.groups.as_deref() {
            None => (0..self.lists.count() as u32).collect(),
            Some((groups, shifts)) => {
                let shifts: &[f32] = shifts.as_numbers().unwrap_or_default();
                let chosen = nearest_groups(groups, query, &shifts[mean.len()..], near, (nprobe, params.limit), allow);
                chosen.into_iter().flat_map(|group| groups.lists_of(group as usize)).map(|list| list as u32).collect()
            }
        };
        measure(query, shifts, self.lists.count(), &lists, near);
        self.lists.choose(near, nprobe, params.limit, allow);
        probes.extend(near.iter().map(|near| {
            let (rotated, product) = shift(near.row);
            Probe { list: self.lists.get(near.row), place: query.place_in(rotated, product) }
        }));
    }

    /// Scans the `nth` list of each pass, which is the same of all: collects the allowed rows whose
    /// bound is below the pass's threshold, which its goal may lower as candidates come in.
    fn scan(&self, codes: &[u8], nth: usize, allow: Option<&Bitmap>, passes: &mut [Pass<'_>]) {
        let Some(Probe { list, .. }) = passes.first().and_then(|pass| pass.probes.get(nth)).copied() else { return };
        passes.iter_mut().for_each(|pass| pass.turn_to(nth));
        let size = self.block_bytes();
        let blocks = list.blocks();
        let allowed = |block: usize| {
            let rows = list.rows - block * BLOCK_ROWS;
            let used = if rows < BLOCK_ROWS { (1 << rows) - 1 } else { u32::MAX };
            allow.map_or(u32::MAX, |allow| allow.mask32(list.first_row + block * BLOCK_ROWS)) & used
        };
        let is_empty = |block: usize| allow.is_some() && allowed(block) == 0;
        let mut first = 0;
        while first < blocks {
            if is_empty(first) {
                first += 1;
                continue;
            }
            let most = BLOCKS_AT_ONCE.min(blocks - first);
            let run = (1..most).find(|&i| is_empty(first + i)).unwrap_or(most);
            let from = list.first_block + first;
            let codes = &codes[from * size..(from + run) * size];
            for some in passes.chunks_mut(2) {
                if let [a, b] = some {
                    let (tables, thresholds) = ([a.tables, b.tables], [a.mark(), b.mark()]);
                    (kernels().scan_two)(codes, tables.each_ref(), thresholds, [a.found(run), b.found(run)]);
                } else if let [pass] = some {
                    let (tables, threshold) = (pass.tables, pass.mark());
                    let Found { bounds, hits } = pass.found(run);
                    (kernels().scan)(codes, &tables, threshold, bounds, hits);
                }
                for pass in some {
                    pass.collect(run, list.first_row + first * BLOCK_ROWS, |i| allowed(first + i));
                }
            }
            first += run;
        }
    }

    pub(super) fn block_bytes(&self) -> usize {
        self.books.as_ref().map_or(rabitq::block_bytes(self.rows.shape().dimension), pq::Books::block_bytes)
    }

    /// The mean, and the rotated shifts of lists. Length and alignment were checked when it was opened.
    fn centroids(&self) -> (&[f32], &[f32]) {
        let floats: &[f32] = self.centroids.as_numbers().unwrap_or_default();
        floats.split_at(self.rows.shape().dimension)
    }
}

/// The groups with these shifts that are looked into, in their order.
fn nearest_groups(
    groups: &Groups,
    query: &rabitq::Query,
    shifts: &[f32],
    near: &mut Vec<Hit>,
    (nprobe, limit): (usize, usize),
    allow: Option<&Bitmap>,
) -> Vec<u32> {
    let all: Vec<u32> = (0..groups.count() as u32).collect();
    measure(query, shifts, groups.count(), &all, near);
    groups.choose(near, nprobe, limit, allow);
    let mut chosen: Vec<u32> = near.iter().map(|hit| hit.row).collect();
    chosen.sort_unstable();
    chosen
}

/// Puts into `near` how far these of so many lists or groups are, by their shifts.
fn measure(query: &rabitq::Query, shifts: &[f32], count: usize, some: &[u32], near: &mut Vec<Hit>) {
    let (rotated, products) = shifts.split_at(shifts.len() - count);
    let d = rotated.len() / count;
    near.clear();
    near.extend(some.iter().map(|&row| {
        let distance = query.distance(&rotated[row as usize * d..][..d], products[row as usize]);
        Hit { row, distance }
    }));
}
