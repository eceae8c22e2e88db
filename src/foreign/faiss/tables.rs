//! Look-up tables of FastScan: floats rounded to 8 bits as Faiss rounds them
//! (`faiss/utils/quantize_lut.cpp`), so that sums are the same whole numbers.

use super::blocks::Shape;
use crate::distance::PartTables;

/// Numbers that a part can have.
pub(super) const CENTROIDS: usize = 16;

/// How floats became whole numbers: `sum · step + base`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    step: f32,
    base: f32,
}

impl Scale {
    fn new(scale: f32, base: f32) -> Self {
        Scale { step: if scale > 0.0 { 1.0 / scale } else { 0.0 }, base }
    }

    /// What the sum stands for.
    #[inline]
    pub(super) fn value(self, sum: u16) -> f32 {
        f32::from(sum) * self.step + self.base
    }

    /// The same, rounded once: what was whole may be so again.
    #[inline]
    pub(super) fn exact(self, sum: u16) -> f32 {
        (f64::from(sum) * f64::from(self.step) + f64::from(self.base)) as f32
    }
}

/// Tables of 8 bits, for one list after the other or one for all.
#[derive(Debug)]
pub(super) struct Tables {
    each: Vec<PartTables>,
    /// What a list adds to all of its sums.
    biases: Vec<u16>,
    pub(super) scale: Scale,
}

impl Tables {
    /// The table of the i-th list, and what to add to its sums. Panics if there is no such list.
    pub(super) fn of(&self, i: usize) -> (&PartTables, u16) {
        let table = if self.each.len() == 1 { &self.each[0] } else { &self.each[i] };
        (table, self.biases.get(i).copied().unwrap_or(0))
    }

    /// One table and no lists. Here, unlike for lists, sums aren't kept below 65,536.
    pub(super) fn alone(floats: &[f32], shape: &Shape) -> Self {
        let (base, widest, _) = ranges(floats);
        let scale = if widest > 0.0 { 255.0 / widest } else { 0.0 };
        Tables { each: vec![rounded(floats, scale, shape, false)], biases: Vec::new(), scale: Scale::new(scale, base) }
    }

    /// One table for all lists.
    pub(super) fn shared(floats: &[f32], biases: &[f32], shape: &Shape) -> Self {
        let (least, span) = range(biases);
        let (base, widest, all) = ranges(floats);
        let scale = scale_of(widest, span.max(0.0) + all);
        Tables {
            each: vec![rounded(floats, scale, shape, false)],
            biases: biases.iter().map(|&bias| round(bias, least, scale).floor() as u16).collect(),
            scale: Scale::new(scale, base + if least.is_finite() { least } else { 0.0 }),
        }
    }

    /// A table for each list: `floats` holds as many as there are biases. `fused` entries are multiplied and
    /// subtracted with one rounding.
    pub(super) fn several(floats: &[f32], biases: &[f32], shape: &Shape, fused: bool) -> Self {
        let (least, _) = range(biases);
        let (mut lowest, mut widest, mut farthest) = (Vec::with_capacity(biases.len()), 0f32, f32::NEG_INFINITY);
        let each = floats.len() / biases.len().max(1);
        let tables = || floats.chunks_exact(each.max(1));
        for (table, bias) in tables().zip(biases) {
            let (base, widest_of_list, all) = ranges(table);
            widest = widest.max(widest_of_list);
            farthest = farthest.max(bias - least + all);
            lowest.push(base);
        }
        let scale = scale_of(widest, farthest);
        let base = lowest.iter().copied().fold(f32::INFINITY, f32::min);
        Tables {
            each: tables().map(|table| rounded(table, scale, shape, fused)).collect(),
            biases: lowest.iter().map(|&low| round(low, base, scale).floor() as u16).collect(),
            scale: Scale::new(scale, base),
        }
    }
}

/// Lowest and width of a part's table, NaN passed over.
fn range(table: &[f32]) -> (f32, f32) {
    let lowest = table.iter().fold(f32::INFINITY, |least, &x| if x < least { x } else { least });
    let highest = table.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
    (lowest, highest - lowest)
}

/// Of a table's parts: the sum of the lowest, the greatest width, and the sum of all widths.
fn ranges(floats: &[f32]) -> (f32, f32, f32) {
    floats
        .chunks_exact(CENTROIDS)
        .map(range)
        .fold((0.0, 0f32, 0f32), |(base, widest, all), (low, span)| (base + low, widest.max(span), all + span))
}

/// Half is added in double precision, as in Faiss.
fn round(x: f32, lowest: f32, scale: f32) -> f32 {
    (f64::from((x - lowest) * scale) + 0.5) as f32
}

/// The table of 8 bits, padded with zeros for the parts that blocks have more.
fn rounded(floats: &[f32], scale: f32, shape: &Shape, fused: bool) -> PartTables {
    let mut bytes = Vec::with_capacity(shape.table_bytes());
    for part in floats.chunks_exact(CENTROIDS) {
        let (lowest, _) = range(part);
        bytes.extend(part.iter().map(|&x| match fused {
            false => round(x, lowest, scale).floor() as u8,
            true => ((f64::from(x) * f64::from(scale) - f64::from(lowest * scale)) as f32 + 0.5).max(0.0) as u8,
        }));
    }
    bytes.resize(shape.table_bytes(), 0);
    PartTables::new(bytes)
}

/// 255 steps for the widest table, 65,535 for the farthest distance.
fn scale_of(widest: f32, farthest: f32) -> f32 {
    let steps = |most: f32, span: f32| if span > 0.0 { most / span } else { f32::INFINITY };
    let scale = steps(255.0, widest).min(steps(65535.0, farthest));
    if scale.is_finite() { scale } else { 0.0 }
}
