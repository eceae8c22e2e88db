//! A random rotation in O(d log d): fast Hadamard transforms with random signs, and steps of Kac's
//! walk where the dimension is no power of two.
//!
//! It spreads what a vector holds over all its coordinates, which is what makes one bit of each
//! enough. A vector is padded with zeros to a multiple of 8 dimensions, *d*. Then, four times:
//!
//! 1. coordinate `i` changes its sign where the round's bit `i` is 1;
//! 2. the orthonormal Hadamard transform is applied to the first 2^k coordinates (in the second and
//!    fourth round to the last 2^k), 2^k being the largest power of two that is no more than *d*;
//! 3. unless *d* is a power of two, each coordinate `a` of the first half and its partner `b` in the
//!    second become (a + b) / √2 and (a − b) / √2.
//!
//! **Section 2** holds the signs, 4 · d bits: bit `r · d + i` (bit `n % 8` of byte `n / 8`, lowest
//! first) is that of coordinate `i` in round `r`.

use crate::words::random::SplitMix64;
use crate::words::{Error, Result};

const ROUNDS: usize = 4;

/// A rotation that can be applied.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Of each round and coordinate: its sign, times all the scaling that follows in that round.
    multipliers: Vec<f32>,
    padded: usize,
}

/// The dimension after padding.
pub const fn padded(dimension: usize) -> usize {
    dimension.next_multiple_of(8)
}

/// Bytes of the signs.
pub const fn sign_bytes(dimension: usize) -> usize {
    ROUNDS * padded(dimension) / 8
}

/// Draws the signs of a rotation.
pub fn draw_signs(dimension: usize, seed: u64) -> Vec<u8> {
    let mut random = SplitMix64::new(seed);
    (0..sign_bytes(dimension)).map(|_| (random.next_u64() >> 56) as u8).collect()
}

impl Rotation {
    /// The rotation of these signs.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if their number is wrong.
    pub fn new(signs: &[u8], dimension: usize) -> Result<Self> {
        if signs.len() != sign_bytes(dimension) {
            return Err(Error::corrupt(format!(
                "the rotation of {dimension} dimensions takes {} bytes of signs, but {} are there; the file is damaged",
                sign_bytes(dimension),
                signs.len()
            )));
        }
        let padded = padded(dimension);
        let walk = if padded.is_power_of_two() { 1.0 } else { std::f64::consts::FRAC_1_SQRT_2 };
        let multipliers = (0..ROUNDS * padded).map(|n| {
            let transformed = transformed(padded, n / padded);
            let hadamard = if transformed.contains(&(n % padded)) { (transformed.len() as f64).sqrt() } else { 1.0 };
            let sign = if signs[n / 8] >> (n % 8) & 1 == 1 { -1.0 } else { 1.0 };
            (sign * walk / hadamard) as f32
        });
        Ok(Rotation { multipliers: multipliers.collect(), padded })
    }

    /// Dimension of what is rotated, padding included.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Rotates a padded vector in place. Panics if its length isn't [`Self::padded`].
    pub fn apply(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.padded);
        for (round, multipliers) in self.multipliers.chunks_exact(self.padded).enumerate() {
            vector.iter_mut().zip(multipliers).for_each(|(x, m)| *x *= m);
            hadamard(&mut vector[transformed(self.padded, round)]);
            self.walk(vector);
        }
    }

    /// Rotates a padded vector back, in place. Panics if its length isn't [`Self::padded`].
    pub fn undo(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.padded);
        // Every step is its own inverse but for its scaling, and all scaling is in the multipliers.
        for (round, multipliers) in self.multipliers.chunks_exact(self.padded).enumerate().rev() {
            self.walk(vector);
            hadamard(&mut vector[transformed(self.padded, round)]);
            vector.iter_mut().zip(multipliers).for_each(|(x, m)| *x *= m);
        }
    }

    fn walk(&self, vector: &mut [f32]) {
        if !self.padded.is_power_of_two() {
            let (first, second) = vector.split_at_mut(self.padded / 2);
            butterflies(first, second);
        }
    }
}

/// The coordinates that a round's Hadamard transform is applied to.
fn transformed(padded: usize, round: usize) -> std::ops::Range<usize> {
    let len = 1 << padded.ilog2();
    if round.is_multiple_of(2) { 0..len } else { padded - len..padded }
}

/// The Hadamard transform without its scaling; the length is a power of two and at least 8.
fn hadamard(vector: &mut [f32]) {
    for eight in vector.as_chunks_mut::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *eight;
        let (a, b, c, d, e, f, g, h) = (a + e, b + f, c + g, d + h, a - e, b - f, c - g, d - h);
        let (a, b, c, d, e, f, g, h) = (a + c, b + d, a - c, b - d, e + g, f + h, e - g, f - h);
        *eight = [a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h];
    }
    let mut half = 8;
    while half < vector.len() {
        for both in vector.chunks_exact_mut(2 * half) {
            let (first, second) = both.split_at_mut(half);
            butterflies(first, second);
        }
        half *= 2;
    }
}

/// (a, b) becomes (a + b, a − b).
fn butterflies(first: &mut [f32], second: &mut [f32]) {
    for (a, b) in first.iter_mut().zip(second) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn rotation(dimension: usize) -> Rotation {
        Rotation::new(&draw_signs(dimension, 7), dimension).unwrap()
    }

    #[test]
    fn rotations_are_orthogonal() {
        for dimension in [1, 2, 7, 8, 9, 16, 24, 64, 96, 100, 104, 128, 384] {
            let rotation = rotation(dimension);
            let d = rotation.padded();
            let columns: Vec<Vec<f32>> = (0..d)
                .map(|i| {
                    let mut unit = vec![0.0; d];
                    unit[i] = 1.0;
                    rotation.apply(&mut unit);
                    unit
                })
                .collect();
            for (i, a) in columns.iter().enumerate() {
                for (j, b) in columns.iter().enumerate() {
                    let product: f64 = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
                    let expected = f64::from(u8::from(i == j));
                    assert!((product - expected).abs() < 1e-5, "{dimension}: columns {i} and {j} give {product}");
                }
            }
        }
    }

    #[test]
    fn what_is_rotated_comes_back() {
        for dimension in [1, 8, 9, 16, 24, 100, 128, 384] {
            let rotation = rotation(dimension);
            let vector: Vec<f32> = (0..rotation.padded()).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut back = vector.clone();
            rotation.apply(&mut back);
            rotation.undo(&mut back);
            for (i, (x, y)) in vector.iter().zip(&back).enumerate() {
                assert!((x - y).abs() < 1e-5, "{dimension}: coordinate {i} is {y} in place of {x}");
            }
        }
    }

    #[test]
    fn a_rotated_axis_is_spread_over_all_coordinates() {
        for dimension in [64, 100, 384, 768, 1000] {
            let rotation = rotation(dimension);
            for axis in 0..dimension {
                let mut unit = vec![0.0; rotation.padded()];
                unit[axis] = 1.0;
                rotation.apply(&mut unit);
                let largest = unit.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                assert!(largest < 0.5, "{dimension}: a coordinate keeps {largest} of axis {axis}");
            }
        }
    }

    #[test]
    fn signs_depend_on_the_seed_alone() {
        assert_eq!(draw_signs(384, 1), draw_signs(384, 1));
        assert_ne!(draw_signs(384, 1), draw_signs(384, 2));
        assert_eq!(draw_signs(384, 1).len(), 192);
        assert_eq!(Rotation::new(&[0; 191], 384).unwrap_err().code, Code::CorruptFile);
    }
}
