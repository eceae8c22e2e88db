//! Kernels for x86-64 with AVX2, POPCNT and F16C, detected once. Every processor that has the first has
//! the others.

use super::levels::{Levels, LevelsQuery};
use super::parts::{PART_BYTES, PART_ROWS, PartTables};
use super::portable::counted;
use super::scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, GROUPS_IN_A_BYTE, LookupTables, one_by_one};
use super::{Halves, Kernels, TILE_STEP, check_tile};
use core::arch::x86_64::*;
use std::sync::OnceLock;

static AVX2: Kernels = Kernels {
    name: "avx2",
    dot,
    l2,
    dot_4: super::one_by_one!(dot),
    l2_4: super::one_by_one!(l2),
    f16: Halves { dot: dot_f16, l2: l2_f16 },
    bf16: Halves { dot: dot_bf16, l2: l2_bf16 },
    dot_i8,
    dot_levels,
    hamming,
    overlap,
    tile,
    scan,
    scan_two,
};

/// The AVX2 kernels, if this machine has it. The only way to reach them.
#[inline]
pub fn detect() -> Option<&'static Kernels> {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found =
        || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("f16c");
    FOUND.get_or_init(found).then_some(&AVX2)
}

/// See [`super::part_sums`]; none without AVX2.
pub fn part_sums(codes: &[u8], tables: &PartTables) -> Option<[u16; PART_ROWS]> {
    // SAFETY: `detect` found AVX2.
    detect().map(|_| unsafe { part_sums_avx2(codes, tables.entries()) })
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { dot_avx2(a, b) }
}

fn l2(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { l2_avx2(a, b) }
}

fn dot_f16(a: &[f32], row: &[u16]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2 and F16C.
    unsafe { dot_f16_avx2(a, row) }
}

fn l2_f16(a: &[f32], row: &[u16]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2 and F16C.
    unsafe { l2_f16_avx2(a, row) }
}

fn dot_bf16(a: &[f32], row: &[u16]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { dot_bf16_avx2(a, row) }
}

fn l2_bf16(a: &[f32], row: &[u16]) -> f32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { l2_bf16_avx2(a, row) }
}

fn dot_i8(row: &[i8], query: &[i16]) -> i32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { dot_i8_avx2(row, query) }
}

fn hamming(a: &[u8], b: &[u8]) -> u32 {
    // SAFETY: reached only through `detect`, which found AVX2 and POPCNT.
    unsafe { hamming_avx2(a, b) }
}

fn overlap(a: &[u8], b: &[u8]) -> [u32; 2] {
    // SAFETY: reached only through `detect`, which found AVX2 and POPCNT.
    unsafe { overlap_avx2(a, b) }
}

fn tile(rows: [&[i16]; 4], others: [&[i16]; 2]) -> [[i32; 2]; 4] {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { tile_avx2(rows, others) }
}

fn scan_two(blocks: &[u8], queries: [&LookupTables<'_>; 2], thresholds: [f32; 2], found: [Found<'_>; 2]) {
    one_by_one(scan, blocks, queries, thresholds, found);
}

fn dot_levels(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { dot_levels_avx2(row, query) }
}

fn scan(blocks: &[u8], query: &LookupTables<'_>, threshold: f32, bounds: &mut [[f32; BLOCK_ROWS]], hits: &mut [u32]) {
    // SAFETY: reached only through `detect`, which found AVX2.
    unsafe { scan_avx2(blocks, query, threshold, bounds, hits) }
}

/// Elements summed a step: see `portable`.
const LANES: usize = 16;

/// The 16 bytes at `values[at..]`.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes16(values: &[u8], at: usize) -> __m128i {
    debug_assert!(values.len() >= at + 16);
    // SAFETY: every caller keeps `at + 16` inside the slice (checked above in test builds).
    unsafe { _mm_loadu_si128(values.as_ptr().add(at).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn floats(values: &[f32], at: usize) -> __m256 {
    debug_assert!(values.len() >= at + 8);
    // SAFETY: every caller keeps `at + 8` inside the slice (checked above in test builds).
    unsafe { _mm256_loadu_ps(values.as_ptr().add(at)) }
}

/// The eight floats of 16 bits at `values[at..]`, before they are widened.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(values: &[u16], at: usize) -> __m128i {
    debug_assert!(values.len() >= at + 8);
    // SAFETY: every caller keeps `at + 8` inside the slice (checked above in test builds).
    unsafe { _mm_loadu_si128(values.as_ptr().add(at).cast()) }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn floats_of_f16(values: &[u16], at: usize) -> __m256 {
    _mm256_cvtph_ps(halves(values, at))
}

#[inline]
#[target_feature(enable = "avx2")]
fn floats_of_bf16(values: &[u16], at: usize) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves(values, at))))
}

/// The 32 bytes at `values[at..]`.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes32<T>(values: &[T], at: usize) -> __m256i {
    debug_assert!((values.len() - at) * size_of::<T>() >= 32);
    // SAFETY: every caller keeps 32 bytes from `at` inside the slice (checked above in test builds).
    unsafe { _mm256_loadu_si256(values.as_ptr().add(at).cast()) }
}

#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, |b, at| floats(b, at), |x, y| _mm256_mul_ps(x, y))
}

#[target_feature(enable = "avx2")]
fn l2_avx2(a: &[f32], b: &[f32]) -> f32 {
    in_lanes(a, b, |b, at| floats(b, at), |x, y| squared_difference(x, y))
}

#[target_feature(enable = "avx2,f16c")]
fn dot_f16_avx2(a: &[f32], row: &[u16]) -> f32 {
    in_lanes(a, row, |row, at| floats_of_f16(row, at), |x, y| _mm256_mul_ps(x, y))
}

#[target_feature(enable = "avx2,f16c")]
fn l2_f16_avx2(a: &[f32], row: &[u16]) -> f32 {
    in_lanes(a, row, |row, at| floats_of_f16(row, at), |x, y| squared_difference(x, y))
}

#[target_feature(enable = "avx2")]
fn dot_bf16_avx2(a: &[f32], row: &[u16]) -> f32 {
    in_lanes(a, row, |row, at| floats_of_bf16(row, at), |x, y| _mm256_mul_ps(x, y))
}

#[target_feature(enable = "avx2")]
fn l2_bf16_avx2(a: &[f32], row: &[u16]) -> f32 {
    in_lanes(a, row, |row, at| floats_of_bf16(row, at), |x, y| squared_difference(x, y))
}

#[inline]
#[target_feature(enable = "avx2")]
fn squared_difference(x: __m256, y: __m256) -> __m256 {
    let difference = _mm256_sub_ps(x, y);
    _mm256_mul_ps(difference, difference)
}

/// Sums what `term` makes of `a` and of what `load` reads of `b`.
#[inline]
#[target_feature(enable = "avx2")]
fn in_lanes<T: Copy + Default>(
    a: &[f32],
    b: &[T],
    load: impl Fn(&[T], usize) -> __m256,
    term: impl Fn(__m256, __m256) -> __m256,
) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut low = _mm256_setzero_ps();
    let mut high = _mm256_setzero_ps();
    let whole = a.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        low = _mm256_add_ps(low, term(floats(a, at), load(b, at)));
        high = _mm256_add_ps(high, term(floats(a, at + 8), load(b, at + 8)));
    }
    if whole < a.len() {
        // Zeros after the end leave a sum as it is: +0 added to a lane that began as +0.
        let (mut a_rest, mut b_rest) = ([0.0f32; LANES], [T::default(); LANES]);
        a_rest[..a.len() - whole].copy_from_slice(&a[whole..]);
        b_rest[..b.len() - whole].copy_from_slice(&b[whole..]);
        low = _mm256_add_ps(low, term(floats(&a_rest, 0), load(&b_rest, 0)));
        high = _mm256_add_ps(high, term(floats(&a_rest, 8), load(&b_rest, 8)));
    }
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

#[target_feature(enable = "avx2")]
fn dot_i8_avx2(row: &[i8], query: &[i16]) -> i32 {
    assert_eq!(row.len(), query.len());
    let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let whole = row.len() / 32 * 32;
    for at in (0..whole).step_by(32) {
        let bytes = bytes32(row, at);
        let (first, second) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepi8_epi16(first), bytes32(query, at)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepi8_epi16(second), bytes32(query, at + 16)));
    }
    let eight = _mm256_add_epi32(low, high);
    let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
    let sum = _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)));
    let rest = row[whole..].iter().zip(&query[whole..]);
    rest.fold(sum, |sum, (&x, &y)| sum.wrapping_add(i32::from(x) * i32::from(y)))
}

#[target_feature(enable = "avx2,popcnt")]
fn hamming_avx2(a: &[u8], b: &[u8]) -> u32 {
    counted(a, b, |x, y| [(x ^ y).count_ones()])[0]
}

#[target_feature(enable = "avx2,popcnt")]
fn overlap_avx2(a: &[u8], b: &[u8]) -> [u32; 2] {
    counted(a, b, |x, y| [(x & y).count_ones(), (x | y).count_ones()])
}

#[target_feature(enable = "avx2")]
fn tile_avx2(rows: [&[i16]; 4], others: [&[i16]; 2]) -> [[i32; 2]; 4] {
    let length = check_tile(&rows, &others);
    let mut sums = [[_mm256_setzero_si256(); 2]; 4];
    for at in (0..length).step_by(TILE_STEP) {
        // SAFETY: all slices have this length, a multiple of 16, so 16 numbers are left of each.
        let next = |row: &[i16]| unsafe { _mm256_loadu_si256(row.as_ptr().add(at).cast()) };
        let others = [next(others[0]), next(others[1])];
        for (row, sums) in rows.iter().zip(&mut sums) {
            let row = next(row);
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(row, others[0]));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(row, others[1]));
        }
    }
    let mut products = [[0; 2]; 4];
    for (products, sums) in products.iter_mut().zip(sums) {
        for (product, eight) in products.iter_mut().zip(sums) {
            let four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
            *product = _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)));
        }
    }
    products
}

#[target_feature(enable = "avx2")]
fn dot_levels_avx2(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    row.check(query);
    let mut sums = _mm256_setzero_si256();
    for m in 0..8 {
        let values = query.eighth(m);
        let count = |n: u32| _mm_cvtsi32_si128(n as i32);
        let parts = row
            .parts(query, m)
            .map(|part| (part.from, count(part.shift), _mm_set1_epi8(part.mask.cast_signed()), count(part.place)));
        for k in (0..values.len()).step_by(16) {
            // Shifts of 16 bits: what crosses from one byte to the other is masked out.
            let bits = |bytes: &[u8], (from, shift, mask, place): (usize, __m128i, __m128i, __m128i)| {
                _mm_sll_epi16(_mm_and_si128(_mm_srl_epi16(bytes16(bytes, from + k), shift), mask), place)
            };
            let level = _mm_or_si128(
                _mm_or_si128(bits(row.signs, parts[0]), bits(row.low, parts[1])),
                _mm_or_si128(bits(row.low, parts[2]), bits(row.low, parts[3])),
            );
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepu8_epi16(level), bytes32(values, k)));
        }
    }
    let four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

#[target_feature(enable = "avx2")]
fn scan_avx2(
    blocks: &[u8],
    query: &LookupTables<'_>,
    threshold: f32,
    bounds: &mut [[f32; BLOCK_ROWS]],
    hits: &mut [u32],
) {
    query.check(blocks, bounds, hits);
    for ((block, bounds), hits) in blocks.chunks_exact(query.block_bytes()).zip(bounds).zip(hits) {
        let (factors, codes) = block.split_at(FACTOR_BYTES);
        let sums = table_sums(codes, query.entries());
        *hits = lower_bounds(factors, &sums, query, threshold, bounds);
    }
}

/// The sums of rows 0..8, 8..16, 16..24 and 24..32 as 16-bit integers.
#[inline]
#[target_feature(enable = "avx2")]
fn table_sums(codes: &[u8], tables: &[u8]) -> [__m128i; 4] {
    let mask = _mm256_set1_epi8(15);
    let low_byte = _mm256_set1_epi16(0xFF);
    // A register holds two groups, the even one in its lower half: the halves are added at the end.
    // Of rows 0..16 and 16..32: even rows, odd rows.
    let mut sums = [_mm256_setzero_si256(); 4];
    let step = 2 * GROUPS_IN_A_BYTE * GROUP;
    let mut at = 0;
    while at < codes.len() {
        let end = (at + step).min(codes.len());
        let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        while at < end {
            let code = bytes32(codes, at);
            let table = bytes32(tables, at);
            low = _mm256_add_epi8(low, _mm256_shuffle_epi8(table, _mm256_and_si256(code, mask)));
            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(code), mask);
            high = _mm256_add_epi8(high, _mm256_shuffle_epi8(table, upper));
            at += 2 * GROUP;
        }
        sums[0] = _mm256_add_epi16(sums[0], _mm256_and_si256(low, low_byte));
        sums[1] = _mm256_add_epi16(sums[1], _mm256_srli_epi16::<8>(low));
        sums[2] = _mm256_add_epi16(sums[2], _mm256_and_si256(high, low_byte));
        sums[3] = _mm256_add_epi16(sums[3], _mm256_srli_epi16::<8>(high));
    }
    let [low_even, low_odd, high_even, high_odd] =
        sums.map(|s| _mm_add_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256::<1>(s)));
    [
        _mm_unpacklo_epi16(low_even, low_odd),
        _mm_unpackhi_epi16(low_even, low_odd),
        _mm_unpacklo_epi16(high_even, high_odd),
        _mm_unpackhi_epi16(high_even, high_odd),
    ]
}

#[target_feature(enable = "avx2")]
fn part_sums_avx2(codes: &[u8], tables: &[u8]) -> [u16; PART_ROWS] {
    assert!(codes.len() == tables.len() && codes.len().is_multiple_of(2 * PART_BYTES));
    let mask = _mm256_set1_epi8(15);
    // A register holds two parts: the halves are added at the end. Of rows 0..16 and 16..32: pairs of
    // bytes as they are, and the odd bytes of them.
    let (mut pairs, mut odd) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
    for at in (0..codes.len()).step_by(2 * PART_BYTES) {
        let (code, table) = (bytes32(codes, at), bytes32(tables, at));
        let low = _mm256_shuffle_epi8(table, _mm256_and_si256(code, mask));
        let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(code), mask));
        for (i, bytes) in [low, high].into_iter().enumerate() {
            pairs[i] = _mm256_add_epi16(pairs[i], bytes);
            odd[i] = _mm256_add_epi16(odd[i], _mm256_srli_epi16::<8>(bytes));
        }
    }
    let halves = |x| _mm_add_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let mut sums = [0; PART_ROWS];
    for (sums, (pairs, odd)) in sums.as_chunks_mut::<16>().0.iter_mut().zip(pairs.into_iter().zip(odd)) {
        let (pairs, odd) = (halves(pairs), halves(odd));
        let even = _mm_sub_epi16(pairs, _mm_slli_epi16::<8>(odd));
        // SAFETY: `sums` is sixteen numbers of 16 bits, two registers.
        unsafe {
            _mm_storeu_si128(sums.as_mut_ptr().cast(), even);
            _mm_storeu_si128(sums.as_mut_ptr().add(8).cast(), odd);
        }
    }
    sums
}

/// Fills `bounds` and says which of them are below the threshold.
#[inline]
#[target_feature(enable = "avx2")]
fn lower_bounds(
    factors: &[u8],
    sums: &[__m128i; 4],
    query: &LookupTables<'_>,
    threshold: f32,
    bounds: &mut [f32; BLOCK_ROWS],
) -> u32 {
    let (scale, bias, error) = (_mm256_set1_ps(query.scale), _mm256_set1_ps(query.bias), _mm256_set1_ps(query.error));
    let threshold = _mm256_set1_ps(threshold);
    let mut hits = 0;
    for (eight, bounds) in bounds.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let sum = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums[eight]));
        let product = _mm256_add_ps(_mm256_mul_ps(sum, scale), bias);
        let factor = |kind: usize| _mm256_castsi256_ps(bytes32(factors, kind * 4 * BLOCK_ROWS + 32 * eight));
        let estimate = _mm256_sub_ps(factor(0), _mm256_mul_ps(factor(1), product));
        let bound = _mm256_sub_ps(estimate, _mm256_mul_ps(factor(2), error));
        // SAFETY: `bounds` is eight floats.
        unsafe { _mm256_storeu_ps(bounds.as_mut_ptr(), bound) };
        let below = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(bound, threshold));
        hits |= (below as u32) << (8 * eight);
    }
    hits
}
