//! Bytes of an index: an aligned buffer, cheap shared slices of it, a checked cursor, and the casts
//! from bytes to numbers. With `distance/` the only place that holds `unsafe`.

use super::{Code, Error, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(target_endian = "big")]
compile_error!("index files are little-endian and are read in place; big-endian machines are not supported");

/// Sections of an index file start at multiples of this, and so do buffers.
pub const ALIGNMENT: usize = 64;

/// Owned bytes whose first one lies at a multiple of [`ALIGNMENT`].
pub struct AlignedBuffer {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the buffer owns its bytes alone; they have no thread affinity.
unsafe impl Send for AlignedBuffer {}
// SAFETY: shared access is read-only.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// `len` zero bytes.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` if they can't be had.
    pub fn zeroed(len: usize) -> Result<Self> {
        let out_of_memory =
            || Error::new(Code::OutOfMemory, format!("{len} bytes of memory could not be had; nothing was changed"));
        let layout = Self::layout(len).ok_or_else(out_of_memory)?;
        // SAFETY: `layout` never has size 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(out_of_memory)?;
        Ok(AlignedBuffer { start, len })
    }

    /// A copy of these parts, one behind the other.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` if the memory can't be had.
    pub fn concat(parts: &[&[u8]]) -> Result<Self> {
        let mut buffer = Self::zeroed(parts.iter().map(|part| part.len()).sum())?;
        let mut rest = buffer.as_mut_slice();
        for part in parts {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        Ok(buffer)
    }

    /// A copy of `bytes`.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` if the memory can't be had.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        Self::concat(&[bytes])
    }

    /// The bytes, to be filled.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `start` points to `len` initialised bytes that `self` owns and borrows mutably here.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Where the bytes lie. A host that fills the buffer from outside (JavaScript) needs it.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    fn layout(len: usize) -> Option<Layout> {
        Layout::from_size_align(len.max(1), ALIGNMENT).ok()
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points to `len` initialised bytes that `self` owns.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.len) {
            // SAFETY: allocated in `zeroed` with this same layout, and freed once.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// A shared, read-only run of bytes: a slice that keeps its buffer alive. Cloning and slicing copy
/// no bytes.
#[derive(Clone)]
pub struct Blob {
    buffer: Arc<AlignedBuffer>,
    range: Range<usize>,
}

impl Blob {
    /// A copy of `bytes`, aligned.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` if the memory can't be had.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        AlignedBuffer::copy_of(bytes).map(Blob::from)
    }

    /// The bytes `range` of this one.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if they reach past the end.
    pub fn slice(&self, range: Range<usize>) -> Result<Blob> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::corrupt(format!(
                "bytes {}..{} were asked for, but there are {}; the file is truncated or damaged",
                range.start,
                range.end,
                self.len()
            )));
        }
        let start = self.range.start + range.start;
        Ok(Blob { buffer: self.buffer.clone(), range: start..start + range.len() })
    }

    /// The bytes, to be changed; `None` while another slice of the buffer is alive.
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        let range = self.range.clone();
        Arc::get_mut(&mut self.buffer).map(|buffer| &mut buffer.as_mut_slice()[range])
    }

    /// The bytes as numbers, in place.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the length is no whole number of them or the start isn't aligned.
    pub fn as_numbers<T: Number>(&self) -> Result<&[T]> {
        cast(self)
    }
}

impl From<AlignedBuffer> for Blob {
    fn from(buffer: AlignedBuffer) -> Self {
        let range = 0..buffer.len();
        Blob { buffer: Arc::new(buffer), range }
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Plain numbers for which every bit pattern is a value.
pub trait Number: Copy + sealed::Sealed + 'static {}

macro_rules! numbers {
    ($($t:ty),+) => { $(impl sealed::Sealed for $t {} impl Number for $t {})+ };
}
numbers!(u8, i8, u16, u32, i32, f32, u64, i64, f64);

/// Bytes as numbers, in place.
///
/// # Errors
/// `CORRUPT_FILE` if the length is no whole number of them or the start isn't aligned.
pub fn cast<T: Number>(bytes: &[u8]) -> Result<&[T]> {
    let size = size_of::<T>();
    if !bytes.len().is_multiple_of(size) || bytes.as_ptr().align_offset(align_of::<T>()) != 0 {
        return Err(Error::corrupt(format!(
            "{} bytes can't be read as {size}-byte numbers: the length or the alignment is wrong",
            bytes.len()
        )));
    }
    // SAFETY: aligned and a whole number of elements (checked above); `Number` is sealed to types
    // that any bit pattern is valid for; the lifetime is that of `bytes`.
    Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size) })
}

/// Numbers as their little-endian bytes, in place.
pub fn as_bytes<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: `Number` types have no padding; u8 has no alignment; the lifetime is that of `numbers`.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Reads little-endian values from the front of a slice, each read checked.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// A cursor over `bytes`, which errors will call `what`.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Cursor { bytes, at: 0, what }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.remaining() {
            return Err(Error::corrupt(format!(
                "{} ends after {} bytes, where {n} more were expected at byte {}; the file is truncated or damaged",
                self.what,
                self.bytes.len(),
                self.at
            )));
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    /// The next byte.
    ///
    /// # Errors
    /// `CORRUPT_FILE` at the end.
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|b| b[0])
    }

    /// The next two bytes.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer.
    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next four bytes, as a float.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer.
    pub fn f32(&mut self) -> Result<f32> {
        self.array().map(f32::from_le_bytes)
    }

    /// The next eight bytes, as a size that must fit this machine.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are fewer or the number doesn't fit.
    pub fn size(&mut self) -> Result<usize> {
        let value = self.u64()?;
        usize::try_from(value).map_err(|_| {
            Error::corrupt(format!("{} states a size of {value}, more than this machine can address", self.what))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_sliced_without_copies() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let blob = Blob::copy_of(&vec![7; len]).unwrap();
            assert_eq!(blob.as_ptr().align_offset(ALIGNMENT), 0);
            assert_eq!((blob.len(), blob.iter().all(|&b| b == 7)), (len, true));
        }
        let blob = Blob::copy_of(&[0, 1, 2, 3, 4]).unwrap();
        let inner = blob.slice(1..4).unwrap().slice(1..3).unwrap();
        assert_eq!(&inner[..], &[2, 3]);
        assert_eq!(inner.as_ptr(), blob[2..].as_ptr());
        assert_eq!(inner.slice(1..3).unwrap_err().code, Code::CorruptFile);
    }

    #[test]
    fn casts_check_length_and_alignment() {
        let blob = Blob::copy_of(as_bytes(&[1.5f32, -2.0])).unwrap();
        assert_eq!(blob.as_numbers::<f32>().unwrap(), &[1.5, -2.0]);
        assert!(blob.slice(0..7).unwrap().as_numbers::<f32>().is_err());
        assert!(blob.slice(1..5).unwrap().as_numbers::<f32>().is_err());
    }

    #[test]
    fn a_cursor_never_reads_past_the_end() {
        let bytes = [1, 0, 2, 0, 0, 0, 3];
        let mut c = Cursor::new(&bytes, "the test");
        assert_eq!((c.u16(), c.u32(), c.u8()), (Ok(1), Ok(2), Ok(3)));
        assert_eq!((c.remaining(), c.position()), (0, 7));
        assert_eq!(c.u8().unwrap_err().code, Code::CorruptFile);
        assert_eq!(Cursor::new(&bytes, "the test").u64().unwrap_err().code, Code::CorruptFile);
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        assert_eq!(AlignedBuffer::zeroed(usize::MAX).err().unwrap().code, Code::OutOfMemory);
    }
}
