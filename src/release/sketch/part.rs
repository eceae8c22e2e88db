//! A sketch of one set of vectors: where they lie, how far from there is far, and the mean of their features.

use super::bytes::Bytes;
use super::features::{self, Kernel, square};
use super::{Null, Share, rounded};
use crate::quantize::kmeans::{Centroids, choose};
use crate::words::random::SplitMix64;
use crate::words::{MatrixView, Result};
use serde::{Deserialize, Serialize};

/// Centroids, at most.
const CENTROIDS: usize = 32;

/// Vectors a centroid, at least.
const MEMBERS: usize = 8;

/// So many vectors' worth of the mean spread goes into each centroid's own, which few members say little about.
const PRIOR: f64 = 4.0;

/// The share of the held-out vectors that are called far.
const FAR: f64 = 0.05;

/// A set of vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Vectors it was made of.
    pub count: usize,
    /// Centroids of one half of them, in 8 bits, one after the other.
    pub centroids: Bytes,
    /// What one step of a coordinate is worth.
    pub centroid_scale: f64,
    /// The squared distance of a member of each centroid, as a rule.
    pub spreads: Vec<f64>,
    /// A vector is far if its squared distance in spreads is above this for every centroid.
    pub far_above: f64,
    /// How many of the other half are far.
    pub far: Share,
    /// The mean of the features of all.
    pub mean: Vec<f64>,
    /// How far the mean of as good vectors may be from it by chance.
    pub null: Null,
}

impl Part {
    /// Of projected vectors, at least two.
    pub fn of(vectors: &[Vec<f64>], kernel: Kernel<'_>, random: &mut SplitMix64) -> Result<Self> {
        let features = vectors[0].len();
        let mut fitted = vec![false; vectors.len()];
        choose(vectors.len() / 2, vectors.len(), random).into_iter().for_each(|i| fitted[i] = true);
        let half =
            |which: bool| vectors.iter().zip(&fitted).filter(move |(_, f)| **f == which).map(|(vector, _)| vector);
        let flat: Vec<f32> = half(true).flatten().map(|&x| x as f32).collect();
        let lists = (flat.len() / features / MEMBERS).clamp(1, CENTROIDS);
        let trained = Centroids::train(MatrixView::new(&flat, features)?, lists, false, random.next_u64(), &|_| ());
        let exact: Vec<f64> = trained.vectors().iter().map(|&x| f64::from(x)).collect();
        let (centroids, centroid_scale) = features::in_bytes(&exact);
        let phi: Vec<Vec<f64>> = vectors.iter().map(|vector| kernel.of(vector)).collect();
        let mean: Vec<f64> =
            (0..phi[0].len()).map(|i| rounded(phi.iter().map(|phi| phi[i]).sum::<f64>() / phi.len() as f64)).collect();
        let mut part = Part {
            count: vectors.len(),
            spreads: vec![1.0; centroids.len() / features],
            centroids: Bytes(centroids),
            centroid_scale,
            far_above: 0.0,
            far: Share { count: 0, of: 0 },
            null: Null::of(&phi, &mean, random),
            mean,
        };
        part.spreads = part.spreads_of(half(true));
        let mut scores: Vec<f64> = half(false).map(|vector| part.score(vector)).collect();
        scores.sort_by(f64::total_cmp);
        let at = ((1.0 - FAR) * scores.len() as f64).ceil() as usize;
        part.far_above = rounded(scores[at.clamp(1, scores.len()) - 1]);
        let far = scores.iter().filter(|&&score| score > part.far_above).count();
        part.far = Share { count: far, of: scores.len() };
        Ok(part)
    }

    fn centroid(&self, c: usize, features: usize) -> impl Iterator<Item = f64> + '_ {
        self.centroids.0[c * features..(c + 1) * features].iter().map(|&x| f64::from(x) * self.centroid_scale)
    }

    fn nearest(&self, vector: &[f64]) -> (usize, f64) {
        let square = |c| self.centroid(c, vector.len()).zip(vector).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let squares = (0..self.spreads.len()).map(|c| (c, square(c)));
        squares.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::INFINITY))
    }

    fn spreads_of<'a>(&self, members: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.spreads.len()];
        for vector in members {
            let (c, square) = self.nearest(vector);
            sums[c] = (sums[c].0 + square, sums[c].1 + 1.0);
        }
        let (all, count) = sums.iter().fold((0.0, 0.0), |(all, count), sum| (all + sum.0, count + sum.1));
        let mean = if all > 0.0 { all / count } else { 1.0 };
        let one = |&(sum, count): &(f64, f64)| rounded((sum + PRIOR * mean) / (count + PRIOR));
        sums.iter().map(one).collect()
    }

    /// How far a projected vector is from the nearest centroid, in spreads.
    pub fn score(&self, vector: &[f64]) -> f64 {
        let scaled = |(c, spread): (usize, &f64)| {
            self.centroid(c, vector.len()).zip(vector).map(|(x, y)| (x - y) * (x - y)).sum::<f64>() / spread
        };
        self.spreads.iter().enumerate().map(scaled).fold(f64::INFINITY, f64::min)
    }

    /// Whether a projected vector is far from all that the part holds.
    pub fn is_far(&self, vector: &[f64]) -> bool {
        self.score(vector) > self.far_above
    }

    /// What is wrong with it, if it was read from a file.
    pub(super) fn wrong(&self, features: usize, phi: usize) -> Option<&'static str> {
        let finite = |list: &[f64]| list.iter().all(|x| x.is_finite());
        let positive = |x: f64| x > 0.0 && x.is_finite();
        if self.count < 2 {
            return Some("it was made of fewer than two vectors");
        }
        if self.spreads.is_empty()
            || self.spreads.len() > 256
            || self.centroids.0.len() != self.spreads.len() * features
        {
            return Some("centroids and spreads don't go together");
        }
        if !positive(self.centroid_scale) || !self.spreads.iter().all(|&x| positive(x)) {
            return Some("a scale or spread is no number above 0");
        }
        if !(self.far_above >= 0.0 && self.far_above.is_finite() && self.far.is_share()) {
            return Some("what is far isn't said");
        }
        if self.mean.len() != phi || !finite(&self.mean) {
            return Some("the mean hasn't as many numbers as there are features");
        }
        self.null.wrong()
    }

    /// The squared distance of a mean of features from that of the part.
    pub fn discrepancy(&self, mean: &[f64]) -> f64 {
        square(&self.mean, mean)
    }
}
