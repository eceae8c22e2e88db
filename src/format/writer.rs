//! Writes a file: sections in, header, table and padding out.

use super::layout::{aligned, encode_entry};
use super::{Checks, ENTRY_BYTES, Entry, HEADER_BYTES, Header, Kind, MAX_SECTIONS, checksum};
use crate::words::bytes::ALIGNMENT;
use std::borrow::Cow;

/// A section to be written. Borrowed bytes aren't copied on their way to the file: a build over
/// f32 rows holds its vectors once.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Its bytes.
    pub bytes: Cow<'a, [u8]>,
}

/// Collects sections and lays them out. The same sections give the same bytes, in whatever order
/// they came.
#[derive(Debug, Clone)]
pub struct FileWriter<'a> {
    header: Header,
    sections: Vec<Section<'a>>,
}

impl<'a> FileWriter<'a> {
    /// A file with this header and no sections yet.
    pub fn new(header: Header) -> Self {
        FileWriter { header, sections: Vec::new() }
    }

    /// Adds a section. Panics if there is one of this kind already, or at the limit on sections:
    /// both are mistakes in the caller, never in its input.
    pub fn section(&mut self, kind: Kind, bytes: impl Into<Cow<'a, [u8]>>) {
        assert!(self.sections.iter().all(|s| s.kind != kind), "{kind} is written twice");
        assert!(self.sections.len() < MAX_SECTIONS, "more than {MAX_SECTIONS} sections");
        self.sections.push(Section { kind, bytes: bytes.into() });
    }

    /// Takes a section out again.
    pub fn take(&mut self, kind: Kind) -> Option<Cow<'a, [u8]>> {
        let at = self.sections.iter().position(|section| section.kind == kind)?;
        Some(self.sections.remove(at).bytes)
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes of a section that was added.
    pub fn bytes_of(&self, kind: Kind) -> Option<&[u8]> {
        self.sections.iter().find(|section| section.kind == kind).map(|section| &section.bytes[..])
    }

    /// Adds the checksums of blocks, by which ranges of the file can be trusted. All other sections are
    /// there already: one that is added later isn't covered, and its place in the table moves what is.
    pub fn with_checks(mut self) -> Self {
        self.sections.sort_by_key(|s| s.kind);
        let start = align((HEADER_BYTES + (self.sections.len() + 1) * ENTRY_BYTES) as u64);
        let covered = self.sections.iter().filter(|s| s.kind < Kind::CHECKS);
        let checks = Checks::encode(start, covered.flat_map(|section| [&section.bytes[..], padding(&section.bytes)]));
        self.section(Kind::CHECKS, checks);
        self
    }

    /// How many bytes the file has.
    pub fn file_bytes(&self) -> u64 {
        let start = align((HEADER_BYTES + self.sections.len() * ENTRY_BYTES) as u64);
        self.sections.iter().fold(start, |at, section| align(at + section.bytes.len() as u64))
    }

    /// Gives the file to `sink`, piece by piece from the first byte to the last, and stops at its
    /// first error. Returns the file's length.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn write<E>(mut self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<u64, E> {
        self.sections.sort_by_key(|s| s.kind);
        let mut at = align((HEADER_BYTES + self.sections.len() * ENTRY_BYTES) as u64);
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY_BYTES);
        for section in &self.sections {
            let length = section.bytes.len() as u64;
            let checksum = checksum(&section.bytes);
            table.extend(encode_entry(&Entry { kind: section.kind, offset: at, length, checksum }));
            at = align(at + length);
        }
        let version = self.sections.iter().map(|section| section.kind.since()).max().unwrap_or(1);
        let mut head = self.header.encode(version, at, self.sections.len(), checksum(&table)).to_vec();
        head.append(&mut table);
        pad(&head, &mut sink)?;
        for section in &self.sections {
            pad(&section.bytes, &mut sink)?;
        }
        Ok(at)
    }

    /// The whole file in memory.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.file_bytes() as usize);
        let Ok(_) = self.write(|piece| {
            out.extend_from_slice(piece);
            Ok::<_, std::convert::Infallible>(())
        });
        out
    }
}

/// Lengths of things in memory: their sum can't pass 2⁶⁴.
fn align(at: u64) -> u64 {
    aligned(at).unwrap_or(u64::MAX)
}

fn pad<E>(bytes: &[u8], sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    if !bytes.is_empty() {
        sink(bytes)?;
    }
    match padding(bytes) {
        [] => Ok(()),
        zeros => sink(zeros),
    }
}

/// The zeros that follow these bytes.
fn padding(bytes: &[u8]) -> &'static [u8] {
    &[0; ALIGNMENT][..bytes.len().next_multiple_of(ALIGNMENT) - bytes.len()]
}
