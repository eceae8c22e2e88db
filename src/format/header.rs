//! The 128 bytes at the start of a file.

use super::{HEADER_BYTES, MAGIC, MAX_SECTIONS, READABLE_VERSIONS, checksum};
use crate::words::{BitsView, Code, Cursor, Error, IndexType, MatrixView, Metric, Result, bits};

const VECTOR_TYPE_F32: u8 = 0;
const VECTOR_TYPE_BINARY: u8 = 4;
const VECTOR_TYPE_SPARSE: u8 = 5;

/// What a file says of itself before any section is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Rows in the index.
    pub count: u32,
    /// Floats in a vector, bits in one of bits; 0 if the file has no dense vectors.
    pub dimension: u32,
    /// How nearness is measured.
    pub metric: Metric,
    /// How the index is searched.
    pub index_type: IndexType,
    /// The seed that the build drew its random numbers from.
    pub seed: u64,
}

/// The header's other fields, which only the container itself needs.
pub(super) struct Frame {
    pub version: u32,
    pub file_bytes: u64,
    pub sections: usize,
    pub table_checksum: u64,
    /// Checksum of the header, and through those in it of the whole file.
    pub checksum: u64,
}

impl Header {
    pub(super) fn encode(
        &self,
        version: u32,
        file_bytes: u64,
        sections: usize,
        table_checksum: u64,
    ) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &version.to_le_bytes());
        put(12, &(HEADER_BYTES as u32).to_le_bytes());
        put(16, &file_bytes.to_le_bytes());
        put(24, &u64::from(self.count).to_le_bytes());
        put(32, &self.dimension.to_le_bytes());
        put(36, &[self.metric as u8, self.index_type as u8, vector_type(self.index_type), 0]);
        put(40, &self.seed.to_le_bytes());
        put(48, &(sections as u32).to_le_bytes());
        put(56, &table_checksum.to_le_bytes());
        let sum = checksum(&out[..HEADER_BYTES - 8]);
        out[HEADER_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<(Header, Frame)> {
        if !bytes.starts_with(&MAGIC) {
            return Err(foreign(bytes));
        }
        let mut c = Cursor::new(bytes, "the header");
        c.take(MAGIC.len())?;
        // The version comes before the checksum: a later version may lay out the rest differently.
        let version = c.u32()?;
        if !READABLE_VERSIONS.contains(&version) {
            return Err(Error::new(
                Code::UnsupportedVersion,
                format!(
                    "the file has format version {version}, but this elanus reads {} to {}; \
                     update elanus, or rebuild the file with this one",
                    READABLE_VERSIONS.start(),
                    READABLE_VERSIONS.end()
                ),
            ));
        }
        let stored = Cursor::new(bytes.get(HEADER_BYTES - 8..).unwrap_or_default(), "the header").u64()?;
        let computed = checksum(&bytes[..HEADER_BYTES - 8]);
        if stored != computed {
            return Err(Error::corrupt(format!(
                "the header's checksum is {stored:016x}, but its bytes have {computed:016x}; \
                 the file is damaged: fetch or build it again"
            )));
        }
        let header_bytes = c.u32()?;
        let file_bytes = c.u64()?;
        let count = c.u64()?;
        let dimension = c.u32()?;
        let (metric, index_type, vector_type, flags) = (c.u8()?, c.u8()?, c.u8()?, c.u8()?);
        let seed = c.u64()?;
        let sections = c.u32()? as usize;
        let reserved = c.u32()?;
        let table_checksum = c.u64()?;
        let zeros = c.take(HEADER_BYTES - 8 - c.position())?;

        if header_bytes as usize != HEADER_BYTES || reserved != 0 || zeros.iter().any(|&b| b != 0) {
            return Err(Error::corrupt(
                "the header's length or one of its reserved fields isn't what the format lays down; \
                 the file was written wrongly",
            ));
        }
        let index_type = IndexType::from_code(index_type)?;
        if vector_type != self::vector_type(index_type) || flags != 0 {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!("vector type {vector_type} with flags {flags:#x} is not known to this version; update elanus"),
            ));
        }
        let count = u32::try_from(count).map_err(|_| {
            Error::new(
                Code::UnsupportedFormat,
                format!("the file states {count} rows; one file holds at most {}", u32::MAX),
            )
        })?;
        let (allowed, fits) = match index_type {
            IndexType::SparseInvertedIndex => (0..=0, true),
            _ if index_type.is_binary() => (8..=BitsView::MAX_DIMENSION, bits::is_dimension(dimension as usize)),
            _ => (1..=MatrixView::MAX_DIMENSION, true),
        };
        if !fits || !allowed.contains(&(dimension as usize)) {
            return Err(Error::corrupt(format!(
                "the file states {dimension} dimensions; a {index_type} file has {} to {}{}",
                allowed.start(),
                allowed.end(),
                if index_type.is_binary() { ", a multiple of 8" } else { "" }
            )));
        }
        if sections > MAX_SECTIONS {
            return Err(Error::corrupt(format!(
                "the file states {sections} sections; there are {MAX_SECTIONS} at most"
            )));
        }
        let header = Header { count, dimension, metric: Metric::from_code(metric)?, index_type, seed };
        Ok((header, Frame { version, file_bytes, sections, table_checksum, checksum: stored }))
    }
}

/// What vectors are of, which the index type decides.
fn vector_type(index_type: IndexType) -> u8 {
    match index_type {
        IndexType::SparseInvertedIndex => VECTOR_TYPE_SPARSE,
        _ if index_type.is_binary() => VECTOR_TYPE_BINARY,
        _ => VECTOR_TYPE_F32,
    }
}

/// Names the usual things that arrive in place of an index file.
fn foreign(bytes: &[u8]) -> Error {
    let text = bytes.trim_ascii_start();
    let starts = |prefix: &[u8]| text.len() >= prefix.len() && text[..prefix.len()].eq_ignore_ascii_case(prefix);
    let what = if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Error::corrupt(format!(
            "the file ends after {} bytes, where a header of {HEADER_BYTES} was expected; \
             it is empty or truncated: fetch or build it again",
            bytes.len()
        ));
    } else if starts(b"<!doctype") || starts(b"<html") {
        "it is an HTML page, perhaps a server's answer for an address that doesn't exist: check the address"
    } else if starts(b"version https://git-lfs") {
        "it is a Git LFS pointer: fetch the file itself with `git lfs pull`"
    } else if bytes.starts_with(&[0x1F, 0x8B]) {
        "it is compressed with gzip: decompress it first, or let the server say Content-Encoding: gzip"
    } else if bytes.starts_with(b"\x93NUMPY") {
        "it is a NumPy array: build an index from it with `elanus build`"
    } else if bytes.starts_with(b"PAR1") {
        "it is a Parquet file: build an index from its column of vectors with `elanus build`"
    } else if bytes.starts_with(b"ARROW1") || bytes.starts_with(&[0xFF; 4]) {
        "it is an Arrow file: build an index from its column of vectors with `elanus build`"
    } else if bytes.starts_with(b"PK\x03\x04") {
        "it is an archive (.npz is one): build an index from its array of vectors with `elanus build`, or unpack it"
    } else if bytes.get(1..7) == Some(b"ELANUS") {
        "it was an index file, but a transfer took it for text and changed it: transfer it as binary"
    } else {
        "it starts with other bytes: check the address or the path"
    };
    Error::new(Code::UnsupportedFormat, format!("this is no .elanus index file; {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { count: 7, dimension: 3, metric: Metric::Ip, index_type: IndexType::Hnsw, seed: 0xDEAD_BEEF }
    }

    /// The header with some bytes replaced and its checksum made right again.
    fn forged(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut out = header().encode(1, 1024, 2, 5).to_vec();
        out[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = checksum(&out[..120]);
        out[120..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = header().encode(2, 1024, 2, 0x0123_4567_89AB_CDEF);
        let (read, frame) = Header::decode(&bytes).unwrap();
        assert_eq!(read, header());
        assert_eq!((frame.version, frame.file_bytes, frame.sections), (2, 1024, 2));
        assert_eq!(frame.table_checksum, 0x0123_4567_89AB_CDEF);
    }

    #[test]
    fn lies_under_a_valid_checksum_are_refused() {
        let cases: &[(usize, &[u8], Code)] = &[
            (8, &[0], Code::UnsupportedVersion),
            (8, &[*READABLE_VERSIONS.end() as u8 + 1], Code::UnsupportedVersion),
            (12, &[64], Code::CorruptFile),
            (24, &[0, 0, 0, 0, 1], Code::UnsupportedFormat),
            (32, &[0], Code::CorruptFile),
            (32, &[1, 128], Code::CorruptFile),
            (37, &[8, 0], Code::UnsupportedFormat),
            (37, &[8, 4], Code::CorruptFile),
            (36, &[9], Code::UnsupportedFormat),
            (37, &[200], Code::UnsupportedFormat),
            (38, &[1], Code::UnsupportedFormat),
            (39, &[1], Code::UnsupportedFormat),
            (48, &[65], Code::CorruptFile),
            (48, &[0xFF; 4], Code::CorruptFile),
            (52, &[1], Code::CorruptFile),
            (64, &[1], Code::CorruptFile),
            (119, &[1], Code::CorruptFile),
        ];
        for &(at, bytes, code) in cases {
            let error = Header::decode(&forged(at, bytes)).err();
            assert_eq!(error.map(|e| e.code), Some(code), "byte {at}");
        }
    }

    #[test]
    fn what_arrives_in_its_place_is_named() {
        let cases: &[(&[u8], Code, &str)] = &[
            (b"", Code::CorruptFile, "empty or truncated"),
            (b"\x89ELA", Code::CorruptFile, "empty or truncated"),
            (b"\n <!DOCTYPE html><html>", Code::UnsupportedFormat, "HTML"),
            (b"<html lang=en>", Code::UnsupportedFormat, "HTML"),
            (b"version https://git-lfs.github.com/spec/v1", Code::UnsupportedFormat, "git lfs pull"),
            (&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0], Code::UnsupportedFormat, "gzip"),
            (b"\x93NUMPY\x01\x00", Code::UnsupportedFormat, "elanus build"),
            (b"PAR1\x15\x04\x15\x00", Code::UnsupportedFormat, "Parquet file: build an index"),
            (b"ARROW1\x00\x00", Code::UnsupportedFormat, "Arrow file: build an index"),
            (b"\xFF\xFF\xFF\xFF\x90\x00\x00\x00", Code::UnsupportedFormat, "Arrow file: build an index"),
            (b"\x09ELANUS\n", Code::UnsupportedFormat, "as binary"),
            (b"\x89ELANUS\r\n", Code::UnsupportedFormat, "as binary"),
            (b"something", Code::UnsupportedFormat, "other bytes"),
        ];
        for (bytes, code, part) in cases {
            let error = Header::decode(bytes).err().unwrap();
            assert_eq!(error.code, *code, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
    }
}
