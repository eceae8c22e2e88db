//! Asks an index all queries, and measures its answers one query at a time.

use super::options::Options;
use crate::failure::{Failure, Result};
use crate::load;
use crate::progress::Progress;
use crate::queries::{self, Asked};
use crate::registry::digest::digest;
use crate::truth::{self, Truth};
use crate::vectors::{self, Shape};
use elanus::release::{Judgements, ranking};
use elanus::segment::{Key, Request, Scratch, Sealed};
use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

/// Queries run before the clock starts.
const WARM_UP: usize = 50;

/// Row numbers in a file of floats are exact up to this.
const EXACT_FLOATS: u32 = 1 << 24;

/// An index, and the queries as its model embeds them.
pub struct Subject<'a> {
    pub sealed: Sealed,
    pub queries: Vec<Asked>,
    /// What the index was built from.
    pub vectors: Option<&'a Path>,
    /// Bytes of all that it ships with.
    pub bytes: u64,
}

impl<'a> Subject<'a> {
    pub fn open(file: &Path, queries: &str, vectors: Option<&'a Path>, progress: Progress) -> Result<Self> {
        let sealed = load::open(file, progress)?;
        if sealed.header().dimension == 0 {
            return Err(Failure::input(format!(
                "{} has no dense vectors; evaluations ask vectors so far",
                file.display()
            )));
        }
        let queries = queries::read_for(queries, &sealed, progress)?;
        let bytes = sealed.bytes().len() as u64;
        Ok(Subject { sealed, queries, vectors, bytes })
    }

    /// SHA-256 of the queries' numbers, whatever file they came in.
    pub fn queries_digest(&self) -> String {
        digest(&self.queries.iter().flat_map(Asked::bytes).collect::<Vec<u8>>())
    }
}

/// The judgements of the queries, by their place.
pub struct Labels {
    pub judgements: Judgements,
    /// The name of each query.
    pub names: Vec<String>,
    /// The queries that have a relevant document, by place.
    pub judged: Vec<usize>,
    pub sha256: String,
}

/// What an index answered.
pub struct Answers {
    /// Keys, nearest first, for each query.
    pub hits: Vec<Vec<String>>,
    /// Seconds of each query.
    pub seconds: Vec<f64>,
    /// A value a query for each measure; of judged queries where the measure asks for judgements.
    pub measures: Vec<(String, Vec<f64>)>,
}

impl Labels {
    pub fn read(qrels: &Path, names: Option<&Path>, queries: usize) -> Result<Labels> {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e));
        let text = read(qrels)?;
        let judgements = Judgements::parse(&text).map_err(|e| Failure::from(e).at(qrels.display()))?;
        let names: Vec<String> = match names {
            None => (0..queries).map(|i| i.to_string()).collect(),
            Some(path) => read(path)?.lines().map(|line| line.trim().to_owned()).collect(),
        };
        if names.len() != queries {
            return Err(Failure::input(format!(
                "there are {queries} queries, but {} names for them; --query-ids takes one a line, in their order",
                names.len()
            )));
        }
        let relevant = |name: &String| judgements.of(name).is_some_and(|of| of.values().any(|&grade| grade > 0));
        let judged: Vec<usize> = (0..queries).filter(|&i| relevant(&names[i])).collect();
        if judged.is_empty() {
            let other = judgements.queries().next().unwrap_or_default();
            return Err(Failure::input(format!(
                "none of the queries ({}, …) has a relevant document in {}, which judges {other}, …; \
                 --query-ids says what the queries are called",
                names.first().map_or("none", String::as_str),
                qrels.display()
            )));
        }
        Ok(Labels { judgements, names, judged, sha256: digest(text.as_bytes()) })
    }

    /// Refuses judgements of other documents than the index has.
    fn check(&self, sealed: &Sealed) -> Result<()> {
        let has = |document: &String| {
            let key = match sealed.has_varchar_keys() {
                true => Some(Key::VarChar(document.clone())),
                false => document.parse().ok().map(Key::Int64),
            };
            key.is_some_and(|key| sealed.row(&key).is_some())
        };
        let mut documents = self.judged.iter().filter_map(|&i| self.judgements.of(&self.names[i])).flatten();
        match documents.clone().any(|(document, _)| has(document)) {
            true => Ok(()),
            false => Err(Failure::input(format!(
                "the index has none of the judged documents ({}, …); judgements must name its keys",
                documents.next().map_or("none", |(document, _)| document.as_str())
            ))),
        }
    }
}

/// Asks all queries and measures.
pub fn answers(
    subject: &Subject<'_>,
    options: &Options,
    labels: Option<&Labels>,
    progress: Progress,
) -> Result<Answers> {
    let Subject { sealed, queries, .. } = subject;
    if let Some(labels) = labels {
        labels.check(sealed)?;
    }
    let truths = truths(subject, options, labels.is_some(), progress)?;
    let limit = options.deepest();
    let request = |query| Request {
        limit,
        filter: options.filter.as_deref(),
        recall: options.recall,
        exact: options.exact,
        rerank: options.rerank,
        ef: options.ef,
        nprobe: options.nprobe,
        ..Request::new(query)
    };
    let bar = progress.count("searching", queries.len() as u64);
    let mut scratch = Scratch::default();
    for query in queries.iter().cycle().take(WARM_UP) {
        sealed.search(&request(query.query()), &mut scratch)?;
    }
    let (mut rows, mut hits, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for (i, query) in queries.iter().enumerate() {
        let request = request(query.query());
        let start = Instant::now();
        let found = sealed.search(&request, &mut scratch).map_err(|e| Failure::from(e).at(format!("query {i}")))?;
        seconds.push(start.elapsed().as_secs_f64());
        hits.push(found.iter().map(|hit| Ok(key_text(&sealed.key(hit.row)?))).collect::<Result<Vec<_>>>()?);
        rows.push(found.iter().map(|hit| hit.row).collect::<Vec<u32>>());
        bar.inc(1);
    }
    bar.finish_and_clear();

    let mut measures = Vec::new();
    if let Some(labels) = labels {
        measures.extend(labelled(labels, &hits, &options.limit));
    }
    for (&k, truths) in options.limit.iter().zip(&truths) {
        let found = rows.iter().zip(truths).map(|(rows, truth)| truth.recall(rows.iter().take(k).copied())).collect();
        measures.push((format!("knn_recall@{k}"), found));
    }
    Ok(Answers { hits, seconds, measures })
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Int64(key) => key.to_string(),
        Key::VarChar(key) => key.clone(),
    }
}

/// nDCG, MRR and recall of the judged queries.
fn labelled(labels: &Labels, hits: &[Vec<String>], depths: &[usize]) -> Vec<(String, Vec<f64>)> {
    let mut measures = Vec::new();
    let graded: Vec<(Vec<f64>, Vec<f64>)> = labels
        .judged
        .iter()
        .map(|&i| {
            let empty = Default::default();
            let grades = labels.judgements.of(&labels.names[i]).unwrap_or(&empty);
            let gains = hits[i].iter().map(|key| grades.get(key).copied().unwrap_or(0) as f64).collect();
            (gains, grades.values().map(|&grade| grade as f64).collect())
        })
        .collect();
    let relevant = |judged: &[f64]| judged.iter().filter(|&&grade| grade > 0.0).count();
    for &k in depths {
        let of = |value: &dyn Fn(&[f64], &[f64]) -> f64| graded.iter().map(|(g, judged)| value(g, judged)).collect();
        measures.push((format!("ndcg@{k}"), of(&|gains, judged| ranking::ndcg(gains, judged, k))));
        measures.push((format!("mrr@{k}"), of(&|gains, _| ranking::reciprocal_rank(gains, k))));
        measures.push((format!("recall@{k}"), of(&|gains, judged| ranking::recall(gains, relevant(judged), k))));
    }
    measures
}

/// For each depth, the nearest rows of each query; nothing if there are judgements and nobody asked for it.
fn truths(subject: &Subject<'_>, options: &Options, labelled: bool, progress: Progress) -> Result<Vec<Vec<Truth>>> {
    let Subject { sealed, queries, vectors, .. } = subject;
    if let Some(path) = &options.truth {
        return listed(path, sealed, queries.len(), &options.limit, progress);
    }
    if labelled && vectors.is_none() {
        return Ok(Vec::new());
    }
    let originals = vectors.map(|path| truth::read_originals(path, sealed, progress)).transpose()?;
    let at = |&k: &usize| truth::nearest(sealed, originals.as_ref(), queries, k, options.filter.as_deref(), progress);
    options.limit.iter().map(at).collect()
}

/// The nearest rows as a file lists them, by the numbers of the vectors that the index was built from.
fn listed(
    path: &Path,
    sealed: &Sealed,
    queries: usize,
    depths: &[usize],
    progress: Progress,
) -> Result<Vec<Vec<Truth>>> {
    let wrong = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let count = sealed.header().count;
    if count > EXACT_FLOATS {
        return Err(wrong(format!(
            "row numbers are read up to {EXACT_FLOATS}, but the index has {count}; give --vectors"
        )));
    }
    let lists = vectors::read(path, Shape::default(), progress)?;
    let deepest = depths.iter().copied().max().unwrap_or_default().min(count as usize);
    if lists.rows() != queries || lists.dimension < deepest {
        return Err(wrong(format!(
            "it lists {} rows for each of {} queries; {deepest} for each of {queries} are needed",
            lists.dimension,
            lists.rows()
        )));
    }
    let mut place = HashMap::new();
    for row in 0..count {
        place.insert(sealed.given(row)?, row);
    }
    let rows: Vec<Vec<u32>> = lists
        .data
        .chunks_exact(lists.dimension)
        .enumerate()
        .map(|(i, list)| {
            let row = |&number: &f32| {
                let known = (number >= 0.0 && number.fract() == 0.0).then(|| place.get(&(number as u32))).flatten();
                known.copied().ok_or_else(|| {
                    wrong(format!(
                        "query {i}: {number} is no row; the index was built from rows 0 to {}",
                        count.max(1) - 1
                    ))
                })
            };
            list.iter().take(deepest).map(row).collect()
        })
        .collect::<Result<_>>()?;
    let at = |&k: &usize| {
        let first = |list: &Vec<u32>| list[..k.min(list.len())].to_vec();
        rows.iter().map(|list| Truth::of_rows(first(list), k.min(list.len()))).collect()
    };
    Ok(depths.iter().map(at).collect())
}
