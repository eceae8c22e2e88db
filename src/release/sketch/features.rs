//! What a vector becomes before it is compared with a sketch: a random projection, so that a sketch is as small for
//! 4,096 dimensions as for 64, and random Fourier features of that, whose means show a change of any kind.

use crate::words::Metric;
use crate::words::random::SplitMix64;

/// A projection onto random signs (Achlioptas, "Database-friendly random projections", PODS 2001). They follow from a
/// seed by whole numbers alone, so that every language finds the same.
#[derive(Debug, Clone)]
pub struct Projection {
    /// One bit a sign, a row of whole words for each feature: set is plus.
    signs: Vec<u64>,
    dimension: usize,
    features: usize,
    unit: bool,
}

impl Projection {
    /// The projection of this seed, of vectors of an index with this metric.
    pub fn new(dimension: usize, metric: Metric, features: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let signs = (0..features * dimension.div_ceil(64)).map(|_| random.next_u64()).collect();
        Projection { signs, dimension, features, unit: metric == Metric::Cosine }
    }

    /// How many numbers a projected vector has.
    pub fn features(&self) -> usize {
        self.features
    }

    /// A query or row of floats, as the index takes it.
    pub fn of(&self, vector: &[f32]) -> Vec<f64> {
        let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        // A vector without a direction stays where it is.
        let length = if self.unit && square > 0.0 { square.sqrt() } else { 1.0 };
        self.project(vector.iter().map(|&x| f64::from(x) / length))
    }

    /// A vector of bits, eight a byte.
    pub fn of_bits(&self, bytes: &[u8]) -> Vec<f64> {
        let each = 1.0 / (self.dimension as f64).sqrt();
        let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1 == 1));
        self.project(bits.map(|set| if set { each } else { -each }))
    }

    fn project(&self, vector: impl Iterator<Item = f64>) -> Vec<f64> {
        let words = self.dimension.div_ceil(64);
        let mut out = vec![0.0; self.features];
        for (i, x) in vector.take(self.dimension).enumerate() {
            for (j, sum) in out.iter_mut().enumerate() {
                *sum += if self.signs[j * words + i / 64] >> (i % 64) & 1 == 1 { x } else { -x };
            }
        }
        let scale = 1.0 / (self.features as f64).sqrt();
        out.iter_mut().for_each(|sum| *sum *= scale);
        out
    }
}

/// Random Fourier features (Rahimi and Recht, "Random features for large-scale kernel machines", NIPS 2007): the
/// distance of two sets' means of them is the maximum mean discrepancy of the sets.
#[derive(Debug, Clone, Copy)]
pub struct Kernel<'a> {
    frequencies: &'a [i8],
    scale: f64,
    features: usize,
}

impl<'a> Kernel<'a> {
    /// The kernel of these frequencies, rows of as many numbers as a projected vector has.
    pub fn new(frequencies: &'a [i8], scale: f64, features: usize) -> Self {
        Kernel { frequencies, scale, features }
    }

    /// Cosines, then sines: as many of each as there are frequencies.
    pub fn of(&self, projected: &[f64]) -> Vec<f64> {
        let count = self.frequencies.len() / self.features;
        let mut out = vec![0.0; 2 * count];
        let scale = 1.0 / (count as f64).sqrt();
        for (j, row) in self.frequencies.chunks_exact(self.features).enumerate() {
            let angle = self.scale * row.iter().zip(projected).map(|(&w, f)| f64::from(w) * f).sum::<f64>();
            let (sin, cos) = angle.sin_cos();
            (out[j], out[count + j]) = (scale * cos, scale * sin);
        }
        out
    }
}

/// Frequencies of a Gaussian kernel as wide as vectors lie apart, and of one half as wide, which sees what the first
/// is too wide for; in 8 bits, with what one step is worth.
pub fn frequencies(apart: f64, count: usize, features: usize, random: &mut SplitMix64) -> (Vec<i8>, f64) {
    let width = |row: usize| if row < count / 2 { apart } else { apart / 2.0 };
    let exact: Vec<f64> = (0..count * features).map(|i| f64::from(random.normal_f32()) / width(i / features)).collect();
    in_bytes(&exact)
}

/// Numbers in 8 bits, and what one step is worth.
pub fn in_bytes(numbers: &[f64]) -> (Vec<i8>, f64) {
    let most = numbers.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let scale = if most > 0.0 { super::rounded(most / 127.0) } else { 1.0 };
    (numbers.iter().map(|x| (x / scale).round().clamp(-127.0, 127.0) as i8).collect(), scale)
}

/// The median distance of pairs of these vectors; 1 if they are all the same.
pub fn apart(vectors: &[Vec<f64>], random: &mut SplitMix64) -> f64 {
    const PAIRS: usize = 2000;
    let count = vectors.len() as u32;
    let mut distances: Vec<f64> = (0..PAIRS)
        .map(|_| (random.below(count), random.below(count)))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| square(&vectors[a as usize], &vectors[b as usize]).sqrt())
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied().filter(|&median| median > 0.0).unwrap_or(1.0)
}

/// The squared distance.
pub fn square(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn distances_survive_the_projection() {
        let mut random = SplitMix64::new(1);
        let mut vector = || (0..384).map(|_| random.normal_f32()).collect::<Vec<f32>>();
        let projection = Projection::new(384, Metric::L2, 64, 5);
        for _ in 0..20 {
            let (a, b) = (vector(), vector());
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(x - y).powi(2)).sum();
            let ratio = square(&projection.of(&a), &projection.of(&b)) / exact;
            // The ratio's standard deviation is √(2/64) = 0.18.
            assert!((0.4..1.9).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn length_counts_for_l2_and_not_for_cosine() {
        let (short, long) = ([0.5f32, -1.0, 2.0], [1.0f32, -2.0, 4.0]);
        let of = |metric, vector: &[f32]| Projection::new(3, metric, 4, 1).of(vector);
        assert_eq!(of(Metric::Cosine, &short), of(Metric::Cosine, &long));
        assert_ne!(of(Metric::L2, &short), of(Metric::L2, &long));
        assert_eq!(of(Metric::Cosine, &[0.0; 3]), [0.0; 4]);
    }

    #[test]
    fn bits_are_signs() {
        let projection = Projection::new(8, Metric::Hamming, 16, 3);
        let each = 1.0 / 8f32.sqrt();
        let floats: Vec<f32> = [1, 0, 1, 1, 0, 0, 0, 1].map(|bit| if bit == 1 { each } else { -each }).to_vec();
        let (bits, floats) = (projection.of_bits(&[0b1011_0001]), projection.of(&floats));
        assert!(bits.iter().zip(&floats).all(|(a, b)| (a - b).abs() < 1e-6), "{bits:?} {floats:?}");
    }

    #[test]
    fn features_have_length_one_and_products_like_the_kernel() {
        let mut random = SplitMix64::new(2);
        let (bytes, scale) = frequencies(1.0, 4096, 2, &mut random);
        let kernel = Kernel::new(&bytes, scale, 2);
        let (a, b) = (kernel.of(&[0.0, 0.0]), kernel.of(&[0.6, 0.8]));
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        assert!((product(&a, &a) - 1.0).abs() < 1e-9);
        // Half of the features have width 1, half 1/2: exp(−1/2)/2 + exp(−2)/2.
        assert!((product(&a, &b) - 0.3709).abs() < 0.02, "{}", product(&a, &b));
    }
}
