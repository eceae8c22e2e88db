//! `elanus tune`: which index suits vectors, queries and a goal.

mod measure;
mod page;
mod report;
mod search;
mod state;
mod task;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use crate::vectors::{self, Shape};
use crate::{build, queries};
use clap::Parser;
use elanus::index::normalise_rows;
use elanus::release::Judgements;
use elanus::segment::MAX_LIMIT;
use elanus::tune::front::{Goal, Prefer};
use elanus::words::Metric;
use report::Report;
use search::Search;
use state::State;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;
use task::{Asked, Measure, Task};

/// Rows that stand for queries, where there are none.
const STAND_INS: usize = 500;

const EXAMPLES: &str = "\
Examples:
  elanus tune vectors.npy --queries queries.npy --recall 0.95 --html tune.html
  elanus tune vectors.npy --recall 0.99 --max-bytes-per-vector 500 --state tune.jsonl --output words.elanus
  elanus tune vectors.npy --queries queries.npy --qrels judged.qrels --ndcg 0.62 --max-ms 2 --prefer size

Candidates are compared on samples of the rows, and the best of them on all. Quality is measured against exact
search over the vectors themselves. Times are those of this machine, one thread, native code: they tell candidates
apart, and a browser's are measured in a browser.

A run with --state that was broken off goes on where it was, with the same vectors, queries and options.";

/// Find the index type and parameters that suit vectors, queries and a goal.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Vectors, as `elanus build` takes them.
    vectors: PathBuf,

    /// Which array, tensor, column or field has the vectors, where the file has several.
    #[arg(long)]
    array: Option<String>,

    /// Numbers in a vector; needed for raw floats.
    #[arg(long)]
    dimension: Option<usize>,

    /// How nearness is measured: COSINE, IP or L2.
    #[arg(long, default_value = "COSINE", value_parser = Metric::parse)]
    metric: Metric,

    /// Queries: a vector file or JSON. Without them rows stand for queries, and don't find themselves.
    #[arg(long)]
    queries: Option<String>,

    /// How many hits quality is measured with.
    #[arg(long, short = 'k', default_value_t = 10)]
    limit: usize,

    /// The share of the k nearest rows that is to be found.
    #[arg(long, default_value_t = 0.95, help_heading = "Goal")]
    recall: f64,

    /// nDCG@k that is to be reached, by --qrels, in place of recall.
    #[arg(long, requires = "qrels", conflicts_with = "recall", help_heading = "Goal")]
    ndcg: Option<f64>,

    /// Bytes that a vector may take in the file, without its keys and fields.
    #[arg(long, help_heading = "Goal")]
    max_bytes_per_vector: Option<f64>,

    /// Milliseconds within which 95 % of the queries are to be answered.
    #[arg(long, help_heading = "Goal")]
    max_ms: Option<f64>,

    /// What is wanted least of, among those that reach the goal: speed chooses the fastest, size the smallest.
    #[arg(long, default_value = "speed", value_parser = parse_prefer, help_heading = "Goal")]
    prefer: Prefer,

    /// Relevance judgements as TREC writes them, `query 0 key grade` a line.
    #[arg(long, requires_all = ["queries", "ndcg"], help_heading = "Judgements")]
    qrels: Option<PathBuf>,

    /// What the judgements call the queries, one a line, in their order. Default: 0, 1, 2, …
    #[arg(long, requires = "qrels", help_heading = "Judgements")]
    query_ids: Option<PathBuf>,

    /// JSON Lines, one object a vector: for the keys that judgements name, and for --output.
    #[arg(long)]
    metadata: Option<PathBuf>,

    /// The metadata field that holds the primary key.
    #[arg(long, requires = "metadata")]
    id_field: Option<String>,

    /// A card for --output, as `elanus build` takes it; what the searches are to be told is added to it.
    #[arg(long, requires = "output")]
    card: Option<PathBuf>,

    /// Build the chosen index.
    #[arg(long, short)]
    output: Option<PathBuf>,

    /// Write a page with the plot and the table: one file that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,

    /// Write what was found as JSON.
    #[arg(long)]
    report: Option<PathBuf>,

    /// Keep measurements here, so that a run that is broken off can go on.
    #[arg(long)]
    state: Option<PathBuf>,

    /// Build and measure every candidate with all rows, to hold the short way against it. Takes hours.
    #[arg(long)]
    exhaustive: bool,

    /// Say what would be tried, and try nothing.
    #[arg(long)]
    dry_run: bool,

    /// Seed of every random choice.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn parse_prefer(text: &str) -> std::result::Result<Prefer, String> {
    match text {
        "speed" => Ok(Prefer::Speed),
        "size" => Ok(Prefer::Size),
        _ => Err("it is speed or size".into()),
    }
}

impl Args {
    fn goal(&self) -> Result<Goal> {
        let quality = self.ndcg.unwrap_or(self.recall);
        if !(quality > 0.0 && quality <= 1.0) {
            return Err(Failure::usage(format!("the goal is {quality}; it is more than 0 and at most 1")));
        }
        for (name, value) in [("--max-bytes-per-vector", self.max_bytes_per_vector), ("--max-ms", self.max_ms)] {
            if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
                return Err(Failure::usage(format!("{name} is a number above 0")));
            }
        }
        if self.limit == 0 || self.limit > MAX_LIMIT / 2 {
            return Err(Failure::usage(format!("--limit {}; it is 1 to {}", self.limit, MAX_LIMIT / 2)));
        }
        if !Metric::DENSE.contains(&self.metric) {
            return Err(Failure::usage(format!("tune chooses for COSINE, IP and L2, not for {}", self.metric)));
        }
        Ok(Goal {
            quality,
            max_bytes: self.max_bytes_per_vector,
            max_us: self.max_ms.map(|ms| 1e3 * ms),
            prefer: self.prefer,
        })
    }

    fn measure_name(&self) -> String {
        format!("{}@{}", if self.ndcg.is_some() { "ndcg" } else { "recall" }, self.limit)
    }
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let started = Instant::now();
    let goal = args.goal()?;
    let task = task(args, progress)?;
    if args.dry_run {
        return report::plan(&task, &goal, args.exhaustive, output);
    }
    let name = format!("{} {goal:?} {}", task.digest(), if args.exhaustive { "all" } else { "samples" });
    let mut state = State::open(args.state.as_deref(), name)?;
    let mut search = Search { task: &task, goal, state: &mut state, progress };
    let outcome = if args.exhaustive { search.exhaustive()? } else { search.halving()? };
    let report = Report::new(&task, goal, args.measure_name(), &outcome, &state, started.elapsed().as_secs_f64());
    if let Some(path) = &args.report {
        report.write_json(path)?;
    }
    if let Some(path) = &args.html {
        page::write(path, &args.vectors.display().to_string(), &report)?;
    }
    let Some(chosen) = &report.chosen else { return Err(report.missed()) };
    if let Some(path) = &args.output {
        build_chosen(args, path, &report, progress)?;
    }
    output.either(|| report.text(chosen, args.output.as_deref()), || report.to_json())
}

fn task(args: &Args, progress: Progress) -> Result<Task> {
    let shape = Shape { dimension: args.dimension, array: args.array.as_deref() };
    let mut vectors = vectors::read(&args.vectors, shape, progress)?;
    if args.metric == Metric::Cosine {
        normalise_rows(&mut vectors.data, vectors.dimension);
    }
    let rows = vectors.rows();
    if rows < 4 * args.limit.max(16) {
        return Err(Failure::input(format!(
            "{}: {rows} vectors are so few that comparing all of them is best; build a FLAT index",
            args.vectors.display()
        )));
    }
    let asked = match &args.queries {
        None => task::held_out(&vectors, STAND_INS, args.seed),
        Some(source) => {
            let mut read = queries::read(source, vectors.dimension, progress)?;
            for (i, query) in read.iter_mut().enumerate() {
                if query.len() != vectors.dimension || query.iter().any(|x| !x.is_finite()) {
                    return Err(Failure::input(format!(
                        "query {i} isn't {} finite numbers, as the vectors are",
                        vectors.dimension
                    )));
                }
                if args.metric == Metric::Cosine {
                    normalise_rows(query, vectors.dimension);
                }
            }
            read.into_iter().map(|vector| Asked { vector, own: None }).collect()
        }
    };
    let (asked, measure) = match &args.qrels {
        None => (asked, Measure::Recall),
        Some(path) => {
            let judgements = Judgements::parse(&text_of(path)?).map_err(|e| Failure::from(e).at(path.display()))?;
            let names: Vec<String> = match &args.query_ids {
                Some(path) => text_of(path)?.lines().map(|line| line.trim().to_owned()).collect(),
                None => (0..asked.len()).map(|i| i.to_string()).collect(),
            };
            let keys = args.id_field.as_deref().zip(args.metadata.as_deref());
            let keys = keys.map(|(field, path)| keys_of(path, field, rows)).transpose()?;
            let (asked, judged) = task::judged_rows(asked, &names, &judgements, keys.as_ref(), rows)?;
            (asked, Measure::Ndcg(judged))
        }
    };
    Ok(Task { vectors, metric: args.metric, asked, measure, k: args.limit, seed: args.seed })
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))
}

/// The row of each key.
fn keys_of(path: &Path, field: &str, rows: usize) -> Result<HashMap<String, u32>> {
    let mut keys = HashMap::new();
    for (i, line) in text_of(path)?.lines().enumerate() {
        let wrong = |what: String| Failure::input(format!("{}, line {}: {what}", path.display(), i + 1));
        let row: serde_json::Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        let key = match row.get(field) {
            Some(serde_json::Value::String(key)) => key.clone(),
            Some(serde_json::Value::Number(key)) => key.to_string(),
            _ => return Err(wrong(format!("there is no key in the field {field:?}"))),
        };
        keys.insert(key, i as u32);
    }
    match keys.len() == rows {
        true => Ok(keys),
        false => Err(Failure::input(format!(
            "{}: {} keys for {rows} vectors; a line describes each",
            path.display(),
            keys.len()
        ))),
    }
}

#[derive(clap::Parser)]
struct BuildLine {
    #[command(flatten)]
    args: build::Args,
}

/// Builds the chosen index, of all rows, by the command that one would give by hand.
fn build_chosen(args: &Args, path: &Path, report: &Report, progress: Progress) -> Result<()> {
    let mut card = match &args.card {
        None => serde_json::Map::new(),
        Some(card) => crate::card::read(card, report.dimension)?,
    };
    let Some(chosen) = &report.chosen else { return Ok(()) };
    card.insert("search".into(), serde_json::to_value(chosen.setting).unwrap_or_default());
    let folder = tempfile::tempdir().map_err(|e| Failure::io("make", Path::new("a temporary folder"), &e))?;
    let card_path = folder.path().join("card.json");
    crate::replace::replace_with(&card_path, serde_json::Value::Object(card).to_string().as_bytes())?;
    let mut line: Vec<OsString> = vec!["build".into(), args.vectors.clone().into()];
    line.extend(report.options(chosen).into_iter().map(OsString::from));
    let named = [("--array", args.array.clone()), ("--id-field", args.id_field.clone())];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, OsString::from(value?))));
    let dimension = args.dimension.map(|dimension| ("--dimension", dimension.to_string().into()));
    let metadata = args.metadata.clone().map(|path| ("--metadata", path.into_os_string()));
    let files = [("--card", card_path.into_os_string()), ("--output", path.as_os_str().to_owned())];
    for (name, value) in named.chain(dimension).chain(metadata).chain(files) {
        line.extend([name.into(), value]);
    }
    let parsed = BuildLine::try_parse_from(line).map_err(|e| Failure::usage(e.to_string()))?;
    build::run(&parsed.args, progress, &mut Output::muted())
}
