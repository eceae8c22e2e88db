//! What a query makes of codes: an estimate by their signs, and the distance by all of their bits
//! where that may be near enough (`faiss/impl/RaBitQUtils.cpp`).

use crate::distance;
use crate::foreign::Measure;
use crate::foreign::faiss::head::Head;
use crate::foreign::reader::Reader;
use crate::words::Result;

/// Bits of a dimension, at most.
const MAX_BITS: usize = 9;

/// How codes look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantizer {
    pub(super) dimension: usize,
    pub(super) bits: usize,
    pub(super) measure: Measure,
}

impl Quantizer {
    /// The next quantizer, and the bytes that it says its codes have.
    pub(super) fn read(reader: &mut Reader<'_>, head: &Head, several: bool) -> Result<(Self, usize)> {
        let (dimension, stated, metric) = (reader.size()?, reader.size()?, reader.i32()?);
        let bits = if several { reader.size()? } else { 1 };
        let same_metric = metric == i32::from(head.measure == Measure::L2);
        if dimension != head.dimension || !(1..=MAX_BITS).contains(&bits) || !same_metric {
            return Err(reader.corrupt(format!(
                "a RaBitQ quantizer of {dimension} dimensions, {bits} bits and metric {metric} for {} dimensions by {}",
                head.dimension,
                head.measure.name()
            )));
        }
        Ok((Quantizer { dimension, bits, measure: head.measure }, stated))
    }

    pub(super) fn sign_bytes(&self) -> usize {
        self.dimension.div_ceil(8)
    }

    fn more_bytes(&self) -> usize {
        (self.dimension * (self.bits - 1)).div_ceil(8)
    }

    /// Bytes of a code behind its signs.
    pub(super) fn factor_bytes(&self) -> usize {
        if self.bits == 1 { 8 } else { 12 + self.more_bytes() + 8 }
    }

    pub(super) fn code_bytes(&self) -> usize {
        self.sign_bytes() + self.factor_bytes()
    }
}

/// How the numbers of a query are rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rounding {
    /// To so many bits; 0 leaves them as they are.
    pub(super) bits: u8,
    /// In steps around 0 rather than from the least to the greatest.
    pub(super) centred: bool,
    /// With a multiplication and a subtraction that are rounded once.
    pub(super) fused: bool,
}

impl Rounding {
    /// Half the range that is rounded to 1 to 8 bits around 0, in standard deviations.
    const RADII: [f32; 8] = [0.79688, 1.49375, 2.05078, 2.50938, 2.91250, 3.26406, 3.59844, 3.91016];

    fn most(self) -> u32 {
        (1 << self.bits) - 1
    }

    /// Least and greatest of what is told apart.
    fn range(self, residual: &[f32], square: f32) -> (f32, f32) {
        if self.centred {
            let radius = Self::RADII[usize::from(self.bits) - 1] * (square / residual.len() as f32).sqrt();
            return (-radius, radius);
        }
        let fold = |start, of: fn(f32, f32) -> f32| residual.iter().copied().fold(start, of);
        (fold(f32::INFINITY, f32::min), fold(f32::NEG_INFINITY, f32::max))
    }
}

/// A query less the centroid of the codes that it is compared with.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) quantizer: Quantizer,
    rounding: Rounding,
    residual: Vec<f32>,
    rounded: Vec<u8>,
    /// What one step of the sum, one sign, and all together are worth.
    step: f32,
    sign: f32,
    all: f32,
    /// What one unit of a product of numbers rounded around 0 is worth.
    unit: f32,
    /// Squared distance from the centroid, squared length, and product with the centroid.
    from_centroid: f32,
    square: f32,
    product: f32,
}

fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn bit(code: &[u8], i: usize) -> bool {
    code[i / 8] >> (i % 8) & 1 == 1
}

impl Prepared {
    pub(super) fn new(quantizer: Quantizer, rounding: Rounding, query: &[f32], centroid: &[f32]) -> Self {
        let residual: Vec<f32> = query.iter().zip(centroid).map(|(x, c)| x - c).collect();
        let dimension = residual.len() as f32;
        let each = 1.0 / dimension.sqrt();
        let from_centroid = distance::dot(&residual, &residual);
        let mut prepared = Prepared {
            quantizer,
            rounding,
            rounded: Vec::new(),
            step: 2.0 * each,
            sign: 0.0,
            all: each * residual.iter().sum::<f32>(),
            unit: 1.0,
            from_centroid,
            square: distance::dot(query, query),
            product: distance::dot(query, centroid),
            residual,
        };
        if rounding.bits > 0 {
            let (lowest, highest) = rounding.range(&prepared.residual, from_centroid);
            let most = rounding.most() as f32;
            let step = (highest - lowest) / most;
            let scale = if step > 0.0 { 1.0 / step } else { 0.0 };
            let placed = |x: f32| match rounding.fused {
                true => (f64::from(x) * f64::from(scale) - f64::from(lowest * scale)) as f32,
                false => (x - lowest) * scale,
            };
            let round = |&x: &f32| (placed(x).clamp(0.0, most) + 0.5) as u32 as u8;
            prepared.rounded = prepared.residual.iter().map(round).collect();
            let sum: u64 = prepared.rounded.iter().map(|&x| u64::from(x)).sum();
            prepared.step = 2.0 * step * each;
            prepared.sign = 2.0 * lowest * each;
            prepared.all = each * (step * sum as f32 + dimension * lowest);
            let odd = |&x: &u8| (2 * i64::from(x) - i64::from(rounding.most())).pow(2);
            let squares: i64 = prepared.rounded.iter().map(odd).sum();
            prepared.unit = (from_centroid / (squares as f32 * dimension)).sqrt();
        }
        prepared
    }

    /// Appends what each four dimensions add for each of their 16 combinations of signs. `one_by_one`, what a
    /// dimension adds is rounded before it is added.
    pub(super) fn tables(&self, one_by_one: bool, out: &mut Vec<f32>) {
        let most = self.rounding.most() as f32;
        for four in self.rounded.chunks(4) {
            for signs in 0..16u32 {
                let (mut sum, mut count, mut each) = (0.0, 0u32, 0.0);
                for (i, &number) in four.iter().enumerate() {
                    let (set, number) = (signs >> i & 1 == 1, f32::from(number));
                    match (self.rounding.centred, set) {
                        (false, true) => {
                            (sum, count) = (sum + number, count + 1);
                            each += self.step * number + self.sign;
                        }
                        (false, false) => {}
                        (true, true) => sum += most - number,
                        (true, false) => sum += number,
                    }
                }
                out.push(match (self.rounding.centred, one_by_one) {
                    (true, _) => sum,
                    (false, true) => each,
                    (false, false) => self.step * sum + self.sign * count as f32,
                });
            }
        }
    }

    /// The product of query and signs of which the tables gave this sum.
    pub(super) fn product_of(&self, sum: f32) -> f32 {
        if self.rounding.centred {
            let whole = i64::from(self.rounding.most()) * self.quantizer.dimension as i64 - 2 * sum as i64;
            return whole as f32 * self.unit;
        }
        sum - self.all
    }

    /// The product of query and signs.
    fn product(&self, signs: &[u8]) -> f32 {
        let (mut sum, mut count, mut whole) = (0.0, 0u32, 0u32);
        for i in (0..self.quantizer.dimension).filter(|&i| bit(signs, i)) {
            count += 1;
            match self.rounding.bits {
                0 => sum += self.residual[i],
                _ => whole += u32::from(self.rounded[i]),
            }
        }
        if self.rounding.bits > 0 {
            sum = whole as f32;
        }
        self.step * sum + self.sign * count as f32 - self.all
    }

    /// Estimate by the product with the signs, as Faiss means it: larger is nearer for inner products.
    fn estimate(&self, product: f32, factors: &[u8]) -> f32 {
        let square = f32_at(factors, 0) + self.from_centroid - 2.0 * f32_at(factors, 4) * product;
        match self.quantizer.measure {
            Measure::Ip => -0.5 * (square - self.square),
            _ => square.max(0.0),
        }
    }

    /// Distance by all bits, as Faiss means it.
    fn fine(&self, signs: &[u8], factors: &[u8]) -> f32 {
        let Quantizer { bits, dimension, measure } = self.quantizer;
        let more = bits - 1;
        let (codes, factors) = factors[12..].split_at(self.quantizer.more_bytes());
        let middle = (1u32 << more) as f32 - 0.5;
        let mut product = 0.0;
        for i in 0..dimension {
            let at = i * more;
            let low = u32::from(codes[at / 8]);
            let high = codes.get(at / 8 + 1).map_or(0, |&byte| u32::from(byte));
            let number = (low | high << 8) >> (at % 8) & ((1 << more) - 1);
            let number = number + (u32::from(bit(signs, i)) << more);
            product += self.residual[i] * (number as f32 - middle);
        }
        let (offset, factor) = (f32_at(factors, 0), f32_at(factors, 4));
        match measure {
            // Before 1.14.1 inner products were told from squared distances, by factors below 0.
            Measure::Ip if factor < 0.0 => -0.5 * (self.from_centroid + offset + factor * product - self.square),
            Measure::Ip => self.product + offset + factor * product,
            _ => (self.from_centroid + offset + factor * product).max(0.0),
        }
    }

    /// Internal distance of a code by the product with its signs and, if that may be below the
    /// threshold, by all of its bits; none if it isn't.
    pub(super) fn settle<S: AsRef<[u8]>>(
        &self,
        product: f32,
        factors: &[u8],
        threshold: f32,
        signs: impl FnOnce() -> S,
    ) -> Option<f32> {
        let internal = |public: f32| if self.quantizer.measure == Measure::Ip { -public } else { public };
        let estimate = internal(self.estimate(product, factors));
        if self.quantizer.bits == 1 {
            return Some(estimate);
        }
        let error = f32_at(factors, 8) * self.from_centroid.sqrt();
        let bound = match self.quantizer.measure {
            Measure::Ip => estimate - error,
            _ => (estimate - error).max(0.0),
        };
        (bound < threshold).then(|| internal(self.fine(signs().as_ref(), factors)))
    }

    /// Internal distance, or none if the signs already show that it isn't below the threshold.
    pub(super) fn distance(&self, code: &[u8], threshold: f32) -> Option<f32> {
        let (signs, factors) = code.split_at(self.quantizer.sign_bytes());
        self.settle(self.product(signs), factors, threshold, || signs)
    }
}

/// Writes what the signs alone say of a vector.
pub(super) fn decode(quantizer: Quantizer, signs: &[u8], factors: &[u8], centroid: &[f32], out: &mut [f32]) {
    let each = f32_at(factors, 4) / (quantizer.dimension as f32).sqrt();
    for (i, (out, c)) in out.iter_mut().zip(centroid).enumerate() {
        *out = c + if bit(signs, i) { each } else { -each };
    }
}
