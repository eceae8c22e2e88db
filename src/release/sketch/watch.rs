//! Whether live queries are still like those that a release was made for. The page watches by the same rules; here they
//! are for a log of queries, and to hold both to the same numbers.

use super::{Projection, Share, Sketch};
use crate::words::Result;

/// What a window of live queries says.
#[derive(Debug, Clone, Default)]
struct Window {
    count: usize,
    far: usize,
    far_from_corpus: usize,
    empty: usize,
    distances: Vec<f64>,
    phi: Vec<f64>,
}

/// Compares live queries with a sketch, a window at a time.
#[derive(Debug)]
pub struct Watch<'a> {
    sketch: &'a Sketch,
    projection: Projection,
    window: Window,
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// What was found: a share, or a distance of distributions.
    pub value: f64,
    /// What is to be expected, where it is a share.
    pub expected: Option<f64>,
    /// How likely it is to be as far off by chance; of `mmd` an upper bound, at the levels of the sketch.
    pub p: f64,
}

/// What is found of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Findings {
    /// Queries in it.
    pub queries: usize,
    /// The share that is far from the reference queries.
    pub far: Check,
    /// The share that is far from the corpus.
    pub far_from_corpus: Check,
    /// The share that found nothing.
    pub empty: Check,
    /// The largest difference of the distributions of first hits' distances.
    pub top1: Check,
    /// The maximum mean discrepancy from the reference queries.
    pub mmd: Check,
}

impl Findings {
    /// All comparisons, by name.
    pub fn checks(&self) -> [(&'static str, Check); 5] {
        [
            ("far", self.far),
            ("far_from_corpus", self.far_from_corpus),
            ("empty", self.empty),
            ("top1", self.top1),
            ("mmd", self.mmd),
        ]
    }

    /// Whether one of them is less likely by chance than its share of `level`.
    pub fn drifts(&self, level: f64) -> bool {
        // By the levels of a sketch, p of mmd is one of few numbers: equal counts.
        self.checks().iter().any(|(_, check)| check.p <= level / 5.0 * (1.0 + 1e-9))
    }
}

impl<'a> Watch<'a> {
    /// A watch that has seen nothing.
    ///
    /// # Errors
    /// Those of [`Sketch::check`].
    pub fn new(sketch: &'a Sketch) -> Result<Self> {
        Ok(Watch { sketch, projection: sketch.projection()?, window: Window::default() })
    }

    /// A query of floats, and how far its first hit is, as callers know it.
    pub fn see(&mut self, query: &[f32], top1: Option<f32>) {
        let projected = self.projection.of(query);
        self.see_projected(&projected, top1);
    }

    /// A query of bits.
    pub fn see_bits(&mut self, query: &[u8], top1: Option<f32>) {
        let projected = self.projection.of_bits(query);
        self.see_projected(&projected, top1);
    }

    fn see_projected(&mut self, projected: &[f64], top1: Option<f32>) {
        let window = &mut self.window;
        window.count += 1;
        window.far += usize::from(self.sketch.queries.is_far(projected));
        window.far_from_corpus += usize::from(self.sketch.corpus.is_far(projected));
        match top1 {
            Some(distance) => window.distances.push(distance.into()),
            None => window.empty += 1,
        }
        let phi = self.sketch.kernel().of(projected);
        match window.phi.is_empty() {
            true => window.phi = phi,
            false => window.phi.iter_mut().zip(phi).for_each(|(sum, x)| *sum += x),
        }
    }

    /// How many queries it has seen since the last judgement.
    pub fn seen(&self) -> usize {
        self.window.count
    }

    /// Judges what it has seen, and begins anew. None if that is nothing.
    pub fn judge(&mut self) -> Option<Findings> {
        let Window { count, far, far_from_corpus, empty, distances, phi } = std::mem::take(&mut self.window);
        if count == 0 {
            return None;
        }
        let share = |k: usize, reference: Share| Check {
            value: k as f64 / count as f64,
            expected: Some(reference.count as f64 / reference.of as f64),
            p: at_least(k, count, reference),
        };
        Some(Findings {
            queries: count,
            far: share(far, self.sketch.queries.far),
            far_from_corpus: share(far_from_corpus, self.sketch.far_from_corpus),
            empty: share(empty, self.sketch.empty),
            top1: self.top1(distances),
            mmd: self.mmd(&phi, count),
        })
    }

    /// The test of Kolmogorov and Smirnov at the quantiles that the sketch has.
    fn top1(&self, mut live: Vec<f64>) -> Check {
        let reference = &self.sketch.top1;
        if live.is_empty() {
            return Check { value: 0.0, expected: None, p: 1.0 };
        }
        live.sort_by(f64::total_cmp);
        let quantiles = &reference.quantiles;
        let last = (quantiles.len() - 1) as f64;
        let mut most = 0.0f64;
        for &at in quantiles {
            // Equal quantiles are a step: the live step has to overlap it, no more.
            let (below, upto) = (quantiles.partition_point(|q| *q < at), quantiles.partition_point(|q| *q <= at));
            let (low, high) = (below as f64 / last, (upto - 1) as f64 / last);
            let of = |count: usize| count as f64 / live.len() as f64;
            let (under, within) = (of(live.partition_point(|x| *x < at)), of(live.partition_point(|x| *x <= at)));
            most = most.max(under - high).max(low - within);
        }
        let (n, m) = (live.len() as f64, reference.of as f64);
        let p = (2.0 * (-2.0 * most * most * n * m / (n + m)).exp()).min(1.0);
        Check { value: most, expected: None, p }
    }

    fn mmd(&self, sum: &[f64], count: usize) -> Check {
        let part = &self.sketch.queries;
        let mean: Vec<f64> = sum.iter().map(|x| x / count as f64).collect();
        let square = part.discrepancy(&mean);
        let statistic = square / (1.0 / count as f64 + 1.0 / part.count as f64);
        let above = part.null.quantiles.iter().rev().find(|(_, value)| statistic > *value);
        Check { value: square.sqrt(), expected: None, p: above.map_or(1.0, |(level, _)| 1.0 - level) }
    }
}

/// How likely `k` of `n` or more are, after a share was seen: the tail of the beta-binomial distribution that follows
/// from Jeffreys's prior.
fn at_least(k: usize, n: usize, seen: Share) -> f64 {
    let (a, b) = (seen.count as f64 + 0.5, (seen.of - seen.count) as f64 + 0.5);
    // The probabilities of 0, 1, … follow from each other; that of 0 is a product, its logarithm a sum.
    let mut log: f64 = (0..n).map(|i| ((b + i as f64) / (a + b + i as f64)).ln()).sum();
    let mut below = 0.0;
    for i in 0..k {
        below += log.exp();
        let (i, n) = (i as f64, n as f64);
        log += ((n - i) * (a + i) / ((i + 1.0) * (b + n - i - 1.0))).ln();
    }
    if k == 0 { 1.0 } else { (1.0 - below).max(0.0) }
}
