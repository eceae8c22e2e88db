//! Extended RaBitQ: 2 to 8 bits a dimension (Gao, Gou, Xu, Yang, Long, Wong: *Practical and
//! Asymptotically Optimal Quantization of High-Dimensional Vectors in Euclidean Space for Approximate
//! Nearest Neighbor Search*, SIGMOD 2025).
//!
//! A rotated residual *r* is coded as the vector *v* that lies nearest to its direction among those
//! whose *d* coordinates are all of ±½, ±1½, … ±(2ᴮ − 1)/2, with *B* bits a dimension; [`rabitq`] is
//! the case of one bit, up to a factor. Coordinate *i* of *v* is yᵢ − (2ᴮ − 1)/2 for a level yᵢ of *B*
//! bits, and the highest of these is the sign of rᵢ: the bit that the scan reads. So the other B − 1
//! bits lie apart, and are read for rows that the scan found worth it. As with one bit,
//!
//! ```text
//! ⟨r, p⟩ ≈ scale · ⟨v, p⟩,   scale = ‖r‖² / ⟨v, r⟩,   off by about ‖p‖ · √((scale² ‖v‖² − ‖r‖²) / (d − 1))
//! ```
//!
//! and the factors of [`rabitq`] follow with *v* for *s*. The error halves, about, with each bit.
//!
//! Which *v* is nearest depends on how many steps r's length is: multiplied by *t*, a coordinate is
//! rounded to the nearest ±(k + ½), k ≤ 2ᴮ⁻¹ − 1. The paper tries every *t* at which one of them
//! changes. Here some are tried around the one that suits normal coordinates best, and the
//! best of them is moved to ‖v‖² / ⟨v, r⟩, which can only lessen the error, until nothing changes. The
//! average error of normal coordinates is above the least by less than 0.1 % up to 4 bits, 1 % at 6 and
//! 5 % at 8, in 64 and in 384 dimensions.
//!
//! **Section 13**:
//!
//! ```text
//! u32         B, 2 to 8
//! u32 × 3     0
//! per row, in the order of the file's rows:
//! f32         f_add
//! f32         f_scale
//! f32         f_error
//! u8 × …      the lowest B − 1 bits of each level, d / 8 · (B − 1) bytes: see below
//! u8 × 16     0, so that 16 bytes can be loaded anywhere
//! ```
//!
//! Bits lie in the parts that [`crate::distance::Levels`] describes.

use super::rabitq::{self, Encoder};
use super::rotation::padded;
use crate::distance::{self, BLOCK_ROWS, FACTOR_BYTES, GROUP, Levels, LevelsQuery, SLACK};
use crate::words::say::decimal;
use crate::words::{Blob, Error, Result};

/// The most bits a dimension.
pub const MAX_BITS: u32 = 8;

/// Bytes before the first row.
pub const HEAD_BYTES: usize = 16;

/// Bytes of a row's factors.
const ROW_FACTOR_BYTES: usize = 12;

/// Of 2 to 8 bits: the step of equally spaced levels that code normal numbers of variance 1 best, about
/// (after Max 1960). Only where the search begins.
const NORMAL_STEPS: [f32; 7] = [0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308];

/// The coarsest and the finest steps that are tried, as parts of the one for normal numbers. Where no
/// coordinate is as far out as those are, the finest are the ones that reach just the farthest.
const COARSEST: f32 = 1.4;
const FINEST: f32 = 0.7;

/// Steps that are tried: the more the fewer dimensions there are, since they say less about each other.
const MOST_TRIED: usize = 128;
const LEAST_TRIED: usize = 12;
const TRIED_DIMENSIONS: usize = 2048;

/// How often the best is moved, at most.
const MOVES: usize = 6;

/// Bytes of a row.
pub const fn row_bytes(dimension: usize, bits: u32) -> usize {
    ROW_FACTOR_BYTES + padded(dimension) / 8 * (bits as usize - 1)
}

/// What the head of a section says of its bits.
pub fn bits(head: &[u8]) -> Option<u32> {
    head.first_chunk().map(|bits| u32::from_le_bytes(*bits))
}

/// Bytes of a section, if they can be counted.
pub fn section_bytes(count: usize, dimension: usize, bits: u32) -> Option<usize> {
    count.checked_mul(row_bytes(dimension, bits))?.checked_add(HEAD_BYTES + SLACK)
}

/// A section of `count` rows, all still to be written: see [`rows_mut`].
pub fn empty_section(count: usize, dimension: usize, bits: u32) -> Vec<u8> {
    // It fits: the rows themselves are larger, and in memory.
    let mut section = vec![0; section_bytes(count, dimension, bits).unwrap_or(usize::MAX)];
    section[..4].copy_from_slice(&bits.to_le_bytes());
    section
}

/// The rows of a section, one after the other.
pub fn rows_mut(section: &mut [u8]) -> &mut [u8] {
    let end = section.len() - SLACK;
    &mut section[HEAD_BYTES..end]
}

/// Writes a row, which is all zero.
pub fn encode(encoder: &Encoder<'_>, row: &[f32], bits: u32, out: &mut [u8]) {
    let residual = encoder.residual(row);
    let r = &residual.rotated;
    let steps = steps(r, bits);
    let largest = (1i32 << (bits - 1)) - 1;
    let (mut with_residual, mut norm) = (0.0f64, 0.0f64);
    let mut values = vec![0.0f64; r.len()];
    let mut levels = vec![0u8; r.len()];
    let quarter = r.len() / 4;
    for (i, &x) in r.iter().enumerate() {
        let k = round_down(x.abs() * steps, largest as f32) as i32;
        let (v, low) = if x > 0.0 { (f64::from(k) + 0.5, k) } else { (-0.5 - f64::from(k), largest - k) };
        (values[i], levels[i % 4 * quarter + i / 4]) = (v, low as u8);
        with_residual += v * f64::from(x);
        norm += v * v;
    }
    let factors = encoder.factors(&residual, with_residual, norm, encoder.along(|i| values[i]));
    for (at, factor) in factors.iter().enumerate() {
        out[4 * at..4 * at + 4].copy_from_slice(&factor.to_le_bytes());
    }
    distance::write_levels(&levels, bits - 1, &mut out[ROW_FACTOR_BYTES..]);
}

/// ⌊x⌋ of a number that isn't negative, or one less where that is off by no more than rounding; at
/// most `largest`. Additions alone, so that it can be done in lanes, and is the same everywhere.
#[inline]
fn round_down(x: f32, largest: f32) -> f32 {
    const INTEGERS: f32 = 12_582_912.0;
    let x = x - 0.5;
    let x = if x < largest { x } else { largest };
    (x + INTEGERS) - INTEGERS
}

/// By what a residual is best multiplied to be rounded to levels of `bits` bits.
fn steps(r: &[f32], bits: u32) -> f32 {
    let square: f64 = r.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let normal = (r.len() as f64 / square).sqrt() / f64::from(NORMAL_STEPS[bits as usize - 2]);
    if !(normal as f32).is_finite() {
        return 0.0;
    }
    let largest = ((1u32 << (bits - 1)) - 1) as f32;
    let farthest = r.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let coarsest = normal as f32 / COARSEST;
    let finest = (normal as f32 / FINEST).max((largest + 1.0) / farthest);
    let tried = (TRIED_DIMENSIONS / r.len()).clamp(LEAST_TRIED, MOST_TRIED);
    let mut best = Trial { steps: 0.0, next: 0.0, score: f32::NEG_INFINITY };
    for i in 0..tried {
        let trial = Trial::of(r, coarsest + (finest - coarsest) * (i as f32 / (tried - 1) as f32), largest);
        if trial.score > best.score {
            best = trial;
        }
    }
    for _ in 0..MOVES {
        let trial = Trial::of(r, best.next, largest);
        if trial.score <= best.score || !trial.next.is_finite() {
            break;
        }
        best = trial;
    }
    best.steps
}

struct Trial {
    steps: f32,
    /// ‖v‖² / ⟨v, r⟩.
    next: f32,
    /// Of the angle between v and r: the larger, the smaller.
    score: f32,
}

impl Trial {
    fn of(r: &[f32], steps: f32, largest: f32) -> Self {
        let (mut with, mut norm) = ([0.0f32; 8], [0.0f32; 8]);
        for eight in r.as_chunks::<8>().0 {
            for i in 0..8 {
                let x = eight[i].abs() * steps;
                let v = round_down(x, largest) + 0.5;
                with[i] += v * x;
                norm[i] += v * v;
            }
        }
        let sum = |lanes: [f32; 8]| lanes.iter().sum::<f32>();
        let (with, norm) = (sum(with), sum(norm));
        // Both are in steps; the product with r itself, squared, over ‖v‖² is what tells angles apart.
        let product = with / steps;
        Trial { steps, next: steps * norm / with, score: product * (product / norm) }
    }
}

/// The codes of a section, in place.
#[derive(Debug, Clone)]
pub struct Codes {
    section: Blob,
    dimension: usize,
    bits: u32,
}

impl Codes {
    /// The codes of a section.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if its length doesn't fit the shape, or no build makes such codes.
    pub fn open(section: &Blob, count: usize, dimension: usize) -> Result<Self> {
        let bits = bits(section).unwrap_or(0);
        if !(2..=MAX_BITS).contains(&bits) || section_bytes(count, dimension, bits) != Some(section.len()) {
            return Err(Error::corrupt(format!(
                "the extended codes of {count} rows of {dimension} dimensions in {bits} bits don't fit a section of \
                 {} bytes; the file is damaged",
                section.len()
            )));
        }
        Ok(Codes { section: section.clone(), dimension, bits })
    }

    /// Checks every number. The codes themselves may be any.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        let end = self.section.len() - SLACK;
        if self.section[4..HEAD_BYTES].iter().chain(&self.section[end..]).any(|&byte| byte != 0) {
            return Err(Error::corrupt("the extended codes hold something where zeros belong; the file is damaged"));
        }
        let rows = self.section[HEAD_BYTES..end].chunks_exact(row_bytes(self.dimension, self.bits));
        for (i, row) in rows.enumerate() {
            let [add, scale, error] = factors(row);
            if !(add.is_finite() && scale.is_finite() && error.is_finite() && scale >= 0.0 && error >= 0.0) {
                return Err(Error::corrupt(format!(
                    "row {i} has {}, {} and {} for factors of its extended code; the file is damaged",
                    decimal(add),
                    decimal(scale),
                    decimal(error)
                )));
            }
        }
        Ok(())
    }

    /// Asks for what [`Self::estimate`] will read of a row.
    #[inline]
    pub fn touch(&self, row: usize) {
        let bytes = row_bytes(self.dimension, self.bits);
        distance::touch(&self.section[HEAD_BYTES + row * bytes..HEAD_BYTES + (row + 1) * bytes]);
    }

    /// Estimate of a row's distance, less what is [added](rabitq::Place::added), and its standard
    /// deviation, less ‖q − c‖ as a factor. Its first bits are row `lane` of a block. Panics if there
    /// is no such row.
    pub fn estimate(&self, query: &mut Query, row: usize, block: &[u8], lane: usize) -> (f32, f32) {
        let row = &self.section[HEAD_BYTES + row * row_bytes(self.dimension, self.bits)..];
        let [add, scale, error] = factors(row);
        for (sign, group) in query.signs.iter_mut().zip(block[FACTOR_BYTES..].chunks_exact(GROUP)) {
            *sign = group[lane % GROUP];
        }
        let levels = Levels {
            signs: &query.signs,
            upper: (lane / GROUP * 4) as u32,
            low: &row[ROW_FACTOR_BYTES..],
            bits: self.bits - 1,
        };
        debug_assert!(lane < BLOCK_ROWS);
        let sum = distance::dot_levels(&levels, &LevelsQuery::new(&query.values, query.eighth));
        // In halves of a step, exactly.
        let twice = 2 * i64::from(sum) - ((1i64 << self.bits) - 1) * query.sum;
        (add - scale * (twice as f32 * query.half_step), error)
    }
}

#[inline]
fn factors(row: &[u8]) -> [f32; 3] {
    let mut factors = [0.0; 3];
    for (factor, bytes) in factors.iter_mut().zip(row.as_chunks::<4>().0) {
        *factor = f32::from_le_bytes(*bytes);
    }
    factors
}

/// A query in 16-bit integers. Reused from one search to the next.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// By position, eighths filled up.
    values: Vec<i16>,
    eighth: usize,
    /// Of the values.
    sum: i64,
    half_step: f32,
    /// Room for a row's first bits.
    signs: Vec<u8>,
}

impl Query {
    /// Takes on a query that was prepared for the scan.
    pub fn prepare(&mut self, query: &rabitq::Query, codes: &Codes) {
        let p = query.rotated();
        let largest = p.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let absolute: f32 = p.iter().map(|x| x.abs()).sum();
        // No sum of products leaves i32: half of its range is for Σ|p| times the largest level, the
        // rest for rounding up (at most a half in each of 32,768 dimensions).
        let headroom = (1u32 << 30) as f32 / ((1u32 << codes.bits) - 1) as f32;
        let step = (largest / 32_767.0).max(absolute / headroom);
        let steps = if step > 0.0 { step } else { 1.0 };
        self.half_step = 0.5 * step;
        self.eighth = p.len() / 8;
        let (stride, quarter) = (LevelsQuery::stride(self.eighth), p.len() / 4);
        self.values.clear();
        self.values.resize(8 * stride, 0);
        self.sum = 0;
        for (i, x) in p.iter().enumerate() {
            let position = i % 4 * quarter + i / 4;
            let value = (x / steps).round() as i16;
            self.values[position / self.eighth * stride + position % self.eighth] = value;
            self.sum += i64::from(value);
        }
        self.signs.clear();
        self.signs.resize(quarter + SLACK, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::rotation::{Rotation, draw_signs};
    use crate::words::random::SplitMix64;
    use crate::words::{Code, MatrixView, Metric};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    struct Coded {
        blocks: Vec<u8>,
        section: Vec<u8>,
        codes: Codes,
    }

    fn code(encoder: &Encoder<'_>, rows: MatrixView<'_>, bits: u32) -> Coded {
        let dimension = rows.dimension();
        let mut blocks = vec![0; rows.rows().div_ceil(BLOCK_ROWS) * rabitq::block_bytes(dimension)];
        for (b, block) in blocks.chunks_exact_mut(rabitq::block_bytes(dimension)).enumerate() {
            encoder.encode(rows.iter().skip(b * BLOCK_ROWS).take(BLOCK_ROWS), block);
        }
        let mut section = empty_section(rows.rows(), dimension, bits);
        for (row, out) in rows.iter().zip(rows_mut(&mut section).chunks_exact_mut(row_bytes(dimension, bits))) {
            encode(encoder, row, bits, out);
        }
        let codes = Codes::open(&Blob::copy_of(&section).unwrap(), rows.rows(), dimension).unwrap();
        codes.verify().unwrap();
        Coded { blocks, section, codes }
    }

    fn exact(a: &[f32], b: &[f32], metric: Metric) -> f64 {
        let pairs = a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        match metric {
            Metric::L2 => pairs.map(|(x, y)| (x - y).powi(2)).sum(),
            _ => -pairs.map(|(x, y)| x * y).sum::<f64>(),
        }
    }

    /// Errors of estimates, and what their standard deviations are said to be.
    fn errors(dimension: usize, metric: Metric, bits: u32) -> Vec<(f64, f64)> {
        let mut random = SplitMix64::new(3);
        let mut draw = |rows: usize| -> Vec<f32> {
            (0..rows * dimension).map(|i| 0.5 + (1.0 + (i % 3) as f32) * random.normal_f32()).collect()
        };
        let (data, queries) = (draw(500), draw(20));
        let rows = MatrixView::new(&data, dimension).unwrap();
        let rotation = Rotation::new(&draw_signs(dimension, 3), dimension).unwrap();
        let mean = rabitq::centroid(rows);
        let centroid: Vec<f32> = mean.iter().map(|x| x + 0.3).collect();
        let shift = rabitq::Shift::new(&mean, &centroid, &rotation);
        let (mut query, mut levels, mut found) = (rabitq::Query::default(), Query::default(), Vec::new());
        for (centroid, shift) in [(&mean, None), (&centroid, Some(&shift))] {
            let coded = code(&Encoder { rotation: &rotation, centroid, shift, metric }, rows, bits);
            for q in queries.chunks_exact(dimension) {
                query.prepare(q, &mean, &rotation, None, metric);
                levels.prepare(&query, &coded.codes);
                let place = shift.map_or(query.place(), |shift| query.place_in(&shift.rotated, shift.product));
                for (row, x) in rows.iter().enumerate() {
                    let size = rabitq::block_bytes(dimension);
                    let block = &coded.blocks[row / BLOCK_ROWS * size..][..size];
                    let (estimate, error) = coded.codes.estimate(&mut levels, row, block, row % BLOCK_ROWS);
                    let off = f64::from(estimate) + f64::from(place.added) - exact(x, q, metric);
                    found.push((off, f64::from(error * place.norm)));
                }
            }
        }
        found
    }

    #[test]
    fn estimates_are_unbiased_and_their_errors_are_as_stated() {
        for dimension in [64, 100, 384] {
            for metric in [Metric::L2, Metric::Ip] {
                let mut last = f64::INFINITY;
                for bits in 2..=MAX_BITS {
                    let found = errors(dimension, metric, bits);
                    let count = found.len() as f64;
                    let mean = found.iter().map(|(off, stated)| off / stated).sum::<f64>() / count;
                    let spread = (found.iter().map(|(off, stated)| (off / stated).powi(2)).sum::<f64>() / count).sqrt();
                    assert!(mean.abs() < 0.1, "{metric} {dimension}, {bits} bits: off by {mean} deviations on average");
                    assert!((0.8..1.2).contains(&spread), "{metric} {dimension}, {bits} bits: {spread} deviations");
                    let epsilon = f64::from(rabitq::EPSILON);
                    let above = found.iter().filter(|(off, stated)| *off > epsilon * stated).count() as f64 / count;
                    assert!((0.005..0.05).contains(&above), "{metric} {dimension}, {bits} bits: {above} beyond bounds");
                    let error = (found.iter().map(|(off, _)| off * off).sum::<f64>() / count).sqrt();
                    assert!(error < 0.62 * last, "{metric} {dimension}, {bits} bits: {error} after {last}");
                    last = error;
                }
            }
        }
    }

    #[test]
    fn any_dimension_can_be_coded() {
        for dimension in [1, 3, 8, 17, 4096] {
            for (bits, most) in [(2, 0.35), (5, 0.06), (8, 0.008)] {
                let mut random = SplitMix64::new(4);
                let data: Vec<f32> = (0..40 * dimension).map(|_| random.normal_f32()).collect();
                let rotation = Rotation::new(&draw_signs(dimension, 1), dimension).unwrap();
                let centroid = vec![0.0; dimension];
                let encoder = Encoder { rotation: &rotation, centroid: &centroid, shift: None, metric: Metric::L2 };
                let coded = code(&encoder, MatrixView::new(&data, dimension).unwrap(), bits);
                let (mut query, mut levels) = (rabitq::Query::default(), Query::default());
                query.prepare(&data[..dimension], &centroid, &rotation, None, Metric::L2);
                levels.prepare(&query, &coded.codes);
                for (row, x) in data.chunks_exact(dimension).enumerate() {
                    let block = &coded.blocks[row / BLOCK_ROWS * rabitq::block_bytes(dimension)..];
                    let block = &block[..rabitq::block_bytes(dimension)];
                    let (estimate, _) = coded.codes.estimate(&mut levels, row, block, row % BLOCK_ROWS);
                    let off = f64::from(estimate + query.place().added) - exact(x, &data[..dimension], Metric::L2);
                    let lengths = 2.0 * exact(x, &centroid, Metric::L2).sqrt() * f64::from(query.place().norm);

                    assert!(off.abs() < most * lengths + 1e-5, "{dimension} in {bits} bits, row {row}: {off}");
                }
            }
        }
    }

    /// ⟨v, r⟩² / ‖v‖² at each step at which a level changes: the largest.
    fn best_score(r: &[f32], bits: u32) -> f64 {
        let largest = (1u32 << (bits - 1)) - 1;
        let mut changes: Vec<(f64, usize)> = (1..=largest)
            .flat_map(|k| r.iter().enumerate().map(move |(i, x)| (f64::from(k) / f64::from(x.abs()), i)))
            .collect();
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut product: f64 = r.iter().map(|x| 0.5 * f64::from(x.abs())).sum();
        let mut norm = 0.25 * r.len() as f64;
        let mut levels = vec![0.5; r.len()];
        let mut best = product * product / norm;
        for (_, i) in changes {
            product += f64::from(r[i].abs());
            norm += 2.0 * levels[i] + 1.0;
            levels[i] += 1.0;
            best = best.max(product * product / norm);
        }
        best
    }

    #[test]
    fn the_fast_search_for_steps_comes_near_the_best() {
        let mut random = SplitMix64::new(5);
        for dimension in [8, 64, 384] {
            for (bits, most) in [(2, 1.001), (3, 1.001), (4, 1.002), (5, 1.005), (6, 1.015), (7, 1.03), (8, 1.06)] {
                let (mut least, mut found) = (0.0, 0.0);
                for _ in 0..20 {
                    let r: Vec<f32> = (0..dimension).map(|_| random.normal_f32()).collect();
                    let square: f64 = r.iter().map(|&x| f64::from(x).powi(2)).sum();
                    let trial = Trial::of(&r, steps(&r, bits), ((1u32 << (bits - 1)) - 1) as f32);
                    // What lies across r: the error is its length.
                    least += (square / best_score(&r, bits) * square - square).sqrt();
                    found += (square / f64::from(trial.score) * square - square).max(0.0).sqrt();
                }
                assert!(found < most * least, "{dimension} in {bits} bits: {found}, at best {least}");
            }
        }
    }

    #[test]
    fn zero_residuals_are_exact_and_tiny_ones_finite() {
        let rotation = Rotation::new(&draw_signs(5, 1), 5).unwrap();
        for metric in [Metric::L2, Metric::Ip] {
            let encoder = Encoder { rotation: &rotation, centroid: &[2.0; 5], shift: None, metric };
            let data = [[2.0; 5], [2.0, 2.0, 2.0, 2.0, 2.000_000_2]].concat();
            let coded = code(&encoder, MatrixView::new(&data, 5).unwrap(), 4);
            let (mut query, mut levels) = (rabitq::Query::default(), Query::default());
            for q in [[2.0; 5], [7.0; 5]] {
                query.prepare(&q, &[2.0; 5], &rotation, None, metric);
                levels.prepare(&query, &coded.codes);
                let (estimate, error) = coded.codes.estimate(&mut levels, 0, &coded.blocks, 0);
                let off = f64::from(estimate + query.place().added) - exact(&q, &[2.0; 5], metric);
                assert_eq!((off, error), (0.0, 0.0));
            }
        }
        let mut tiny = vec![0; row_bytes(5, 8)];
        let encoder = Encoder { rotation: &rotation, centroid: &[0.0; 5], shift: None, metric: Metric::L2 };
        for size in [1e-45f32, 1e-38, 1e-20, 1e18] {
            tiny.fill(0);
            encode(&encoder, &[size, 0.0, -size, 0.0, size], 8, &mut tiny);
            assert!(factors(&tiny).iter().all(|x| x.is_finite() && *x >= 0.0), "{size}: {:?}", factors(&tiny));
        }
    }

    #[test]
    fn faults_are_found() {
        let rotation = Rotation::new(&draw_signs(8, 1), 8).unwrap();
        let encoder = Encoder { rotation: &rotation, centroid: &[0.0; 8], shift: None, metric: Metric::L2 };
        let data: Vec<f32> = (0..24).map(|i| i as f32 - 7.0).collect();
        let Coded { section, .. } = code(&encoder, MatrixView::new(&data, 8).unwrap(), 3);
        assert_eq!(section.len(), 16 + 3 * (12 + 2) + 16);
        let open = |bytes: &[u8], count| Codes::open(&Blob::copy_of(bytes).unwrap(), count, 8);
        for len in (0..section.len()).chain([section.len() + 1]) {
            let mut bytes = section.clone();
            bytes.resize(len, 0);
            assert_eq!(open(&bytes, 3).unwrap_err().code, Code::CorruptFile, "{len}");
        }
        assert!(open(&section, 2).is_err() && open(&section, usize::MAX).is_err());
        for bits in [0, 1, 2, 4, 9, u32::MAX] {
            let mut bytes = section.clone();
            bytes[..4].copy_from_slice(&bits.to_le_bytes());
            assert!(open(&bytes, 3).is_err(), "{bits}");
        }
        let zero = section.len() - 16;
        let faults = [(4, 1u32), (12, 1), (zero, 1), (zero + 12, 1 << 31)].into_iter();
        let factors = [(16, f32::NAN), (16 + 14 + 4, -1.0), (16 + 28 + 8, f32::INFINITY)];
        for (at, bits) in faults.chain(factors.map(|(at, x)| (at, x.to_bits()))) {
            let mut bytes = section.clone();
            bytes[at..at + 4].copy_from_slice(&bits.to_le_bytes());
            assert_eq!(open(&bytes, 3).unwrap().verify().unwrap_err().code, Code::CorruptFile, "{at}");
        }
    }
}
