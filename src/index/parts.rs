//! A scan of a file that is there in part: which lists to look into, then the codes of these alone, then the
//! rows of the candidates alone.
//!
//! Each step is handed what the one before it named, put together from wherever it was. It computes what
//! a search of the whole file would compute of it, in the same order, so the answer is the same to the
//! bit: rows are numbered anew, but in their order, and equal distances go by the numbers that rows were
//! given by, which come along.

use super::groups::{Groups, Members};
use super::lists::{self, List};
use super::params::SearchParams;
use super::rows::Rows;
use super::scan::Scan;
use super::sections::{Sections, Shape};
use super::{Scratch, query};
use crate::words::{Bitmap, Blob, Error, Hit, Result};

/// What is resident of a file that is searched in parts.
#[derive(Debug, Clone)]
pub struct Parts {
    shape: Shape,
    /// Where lists are in groups, over these as if they were lists.
    scan: Scan,
    groups: Option<Groups>,
}

/// Lists whose codes were put together: of each its place in the file, and where its rows begin there.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    lists: Vec<List>,
    starts: Vec<usize>,
    rows: usize,
}

impl Gathered {
    /// Lists in the order of the file, each once.
    pub fn new(mut lists: Vec<List>) -> Self {
        lists.sort_unstable_by_key(|list| (list.first_row, list.rows));
        lists.dedup();
        let mut rows = 0;
        let starts = lists
            .iter()
            .map(|list| {
                rows += list.rows;
                rows - list.rows
            })
            .collect();
        Gathered { lists, starts, rows }
    }

    /// The lists, in the order in which codes and numbers of rows are to be put together.
    pub fn lists(&self) -> &[List] {
        &self.lists
    }

    /// How many rows they have.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The file's row of one of these.
    fn row(&self, at: usize) -> usize {
        let list = self.starts.partition_point(|&start| start <= at) - 1;
        self.lists[list].first_row + at - self.starts[list]
    }
}

impl Parts {
    /// What lists are chosen by: rotation, centroids, directory and codebooks. Reads them all.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let scan = Scan::open_lists(shape, sections, Rows::nowhere(shape)?)?;
        scan.verify_lists()?;
        Ok(Parts { shape: *shape, scan, groups: None })
    }

    /// What groups of lists are chosen by: rotation, their centroids and codebooks.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open_groups(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let (scan, groups) = Scan::open_groups(shape, sections, Rows::nowhere(shape)?)?;
        scan.verify_lists()?;
        Ok(Parts { shape: *shape, scan, groups: Some(groups) })
    }

    /// The groups that lists are in; `None` if they are in none.
    pub fn groups(&self) -> Option<&Groups> {
        self.groups.as_ref()
    }

    /// The groups that are looked into, in their order; and the search in [their lists](Self::with_members).
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`.
    pub fn choose_groups(
        &self,
        asked: &[f32],
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<(Vec<u32>, SearchParams)> {
        let Some(groups) = &self.groups else { return Ok((Vec::new(), *params)) };
        self.prepare(asked, scratch)?;
        let chosen = self.scan.choose_groups(groups, params, allow, scratch);
        Ok((chosen, SearchParams { nprobe: Some(lists::nprobe(params, groups.lists())), ..*params }))
    }

    /// The same file with the lists of some groups, and no others.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `OUT_OF_MEMORY`.
    pub fn with_members(&self, members: &[Members]) -> Result<Self> {
        Ok(Parts { shape: self.shape, scan: self.scan.with_members(members)?, groups: None })
    }

    /// Lists that are known: all, but where they are in groups, which then are in their place.
    pub fn lists(&self) -> &super::Lists {
        self.scan.lists()
    }

    /// Blocks of codes of the whole file.
    pub fn blocks(&self) -> usize {
        self.groups.as_ref().map_or_else(|| self.scan.lists().blocks(), Groups::blocks)
    }

    /// How many lists the file has, and the rows of the least of them, the middle one and the largest.
    pub fn sizes(&self) -> (usize, [usize; 3]) {
        match &self.groups {
            Some(groups) => (groups.lists(), groups.sizes()),
            None => (self.scan.lists().count(), self.scan.lists().sizes()),
        }
    }

    fn prepare(&self, asked: &[f32], scratch: &mut Scratch) -> Result<()> {
        query::prepare(asked, self.shape.dimension, self.shape.metric, scratch.query.floats_mut())
    }

    /// Bytes of the codes of 32 rows.
    pub fn block_bytes(&self) -> usize {
        self.scan.block_bytes()
    }

    /// Takes on a query and chooses the lists that it is to be looked for in.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`.
    pub fn choose(
        &self,
        asked: &[f32],
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Gathered> {
        self.prepare(asked, scratch)?;
        self.scan.choose(params, allow, scratch);
        Ok(Gathered::new(scratch.scan.probes().iter().map(|probe| probe.list).collect()))
    }

    /// Scans the lists that [`Self::choose`] gave, of which `codes` and, where rows lie in lists,
    /// `numbers` are put together. Returns the nearest by their codes alone, and keeps the best
    /// `params.rerank` for [`Self::compare`].
    ///
    /// # Errors
    /// `CORRUPT_FILE` if they have other lengths than lists have.
    pub fn scan(
        &self,
        gathered: &Gathered,
        (codes, numbers): (&Blob, Option<Blob>),
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>> {
        let mut blocks = 0;
        if codes.len() != gathered.lists.iter().map(|list| list.blocks() * self.block_bytes()).sum::<usize>() {
            return Err(Error::corrupt(format!("codes of {} rows can't have {} bytes", gathered.rows, codes.len())));
        }
        let moved: Vec<List> = (gathered.lists.iter().zip(&gathered.starts))
            .map(|(list, &first_row)| {
                blocks += list.blocks();
                List { first_row, rows: list.rows, first_block: blocks - list.blocks() }
            })
            .collect();
        for probe in scratch.scan.probes() {
            // Each was chosen, so it is there.
            if let Ok(at) = gathered.lists.binary_search_by_key(&probe.list.first_row, |list| list.first_row) {
                probe.list = moved[at];
            }
        }
        let rows = Rows::nowhere(&Shape { count: gathered.rows, ..self.shape })?.numbered(numbers)?;
        let allow = allow.map(|allow| Bitmap::from_fn(gathered.rows, |at| allow.contains(gathered.row(at))));
        scratch.top.reset_within(params.limit, params.window);
        // As many are kept as will be compared.
        let kept = SearchParams { limit: params.limit.max(params.rerank.unwrap_or(0)), ..*params };
        self.scan.look(codes, &rows, &kept, allow.as_ref(), std::slice::from_mut(scratch));
        let mut hits = scratch.take_hits();
        let file_row = |hit: &mut Hit| hit.row = gathered.row(hit.row as usize) as u32;
        hits.iter_mut().for_each(file_row);
        scratch.scan.candidates_mut().iter_mut().for_each(file_row);
        Ok(hits)
    }

    /// The rows that are to be compared, the most promising first.
    pub fn candidates<'a>(&self, scratch: &'a Scratch) -> &'a [Hit] {
        scratch.scan.candidates()
    }

    /// Compares the candidates exactly, whose rows and numbers are put together in `sections` in their order.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if they have other lengths than so many rows have; `DIMENSION_MISMATCH`,
    /// `INVALID_VECTOR`.
    pub fn compare(
        &self,
        asked: &[f32],
        sections: &Sections<Blob>,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>> {
        let candidates = scratch.scan.candidates().to_vec();
        let shape = Shape { count: candidates.len(), ..self.shape };
        let rows = Rows::some(&shape, sections)?;
        rows.prepare(asked, &mut scratch.query)?;
        scratch.top.reset_within(params.limit, params.window);
        let moved: Vec<Hit> = (0u32..).zip(&candidates).map(|(row, hit)| Hit { row, ..*hit }).collect();
        rows.rerank(&scratch.query, &moved, &mut scratch.top);
        let mut hits = scratch.take_hits();
        hits.iter_mut().for_each(|hit| hit.row = candidates[hit.row as usize].row);
        Ok(hits)
    }
}
