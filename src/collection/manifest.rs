//! The manifest: what a collection consists of. It is written anew after each change of its parts, to
//! one of two files in turn, so that one of them is whole at any moment; the valid one of the higher
//! sequence counts.
//!
//! In an envelope (`docs/collection.md`), little-endian: the schema, the next key to be given, the
//! number of the first log that counts, the next file number, and for each segment its file number,
//! the checksum of its header, its rows, and a bit for each that is gone.

use super::codec::{read_count, read_end, seal, unseal};
use super::schema::Schema;
use crate::words::{Bitmap, Cursor, Error, Result};

const MAGIC: [u8; 8] = *b"\x89ELMAN\n\0";
const VERSION: u32 = 1;

/// What a collection consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Counts up with each manifest of the collection.
    pub sequence: u64,
    /// What its entities are made of.
    pub schema: Schema,
    /// The next key that the collection gives.
    pub next_id: i64,
    /// Logs of lower numbers don't count any more.
    pub first_log: u64,
    /// No file has this number or a higher one.
    pub next_file: u64,
    /// The sealed segments, oldest first.
    pub segments: Vec<SegmentEntry>,
}

/// A sealed segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentEntry {
    /// Number of its file.
    pub file: u64,
    /// The checksum that its index file states of itself.
    pub checksum: u64,
    /// Rows that are gone.
    pub deleted: Bitmap,
}

impl Manifest {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.schema.encode(&mut out);
        out.extend(self.next_id.to_le_bytes());
        out.extend(self.first_log.to_le_bytes());
        out.extend(self.next_file.to_le_bytes());
        out.extend((self.segments.len() as u32).to_le_bytes());
        for SegmentEntry { file, checksum, deleted } in &self.segments {
            out.extend(file.to_le_bytes());
            out.extend(checksum.to_le_bytes());
            out.extend((deleted.len() as u32).to_le_bytes());
            deleted.words().iter().for_each(|word| out.extend(word.to_le_bytes()));
        }
        seal(MAGIC, VERSION, self.sequence, &out)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION`, `CORRUPT_FILE`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (sequence, payload) = unseal(MAGIC, VERSION, bytes, "a collection's manifest")?;
        let mut c = Cursor::new(payload, "a collection's manifest");
        let schema = Schema::decode(&mut c)?;
        let (next_id, first_log, next_file) = (c.u64()? as i64, c.u64()?, c.u64()?);
        let count = read_count(&mut c, 20, "segments")?;
        let mut segments: Vec<SegmentEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let (file, checksum, rows) = (c.u64()?, c.u64()?, c.u32()? as usize);
            let words = c.take(8 * rows.div_ceil(64))?.as_chunks().0;
            let words: Vec<u64> = words.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
            let deleted = Bitmap::from_words(words.clone(), rows);
            if deleted.words() != words || file >= next_file || segments.iter().any(|other| other.file == file) {
                return Err(Error::corrupt(format!(
                    "the manifest's entry of segment {file} makes no sense; it is damaged"
                )));
            }
            segments.push(SegmentEntry { file, checksum, deleted });
        }
        read_end(&c, "a collection's manifest")?;
        Ok(Manifest { sequence, schema, next_id, first_log, next_file, segments })
    }

    /// The one that counts of two files, either of which may be missing or torn.
    ///
    /// # Errors
    /// That of the first file that is there if neither is whole; `CORRUPT_FILE` if both are missing.
    pub fn newest(files: [Option<&[u8]>; 2]) -> Result<Self> {
        newest(files, Manifest::decode, |manifest| manifest.sequence, "manifest")
    }
}

/// The one of two files that is whole and has the higher sequence.
pub(super) fn newest<T>(
    files: [Option<&[u8]>; 2],
    decode: impl Fn(&[u8]) -> Result<T>,
    sequence: impl Fn(&T) -> u64,
    what: &str,
) -> Result<T> {
    let mut fault = None;
    let mut found: Option<T> = None;
    for bytes in files.into_iter().flatten() {
        match decode(bytes) {
            Ok(one) if found.as_ref().is_none_or(|other| sequence(&one) > sequence(other)) => found = Some(one),
            Ok(_) => {}
            Err(error) => drop(fault.get_or_insert(error)),
        }
    }
    found.ok_or_else(|| fault.unwrap_or_else(|| Error::corrupt(format!("there is no {what}; its files are gone"))))
}
