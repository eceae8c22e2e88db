//! Kernels for WebAssembly's 128-bit SIMD.
//!
//! The package has a second module, made of the first by putting `i8x16.relaxed_swizzle` for each
//! `i8x16.swizzle` (`scripts/setup/relaxed.mjs`). So byte look-ups go through [`select`], whose
//! indices are below 16, where both instructions are defined alike.

use super::levels::{Levels, LevelsQuery, Part};
use super::parts::{PART_BYTES, PART_ROWS, PartTables};
use super::scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, GROUPS_IN_A_BYTE, LookupTables};
use super::{Halves, Kernels, check_tile};
use core::arch::wasm32::*;
use core::ops::Range;

pub static KERNELS: Kernels = Kernels {
    name: "simd128",
    dot,
    l2,
    dot_4,
    l2_4,
    f16: Halves {
        dot: |a, b| in_lanes(a, b, f16x4, |x, y| f32x4_mul(x, y)),
        l2: |a, b| in_lanes(a, b, f16x4, squared_difference),
    },
    bf16: Halves {
        dot: |a, b| in_lanes(a, b, bf16x4, |x, y| f32x4_mul(x, y)),
        l2: |a, b| in_lanes(a, b, bf16x4, squared_difference),
    },
    dot_i8,
    dot_levels,
    hamming,
    overlap,
    tile,
    scan,
    scan_two,
};

/// Elements summed a step: see `portable`.
const LANES: usize = 16;

/// The 16 bytes at `bytes[at..]`.
#[inline(always)]
fn load<T>(values: &[T], at: usize) -> v128 {
    debug_assert!((values.len() - at) * size_of::<T>() >= 16);
    // SAFETY: every caller keeps `at` far enough from the end that 16 bytes are inside the slice
    // (checked by the assertion above in test builds); `v128_load` takes any alignment.
    unsafe { v128_load(values.as_ptr().add(at).cast()) }
}

/// The four numbers of 16 bits at `values[at..]`, in 32 bits.
#[inline(always)]
fn widened(values: &[u16], at: usize) -> v128 {
    debug_assert!(values.len() >= at + 4);
    // SAFETY: every caller keeps `at + 4` inside the slice (checked above in test builds);
    // `v128_load64_zero` takes any alignment.
    u32x4_extend_low_u16x8(unsafe { v128_load64_zero(values.as_ptr().add(at).cast()) })
}

/// Four bf16 as f32: the upper half of each is there already.
#[inline(always)]
fn bf16x4(values: &[u16], at: usize) -> v128 {
    i32x4_shl(widened(values, at), 16)
}

/// Four f16 as f32. Its exponent counts from 15, that of an f32 from 127, so 112 is added. An f16 without
/// one, a multiple of 2⁻²⁴ below 2⁻¹⁴, is put behind the leading 1 of 2⁻¹⁴, which is then taken away.
#[inline(always)]
fn f16x4(values: &[u16], at: usize) -> v128 {
    const FRACTION_MORE: u32 = 23 - 10;
    let bits = widened(values, at);
    let magnitude = v128_and(bits, i32x4_splat(0x7FFF));
    let placed = i32x4_shl(magnitude, FRACTION_MORE);
    let normal = i32x4_add(placed, i32x4_splat(112 << 23));
    let least = i32x4_splat(113 << 23);
    let small = f32x4_sub(i32x4_add(placed, least), least);
    let sign = i32x4_shl(v128_and(bits, i32x4_splat(0x8000)), 16);
    v128_or(sign, v128_bitselect(small, normal, i32x4_lt(magnitude, i32x4_splat(1 << 10))))
}

#[inline(always)]
fn f32x4(values: &[f32], at: usize) -> v128 {
    load(values, at)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, f32x4, |x, y| f32x4_mul(x, y))
}

fn l2(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, f32x4, squared_difference)
}

fn dot_4(a: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    in_lanes_4(a, rows, |x, y| f32x4_mul(x, y))
}

fn l2_4(a: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    in_lanes_4(a, rows, squared_difference)
}

#[inline(always)]
fn squared_difference(x: v128, y: v128) -> v128 {
    let difference = f32x4_sub(x, y);
    f32x4_mul(difference, difference)
}

type Lanes = [v128; LANES / 4];

#[inline(always)]
fn in_lanes<T: Copy + Default>(
    a: &[f32],
    b: &[T],
    four: impl Fn(&[T], usize) -> v128,
    term: impl Fn(v128, v128) -> v128,
) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut lanes = [f32x4_splat(0.0); LANES / 4];
    let whole = a.len() / LANES * LANES;
    add_terms(&mut lanes, a, b, 0..whole, &four, &term);
    sum_lanes(lanes, a, b, whole, &four, &term)
}

/// Several rows a stretch at a time: while the processor waits for one row's memory, it is asked for
/// the others' already. Each row is summed as it is alone.
#[inline(always)]
fn in_lanes_4(a: &[f32], rows: [&[f32]; 4], term: impl Fn(v128, v128) -> v128) -> [f32; 4] {
    const STRETCH: usize = 4 * LANES;
    assert!(rows.iter().all(|row| row.len() == a.len()));
    let mut lanes = [[f32x4_splat(0.0); LANES / 4]; 4];
    let whole = a.len() / LANES * LANES;
    for start in (0..whole).step_by(STRETCH) {
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            add_terms(lanes, a, row, start..whole.min(start + STRETCH), &f32x4, &term);
        }
    }
    let mut sums = [0.0; 4];
    for ((sum, lanes), row) in sums.iter_mut().zip(lanes).zip(rows) {
        *sum = sum_lanes(lanes, a, row, whole, &f32x4, &term);
    }
    sums
}

#[inline(always)]
fn add_terms<T>(
    lanes: &mut Lanes,
    a: &[f32],
    b: &[T],
    range: Range<usize>,
    four: &impl Fn(&[T], usize) -> v128,
    term: &impl Fn(v128, v128) -> v128,
) {
    let mut sums = *lanes;
    for at in range.step_by(LANES) {
        for (i, lane) in sums.iter_mut().enumerate() {
            *lane = f32x4_add(*lane, term(load(a, at + 4 * i), four(b, at + 4 * i)));
        }
    }
    *lanes = sums;
}

/// The sum of lanes that have the first `whole` terms, with those after.
#[inline(always)]
fn sum_lanes<T: Copy + Default>(
    mut lanes: Lanes,
    a: &[f32],
    b: &[T],
    whole: usize,
    four: &impl Fn(&[T], usize) -> v128,
    term: &impl Fn(v128, v128) -> v128,
) -> f32 {
    if whole < a.len() {
        // Zeros after the end leave a sum as it is: +0 added to a lane that began as +0.
        let (mut a_rest, mut b_rest) = ([0.0f32; LANES], [T::default(); LANES]);
        a_rest[..a.len() - whole].copy_from_slice(&a[whole..]);
        b_rest[..b.len() - whole].copy_from_slice(&b[whole..]);
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = f32x4_add(*lane, term(load(&a_rest, 4 * i), four(&b_rest, 4 * i)));
        }
    }
    let sums = f32x4_add(f32x4_add(lanes[0], lanes[2]), f32x4_add(lanes[1], lanes[3]));
    let two = f32x4_add(sums, i32x4_shuffle::<2, 3, 2, 3>(sums, sums));
    f32x4_extract_lane::<0>(two) + f32x4_extract_lane::<1>(two)
}

fn dot_i8(row: &[i8], query: &[i16]) -> i32 {
    assert_eq!(row.len(), query.len());
    let (mut low, mut high) = (i32x4_splat(0), i32x4_splat(0));
    let whole = row.len() / 16 * 16;
    for at in (0..whole).step_by(16) {
        let bytes = load(row, at);
        low = i32x4_add(low, i32x4_dot_i16x8(i16x8_extend_low_i8x16(bytes), load(query, at)));
        high = i32x4_add(high, i32x4_dot_i16x8(i16x8_extend_high_i8x16(bytes), load(query, at + 8)));
    }
    let four = i32x4_add(low, high);
    let two = i32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
    let sum = i32x4_extract_lane::<0>(two).wrapping_add(i32x4_extract_lane::<1>(two));
    let rest = row[whole..].iter().zip(&query[whole..]);
    rest.fold(sum, |sum, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
}

fn hamming(a: &[u8], b: &[u8]) -> u32 {
    counted(a, b, |x, y| [v128_xor(x, y)])[0]
}

fn overlap(a: &[u8], b: &[u8]) -> [u32; 2] {
    counted(a, b, |x, y| [v128_and(x, y), v128_or(x, y)])
}

/// How many bits are set in what `combined` makes of both.
#[inline(always)]
fn counted<const N: usize>(a: &[u8], b: &[u8], combined: impl Fn(v128, v128) -> [v128; N]) -> [u32; N] {
    assert_eq!(a.len(), b.len());
    let mut sums = [i32x4_splat(0); N];
    let mut add = |x: v128, y: v128| {
        for (sum, bits) in sums.iter_mut().zip(combined(x, y)) {
            let pairs = u16x8_extadd_pairwise_u8x16(u8x16_popcnt(bits));
            *sum = i32x4_add(*sum, u32x4_extadd_pairwise_u16x8(pairs));
        }
    };
    let whole = a.len() / 16 * 16;
    for at in (0..whole).step_by(16) {
        add(load(a, at), load(b, at));
    }
    if whole < a.len() {
        // Zeros after the end count nothing.
        let (mut x, mut y) = ([0u8; 16], [0u8; 16]);
        x[..a.len() - whole].copy_from_slice(&a[whole..]);
        y[..b.len() - whole].copy_from_slice(&b[whole..]);
        add(load(&x, 0), load(&y, 0));
    }
    sums.map(|four| {
        let two = i32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
        (i32x4_extract_lane::<0>(two) + i32x4_extract_lane::<1>(two)) as u32
    })
}

/// Eight sums, six operands: as many registers as x86 has. The rows are read through pointers, of
/// which one moves: bounds that are checked in each step cost as much as the sums.
fn tile(rows: [&[i16]; 4], others: [&[i16]; 2]) -> [[i32; 2]; 4] {
    let length = check_tile(&rows, &others);
    let (rows, others) = (rows.map(<[i16]>::as_ptr), others.map(<[i16]>::as_ptr));
    let mut sums = [[i32x4_splat(0); 2]; 4];
    for at in (0..length).step_by(8) {
        // SAFETY: all slices have this length, a multiple of 16, so 8 numbers are left of each;
        // `v128_load` takes any alignment.
        let next = |row: *const i16| unsafe { v128_load(row.add(at).cast()) };
        let others = others.map(next);
        for (row, sums) in rows.iter().zip(&mut sums) {
            let row = next(*row);
            sums[0] = i32x4_add(sums[0], i32x4_dot_i16x8(row, others[0]));
            sums[1] = i32x4_add(sums[1], i32x4_dot_i16x8(row, others[1]));
        }
    }
    sums.map(|sums| {
        sums.map(|four| {
            let two = i32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
            i32x4_extract_lane::<0>(two).wrapping_add(i32x4_extract_lane::<1>(two))
        })
    })
}

fn dot_levels(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    row.check(query);
    let (mut low, mut high) = (i32x4_splat(0), i32x4_splat(0));
    for m in 0..8 {
        let values = query.eighth(m);
        let parts = row.parts(query, m).map(|part| (part, u8x16_splat(part.mask)));
        for k in (0..values.len()).step_by(16) {
            // Shifts of 16 bits: what crosses from one byte to the other is masked out.
            let bits = |bytes: &[u8], (part, mask): (Part, v128)| {
                u16x8_shl(v128_and(u16x8_shr(load(bytes, part.from + k), part.shift), mask), part.place)
            };
            let level = v128_or(
                v128_or(bits(row.signs, parts[0]), bits(row.low, parts[1])),
                v128_or(bits(row.low, parts[2]), bits(row.low, parts[3])),
            );
            low = i32x4_add(low, i32x4_dot_i16x8(u16x8_extend_low_u8x16(level), load(values, k)));
            high = i32x4_add(high, i32x4_dot_i16x8(u16x8_extend_high_u8x16(level), load(values, k + 8)));
        }
    }
    let four = i32x4_add(low, high);
    let two = i32x4_add(four, i32x4_shuffle::<2, 3, 2, 3>(four, four));
    i32x4_extract_lane::<0>(two).wrapping_add(i32x4_extract_lane::<1>(two))
}

fn scan(blocks: &[u8], query: &LookupTables<'_>, threshold: f32, bounds: &mut [[f32; BLOCK_ROWS]], hits: &mut [u32]) {
    query.check(blocks, bounds, hits);
    for ((block, bounds), hits) in blocks.chunks_exact(query.block_bytes()).zip(bounds).zip(hits) {
        let (factors, codes) = block.split_at(FACTOR_BYTES);
        let [sums] = table_sums(codes, [query.entries()]);
        *hits = lower_bounds(factors, &sums, query, threshold, bounds);
    }
}

fn scan_two(blocks: &[u8], queries: [&LookupTables<'_>; 2], thresholds: [f32; 2], found: [Found<'_>; 2]) {
    let [a, b] = found;
    queries[0].check(blocks, a.bounds, a.hits);
    queries[1].check(blocks, b.bounds, b.hits);
    let of_a = a.bounds.iter_mut().zip(a.hits);
    let of_b = b.bounds.iter_mut().zip(b.hits);
    for ((block, a), b) in blocks.chunks_exact(queries[0].block_bytes()).zip(of_a).zip(of_b) {
        let (factors, codes) = block.split_at(FACTOR_BYTES);
        let sums = table_sums(codes, queries.map(|query| query.entries()));
        *a.1 = lower_bounds(factors, &sums[0], queries[0], thresholds[0], a.0);
        *b.1 = lower_bounds(factors, &sums[1], queries[1], thresholds[1], b.0);
    }
}

/// For one query or two, the sums of rows 0..8, 8..16, 16..24 and 24..32 as `u16x8`.
///
/// The inner loop has a body of two look-ups of 32 rows and nothing else on purpose. Unrolled
/// further, or over two blocks at once, it needs more registers than x86 has, and an engine then
/// spills the sums.
#[inline(always)]
fn table_sums<const N: usize>(codes: &[u8], tables: [&[u8]; N]) -> [[v128; 4]; N] {
    const { assert!(N == 1 || N == 2) };
    assert!(tables.iter().all(|table| table.len() == codes.len()) && codes.len().is_multiple_of(2 * GROUP));
    let step = 2 / N;
    let mask = u8x16_splat(15);
    let zero = u8x16_splat(0);
    let low_byte = u16x8_splat(0xFF);
    // Of rows 0..16 and 16..32: even rows, odd rows.
    let mut sums = [[zero; 4]; N];
    let (mut code, mut tables) = (codes.as_ptr(), tables.map(<[u8]>::as_ptr));
    let mut left = codes.len();
    while left > 0 {
        let some = left.min(GROUPS_IN_A_BYTE * GROUP);
        left -= some;
        // SAFETY: `some` more bytes are left of the codes, and as many of each table.
        let stop = unsafe { code.add(some) };
        let mut bytes = [[zero; 2]; N];
        while code < stop {
            for at in (0..step).map(|group| group * GROUP) {
                // SAFETY: all slices and every part of them hold an even number of groups, so a
                // step of them is left wherever one is; `v128_load` takes any alignment.
                let code = unsafe { v128_load(code.add(at).cast()) };
                let (low, high) = (v128_and(code, mask), v128_and(u16x8_shr(code, 4), mask));
                for (table, bytes) in tables.iter().zip(&mut bytes) {
                    // SAFETY: as above.
                    let table = unsafe { v128_load(table.add(at).cast()) };
                    bytes[0] = u8x16_add(bytes[0], select(table, low));
                    bytes[1] = u8x16_add(bytes[1], select(table, high));
                }
            }
            // SAFETY: as above; at the end it is one past the last byte.
            code = unsafe { code.add(step * GROUP) };
            // In place: LLVM makes one 64-bit integer of two pointers that are mapped, and takes it
            // apart in every step.
            for table in &mut tables {
                // SAFETY: as above.
                *table = unsafe { table.add(step * GROUP) };
            }
        }
        for (sums, [low, high]) in sums.iter_mut().zip(bytes) {
            sums[0] = u16x8_add(sums[0], v128_and(low, low_byte));
            sums[1] = u16x8_add(sums[1], u16x8_shr(low, 8));
            sums[2] = u16x8_add(sums[2], v128_and(high, low_byte));
            sums[3] = u16x8_add(sums[3], u16x8_shr(high, 8));
        }
    }
    sums.map(|sums| {
        [
            u16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(sums[0], sums[1]),
            u16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(sums[0], sums[1]),
            u16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(sums[2], sums[3]),
            u16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(sums[2], sums[3]),
        ]
    })
}

/// See [`super::part_sums`]. Sums that fit a byte stay in bytes: widening costs as much as a look-up.
pub fn part_sums(codes: &[u8], tables: &PartTables) -> [u16; PART_ROWS] {
    assert_eq!(codes.len(), tables.entries().len());
    let mask = u8x16_splat(15);
    let zero = u8x16_splat(0);
    // Of rows 0..16 and 16..32: pairs of bytes as they are, and the odd bytes of them.
    let (mut pairs, mut odd) = ([zero; 2], [zero; 2]);
    let mut at = 0;
    for &run in tables.runs() {
        let end = at + usize::from(run) * PART_BYTES;
        let mut bytes = [zero; 2];
        while at < end {
            let (code, table) = (load(codes, at), load(tables.entries(), at));
            bytes[0] = u8x16_add(bytes[0], select(table, v128_and(code, mask)));
            bytes[1] = u8x16_add(bytes[1], select(table, v128_and(u16x8_shr(code, 4), mask)));
            at += PART_BYTES;
        }
        for ((pairs, odd), bytes) in pairs.iter_mut().zip(&mut odd).zip(bytes) {
            *pairs = u16x8_add(*pairs, bytes);
            *odd = u16x8_add(*odd, u16x8_shr(bytes, 8));
        }
    }
    let mut sums = [0; PART_ROWS];
    for (sums, (pairs, odd)) in sums.as_chunks_mut::<16>().0.iter_mut().zip(pairs.into_iter().zip(odd)) {
        let even = u16x8_sub(pairs, u16x8_shl(odd, 8));
        // SAFETY: `sums` is sixteen numbers of 16 bits, two registers.
        unsafe {
            v128_store(sums.as_mut_ptr().cast(), even);
            v128_store(sums.as_mut_ptr().add(8).cast(), odd);
        }
    }
    sums
}

/// The entries that 16 indices below 16 select.
#[inline(always)]
fn select(table: v128, indices: v128) -> v128 {
    debug_assert!(!v128_any_true(u8x16_gt(indices, u8x16_splat(15))));
    u8x16_swizzle(table, indices)
}

/// Fills `bounds` and says which of them are below the threshold.
#[inline(always)]
fn lower_bounds(
    factors: &[u8],
    sums: &[v128; 4],
    query: &LookupTables<'_>,
    threshold: f32,
    bounds: &mut [f32; BLOCK_ROWS],
) -> u32 {
    let (scale, bias, error) = (f32x4_splat(query.scale), f32x4_splat(query.bias), f32x4_splat(query.error));
    let threshold = f32x4_splat(threshold);
    let mut hits = 0;
    for (four, bounds) in bounds.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let sum = sums[four / 2];
        let sum = if four % 2 == 0 { u32x4_extend_low_u16x8(sum) } else { u32x4_extend_high_u16x8(sum) };
        let product = f32x4_add(f32x4_mul(f32x4_convert_u32x4(sum), scale), bias);
        let factor = |kind: usize| load(factors, kind * 4 * BLOCK_ROWS + 16 * four);
        let estimate = f32x4_sub(factor(0), f32x4_mul(factor(1), product));
        let bound = f32x4_sub(estimate, f32x4_mul(factor(2), error));
        // SAFETY: `bounds` is four floats.
        unsafe { v128_store(bounds.as_mut_ptr().cast(), bound) };
        hits |= u32::from(i32x4_bitmask(f32x4_lt(bound, threshold))) << (4 * four);
    }
    hits
}
