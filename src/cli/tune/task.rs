//! What is tuned for: vectors, queries, and how good an answer is.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::registry::digest::digest;
use crate::truth::Truth;
use crate::vectors::Vectors;
use elanus::index::rows;
use elanus::quantize::kmeans::choose;
use elanus::release::ranking;
use elanus::words::random::SplitMix64;
use elanus::words::{MatrixView, Metric};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Rows beyond the k-th that may be as near as it.
const SPARE: usize = 50;

/// A question, and the row that it is, if it is one: that is never an answer.
pub struct Asked {
    pub vector: Vec<f32>,
    pub own: Option<u32>,
}

/// How good an answer is.
pub enum Measure {
    /// The share of the nearest rows that is found.
    Recall,
    /// nDCG by judgements of rows: for each query its rows and their gains.
    Ndcg(Vec<BTreeMap<u32, f64>>),
}

/// All that doesn't change while one tunes.
pub struct Task {
    pub vectors: Vectors,
    pub metric: Metric,
    pub asked: Vec<Asked>,
    pub measure: Measure,
    pub k: usize,
    pub seed: u64,
}

/// Some of the rows, or all.
pub struct Sample<'a> {
    task: &'a Task,
    gathered: Option<Vec<f32>>,
    /// Of a sample, the row that each was.
    numbers: Option<Vec<u32>>,
    /// What the first queries should find, by place in the sample.
    truth: Vec<Truth>,
    /// The mean quality of exact search.
    pub exact: f64,
}

impl Task {
    pub fn rows(&self) -> usize {
        self.vectors.rows()
    }

    /// By what it can be known again.
    pub fn digest(&self) -> String {
        let mut bytes: Vec<u8> = self.vectors.data.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.extend(self.asked.iter().flat_map(|asked| asked.vector.iter().flat_map(|x| x.to_le_bytes())));
        if let Measure::Ndcg(judged) = &self.measure {
            bytes.extend(format!("{judged:?}").into_bytes());
        }
        bytes.extend(format!("{} {} {}", self.metric, self.k, self.seed).into_bytes());
        digest(&bytes)
    }

    /// So many rows, the same at each call, with the judged ones among them and without those that are asked. What the
    /// first `queries` should find there is found by comparing all.
    pub fn sample(&self, rows: usize, queries: usize, progress: Progress) -> Result<Sample<'_>> {
        let numbers = (rows < self.rows()).then(|| self.chosen(rows));
        let dimension = self.vectors.dimension;
        let gathered = numbers.as_ref().map(|numbers| {
            let row = |&row: &u32| &self.vectors.data[row as usize * dimension..(row as usize + 1) * dimension];
            numbers.iter().flat_map(row).copied().collect::<Vec<f32>>()
        });
        let mut sample = Sample { task: self, gathered, numbers, truth: Vec::new(), exact: 0.0 };
        let view = sample.view()?;
        let bar = progress.count("searching exactly", queries as u64);
        let near: Vec<Vec<(f32, u32)>> = self.asked[..queries.min(self.asked.len())]
            .par_iter()
            .map(|asked| {
                let own = asked.own.filter(|_| sample.numbers.is_none());
                let near = nearest(view, asked, own, self.metric, self.k + SPARE);
                bar.inc(1);
                near
            })
            .collect();
        bar.finish_and_clear();
        let quality = |i: usize, near: &[(f32, u32)]| match &self.measure {
            Measure::Recall => 1.0,
            Measure::Ndcg(_) => sample.ndcg(i, &near.iter().map(|(_, row)| *row).collect::<Vec<u32>>()),
        };
        let sum: f64 = near.iter().enumerate().map(|(i, near)| quality(i, near)).sum();
        let exact = sum / near.len().max(1) as f64;
        sample.truth = near.into_iter().map(|near| Truth::new(near, self.k)).collect();
        sample.exact = exact;
        Ok(sample)
    }

    fn chosen(&self, rows: usize) -> Vec<u32> {
        let asked: std::collections::HashSet<u32> = self.asked.iter().filter_map(|asked| asked.own).collect();
        let mut kept: std::collections::BTreeSet<u32> = match &self.measure {
            Measure::Recall => Default::default(),
            Measure::Ndcg(judged) => judged.iter().flat_map(|rows| rows.keys().copied()).collect(),
        };
        let rest: Vec<u32> =
            (0..self.rows() as u32).filter(|row| !asked.contains(row) && !kept.contains(row)).collect();
        let wanted = rows.saturating_sub(kept.len()).min(rest.len());
        let mut random = SplitMix64::new(self.seed);
        kept.extend(choose(wanted, rest.len(), &mut random).into_iter().map(|i| rest[i]));
        kept.into_iter().collect()
    }
}

impl Sample<'_> {
    pub fn rows(&self) -> usize {
        self.numbers.as_ref().map_or(self.task.rows(), Vec::len)
    }

    /// Whether it is all rows.
    pub fn is_whole(&self) -> bool {
        self.numbers.is_none()
    }

    pub fn view(&self) -> Result<MatrixView<'_>> {
        let data = self.gathered.as_ref().unwrap_or(&self.task.vectors.data);
        Ok(MatrixView::new(data, self.task.vectors.dimension)?)
    }

    /// The row that a query is, if it is one here.
    pub fn own(&self, query: usize) -> Option<u32> {
        self.task.asked[query].own.filter(|_| self.is_whole())
    }

    /// How good the rows are that were found for a query, by place in the sample.
    pub fn quality(&self, query: usize, found: &[u32]) -> f64 {
        match &self.task.measure {
            Measure::Recall => self.truth[query].recall(found.iter().copied()),
            Measure::Ndcg(_) => self.ndcg(query, found),
        }
    }

    /// What is to be reached here, where `wanted` is to be reached in all rows with this best: judgements of a sample
    /// are easier to meet.
    pub fn target(&self, wanted: f64, best: f64) -> f64 {
        match self.task.measure {
            Measure::Recall => wanted,
            Measure::Ndcg(_) => wanted / best.max(f64::MIN_POSITIVE) * self.exact,
        }
    }

    fn ndcg(&self, query: usize, found: &[u32]) -> f64 {
        let Measure::Ndcg(judged) = &self.task.measure else { return 0.0 };
        let number = |row: u32| self.numbers.as_ref().map_or(row, |numbers| numbers[row as usize]);
        let gain = |&row: &u32| judged[query].get(&number(row)).copied().unwrap_or(0.0);
        let gains: Vec<f64> = found.iter().map(gain).collect();
        let ideal: Vec<f64> = judged[query].values().copied().collect();
        ranking::ndcg(&gains, &ideal, self.task.k)
    }
}

/// The nearest rows and their internal distances, nearest first.
fn nearest(matrix: MatrixView<'_>, asked: &Asked, own: Option<u32>, metric: Metric, count: usize) -> Vec<(f32, u32)> {
    // The query's length only scales distances of COSINE.
    let of = |row: &[f32]| rows::distance(metric, &asked.vector, row);
    let mut all: Vec<(f32, u32)> =
        matrix.iter().enumerate().map(|(i, row)| (of(row), i as u32)).filter(|(_, i)| Some(*i) != own).collect();
    if count < all.len() {
        all.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0));
        all.truncate(count);
    }
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

/// Rows that stand for queries.
pub fn held_out(vectors: &Vectors, count: usize, seed: u64) -> Vec<Asked> {
    let mut random = SplitMix64::new(seed ^ 0x7e57);
    let of = vectors.rows();
    let row = |i: usize| vectors.data[i * vectors.dimension..(i + 1) * vectors.dimension].to_vec();
    let chosen = choose(count.min(of / 2), of, &mut random);
    chosen.into_iter().map(|i| Asked { vector: row(i), own: Some(i as u32) }).collect()
}

/// What each row is worth to a query; rows that aren't there are worth nothing.
type Gains = BTreeMap<u32, f64>;

/// Gains of rows by query, of judgements of keys; queries without a relevant row are left out of `asked`.
pub fn judged_rows(
    asked: Vec<Asked>,
    names: &[String],
    judgements: &elanus::release::Judgements,
    keys: Option<&HashMap<String, u32>>,
    rows: usize,
) -> Result<(Vec<Asked>, Vec<Gains>)> {
    let row = |key: &String| match keys {
        Some(keys) => keys.get(key).copied(),
        None => key.parse().ok().filter(|&row: &u32| (row as usize) < rows),
    };
    let mut judged = Vec::new();
    let mut kept = Vec::new();
    for (asked, name) in asked.into_iter().zip(names) {
        let Some(of) = judgements.of(name) else { continue };
        let gains: Gains = of.iter().filter_map(|(key, &grade)| Some((row(key)?, grade.max(0) as f64))).collect();
        if gains.values().any(|&gain| gain > 0.0) {
            judged.push(gains);
            kept.push(asked);
        }
    }
    if kept.is_empty() {
        return Err(Failure::input(
            "none of the queries has a relevant row: --qrels names queries as --query-ids does, or by number from 0, and \
             rows by the key that --id-field gives, or by number",
        ));
    }
    Ok((kept, judged))
}
