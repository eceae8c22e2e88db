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
    let io = |e: std::io::Error| Failure::io("read", path, &e);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut buffer = AlignedBuffer::zeroed(usize::try_from(length).unwrap_or(usize::MAX))?;
    let bar = progress.bytes("reading the index", length);
    for chunk in buffer.as_mut_slice().chunks_mut(4 << 20) {
        file.read_exact(chunk).map_err(io)?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(buffer)
}
