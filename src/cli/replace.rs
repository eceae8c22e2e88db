//! Writes files so that nobody ever sees half of one.

use crate::failure::{Failure, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The name of a file that isn't whole yet starts with this.
pub const UNFINISHED: &str = ".elanus-";

/// What a writer hands its pieces to.
pub type Sink<'a> = dyn FnMut(&[u8]) -> std::io::Result<()> + 'a;

/// Writes next to `path`, and renames when all is on the disk. What was there is replaced.
pub fn replace(path: &Path, write: impl FnOnce(&mut Sink<'_>) -> std::io::Result<u64>) -> Result<u64> {
    let io = |e: std::io::Error| Failure::io("write", path, &e);
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED).suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory).map_err(io)?;
    let mut buffered = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    let bytes = write(&mut |piece| buffered.write_all(piece)).map_err(io)?;
    buffered.flush().map_err(io)?;
    drop(buffered);
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    // The new name has to be on the disk as well; systems that can't sync a directory do that alone.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(bytes)
}

/// A new file, where there is none; `private` for its owner's eyes alone.
pub fn replace_new(path: &Path, bytes: &[u8], private: bool) -> Result<()> {
    let io = |e: std::io::Error| Failure::io("write", path, &e);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(path).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)
}

/// The same, of bytes that are at hand.
pub fn replace_with(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |sink| sink(bytes).map(|()| bytes.len() as u64)).map(drop)
}
