//! Bytes in: JavaScript streams a file straight into the buffer that the index will read.

#[cfg(feature = "web-foreign")]
use super::ForeignHandle;
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
use super::IndexHandle;
use super::thrown;
#[cfg(not(feature = "web-collection"))]
use super::told;
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
use crate::foreign::{self, Hints};
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
use crate::format::{Layout, MAGIC};
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
use crate::segment::Sealed;
#[cfg(not(feature = "web-foreign"))]
use crate::words::Blob;
use crate::words::{AlignedBuffer, Code, Error, Result};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

/// Reads the start of a file (header and section table; [`Layout::MAX_BYTES`] are always enough)
/// and says how many bytes the whole has, so that a download that can't become an index is given up
/// at its first bytes. `exact` is the file's length where it is known.
///
/// # Errors
/// Those of [`Layout::read`].
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
#[wasm_bindgen]
pub fn inspect(prefix: &[u8], exact: Option<f64>) -> std::result::Result<f64, JsValue> {
    let stated = prefix.get(16..24).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let file_bytes = exact.map(|n| n as u64).or(stated).unwrap_or(prefix.len() as u64);
    Layout::read(prefix, file_bytes).map_err(thrown)?;
    Ok(file_bytes as f64)
}

/// Whether a file that starts so may be another library's, which takes the other module to open.
///
/// # Errors
/// `INVALID_ARGUMENT` if `told` isn't `{ format, dimension, metric }`, or says something of an
/// `.elanus` file.
#[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
#[wasm_bindgen]
pub fn is_foreign(prefix: &[u8], exact: Option<f64>, told: JsValue) -> std::result::Result<bool, JsValue> {
    let hints = told::hints(told).map_err(thrown)?;
    if prefix.starts_with(&MAGIC) && hints != Hints::default() {
        return Err(thrown(Error::argument(
            "this is an .elanus file, which says itself what it holds: leave out format, dimension and metric",
        )));
    }
    Ok(foreign::may_be(prefix, exact.map(|n| n as u64), &hints))
}

/// Room for one file, at 64-byte alignment.
#[wasm_bindgen]
pub struct Loader {
    buffer: AlignedBuffer,
}

#[wasm_bindgen]
impl Loader {
    /// Room for `bytes` bytes, all zero.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` if they can't be had.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: f64) -> std::result::Result<Loader, JsValue> {
        Self::reserve(bytes).map_err(thrown)
    }

    fn reserve(bytes: f64) -> Result<Loader> {
        // No allocation of a 32-bit machine is larger.
        if bytes > f64::from(i32::MAX) {
            return Err(Error::new(
                Code::OutOfMemory,
                format!(
                    "the file has {} bytes; in 32-bit WebAssembly memory one file has {} at most: split it over several",
                    bytes as u64,
                    i32::MAX
                ),
            ));
        }
        Ok(Loader { buffer: AlignedBuffer::zeroed(bytes as usize)? })
    }

    /// Where the first byte goes.
    pub fn pointer(&self) -> *const u8 {
        self.buffer.as_ptr()
    }

    /// Reads bytes `from..to` of a file of the browser's own file system straight to where they
    /// belong: no copy of them is made on the way, and nothing waits for a stream.
    ///
    /// # Errors
    /// What the browser throws; `CORRUPT_FILE` if the file ends before `to`.
    pub fn read_file(
        &mut self,
        file: &FileSystemSyncAccessHandle,
        from: f64,
        to: f64,
    ) -> std::result::Result<(), JsValue> {
        // As far as there is room.
        let end = (to as usize).min(self.buffer.len());
        let target = &mut self.buffer.as_mut_slice()[(from as usize).min(end)..end];
        let (options, mut done) = (FileSystemReadWriteOptions::new(), 0);
        while done < target.len() {
            options.set_at(from + done as f64);
            let read = file.read_with_u8_array_and_options(&mut target[done..], &options)?;
            if read <= 0.0 {
                return Err(thrown(Error::corrupt(format!(
                    "{} bytes were to be read, but only {done} came; the file was cut while it was read: write it again",
                    target.len()
                ))));
            }
            done += read as usize;
        }
        Ok(())
    }

    /// Opens the file of another library that was written; all of it is checked.
    ///
    /// # Errors
    /// Those of [`foreign::Foreign::open`].
    #[cfg(feature = "web-foreign")]
    pub fn open_foreign(self, told: JsValue) -> std::result::Result<ForeignHandle, JsValue> {
        let hints = told::hints(told).map_err(thrown)?;
        ForeignHandle::open(self.buffer, &hints).map_err(thrown)
    }

    /// Opens the file that was written; with `verify`, after reading every byte of it.
    ///
    /// # Errors
    /// Those of [`Sealed::open`] and [`Sealed::verify`].
    #[cfg(not(any(feature = "web-foreign", feature = "web-collection")))]
    pub fn open(self, verify: bool) -> std::result::Result<IndexHandle, JsValue> {
        let sealed = Sealed::open(Blob::from(self.buffer)).map_err(thrown)?;
        if verify {
            sealed.verify().map_err(thrown)?;
        }
        Ok(IndexHandle::new(sealed))
    }
}

#[cfg(feature = "web-collection")]
impl Loader {
    /// The bytes that were written.
    pub(super) fn into_blob(self) -> Blob {
        Blob::from(self.buffer)
    }
}
