//! Kernels for AArch64, where NEON is always there.

use super::levels::{Levels, LevelsQuery, Part};
use super::scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, GROUPS_IN_A_BYTE, LookupTables, one_by_one};
use super::{Halves, Kernels, check_tile};
use core::arch::aarch64::*;

pub static KERNELS: Kernels = Kernels {
    name: "neon",
    dot,
    l2,
    dot_4: super::one_by_one!(dot),
    l2_4: super::one_by_one!(l2),
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    f16: Halves {
        dot: |a, b| in_lanes(a, b, f16s, |x, y| unsafe { vmulq_f32(x, y) }),
        l2: |a, b| in_lanes(a, b, f16s, squared_difference),
    },
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    bf16: Halves {
        dot: |a, b| in_lanes(a, b, bf16s, |x, y| unsafe { vmulq_f32(x, y) }),
        l2: |a, b| in_lanes(a, b, bf16s, squared_difference),
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

#[inline(always)]
fn floats(values: &[f32], at: usize) -> float32x4_t {
    debug_assert!(values.len() >= at + 4);
    // SAFETY: every caller keeps `at + 4` inside the slice (checked above in test builds).
    unsafe { vld1q_f32(values.as_ptr().add(at)) }
}

#[inline(always)]
fn bytes(values: &[u8], at: usize) -> uint8x16_t {
    debug_assert!(values.len() >= at + 16);
    // SAFETY: every caller keeps `at + 16` inside the slice (checked above in test builds).
    unsafe { vld1q_u8(values.as_ptr().add(at)) }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    in_lanes(a, b, floats, |x, y| unsafe { vmulq_f32(x, y) })
}

fn l2(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, floats, squared_difference)
}

#[inline(always)]
fn squared_difference(x: float32x4_t, y: float32x4_t) -> float32x4_t {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    unsafe {
        let difference = vsubq_f32(x, y);
        vmulq_f32(difference, difference)
    }
}

/// The four numbers of 16 bits at `values[at..]`, in 32 bits.
#[inline(always)]
fn widened(values: &[u16], at: usize) -> uint32x4_t {
    debug_assert!(values.len() >= at + 4);
    // SAFETY: every caller keeps `at + 4` inside the slice (checked above in test builds).
    unsafe { vmovl_u16(vld1_u16(values.as_ptr().add(at))) }
}

/// Four bf16 as f32: the upper half of each is there already.
#[inline(always)]
fn bf16s(values: &[u16], at: usize) -> float32x4_t {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(widened(values, at))) }
}

/// Four f16 as f32: see `simd128`.
#[inline(always)]
fn f16s(values: &[u16], at: usize) -> float32x4_t {
    let bits = widened(values, at);
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    unsafe {
        let magnitude = vandq_u32(bits, vdupq_n_u32(0x7FFF));
        let placed = vshlq_n_u32::<13>(magnitude);
        let normal = vaddq_u32(placed, vdupq_n_u32(112 << 23));
        let least = vdupq_n_u32(113 << 23);
        let small = vsubq_f32(vreinterpretq_f32_u32(vaddq_u32(placed, least)), vreinterpretq_f32_u32(least));
        let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
        let is_small = vcltq_u32(magnitude, vdupq_n_u32(1 << 10));
        vreinterpretq_f32_u32(vorrq_u32(sign, vbslq_u32(is_small, vreinterpretq_u32_f32(small), normal)))
    }
}

#[inline(always)]
fn in_lanes<T: Copy + Default>(
    a: &[f32],
    b: &[T],
    four: impl Fn(&[T], usize) -> float32x4_t,
    term: impl Fn(float32x4_t, float32x4_t) -> float32x4_t,
) -> f32 {
    assert_eq!(a.len(), b.len());
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    unsafe {
        let mut lanes = [vdupq_n_f32(0.0); LANES / 4];
        let whole = a.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = vaddq_f32(*lane, term(floats(a, at + 4 * i), four(b, at + 4 * i)));
            }
        }
        if whole < a.len() {
            // Zeros after the end leave a sum as it is: +0 added to a lane that began as +0.
            let (mut a_rest, mut b_rest) = ([0.0f32; LANES], [T::default(); LANES]);
            a_rest[..a.len() - whole].copy_from_slice(&a[whole..]);
            b_rest[..b.len() - whole].copy_from_slice(&b[whole..]);
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = vaddq_f32(*lane, term(floats(&a_rest, 4 * i), four(&b_rest, 4 * i)));
            }
        }
        let sums = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
        let two = vadd_f32(vget_low_f32(sums), vget_high_f32(sums));
        vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
    }
}

fn hamming(a: &[u8], b: &[u8]) -> u32 {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    counted(a, b, |x, y| unsafe { [veorq_u8(x, y)] })[0]
}

fn overlap(a: &[u8], b: &[u8]) -> [u32; 2] {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    counted(a, b, |x, y| unsafe { [vandq_u8(x, y), vorrq_u8(x, y)] })
}

/// How many bits are set in what `combined` makes of both.
#[inline(always)]
fn counted<const N: usize>(
    a: &[u8],
    b: &[u8],
    combined: impl Fn(uint8x16_t, uint8x16_t) -> [uint8x16_t; N],
) -> [u32; N] {
    assert_eq!(a.len(), b.len());
    let mut sums = [0; N];
    let mut add = |a: &[u8], b: &[u8]| {
        for (sum, bits) in sums.iter_mut().zip(combined(bytes(a, 0), bytes(b, 0))) {
            // SAFETY: NEON is part of every AArch64 target that this is built for.
            *sum += unsafe { u32::from(vaddlvq_u8(vcntq_u8(bits))) };
        }
    };
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let (a_rest, b_rest) = (a.remainder(), b.remainder());
    a.zip(b).for_each(|(a, b)| add(a, b));
    if !a_rest.is_empty() {
        // Zeros after the end count nothing.
        let (mut x, mut y) = ([0; 16], [0; 16]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        y[..b_rest.len()].copy_from_slice(b_rest);
        add(&x, &y);
    }
    sums
}

fn tile(rows: [&[i16]; 4], others: [&[i16]; 2]) -> [[i32; 2]; 4] {
    let length = check_tile(&rows, &others);
    // SAFETY: NEON is part of every AArch64 target that this is built for; all slices have this
    // length, a multiple of 16, so 8 numbers are left of each.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); 2]; 4];
        for at in (0..length).step_by(8) {
            let next = |row: &[i16]| vld1q_s16(row.as_ptr().add(at));
            let others = others.map(next);
            for (row, sums) in rows.iter().zip(&mut sums) {
                let row = next(row);
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum = vmlal_s16(*sum, vget_low_s16(row), vget_low_s16(other));
                    *sum = vmlal_high_s16(*sum, row, other);
                }
            }
        }
        sums.map(|sums| sums.map(|four| vaddvq_s32(four)))
    }
}

fn dot_i8(row: &[i8], query: &[i16]) -> i32 {
    assert_eq!(row.len(), query.len());
    let whole = row.len() / 16 * 16;
    // SAFETY: NEON is part of every AArch64 target that this is built for; loads of 16 row bytes
    // and twice 8 query values from `at` stay inside the slices since `at + 16 <= whole`.
    let sum = unsafe {
        let mut lanes = [vdupq_n_s32(0); 4];
        for at in (0..whole).step_by(16) {
            let row = vld1q_s8(row.as_ptr().add(at));
            let (low, high) = (vmovl_s8(vget_low_s8(row)), vmovl_high_s8(row));
            let (q_low, q_high) = (vld1q_s16(query.as_ptr().add(at)), vld1q_s16(query.as_ptr().add(at + 8)));
            lanes[0] = vmlal_s16(lanes[0], vget_low_s16(low), vget_low_s16(q_low));
            lanes[1] = vmlal_high_s16(lanes[1], low, q_low);
            lanes[2] = vmlal_s16(lanes[2], vget_low_s16(high), vget_low_s16(q_high));
            lanes[3] = vmlal_high_s16(lanes[3], high, q_high);
        }
        vaddvq_s32(vaddq_s32(vaddq_s32(lanes[0], lanes[1]), vaddq_s32(lanes[2], lanes[3])))
    };
    let rest = row[whole..].iter().zip(&query[whole..]);
    rest.fold(sum, |sum, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
}

fn scan_two(blocks: &[u8], queries: [&LookupTables<'_>; 2], thresholds: [f32; 2], found: [Found<'_>; 2]) {
    one_by_one(scan, blocks, queries, thresholds, found);
}

fn dot_levels(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    row.check(query);
    // SAFETY: NEON is part of every AArch64 target that this is built for; loads of 16 values from
    // `k` stay inside the slice since its length is a multiple of 16.
    unsafe {
        let mut sums = [vdupq_n_s32(0); 4];
        for m in 0..8 {
            let values = query.eighth(m);
            let parts = row.parts(query, m);
            for k in (0..values.len()).step_by(16) {
                let bits = |source: &[u8], part: Part| {
                    let down = vshlq_u8(bytes(source, part.from + k), vdupq_n_s8(-(part.shift as i8)));
                    vshlq_u8(vandq_u8(down, vdupq_n_u8(part.mask)), vdupq_n_s8(part.place as i8))
                };
                let level = vorrq_u8(
                    vorrq_u8(bits(row.signs, parts[0]), bits(row.low, parts[1])),
                    vorrq_u8(bits(row.low, parts[2]), bits(row.low, parts[3])),
                );
                let low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(level)));
                let high = vreinterpretq_s16_u16(vmovl_high_u8(level));
                let (v_low, v_high) = (vld1q_s16(values.as_ptr().add(k)), vld1q_s16(values.as_ptr().add(k + 8)));
                sums[0] = vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(v_low));
                sums[1] = vmlal_high_s16(sums[1], low, v_low);
                sums[2] = vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(v_high));
                sums[3] = vmlal_high_s16(sums[3], high, v_high);
            }
        }
        vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])))
    }
}

fn scan(blocks: &[u8], query: &LookupTables<'_>, threshold: f32, bounds: &mut [[f32; BLOCK_ROWS]], hits: &mut [u32]) {
    query.check(blocks, bounds, hits);
    for ((block, bounds), hits) in blocks.chunks_exact(query.block_bytes()).zip(bounds).zip(hits) {
        let (factors, codes) = block.split_at(FACTOR_BYTES);
        let sums = table_sums(codes, query.entries());
        *hits = lower_bounds(factors, &sums, query, threshold, bounds);
    }
}

/// The sums of rows 0..8, 8..16, 16..24 and 24..32.
#[inline(always)]
fn table_sums(codes: &[u8], tables: &[u8]) -> [uint16x8_t; 4] {
    // SAFETY: NEON is part of every AArch64 target that this is built for.
    unsafe {
        let mask = vdupq_n_u8(15);
        let mut sums = [vdupq_n_u16(0); 4];
        let step = GROUPS_IN_A_BYTE * GROUP;
        let mut at = 0;
        while at < codes.len() {
            let end = (at + step).min(codes.len());
            let (mut low, mut high) = (vdupq_n_u8(0), vdupq_n_u8(0));
            while at < end {
                let code = bytes(codes, at);
                let table = bytes(tables, at);
                low = vaddq_u8(low, vqtbl1q_u8(table, vandq_u8(code, mask)));
                high = vaddq_u8(high, vqtbl1q_u8(table, vshrq_n_u8::<4>(code)));
                at += GROUP;
            }
            sums[0] = vaddw_u8(sums[0], vget_low_u8(low));
            sums[1] = vaddw_high_u8(sums[1], low);
            sums[2] = vaddw_u8(sums[2], vget_low_u8(high));
            sums[3] = vaddw_high_u8(sums[3], high);
        }
        sums
    }
}

/// Fills `bounds` and says which of them are below the threshold.
#[inline(always)]
fn lower_bounds(
    factors: &[u8],
    sums: &[uint16x8_t; 4],
    query: &LookupTables<'_>,
    threshold: f32,
    bounds: &mut [f32; BLOCK_ROWS],
) -> u32 {
    // SAFETY: NEON is part of every AArch64 target that this is built for; the store is of four
    // floats into a chunk of four.
    unsafe {
        let (scale, bias, error) = (vdupq_n_f32(query.scale), vdupq_n_f32(query.bias), vdupq_n_f32(query.error));
        let threshold = vdupq_n_f32(threshold);
        let bits = vld1q_u32([1, 2, 4, 8].as_ptr());
        let mut hits = 0;
        for (four, bounds) in bounds.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let sum = sums[four / 2];
            let sum = if four % 2 == 0 { vmovl_u16(vget_low_u16(sum)) } else { vmovl_high_u16(sum) };
            let product = vaddq_f32(vmulq_f32(vcvtq_f32_u32(sum), scale), bias);
            let factor = |kind: usize| vreinterpretq_f32_u8(bytes(factors, kind * 4 * BLOCK_ROWS + 16 * four));
            let estimate = vsubq_f32(factor(0), vmulq_f32(factor(1), product));
            let bound = vsubq_f32(estimate, vmulq_f32(factor(2), error));
            vst1q_f32(bounds.as_mut_ptr(), bound);
            hits |= vaddvq_u32(vandq_u32(vcltq_f32(bound, threshold), bits)) << (4 * four);
        }
        hits
    }
}
