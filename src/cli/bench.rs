//! `elanus bench`

use crate::failure::{Failure, Result};
use crate::load;
use crate::output::Output;
use crate::progress::Progress;
use crate::queries::{self, Asked};
use crate::truth::{self, Truth};
use elanus::index::{Lists, SearchParams};
use elanus::segment::{MAX_LIMIT, Query, Request, Scratch, Sealed};
use elanus::words::IndexType;
use indicatif::HumanCount;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  elanus bench words.elanus queries.npy
  elanus bench words.elanus queries.npy --vectors vectors.npy --rerank 50,100,200
  elanus bench base.elanus queries.fvecs --ef 40,80,160 --limit 100 --require-recall 0.95

Recall@k is the share of the k nearest rows that are found; a row as near as the k-th counts as one of them.
Without --vectors, nearest is what exact search over the file's own rows says, which for int8 rows hides what
their rounding costs. Latency is that of one thread of this machine, native code, after a warm-up; a browser's
is measured in a browser.";

/// Queries run before the clock starts.
const WARM_UP: usize = 50;

/// Measure recall and latency of an index file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index file.
    file: PathBuf,

    /// Queries that aren't in the index: .npy, .fvecs, .parquet, .f32, .f16, .json or another file of vectors.
    queries: String,

    /// The vectors that the index was built from: recall is measured against exact search in them.
    #[arg(long)]
    vectors: Option<PathBuf>,

    /// How many hits; recall is measured at this.
    #[arg(long, short = 'k', default_value_t = 10)]
    limit: usize,

    /// Only rows for which this is true.
    #[arg(long)]
    filter: Option<String>,

    /// SCAN_RABITQ: numbers of reranked candidates to try, beside what the error bound asks for.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 50, 100, 200, 400])]
    rerank: Vec<usize>,

    /// HNSW: values of ef to try.
    #[arg(long, value_delimiter = ',', default_values_t = [20, 40, 80, 160, 320])]
    ef: Vec<usize>,

    /// Recall targets to try, if the file has a calibration that reaches them.
    #[arg(long, value_delimiter = ',', default_values_t = [0.9, 0.95, 0.99])]
    recall: Vec<f32>,
    /// IVF: numbers of lists to look into to try.
    #[arg(long, value_delimiter = ',', default_values_t = [8, 16, 32, 64, 128, 256])]
    nprobe: Vec<usize>,

    /// Exit with 1 if no setting reaches this recall.
    #[arg(long)]
    require_recall: Option<f64>,
}

/// One setting of the sweep.
#[derive(Debug, Clone, Copy, Default)]
struct Setting {
    exact: bool,
    rerank: Option<usize>,
    ef: Option<usize>,
    /// What the calibration is asked for.
    recall: Option<f32>,
    nprobe: Option<usize>,
}

impl Setting {
    fn label(&self) -> String {
        if let Some(recall) = self.recall {
            return format!("recall {recall}");
        }
        match (self.exact, self.rerank, self.ef, self.nprobe) {
            (true, ..) => "exact".into(),
            (_, Some(rerank), ..) => format!("rerank {rerank}"),
            (_, _, Some(ef), _) => format!("ef {ef}"),
            (.., Some(nprobe)) => format!("nprobe {nprobe}"),
            _ => "default".into(),
        }
    }
}

/// What a setting gave.
#[derive(Debug)]
struct Run {
    setting: Setting,
    recall: f64,
    /// Seconds a query, ascending.
    seconds: Vec<f64>,
}

impl Run {
    /// Microseconds within which this share of the queries was answered.
    fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.seconds.len() as f64).ceil() as usize;
        self.seconds[rank.clamp(1, self.seconds.len()) - 1] * 1e6
    }

    fn mean(&self) -> f64 {
        self.seconds.iter().sum::<f64>() / self.seconds.len() as f64 * 1e6
    }

    fn to_json(&self) -> Value {
        json!({
            "setting": self.setting.label(),
            "exact": self.setting.exact,
            "rerank": self.setting.rerank,
            "ef": self.setting.ef,
            "recall_target": self.setting.recall,
            "nprobe": self.setting.nprobe,
            "recall": self.recall,
            "p50_us": self.percentile(0.50),
            "p95_us": self.percentile(0.95),
            "p99_us": self.percentile(0.99),
            "mean_us": self.mean(),
        })
    }
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    if args.limit == 0 || args.limit > MAX_LIMIT {
        return Err(Failure::usage(format!("--limit is {}; it must be 1 to {MAX_LIMIT}", args.limit)));
    }
    let sealed = load::open(&args.file, progress)?;
    let queries = queries::read_for(&args.queries, &sealed, progress)?;
    let originals = args.vectors.as_ref().map(|path| truth::read_originals(path, &sealed, progress)).transpose()?;
    let truth = truth::nearest(&sealed, originals.as_ref(), &queries, args.limit, args.filter.as_deref(), progress)?;
    // What the sweep measures shouldn't share the memory bus with what it doesn't need.
    drop(originals);
    let settings = settings(args, &sealed);
    let bar = progress.count("searching", (settings.len() * queries.len()) as u64);
    let mut runs = Vec::new();
    for setting in settings {
        runs.push(measure(args, &sealed, setting, &queries, &truth, &bar)?);
    }
    bar.finish_and_clear();

    let against = truth::described(&sealed, args.vectors.as_deref());
    let best = runs.iter().map(|run| run.recall).fold(0.0, f64::max);
    output.either(
        || table(args, &sealed, &runs, queries.len(), &against),
        || {
            json!({
                "file": args.file,
                "count": sealed.header().count,
                "dimension": sealed.header().dimension,
                "metric": sealed.header().metric.name(),
                "index_type": sealed.header().index_type.name(),
                "queries": queries.len(),
                "limit": args.limit,
                "filter": args.filter,
                "recall_against": against,
                "runs": runs.iter().map(Run::to_json).collect::<Vec<_>>(),
            })
        },
    )?;
    match args.require_recall {
        Some(demand) if best < demand => Err(Failure::check(
            "RECALL_TOO_LOW",
            format!("the best recall@{} is {best:.4}, below the {demand} that --require-recall asks for", args.limit),
        )),
        _ => Ok(()),
    }
}

fn settings(args: &Args, sealed: &Sealed) -> Vec<Setting> {
    let lists = sealed.index().lists().map_or(0, Lists::count);
    let mut settings = match sealed.header().index_type {
        IndexType::Flat | IndexType::BinFlat => vec![],
        IndexType::ScanRabitq => std::iter::once(Setting::default())
            .chain(args.rerank.iter().map(|&n| Setting { rerank: Some(n), ..Setting::default() }))
            .collect(),
        IndexType::IvfFlat | IndexType::IvfSq8 | IndexType::IvfPq | IndexType::IvfRabitq | IndexType::BinIvfFlat => {
            std::iter::once(Setting::default())
                .chain(
                    args.nprobe
                        .iter()
                        .filter(|&&n| n <= lists)
                        .map(|&n| Setting { nprobe: Some(n), ..Setting::default() }),
                )
                .collect()
        }
        IndexType::Hnsw | IndexType::HnswSq8 => {
            args.ef.iter().map(|&n| Setting { ef: Some(n), ..Setting::default() }).collect()
        }
        IndexType::SparseInvertedIndex => vec![],
    };
    if let Some(calibration) = sealed.calibration() {
        let params = || SearchParams { limit: args.limit, ..SearchParams::default() };
        let reached = args.recall.iter().filter(|&&recall| calibration.aim(recall, &mut params()).is_ok());
        settings.extend(reached.map(|&recall| Setting { recall: Some(recall), ..Setting::default() }));
    }
    if !sealed.index().rows().is_absent() {
        settings.push(Setting { exact: true, ..Setting::default() });
    }
    settings
}

fn request<'a>(args: &'a Args, setting: Setting, query: Query<'a>) -> Request<'a> {
    Request {
        limit: args.limit,
        filter: args.filter.as_deref(),
        recall: setting.recall,
        exact: setting.exact,
        rerank: setting.rerank,
        ef: setting.ef,
        nprobe: setting.nprobe,
        ..Request::new(query)
    }
}

fn measure(
    args: &Args,
    sealed: &Sealed,
    setting: Setting,
    queries: &[Asked],
    truth: &[Truth],
    bar: &indicatif::ProgressBar,
) -> Result<Run> {
    let mut scratch = Scratch::default();
    for query in queries.iter().cycle().take(WARM_UP) {
        sealed.search(&request(args, setting, query.query()), &mut scratch)?;
    }
    let (mut seconds, mut recall) = (Vec::with_capacity(queries.len()), 0.0);
    for (query, truth) in queries.iter().zip(truth) {
        let request = request(args, setting, query.query());
        let start = Instant::now();
        let hits = sealed.search(&request, &mut scratch)?;
        seconds.push(start.elapsed().as_secs_f64());
        recall += truth.recall(hits.iter().map(|hit| hit.row));
        bar.inc(1);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Run { setting, recall: recall / queries.len() as f64, seconds })
}

fn table(args: &Args, sealed: &Sealed, runs: &[Run], queries: usize, against: &str) -> String {
    let header = sealed.header();
    let mut text = format!(
        "{}: {} vectors of {} dimensions, {}, {}; {queries} queries, recall@{} against {against}\n\n{:14} {:>8} {:>10} {:>10} {:>10} {:>10}\n",
        args.file.display(),
        HumanCount(header.count.into()),
        header.dimension,
        header.metric,
        header.index_type,
        args.limit,
        "setting",
        "recall",
        "p50 µs",
        "p95 µs",
        "p99 µs",
        "mean µs",
    );
    for run in runs {
        text += &format!(
            "{:14} {:>8.4} {:>10.0} {:>10.0} {:>10.0} {:>10.0}\n",
            run.setting.label(),
            run.recall,
            run.percentile(0.50),
            run.percentile(0.95),
            run.percentile(0.99),
            run.mean(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let run =
            Run { setting: Setting::default(), recall: 1.0, seconds: (1..=100).map(|i| f64::from(i) * 1e-6).collect() };
        assert_eq!(
            [0.5, 0.95, 0.99, 0.0, 1.0].map(|share| run.percentile(share).round()),
            [50.0, 95.0, 99.0, 1.0, 100.0]
        );
    }
}
