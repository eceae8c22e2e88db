//! The dictionary of a text index: terms, ascending bytewise, and where their posting lists are.
//!
//! Terms go in groups of sixteen. The first of a group is written whole, of the others only what
//! differs from the one before; so a look-up halves its way to a group and reads on from there.

use super::lists::put_varint;
use crate::text::analyzer::MAX_TERM_BYTES;
use crate::words::bytes::{as_bytes, cast};
use crate::words::{Blob, Cursor, Error, Result};
use std::cmp::Ordering;
use std::ops::Range;

/// Terms of a group.
const GROUP: usize = 16;

/// Writes the dictionary: terms ascending, with the bytes of their posting lists. Returns what
/// [`Terms::open`] takes: lists' starts, offsets, entries.
pub fn write<'a>(terms: impl Iterator<Item = (&'a str, usize)>) -> (Vec<u64>, Vec<u32>, Vec<u8>) {
    let (mut starts, mut offsets, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    let (mut list, mut before): (u64, &[u8]) = (0, &[]);
    for (i, (term, bytes)) in terms.enumerate() {
        let term = term.as_bytes();
        if i % GROUP == 0 {
            starts.push(list);
            offsets.push(entries.len() as u32);
            before = &[];
        }
        let shared = before.iter().zip(term).take_while(|(a, b)| a == b).count();
        entries.extend([shared as u8, (term.len() - shared) as u8]);
        entries.extend(&term[shared..]);
        put_varint(&mut entries, bytes as u32);
        (list, before) = (list + bytes as u64, term);
    }
    (starts, offsets, entries)
}

/// An opened dictionary.
#[derive(Debug, Clone)]
pub struct Terms {
    section: Blob,
    count: usize,
    starts: Range<usize>,
    offsets: Range<usize>,
    entries: Range<usize>,
}

/// One term of the dictionary.
struct Entry {
    term: Vec<u8>,
    list: Range<u64>,
}

impl Terms {
    /// The dictionary of so many terms that starts at `at` of the section and fills the rest of it.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the section is too short for it.
    pub fn open(section: Blob, at: usize, count: usize) -> Result<Self> {
        let groups = count.div_ceil(GROUP);
        let mut c = Cursor::new(&section, "the section terms");
        c.take(at)?;
        c.take(groups.saturating_mul(8))?;
        let offsets = c.position();
        c.take(groups * 4)?;
        let entries = c.position();
        Ok(Terms { count, starts: at..offsets, offsets: offsets..entries, entries: entries..section.len(), section })
    }

    /// Terms in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of the term and the bytes of its posting list, within the section of postings.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if what is read on the way is damaged.
    pub fn find(&self, term: &str) -> Result<Option<(usize, Range<u64>)>> {
        let (mut low, mut high) = (0, self.count.div_ceil(GROUP));
        while low < high {
            let middle = low + (high - low) / 2;
            let mut first = None;
            self.group(middle, |_, entry| {
                first = Some(entry.term.as_slice().cmp(term.as_bytes()));
                false
            })?;
            if first == Some(Ordering::Greater) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let mut found = None;
        if let Some(group) = low.checked_sub(1) {
            self.group(group, |i, entry| {
                if entry.term == term.as_bytes() {
                    found = Some((i, entry.list.clone()));
                }
                entry.term.as_slice() < term.as_bytes()
            })?;
        }
        Ok(found)
    }

    /// Gives each term of a group to `f`, until it says that it has enough. Returns the bytes read.
    fn group(&self, group: usize, mut f: impl FnMut(usize, &Entry) -> bool) -> Result<usize> {
        let start = cast::<u64>(&self.section[self.starts.clone()])?[group];
        let offset = cast::<u32>(&self.section[self.offsets.clone()])?[group] as usize;
        let entries = &self.section[self.entries.clone()];
        let mut c = Cursor::new(entries.get(offset..).unwrap_or_default(), "the dictionary of terms");
        let mut entry = Entry { term: Vec::new(), list: start..start };
        for i in group * GROUP..self.count.min((group + 1) * GROUP) {
            let (shared, own) = (c.u8()? as usize, c.u8()? as usize);
            if shared > entry.term.len() || shared + own > MAX_TERM_BYTES {
                return Err(Error::corrupt(format!("term {i} of the dictionary can't be read; the file is damaged")));
            }
            entry.term.truncate(shared);
            entry.term.extend(c.take(own)?);
            let bytes = super::lists::varint(&mut c)?;
            entry.list = entry.list.end..entry.list.end.saturating_add(bytes.into());
            if !f(i, &entry) {
                break;
            }
        }
        Ok(c.position())
    }

    /// Checks every number, and gives number, text and list of each term to `check`.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, and those of `check`.
    pub fn verify(&self, mut check: impl FnMut(Range<u64>) -> Result<()>) -> Result<()> {
        let mut terms: Vec<(String, usize)> = Vec::new();
        for group in 0..self.count.div_ceil(GROUP) {
            let mut checked = Ok(());
            self.group(group, |_, entry| {
                checked = check(entry.list.clone());
                let text = String::from_utf8_lossy(&entry.term).into_owned();
                terms.push((text, (entry.list.end - entry.list.start) as usize));
                checked.is_ok()
            })?;
            checked?;
        }
        // There is one right way to write a dictionary.
        let again = write(terms.iter().map(|(term, bytes)| (term.as_str(), *bytes)));
        let same = self.section[self.starts.clone()] == *as_bytes(&again.0)
            && self.section[self.offsets.clone()] == *as_bytes(&again.1)
            && self.section[self.entries.clone()] == *again.2;
        if !same || terms.windows(2).any(|pair| pair[0].0 >= pair[1].0) || terms.iter().any(|(t, _)| t.is_empty()) {
            return Err(Error::corrupt("the dictionary of terms isn't ascending or has gaps; the file is damaged"));
        }
        Ok(())
    }
}
