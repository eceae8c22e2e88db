//! The files of a collection as an edge keeps them, with writes that end in their middle.

use crate::collection::log::log_head;
use crate::collection::store::Replayed;
use crate::collection::{Collection, Manifest, Schema, Write};
use crate::words::{Blob, Result};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) manifests: [Option<Vec<u8>>; 2],
    pub(super) logs: BTreeMap<u64, Vec<u8>>,
    pub(super) segments: BTreeMap<u64, Vec<u8>>,
}

/// How many bytes of the next write reach the disk before the browser is gone.
pub(super) type Kill = Option<usize>;

impl Disk {
    pub(super) fn create(schema: Schema) -> Result<(Disk, Collection)> {
        let collection = Collection::create(schema)?;
        let mut disk = Disk::default();
        disk.logs.insert(0, log_head(0));
        disk.write_manifest(&collection.manifest(), None);
        Ok((disk, collection))
    }

    /// Puts bytes over those that are there, up to where the browser is killed; whether all came.
    fn put(file: &mut Vec<u8>, bytes: &[u8], at: usize, kill: Kill) -> bool {
        let part = &bytes[..kill.unwrap_or(bytes.len()).min(bytes.len())];
        file.resize(file.len().max(at + part.len()), 0);
        file[at..at + part.len()].copy_from_slice(part);
        part.len() == bytes.len()
    }

    pub(super) fn append(&mut self, log: u64, write: &Write, kill: Kill) -> bool {
        let file = self.logs.entry(log).or_default();
        assert!(write.bytes().is_empty() || file.len() as u64 == write.at());
        Self::put(file, write.bytes(), write.at() as usize, kill)
    }

    pub(super) fn start_log(&mut self, log: u64, kill: Kill) -> bool {
        Self::put(self.logs.entry(log).or_default(), &log_head(log), 0, kill)
    }

    pub(super) fn write_segment(&mut self, file: u64, bytes: &[u8], kill: Kill) -> bool {
        let place = self.segments.entry(file).or_default();
        place.clear();
        Self::put(place, bytes, 0, kill)
    }

    pub(super) fn write_manifest(&mut self, manifest: &Manifest, kill: Kill) -> bool {
        let slot = self.manifests[manifest.sequence as usize % 2].get_or_insert_default();
        Self::put(slot, &manifest.encode(), 0, kill)
    }

    /// Removes what the manifest doesn't speak of.
    pub(super) fn sweep(&mut self, manifest: &Manifest) {
        self.logs.retain(|&log, _| log >= manifest.first_log);
        self.segments.retain(|&file, _| manifest.segments.iter().any(|segment| segment.file == file));
    }

    /// Opens the collection as an edge does: cuts torn tails, sweeps, and says what was cut.
    pub(super) fn open(&mut self) -> Result<(Collection, Vec<Replayed>)> {
        let manifest = Manifest::newest(self.manifests.each_ref().map(|file| file.as_deref()))?;
        self.sweep(&manifest);
        let files = manifest.segments.iter().map(|entry| Blob::copy_of(&self.segments[&entry.file]));
        let mut collection = Collection::open(manifest.clone(), files.collect::<Result<_>>()?)?;
        let mut replayed = Vec::new();
        for (&number, bytes) in &mut self.logs {
            let one = collection.replay(number, bytes)?;
            bytes.truncate(one.keep as usize);
            if one.keep == 0 {
                *bytes = log_head(number);
            }
            assert_eq!(bytes.len() as u64, collection.log_bytes());
            replayed.push(one);
        }
        Ok((collection, replayed))
    }
}
