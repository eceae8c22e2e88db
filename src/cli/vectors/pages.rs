//! The heads of a Parquet column's pages, in the compact protocol of Thrift. The decoder allocates by what
//! they state; this sees to it that they state what can be.
//!
//! Of `PageHeader` in <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>:
//! field 2 is the size of the page without compression, 3 that with it; 5, 7 and 8 are structures of one
//! kind of page each, of which field 1 is the number of values.

use std::io::{Read, Seek, SeekFrom};

/// A page may be so large whatever it is packed into, and [`MAX_RATIO`] times as large as that.
const SMALL: u64 = 8 << 20;
const MAX_RATIO: u64 = 1024;

/// Structures within structures; there are three.
const MAX_DEPTH: usize = 8;

/// A structure of the format has fewer fields, and a list in a page's head fewer elements.
const MAX_PARTS: usize = 1 << 12;

type Said<T> = Result<T, String>;

/// The pages of one column of one row group.
pub struct Pages<R> {
    reader: R,
    /// Bytes of the column that haven't been walked over.
    left: u64,
}

/// What a page's head states.
#[derive(Debug, Default, PartialEq, Eq)]
struct Head {
    unpacked: u64,
    packed: u64,
    values: u64,
    is_data: bool,
}

impl<R: Read + Seek> Pages<R> {
    /// The pages in the next so many bytes of a reader.
    pub fn new(reader: R, bytes: u64) -> Self {
        Pages { reader, left: bytes }
    }

    /// Walks over all pages of a column of so many values.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn all(&mut self, values: u64) -> Said<()> {
        let mut seen = 0u64;
        while seen < values && self.left > 0 {
            let head = self.head()?;
            let most = SMALL.saturating_add(head.packed.saturating_mul(MAX_RATIO));
            if head.unpacked > most {
                return Err(format!("a page of {} bytes claims to unpack to {}", head.packed, head.unpacked));
            }
            if head.is_data {
                seen = seen.saturating_add(head.values);
            } else if head.values > head.unpacked {
                return Err(format!("a dictionary of {} bytes claims {} values", head.unpacked, head.values));
            }
            self.left = self.left.checked_sub(head.packed).ok_or("a page reaches past its column")?;
            let packed = i64::try_from(head.packed).map_err(|e| e.to_string())?;
            self.reader.seek(SeekFrom::Current(packed)).map_err(|e| e.to_string())?;
        }
        match seen == values {
            true => Ok(()),
            false => Err(format!("the pages of a column have {seen} values, where it states {values}")),
        }
    }

    fn head(&mut self) -> Said<Head> {
        let mut head = Head::default();
        let mut id = 0;
        for _ in 0..MAX_PARTS {
            let Some(kind) = self.field(&mut id)? else { return Ok(head) };
            match (id, kind) {
                (2, 5) => head.unpacked = self.size()?,
                (3, 5) => head.packed = self.size()?,
                (5 | 7 | 8, 12) => {
                    head.is_data = id != 7;
                    head.values = self.values()?;
                }
                _ => self.skip(kind, 0)?,
            }
        }
        Err("a page's head doesn't end".into())
    }

    /// Field 1 of a structure, which is passed over.
    fn values(&mut self) -> Said<u64> {
        let (mut id, mut values) = (0, 0);
        for _ in 0..MAX_PARTS {
            match self.field(&mut id)? {
                None => return Ok(values),
                Some(5) if id == 1 => values = self.size()?,
                Some(kind) => self.skip(kind, 1)?,
            }
        }
        Err("a page's head doesn't end".into())
    }

    /// The kind of the structure's next field, whose number goes to `id`; none at the end.
    fn field(&mut self, id: &mut i64) -> Said<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *id = match byte >> 4 {
            0 => self.signed()?,
            step => id.saturating_add(step.into()),
        };
        Ok(Some(byte & 15))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Said<()> {
        if depth > MAX_DEPTH {
            return Err("a page's head is nested too deeply".into());
        }
        match kind {
            // Booleans are in the kind itself.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.number().map(drop),
            7 => self.pass(8),
            8 => self.number().and_then(|length| self.pass(length)),
            9 | 10 => {
                let byte = self.byte()?;
                let count = if byte >> 4 == 15 { self.number()? } else { u64::from(byte >> 4) };
                if count > MAX_PARTS as u64 {
                    return Err("a page's head has too long a list".into());
                }
                // In a list, booleans have a byte each.
                let kind = if matches!(byte & 15, 1 | 2) { 3 } else { byte & 15 };
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            12 => {
                let mut id = 0;
                for _ in 0..MAX_PARTS {
                    match self.field(&mut id)? {
                        None => return Ok(()),
                        Some(kind) => self.skip(kind, depth + 1)?,
                    }
                }
                Err("a page's head doesn't end".into())
            }
            kind => Err(format!("a page's head has a field of kind {kind}")),
        }
    }

    fn pass(&mut self, bytes: u64) -> Said<()> {
        self.left = self.left.checked_sub(bytes).ok_or("a page's head reaches past its column")?;
        let passed = std::io::copy(&mut self.reader.by_ref().take(bytes), &mut std::io::sink());
        passed.map(drop).map_err(|e| e.to_string())
    }

    fn byte(&mut self) -> Said<u8> {
        self.left = self.left.checked_sub(1).ok_or("a page's head is cut off")?;
        let mut byte = [0];
        self.reader.read_exact(&mut byte).map_err(|e| e.to_string())?;
        Ok(byte[0])
    }

    fn number(&mut self) -> Said<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err("a page's head has a number of more than 64 bits".into())
    }

    fn signed(&mut self) -> Said<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn size(&mut self) -> Said<u64> {
        let number = self.signed()?;
        u64::try_from(number).ok().filter(|&n| n <= i32::MAX as u64).ok_or(format!("a page states a size of {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    /// A head of a data page: so many bytes unpacked and packed, so many values.
    fn page(unpacked: u64, packed: u64, values: u64) -> Vec<u8> {
        let mut out = vec![0x15, 0];
        for (tag, number) in [(0x15, unpacked), (0x15, packed), (0x2C, values)] {
            out.push(tag);
            // Field 1 of the structure that field 5 opens.
            out.extend((tag == 0x2C).then_some(0x15));
            let mut zigzag = number << 1;
            while zigzag > 127 {
                out.push(zigzag as u8 | 128);
                zigzag >>= 7;
            }
            out.push(zigzag as u8);
        }
        // Of the structure a boolean, a list of two booleans, and a text; then both end.
        out.extend([0x11, 0x19, 0x21, 1, 0, 0x18, 2, b'h', b'i', 0, 0]);
        out.extend(vec![7; packed.min(100) as usize]);
        out
    }

    fn walk(bytes: &[u8], values: u64) -> Said<()> {
        Pages::new(Cursor::new(bytes), bytes.len() as u64).all(values)
    }

    #[test]
    fn pages_are_walked_over_to_the_last_value() {
        let two = [page(1000, 50, 300), page(10, 20, 7)].concat();
        assert_eq!(walk(&two, 307), Ok(()));
        assert!(walk(&two, 308).unwrap_err().contains("307 values, where it states 308"));
        assert!(walk(&two, 306).unwrap_err().contains("307 values"));
        assert!(walk(&two[..two.len() - 1], 307).unwrap_err().contains("past its column"));
    }

    #[test]
    fn what_a_page_cant_be_is_refused() {
        assert_eq!(walk(&page(SMALL, 0, 3), 3), Ok(()));
        assert!(walk(&page(SMALL + 1, 0, 3), 3).unwrap_err().contains("claims to unpack"));
        assert!(walk(&page(1 << 31, 0, 3), 3).unwrap_err().contains("a size of"));
        assert!(walk(&[0x1C; 40], 3).unwrap_err().contains("nested"));
        assert!(
            walk(&[0x15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], 3).unwrap_err().contains("64 bits")
        );
        assert!(walk(&[0x18, 0xFF, 0x7F], 3).unwrap_err().contains("past its column"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200), values in 0..1000u64) {
            let _ = walk(&bytes, values);
        }
    }
}
