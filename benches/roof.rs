//! How near the scan over 1-bit codes comes to the speed at which this machine reads memory at all.
//!
//! Built as a module of plain exports for `benches/roof.mjs`, which runs it in Chromium: `reserve` a
//! buffer of blocks, then time `scan`, `scan_two` and `read` over that same buffer.

#![cfg(target_arch = "wasm32")]

use core::arch::wasm32::{i64x2_extract_lane, u64x2_splat, v128_load, v128_xor};
use elanus::distance::{BLOCK_ROWS, FACTOR_BYTES, Found, LookupTables, kernels};
use elanus::quantize::rabitq::block_bytes;
use elanus::words::random::SplitMix64;
use std::cell::RefCell;

/// Blocks that the index, too, gives to the kernel at a time.
const BLOCKS_AT_ONCE: usize = 32;

struct Buffer {
    blocks: Vec<u8>,
    entries: Vec<u8>,
    bounds: Vec<[f32; BLOCK_ROWS]>,
    hits: Vec<u32>,
}

thread_local! {
    static BUFFER: RefCell<Option<Buffer>> = const { RefCell::new(None) };
}

fn with<T>(run: impl FnOnce(&mut Buffer) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| run(buffer.as_mut().expect("reserve comes first")))
}

/// Fills a buffer of so many blocks of this dimension; its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(blocks: usize, dimension: usize) -> usize {
    let size = block_bytes(dimension);
    let mut random = SplitMix64::new(1);
    let mut bytes = Vec::with_capacity(blocks * size);
    for _ in 0..blocks {
        bytes.extend([1.0f32.to_le_bytes(); FACTOR_BYTES / 4].as_flattened());
        (0..(size - FACTOR_BYTES) / 8).for_each(|_| bytes.extend(random.next_u64().to_le_bytes()));
    }
    let groups = dimension.next_multiple_of(8) / 4;
    let level = u32::from(LookupTables::level(groups));
    let entries = (0..groups * 16).map(|_| random.below(level + 1) as u8).collect();
    let (bounds, hits) = (vec![[0.0; BLOCK_ROWS]; BLOCKS_AT_ONCE], vec![0; BLOCKS_AT_ONCE]);
    BUFFER.set(Some(Buffer { blocks: bytes, entries, bounds, hits }));
    blocks * size
}

/// The scan's kernel over the whole buffer, as a search runs it; no row is below the threshold.
#[unsafe(no_mangle)]
pub extern "C" fn scan() -> u32 {
    with(|Buffer { blocks, entries, bounds, hits }| {
        let query = LookupTables::new(entries, 0.01, -0.5, 0.25);
        let mut found = 0;
        for some in blocks.chunks(BLOCKS_AT_ONCE * query.block_bytes()) {
            let count = some.len() / query.block_bytes();
            (kernels().scan)(some, &query, f32::MIN, &mut bounds[..count], &mut hits[..count]);
            found += hits[..count].iter().map(|hits| hits.count_ones()).sum::<u32>();
        }
        found
    })
}

/// The kernel for two queries over the whole buffer, as a batch runs it.
#[unsafe(no_mangle)]
pub extern "C" fn scan_two() -> u32 {
    with(|Buffer { blocks, entries, bounds, hits }| {
        let query = LookupTables::new(entries, 0.01, -0.5, 0.25);
        let (mut other_bounds, mut other_hits) = (bounds.clone(), hits.clone());
        let mut found = 0;
        for some in blocks.chunks(BLOCKS_AT_ONCE * query.block_bytes()) {
            let count = some.len() / query.block_bytes();
            let of_one = Found { bounds: &mut bounds[..count], hits: &mut hits[..count] };
            let of_other = Found { bounds: &mut other_bounds[..count], hits: &mut other_hits[..count] };
            (kernels().scan_two)(some, [&query, &query], [f32::MIN; 2], [of_one, of_other]);
            found += hits[..count].iter().map(|hits| hits.count_ones()).sum::<u32>();
        }
        found
    })
}

/// Reads every byte of the buffer and does nothing else that takes time: a load and an exclusive or for
/// 16 bytes, eight of them independent.
#[unsafe(no_mangle)]
pub extern "C" fn read() -> i64 {
    with(|Buffer { blocks, .. }| {
        let mut sums = [u64x2_splat(0); 4];
        for line in blocks.as_chunks::<128>().0 {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: both loads of 16 bytes lie in the 128 of the line; they take any alignment.
                let (a, b) = unsafe {
                    (v128_load(line[16 * i..].as_ptr().cast()), v128_load(line[64 + 16 * i..].as_ptr().cast()))
                };
                *sum = v128_xor(*sum, v128_xor(a, b));
            }
        }
        let [a, b, c, d] = sums;
        let all = v128_xor(v128_xor(a, b), v128_xor(c, d));
        i64x2_extract_lane::<0>(all) ^ i64x2_extract_lane::<1>(all)
    })
}
