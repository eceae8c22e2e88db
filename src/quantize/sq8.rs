//! Rows as 8-bit integers with a scale each: a quarter of the bytes, for reranking.
//!
//! A row *o* is kept as ô = c + scale · code, where *c* is the mean of all rows and the scale is
//! the one that fits best once the codes are rounded. A query is turned into 16-bit integers, so it
//! is the rows' rounding alone that is felt, and products of integers are the same everywhere.
//!
//! Rows that are such integers already, as models give them that embed in 8 bits, are their own codes: then
//! *c* is 0 and scales are 1, and what a query of integers finds is exact.
//!
//! **Section 7**, each part padded with zeros to a multiple of 64 bytes:
//!
//! ```text
//! f32 × dimension           the mean c
//! f32 × count               scales
//! f32 × count               ‖ô − c‖²; only for L2
//! i8  × count · dimension   codes, −127 ..= 127, row after row
//! ```

use crate::distance;
use crate::words::bytes::{ALIGNMENT, as_bytes, cast};
use crate::words::{Blob, Error, MatrixView, Metric, Result};
use std::ops::Range;

const LARGEST_CODE: f32 = 127.0;

/// The rows of a section, in place.
#[derive(Debug, Clone)]
pub struct Rows {
    metric: Metric,
    dimension: usize,
    centre: Blob,
    scales: Blob,
    squares: Blob,
    codes: Blob,
}

/// Lengths of the parts without padding: centre, scales, squares, codes.
fn parts(count: usize, dimension: usize, metric: Metric) -> Option<[usize; 4]> {
    let scales = count.checked_mul(4)?;
    let squares = if metric == Metric::L2 { scales } else { 0 };
    Some([dimension.checked_mul(4)?, scales, squares, count.checked_mul(dimension)?])
}

/// Bytes of the section, if they can be counted.
fn section_bytes(count: usize, dimension: usize, metric: Metric) -> Option<usize> {
    parts(count, dimension, metric)?
        .iter()
        .try_fold(0usize, |sum, part| sum.checked_add(part.checked_next_multiple_of(ALIGNMENT)?))
}

/// Whether all rows are integers that codes can be.
fn are_codes(rows: MatrixView<'_>) -> bool {
    rows.data().iter().all(|x| x.fract() == 0.0 && x.abs() <= LARGEST_CODE)
}

/// Encodes rows as a section, in the order given, or else their own. `mean` is subtracted from each, unless
/// they are integers that need no rounding.
pub fn encode(
    rows: MatrixView<'_>,
    order: Option<&[u32]>,
    mean: &[f32],
    metric: Metric,
    done: &(dyn Fn(usize) + Sync),
) -> Vec<u8> {
    let (zeros, whole) = (vec![0.0; mean.len()], are_codes(rows));
    let mean = if whole { &zeros[..] } else { mean };
    let row = |i: usize| rows.row(order.map_or(i, |order| order[i] as usize));
    let (count, dimension) = (rows.rows(), rows.dimension());
    // Both fit: the rows themselves are four times as large, and in memory.
    let bytes = section_bytes(count, dimension, metric).unwrap_or(usize::MAX);
    let lengths = parts(count, dimension, metric).unwrap_or([usize::MAX; 4]);
    let mut section = vec![0u8; bytes];
    let mut rest = &mut section[..];
    let [centre, scales, squares, codes] = lengths.map(|length| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(length.next_multiple_of(ALIGNMENT));
        rest = after;
        &mut part[..length]
    });
    centre.copy_from_slice(as_bytes(mean));
    let factors = super::map_chunks(codes, dimension * ROWS_AT_ONCE, |chunk, codes| {
        let factors: Vec<[f32; 2]> = codes
            .chunks_exact_mut(dimension)
            .enumerate()
            .map(|(i, codes)| encode_row(row(chunk * ROWS_AT_ONCE + i), mean, whole, codes))
            .collect();
        done(factors.len());
        factors
    });
    for (row, [scale, square]) in factors.into_iter().flatten().enumerate() {
        scales[4 * row..4 * row + 4].copy_from_slice(&scale.to_le_bytes());
        if metric == Metric::L2 {
            squares[4 * row..4 * row + 4].copy_from_slice(&square.to_le_bytes());
        }
    }
    section
}

const ROWS_AT_ONCE: usize = 256;

/// Writes the codes of a row; returns its scale and ‖ô − c‖².
fn encode_row(row: &[f32], mean: &[f32], whole: bool, codes: &mut [u8]) -> [f32; 2] {
    let largest = row.iter().zip(mean).fold(0.0f32, |m, (&x, &c)| m.max((x - c).abs()));
    // Division rather than a reciprocal, which overflows for the smallest numbers.
    let step = if whole && largest > 0.0 { 1.0 } else { largest / LARGEST_CODE };
    if step == 0.0 {
        return [0.0; 2];
    }
    let (mut with_row, mut square) = (0.0f64, 0i64);
    for ((&x, &c), code) in row.iter().zip(mean).zip(codes) {
        let level = ((x - c) / step).round().clamp(-LARGEST_CODE, LARGEST_CODE);
        *code = (level as i8).cast_unsigned();
        with_row += f64::from(x - c) * f64::from(level);
        square += (level as i64).pow(2);
    }
    let scale = (with_row / square as f64) as f32;
    [scale, (f64::from(scale).powi(2) * square as f64) as f32]
}

/// Where things lie in a section of so many rows.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    dimension: u64,
    scales: u64,
    squares: u64,
    codes: u64,
    /// Bytes of a square, if there are squares.
    square: u64,
}

impl Places {
    /// Those of this shape.
    pub fn new(count: usize, dimension: usize, metric: Metric) -> Self {
        // Products of 32 bits by 32: more than a machine may address, but not more than a file may have.
        let (count, dimension) = (count as u64, dimension as u64);
        let square = if metric == Metric::L2 { 4 } else { 0 };
        let scales = (4 * dimension).next_multiple_of(ALIGNMENT as u64);
        let squares = scales + (4 * count).next_multiple_of(ALIGNMENT as u64);
        let codes = squares + (square * count).next_multiple_of(ALIGNMENT as u64);
        Places { dimension, scales, squares, codes, square }
    }

    /// Bytes of the section.
    pub fn bytes(&self, count: u32) -> u64 {
        self.codes + (self.dimension * u64::from(count)).next_multiple_of(ALIGNMENT as u64)
    }

    /// Where the mean lies.
    pub fn mean(&self) -> Range<u64> {
        0..4 * self.dimension
    }

    /// Where what belongs to a row lies: its scale, its square, its codes.
    pub fn of(&self, row: u32) -> [Range<u64>; 3] {
        let row = u64::from(row);
        let place = |start: u64, bytes: u64| start + bytes * row..start + bytes * (row + 1);
        [place(self.scales, 4), place(self.squares, self.square), place(self.codes, self.dimension)]
    }

    /// A section of some rows alone: `copy` is given where the mean is, and what `of` says of each row.
    ///
    /// # Errors
    /// Those of `copy`.
    pub fn some(
        &self,
        rows: &[u32],
        metric: Metric,
        (mean, of): (Range<u64>, impl Fn(u32) -> [Range<u64>; 3]),
        copy: impl Fn(Range<u64>, &mut [u8]) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let few = Places::new(rows.len(), self.dimension as usize, metric);
        let mut section = vec![0; few.bytes(rows.len() as u32) as usize];
        let mut put = |from: Range<u64>, to: Range<u64>| copy(from, &mut section[to.start as usize..to.end as usize]);
        put(mean, few.mean())?;
        for (at, &row) in (0u32..).zip(rows) {
            of(row).into_iter().zip(few.of(at)).try_for_each(|(from, to)| put(from, to))?;
        }
        Ok(section)
    }
}

impl Rows {
    /// The rows of a section.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if its length doesn't fit the shape.
    pub fn open(section: &Blob, count: usize, dimension: usize, metric: Metric) -> Result<Self> {
        let (Some(lengths), Some(expected)) =
            (parts(count, dimension, metric), section_bytes(count, dimension, metric))
        else {
            return Err(Error::corrupt("the 8-bit rows would be larger than the address space; the file is damaged"));
        };
        if section.len() != expected {
            return Err(Error::corrupt(format!(
                "{count} rows of {dimension} 8-bit dimensions take {expected} bytes, but the section has {}; \
                 the file is damaged",
                section.len()
            )));
        }
        let mut at = 0;
        let mut part = |length: usize| {
            let part = section.slice(at..at + length);
            at += length.next_multiple_of(ALIGNMENT);
            part
        };
        let rows = Rows {
            metric,
            dimension,
            centre: part(lengths[0])?,
            scales: part(lengths[1])?,
            squares: part(lengths[2])?,
            codes: part(lengths[3])?,
        };
        // Fails now rather than in the middle of a search if the buffer isn't aligned.
        rows.centre.as_numbers::<f32>()?;
        rows.scales.as_numbers::<f32>()?;
        Ok(rows)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one isn't finite, or a length is negative.
    pub fn verify(&self) -> Result<()> {
        let unusable = |x: &f32| !x.is_finite() || *x < 0.0;
        if floats(&self.centre).iter().any(|x| !x.is_finite())
            || floats(&self.scales).iter().chain(floats(&self.squares)).any(unusable)
        {
            return Err(Error::corrupt("the 8-bit rows have a scale that is no length; the file is damaged"));
        }
        if self.codes.contains(&i8::MIN.cast_unsigned()) {
            return Err(Error::corrupt("the 8-bit rows hold −128, which is no code; the file is damaged"));
        }
        Ok(())
    }

    /// The codes of a row. Panics if there is no such row.
    #[inline]
    pub fn codes(&self, row: usize) -> &[u8] {
        &self.codes[row * self.dimension..(row + 1) * self.dimension]
    }

    /// Writes the vector that a row is kept as to `out`, of `dimension` floats. Panics if there is no
    /// such row.
    pub fn decode(&self, row: usize, out: &mut [f32]) {
        let codes = cast::<i8>(self.codes(row)).unwrap_or_default();
        let scale = self.scale(row);
        for ((out, &centre), &code) in out.iter_mut().zip(floats(&self.centre)).zip(codes) {
            *out = centre + scale * f32::from(code);
        }
    }

    /// Asks for what [`Self::distance`] will read of a row.
    #[inline]
    pub fn touch(&self, row: usize) {
        distance::touch(self.codes(row));
        std::hint::black_box(self.scale(row));
    }

    /// Internal distance of a row to the query. Panics if there is no such row.
    #[inline]
    pub fn distance(&self, query: &Query, row: usize) -> f32 {
        let codes = cast::<i8>(self.codes(row)).unwrap_or_default();
        let product = distance::dot_i8(codes, &query.levels) as f32 * (query.step * self.scale(row));
        match self.metric {
            // Rounding can take the distance of equal vectors below 0.
            Metric::L2 => (query.added + (floats(&self.squares)[row] - 2.0 * product)).max(0.0),
            _ => query.added - product,
        }
    }

    /// Standard deviation of what the rounding of a row's codes adds to its distance.
    #[inline]
    pub fn rounding(&self, query: &Query, row: usize, distance: f32) -> f32 {
        let spread = self.scale(row) * 12f32.sqrt().recip();
        match self.metric {
            Metric::L2 => 2.0 * distance.sqrt() * spread,
            _ => query.norm * spread,
        }
    }

    #[inline]
    fn scale(&self, row: usize) -> f32 {
        floats(&self.scales)[row]
    }
}

/// The floats of a part. Its alignment was checked when it was opened.
#[inline]
fn floats(part: &Blob) -> &[f32] {
    cast(part).unwrap_or_default()
}

/// A query in 16-bit integers. Reused from one search to the next.
#[derive(Debug, Clone, Default)]
pub struct Query {
    levels: Vec<i16>,
    step: f32,
    added: f32,
    norm: f32,
}

impl Query {
    /// Takes on a query for these rows.
    pub fn prepare(&mut self, query: &[f32], rows: &Rows) {
        let centre = floats(&rows.centre);
        let l2 = rows.metric == Metric::L2;
        let coordinate = |(&q, &c): (&f32, &f32)| if l2 { q - c } else { q };
        let coordinates = || query.iter().zip(centre).map(coordinate);
        let (mut largest, mut sum, mut square) = (0.0f32, 0.0f32, 0.0f64);
        for x in coordinates() {
            largest = largest.max(x.abs());
            sum += x.abs();
            square += f64::from(x) * f64::from(x);
        }
        // No sum of products with codes leaves i32, however the rows lie: half of its range is for
        // Σ|q| · 127, the rest for rounding up (at most a half in each of 32,768 dimensions).
        let headroom = (1u32 << 30) as f32 / LARGEST_CODE;
        self.step = (largest / 32_767.0).max(sum / headroom);
        // Integers stay what they are.
        if self.step > 0.0 && self.step <= 1.0 && coordinates().all(|x| x.fract() == 0.0) {
            self.step = 1.0;
        }
        let steps = if self.step > 0.0 { self.step } else { 1.0 };
        self.levels.clear();
        self.levels.extend(coordinates().map(|x| (x / steps).round() as i16));
        self.norm = square.sqrt() as f32;
        self.added = if l2 { square as f32 } else { -distance::dot(query, centre) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn matrix(random: &mut SplitMix64, count: usize, dimension: usize, offset: f32, size: f32) -> Vec<f32> {
        (0..count * dimension).map(|_| offset + size * random.normal_f32()).collect()
    }

    fn encoded(data: &[f32], dimension: usize, metric: Metric) -> (Vec<u8>, Rows) {
        let rows = MatrixView::new(data, dimension).unwrap();
        let section = encode(rows, None, &super::super::rabitq::centroid(rows), metric, &|_| ());
        let blob = Blob::copy_of(&section).unwrap();
        (section, Rows::open(&blob, rows.rows(), dimension, metric).unwrap())
    }

    #[test]
    fn integers_are_kept_and_compared_exactly() {
        let mut random = SplitMix64::new(8);
        let mut integers = |n: usize, most: u32| -> Vec<f32> {
            (0..n).map(|_| random.below(2 * most + 1) as f32 - most as f32).collect()
        };
        for dimension in [1, 5, 384] {
            // One row is zero, and one has no large number: it must not be stretched.
            let mut data = integers(40 * dimension, 127);
            data[..dimension].fill(0.0);
            data[dimension..2 * dimension].fill(-3.0);
            for metric in [Metric::L2, Metric::Ip] {
                let (_, rows) = encoded(&data, dimension, metric);
                rows.verify().unwrap();
                let mut query = Query::default();
                let asked = integers(dimension, 127);
                query.prepare(&asked, &rows);
                for (i, row) in data.chunks_exact(dimension).enumerate() {
                    let mut kept = vec![9.0; dimension];
                    rows.decode(i, &mut kept);
                    assert_eq!(kept, row);
                    let pairs = || row.iter().zip(&asked).map(|(&x, &q)| (x as i64, q as i64));
                    let exact = match metric {
                        Metric::L2 => pairs().map(|(x, q)| (x - q).pow(2)).sum::<i64>(),
                        _ => -pairs().map(|(x, q)| x * q).sum::<i64>(),
                    };
                    assert_eq!(rows.distance(&query, i), exact as f32, "{dimension} {metric} row {i}");
                }
            }
        }
        // A half, or what no code can be, and all rows are rounded as ever.
        for odd in [0.5, 128.0] {
            let (_, rows) = encoded(&[1.0, 2.0, 3.0, odd], 2, Metric::L2);
            assert_eq!(floats(&rows.centre), [2.0, (2.0 + odd) / 2.0]);
        }
    }

    #[test]
    fn distances_stay_within_the_stated_rounding() {
        let mut random = SplitMix64::new(1);
        for (dimension, offset, size) in
            [(1, 0.0, 1.0), (3, 5.0, 1.0), (16, 0.0, 1e-12), (100, -30.0, 2.0), (384, 0.0, 1e6)]
        {
            let data = matrix(&mut random, 200, dimension, offset, size);
            let rows = MatrixView::new(&data, dimension).unwrap();
            for &metric in Metric::DENSE {
                let (_, sq8) = encoded(&data, dimension, metric);
                let (mut query, mut beyond) = (Query::default(), 0);
                for q in matrix(&mut random, 20, dimension, offset, size).chunks_exact(dimension) {
                    query.prepare(q, &sq8);
                    for row in 0..200 {
                        let exact = match metric {
                            Metric::L2 => distance::l2(q, rows.row(row)),
                            _ => -distance::dot(q, rows.row(row)),
                        };
                        let found = sq8.distance(&query, row);
                        // Of the query's own rounding, and of floats that nearly cancel.
                        let slack = 1e-4 * size * size * dimension as f32 + 1e-5 * exact.abs();
                        let off = (found - exact).abs();
                        beyond += u32::from(off > 3.0 * sq8.rounding(&query, row, found) + slack);
                    }
                }
                assert!(beyond < 40, "{metric} {dimension}: {beyond} of 4000 are more than 3 deviations off");
            }
        }
    }

    #[test]
    fn a_row_finds_itself_in_any_dimension() {
        let mut random = SplitMix64::new(2);
        for dimension in [1, 2, 15, 16, 17, 130, 32_768] {
            let data = matrix(&mut random, 4, dimension, 1.0, 1.0);
            let (_, sq8) = encoded(&data, dimension, Metric::L2);
            let mut query = Query::default();
            for (row, q) in data.chunks_exact(dimension).enumerate() {
                query.prepare(q, &sq8);
                let found = sq8.distance(&query, row);
                assert!(found < 1e-3 * dimension as f32, "{dimension}: {found}");
            }
        }
    }

    #[test]
    fn zero_and_equal_rows_cost_nothing() {
        for value in [0.0, 3.5] {
            let (_, sq8) = encoded(&[value; 40], 4, Metric::L2);
            let mut query = Query::default();
            query.prepare(&[value; 4], &sq8);
            assert_eq!(sq8.distance(&query, 9), 0.0);
            sq8.verify().unwrap();
        }
    }

    #[test]
    fn damage_is_found() {
        let (section, _) = encoded(&[1.0, 2.0, 3.0, 4.5, 5.0, 6.0], 2, Metric::L2);
        assert_eq!(section.len(), 4 * 64);
        let open = |bytes: &[u8]| Rows::open(&Blob::copy_of(bytes).unwrap(), 3, 2, Metric::L2);
        for len in 0..section.len() {
            assert_eq!(open(&section[..len]).unwrap_err().code, Code::CorruptFile);
        }
        for (at, value) in [(0, f32::NAN), (64, -1.0), (128, f32::INFINITY), (192, f32::from_bits(0x80))] {
            let mut damaged = section.clone();
            damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(open(&damaged).unwrap().verify().unwrap_err().code, Code::CorruptFile, "{at}");
        }
        assert!(Rows::open(&Blob::copy_of(&section).unwrap(), usize::MAX, 2, Metric::L2).is_err());
    }
}
