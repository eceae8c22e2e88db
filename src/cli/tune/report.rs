//! What tuning found, for people and programs.

use super::search::{Outcome, Tried, affordable, first};
use super::state::State;
use super::task::Task;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::replace::replace_with;
use elanus::tune::front::{Goal, Point, front};
use elanus::tune::space::Candidate;
use elanus::words::Metric;
use indicatif::HumanCount;
use serde_json::{Value, json};
use std::path::Path;

pub struct Report {
    pub rows: usize,
    pub dimension: usize,
    pub metric: Metric,
    pub queries: usize,
    pub seed: u64,
    pub goal: Goal,
    /// What quality is.
    pub measure: String,
    /// The most that there is of it.
    pub exact: f64,
    /// Measured with all rows, what nothing beats first, by time.
    pub measured: Vec<(Tried, bool)>,
    /// Predicted from samples, and not built of all rows.
    pub predicted: Vec<Tried>,
    pub chosen: Option<Tried>,
    pub seconds: f64,
    /// Measurements in all, and how many of them an earlier run made.
    pub measurements: (usize, usize),
}

impl Report {
    pub fn new(task: &Task, goal: Goal, measure: String, outcome: &Outcome, state: &State, seconds: f64) -> Self {
        let (whole, samples): (Vec<Tried>, Vec<Tried>) = outcome.tried.iter().cloned().partition(|tried| tried.whole);
        let points: Vec<Point> = whole.iter().map(|tried| tried.point).collect();
        let mut measured: Vec<(Tried, bool)> = whole.into_iter().zip(front(&points)).collect();
        measured.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.point.us.total_cmp(&b.0.point.us)));
        let mut predicted: Vec<Tried> = Vec::new();
        // The largest sample says most; of several ladders the fastest is told.
        for tried in samples.into_iter().rev() {
            let built = measured.iter().any(|(other, _)| other.candidate == tried.candidate);
            let same = predicted.iter_mut().find(|other| other.candidate == tried.candidate);
            match same {
                _ if built => {}
                Some(other) if other.rows == tried.rows && tried.predicted.us < other.predicted.us => *other = tried,
                Some(_) => {}
                None => predicted.push(tried),
            }
        }
        Report {
            rows: task.rows(),
            dimension: task.vectors.dimension,
            metric: task.metric,
            queries: task.asked.len(),
            seed: task.seed,
            goal,
            measure,
            exact: outcome.exact,
            measured,
            predicted,
            chosen: outcome.chosen.clone(),
            seconds,
            measurements: (state.all().len(), state.resumed),
        }
    }

    /// What `elanus build` is told to build it.
    pub fn options(&self, tried: &Tried) -> Vec<String> {
        let Candidate { index_type, rows, bits, m, ef_construction, .. } = &tried.candidate;
        let rerank = if rows.is_empty() { "none".into() } else { rows.join(",") };
        let mut options = vec![
            "--metric".into(),
            self.metric.name().into(),
            "--index-type".into(),
            index_type.clone(),
            "--rerank".into(),
            rerank,
        ];
        let numbers = [
            ("--nlist", tried.candidate.nlist(self.rows)),
            ("--bits", bits.map(|bits| bits as usize)),
            ("--m", *m),
            ("--ef-construction", *ef_construction),
        ];
        for (name, number) in numbers {
            options.extend(number.into_iter().flat_map(|number| [name.to_owned(), number.to_string()]));
        }
        options.extend(["--seed".into(), self.seed.to_string()]);
        options
    }

    fn entry(&self, tried: &Tried) -> Value {
        let Tried { candidate, setting, point, .. } = tried;
        json!({ "candidate": candidate, "search": setting, "quality": point.quality, "mean_us": point.us, "p95_us": point.p95_us,
            "bytes_per_vector": point.bytes, "build": self.options(tried) })
    }

    pub fn to_json(&self) -> Value {
        let measured = |(tried, is_front): &(Tried, bool)| {
            let mut entry = self.entry(tried);
            entry["front"] = (*is_front).into();
            entry["meets_goal"] = self.goal.meets(&tried.point).into();
            entry
        };
        let predicted = |tried: &Tried| {
            let mut entry = self.entry(tried);
            entry["rows"] = tried.rows.into();
            entry["predicted_mean_us"] = tried.predicted.us.into();
            entry
        };
        json!({
            "schema_version": 1,
            "rows": self.rows, "dimension": self.dimension, "metric": self.metric.name(), "queries": self.queries,
            "measure": self.measure, "goal": self.goal, "exact": self.exact,
            "chosen": self.chosen.as_ref().map(|tried| self.entry(tried)),
            "measured": self.measured.iter().map(measured).collect::<Vec<_>>(),
            "predicted": self.predicted.iter().map(predicted).collect::<Vec<_>>(),
            "seconds": self.seconds,
            "measurements": self.measurements.0, "resumed": self.measurements.1,
        })
    }

    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.to_json()).unwrap_or_default() + "\n";
        replace_with(path, text.as_bytes())
    }

    pub fn text(&self, chosen: &Tried, built: Option<&Path>) -> String {
        let Tried { candidate, setting, point, .. } = chosen;
        let mut text = format!(
            "{candidate}\n  {} {:.4}, {:.0} µs a query (95 % within {:.0}), {:.0} bytes a vector\n  build   {}\n  search  {setting}\n",
            self.measure,
            point.quality,
            point.us,
            point.p95_us,
            point.bytes,
            self.options(chosen).join(" ")
        );
        if let Some(path) = built {
            text += &format!("  built   {}\n", path.display());
        }
        text += &format!("\nWhat nothing else beats, of {} vectors:\n", HumanCount(self.rows as u64));
        text += &format!("  {:>9}  {:>9}  {:>9}  {:>6}\n", self.measure, "µs", "p95 µs", "bytes");
        for (Tried { candidate, setting, point, .. }, _) in self.measured.iter().filter(|(_, is_front)| *is_front) {
            let Point { quality, us, p95_us, bytes } = point;
            text += &format!("  {quality:>9.4}  {us:>9.0}  {p95_us:>9.0}  {bytes:>6.0}  {candidate}: {setting}\n");
        }
        let again = match self.measurements.1 {
            0 => String::new(),
            n => format!(", {n} of them by an earlier run"),
        };
        text + &format!("\n{} measurements{again}, {:.0} s\n", self.measurements.0, self.seconds)
    }

    /// What is said if nothing reaches the goal.
    pub fn missed(&self) -> Failure {
        let good = |tried: &&(Tried, bool)| tried.0.point.quality >= self.goal.quality;
        let nearest = self
            .measured
            .iter()
            .filter(good)
            .min_by(|a, b| self.goal.excess(&a.0.point).total_cmp(&self.goal.excess(&b.0.point)));
        let nearest = nearest.map(|(Tried { candidate, setting, point, .. }, _)| {
            format!(
                "; the nearest is {candidate} ({setting}): {} {:.4}, 95 % within {:.3} ms, {:.0} bytes a vector",
                self.measure,
                point.quality,
                point.p95_us / 1e3,
                point.bytes
            )
        });
        let best = self.measured.iter().map(|(tried, _)| tried.point.quality).fold(0.0, f64::max);
        Failure::check(
            "GOAL_MISSED",
            format!(
                "no index that was tried reaches {} {:.4} within its budgets{}",
                self.measure,
                self.goal.quality,
                nearest.unwrap_or_else(|| format!("; the best has {best:.4}"))
            ),
        )
    }
}

/// What would be tried.
pub fn plan(task: &Task, goal: &Goal, exhaustive: bool, output: &mut Output) -> Result<()> {
    let fits = if exhaustive { affordable(task, goal)? } else { first(task, goal)? };
    output.either(
        || {
            let list: String = fits.iter().map(|candidate| format!("  {candidate}\n")).collect();
            format!("would be tried: {} candidates, {} queries\n{list}", fits.len(), task.asked.len())
        },
        || json!({ "dry_run": true, "queries": task.asked.len(), "candidates": fits }),
    )
}
