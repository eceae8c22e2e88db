//! What the scan over 1-bit codes reads: the layout of a block, and the query's tables.
//!
//! A block holds 32 rows (FastScan: André, Kermarrec, Le Scouarnec 2015). Dimensions come in groups
//! of four, so that the four sign bits of a row select one of 16 entries of the group's table, and
//! one byte shuffle looks up 16 rows at once:
//!
//! ```text
//! f32 × 32   f_add     factors of rows 0..32
//! f32 × 32   f_scale
//! f32 × 32   f_error
//! u8 × 16    group 0: byte j holds row j's bits (low half) and row 16 + j's (high half);
//!            bit i of the four is dimension 4 · group + i, 1 for positive
//! u8 × 16    group 1 …
//! ```
//!
//! With `product = scale · (sum of the selected entries) + bias`, the lower bound of a row is
//! `f_add − f_scale · product − f_error · error`, in that order of operations. What the factors
//! mean is the business of `quantize::rabitq`.

/// Rows in a block.
pub const BLOCK_ROWS: usize = 32;

/// Bytes of the three factors of a block's rows.
pub const FACTOR_BYTES: usize = 3 * 4 * BLOCK_ROWS;

/// Bytes of one group's codes in a block, and entries of its table.
pub const GROUP: usize = 16;

/// The largest table entry: eight of them fit a byte, so sums are widened once in eight groups.
pub const MAX_LEVEL: u8 = 31;

/// Groups whose sums are kept in bytes before they are widened.
pub(super) const GROUPS_IN_A_BYTE: usize = (u8::MAX / MAX_LEVEL) as usize;

/// A query, as the scan wants it.
#[derive(Debug, Clone, Copy)]
pub struct LookupTables<'a> {
    entries: &'a [u8],
    /// Turns a sum of entries into a product, with `bias`.
    pub scale: f32,
    /// Added to the scaled sum.
    pub bias: f32,
    /// Factor of `f_error`.
    pub error: f32,
}

impl<'a> LookupTables<'a> {
    /// Tables of 16 entries for each group of four dimensions, an even number of groups. Panics if
    /// the shape is wrong or sums of entries could leave 8 or 16 bits: kernels rely on that.
    pub fn new(entries: &'a [u8], scale: f32, bias: f32, error: f32) -> Self {
        assert!(entries.len().is_multiple_of(2 * GROUP), "{} table entries", entries.len());
        let level = Self::level(entries.len() / GROUP);
        assert!(entries.iter().all(|&e| e <= level), "a table entry is above {level}");
        LookupTables { entries, scale, bias, error }
    }

    /// The largest entry for this many groups.
    pub fn level(groups: usize) -> u8 {
        (usize::from(u16::MAX) / groups.max(1)).min(usize::from(MAX_LEVEL)) as u8
    }

    /// The entries.
    pub fn entries(&self) -> &'a [u8] {
        self.entries
    }

    /// Bytes of a block: its factors, and as many bytes of codes as there are table entries.
    pub fn block_bytes(&self) -> usize {
        FACTOR_BYTES + self.entries.len()
    }

    /// Panics unless `blocks`, `bounds` and `hits` are of the same number of blocks.
    pub(super) fn check(&self, blocks: &[u8], bounds: &[[f32; BLOCK_ROWS]], hits: &[u32]) {
        assert_eq!(blocks.len(), hits.len() * self.block_bytes());
        assert_eq!(bounds.len(), hits.len());
    }
}

/// Where a scan writes what it finds: see [`ScanBlocks`](super::ScanBlocks).
#[derive(Debug)]
pub struct Found<'a> {
    /// Of each block, the lower bounds of its rows.
    pub bounds: &'a mut [[f32; BLOCK_ROWS]],
    /// Of each block, a bit for each row whose bound is below the threshold.
    pub hits: &'a mut [u32],
}

/// A scan for two queries by a kernel for one.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
pub(super) fn one_by_one(
    scan: super::ScanBlocks,
    blocks: &[u8],
    queries: [&LookupTables<'_>; 2],
    thresholds: [f32; 2],
    found: [Found<'_>; 2],
) {
    for ((query, threshold), found) in queries.into_iter().zip(thresholds).zip(found) {
        scan(blocks, query, threshold, found.bounds, found.hits);
    }
}
