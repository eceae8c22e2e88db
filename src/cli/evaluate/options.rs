//! What an evaluation is told.

use crate::failure::{Failure, Result};
use elanus::segment::MAX_LIMIT;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What is asked, and what the answers are measured by.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Queries that aren't in the index: .npy, .fvecs, .parquet, .f32, .f16, .json or another file of vectors.
    pub queries: String,

    /// Relevance judgements as TREC writes them, `query 0 key grade` a line: nDCG, MRR and recall.
    #[arg(long, help_heading = "What is right")]
    pub qrels: Option<PathBuf>,

    /// What the judgements call the queries, one a line, in their order. Default: 0, 1, 2, …
    #[arg(long, requires = "qrels", help_heading = "What is right")]
    pub query_ids: Option<PathBuf>,

    /// The vectors that the index was built from: the share of the nearest rows in them that is found.
    #[arg(long, conflicts_with = "truth", help_heading = "What is right")]
    pub vectors: Option<PathBuf>,

    /// The nearest rows of each query, nearest first, by number (.ivecs or .npy), such as benchmarks give.
    #[arg(long, help_heading = "What is right")]
    pub truth: Option<PathBuf>,

    /// Depths to measure at.
    #[arg(long, short = 'k', value_delimiter = ',', default_values_t = [10])]
    pub limit: Vec<usize>,

    /// Only rows for which this is true.
    #[arg(long)]
    pub filter: Option<String>,

    /// Search with this recall target.
    #[arg(long, conflicts_with_all = ["exact", "rerank", "ef"])]
    pub recall: Option<f32>,

    /// Search by comparing every row.
    #[arg(long)]
    pub exact: bool,

    /// SCAN_RABITQ, IVF_RABITQ: compare so many candidates exactly.
    #[arg(long)]
    pub rerank: Option<usize>,

    /// HNSW: keep so many candidates while walking.
    #[arg(long)]
    pub ef: Option<usize>,

    /// Lists: look into so many.
    #[arg(long)]
    pub nprobe: Option<usize>,

    /// The same queries as the other index's model embeds them, where that is another model.
    #[arg(long, help_heading = "Beside another index")]
    pub against_queries: Option<String>,

    /// The vectors that the other index was built from. Default: those of --vectors, if they fit.
    #[arg(long, help_heading = "Beside another index")]
    pub against_vectors: Option<PathBuf>,

    /// How many of the queries whose answers changed most to tell.
    #[arg(long, default_value_t = 5, help_heading = "Beside another index")]
    pub changed: usize,

    /// The evaluation's name. Default: that of the file of queries.
    #[arg(long)]
    pub evaluation: Option<String>,

    /// What confidence intervals and tests are drawn with.
    #[arg(long, default_value_t = elanus::release::SEED)]
    pub seed: u64,
}

impl Options {
    pub fn check(&self) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        match self.limit.iter().find(|&&k| k == 0 || k > MAX_LIMIT || !seen.insert(k)) {
            Some(k) => Err(Failure::usage(format!("--limit {k}; depths are different numbers from 1 to {MAX_LIMIT}"))),
            None => Ok(()),
        }
    }

    pub fn deepest(&self) -> usize {
        self.limit.iter().copied().max().unwrap_or(1)
    }

    pub fn name(&self) -> String {
        let stem = || std::path::Path::new(&self.queries).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let plain = |text: &String| !text.starts_with('[') && text != "-";
        self.evaluation.clone().or_else(|| stem().filter(plain)).unwrap_or_else(|| "queries".into())
    }

    /// How was searched, without what wasn't said.
    pub fn search(&self) -> Map<String, Value> {
        let all = json!({
            "filter": self.filter, "recall": self.recall, "exact": self.exact.then_some(true),
            "rerank": self.rerank, "ef": self.ef, "nprobe": self.nprobe,
        });
        match all {
            Value::Object(all) => all.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        }
    }
}
