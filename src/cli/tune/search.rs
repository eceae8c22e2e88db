//! Finds the index that suits a goal. What costs time is building, so little is built of all rows: candidates are
//! compared on samples first, of which each is a few times as large as the one before and has fewer candidates
//! (successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
//! optimization", AISTATS 2016). Of each, the cheapest setting that is good enough is found by bisection, and how it
//! would do with all rows follows from how searches of its type grow.

use super::measure::{Shared, Trial};
use super::state::State;
use super::task::{Sample, Task};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::tune::front::{Goal, Point};
use elanus::tune::space::{Candidate, Setting, grid};
use elanus::words::IndexType;
use indicatif::ProgressBar;

/// The samples: a part of all rows, at least so many of them, and how many queries are asked.
const SAMPLES: [(usize, usize, usize); 2] = [(32, 2000, 100), (8, 6000, 200)];

/// How many candidates go on to the second sample and to all rows, at most, and by which factor they may seem worse
/// than the best.
const SECOND: (usize, f64) = (8, 1.8);
const LAST: (usize, f64) = (3, 1.25);

/// Searches that differ by less than this factor can't be told apart on a sample.
const SAME: f64 = 1.1;

/// Rows whose search costs what a search costs of itself.
const NONE: usize = 64;

/// What was found of a candidate.
#[derive(Debug, Clone)]
pub struct Tried {
    pub candidate: Candidate,
    pub rows: usize,
    pub setting: Setting,
    pub point: Point,
    /// What it would be with all rows.
    pub predicted: Point,
    /// Whether it was built of all rows.
    pub whole: bool,
}

/// What was tried, in the order in which it was, and what came of it.
pub struct Outcome {
    pub tried: Vec<Tried>,
    pub chosen: Option<Tried>,
    /// The most that exact search reaches.
    pub exact: f64,
}

pub struct Search<'a> {
    pub task: &'a Task,
    pub goal: Goal,
    pub state: &'a mut State,
    pub progress: Progress,
}

impl Search<'_> {
    /// Halving on samples.
    pub fn halving(&mut self) -> Result<Outcome> {
        let (task, all) = (self.task, self.task.rows());
        let whole = task.sample(all, task.asked.len(), self.progress)?;
        self.check_reachable(&whole)?;
        let mut candidates = first(task, &self.goal)?;
        let mut tried: Vec<Tried> = Vec::new();
        for (round, (part, least, queries)) in SAMPLES.into_iter().enumerate() {
            let rows = (all / part).max(least);
            // A sample that is nearly all would save nothing.
            if rows * 2 > all {
                continue;
            }
            let sample = task.sample(rows, queries.min(task.asked.len()), self.progress)?;
            let found = self.round(&candidates, &sample, whole.exact, queries, &tried)?;
            let (most, factor) = if round == 0 { SECOND } else { LAST };
            let mut next = self.best(&found, most, factor);
            if round == 0 {
                let near: Vec<Candidate> = next.iter().take(2).flat_map(Candidate::neighbours).collect();
                for one in near {
                    if !next.contains(&one) && fits(&one, task, &self.goal) {
                        next.push(one);
                    }
                }
            }
            tried.extend(found);
            candidates = next;
        }
        let queries = task.asked.len();
        let mut last = self.round(&candidates, &whole, whole.exact, queries, &tried)?;
        // What was predicted wrongly leaves room for those that seemed worse.
        let mut rest: Vec<Tried> =
            tried.iter().filter(|t| candidates.iter().all(|c| *c != t.candidate)).cloned().collect();
        rest.sort_by(|a, b| self.rank(&a.predicted).total_cmp(&self.rank(&b.predicted)));
        rest.dedup_by(|a, b| a.candidate == b.candidate);
        for next in rest.into_iter().take(4) {
            if last.iter().any(|t| self.goal.meets(&t.point)) {
                break;
            }
            last.extend(self.round(&[next.candidate], &whole, whole.exact, queries, &tried)?);
        }
        let chosen = self.goal.choose(&last, |tried| tried.point).cloned();
        tried.extend(last);
        Ok(Outcome { tried, chosen, exact: whole.exact })
    }

    /// Everything, with all rows: what halving is held against.
    pub fn exhaustive(&mut self) -> Result<Outcome> {
        let (task, queries) = (self.task, self.task.asked.len());
        let whole = task.sample(task.rows(), queries, self.progress)?;
        self.check_reachable(&whole)?;
        let candidates = affordable(task, &self.goal)?;
        let bar = self.bar(&candidates, &whole, "trying all");
        let mut tried = Vec::new();
        for candidate in &candidates {
            let mut trial = Trial::new(task, &whole, candidate);
            for ladder in candidate.ladders(whole.rows(), task.k) {
                // As a grid is laid by hand: each setting about twice the one before.
                for setting in ladder.into_iter().step_by(2) {
                    let point = trial.measure(setting, queries, self.state, None)?;
                    let (candidate, rows) = (candidate.clone(), whole.rows());
                    tried.push(Tried { candidate, rows, setting, point, predicted: point, whole: true });
                }
            }
            bar.inc(effort(candidate, &whole));
        }
        bar.finish_and_clear();
        let chosen = self.goal.choose(&tried, |tried| tried.point).cloned();
        Ok(Outcome { tried, chosen, exact: whole.exact })
    }

    fn check_reachable(&self, whole: &Sample<'_>) -> Result<()> {
        match whole.exact < self.goal.quality {
            true => Err(Failure::input(format!(
                "exact search reaches {:.4}, so no index reaches {:.4}; ask for less, or for another model",
                whole.exact, self.goal.quality
            ))),
            false => Ok(()),
        }
    }

    /// The cheapest good setting of each candidate, in this sample.
    fn round(
        &mut self,
        candidates: &[Candidate],
        sample: &Sample<'_>,
        best: f64,
        queries: usize,
        before: &[Tried],
    ) -> Result<Vec<Tried>> {
        let queries = queries.min(self.task.asked.len());
        let bar = self.bar(candidates, sample, &format!("{} rows", sample.rows()));
        let mut shared = Shared::default();
        let mut found = Vec::new();
        let small = match sample.is_whole() {
            true => None,
            false => Some(self.task.sample(NONE, 1, Progress::new(true))?),
        };
        for candidate in candidates {
            let target = sample.target(self.goal.quality, best);
            let mut trial = Trial::new(self.task, sample, candidate);
            for ladder in candidate.ladders(sample.rows(), self.task.k) {
                let (setting, point) = self.climb(&mut trial, &ladder, target, queries, &mut shared)?;
                let earlier = before.iter().rev().find(|t| t.candidate == *candidate);
                let predicted = match &small {
                    None => point,
                    Some(small) => {
                        let idle = self.idle(candidate, setting, small)?;
                        self.predict(candidate, sample.rows(), point, idle, earlier)
                    }
                };
                let (candidate, rows, whole) = (candidate.clone(), sample.rows(), sample.is_whole());
                let good = point.quality >= target;
                let tried = Tried { candidate, rows, setting, point, predicted, whole };
                // One that can't reach the target is told of, and goes no further.
                if good || sample.is_whole() {
                    found.push(tried);
                }
            }
            bar.inc(effort(candidate, sample));
        }
        bar.finish_and_clear();
        Ok(found)
    }

    /// The first rung that is good enough; the last if none is.
    fn climb(
        &mut self,
        trial: &mut Trial<'_>,
        ladder: &[Setting],
        target: f64,
        queries: usize,
        shared: &mut Shared,
    ) -> Result<(Setting, Point)> {
        let (mut low, mut high) = (0, ladder.len() - 1);
        // The target is mostly met low on the ladder: the upper half is looked at only when it isn't.
        let mut step = 3;
        let mut measured: Option<(usize, Point)> = None;
        while low < high {
            let middle = if measured.is_none() { (low + step).min(high) } else { low + (high - low) / 2 };
            let point = trial.measure(ladder[middle], queries, self.state, Some(shared))?;
            if point.quality >= target {
                high = middle;
                measured = Some((middle, point));
                if middle == 0 {
                    break;
                }
            } else {
                low = middle + 1;
                step *= 2;
            }
        }
        match measured.filter(|(at, _)| *at == high) {
            Some((_, point)) => Ok((ladder[high], point)),
            None => Ok((ladder[high], trial.measure(ladder[high], queries, self.state, Some(shared))?)),
        }
    }

    /// What a search takes where there is nearly nothing to search.
    fn idle(&mut self, candidate: &Candidate, setting: Setting, small: &Sample<'_>) -> Result<f64> {
        let nprobe = setting.nprobe.map(|_| 1);
        let rerank = setting.rerank.map(|rerank| rerank.min(NONE));
        let ef = setting.ef.map(|ef| ef.min(NONE));
        let mut trial = Trial::new(self.task, small, candidate);
        Ok(trial.measure(Setting { nprobe, rerank, ef }, 1, self.state, None)?.us)
    }

    fn predict(&self, candidate: &Candidate, rows: usize, point: Point, idle: f64, earlier: Option<&Tried>) -> Point {
        let all = self.task.rows();
        let idle = idle.min(0.9 * point.us);
        let rule = candidate.growth(rows, all);
        // Two samples tell how it grows; the rule and what they tell count alike.
        let growth = match earlier.filter(|before| before.rows < rows) {
            Some(before) if before.point.us > idle => {
                let ratio =
                    ((point.us - idle) / (before.point.us - idle)).ln() / (rows as f64 / before.rows as f64).ln();
                let seen = (all as f64 / rows as f64).powf(ratio.clamp(0.0, 1.1));
                (rule * seen).sqrt()
            }
            _ => rule,
        };
        let factor = (idle + (point.us - idle) * growth) / point.us;
        Point { us: point.us * factor, p95_us: point.p95_us * factor, ..point }
    }

    /// Small is good: the cost, and how far budgets are missed.
    fn rank(&self, point: &Point) -> f64 {
        let excess = self.goal.excess(point);
        self.goal.cost(point).0 * excess * excess
    }

    /// The best candidates by what is predicted of them, and of each kind of index one at least that comes near.
    fn best(&self, found: &[Tried], most: usize, factor: f64) -> Vec<Candidate> {
        let mut order: Vec<&Tried> = found.iter().collect();
        order.sort_by(|a, b| self.rank(&a.predicted).total_cmp(&self.rank(&b.predicted)));
        let Some(first) = order.first().map(|tried| self.rank(&tried.predicted)) else { return Vec::new() };
        let effort = self.graph_effort(&order);
        let mut kept: Vec<Candidate> = Vec::new();
        for tried in order {
            if kept.len() == most || self.rank(&tried.predicted) > factor * first {
                break;
            }
            if !kept.contains(&tried.candidate) && tried.candidate.ef_construction.is_none_or(|ef| Some(ef) == effort) {
                kept.push(tried.candidate.clone());
            }
        }
        kept
    }

    /// Graphs take longest to build and differ little: only one goes on, the cheapest to build of those that seem as good.
    fn graph_effort(&self, order: &[&Tried]) -> Option<usize> {
        let graphs = || order.iter().filter(|tried| tried.candidate.index_type() == IndexType::Hnsw);
        let best = self.rank(&graphs().next()?.predicted);
        let alike = graphs().take_while(|tried| self.rank(&tried.predicted) <= SAME * best);
        alike.filter_map(|tried| tried.candidate.ef_construction).min()
    }

    fn bar(&self, candidates: &[Candidate], sample: &Sample<'_>, what: &str) -> ProgressBar {
        self.progress.count(what, candidates.iter().map(|candidate| effort(candidate, sample)).sum())
    }
}

/// What halving begins with: every second line of the grid, which says where to look closer.
pub fn first(task: &Task, goal: &Goal) -> Result<Vec<Candidate>> {
    let mut candidates = affordable(task, goal)?;
    if candidates.iter().any(Candidate::is_coarse) {
        candidates.retain(Candidate::is_coarse);
    }
    Ok(candidates)
}

/// What may fit the bytes, of the whole grid.
pub fn affordable(task: &Task, goal: &Goal) -> Result<Vec<Candidate>> {
    let dimension = task.vectors.dimension;
    let (fitting, rest): (Vec<_>, Vec<_>) = grid(dimension).into_iter().partition(|one| fits(one, task, goal));
    match fitting.is_empty() {
        false => Ok(fitting),
        true => Err(Failure::input(format!(
            "no index of {dimension} dimensions fits {} bytes a vector; the smallest takes {}",
            goal.max_bytes.unwrap_or(f64::INFINITY),
            rest.iter().map(|one| one.bytes(dimension, task.metric)).min().unwrap_or_default()
        ))),
    }
}

fn fits(candidate: &Candidate, task: &Task, goal: &Goal) -> bool {
    candidate.bytes(task.vectors.dimension, task.metric) as f64 <= 1.05 * goal.max_bytes.unwrap_or(f64::INFINITY)
}

/// How long a candidate takes beside others, in steps of a progress bar.
fn effort(candidate: &Candidate, sample: &Sample<'_>) -> u64 {
    let dimension = sample.view().map_or(1, |view| view.dimension());
    (candidate.effort(sample.rows(), dimension) / 1e6) as u64 + 1
}
