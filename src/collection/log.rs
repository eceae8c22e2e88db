//! The write-ahead log: what was done to a collection, record by record.
//!
//! Little-endian:
//!
//! ```text
//!  0  8    89 45 4C 4C 4F 47 0A 00
//!  8  u32  version, 1
//! 12  u32  0
//! 16  u64  number of the log
//! 24  u64  XXH64 of the 24 bytes before
//! 32       frames, one after the other:
//!      0  u32  bytes of the payload, at least 1
//!      4  u32  0
//!      8  u64  XXH64 of the payload; its seed is the log's number, rotated by 32, xor the frame's offset
//!     16       payload: a record
//! ```
//!
//! The seed ties a frame to its place: what an earlier log left behind in the same bytes isn't taken
//! for a record. A log ends with its first frame that isn't whole; the rest is a torn tail, which an
//! interrupted write leaves behind and nobody was told of. A whole frame whose record makes no
//! sense is damage.

use super::codec::{read_count, read_end, read_key, read_text, read_value, write_key, write_text, write_value};
use super::entity::{Batch, Entity};
use super::schema::Schema;
use crate::format::checksum;
use crate::segment::Key;
use crate::words::bytes::as_bytes;
use crate::words::{Code, Cursor, Error, Result};
use xxhash_rust::xxh64::xxh64;

const MAGIC: [u8; 8] = *b"\x89ELLOG\n\0";
const VERSION: u32 = 1;

/// Bytes of a log without records.
pub const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 16;

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Added to the kind of a record whose request is named.
const NAMED: u8 = 2;

/// Names the request that a write answers, so that it can be asked again without being done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Who asked: a number that nobody else has drawn.
    pub client: u64,
    /// Which of the client's requests it is.
    pub number: u64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// These entities are there, in place of those of the same keys.
    Put(Batch),
    /// The entities of these keys are gone.
    Delete(Vec<Key>),
}

/// The first bytes of a log.
pub fn log_head(number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(LOG_HEAD);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(number.to_le_bytes());
    let sum = checksum(&out);
    out.extend(sum.to_le_bytes());
    out
}

fn frame_checksum(number: u64, offset: u64, payload: &[u8]) -> u64 {
    xxh64(payload, number.rotate_left(32) ^ offset)
}

impl Record {
    /// The keys of its entities, in order.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Record::Put(batch) => batch.entities.iter().map(|entity| entity.key.clone()).collect(),
            Record::Delete(keys) => keys.clone(),
        }
    }

    /// The frame that holds the record at byte `offset` of a log.
    ///
    /// # Errors
    /// `INVALID_INPUT` if it is larger than a frame can be.
    pub(super) fn frame(&self, schema: &Schema, number: u64, offset: u64) -> Result<Vec<u8>> {
        let mut out = vec![0; FRAME_HEAD];
        let documents = schema.has_documents();
        match self {
            Record::Put(Batch { vectors, entities }) => {
                out.reserve(4 * vectors.len());
                out.push(PUT);
                out.extend((entities.len() as u32).to_le_bytes());
                out.extend(as_bytes(vectors));
                for Entity { key, values, document } in entities {
                    write_key(&mut out, key);
                    values.iter().for_each(|value| write_value(&mut out, value));
                    if documents {
                        write_text(&mut out, document);
                    }
                }
            }
            Record::Delete(keys) => {
                out.push(DELETE);
                out.extend((keys.len() as u32).to_le_bytes());
                keys.iter().for_each(|key| write_key(&mut out, key));
            }
        }
        close_frame(&mut out, number, offset)?;
        Ok(out)
    }

    fn decode(payload: &[u8], schema: &Schema) -> Result<(Self, Option<Request>)> {
        let mut c = Cursor::new(payload, "a record of the log");
        let (varchar, documents) = (schema.has_varchar_keys(), schema.has_documents());
        let key_bytes = if varchar { 4 } else { 8 };
        let kind = c.u8()?;
        let (kind, request) = match kind > NAMED {
            true => (kind - NAMED, Some(Request { client: c.u64()?, number: c.u64()? })),
            false => (kind, None),
        };
        let record = match kind {
            PUT => {
                let dimension = schema.dimension();
                let count = read_count(&mut c, 4 * dimension + key_bytes, "entities")?;
                let floats = c.take(4 * dimension * count)?.as_chunks().0;
                let vectors: Vec<f32> = floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                if !vectors.iter().all(|x| x.is_finite()) {
                    return Err(Error::corrupt("a vector of the log isn't finite; the file is damaged"));
                }
                let mut entities = Vec::with_capacity(count);
                for row in 0..count {
                    let key = read_key(&mut c, varchar)?;
                    schema.check_key(&key).map_err(damaged)?;
                    let mut values = Vec::new();
                    for field in schema.scalars() {
                        values.push(field.fit(read_value(&mut c)?, row).map_err(damaged)?);
                    }
                    let document = if documents { read_text(&mut c)? } else { String::new() };
                    entities.push(Entity { key, values, document });
                }
                Record::Put(Batch { vectors, entities })
            }
            DELETE => {
                let count = read_count(&mut c, key_bytes, "keys")?;
                Record::Delete((0..count).map(|_| read_key(&mut c, varchar)).collect::<Result<_>>()?)
            }
            other => return Err(Error::corrupt(format!("a record of the log is of kind {other}, which is none"))),
        };
        read_end(&c, "a record of the log")?;
        Ok((record, request))
    }
}

/// Writes the head of a frame whose payload is complete.
fn close_frame(frame: &mut [u8], number: u64, offset: u64) -> Result<()> {
    let length = u32::try_from(frame.len() - FRAME_HEAD).map_err(|_| {
        Error::new(
            Code::InvalidInput,
            format!("a write of {} bytes is more than a log's record takes; write fewer at a time", frame.len()),
        )
    })?;
    let sum = frame_checksum(number, offset, &frame[FRAME_HEAD..]);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[8..16].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// Names the request that a frame of this place answers.
///
/// # Errors
/// `INVALID_INPUT` if the frame becomes larger than one can be.
pub(super) fn name_request(frame: &mut Vec<u8>, request: Request, number: u64, offset: u64) -> Result<()> {
    frame[FRAME_HEAD] += NAMED;
    let at = FRAME_HEAD + 1;
    frame.splice(at..at, [request.client.to_le_bytes(), request.number.to_le_bytes()].concat());
    close_frame(frame, number, offset)
}

fn damaged(error: Error) -> Error {
    Error::corrupt(format!("a record of the log doesn't fit the schema: {}", error.message))
}

/// Reads the records of a log, first to last.
#[derive(Debug)]
pub struct LogReader<'a> {
    bytes: &'a [u8],
    number: u64,
    at: usize,
    request: Option<Request>,
}

impl<'a> LogReader<'a> {
    /// A reader of the log of this number. A head that was cut off in its middle is a log without
    /// records.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION`; `CORRUPT_FILE` if the head is damaged or of another log.
    pub fn open(bytes: &'a [u8], number: u64) -> Result<Self> {
        if bytes.len() <= LOG_HEAD && bytes != log_head(number) {
            return Ok(LogReader { bytes: &[], number, at: 0, request: None });
        }
        let mut c = Cursor::new(bytes, "the log");
        if c.take(8)? != MAGIC {
            return Err(Error::new(Code::UnsupportedFormat, "the bytes are no log of a collection"));
        }
        let version = c.u32()?;
        if version != VERSION {
            return Err(Error::new(
                Code::UnsupportedVersion,
                format!("the log has version {version}; this elanus reads version {VERSION}: update it"),
            ));
        }
        if bytes[..LOG_HEAD] != log_head(number) {
            return Err(Error::corrupt(format!("the head of log {number} is damaged, or of another log")));
        }
        Ok(LogReader { bytes, number, at: LOG_HEAD, request: None })
    }

    /// Bytes up to the end of the last whole record read: after the last, where the log is to be cut
    /// and goes on. 0 if not even the head is whole.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes after [`Self::position`]: once all is read, those of a torn tail.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next record; none at the end or at a frame that isn't whole.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a whole record makes no sense.
    pub fn next(&mut self, schema: &Schema) -> Result<Option<Record>> {
        let Some(payload) = self.payload() else { return Ok(None) };
        let (record, request) = Record::decode(payload, schema)?;
        self.at += FRAME_HEAD + payload.len();
        self.request = request;
        Ok(Some(record))
    }

    /// The request that the record read last answers, if it names one.
    pub fn request(&self) -> Option<Request> {
        self.request
    }

    fn payload(&self) -> Option<&'a [u8]> {
        let mut c = Cursor::new(self.bytes.get(self.at..)?, "the log");
        let (length, reserved, sum) = (c.u32().ok()? as usize, c.u32().ok()?, c.u64().ok()?);
        let payload = c.take(length).ok()?;
        let whole = length > 0 && reserved == 0 && frame_checksum(self.number, self.at as u64, payload) == sum;
        whole.then_some(payload)
    }
}
