//! One set of tests that the kernels of every instruction set pass, here and in a browser.

use super::levels::{Levels, LevelsQuery, MAX_LOW_BITS, SLACK};
use super::scan::{BLOCK_ROWS, FACTOR_BYTES, Found, GROUP, LookupTables, MAX_LEVEL};
use super::{Kernels, PART_BYTES, PART_ROWS, PartTables, kernels, oracle, part_sums, parts, portable};
use crate::words::bytes::as_bytes;
use crate::words::half;
use crate::words::random::SplitMix64;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Every table that this machine can run, `portable` first.
fn tables() -> Vec<&'static Kernels> {
    let mut all = vec![&portable::KERNELS];
    if kernels().name != portable::KERNELS.name {
        all.push(kernels());
    }
    all
}

/// Vectors that are hard in different ways.
fn vectors(random: &mut SplitMix64, len: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut of = |f: &mut dyn FnMut(&mut SplitMix64) -> f32| (0..len).map(|_| f(random)).collect::<Vec<_>>();
    vec![
        ("normal", of(&mut |r| r.normal_f32())),
        ("positive", of(&mut |r| r.unit_f32())),
        ("denormal", of(&mut |r| r.normal_f32() * 1e-40)),
        ("large", of(&mut |r| r.normal_f32() * 1e15)),
        ("mixed magnitudes", of(&mut |r| r.normal_f32() * 10f32.powi(r.below(30) as i32 - 15))),
        ("zeros of both signs", of(&mut |r| if r.below(2) == 0 { 0.0 } else { -0.0 })),
    ]
}

/// How far a sum of `terms`, each off by a few roundings, may be from its exact value.
fn tolerance(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum) = (0, 0.0);
    for term in terms {
        count += 1;
        sum += term.abs();
    }
    let depth = f64::from(count) / portable::LANES as f64 + 8.0;
    depth * f64::from(f32::EPSILON) * sum + f64::from(count) * f64::from(f32::from_bits(1))
}

#[test]
fn float_kernels_stay_within_the_error_bound_at_every_length_and_alignment() {
    let mut random = SplitMix64::new(1);
    for len in 0..=200 {
        let start = len % 7;
        for ((what, a), (_, b)) in vectors(&mut random, len + 7).iter().zip(&vectors(&mut random, len + 7)) {
            let (a, b) = (&a[start..start + len], &b[7 - start..7 - start + len]);
            let pairs = || a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
            let dot_tolerance = tolerance(pairs().map(|(x, y)| x * y));
            let l2_tolerance = tolerance(pairs().map(|(x, y)| (x - y).powi(2)));
            for k in tables() {
                let off = (f64::from((k.dot)(a, b)) - oracle::dot(a, b)).abs();
                assert!(off <= dot_tolerance, "{} dot of {len} {what}: off by {off}, {dot_tolerance}", k.name);
                let off = (f64::from((k.l2)(a, b)) - oracle::l2(a, b)).abs();
                assert!(off <= l2_tolerance, "{} l2 of {len} {what}: off by {off}, {l2_tolerance}", k.name);
            }
        }
    }
}

#[test]
fn float_kernels_agree_bit_for_bit() {
    let mut random = SplitMix64::new(2);
    for len in (0..=200).chain([384, 767, 1536, 4099]) {
        for ((what, a), (_, b)) in vectors(&mut random, len).iter().zip(&vectors(&mut random, len)) {
            for k in tables() {
                let (dot, l2) = ((portable::KERNELS.dot)(a, b), (portable::KERNELS.l2)(a, b));
                assert_eq!((k.dot)(a, b).to_bits(), dot.to_bits(), "{} dot of {len} {what}", k.name);
                assert_eq!((k.l2)(a, b).to_bits(), l2.to_bits(), "{} l2 of {len} {what}", k.name);
                let rows = [&b[..], &a[..], &b[..], &b[..]];
                let (dots, l2s) = (rows.map(|row| (k.dot)(a, row)), rows.map(|row| (k.l2)(a, row)));
                let bits = |four: [f32; 4]| four.map(f32::to_bits);
                assert_eq!(bits((k.dot_4)(a, rows)), bits(dots), "{} dot_4 of {len} {what}", k.name);
                assert_eq!(bits((k.l2_4)(a, rows)), bits(l2s), "{} l2_4 of {len} {what}", k.name);
            }
        }
    }
}

#[test]
fn kernels_of_16_bits_widen_every_finite_float_exactly() {
    let mut random = SplitMix64::new(8);
    let all = |finite: fn(u16) -> bool| (0..=u16::MAX).filter(move |&bits| finite(bits)).collect::<Vec<u16>>();
    let f16 = all(|bits| bits & 0x7C00 != 0x7C00);
    // Squares of larger ones overflow, and what comes of infinities isn't promised.
    let bf16 = all(|bits| bits & 0x7F80 < 0x5F80);
    for k in tables() {
        // Alone, so that a small float isn't lost beside a large one.
        let alone = |dot: fn(&[f32], &[u16]) -> f32, bits| dot(&[1.0], &[bits]);
        f16.iter().for_each(|&bits| assert_eq!(alone(k.f16.dot, bits), half::from_f16(bits), "{} {bits:#x}", k.name));
        bf16.iter()
            .for_each(|&bits| assert_eq!(alone(k.bf16.dot, bits), half::from_bf16(bits), "{} {bits:#x}", k.name));
    }
    for len in (0..=200).chain([384, 1536, 4099, 30_000]) {
        let a: Vec<f32> = (0..len).map(|_| random.normal_f32()).collect();
        for (what, values, widen) in [("f16", &f16, half::from_f16 as fn(u16) -> f32), ("bf16", &bf16, half::from_bf16)]
        {
            let start = random.below((values.len() - len + 1) as u32) as usize;
            let row = &values[start..start + len];
            let wide: Vec<f32> = row.iter().map(|&bits| widen(bits)).collect();
            let (dot, l2) = ((portable::KERNELS.dot)(&a, &wide), (portable::KERNELS.l2)(&a, &wide));
            for k in tables() {
                let halves = if what == "f16" { &k.f16 } else { &k.bf16 };
                assert_eq!((halves.dot)(&a, row).to_bits(), dot.to_bits(), "{} dot of {len} {what}", k.name);
                assert_eq!((halves.l2)(&a, row).to_bits(), l2.to_bits(), "{} l2 of {len} {what}", k.name);
            }
        }
    }
}

#[test]
fn bits_are_counted_at_every_length_and_alignment() {
    let mut random = SplitMix64::new(9);
    // The last is of more bits than the kernels' narrower counters would hold.
    for len in (0..=100).chain([128, 512, 4096, 32_768]) {
        let mut bytes = |len: usize| (0..len + 3).map(|_| random.next_u64() as u8).collect::<Vec<u8>>();
        let (a, b) = (bytes(len), bytes(len));
        let (none, all) = (vec![0; len], vec![0xFF; len]);
        for (a, b) in [(&a[3..], &b[..len]), (&a[..len], &a[..len]), (&none, &all), (&all, &all), (&none, &none)] {
            let differ = oracle::bits(a, b, |x, y| x != y);
            let overlap = [oracle::bits(a, b, |x, y| x && y), oracle::bits(a, b, |x, y| x || y)];
            for k in tables() {
                assert_eq!((k.hamming)(a, b), differ, "{} {len} bytes", k.name);
                assert_eq!((k.overlap)(a, b), overlap, "{} {len} bytes", k.name);
            }
        }
    }
    assert_eq!(crate::distance::jaccard(&[0b1100], &[0b0110]), 2.0 / 3.0);
    assert_eq!(crate::distance::jaccard(&[0; 4], &[0; 4]), 1.0);
}

#[test]
fn integer_kernels_are_exact_and_wrap_alike() {
    let mut random = SplitMix64::new(3);
    for len in (0..=200).chain([384, 1000, 32_768]) {
        let row: Vec<i8> = (0..len + 3).map(|_| random.next_u64() as i8).collect();
        let query: Vec<i16> = (0..len + 3).map(|_| random.next_u64() as i16).collect();
        let extreme = (vec![i8::MIN; len], vec![i16::MIN; len]);
        for (row, query) in [(&row[3..], &query[..len]), (&row[..len], &query[3..]), (&extreme.0, &extreme.1)] {
            let exact = oracle::dot_i8(row, query) as i32;
            for k in tables() {
                assert_eq!((k.dot_i8)(row, query), exact, "{} of {len}", k.name);
            }
        }
    }
}

#[test]
fn products_with_levels_are_exact_at_every_dimension() {
    let mut random = SplitMix64::new(5);
    for dimensions in (8..=272).step_by(8).chain([384, 1000, 4096]) {
        for bits in 1..=MAX_LOW_BITS {
            let mut draw = |n: usize| (0..n + SLACK).map(|_| random.next_u64() as u8).collect::<Vec<u8>>();
            let (signs, low) = (draw(dimensions / 4), draw(dimensions / 8 * bits as usize));
            let values: Vec<i16> = (0..dimensions).map(|_| random.next_u64() as i16).collect();
            let (eighth, stride) = (dimensions / 8, LevelsQuery::stride(dimensions / 8));
            let mut placed = vec![0; 8 * stride];
            for (dimension, &value) in values.iter().enumerate() {
                let position = dimension % 4 * (dimensions / 4) + dimension / 4;
                placed[position / eighth * stride + position % eighth] = value;
            }
            let query = LevelsQuery::new(&placed, eighth);
            for upper in [0, 4] {
                let row = Levels { signs: &signs, upper, low: &low, bits };
                let exact = (0..dimensions)
                    .map(|i| oracle::level(&row, dimensions, i) as i64 * i64::from(values[i]))
                    .sum::<i64>() as i32;
                for k in tables() {
                    assert_eq!((k.dot_levels)(&row, &query), exact, "{}: {dimensions} of {bits} bits", k.name);
                }
            }
        }
    }
}

#[test]
fn tiles_are_exact_and_wrap_alike() {
    let mut random = SplitMix64::new(6);
    for length in [0, 16, 32, 48, 384, 1024] {
        for extreme in [false, true] {
            let mut row = |_| -> Vec<i16> {
                let next = |_| if extreme { i16::MIN } else { random.next_u64() as i16 };
                (0..length + 1).map(next).collect()
            };
            let rows = [0, 1, 2, 3, 4, 5].map(&mut row);
            let of = |i: usize| &rows[i][i % 2..length + i % 2];
            for k in tables() {
                let found = (k.tile)([of(0), of(1), of(2), of(3)], [of(4), of(5)]);
                for (i, products) in found.into_iter().enumerate() {
                    for (j, product) in products.into_iter().enumerate() {
                        let pairs = of(i).iter().zip(of(4 + j));
                        let exact: i64 = pairs.map(|(&x, &y)| i64::from(x) * i64::from(y)).sum();
                        assert_eq!(product, exact as i32, "{} of {length}: {i}, {j}", k.name);
                    }
                }
            }
        }
    }
}

/// Blocks of random codes with these factors, and tables with entries up to `level`.
fn scanned(random: &mut SplitMix64, groups: usize, blocks: usize, level: u8) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    for _ in 0..blocks {
        let factors: Vec<f32> = (0..3 * BLOCK_ROWS).map(|_| random.normal_f32()).collect();
        bytes.extend_from_slice(as_bytes(&factors));
        bytes.extend((0..groups * GROUP).map(|_| random.next_u64() as u8));
    }
    (bytes, (0..groups * GROUP).map(|_| random.below(u32::from(level) + 1) as u8).collect())
}

fn run(k: &Kernels, bytes: &[u8], query: &LookupTables<'_>, threshold: f32) -> (Vec<[u32; BLOCK_ROWS]>, Vec<u32>) {
    let blocks = bytes.len() / query.block_bytes();
    let (mut bounds, mut hits) = (vec![[f32::NAN; BLOCK_ROWS]; blocks], vec![u32::MAX; blocks]);
    (k.scan)(bytes, query, threshold, &mut bounds, &mut hits);
    (bounds.iter().map(|b| b.map(f32::to_bits)).collect(), hits)
}

#[test]
fn scans_compute_the_documented_bound_at_every_dimension() {
    let mut random = SplitMix64::new(4);
    for groups in (2..=100).step_by(2) {
        let (bytes, entries) = scanned(&mut random, groups, 3, LookupTables::level(groups));
        let query = LookupTables::new(&entries, 0.01, -0.5, 0.25);
        for k in tables() {
            let (bounds, hits) = run(k, &bytes, &query, 0.1);
            for (b, block) in bytes.chunks_exact(query.block_bytes()).enumerate() {
                for (row, &found) in bounds[b].iter().enumerate() {
                    let factor = |kind: usize| {
                        let at = (kind * BLOCK_ROWS + row) * 4;
                        f32::from_le_bytes(block[at..at + 4].try_into().unwrap())
                    };
                    let sum = oracle::table_sum(&block[FACTOR_BYTES..], &entries, row) as f32;
                    let bound = factor(0) - factor(1) * (sum * 0.01 + -0.5) - factor(2) * 0.25;
                    assert_eq!(found, bound.to_bits(), "{} {groups} groups, row {row}", k.name);
                    assert_eq!(hits[b] >> row & 1 == 1, bound < 0.1, "{} {groups} groups, row {row}", k.name);
                }
            }
        }
    }
}

#[test]
fn sums_of_parts_are_those_of_each_row_and_wrap_alike() {
    let mut random = SplitMix64::new(11);
    for parts in (0..=40).step_by(2).chain([96, 256, 600]) {
        // Tables of which a byte holds the sums of many parts, of a few, and of one.
        for most in [1, 16, 100, 256] {
            let mut bytes =
                |below: u32| (0..parts * PART_BYTES).map(|_| random.below(below) as u8).collect::<Vec<u8>>();
            let (codes, entries) = (bytes(256), bytes(most));
            let tables = PartTables::new(entries.clone());
            let sums = part_sums(&codes, &tables);
            assert_eq!(sums, parts::one_by_one(&codes, &entries), "{parts} parts below {most}");
            for (row, sum) in sums.into_iter().enumerate() {
                // The oracle's rows lie in the order of bytes.
                let place = row / 16 * 16 + row % 8 * 2 + row % 16 / 8;
                assert_eq!(sum, oracle::table_sum(&codes, &entries, place) as u16, "{parts} parts, row {row}");
            }
        }
        let (codes, tables) = (vec![0xA7; parts * PART_BYTES], PartTables::new(vec![255; parts * PART_BYTES]));
        assert_eq!(part_sums(&codes, &tables), [(parts * 255) as u16; PART_ROWS]);
    }
}

#[test]
fn two_queries_at_once_get_what_each_gets_alone() {
    let mut random = SplitMix64::new(5);
    for groups in (2..=40).step_by(2).chain([96, 256]) {
        let (bytes, entries) = scanned(&mut random, groups, 5, LookupTables::level(groups));
        let (_, others) = scanned(&mut random, groups, 0, LookupTables::level(groups));
        let queries = [LookupTables::new(&entries, 0.01, -0.5, 0.25), LookupTables::new(&others, 0.02, 0.5, 1.5)];
        for k in tables() {
            let alone = [run(k, &bytes, &queries[0], 0.1), run(k, &bytes, &queries[1], -0.3)];
            let (mut bounds, mut hits) = ([[[f32::NAN; BLOCK_ROWS]; 5]; 2], [[u32::MAX; 5]; 2]);
            let [bounds_a, bounds_b] = &mut bounds;
            let [hits_a, hits_b] = &mut hits;
            let found = [Found { bounds: bounds_a, hits: hits_a }, Found { bounds: bounds_b, hits: hits_b }];
            (k.scan_two)(&bytes, [&queries[0], &queries[1]], [0.1, -0.3], found);
            for (which, (found, alone)) in bounds.iter().zip(hits).zip(&alone).enumerate() {
                let bits: Vec<_> = found.0.iter().map(|b| b.map(f32::to_bits)).collect();
                assert_eq!(
                    (&bits, &found.1[..]),
                    (&alone.0, &alone.1[..]),
                    "{} {groups} groups, query {which}",
                    k.name
                );
            }
        }
    }
}

#[test]
fn the_largest_sums_fit() {
    for groups in [2, 8, 16, 18, 2114, 2116, 8192] {
        let entries = vec![LookupTables::level(groups); groups * GROUP];
        let mut bytes = vec![0; FACTOR_BYTES];
        bytes[BLOCK_ROWS * 4..2 * BLOCK_ROWS * 4].copy_from_slice(as_bytes(&[-1.0f32; BLOCK_ROWS]));
        bytes.resize(FACTOR_BYTES + groups * GROUP, 0xA7);
        let query = LookupTables::new(&entries, 1.0, 0.0, 0.0);
        let sum = groups as f32 * f32::from(LookupTables::level(groups));
        for k in tables() {
            let (bounds, _) = run(k, &bytes, &query, 0.0);
            assert!(bounds[0].iter().all(|&b| f32::from_bits(b) == sum), "{} {groups} groups: {bounds:?}", k.name);
        }
    }
    assert_eq!(LookupTables::level(96), MAX_LEVEL);
}

#[test]
fn factors_of_a_forged_file_select_nothing_that_is_not_below_the_threshold() {
    let entries = vec![1; 2 * GROUP];
    let query = LookupTables::new(&entries, 1.0, 0.0, 1.0);
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, -0.0, f32::from_bits(1)];
    let factors: Vec<f32> = (0..3 * BLOCK_ROWS).map(|i| odd[(i * 7 + i / 32) % odd.len()]).collect();
    let mut bytes = as_bytes(&factors).to_vec();
    bytes.resize(query.block_bytes(), 0);
    for k in tables() {
        let (bounds, hits) = run(k, &bytes, &query, f32::INFINITY);
        for (row, &bound) in bounds[0].iter().enumerate() {
            assert_eq!(hits[0] >> row & 1 == 1, f32::from_bits(bound) < f32::INFINITY, "{} row {row}", k.name);
        }
    }
}
