//! Reads a foreign file from the front. Arrays stay in the file's own buffer.

use crate::words::bytes::{Number, cast};
use crate::words::{Cursor, Error, Result};

/// Where an array lies in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The first byte.
    pub(super) start: usize,
    /// Number of bytes.
    pub(super) len: usize,
}

impl Span {
    /// The array's bytes. `file` is the buffer that the span was read from, all of it.
    #[inline]
    pub(super) fn bytes(self, file: &[u8]) -> &[u8] {
        &file[self.start..self.start + self.len]
    }

    /// The array's numbers, which were read by [`Reader::numbers`] or are bytes.
    #[inline]
    pub(super) fn numbers<T: Number>(self, file: &[u8]) -> &[T] {
        cast(self.bytes(file)).unwrap_or_default()
    }

    /// The `i`-th part of `len` bytes.
    #[inline]
    pub(super) fn part(self, i: usize, len: usize) -> Span {
        Span { start: self.start + i * len, len }
    }
}

/// A 64-bit number at any address. Panics past the end.
#[inline]
pub(super) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(number)
}

/// Reads from the front of a buffer that starts at a multiple of 8; each read is checked.
///
/// Foreign files don't align their arrays. An array of floats that doesn't lie at a multiple of its
/// numbers' size is moved down to one, over the bytes of the count before it, which have been read.
/// So nothing is held twice, and kernels get the slices that they want.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a mut [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of `file`, which errors will call `what`.
    pub(super) fn new(file: &'a mut [u8], what: &'static str) -> Self {
        Reader { file, at: 0, what }
    }

    /// Bytes left.
    pub(super) fn remaining(&self) -> usize {
        self.file.len() - self.at
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut Cursor<'_>) -> Result<T>) -> Result<T> {
        let mut cursor = Cursor::new(&self.file[self.at..], self.what);
        let value = read(&mut cursor)?;
        self.at += cursor.position();
        Ok(value)
    }

    /// The next byte.
    pub(super) fn u8(&mut self) -> Result<u8> {
        self.read(|cursor| cursor.u8())
    }

    /// The next byte, 0 or 1.
    pub(super) fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(format!("{other} where 0 or 1 was expected"))),
        }
    }

    /// The next four bytes.
    pub(super) fn i32(&mut self) -> Result<i32> {
        self.read(|cursor| cursor.u32().map(|n| n as i32))
    }

    /// The next four bytes, as they are.
    pub(super) fn tag(&mut self) -> Result<[u8; 4]> {
        self.read(|cursor| cursor.u32().map(u32::to_le_bytes))
    }

    /// The next four bytes, as a float.
    pub(super) fn f32(&mut self) -> Result<f32> {
        self.read(|cursor| cursor.f32())
    }

    /// The next eight bytes, as a size.
    pub(super) fn size(&mut self) -> Result<usize> {
        self.read(|cursor| cursor.size())
    }

    /// The next four bytes, as a size.
    pub(super) fn size32(&mut self) -> Result<usize> {
        let value = self.i32()?;
        usize::try_from(value).map_err(|_| self.corrupt(format!("the size {value}")))
    }

    /// The next `n` bytes, wherever they lie.
    pub(super) fn span(&mut self, n: usize) -> Result<Span> {
        let start = self.at;
        self.read(|cursor| cursor.take(n).map(|_| ()))?;
        Ok(Span { start, len: n })
    }

    /// The next `count` things of `size` bytes, wherever they lie.
    pub(super) fn spans(&mut self, count: usize, size: usize) -> Result<Span> {
        match count.checked_mul(size) {
            Some(n) => self.span(n),
            None => Err(self.corrupt(format!("a claim of {count} × {size} bytes"))),
        }
    }

    /// The next `n` bytes, moved down to where numbers of `T` may lie. What was read right before
    /// must be a number of 8 bytes, or other bytes that nothing refers to.
    pub(super) fn aligned<T: Number>(&mut self, n: usize) -> Result<Span> {
        let span = self.span(n)?;
        let down = span.start % size_of::<T>();
        self.file.copy_within(span.start..span.start + n, span.start - down);
        Ok(Span { start: span.start - down, len: n })
    }

    /// The next array: how many numbers as 8 bytes, then the numbers, ready for
    /// [`Span::numbers`].
    pub(super) fn numbers<T: Number>(&mut self) -> Result<Span> {
        let count = self.size()?;
        match count.checked_mul(size_of::<T>()) {
            Some(n) if n <= self.remaining() => self.aligned::<T>(n),
            _ => Err(self.corrupt(format!("an array of {count} numbers, with {} bytes left", self.remaining()))),
        }
    }

    /// What has been read so far and what is still to come.
    pub(super) fn file(&self) -> &[u8] {
        self.file
    }

    /// Where the next byte is read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// A damaged file: what was found.
    pub(super) fn corrupt(&self, found: impl std::fmt::Display) -> Error {
        Error::corrupt(format!(
            "{} holds {found} before byte {}; the file is damaged, or not what it seems",
            self.what, self.at
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{AlignedBuffer, Code};

    #[test]
    fn arrays_come_to_lie_where_their_numbers_may() {
        for lead in 0..8 {
            let mut bytes = vec![9; lead];
            bytes.extend(3u64.to_le_bytes());
            bytes.extend([1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()));
            bytes.push(7);
            let mut file = AlignedBuffer::copy_of(&bytes).unwrap();
            let mut reader = Reader::new(file.as_mut_slice(), "the test");
            reader.span(lead).unwrap();
            let span = reader.numbers::<f32>().unwrap();
            assert_eq!((reader.u8(), reader.remaining()), (Ok(7), 0));
            assert_eq!(span.numbers::<f32>(&file), [1.0, 2.0, 3.0], "{lead}");
        }
    }

    #[test]
    fn counts_are_checked_before_they_are_used() {
        for count in [3, u64::MAX, u64::MAX / 4 + 2, 1 << 32] {
            let mut bytes = count.to_le_bytes().to_vec();
            bytes.extend([0; 8]);
            let mut file = AlignedBuffer::copy_of(&bytes).unwrap();
            let mut reader = Reader::new(file.as_mut_slice(), "the test");
            assert_eq!(reader.numbers::<f32>().unwrap_err().code, Code::CorruptFile);
        }
        let mut file = AlignedBuffer::copy_of(&[2, 0, 0, 0, 0xFF]).unwrap();
        let mut reader = Reader::new(file.as_mut_slice(), "the test");
        assert_eq!(reader.bool().unwrap_err().code, Code::CorruptFile);
        assert_eq!(reader.spans(usize::MAX, 8).unwrap_err().code, Code::CorruptFile);
        assert_eq!(reader.size32().unwrap_err().code, Code::CorruptFile);
    }
}
