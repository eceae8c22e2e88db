//! Reads index files.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::segment::Sealed;
use elanus::words::{AlignedBuffer, Blob};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Opens an index file and verifies it, so that nothing is answered from a damaged one.
pub fn open(path: &Path, progress: Progress) -> Result<Sealed> {
    let named = |e| Failure::from(e).at(path.display());
    let sealed = Sealed::open(Blob::from(read(path, progress)?)).map_err(named)?;
    sealed.verify().map_err(named)?;
    Ok(sealed)
}

/// The bytes of a file.
pub fn read(path: &Path, progress: Progress) -> Result<AlignedBuffer> {
    read_all(&[path], progress)
}

/// The bytes of files, one behind the other.
pub fn read_all(paths: &[&Path], progress: Progress) -> Result<AlignedBuffer> {
    let mut files = Vec::new();
    for path in paths {
        let io = |e: std::io::Error| Failure::io("read", path, &e);
        let file = File::open(path).map_err(io)?;
        let length = usize::try_from(file.metadata().map_err(io)?.len()).unwrap_or(usize::MAX);
        files.push((file, length, path));
    }
    let all = files.iter().fold(0usize, |sum, (_, length, _)| sum.saturating_add(*length));
    let mut buffer = AlignedBuffer::zeroed(all)?;
    let bar = progress.bytes("reading the index", all as u64);
    let mut rest = buffer.as_mut_slice();
    for (mut file, length, path) in files {
        let (part, behind) = rest.split_at_mut(length);
        for chunk in part.chunks_mut(4 << 20) {
            file.read_exact(chunk).map_err(|e| Failure::io("read", path, &e))?;
            bar.inc(chunk.len() as u64);
        }
        rest = behind;
    }
    bar.finish_and_clear();
    Ok(buffer)
}
