//! The bytes of a file that are there: whole blocks, each checked when it came. Memory is what has come, not
//! what the file has.

use crate::format::{BLOCK_BYTES, Blocks, Checks};
use crate::words::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

#[derive(Debug)]
pub(super) struct Pages {
    blocks: Blocks,
    checks: Option<Checks>,
    held: BTreeMap<usize, Box<[u8]>>,
    bytes: usize,
}

impl Pages {
    /// None of a file of which these bytes are covered by checksums.
    pub fn new(covered: Range<u64>) -> Self {
        Pages { blocks: Blocks::new(covered), checks: None, held: BTreeMap::new(), bytes: 0 }
    }

    pub fn has_checks(&self) -> bool {
        self.checks.is_some()
    }

    /// Checks what comes from now on by these.
    pub fn set_checks(&mut self, checks: Checks) {
        self.checks = Some(checks);
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in the blocks that these bytes of the file have all of; how many there are. All or none. Those that lie in
    /// `others` are passed over.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one is damaged.
    pub fn take_in(&mut self, at: u64, bytes: &[u8], others: &[Range<u64>]) -> Result<usize> {
        let Some(checks) = &self.checks else { return Ok(0) };
        let all = self.blocks.within(at..at.saturating_add(bytes.len() as u64));
        let mut came = Vec::with_capacity(all.len());
        for block in all {
            let place = self.blocks.bytes(block..block + 1);
            if others.iter().any(|other| other.start <= place.start && place.end <= other.end) {
                continue;
            }
            checks.verify(place.start, &bytes[(place.start - at) as usize..(place.end - at) as usize])?;
            came.push((block, place));
        }
        let count = came.len();
        for (block, place) in came {
            let page: Box<[u8]> = bytes[(place.start - at) as usize..(place.end - at) as usize].into();
            self.bytes += page.len();
            self.bytes -= self.held.insert(block, page).map_or(0, |before| before.len());
        }
        Ok(count)
    }

    /// Lets go of all blocks. The checksums stay.
    pub fn clear(&mut self) {
        self.held.clear();
        self.bytes = 0;
    }

    /// Of these bytes of the file, those that aren't there, in whole blocks: sorted, and apart from each other.
    pub fn lacks(&self, places: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
        let wanted: BTreeSet<usize> = places
            .flat_map(|place| self.blocks.touched(place))
            .filter(|block| !self.held.contains_key(block))
            .collect();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for block in wanted {
            match runs.last_mut() {
                Some(last) if last.end == block => last.end += 1,
                _ => runs.push(block..block + 1),
            }
        }
        runs.into_iter().map(|blocks| self.blocks.bytes(blocks)).collect()
    }

    /// Copies bytes of the file.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if some aren't there.
    pub fn copy(&self, place: Range<u64>, mut out: &mut [u8]) -> Result<()> {
        let mut at = place.start;
        while at < place.end {
            let block = (at / BLOCK_BYTES) as usize;
            let page = self.held.get(&block).ok_or_else(|| {
                Error::argument(format!("bytes {} to {} of the file aren't there; feed them first", at, place.end))
            })?;
            let start = self.blocks.bytes(block..block + 1).start;
            let some = &page[(at - start) as usize..];
            let some = &some[..some.len().min((place.end - at) as usize)];
            let (now, later) = out.split_at_mut(some.len());
            now.copy_from_slice(some);
            (out, at) = (later, at + some.len() as u64);
        }
        Ok(())
    }
}
