//! `elanus evaluate`: how good an index is on a set of queries, alone and beside another.

mod evaluation;
mod measure;
mod options;
mod page;
mod plot;
mod policy;
mod report;

pub use evaluation::{Evaluation, Other};
pub use measure::{Answers, Labels, Subject, answers};
pub use options::Options;
pub use page::{escaped, page_of, write_html};
pub use policy::read as read_policy;
pub use report::{require, text, verdict_text, write_junit};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use crate::queries::Asked;
use crate::registry::time;
use elanus::segment::Sealed;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  elanus evaluate words.elanus queries.npy --vectors vectors.npy
  elanus evaluate words.elanus queries.npy --qrels judged.qrels --query-ids queries.txt -k 10,100
  elanus evaluate new.elanus queries.npy --vectors vectors.npy --against old.elanus
  elanus evaluate new.elanus queries.npy --against old.elanus --policy policy.json --junit gate.xml --html gate.html

With --qrels: ndcg@k (gains as judged), mrr@k and recall@k over the queries that have a relevant key. With
--vectors or --truth, or without --qrels: knn_recall@k, the share of the k nearest rows that is found, a row
as near as the k-th counting as one of them. With --against: the same of the other index, the difference with
a paired randomisation test, overlap@k and rank-biased overlap (persistence 0.9) of the keys that are found.
Intervals of 95 % are by bootstrap over queries. Latency is that of one thread of this machine, native code.";

/// Measure how good the answers of an index are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index file.
    file: PathBuf,

    #[command(flatten)]
    options: Options,

    /// Another index file, the one in use for example, asked the same queries.
    #[arg(long, help_heading = "Beside another index")]
    against: Option<PathBuf>,

    /// Judge by this policy; exit with 1 if it is missed. docs/schema/policy-1.json says what is in one.
    #[arg(long)]
    policy: Option<PathBuf>,

    /// Write measures and verdict as JUnit XML, for CI systems: a test case for each bound of the policy.
    #[arg(long)]
    junit: Option<PathBuf>,

    /// Write a page with plots: one file that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let options = &args.options;
    if args.against.is_none() && (options.against_queries.is_some() || options.against_vectors.is_some()) {
        return Err(Failure::usage("--against-queries and --against-vectors speak of another index; give --against"));
    }
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let against = args.against.as_deref().map(Place::of);
    let Found { evaluation, answers, other, .. } =
        evaluate(&Place::of(&args.file), against.as_ref(), options, progress)?;
    let of = args.file.display().to_string();
    let verdict = policy.map(|policy| policy.judge(&evaluation.measured(evaluation.bytes)));
    if let Some(path) = &args.junit {
        write_junit(path, &of, Some(&evaluation), verdict.as_ref())?;
    }
    if let Some(path) = &args.html {
        write_html(path, &of, &evaluation, &answers, other.as_ref(), verdict.as_ref())?;
    }
    if let Some(verdict) = &verdict {
        // A command that fails leaves standard output alone; what is missed is said with the failure.
        require(&of, verdict)?;
    }
    output.either(
        || text(&of, &evaluation) + &verdict.as_ref().map(|v| format!("\n{}", verdict_text(v))).unwrap_or_default(),
        || json!({ "file": args.file, "evaluation": evaluation, "verdict": verdict }),
    )
}

/// Where an index is, and what it is called.
pub struct Place<'a> {
    pub name: String,
    pub sha256: Option<String>,
    pub path: &'a Path,
    /// Of all that it ships with; of the index alone if that isn't said.
    pub bytes: Option<u64>,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> Self {
        Place { name: path.display().to_string(), sha256: None, path, bytes: None }
    }
}

/// What was found, and the answers that it was found in: the evaluated index's, and the other's.
pub struct Found {
    pub evaluation: Evaluation,
    pub answers: Answers,
    pub other: Option<Answers>,
    /// The evaluated index, and what it was asked.
    pub sealed: Sealed,
    pub queries: Vec<Asked>,
}

/// Evaluates an index, beside another if there is one.
pub fn evaluate(
    place: &Place<'_>,
    against: Option<&Place<'_>>,
    options: &Options,
    progress: Progress,
) -> Result<Found> {
    options.check()?;
    let open = |place: &Place<'_>, queries: &str, vectors| {
        let mut subject = Subject::open(place.path, queries, vectors, progress)?;
        subject.bytes = place.bytes.unwrap_or(subject.bytes);
        Ok::<_, Failure>(subject)
    };
    let subject = open(place, &options.queries, options.vectors.as_deref())?;
    let count = subject.queries.len();
    let labels = match &options.qrels {
        Some(path) => Some(Labels::read(path, options.query_ids.as_deref(), count)?),
        None => None,
    };
    let own = answers(&subject, options, labels.as_ref(), progress)?;
    let Some(against) = against else {
        let evaluation = Evaluation::of(time(), &subject, &own, None, labels.as_ref(), options);
        return Ok(Found { evaluation, answers: own, other: None, sealed: subject.sealed, queries: subject.queries });
    };
    let queries = options.against_queries.as_deref().unwrap_or(&options.queries);
    let vectors = options.against_vectors.as_deref().or(options.vectors.as_deref());
    let other = open(against, queries, vectors)?;
    if other.queries.len() != count {
        return Err(Failure::input(format!(
            "there are {count} queries, but {} in --against-queries; give the same ones, in the same order",
            other.queries.len()
        )));
    }
    let theirs = answers(&other, options, labels.as_ref(), progress).map_err(|e| e.at(&against.name))?;
    let name = against.name.clone();
    let beside = Other { name, sha256: against.sha256.clone(), subject: &other, answers: &theirs };
    let evaluation = Evaluation::of(time(), &subject, &own, Some(beside), labels.as_ref(), options);
    Ok(Found { evaluation, answers: own, other: Some(theirs), sealed: subject.sealed, queries: subject.queries })
}
