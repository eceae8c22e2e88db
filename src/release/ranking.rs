//! How good a ranking is, by judgements or beside another ranking. All values are from 0 to 1, the
//! more the better; ids in a ranking are all different.

use std::collections::HashSet;
use std::hash::Hash;

/// The persistence of rank-biased overlap: the first ten ranks then have 86 % of the weight.
pub const PERSISTENCE: f64 = 0.9;

/// Normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen, "Cumulated
/// gain-based evaluation of IR techniques", TOIS 2002), with gains as they are and the logarithm of
/// base 2, as trec_eval has it. `gains` are those of the ranking in its order, `judged` all that
/// there are for the query; 0 if there are none above 0.
pub fn ndcg(gains: &[f64], judged: &[f64], k: usize) -> f64 {
    let discounted = |gains: &[f64]| -> f64 {
        gains.iter().take(k).enumerate().map(|(i, gain)| gain.max(0.0) / (i as f64 + 2.0).log2()).sum()
    };
    let mut best = judged.to_vec();
    best.sort_by(|a, b| b.total_cmp(a));
    match discounted(&best) {
        0.0 => 0.0,
        ideal => discounted(gains) / ideal,
    }
}

/// One by the rank of the first relevant id among the first `k`, 0 if there is none (Voorhees, "The
/// TREC-8 question answering track report", 1999). Its mean over queries is MRR.
pub fn reciprocal_rank(gains: &[f64], k: usize) -> f64 {
    gains.iter().take(k).position(|&gain| gain > 0.0).map_or(0.0, |i| 1.0 / (i as f64 + 1.0))
}

/// The share of the `relevant` ids that are among the first `k` (Manning, Raghavan and Schütze,
/// "Introduction to Information Retrieval", 2008, chapter 8); 0 if there are none.
pub fn recall(gains: &[f64], relevant: usize, k: usize) -> f64 {
    match relevant {
        0 => 0.0,
        all => gains.iter().take(k).filter(|&&gain| gain > 0.0).count() as f64 / all as f64,
    }
}

/// The share of ids that the first `k` of two rankings have in common, of the longer one's; 1 if both
/// are empty.
pub fn overlap<T: Eq + Hash>(a: &[T], b: &[T], k: usize) -> f64 {
    let (a, b) = (&a[..k.min(a.len())], &b[..k.min(b.len())]);
    let longer = a.len().max(b.len());
    if longer == 0 {
        return 1.0;
    }
    let there: HashSet<&T> = a.iter().collect();
    b.iter().filter(|id| there.contains(id)).count() as f64 / longer as f64
}

/// Extrapolated rank-biased overlap of two rankings, which may differ in length: what their agreement
/// would be if it went on as it ends (Webber, Moffat and Zobel, "A similarity measure for indefinite
/// rankings", TOIS 2010, equation 32). `p`, more than 0 and less than 1, is how likely a reader goes on
/// to the next rank. 1 if both are empty, 0 if one is.
pub fn rank_biased_overlap<T: Eq + Hash>(a: &[T], b: &[T], p: f64) -> f64 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let (s, l) = (short.len(), long.len());
    if s == 0 {
        return if l == 0 { 1.0 } else { 0.0 };
    }
    let (mut in_short, mut in_long) = (HashSet::new(), HashSet::new());
    // The overlap at the depth reached, and at depth s.
    let (mut common, mut at_short) = (0.0, 0.0);
    let (mut sum, mut weight) = (0.0, 1.0);
    for depth in 1..=l {
        weight *= p;
        let (next, other) = (&long[depth - 1], short.get(depth - 1));
        if other == Some(next) {
            common += 1.0;
        } else {
            common += f64::from(u8::from(in_short.contains(next)));
            common += f64::from(u8::from(other.is_some_and(|other| in_long.contains(other))));
        }
        in_long.insert(next);
        in_short.extend(other);
        if depth == s {
            at_short = common;
        }
        let depth_f = depth as f64;
        sum += common / depth_f * weight;
        if depth > s {
            sum += at_short * (depth_f - s as f64) / (s as f64 * depth_f) * weight;
        }
    }
    let end = (common - at_short) / l as f64 + at_short / s as f64;
    ((1.0 - p) / p * sum + end * weight).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn gains_are_discounted_by_rank() {
        // Six judged documents with gains 3 2 3 0 1 2, and two more of 3 and 2 that weren't found.
        let gains = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
        let dcg: f64 =
            [3.0 / 1.0, 2.0 / 3f64.log2(), 3.0 / 2.0, 0.0, 1.0 / 6f64.log2(), 2.0 / 7f64.log2()].iter().sum();
        let ideal: f64 =
            [3.0, 3.0 / 3f64.log2(), 3.0 / 2.0, 2.0 / 5f64.log2(), 2.0 / 6f64.log2(), 2.0 / 7f64.log2()].iter().sum();
        near(ndcg(&gains, &[3.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 2.0], 6), dcg / ideal);
        near(ndcg(&[1.0, 1.0], &[1.0, 1.0], 10), 1.0);
        near(ndcg(&[0.0, 1.0], &[1.0], 10), 1.0 / 3f64.log2());
        assert_eq!(ndcg(&[0.0, 1.0], &[1.0], 1), 0.0);
        assert_eq!(ndcg(&[-1.0], &[-1.0, 0.0], 1), 0.0, "junk that is judged below 0 gains nothing");
    }

    #[test]
    fn first_rank_and_share() {
        assert_eq!(reciprocal_rank(&[0.0, 0.0, 2.0, 1.0], 10), 1.0 / 3.0);
        assert_eq!(reciprocal_rank(&[0.0, 0.0, 2.0], 2), 0.0);
        assert_eq!(recall(&[1.0, 0.0, 2.0], 4, 10), 0.5);
        assert_eq!(recall(&[1.0, 0.0, 2.0], 4, 1), 0.25);
        assert_eq!(recall(&[], 0, 1), 0.0);
        assert_eq!(overlap(&[1, 2, 3], &[3, 4, 1], 3), 2.0 / 3.0);
        assert_eq!(overlap(&[1, 2, 3], &[3], 3), 1.0 / 3.0);
        assert_eq!(overlap::<u8>(&[], &[], 3), 1.0);
        assert_eq!(overlap(&[1, 2, 3], &[3, 4, 1], 0), 1.0);
    }

    /// The formula as it is written, with no sum carried along.
    fn by_definition(a: &[u32], b: &[u32], p: f64) -> f64 {
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let x = |d: usize| {
            let first: HashSet<_> = short.iter().take(d).collect();
            long.iter().take(d).filter(|id| first.contains(id)).count() as f64
        };
        let (s, l) = (short.len(), long.len());
        let one: f64 = (1..=l).map(|d| x(d) / d as f64 * p.powi(d as i32)).sum();
        let two: f64 = (s + 1..=l).map(|d| x(s) * (d - s) as f64 / (s * d) as f64 * p.powi(d as i32)).sum();
        (1.0 - p) / p * (one + two) + ((x(l) - x(s)) / l as f64 + x(s) / s as f64) * p.powi(l as i32)
    }

    #[test]
    fn rank_biased_overlap_is_as_defined() {
        near(rank_biased_overlap(&[1, 2, 3], &[1, 2, 3], 0.9), 1.0);
        assert_eq!(rank_biased_overlap(&[1, 2], &[3, 4], 0.9), 0.0);
        assert_eq!(rank_biased_overlap::<u8>(&[], &[], 0.9), 1.0);
        assert_eq!(rank_biased_overlap(&[], &[1], 0.9), 0.0);
        // Two ids in each other's place: agreement 0, then 1 for ever. (1 − p) · 0 + p.
        near(rank_biased_overlap(&[1, 2], &[2, 1], 0.9), 0.9);
        let mut random = SplitMix64::new(5);
        let mut shuffled = |length: usize| -> Vec<u32> {
            let mut ids: Vec<u32> = (0..14).collect();
            for i in 0..length {
                ids.swap(i, i + random.below(14 - i as u32) as usize);
            }
            ids.truncate(length);
            ids
        };
        for round in 0..200 {
            let (a, b) = (shuffled(1 + round % 9), shuffled(1 + round % 7));
            let found = rank_biased_overlap(&a, &b, PERSISTENCE);
            near(found, by_definition(&a, &b, PERSISTENCE));
            near(found, rank_biased_overlap(&b, &a, PERSISTENCE));
        }
    }
}
