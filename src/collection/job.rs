//! Sealing and compaction: parts that follow each other become one sealed segment without what is
//! gone of them. A job is planned, built, and finished; writes go on meanwhile, and a job that is
//! lost with its tab is planned again.

use super::entity::{Batch, Entity};
use super::growing::columns_of;
use super::manifest::{Manifest, SegmentEntry};
use super::part::{Part, SealedPart};
use super::schema::Schema;
use super::store::Collection;
use crate::index::BuildParams;
use crate::segment::{FieldsWriter, Input, Key, PrimaryKeys, build};
use crate::tune::{self, Wish};
use crate::words::{Bitmap, Blob, Error, IndexType, MatrixView, Precision, Result};
use std::sync::Arc;

/// When parts are sealed and put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A growing part of so many rows is full.
    pub growing_rows: usize,
    /// A log of so many bytes is full.
    pub log_bytes: u64,
    /// So many neighbours of one size class become one segment. The class of a segment is how often
    /// `growing_rows` has to be multiplied by this number to reach its rows.
    pub fan: usize,
    /// No segment is made larger than so many rows.
    pub segment_rows: usize,
}

impl Limits {
    /// Growing parts of up to 32 MiB of vectors, which an exact search reads in some 10 ms.
    pub fn of(schema: &Schema) -> Self {
        let row = 4 * schema.dimension();
        Limits {
            growing_rows: ((32 << 20) / row).clamp(1024, 65_536),
            log_bytes: 64 << 20,
            fan: 4,
            segment_rows: (512 << 20) / row,
        }
    }
}

/// Work on parts of a collection, with all that it needs.
#[derive(Debug)]
pub struct Job {
    schema: Arc<Schema>,
    first: usize,
    sources: Vec<Source>,
    file: u64,
    batch: Batch,
}

/// Which part a source is.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Segment(u64),
    Log(u64),
}

impl Part {
    fn source(&self) -> Source {
        match self {
            Part::Sealed(part) => Source::Segment(part.file),
            Part::Growing(part) => Source::Log(part.log),
        }
    }
}

impl Collection {
    /// Whether the growing part is to be [frozen](Self::freeze).
    pub fn is_full(&self, limits: &Limits) -> bool {
        let rows = match self.parts.last() {
            Some(Part::Growing(part)) => part.len(),
            _ => 0,
        };
        rows >= limits.growing_rows || self.log_bytes() >= limits.log_bytes
    }

    /// The next thing to do, if there is one: to seal what is frozen, to leave out what is gone, or to
    /// put small segments together. Copies the entities that it is about.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a segment is damaged.
    pub fn plan(&self, limits: &Limits) -> Result<Option<Job>> {
        let growing = self.parts.iter().position(|part| matches!(part, Part::Growing(_))).unwrap_or(0);
        if growing + 1 < self.parts.len() {
            return self.job(growing, 1).map(Some);
        }
        let sealed: Vec<(usize, usize)> = self.parts[..growing]
            .iter()
            .map(|part| (part.live(), if let Part::Sealed(part) = part { part.len() } else { 0 }))
            .collect();
        // A quarter gone is worth a rewrite.
        if let Some(at) = sealed.iter().position(|&(live, rows)| (rows - live) * 4 >= rows) {
            return self.job(at, 1).map(Some);
        }
        let class = |live: usize| (live / limits.growing_rows.max(1)).max(1).ilog(limits.fan.max(2));
        let run = sealed.windows(limits.fan.max(2)).position(|run| {
            let live: usize = run.iter().map(|&(live, _)| live).sum();
            live <= limits.segment_rows && run.iter().all(|&(live, _)| class(live) == class(run[0].0))
        });
        run.map(|at| self.job(at, limits.fan.max(2))).transpose()
    }

    /// A job that makes one segment of all sealed ones.
    ///
    /// # Errors
    /// Those of [`Self::plan`].
    pub fn plan_all(&self) -> Result<Option<Job>> {
        let sealed = self.parts.iter().filter(|part| matches!(part, Part::Sealed(_))).count();
        if sealed == 0 { Ok(None) } else { self.job(0, sealed).map(Some) }
    }

    fn job(&self, first: usize, count: usize) -> Result<Job> {
        let dimension = self.schema.dimension();
        let mut batch = Batch::default();
        let sources = &self.parts[first..first + count];
        for part in sources {
            let rows = part.rows_as_given()?;
            let start = batch.vectors.len();
            batch.vectors.resize(start + rows.len() * dimension, 0.0);
            for (&row, out) in rows.iter().zip(batch.vectors[start..].chunks_exact_mut(dimension)) {
                part.vector(row, out)?;
            }
            batch.entities.extend(part.entities(&rows, self.schema.has_documents())?);
        }
        let sources = sources.iter().map(Part::source).collect();
        Ok(Job { schema: self.schema.clone(), first, sources, file: self.next_file, batch })
    }

    /// Puts the segment that a job built in the place of its sources. What has gone of them meanwhile
    /// is gone of it. Returns the manifest that is to be made durable, after the segment's file; then
    /// files that it doesn't speak of may be removed.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if the parts of the job have changed; `CORRUPT_FILE` if the file isn't the job's.
    pub fn finish(&mut self, job: Job, file: Option<Blob>) -> Result<Manifest> {
        let range = job.first..job.first + job.sources.len();
        let same = self.parts.get(range.clone()).is_some_and(|parts| parts.iter().map(Part::source).eq(job.sources));
        if !same || job.file != self.next_file {
            return Err(Error::argument("the parts of this job have changed since it was planned; plan it again"));
        }
        let part = match file {
            None if job.batch.entities.is_empty() => None,
            None => return Err(Error::argument("the job's segment is missing; build it first")),
            Some(bytes) => {
                let sealed = crate::segment::Sealed::open(bytes.clone())?;
                let count = sealed.header().count as usize;
                let mut deleted = Bitmap::none(count);
                for row in 0..count {
                    let key = sealed.key(row as u32)?;
                    if !self.parts[range.clone()].iter().any(|part| part.row(&key).is_some()) {
                        deleted.insert(row);
                    }
                }
                let entry = SegmentEntry { file: job.file, checksum: sealed.layout().checksum, deleted };
                Some(Part::Sealed(Box::new(SealedPart::open(entry, bytes, &self.schema)?)))
            }
        };
        self.parts.splice(range, part);
        self.next_file += 1;
        self.sequence += 1;
        Ok(self.manifest())
    }
}

impl Part {
    /// The rows that are there, in the order in which they came.
    fn rows_as_given(&self) -> Result<Vec<u32>> {
        let live = |rows: usize, gone: &dyn Fn(usize) -> bool| -> Vec<u32> {
            (0..rows).filter(|&row| !gone(row)).map(|row| row as u32).collect()
        };
        match self {
            Part::Growing(part) => {
                Ok(live(part.len(), &|row| part.row(&part.entity(row as u32).key) != Some(row as u32)))
            }
            Part::Sealed(part) => {
                let rows = live(part.len(), &|row| part.deleted.contains(row));
                let mut given =
                    rows.into_iter().map(|row| Ok((part.sealed.given(row)?, row))).collect::<Result<Vec<_>>>()?;
                given.sort_unstable();
                Ok(given.into_iter().map(|(_, row)| row).collect())
            }
        }
    }
}

impl Job {
    /// Number of the file that it makes.
    pub fn file(&self) -> u64 {
        self.file
    }

    /// Entities that it is about.
    pub fn entities(&self) -> usize {
        self.batch.entities.len()
    }

    /// The index file; none if nothing is left of the parts. The same entities give the same bytes.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`, and those of [`build()`].
    pub fn build(&self) -> Result<Option<Vec<u8>>> {
        let Job { schema, batch: Batch { vectors, entities }, .. } = self;
        if entities.is_empty() {
            return Ok(None);
        }
        let (dimension, metric) = (schema.dimension(), schema.vector.metric);
        let wish = Wish { count: entities.len(), dimension, metric, max_bytes: None };
        let index_type = match tune::choose(&wish)?.index_type {
            // A graph takes minutes, in which the tab's entities would wait.
            IndexType::Hnsw => IndexType::Flat,
            // So does the training of lists.
            IndexType::IvfRabitq => IndexType::ScanRabitq,
            chosen => chosen,
        };
        let keys = match schema.has_varchar_keys() {
            true => PrimaryKeys::VarChar(entities.iter().filter_map(|e| varchar(&e.key)).collect()),
            false => PrimaryKeys::Int64(entities.iter().filter_map(|e| int64(&e.key)).collect()),
        };
        let mut fields = schema.has_documents().then(FieldsWriter::new);
        if let Some(fields) = &mut fields {
            for Entity { document, .. } in entities {
                fields.push(if document.is_empty() { "{}" } else { document })?;
            }
        }
        let input = Input {
            rows: Some(MatrixView::new(vectors, dimension)?),
            index_type,
            sparse: None,
            bits: None,
            text: None,
            // Entities come back as they were given, however often segments are put together.
            params: BuildParams { metric, precisions: vec![Precision::F32], ..BuildParams::default() },
            keys,
            columns: Some(columns_of(schema, entities)?),
            fields,
            card: None,
        };
        Ok(Some(build(input, &|_, _| {})?.into_bytes()))
    }
}

fn int64(key: &Key) -> Option<i64> {
    match key {
        Key::Int64(key) => Some(*key),
        Key::VarChar(_) => None,
    }
}

fn varchar(key: &Key) -> Option<String> {
    match key {
        Key::VarChar(key) => Some(key.clone()),
        Key::Int64(_) => None,
    }
}
