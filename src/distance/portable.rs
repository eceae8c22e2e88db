//! Kernels for any machine, and the definition of the order in which all others sum.
//!
//! Element `i` goes to lane `i % 16`. Lanes 8 apart are added, then those 4, 2 and 1 apart.

use super::levels::{Levels, LevelsQuery, Part};
use super::scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, LookupTables, one_by_one};
use super::{Halves, Kernels, check_tile};
use crate::words::half::{from_bf16, from_f16};

pub static KERNELS: Kernels = Kernels {
    name: "portable",
    dot,
    l2,
    dot_4: super::one_by_one!(dot),
    l2_4: super::one_by_one!(l2),
    f16: Halves {
        dot: |a, b| in_lanes(a, b, |x, y| x * from_f16(y)),
        l2: |a, b| in_lanes(a, b, |x, y| square(x - from_f16(y))),
    },
    bf16: Halves {
        dot: |a, b| in_lanes(a, b, |x, y| x * from_bf16(y)),
        l2: |a, b| in_lanes(a, b, |x, y| square(x - from_bf16(y))),
    },
    dot_i8,
    dot_levels,
    hamming,
    overlap,
    tile,
    scan,
    scan_two,
};

pub(super) const LANES: usize = 16;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, |x, y| x * y)
}

fn l2(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, |x, y| square(x - y))
}

fn square(x: f32) -> f32 {
    x * x
}

#[inline]
fn in_lanes<T: Copy>(a: &[f32], b: &[T], term: impl Fn(f32, T) -> f32) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut lanes = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += term(a[i], b[i]);
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += term(x, y);
    }
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

fn dot_i8(row: &[i8], query: &[i16]) -> i32 {
    assert_eq!(row.len(), query.len());
    row.iter().zip(query).fold(0, |sum: i32, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
}

fn hamming(a: &[u8], b: &[u8]) -> u32 {
    counted(a, b, |x, y| [(x ^ y).count_ones()])[0]
}

fn overlap(a: &[u8], b: &[u8]) -> [u32; 2] {
    counted(a, b, |x, y| [(x & y).count_ones(), (x | y).count_ones()])
}

/// Sums of what `count` says of each 8 bytes of both. Inlined, so that a caller that was promised an
/// instruction for it counts with that.
#[inline(always)]
pub(super) fn counted<const N: usize>(a: &[u8], b: &[u8], count: impl Fn(u64, u64) -> [u32; N]) -> [u32; N] {
    assert_eq!(a.len(), b.len());
    let mut sums = [0; N];
    let mut add = |x: [u8; 8], y: [u8; 8]| {
        for (sum, count) in sums.iter_mut().zip(count(u64::from_ne_bytes(x), u64::from_ne_bytes(y))) {
            *sum += count;
        }
    };
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.iter().zip(b).for_each(|(&x, &y)| add(x, y));
    if !a_rest.is_empty() {
        let (mut x, mut y) = ([0; 8], [0; 8]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        y[..b_rest.len()].copy_from_slice(b_rest);
        add(x, y);
    }
    sums
}

fn tile(rows: [&[i16]; 4], others: [&[i16]; 2]) -> [[i32; 2]; 4] {
    check_tile(&rows, &others);
    let dot = |a: &[i16], b: &[i16]| {
        a.iter().zip(b).fold(0, |sum: i32, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
    };
    rows.map(|row| others.map(|other| dot(row, other)))
}

fn scan_two(blocks: &[u8], queries: [&LookupTables<'_>; 2], thresholds: [f32; 2], found: [Found<'_>; 2]) {
    one_by_one(scan, blocks, queries, thresholds, found);
}

fn dot_levels(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    row.check(query);
    let mut sum = 0i32;
    for m in 0..8 {
        let [signs, four, two, one] = row.parts(query, m);
        for (k, &value) in query.eighth(m).iter().enumerate() {
            let bits = |bytes: &[u8], part: Part| (bytes[part.from + k] >> part.shift & part.mask) << part.place;
            let level = bits(row.signs, signs) | bits(row.low, four) | bits(row.low, two) | bits(row.low, one);
            sum = sum.wrapping_add(i32::from(level) * i32::from(value));
        }
    }
    sum
}

fn scan(blocks: &[u8], query: &LookupTables<'_>, threshold: f32, bounds: &mut [[f32; BLOCK_ROWS]], hits: &mut [u32]) {
    query.check(blocks, bounds, hits);
    for ((block, bounds), hits) in blocks.chunks_exact(query.block_bytes()).zip(bounds).zip(hits) {
        let (factors, codes) = block.split_at(FACTOR_BYTES);
        let mut sums = [0u16; BLOCK_ROWS];
        for (code, table) in codes.chunks_exact(GROUP).zip(query.entries().chunks_exact(GROUP)) {
            for j in 0..GROUP {
                sums[j] += u16::from(table[usize::from(code[j] & 15)]);
                sums[GROUP + j] += u16::from(table[usize::from(code[j] >> 4)]);
            }
        }
        let factor = |kind: usize, row: usize| {
            let at = (kind * BLOCK_ROWS + row) * 4;
            f32::from_le_bytes([factors[at], factors[at + 1], factors[at + 2], factors[at + 3]])
        };
        *hits = 0;
        for row in 0..BLOCK_ROWS {
            let product = f32::from(sums[row]) * query.scale + query.bias;
            bounds[row] = factor(0, row) - factor(1, row) * product - factor(2, row) * query.error;
            *hits |= u32::from(bounds[row] < threshold) << row;
        }
    }
}
