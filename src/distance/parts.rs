//! Sums of look-ups, a part of 4 bits at a time, with entries of a whole byte.
//!
//! Codes of 32 rows stand together, as Faiss's FastScan has them: each part has 16 bytes. In each, byte
//! `j` holds row `j / 2 + 8 · (j mod 2)` in its low half and the one 16 further in its high half. So
//! the even bytes' sums are those of rows 0..8 in order, the odd ones' those of rows 8..16.

/// Rows whose codes stand together.
pub const PART_ROWS: usize = 32;

/// Bytes of a part's codes, and entries of its table.
pub const PART_BYTES: usize = 16;

/// A table of 16 entries for each part, an even number of parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartTables {
    entries: Vec<u8>,
    /// How many parts at a time have sums that a byte holds, of whatever rows.
    runs: Vec<u8>,
}

impl PartTables {
    /// Tables, one after the other. Panics if there isn't an even number of them.
    pub fn new(entries: Vec<u8>) -> Self {
        assert!(entries.len().is_multiple_of(2 * PART_BYTES), "{} table entries", entries.len());
        let (mut runs, mut most) = (Vec::new(), 0u8);
        for table in entries.as_chunks::<PART_BYTES>().0 {
            let greatest = table.iter().copied().fold(0, u8::max);
            match (runs.last_mut(), most.checked_add(greatest)) {
                (Some(run), Some(sum)) if *run < u8::MAX => (*run, most) = (*run + 1, sum),
                _ => {
                    runs.push(1);
                    most = greatest;
                }
            }
        }
        PartTables { entries, runs }
    }

    /// The tables, one after the other.
    pub fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// How many parts at a time a byte holds the sums of.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    pub(super) fn runs(&self) -> &[u8] {
        &self.runs
    }
}

/// The sums of 32 rows, in their order, which wrap at 65,536. Panics unless there are as many bytes of codes as
/// table entries.
///
/// No member of [`Kernels`](super::Kernels): a module that never calls it needn't have it.
#[inline]
pub fn part_sums(codes: &[u8], tables: &PartTables) -> [u16; PART_ROWS] {
    assert_eq!(codes.len(), tables.entries.len());
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    return super::simd128::part_sums(codes, tables);
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = super::x86::part_sums(codes, tables) {
        return sums;
    }
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    one_by_one(codes, &tables.entries)
}

/// The definition.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
pub(super) fn one_by_one(codes: &[u8], tables: &[u8]) -> [u16; PART_ROWS] {
    let mut sums = [0u16; PART_ROWS];
    for (codes, table) in codes.chunks_exact(PART_BYTES).zip(tables.chunks_exact(PART_BYTES)) {
        for (j, &code) in codes.iter().enumerate() {
            let row = j / 2 + 8 * (j % 2);
            sums[row] = sums[row].wrapping_add(u16::from(table[usize::from(code & 15)]));
            sums[row + 16] = sums[row + 16].wrapping_add(u16::from(table[usize::from(code >> 4)]));
        }
    }
    sums
}
