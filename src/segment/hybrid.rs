//! Hybrid search: several searches of one file, and one list out of theirs.

use super::request::{MAX_LIMIT, Request};
use super::sealed::{Scratch, Sealed};
use crate::words::order::{self, ordered};
use crate::words::say::decimal;
use crate::words::{Error, Hit, Metric, Result};
use std::f32::consts::PI;

/// More searches than this aren't fused: Milvus allows as many.
pub const MAX_SEARCHES: usize = 1024;

/// How the lists become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rerank<'a> {
    /// Reciprocal rank fusion: a row's score is Σ 1 / (k + rank), ranks from 1 (Cormack, Clarke and
    /// Büttcher, SIGIR 2009). Milvus's RRFRanker; `k` is above 0 and below 16,384, by default 60.
    Rrf {
        /// The larger, the less the first ranks stand out.
        k: f32,
    },
    /// A row's score is Σ weight · score, each search's scores first brought to 0..1 as Milvus's
    /// WeightedRanker does. Weights are 0 to 1, one a search.
    Weighted(&'a [f32]),
}

impl Rerank<'_> {
    /// k of reciprocal rank fusion, if a caller doesn't say.
    pub const DEFAULT_K: f32 = 60.0;

    /// How far down each list counts, if a caller doesn't say: further than the fused one goes, so
    /// that a row that is good in all lists can pass one that is best in one.
    pub fn depth(limit: usize, offset: usize) -> usize {
        limit.saturating_add(offset).saturating_mul(3).clamp(30, MAX_LIMIT)
    }

    fn check(&self, searches: usize) -> Result<()> {
        match *self {
            Rerank::Rrf { k } if !(k > 0.0 && k < 16_384.0) => {
                Err(Error::argument(format!("k of rrf is {}; it must be above 0 and below 16384", decimal(k))))
            }
            Rerank::Weighted(weights) if weights.len() != searches => Err(Error::argument(format!(
                "there are {} weights for {searches} searches; give one each",
                weights.len()
            ))),
            Rerank::Weighted(weights) => match weights.iter().find(|w| !(0.0..=1.0).contains(*w)) {
                Some(weight) => {
                    Err(Error::argument(format!("a weight is {}; weights must be 0 to 1", decimal(*weight))))
                }
                None => Ok(()),
            },
            Rerank::Rrf { .. } => Ok(()),
        }
    }

    /// What being at `rank` (from 0) of the list of search `i` adds to a row's score.
    fn part(&self, i: usize, rank: usize, hit: &Hit, metric: Metric) -> f32 {
        match self {
            Rerank::Rrf { k } => 1.0 / (k + (rank + 1) as f32),
            Rerank::Weighted(weights) => weights[i] * normalised(metric, metric.to_public(hit.distance)),
        }
    }
}

/// A score as callers know it, brought to 0..1, larger nearer: Milvus's formulas, by metric.
pub fn normalised(metric: Metric, score: f32) -> f32 {
    match metric {
        Metric::Cosine => (1.0 + score) * 0.5,
        Metric::Ip => 0.5 + score.atan() / PI,
        Metric::Bm25 => 2.0 * score.atan() / PI,
        Metric::L2 | Metric::Hamming | Metric::Jaccard => 1.0 - 2.0 * score.atan() / PI,
    }
}

impl Sealed {
    /// Does all the searches and fuses their lists: the best first, ties by the order in
    /// which rows were given. A hit's `distance`
    /// is its fused score, negated: [`Metric::Ip`] turns it into what callers see. A search's own
    /// `limit` says how far down its list counts.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, and those of [`Sealed::search`].
    pub fn hybrid_search(
        &self,
        requests: &[Request<'_>],
        rerank: Rerank<'_>,
        limit: usize,
        offset: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>> {
        if requests.is_empty() || requests.len() > MAX_SEARCHES {
            return Err(Error::argument(format!(
                "a hybrid search fuses 1 to {MAX_SEARCHES} searches, not {}",
                requests.len()
            )));
        }
        if limit == 0 || limit > MAX_LIMIT || offset > MAX_LIMIT - limit {
            return Err(Error::argument(format!(
                "limit is {limit} and offset {offset}; limit must be at least 1 and both together at most {MAX_LIMIT}"
            )));
        }
        rerank.check(requests.len())?;
        if requests.iter().any(|request| request.group.is_some()) {
            return Err(Error::argument("a hybrid search has no groups; leave out groupByField"));
        }
        let mut parts = Vec::new();
        for (i, request) in requests.iter().enumerate() {
            let metric = self.metric_of(&request.query);
            for (rank, hit) in self.search(request, scratch)?.iter().enumerate() {
                parts.push((hit.row, rerank.part(i, rank, hit, metric)));
            }
        }
        // What belongs to one row comes together, in the order of the searches; rows in that of their numbers.
        let given = |row| u64::from(self.index().rows().given(row));
        let mut keys: Vec<u64> = (0u64..).zip(&parts).map(|(i, &(row, _))| given(row) << 32 | i).collect();
        order::sort(&mut keys);
        let part = |key: u64| parts[key as u32 as usize];
        let rows = keys.chunk_by(|a, b| a >> 32 == b >> 32);
        let fused: Vec<(u32, f32)> =
            rows.map(|same| (part(same[0]).0, same.iter().fold(0.0, |sum, &key| sum - part(key).1))).collect();
        let mut keys: Vec<u64> =
            (0u64..).zip(&fused).map(|(i, &(_, distance))| u64::from(ordered(distance)) << 32 | i).collect();
        order::sort(&mut keys);
        let hit = |key: u64| fused[key as u32 as usize];
        let mut hits: Vec<Hit> = keys
            .into_iter()
            .map(|key| {
                let (row, distance) = hit(key);
                Hit { row, distance }
            })
            .collect();
        hits.truncate(offset + limit);
        hits.drain(..offset.min(hits.len()));
        Ok(hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn scores_are_normalised_as_milvus_does() {
        assert_eq!(normalised(Metric::Cosine, 1.0), 1.0);
        assert_eq!(normalised(Metric::Cosine, -1.0), 0.0);
        assert_eq!(normalised(Metric::Ip, 0.0), 0.5);
        assert_eq!(normalised(Metric::Ip, 1.0), 0.75);
        assert_eq!(normalised(Metric::Bm25, 0.0), 0.0);
        assert_eq!(normalised(Metric::Bm25, 1.0), 0.5);
        assert_eq!(normalised(Metric::L2, 0.0), 1.0);
        assert_eq!(normalised(Metric::L2, 1.0), 0.5);
        for metric in [Metric::Ip, Metric::Bm25, Metric::L2] {
            assert!((0.0..=1.0).contains(&normalised(metric, 1e30)), "{metric}");
        }
    }

    #[test]
    fn rerankers_are_checked() {
        let is_refused = |rerank: Rerank<'_>| rerank.check(2).is_err();
        assert!(!is_refused(Rerank::Rrf { k: 60.0 }) && !is_refused(Rerank::Weighted(&[0.0, 1.0])));
        for k in [0.0, -1.0, 16_384.0, f32::NAN, f32::INFINITY] {
            assert!(is_refused(Rerank::Rrf { k }), "{k}");
        }
        for weights in [&[0.5][..], &[0.5; 3], &[0.5, 1.1], &[f32::NAN, 0.5], &[-0.1, 0.5]] {
            assert!(is_refused(Rerank::Weighted(weights)), "{weights:?}");
        }
    }
}
