//! A collection's parts, and how writes change them.

use super::answered::Answered;
use super::entity::{Batch, Draft};
use super::growing::Growing;
use super::log::{LOG_HEAD, LogReader, Record, Request, name_request};
use super::manifest::Manifest;
use super::part::{Part, SealedPart};
use super::read::{Condition, Place};
use super::schema::{Schema, invalid};
use crate::segment::Key;
use crate::words::{Blob, Error, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// Entities that come and go. See the [module](super).
#[derive(Debug)]
pub struct Collection {
    pub(super) schema: Arc<Schema>,
    /// Sealed ones, then growing ones, oldest first. The last is growing.
    pub(super) parts: Vec<Part>,
    pub(super) sequence: u64,
    pub(super) next_id: i64,
    pub(super) next_file: u64,
    /// Bytes of the log that is written; 0 until it has a head.
    log_bytes: u64,
    answered: Answered,
}

/// A write that has been checked and worked out, and changes nothing until it is applied.
#[derive(Debug)]
pub struct Write {
    record: Option<Record>,
    frame: Vec<u8>,
    log: u64,
    at: u64,
    keys: Vec<Key>,
    request: Option<Request>,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The keys of the entities that were put or deleted, in the order given.
    pub keys: Vec<Key>,
}

/// What was read of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Whole records.
    pub records: u64,
    /// Where the log is to be cut. If 0, not even its head is whole: it is to be written anew.
    pub keep: u64,
    /// Bytes of a torn tail after that.
    pub cut: u64,
}

impl Write {
    /// What is to be made durable at byte [`Self::at`] of the current log before the write is applied;
    /// nothing for a write that changes nothing.
    pub fn bytes(&self) -> &[u8] {
        &self.frame
    }

    /// The keys of the entities that it puts in or takes out, in the order given.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The same write, whose bytes name the request that it answers: see [`Collection::answer`].
    ///
    /// # Errors
    /// `INVALID_INPUT` if the bytes become more than a write can have.
    pub fn naming(mut self, request: Request) -> Result<Self> {
        if !self.frame.is_empty() {
            name_request(&mut self.frame, request, self.log, self.at)?;
            self.request = Some(request);
        }
        Ok(self)
    }

    /// Where the bytes belong. A write that failed half way is undone by cutting the log there.
    pub fn at(&self) -> u64 {
        self.at
    }
}

impl Collection {
    /// A collection without entities, whose log 0 has a head and no records.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a schema that no collection can have.
    pub fn create(schema: Schema) -> Result<Self> {
        schema.check()?;
        let manifest = Manifest { sequence: 0, schema, next_id: 1, first_log: 0, next_file: 0, segments: Vec::new() };
        let mut collection = Self::open(manifest, Vec::new())?;
        collection.log_bytes = LOG_HEAD as u64;
        Ok(collection)
    }

    /// The collection of a manifest and the files of its segments, in the manifest's order. Its logs
    /// are to be [replayed](Self::replay), all from the manifest's first on, before it is written to.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a file isn't that of its entry.
    pub fn open(manifest: Manifest, files: Vec<Blob>) -> Result<Self> {
        let Manifest { sequence, schema, next_id, first_log, next_file, segments } = manifest;
        if segments.len() != files.len() {
            return Err(Error::corrupt(format!(
                "the manifest speaks of {} segments, but {} files came; put back those that are missing",
                segments.len(),
                files.len()
            )));
        }
        let schema = Arc::new(schema);
        let open = |(entry, file)| SealedPart::open(entry, file, &schema).map(|part| Part::Sealed(Box::new(part)));
        let mut parts = segments.into_iter().zip(files).map(open).collect::<Result<Vec<_>>>()?;
        parts.push(Part::Growing(Growing::new(first_log, schema.clone())));
        Ok(Collection { schema, parts, sequence, next_id, next_file, log_bytes: 0, answered: Answered::default() })
    }

    /// Does again what a log says. The logs come in order, each once.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it isn't the next log, or a whole record of it makes no sense.
    pub fn replay(&mut self, number: u64, bytes: &[u8]) -> Result<Replayed> {
        let expected = self.log() + u64::from(self.log_bytes > 0);
        if number != expected {
            return Err(Error::corrupt(format!(
                "log {number} came where log {expected} was expected; put back the one that is missing"
            )));
        }
        let mut reader = LogReader::open(bytes, number)?;
        if number > self.log() {
            self.freeze();
        }
        let mut records = 0;
        while let Some(record) = reader.next(&self.schema)? {
            if let Some(request) = reader.request() {
                self.answered.add(request, record.keys());
            }
            self.apply_record(record);
            records += 1;
        }
        self.log_bytes = reader.position().max(LOG_HEAD) as u64;
        Ok(Replayed { records, keep: reader.position() as u64, cut: reader.remaining() as u64 })
    }

    /// What entities are made of.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of the log that is written to: the last one.
    pub fn log(&self) -> u64 {
        self.growing().log
    }

    /// Bytes of that log.
    pub fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// The keys of the write that answered a request, if there was one: it isn't to be done again. The last
    /// 256 requests are known, of those that logs name which still count.
    pub fn answer(&self, request: Request) -> Option<&[Key]> {
        self.answered.get(request)
    }

    /// Goes on with the next log, whose head the edge has made durable. The entities of the one before
    /// wait to be sealed.
    pub fn freeze(&mut self) {
        let growing = Growing::new(self.log() + 1, self.schema.clone());
        self.parts.push(Part::Growing(growing));
        self.log_bytes = LOG_HEAD as u64;
    }

    /// What the collection consists of.
    pub fn manifest(&self) -> Manifest {
        let mut segments = Vec::new();
        let mut first_log = None;
        for part in &self.parts {
            match part {
                Part::Sealed(part) => segments.push(part.entry()),
                Part::Growing(part) => drop(first_log.get_or_insert(part.log)),
            }
        }
        Manifest {
            sequence: self.sequence,
            schema: Schema::clone(&self.schema),
            next_id: self.next_id,
            first_log: first_log.unwrap_or_default(),
            next_file: self.next_file,
            segments,
        }
    }

    /// Entities that are there.
    pub fn live(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
    }

    /// Puts in entities whose keys aren't there yet, all of them or none: their vectors one after the
    /// other, and the rest of each.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the first that can't be taken.
    pub fn insert(&self, vectors: Vec<f32>, drafts: Vec<Draft>) -> Result<Write> {
        if self.schema.primary.auto_id && drafts.iter().any(|draft| draft.key.is_some()) {
            return Err(invalid("the collection gives keys itself; leave them out".to_owned()));
        }
        let batch = self.batch(vectors, drafts)?;
        if let Some(there) = batch.entities.iter().find(|entity| self.find(&entity.key).is_some()) {
            return Err(invalid(format!(
                "there is an entity with the key {} already; use upsert to replace it",
                there.key
            )));
        }
        self.put(batch)
    }

    /// Puts in entities, in place of those of the same keys.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the first that can't be taken.
    pub fn upsert(&self, vectors: Vec<f32>, drafts: Vec<Draft>) -> Result<Write> {
        let given = drafts.iter().filter_map(|draft| draft.key.as_ref());
        if self.schema.primary.auto_id
            && let Some(key) = given.into_iter().find(|key| self.find(key).is_none())
        {
            return Err(invalid(format!(
                "there is no entity with the key {key}, and the collection gives new keys itself; leave it out"
            )));
        }
        self.put(self.batch(vectors, drafts)?)
    }

    /// Takes out the entities of these keys; those that aren't there don't matter.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a key of another type.
    pub fn delete(&self, keys: &[Key]) -> Result<Write> {
        keys.iter().try_for_each(|key| self.schema.check_key(key))?;
        let mut once = HashSet::new();
        let there = keys.iter().filter(|key| self.find(key).is_some() && once.insert(*key)).cloned().collect();
        self.take_out(there)
    }

    /// Takes out the entities for which a filter is true.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `FIELD_NOT_FOUND`.
    pub fn delete_where<'a>(&mut self, filter: impl Into<Condition<'a>>) -> Result<Write> {
        let places = self.query(filter, None, 0)?;
        self.take_out(places.into_iter().map(|place| self.key(place)).collect::<Result<_>>()?)
    }

    /// Applies a write that is durable.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if another write was applied since it was worked out.
    pub fn apply(&mut self, write: Write) -> Result<Written> {
        let Write { record, frame, log, at, keys, request } = write;
        let Some(record) = record else { return Ok(Written { keys }) };
        if (log, at) != (self.log(), self.log_bytes) {
            return Err(Error::argument(format!(
                "the write is for byte {at} of log {log}, but the collection is at byte {} of log {}; work it out again",
                self.log_bytes,
                self.log()
            )));
        }
        if let Some(request) = request {
            self.answered.add(request, keys.clone());
        }
        self.apply_record(record);
        self.log_bytes += frame.len() as u64;
        Ok(Written { keys })
    }

    /// Where an entity is.
    pub fn find(&self, key: &Key) -> Option<Place> {
        let newest_first = self.parts.iter().enumerate().rev();
        newest_first.filter_map(|(part, p)| Some(Place { part: part as u32, row: p.row(key)? })).next()
    }

    fn growing(&self) -> &Growing {
        match self.parts.last() {
            Some(Part::Growing(growing)) => growing,
            _ => unreachable!("the last part is growing, from open() on"),
        }
    }

    fn batch(&self, vectors: Vec<f32>, drafts: Vec<Draft>) -> Result<Batch> {
        let mut next = self.next_id;
        Batch::new(&self.schema, vectors, drafts, || {
            let key = next;
            next = next.checked_add(1).ok_or_else(|| invalid("all keys of 64 bits have been given".to_owned()))?;
            Ok(Key::Int64(key))
        })
    }

    fn put(&self, batch: Batch) -> Result<Write> {
        let record = Record::Put(batch);
        let keys = record.keys();
        self.write(record, keys)
    }

    fn take_out(&self, keys: Vec<Key>) -> Result<Write> {
        self.write(Record::Delete(keys.clone()), keys)
    }

    fn write(&self, record: Record, keys: Vec<Key>) -> Result<Write> {
        let (log, at) = (self.log(), self.log_bytes);
        if at == 0 {
            return Err(Error::argument("the collection's logs haven't been replayed; do that before writing"));
        }
        if keys.is_empty() {
            return Ok(Write { record: None, frame: Vec::new(), log, at, keys, request: None });
        }
        let frame = record.frame(&self.schema, log, at)?;
        Ok(Write { record: Some(record), frame, log, at, keys, request: None })
    }

    fn apply_record(&mut self, record: Record) {
        match record {
            Record::Put(batch) => {
                for entity in &batch.entities {
                    self.remove(&entity.key);
                    if let Key::Int64(key) = entity.key {
                        self.next_id = self.next_id.max(key.saturating_add(1));
                    }
                }
                if let Some(Part::Growing(growing)) = self.parts.last_mut() {
                    growing.push(batch);
                }
            }
            Record::Delete(keys) => keys.iter().for_each(|key| self.remove(key)),
        }
    }

    fn remove(&mut self, key: &Key) {
        // An entity is in one part at most.
        self.parts.iter_mut().rev().any(|part| part.remove(key));
    }
}
