//! `ProductQuantizer`: parts of a vector as numbers of centroids.
//!
//! ```text
//! dimension   u64
//! parts       u64, a divisor of the dimension
//! bits        u64, of each part's number
//! centroids   array of f32: parts × 2^bits × (dimension / parts)
//! ```
//!
//! Part m of a code takes the bits from m · bits on, lowest bit first.

use super::codec::{Codec, Scanner};
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::Result;

const MAX_BITS: usize = 24;

/// Numbers of centroids, part by part.
#[derive(Debug)]
pub(super) struct ProductQuantizer {
    dimension: usize,
    pub(super) parts: usize,
    pub(super) bits: usize,
    centroids: Span,
}

impl ProductQuantizer {
    /// The next quantizer, of vectors of `dimension` dimensions.
    pub(super) fn read(reader: &mut Reader<'_>, dimension: usize) -> Result<Self> {
        let (stated, parts, bits) = (reader.size()?, reader.size()?, reader.size()?);
        let centroids = reader.numbers::<f32>()?;
        let shape_fits = stated == dimension && parts > 0 && dimension.is_multiple_of(parts);
        let bits_fit = (1..=MAX_BITS).contains(&bits);
        if !shape_fits || !bits_fit || (dimension << bits).checked_mul(4) != Some(centroids.len) {
            return Err(reader.corrupt(format!(
                "a product quantizer of {stated} dimensions, {parts} parts and {bits} bits with {} bytes of centroids \
                 for {dimension} dimensions",
                centroids.len
            )));
        }
        Ok(ProductQuantizer { dimension, parts, bits, centroids })
    }

    /// Dimensions of a part.
    pub(super) fn part_dimension(&self) -> usize {
        self.dimension / self.parts
    }

    /// Centroids of a part.
    pub(super) fn centroids_a_part(&self) -> usize {
        1 << self.bits
    }

    /// Fills `table` with the internal distance of each part of the query from each of its
    /// centroids, part after part.
    pub(super) fn table(&self, file: &[u8], measure: Measure, query: &[f32], table: &mut Vec<f32>) {
        table.clear();
        let dimension = self.part_dimension();
        let centroids: &[f32] = self.centroids.numbers(file);
        for (part, query) in centroids.chunks_exact(dimension << self.bits).zip(query.chunks_exact(dimension)) {
            table.extend(part.chunks_exact(dimension).map(|centroid| {
                let pairs = centroid.iter().zip(query);
                match measure {
                    Measure::Ip => -pairs.map(|(a, b)| a * b).sum::<f32>(),
                    _ => pairs.map(|(a, b)| (a - b) * (a - b)).sum(),
                }
            }));
        }
    }

    /// The number of the centroid of part `m`.
    #[inline]
    pub(super) fn number(&self, code: &[u8], m: usize) -> usize {
        let at = m * self.bits;
        let bytes = &code[at / 8..];
        let some = bytes.iter().take(4).rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
        some >> (at % 8) & ((1 << self.bits) - 1)
    }
}

impl Codec for ProductQuantizer {
    fn describe(&self) -> String {
        match self.bits {
            8 => format!("PQ{}", self.parts),
            bits => format!("PQ{}x{bits}", self.parts),
        }
    }

    fn code_bytes(&self) -> usize {
        (self.parts * self.bits).div_ceil(8)
    }

    fn scanner<'a>(&'a self, file: &'a [u8], measure: Measure) -> Box<dyn Scanner + 'a> {
        Box::new(Tables { quantizer: self, file, measure, table: Vec::new() })
    }

    fn decode(&self, file: &[u8], code: &[u8], out: &mut [f32]) {
        let dimension = self.part_dimension();
        for (m, out) in out.chunks_exact_mut(dimension).enumerate() {
            let at = (m << self.bits) + self.number(code, m);
            out.copy_from_slice(self.centroids.part(at, 4 * dimension).numbers(file));
        }
    }
}

/// Looks distances up.
struct Tables<'a> {
    quantizer: &'a ProductQuantizer,
    file: &'a [u8],
    measure: Measure,
    table: Vec<f32>,
}

impl Scanner for Tables<'_> {
    fn set_query(&mut self, query: &[f32]) {
        self.quantizer.table(self.file, self.measure, query, &mut self.table);
    }

    #[inline]
    fn distance(&self, code: &[u8]) -> f32 {
        if self.quantizer.bits == 8 {
            let parts = self.table.chunks_exact(256).zip(code);
            return parts.map(|(table, &number)| table[usize::from(number)]).sum();
        }
        let parts = self.table.chunks_exact(self.quantizer.centroids_a_part()).enumerate();
        parts.map(|(m, table)| table[self.quantizer.number(code, m)]).sum()
    }

    /// Four codes of bytes at a time: the sums of one wait for each other.
    fn distances(&self, codes: &[u8], code_bytes: usize, out: &mut Vec<f32>) {
        if self.quantizer.bits != 8 {
            return out.extend(codes.chunks_exact(code_bytes).map(|code| self.distance(code)));
        }
        let mut fours = codes.chunks_exact(4 * code_bytes);
        for codes in &mut fours {
            let (first, second) = codes.split_at(2 * code_bytes);
            let ((a, b), (c, d)) = (first.split_at(code_bytes), second.split_at(code_bytes));
            let mut sums = [0f32; 4];
            let numbers = a.iter().zip(b).zip(c.iter().zip(d));
            for (table, ((&a, &b), (&c, &d))) in self.table.as_chunks::<256>().0.iter().zip(numbers) {
                for (sum, number) in sums.iter_mut().zip([a, b, c, d]) {
                    *sum += table[usize::from(number)];
                }
            }
            out.extend(sums);
        }
        out.extend(fours.remainder().chunks_exact(code_bytes).map(|code| self.distance(code)));
    }
}
