//! How far the mean of features is from another one by chance alone.

use super::rounded;
use crate::words::random::SplitMix64;
use serde::{Deserialize, Serialize};

/// Draws: of a thousandth there are then ten.
const DRAWS: usize = 10_000;

const LEVELS: [f64; 7] = [0.5, 0.9, 0.95, 0.99, 0.995, 0.998, 0.999];

/// The distribution of the squared distance of two means of features, over 1/n + 1/m, where both sets come from where
/// the reference comes from. It is that of a normal vector's squared length, whatever n and m, once these are some tens
/// (Gretton et al., "A kernel two-sample test", JMLR 2012, gives the limit; here the kernel has finitely many features).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Null {
    /// Its mean.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
    /// Shares, and the value that so many are not above.
    pub quantiles: Vec<(f64, f64)>,
}

impl Null {
    /// Of the reference's own features and their mean.
    pub(super) fn of(phi: &[Vec<f64>], mean: &[f64], random: &mut SplitMix64) -> Self {
        let size = mean.len();
        let mut covariance = vec![0.0; size * size];
        for row in phi {
            let centred: Vec<f64> = row.iter().zip(mean).map(|(x, m)| x - m).collect();
            for (i, x) in centred.iter().enumerate() {
                covariance[i * size..i * size + i + 1].iter_mut().zip(&centred).for_each(|(sum, y)| *sum += x * y);
            }
        }
        let count = (phi.len() - 1) as f64;
        covariance.iter_mut().for_each(|sum| *sum /= count);
        let at = |i: usize, j: usize| covariance[i.max(j) * size + i.min(j)];
        let trace: f64 = (0..size).map(|i| at(i, i)).sum();
        let squares: f64 = (0..size * size).map(|k| at(k / size, k % size).powi(2)).sum();
        let root = cholesky(&covariance, size, 1e-10 * trace);
        let mut normal = vec![0.0; size];
        let mut drawn: Vec<f64> = (0..DRAWS)
            .map(|_| {
                normal.iter_mut().for_each(|x| *x = f64::from(random.normal_f32()));
                let row =
                    |i: usize| root[i * size..i * size + i + 1].iter().zip(&normal).map(|(l, x)| l * x).sum::<f64>();
                (0..size).map(|i| row(i).powi(2)).sum()
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        let quantile = |level: f64| (level, rounded(drawn[((level * DRAWS as f64) as usize).min(DRAWS - 1)]));
        Null { mean: rounded(trace), variance: rounded(2.0 * squares), quantiles: LEVELS.map(quantile).to_vec() }
    }

    /// The value that is exceeded with this probability, at the nearest level that is as strict or stricter.
    pub fn above(&self, probability: f64) -> f64 {
        let strict = self.quantiles.iter().find(|(level, _)| 1.0 - level <= probability * (1.0 + 1e-9));
        strict.or(self.quantiles.last()).map_or(f64::INFINITY, |&(_, value)| value)
    }

    pub(super) fn wrong(&self) -> Option<&'static str> {
        let finite = |x: f64| x >= 0.0 && x.is_finite();
        let rises = self.quantiles.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let within = self.quantiles.iter().all(|&(level, value)| level > 0.0 && level < 1.0 && finite(value));
        let fine = finite(self.mean) && finite(self.variance) && rises && within && !self.quantiles.is_empty();
        (!fine).then_some("the distribution without drift is none")
    }
}

/// The lower triangle L with L Lᵀ = a; directions in which `a` is flat are left out.
fn cholesky(a: &[f64], size: usize, flat: f64) -> Vec<f64> {
    let mut root = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..=i {
            let (row, other) = (&root[i * size..i * size + j], &root[j * size..j * size + j]);
            let rest = a[i * size + j] - row.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
            root[i * size + j] = match (i == j, root[j * size + j]) {
                (true, _) if rest > flat => rest.sqrt(),
                (false, pivot) if pivot > 0.0 => rest / pivot,
                _ => 0.0,
            };
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_triangle_times_itself_is_what_it_came_from() {
        let a = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 2.0, 1.0, 1.25];
        let root = cholesky(&a, 3, 1e-12);
        for i in 0..3 {
            for j in 0..=i {
                let product: f64 = (0..3).map(|k| root[i * 3 + k] * root[j * 3 + k]).sum();
                assert!((product - a[i * 3 + j]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn draws_have_the_mean_and_the_variance_of_the_formula() {
        let mut random = SplitMix64::new(4);
        let phi: Vec<Vec<f64>> = (0..4000)
            .map(|_| {
                let x = f64::from(random.normal_f32());
                vec![x, 0.5 * x + 0.1 * f64::from(random.normal_f32()), 0.3 * f64::from(random.normal_f32())]
            })
            .collect();
        let mean: Vec<f64> = (0..3).map(|i| phi.iter().map(|p| p[i]).sum::<f64>() / 4000.0).collect();
        let null = Null::of(&phi, &mean, &mut random);
        assert!((null.mean - 1.35).abs() < 0.1, "{null:?}");
        // Nearly χ² with one degree of freedom, times 1.25: its 95 % quantile is 3.84 times that.
        let (_, at95) = null.quantiles[2];
        assert!((at95 / 1.26 - 3.84).abs() < 0.5, "{null:?}");
        assert_eq!(null.above(0.001), null.quantiles[6].1);
        assert_eq!(null.above(0.003), null.quantiles[5].1);
        assert_eq!(null.above(1e-9), null.quantiles[6].1);
        assert!(null.wrong().is_none());
    }
}
