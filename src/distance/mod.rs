//! Distance kernels: one table of functions per instruction set, all giving the same bits.
//!
//! Every kernel sums in one fixed order and never fuses a multiplication with an addition, so a
//! build writes the same bytes, and a search finds the same distances, on every machine. That order
//! is 16 lanes wide: it fills four `simd128` registers or two AVX2 ones, and rows are long enough
//! that memory, not the additions, sets the pace. `suite` runs one set of tests over every table.
//!
//! | file | runs on |
//! |---|---|
//! | `oracle` | nothing: f64, what the tests compare with |
//! | `portable` | any machine |
//! | `simd128` | wasm, chosen when the module is built (a module validates whole) |
//! | `x86`, `neon` | x86-64 with AVX2 (detected once), AArch64 |

/// A kernel for four rows, of one for one row.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
macro_rules! one_by_one {
    ($kernel:ident) => {
        |a, rows| rows.map(|row| $kernel(a, row))
    };
}
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
use one_by_one;

mod levels;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(test)]
mod oracle;
mod parts;
// Where every machine has SIMD nothing but the tests would use it.
#[cfg(any(test, not(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))))]
mod portable;
mod scan;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(test)]
mod suite;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use levels::{Levels, LevelsQuery, MAX_LOW_BITS, SLACK, write_levels};
pub use parts::{PART_BYTES, PART_ROWS, PartTables, part_sums};
pub use scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, LookupTables, MAX_LEVEL};

/// The kernels of one instruction set. Slices of unequal length are a caller's bug and panic.
#[derive(Debug)]
pub struct Kernels {
    /// What it is called in reports.
    pub name: &'static str,
    /// Inner product.
    pub dot: fn(&[f32], &[f32]) -> f32,
    /// Squared Euclidean distance.
    pub l2: fn(&[f32], &[f32]) -> f32,
    /// Inner products with four rows. Rows that are far apart in memory come faster together.
    pub dot_4: fn(&[f32], [&[f32]; 4]) -> [f32; 4],
    /// Squared Euclidean distances of four rows.
    pub l2_4: fn(&[f32], [&[f32]; 4]) -> [f32; 4],
    /// Distances of rows of f16.
    pub f16: Halves,
    /// Distances of rows of bf16.
    pub bf16: Halves,
    /// Inner product of a row of 8-bit integers and a query of 16-bit ones. Exact unless it leaves
    /// the range of `i32`, where it wraps; a query is scaled so that it can't.
    pub dot_i8: fn(&[i8], &[i16]) -> i32,
    /// Bits that differ, of vectors of bits.
    pub hamming: fn(&[u8], &[u8]) -> u32,
    /// Bits that both vectors have, and bits that either has.
    pub overlap: fn(&[u8], &[u8]) -> [u32; 2],
    /// Inner products of each of four rows of 16-bit integers with each of two others: four times as
    /// many numbers a second as one product at a time. Lengths are equal multiples of
    /// [`TILE_STEP`]. Exact unless one leaves the range of `i32`, where it wraps.
    pub tile: Tile,
    /// Inner product of a row of levels and a query. Exact unless it leaves the range of `i32`, where
    /// it wraps; a query is scaled so that it can't.
    pub dot_levels: fn(&Levels<'_>, &LevelsQuery<'_>) -> i32,
    /// Bounds of whole blocks of 1-bit codes.
    pub scan: ScanBlocks,
    /// The same bounds for two queries at once, which share what it costs to read the codes.
    pub scan_two: ScanBlocksForTwo,
}

/// Kernels for rows of floats of 16 bits, the second slice: the same as if each had been made an f32
/// first, which is exact. Floats that aren't finite may count as any others.
#[derive(Debug, Clone, Copy)]
pub struct Halves {
    /// Inner product.
    pub dot: fn(&[f32], &[u16]) -> f32,
    /// Squared Euclidean distance.
    pub l2: fn(&[f32], &[u16]) -> f32,
}

/// Inner products of each of four rows with each of two others.
pub type Tile = fn([&[i16]; 4], [&[i16]; 2]) -> [[i32; 2]; 4];

/// Numbers that [`Kernels::tile`] reads of a row at a time.
pub const TILE_STEP: usize = 16;

/// Panics unless a tile's rows have one length that the kernels take.
#[inline(always)]
fn check_tile(rows: &[&[i16]; 4], others: &[&[i16]; 2]) -> usize {
    let length = rows[0].len();
    assert!(length.is_multiple_of(TILE_STEP) && rows.iter().chain(others).all(|row| row.len() == length));
    length
}

/// Writes the lower bounds of the distances of blocks of 1-bit codes, and a bit for each row whose
/// bound is below the threshold: see [`LookupTables`].
pub type ScanBlocks =
    fn(blocks: &[u8], query: &LookupTables<'_>, threshold: f32, bounds: &mut [[f32; BLOCK_ROWS]], hits: &mut [u32]);

/// [`ScanBlocks`] for two queries. All are of the same number of blocks.
pub type ScanBlocksForTwo =
    fn(blocks: &[u8], queries: [&LookupTables<'_>; 2], thresholds: [f32; 2], found: [Found<'_>; 2]);

/// The fastest kernels that this machine can run.
#[inline]
pub fn kernels() -> &'static Kernels {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return &simd128::KERNELS;
    #[cfg(target_arch = "aarch64")]
    return &neon::KERNELS;
    #[cfg(target_arch = "x86_64")]
    return x86::detect().unwrap_or(&portable::KERNELS);
    #[cfg(not(any(
        all(target_arch = "wasm32", target_feature = "simd128"),
        target_arch = "aarch64",
        target_arch = "x86_64"
    )))]
    return &portable::KERNELS;
}

/// Inner product, by the fastest kernel. Panics if the lengths differ.
#[inline]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    (kernels().dot)(a, b)
}

/// Squared Euclidean distance, by the fastest kernel. Panics if the lengths differ.
#[inline]
pub fn l2(a: &[f32], b: &[f32]) -> f32 {
    (kernels().l2)(a, b)
}

/// Inner products with four rows, the same as one by one. Panics if the lengths differ.
#[inline]
pub fn dot_4(a: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    (kernels().dot_4)(a, rows)
}

/// Squared Euclidean distances of four rows, the same as one by one. Panics if the lengths differ.
#[inline]
pub fn l2_4(a: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    (kernels().l2_4)(a, rows)
}

/// Inner product of 8-bit integers with 16-bit ones, by the fastest kernel. Panics if the lengths
/// differ.
#[inline]
pub fn dot_i8(row: &[i8], query: &[i16]) -> i32 {
    (kernels().dot_i8)(row, query)
}

/// Bits that differ, by the fastest kernel. Panics if the lengths differ.
#[inline]
pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
    (kernels().hamming)(a, b)
}

/// 1 less the share of the bits of either vector that both have, by the fastest kernel; 1 if neither
/// has any. Panics if the lengths differ.
#[inline]
pub fn jaccard(a: &[u8], b: &[u8]) -> f32 {
    let [both, either] = (kernels().overlap)(a, b);
    if either == 0 { 1.0 } else { (either - both) as f32 / either as f32 }
}

/// Inner product of a row of levels and a query, by the fastest kernel. Panics if their shapes differ.
#[inline]
pub fn dot_levels(row: &Levels<'_>, query: &LevelsQuery<'_>) -> i32 {
    (kernels().dot_levels)(row, query)
}

/// Asks for bytes that will be read soon. Rows that are far apart in memory come several times
/// faster when all of them are asked for before the first is used: the requests overlap.
#[inline]
pub fn touch(bytes: &[u8]) {
    const CACHE_LINE: usize = 64;
    let (lines, rest) = bytes.as_chunks::<CACHE_LINE>();
    let sum = lines.iter().fold(0, |sum, line| sum ^ line[0]);
    // What begins within a line ends in one more.
    let sum = rest.first().into_iter().chain(bytes.last()).fold(sum, |sum, &byte| sum ^ byte);
    std::hint::black_box(sum);
}
