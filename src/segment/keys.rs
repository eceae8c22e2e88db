//! Primary keys: row to key by position, key to row by binary search.

use crate::words::bytes::as_bytes;
use crate::words::say::quoted;
use crate::words::{Blob, Code, Cursor, Error, Result, order};
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

const INT64: u32 = 1;
const VARCHAR: u32 = 2;
const HEAD: usize = 8;

/// What a caller knows a row by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A number.
    Int64(i64),
    /// A text.
    VarChar(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int64(key) => write!(f, "{key}"),
            Key::VarChar(key) => quoted(key).fmt(f),
        }
    }
}

/// The keys that a build is given, one a row, in row order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PrimaryKeys {
    /// Row numbers are the keys; nothing is stored.
    #[default]
    RowNumbers,
    /// Numbers.
    Int64(Vec<i64>),
    /// Texts.
    VarChar(Vec<String>),
}

impl PrimaryKeys {
    /// Refuses keys that `count` rows can't have.
    ///
    /// # Errors
    /// `INVALID_INPUT` if there is another number of keys, or if two are equal.
    pub fn check(&self, count: usize) -> Result<()> {
        let len = match self {
            PrimaryKeys::RowNumbers => return Ok(()),
            PrimaryKeys::Int64(keys) => keys.len(),
            PrimaryKeys::VarChar(keys) => keys.len(),
        };
        if len != count {
            return Err(Error::new(
                Code::InvalidInput,
                format!("there are {count} vectors but {len} keys; give one key a vector"),
            ));
        }
        match self {
            PrimaryKeys::RowNumbers => Ok(()),
            PrimaryKeys::Int64(keys) => refuse_duplicates(keys),
            PrimaryKeys::VarChar(keys) => refuse_duplicates(keys),
        }
    }

    /// The keys in another order: the first is now that of row `order[0]`. Row numbers stay what
    /// they are, for they say nothing of an order.
    pub fn reordered(self, order: &[u32]) -> Self {
        match self {
            PrimaryKeys::RowNumbers => PrimaryKeys::RowNumbers,
            PrimaryKeys::Int64(keys) => PrimaryKeys::Int64(order.iter().map(|&row| keys[row as usize]).collect()),
            PrimaryKeys::VarChar(mut keys) => {
                PrimaryKeys::VarChar(order.iter().map(|&row| std::mem::take(&mut keys[row as usize])).collect())
            }
        }
    }

    /// The section for `count` rows, or `None` if row numbers are the keys.
    ///
    /// # Errors
    /// `INVALID_INPUT` if there is another number of keys, if two are equal, or if they are too long.
    pub fn encode(&self, count: usize) -> Result<Option<Vec<u8>>> {
        self.check(count)?;
        let tag = match self {
            PrimaryKeys::RowNumbers => return Ok(None),
            PrimaryKeys::Int64(_) => INT64,
            PrimaryKeys::VarChar(_) => VARCHAR,
        };
        let mut out = Vec::with_capacity(HEAD + 8 * count);
        out.extend(tag.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        match self {
            PrimaryKeys::RowNumbers => {}
            PrimaryKeys::Int64(keys) => out.extend(as_bytes(keys)),
            PrimaryKeys::VarChar(keys) => {
                let mut end = 0u32;
                out.extend(end.to_le_bytes());
                for (row, key) in keys.iter().enumerate() {
                    end = u32::try_from(key.len()).ok().and_then(|len| end.checked_add(len)).ok_or_else(|| {
                        Error::new(
                            Code::InvalidInput,
                            format!("the keys up to row {row} have more than 4 GiB of text; use shorter ones"),
                        )
                    })?;
                    out.extend(end.to_le_bytes());
                }
                keys.iter().for_each(|key| out.extend(key.as_bytes()));
            }
        }
        Ok(Some(out))
    }
}

fn refuse_duplicates<K: Ord + fmt::Debug>(keys: &[K]) -> Result<()> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by(|&a, &b| keys[a].cmp(&keys[b]).then(a.cmp(&b)));
    // Of several, name the one that a reader of the input meets first.
    match order.windows(2).filter(|pair| keys[pair[0]] == keys[pair[1]]).map(|pair| (pair[1], pair[0])).min() {
        None => Ok(()),
        Some((second, first)) => Err(Error::new(
            Code::InvalidInput,
            format!("rows {first} and {second} both have the key {:?}; keys must be unique", keys[first]),
        )),
    }
}

/// How keys lie in a section of which only parts are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPlaces {
    Numbers,
    /// Offsets, and text from this byte on to the section's end.
    Texts {
        text: u64,
        end: u64,
    },
}

impl KeyPlaces {
    /// The bytes that say which it is.
    pub(super) const HEAD: Range<u64> = 0..HEAD as u64;

    /// What a section of so many bytes that starts so has.
    pub(super) fn open(head: &[u8], section_bytes: u64, count: u32) -> Result<Self> {
        let mut c = Cursor::new(head, "the section keys");
        let text = HEAD as u64 + 4 * (u64::from(count) + 1);
        match (c.u32()?, c.u32()?) {
            (INT64, 0) if section_bytes == HEAD as u64 + 8 * u64::from(count) => Ok(KeyPlaces::Numbers),
            (VARCHAR, 0) if section_bytes >= text => Ok(KeyPlaces::Texts { text, end: section_bytes }),
            (tag, _) => Err(Error::corrupt(format!(
                "the section keys is of type {tag} and has {section_bytes} bytes, which doesn't fit {count} keys; \
                 the file was written wrongly"
            ))),
        }
    }

    /// Where a row's key is, or where it says where its text is.
    pub(super) fn of(&self, row: u32) -> Range<u64> {
        let row = u64::from(row);
        match self {
            KeyPlaces::Numbers => HEAD as u64 + 8 * row..HEAD as u64 + 8 * (row + 1),
            KeyPlaces::Texts { .. } => HEAD as u64 + 4 * row..HEAD as u64 + 4 * (row + 2),
        }
    }

    /// Where the text of a key is, whose place has these bytes; `None` for a number.
    pub(super) fn text(&self, place: &[u8], row: u32) -> Result<Option<Range<u64>>> {
        let KeyPlaces::Texts { text, end } = *self else { return Ok(None) };
        let mut c = Cursor::new(place, "the keys' offsets");
        let (from, to) = (text + u64::from(c.u32()?), text + u64::from(c.u32()?));
        if from > to || to > end {
            return Err(Error::corrupt(format!("the key of row {row} lies in bytes {from} to {to} of {end}")));
        }
        Ok(Some(from..to))
    }

    /// A row's key, from the bytes of its place or of its text.
    pub(super) fn key(&self, bytes: Vec<u8>, row: u32) -> Result<Key> {
        match self {
            KeyPlaces::Numbers => Cursor::new(&bytes, "a key").u64().map(|key| Key::Int64(key.cast_signed())),
            KeyPlaces::Texts { .. } => match String::from_utf8(bytes) {
                Ok(text) => Ok(Key::VarChar(text)),
                Err(_) => Err(Error::corrupt(format!("the key of row {row} isn't UTF-8; the file is damaged"))),
            },
        }
    }
}

/// The keys of an opened file.
#[derive(Debug)]
pub struct Keys {
    stored: Stored,
    count: u32,
    /// How to find a key: worked out when the first one is looked for.
    order: OnceLock<Order>,
}

#[derive(Debug)]
enum Stored {
    RowNumbers,
    /// The numbers that rows were given by, where they lie in another order.
    Order(Blob),
    Int64(Blob),
    VarChar {
        ends: Blob,
        text: Blob,
    },
}

#[derive(Debug)]
enum Order {
    /// Keys ascend with their rows: no memory is needed to search them.
    Ascending,
    /// Rows in ascending order of their keys.
    Sorted(Vec<u32>),
}

impl Keys {
    /// Opens the section for `count` rows; without a section, the numbers that rows were given by are
    /// the keys: those of `order`, or else their own. Looks at the section's ends only.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the section hasn't the length that `count` keys have.
    pub fn open(section: Option<Blob>, order: Option<&Blob>, count: u32) -> Result<Self> {
        let stored = match (section, order) {
            (None, None) => Stored::RowNumbers,
            (None, Some(order)) if order.len() as u64 == 4 * u64::from(count) => Stored::Order(order.clone()),
            (None, Some(order)) => {
                let bytes = order.len();
                return Err(Error::corrupt(format!("the order of {count} rows can't have {bytes} bytes")));
            }
            (Some(section), _) => {
                let mut c = Cursor::new(&section, "the section keys");
                let (tag, reserved) = (c.u32()?, c.u32()?);
                let body = section.slice(HEAD..section.len())?;
                let rows = count as usize;
                match (tag, reserved) {
                    (INT64, 0) if body.len() as u64 == 8 * u64::from(count) => Stored::Int64(body),
                    (VARCHAR, 0) if body.len() as u64 >= 4 * (u64::from(count) + 1) => {
                        let split = 4 * (rows + 1);
                        let (ends, text) = (body.slice(0..split)?, body.slice(split..body.len())?);
                        let numbers = ends.as_numbers::<u32>()?;
                        if numbers[0] != 0 || numbers[rows] as usize != text.len() {
                            return Err(Error::corrupt(format!(
                                "the keys' offsets run from {} to {}, but their text has {} bytes",
                                numbers[0],
                                numbers[rows],
                                text.len()
                            )));
                        }
                        Stored::VarChar { ends, text }
                    }
                    _ => {
                        return Err(Error::corrupt(format!(
                            "the section keys is of type {tag} and has {} bytes, which doesn't fit {count} keys; \
                             the file was written wrongly",
                            section.len()
                        )));
                    }
                }
            }
        };
        Ok(Keys { stored, count, order: OnceLock::new() })
    }

    /// Whether keys are texts.
    pub fn are_varchar(&self) -> bool {
        matches!(self.stored, Stored::VarChar { .. })
    }

    /// The key of a row.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row, `CORRUPT_FILE` if its key isn't UTF-8.
    pub fn key(&self, row: u32) -> Result<Key> {
        if row >= self.count {
            return Err(Error::argument(format!("there is no row {row}; the file has {}", self.count)));
        }
        match &self.stored {
            Stored::RowNumbers => Ok(Key::Int64(row.into())),
            Stored::Order(_) | Stored::Int64(_) => Ok(Key::Int64(self.number(row))),
            Stored::VarChar { .. } => match std::str::from_utf8(self.text(row)?) {
                Ok(text) => Ok(Key::VarChar(text.to_owned())),
                Err(_) => Err(Error::corrupt(format!("the key of row {row} isn't UTF-8; the file is damaged"))),
            },
        }
    }

    /// The row that has this key. The first call orders the keys, if they don't ascend already.
    pub fn row(&self, key: &Key) -> Option<u32> {
        match (key, &self.stored) {
            (Key::Int64(key), Stored::RowNumbers) => u32::try_from(*key).ok().filter(|&row| row < self.count),
            (Key::Int64(key), Stored::Order(_) | Stored::Int64(_)) => self.find(|row| self.number(row).cmp(key)),
            (Key::VarChar(key), Stored::VarChar { .. }) => self.find(|row| self.bytes(row).cmp(key.as_bytes())),
            _ => None,
        }
    }

    /// Checks every key: offsets that ascend, UTF-8, no key twice.
    ///
    /// # Errors
    /// `CORRUPT_FILE` with the first row that is wrong.
    pub fn verify(&self) -> Result<()> {
        if let Stored::VarChar { .. } = self.stored {
            (0..self.count).try_for_each(|row| self.key(row).map(drop))?;
        }
        let twice = match self.order() {
            Order::Ascending => None,
            Order::Sorted(rows) => rows.windows(2).find(|pair| self.compare(pair[0], pair[1]) == Ordering::Equal),
        };
        match twice {
            None => Ok(()),
            Some(pair) => Err(Error::corrupt(format!(
                "rows {} and {} have the same key; the file was written wrongly",
                pair[0], pair[1]
            ))),
        }
    }

    fn find(&self, compare: impl Fn(u32) -> Ordering) -> Option<u32> {
        match self.order() {
            Order::Sorted(rows) => rows.binary_search_by(|&row| compare(row)).ok().map(|at| rows[at]),
            Order::Ascending => {
                let (mut low, mut high) = (0, self.count);
                while low < high {
                    let middle = low + (high - low) / 2;
                    match compare(middle) {
                        Ordering::Equal => return Some(middle),
                        Ordering::Less => low = middle + 1,
                        Ordering::Greater => high = middle,
                    }
                }
                None
            }
        }
    }

    fn order(&self) -> &Order {
        self.order.get_or_init(|| {
            if matches!(self.stored, Stored::RowNumbers)
                || (1..self.count).all(|row| self.compare(row - 1, row) == Ordering::Less)
            {
                return Order::Ascending;
            }
            Order::Sorted(match &self.stored {
                Stored::VarChar { .. } => order::sort_texts(self.count, |row| self.bytes(row)),
                _ => order::sort_numbers(self.count, |row| self.number(row)),
            })
        })
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        match &self.stored {
            Stored::RowNumbers => a.cmp(&b),
            Stored::Order(_) | Stored::Int64(_) => self.number(a).cmp(&self.number(b)),
            Stored::VarChar { .. } => self.bytes(a).cmp(self.bytes(b)),
        }
    }

    fn number(&self, row: u32) -> i64 {
        match &self.stored {
            Stored::Int64(keys) => keys.as_numbers().map_or(0, |keys: &[i64]| keys[row as usize]),
            Stored::Order(order) => order.as_numbers().map_or(0, |order: &[u32]| order[row as usize].into()),
            _ => row.into(),
        }
    }

    /// A text key, or nothing where offsets lie: order and look-ups stay sane on a damaged file.
    fn bytes(&self, row: u32) -> &[u8] {
        self.text(row).unwrap_or_default()
    }

    fn text(&self, row: u32) -> Result<&[u8]> {
        let Stored::VarChar { ends, text } = &self.stored else { return Ok(&[]) };
        let ends = ends.as_numbers::<u32>()?;
        let (start, end) = (ends[row as usize] as usize, ends[row as usize + 1] as usize);
        text.get(start..end).ok_or_else(|| {
            Error::corrupt(format!(
                "the key of row {row} lies in bytes {start}..{end} of {}; the file is damaged",
                text.len()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(keys: &PrimaryKeys, count: usize) -> Keys {
        let section = keys.encode(count).unwrap().map(|bytes| Blob::copy_of(&bytes).unwrap());
        Keys::open(section, None, count as u32).unwrap()
    }

    fn forged(bytes: &[u8], count: u32) -> Result<()> {
        let keys = Keys::open(Some(Blob::copy_of(bytes)?), None, count)?;
        for row in 0..count {
            if let Ok(key) = keys.key(row) {
                keys.row(&key);
            }
        }
        keys.verify()
    }

    proptest! {
        #[test]
        fn numbers_come_back_and_are_found(keys in prop::collection::hash_set(-50i64..50, 0..60), absent in -60i64..60) {
            let list: Vec<i64> = keys.iter().copied().collect();
            let opened = open(&PrimaryKeys::Int64(list.clone()), list.len());
            opened.verify().unwrap();
            for (row, &key) in list.iter().enumerate() {
                prop_assert_eq!(opened.key(row as u32), Ok(Key::Int64(key)));
                prop_assert_eq!(opened.row(&Key::Int64(key)), Some(row as u32));
            }
            prop_assert_eq!(opened.row(&Key::Int64(absent)).is_some(), keys.contains(&absent));
            prop_assert_eq!(opened.row(&Key::VarChar("1".into())), None);
        }

        #[test]
        fn texts_come_back_and_are_found(keys in prop::collection::hash_set("[a-cé]{0,3}", 0..40), absent in "[a-cé]{0,3}") {
            let list: Vec<String> = keys.iter().cloned().collect();
            let opened = open(&PrimaryKeys::VarChar(list.clone()), list.len());
            opened.verify().unwrap();
            for (row, key) in list.iter().enumerate() {
                prop_assert_eq!(opened.key(row as u32), Ok(Key::VarChar(key.clone())));
                prop_assert_eq!(opened.row(&Key::VarChar(key.clone())), Some(row as u32));
            }
            prop_assert_eq!(opened.row(&Key::VarChar(absent.clone())).is_some(), keys.contains(&absent));
            prop_assert_eq!(opened.row(&Key::Int64(0)), None);
        }

        #[test]
        fn arbitrary_sections_never_panic(mut bytes in prop::collection::vec(0u8..6, 8..60), count in 0u32..8) {
            bytes[0] = 1 + bytes[0] % 2;
            bytes[1..8].fill(0);
            let _ = forged(&bytes, count);
        }
    }

    #[test]
    fn without_a_section_rows_are_their_own_keys() {
        let keys = open(&PrimaryKeys::RowNumbers, 3);
        assert_eq!(keys.key(2), Ok(Key::Int64(2)));
        assert_eq!(keys.row(&Key::Int64(2)), Some(2));
        assert_eq!((keys.row(&Key::Int64(3)), keys.row(&Key::Int64(-1))), (None, None));
        assert_eq!(keys.key(3).unwrap_err().code, Code::InvalidArgument);
        keys.verify().unwrap();
    }

    #[test]
    fn ascending_keys_need_no_memory() {
        let keys = open(&PrimaryKeys::Int64(vec![-5, 0, 7]), 3);
        assert!(matches!(keys.order(), Order::Ascending));
        let keys = open(&PrimaryKeys::Int64(vec![-5, 7, 0]), 3);
        assert!(matches!(keys.order(), Order::Sorted(_)));
    }

    #[test]
    fn duplicates_are_named_by_row() {
        let error = PrimaryKeys::Int64(vec![4, 9, 1, 9, 4]).encode(5).unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.message.contains("rows 1 and 3") && error.message.contains('9'), "{error}");
        let error = PrimaryKeys::VarChar(vec!["b".into(), "a".into(), "b".into()]).encode(3).unwrap_err();
        assert!(error.message.contains("rows 0 and 2") && error.message.contains("\"b\""), "{error}");
        assert!(PrimaryKeys::Int64(vec![1]).encode(2).unwrap_err().message.contains("2 vectors but 1 keys"));
    }

    #[test]
    fn forged_sections_are_refused() {
        let varchar = |offsets: &[u32], text: &[u8]| [as_bytes(&[VARCHAR, 0]), as_bytes(offsets), text].concat();
        let int64 = |keys: &[i64]| [as_bytes(&[INT64, 0]), as_bytes(keys)].concat();
        assert_eq!(forged(&varchar(&[0, 1, 3], b"abc"), 2), Ok(()));
        let cases: &[(&str, Vec<u8>, u32)] = &[
            ("empty", vec![], 0),
            ("unknown type", as_bytes(&[3u32, 0]).to_vec(), 0),
            ("reserved field", as_bytes(&[INT64, 1]).to_vec(), 0),
            ("fewer numbers than rows", int64(&[1, 2]), 3),
            ("more numbers than rows", int64(&[1, 2]), 1),
            ("a number twice", int64(&[1, 2, 1]), 3),
            ("fewer offsets than rows", varchar(&[0, 1], b""), 2),
            ("first offset", varchar(&[1, 1, 3], b"abc"), 2),
            ("last offset", varchar(&[0, 1, 4], b"abc"), 2),
            ("descending offsets", varchar(&[0, 3, 1, 3], b"abc"), 3),
            ("offset outside", varchar(&[0, u32::MAX, 3], b"abc"), 2),
            ("not UTF-8", varchar(&[0, 1], b"\xFF"), 1),
            ("half a character", varchar(&[0, 1, 2], "é".as_bytes()), 2),
            ("a text twice", varchar(&[0, 1, 2], b"aa"), 2),
            ("rows that the bytes can't hold", varchar(&[0], b""), u32::MAX),
        ];
        for (name, bytes, count) in cases {
            assert_eq!(forged_open(bytes, *count).err().map(|e| e.code), Some(Code::CorruptFile), "{name}");
        }
    }

    fn forged_open(bytes: &[u8], count: u32) -> Result<()> {
        Keys::open(Some(Blob::copy_of(bytes)?), None, count)?.verify()
    }
}
