//! A fixed-length set of rows: filters and deletions reach a search as one of these.

/// One bit a row. Bits past the length are always 0, so counts and words need no masking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// No row of `len` is in.
    pub fn none(len: usize) -> Self {
        Bitmap { words: vec![0; len.div_ceil(64)], len }
    }

    /// Every row of `len` is in.
    pub fn all(len: usize) -> Self {
        let mut bitmap = Bitmap { words: vec![u64::MAX; len.div_ceil(64)], len };
        bitmap.clear_tail();
        bitmap
    }

    /// The rows for which `f` is true.
    pub fn from_fn(len: usize, mut f: impl FnMut(usize) -> bool) -> Self {
        let mut bitmap = Bitmap::none(len);
        for (w, word) in bitmap.words.iter_mut().enumerate() {
            for bit in 0..(len - w * 64).min(64) {
                *word |= u64::from(f(w * 64 + bit)) << bit;
            }
        }
        bitmap
    }

    /// The rows whose bits are set, lowest bit first, in as many words as `len` rows take. Panics
    /// with another number of words.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(64), "words for {len} rows");
        let mut bitmap = Bitmap { words, len };
        bitmap.clear_tail();
        bitmap
    }

    /// The rows as bits, lowest first; those past the length are 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Number of rows it speaks of.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it speaks of no rows at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `row` is in. Rows past the length are not.
    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|w| w >> (row % 64) & 1 == 1)
    }

    /// Puts `row` in. Panics past the length.
    pub fn insert(&mut self, row: usize) {
        assert!(row < self.len, "row {row} of {}", self.len);
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// Takes `row` out. Panics past the length.
    pub fn remove(&mut self, row: usize) {
        assert!(row < self.len, "row {row} of {}", self.len);
        self.words[row / 64] &= !(1 << (row % 64));
    }

    /// The 32 rows from `first` on as a mask, lowest bit first: what a block of codes is masked with.
    #[inline]
    pub fn mask32(&self, first: usize) -> u32 {
        let word = |i: usize| self.words.get(i).copied().unwrap_or(0);
        let (i, shift) = (first / 64, first % 64);
        let low = word(i) >> shift;
        if shift <= 32 { low as u32 } else { (low | word(i + 1) << (64 - shift)) as u32 }
    }

    /// How many of these rows are in.
    pub fn count_in(&self, rows: std::ops::Range<usize>) -> usize {
        let mut count = 0;
        let mut first = rows.start;
        while first < rows.end {
            let left = rows.end - first;
            let used = if left < 32 { (1 << left) - 1 } else { u32::MAX };
            count += (self.mask32(first) & used).count_ones() as usize;
            first += 32;
        }
        count
    }

    /// How many rows are in.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Keeps the rows that are in both. Panics if the lengths differ.
    pub fn intersect(&mut self, other: &Bitmap) {
        assert_eq!(self.len, other.len);
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    /// Adds the rows of the other. Panics if the lengths differ.
    pub fn union(&mut self, other: &Bitmap) {
        assert_eq!(self.len, other.len);
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Turns in into out and out into in.
    pub fn invert(&mut self) {
        self.words.iter_mut().for_each(|w| *w = !*w);
        self.clear_tail();
    }

    /// The rows that are in, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    w * 64 + bit
                })
            })
        })
    }

    /// Keeps the rows for which `f` is true.
    pub fn retain(&mut self, mut f: impl FnMut(usize) -> bool) {
        for (w, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                *word &= !(u64::from(!f(w * 64 + bit as usize)) << bit);
            }
        }
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(len in 0usize..300, a in prop::collection::btree_set(0usize..300, 0..80),
                              b in prop::collection::btree_set(0usize..300, 0..80)) {
            let a: BTreeSet<_> = a.into_iter().filter(|&r| r < len).collect();
            let b: BTreeSet<_> = b.into_iter().filter(|&r| r < len).collect();
            let of = |s: &BTreeSet<usize>| Bitmap::from_fn(len, |r| s.contains(&r));
            let rows = |m: &Bitmap| m.iter().collect::<BTreeSet<_>>();
            prop_assert_eq!(rows(&of(&a)), a.clone());
            let mut m = of(&a);
            m.intersect(&of(&b));
            prop_assert_eq!(rows(&m), &a & &b);
            let mut m = of(&a);
            m.union(&of(&b));
            prop_assert_eq!(rows(&m), &a | &b);
            let mut m = of(&a);
            m.invert();
            prop_assert_eq!(m.count(), len - a.len());
            prop_assert!(a.iter().all(|&r| !m.contains(r)));
            for first in 0..len + 70 {
                for bit in 0..32 {
                    prop_assert_eq!(of(&a).mask32(first) >> bit & 1 == 1, a.contains(&(first + bit)));
                }
                let rows = first..first + len / 3;
                prop_assert_eq!(of(&a).count_in(rows.clone()), a.range(rows).count());
            }
        }
    }

    #[test]
    fn words_lose_the_bits_past_the_length() {
        assert_eq!(Bitmap::from_words(vec![u64::MAX, u64::MAX], 65), Bitmap::all(65));
        assert_eq!(Bitmap::from_words(vec![0b101], 64).iter().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn single_rows_go_in_and_out() {
        let mut m = Bitmap::all(65);
        assert_eq!(m.count(), 65);
        m.remove(64);
        assert!(!m.contains(64) && !m.contains(1000));
        m.insert(64);
        assert_eq!(m, Bitmap::all(65));
    }
}
