//! How sure a mean over queries is, found by drawing from the values themselves. Seeded: the same values
//! give the same numbers.

use crate::words::random::SplitMix64;

/// The seed that evaluations draw with unless told otherwise.
pub const SEED: u64 = 42;

/// Draws for an interval: its ends are then sure to a few hundredths of its width.
const DRAWS: usize = 2000;

/// Random assignments for a test: the smallest p it can give is about 1 in so many.
const ASSIGNMENTS: usize = 10_000;

/// Where a mean lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// 2.5 % of the drawn means are below.
    pub low: f64,
    /// 2.5 % are above.
    pub high: f64,
}

/// The mean of values; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        n => values.iter().sum::<f64>() / n as f64,
    }
}

/// The percentile bootstrap (Efron, "Bootstrap methods: another look at the jackknife", Annals of
/// Statistics 1979): means of values drawn with replacement.
pub fn bootstrap(values: &[f64], seed: u64) -> Interval {
    let mean = mean(values);
    if values.len() < 2 {
        return Interval { mean, low: mean, high: mean };
    }
    let mut random = SplitMix64::new(seed);
    let bound = values.len().min(u32::MAX as usize) as u32;
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| (0..values.len()).map(|_| values[random.below(bound) as usize]).sum::<f64>() / values.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let cut = DRAWS / 40;
    Interval { mean, low: means[cut - 1], high: means[DRAWS - cut] }
}

/// The paired randomisation test (Fisher; Smucker, Allan and Carterette, "A comparison of statistical
/// significance tests for information retrieval evaluation", CIKM 2007): how often the mean difference is
/// as far from 0 when it is left to chance, query by query, which of the two systems is which. Two-sided.
pub fn randomisation_test(differences: &[f64], seed: u64) -> f64 {
    let different: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let seen = different.iter().sum::<f64>().abs();
    // What is equal but for the order of summation counts as equal.
    let margin = 1e-12 * different.iter().map(|d| d.abs()).sum::<f64>();
    let mut random = SplitMix64::new(seed);
    let mut as_far = 0;
    for _ in 0..ASSIGNMENTS {
        let mut sum = 0.0;
        for part in different.chunks(64) {
            let mut signs = random.next_u64();
            for difference in part {
                sum += if signs & 1 == 0 { *difference } else { -difference };
                signs >>= 1;
            }
        }
        as_far += usize::from(sum.abs() >= seen - margin);
    }
    (as_far + 1) as f64 / (ASSIGNMENTS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn normals(count: usize, shift: f64, random: &mut SplitMix64) -> Vec<f64> {
        (0..count).map(|_| f64::from(random.normal_f32()) + shift).collect()
    }

    #[test]
    fn intervals_hold_the_true_mean_about_as_often_as_they_say() {
        let mut random = SplitMix64::new(11);
        let held = (0..200)
            .filter(|&i| {
                let interval = bootstrap(&normals(60, 3.0, &mut random), i);
                interval.low <= 3.0 && 3.0 <= interval.high
            })
            .count();
        // 95 % of 200, give or take three standard deviations and the bootstrap's own narrowness.
        assert!((176..=199).contains(&held), "{held} of 200");
        assert_eq!(bootstrap(&[], 1), Interval { mean: 0.0, low: 0.0, high: 0.0 });
        assert_eq!(bootstrap(&[0.5], 1), Interval { mean: 0.5, low: 0.5, high: 0.5 });
        let values = normals(50, 0.0, &mut random);
        assert_eq!(bootstrap(&values, 3), bootstrap(&values, 3));
        assert_ne!(bootstrap(&values, 3), bootstrap(&values, 4));
    }

    #[test]
    fn chance_is_told_from_difference() {
        let mut random = SplitMix64::new(12);
        let false_alarms = (0..100).filter(|&i| randomisation_test(&normals(40, 0.0, &mut random), i) <= 0.05).count();
        assert!(false_alarms <= 12, "{false_alarms} of 100 where there is no difference");
        assert!(randomisation_test(&normals(40, 1.0, &mut random), 1) < 0.001);
        assert_eq!(randomisation_test(&[0.0; 9], 1), 1.0);
        assert_eq!(randomisation_test(&[], 1), 1.0);
    }

    #[test]
    fn few_pairs_give_the_exact_answer() {
        // Of the 2⁴ assignments of four equal differences two are as far: all of one sign.
        let p = randomisation_test(&[0.3, 0.3, 0.3, 0.3], 9);
        assert!((p - 2.0 / 16.0).abs() < 0.012, "{p}");
    }
}
