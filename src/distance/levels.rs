//! Rows of several bits a dimension, and their product with a query.
//!
//! A row has a level of `bits` + 1 bits in each of *d* dimensions, *d* a multiple of 8. The highest
//! bit of each lies in a block of [`LookupTables`](super::LookupTables), where the scan reads it. The
//! other `bits`, 1 to 7, lie together, row after row, in up to three parts:
//!
//! ```text
//! u8 × d / 2   four bits of each level, if bits ≥ 4
//! u8 × d / 4   two bits, if bits is 2, 3, 6 or 7
//! u8 × d / 8   one bit, if bits is odd
//! ```
//!
//! of which the first that is there holds the highest. Within the parts dimensions are ordered as the
//! block has them: position `i · d / 4 + g` is dimension `4 g + i`. Byte `j` of a part of `n` bytes
//! holds positions `j`, `n + j`, `2 n + j`, … from its lowest bits up. So 16 loaded bytes hold what
//! belongs to 16 neighbouring positions of each eighth, and a shift and a mask bring it out.

/// Bytes after the last row that kernels may load, though nothing depends on them.
pub const SLACK: usize = 16;

/// Positions that kernels take at a time: each eighth of a query is filled up to a multiple.
const STEP: usize = 16;

/// The most bits past the first.
pub const MAX_LOW_BITS: u32 = 7;

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Levels<'a> {
    /// A byte a group of four dimensions, followed by [`SLACK`] bytes: bit `upper + i` is the highest
    /// of dimension 4 · group + `i`.
    pub signs: &'a [u8],
    /// 0 or 4.
    pub upper: u32,
    /// The parts, followed by [`SLACK`] bytes.
    pub low: &'a [u8],
    /// How many bits of a level they hold.
    pub bits: u32,
}

/// A query in 16-bit integers, as the product wants it.
#[derive(Debug, Clone, Copy)]
pub struct LevelsQuery<'a> {
    values: &'a [i16],
    eighth: usize,
}

/// Where one part of the levels of an eighth lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Its first byte.
    pub from: usize,
    /// The lowest of its bits in a byte,
    pub shift: u32,
    /// all of them, shifted down,
    pub mask: u8,
    /// and where in the level they belong.
    pub place: u32,
}

impl<'a> LevelsQuery<'a> {
    /// Positions that an eighth of a query takes, where an eighth of a row has `eighth`.
    pub const fn stride(eighth: usize) -> usize {
        eighth.next_multiple_of(STEP)
    }

    /// A query whose eighths each hold `eighth` values, by position, and then zeros up to
    /// [`Self::stride`]. Panics if that isn't so: kernels rely on it.
    pub fn new(values: &'a [i16], eighth: usize) -> Self {
        let stride = Self::stride(eighth);
        assert!(eighth > 0 && values.len() == 8 * stride, "{} values of eighths of {eighth}", values.len());
        let filled = values.chunks_exact(stride).flat_map(|values| &values[eighth..]);
        assert!(filled.copied().all(|value| value == 0), "an eighth isn't filled up with zeros");
        LevelsQuery { values, eighth }
    }

    /// The values of an eighth.
    #[inline]
    pub(super) fn eighth(&self, m: usize) -> &'a [i16] {
        let stride = Self::stride(self.eighth);
        &self.values[m * stride..(m + 1) * stride]
    }
}

impl Levels<'_> {
    /// Panics unless everything that a kernel loads is inside the slices.
    #[inline]
    pub(super) fn check(&self, query: &LevelsQuery<'_>) {
        let (t, stride) = (query.eighth, LevelsQuery::stride(query.eighth));
        assert!((1..=MAX_LOW_BITS).contains(&self.bits) && (self.upper == 0 || self.upper == 4));
        assert!(self.signs.len() >= t + stride, "{} bytes of signs", self.signs.len());
        assert!(self.low.len() >= (self.bits as usize - 1) * t + stride, "{} bytes of codes", self.low.len());
    }

    /// Of an eighth: its signs, then the parts of four, two and one bits in `low`. A part that isn't
    /// there has a mask of 0.
    #[inline]
    pub(super) fn parts(&self, query: &LevelsQuery<'_>, m: usize) -> [Part; 4] {
        let (t, bits) = (query.eighth, self.bits);
        let signs = Part { from: m % 2 * t, shift: (m / 2) as u32 + self.upper, mask: 1, place: bits };
        let [four, two, one] = low_parts(t, bits, m);
        [signs, four, two, one]
    }
}

#[inline]
fn low_parts(t: usize, bits: u32, m: usize) -> [Part; 3] {
    let part = |width: u32, before: u32| {
        let there = bits & width != 0;
        let bytes = width as usize;
        Part {
            from: if there { (before as usize + m % bytes) * t } else { 0 },
            shift: (m / bytes) as u32 * width,
            mask: if there { ((1u16 << width) - 1) as u8 } else { 0 },
            place: bits & (width - 1),
        }
    };
    [part(4, 0), part(2, bits & 4), part(1, bits & 6)]
}

/// Writes levels of `bits` bits, one a position, as parts into `low`, which is all zero.
pub fn write_levels(levels: &[u8], bits: u32, low: &mut [u8]) {
    let t = levels.len() / 8;
    for (m, levels) in levels.chunks_exact(t).enumerate() {
        for part in low_parts(t, bits, m) {
            for (byte, level) in low[part.from..part.from + t].iter_mut().zip(levels) {
                *byte |= (level >> part.place & part.mask) << part.shift;
            }
        }
    }
}
