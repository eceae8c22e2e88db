//! Header and section table together: where everything lies, known from a file's first bytes.

use super::header::Frame;
use super::{ENTRY_BYTES, HEADER_BYTES, Header, Kind, MAX_SECTIONS, checksum};
use crate::words::bytes::ALIGNMENT;
use crate::words::{Code, Cursor, Error, Result};
use std::ops::Range;

/// One row of the section table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What the section holds.
    pub kind: Kind,
    /// Where it starts in the file.
    pub offset: u64,
    /// Its bytes, without padding.
    pub length: u64,
    /// XXH64 of its bytes.
    pub checksum: u64,
}

/// Where everything in a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The format version that the file is written in.
    pub version: u32,
    /// What the file says of itself.
    pub header: Header,
    /// The section table, ascending by kind.
    pub entries: Vec<Entry>,
    /// Bytes of the whole file.
    pub file_bytes: u64,
    /// The header's checksum. It covers the table's, and that one each section's: two files with
    /// the same are the same.
    pub checksum: u64,
}

impl Layout {
    /// No header and table are longer than this: a prefix of these bytes always suffices for
    /// [`Layout::read`].
    pub const MAX_BYTES: usize = HEADER_BYTES + MAX_SECTIONS * ENTRY_BYTES;

    /// Reads the layout from a file's first bytes: all of them, or [`Self::MAX_BYTES`], or at least
    /// header and table. `file_bytes` is the length of the whole file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` or `UNSUPPORTED_VERSION` if it isn't for this reader; `CORRUPT_FILE` if
    /// header or table are damaged, or if sections overlap, leave gaps or don't add up to the file.
    pub fn read(prefix: &[u8], file_bytes: u64) -> Result<Layout> {
        let (header, frame) = Header::decode(&prefix[..prefix.len().min(HEADER_BYTES)])?;
        if frame.file_bytes != file_bytes {
            return Err(Error::corrupt(format!(
                "the header states {} bytes, but there are {file_bytes}; \
                 the file is truncated or has something appended: fetch it again",
                frame.file_bytes
            )));
        }
        let mut rest = Cursor::new(prefix, "the section table");
        rest.take(HEADER_BYTES)?;
        let table = rest.take(frame.sections * ENTRY_BYTES)?;
        let computed = checksum(table);
        if computed != frame.table_checksum {
            return Err(Error::corrupt(format!(
                "the section table's checksum is {:016x}, but its bytes have {computed:016x}; \
                 the file is damaged: fetch or build it again",
                frame.table_checksum
            )));
        }
        let entries = table.chunks_exact(ENTRY_BYTES).map(decode_entry).collect::<Result<Vec<_>>>()?;
        if let Some(entry) = entries.iter().find(|entry| entry.kind.since() > frame.version) {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!(
                    "the file states format version {}, but {} came with version {}; it was written wrongly",
                    frame.version,
                    entry.kind,
                    entry.kind.since()
                ),
            ));
        }
        check_places(&entries, &frame)?;
        Ok(Layout { version: frame.version, header, entries, file_bytes, checksum: frame.checksum })
    }

    /// The section's row of the table, if the file has it.
    pub fn entry(&self, kind: Kind) -> Option<&Entry> {
        self.entries.iter().find(|e| e.kind == kind)
    }

    /// What the section `checks` has checksums of: all from the first section up to itself. Empty
    /// without one.
    pub fn checked_bytes(&self) -> Range<u64> {
        let first = self.entries.first().map_or(0, |entry| entry.offset);
        first..self.entry(Kind::CHECKS).map_or(first, |entry| entry.offset)
    }

    /// The runs of padding: they must be zero.
    pub fn gaps(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let table_end = (HEADER_BYTES + self.entries.len() * ENTRY_BYTES) as u64;
        let starts = std::iter::once(table_end).chain(self.entries.iter().map(|e| e.offset + e.length));
        let ends = self.entries.iter().map(|e| e.offset).chain(std::iter::once(self.file_bytes));
        starts.zip(ends).map(|(start, end)| start..end)
    }
}

pub(super) fn encode_entry(entry: &Entry) -> [u8; ENTRY_BYTES] {
    let mut out = [0; ENTRY_BYTES];
    out[..4].copy_from_slice(&entry.kind.0.to_le_bytes());
    out[8..16].copy_from_slice(&entry.offset.to_le_bytes());
    out[16..24].copy_from_slice(&entry.length.to_le_bytes());
    out[24..].copy_from_slice(&entry.checksum.to_le_bytes());
    out
}

fn decode_entry(bytes: &[u8]) -> Result<Entry> {
    let mut c = Cursor::new(bytes, "the section table");
    let (kind, reserved) = (Kind(c.u32()?), c.u32()?);
    let entry = Entry { kind, offset: c.u64()?, length: c.u64()?, checksum: c.u64()? };
    if kind.name().is_none() && !kind.is_ignorable() {
        return Err(Error::new(
            Code::UnsupportedFormat,
            format!("the file needs {kind}, which this version of elanus doesn't know; update elanus"),
        ));
    }
    if reserved != 0 {
        return Err(Error::corrupt(format!("a reserved field in the table's row for {kind} isn't 0")));
    }
    Ok(entry)
}

/// The smallest multiple of [`ALIGNMENT`] that isn't below `at`; `None` past 2⁶⁴.
pub(super) fn aligned(at: u64) -> Option<u64> {
    at.checked_next_multiple_of(ALIGNMENT as u64)
}

/// There is one right place for each section: the first aligned byte after the one before. So one
/// comparison refuses overlaps, gaps, misalignment and what lies outside of the file.
fn check_places(entries: &[Entry], frame: &Frame) -> Result<()> {
    let mut end = (HEADER_BYTES + entries.len() * ENTRY_BYTES) as u64;
    let mut previous = None;
    for entry in entries {
        if previous >= Some(entry.kind) {
            return Err(Error::corrupt(format!(
                "{} is listed twice or out of order in the section table; kinds must ascend",
                entry.kind
            )));
        }
        previous = Some(entry.kind);
        if aligned(end) != Some(entry.offset) {
            return Err(Error::corrupt(format!(
                "{} starts at byte {}, but what is before it ends at byte {end}, \
                 so it must start at the next multiple of {ALIGNMENT}",
                entry.kind, entry.offset
            )));
        }
        end = entry.offset.checked_add(entry.length).filter(|&end| end <= frame.file_bytes).ok_or_else(|| {
            Error::corrupt(format!(
                "{} has {} bytes from byte {}, past the file's {}",
                entry.kind, entry.length, entry.offset, frame.file_bytes
            ))
        })?;
    }
    if aligned(end) != Some(frame.file_bytes) {
        return Err(Error::corrupt(format!(
            "the last section ends at byte {end}, which doesn't fit a file of {} bytes",
            frame.file_bytes
        )));
    }
    Ok(())
}
