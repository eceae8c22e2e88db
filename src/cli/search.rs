//! `elanus search`

use crate::failure::{Failure, Result};
use crate::foreign::{self, Told};
use crate::output::Output;
use crate::progress::Progress;
use crate::queries::Asked;
use crate::{load, queries, sparse};
use elanus::filter::field_not_found;
use elanus::foreign::SearchParams;
use elanus::segment::{Grouping, Key, Query, Request, Rerank, Scratch, Sealed};
use elanus::words::{Error, Hit, Metric};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  elanus search words.elanus query.npy
  elanus search words.elanus '[0.1, -0.2, 0.3]' --limit 3 --output-fields '*'
  elanus search words.elanus queries.fvecs --filter 'pos == \"noun\"' --json
  elanus search words.elanus query.npy --radius 0.4 --range-filter 0.8 --limit 100
  elanus search words.elanus query.npy --group-by-field pos --group-size 3
  elanus search words.elanus --text 'small bird'
  elanus search words.elanus query.npy --text 'small bird' --weights 0.7,0.3
  embed \"a small bird\" | elanus search words.elanus -
  elanus search graph.bin query.npy --metric COSINE --ef 80
  elanus search trees.ann query.npy --format annoy --dimension 384 --metric angular --search-k 1000

With --json there is one line a query: {\"query\":0,\"hits\":[{\"id\":…,\"distance\":…,\"row\":…,\"fields\":{…}}]}.
COSINE, IP and BM25: the larger the distance, the nearer. L2 (squared), HAMMING and JACCARD: the smaller the
nearer. Of vectors of bits a query is their bytes, such as '[255, 3]'. Of several
queries of one kind each (vector, sparse, text) the fused score: the larger the better.
A file of another library (Faiss, hnswlib, Annoy, usearch, NMSLIB) is answered from as that library answers, with its ids and distances.";

/// Search an index file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index file.
    file: PathBuf,

    /// A file of vectors (.npy, .fvecs, .parquet, .f32, .f16, .json, …), a JSON list of numbers, or - for JSON on
    /// standard input.
    #[arg(allow_hyphen_values = true, required_unless_present_any = ["text", "sparse"])]
    query: Option<String>,

    /// Words to look for in the text field (BM25). With a query vector as well, both lists are fused.
    #[arg(long)]
    text: Option<String>,

    /// A sparse vector, as {"indices":[3,17],"values":[0.5,1.2]} or {"3":0.5,"17":1.2}.
    #[arg(long)]
    sparse: Option<String>,

    /// Sparse: leave out this part of the query's dimensions, those of the smallest values.
    #[arg(long, default_value_t = 0.0)]
    drop_ratio: f32,

    /// Hybrid: k of reciprocal rank fusion. [default: 60]
    #[arg(long, conflicts_with = "weights")]
    rrf_k: Option<f32>,

    /// Hybrid: fuse by weighted scores, a weight from 0 to 1 each, in the order: vector, sparse, text.
    #[arg(long, value_delimiter = ',')]
    weights: Option<Vec<f32>>,

    /// How many hits, at most; with --group-by-field, how many groups. With --offset up to 16384.
    #[arg(long, short = 'k', default_value_t = 10)]
    limit: usize,

    /// Pass over so many of the nearest hits (or groups).
    #[arg(long, default_value_t = 0)]
    offset: usize,

    /// Only hits nearer than this distance: L2, HAMMING and JACCARD below it, COSINE and IP above it.
    #[arg(long, allow_negative_numbers = true)]
    radius: Option<f32>,

    /// With --radius: only hits that are not nearer than this. L2, HAMMING and JACCARD:
    /// range-filter <= distance < radius;
    /// COSINE and IP: radius < distance <= range-filter.
    #[arg(long, requires = "radius", allow_negative_numbers = true)]
    range_filter: Option<f32>,

    /// Only so many hits with the same value in this field, a Bool, Int64 or VarChar to filter by.
    #[arg(long)]
    group_by_field: Option<String>,

    /// How many hits of a group, at most: its nearest.
    #[arg(long, requires = "group_by_field", default_value_t = 1)]
    group_size: usize,

    /// Look on until each group has --group-size hits or there are no more; otherwise until there are
    /// --limit groups.
    #[arg(long, requires = "group_by_field")]
    strict_group_size: bool,

    /// Only rows for which this is true, such as: pos == "noun" and year > 1990
    #[arg(long)]
    filter: Option<String>,

    /// Stored fields to show, or * for all.
    #[arg(long, value_delimiter = ',')]
    output_fields: Vec<String>,

    /// Find this share of the nearest rows, such as 0.95: what reaches it was measured at the build.
    #[arg(long, conflicts_with_all = ["exact", "rerank", "ef"])]
    recall: Option<f32>,

    /// Compare every row.
    #[arg(long)]
    exact: bool,

    /// SCAN_RABITQ, IVF_RABITQ: compare so many candidates exactly.
    #[arg(long)]
    rerank: Option<usize>,

    /// HNSW: keep so many candidates while walking.
    #[arg(long)]
    ef: Option<usize>,

    /// Lists: look into so many.
    #[arg(long)]
    nprobe: Option<usize>,

    #[command(flatten)]
    told: Told,

    /// Annoy: gather so many candidates. Default: --limit times the number of trees.
    #[arg(long, help_heading = "Files of other libraries")]
    search_k: Option<usize>,

    /// Refined indexes: compare this many times --limit candidates again.
    #[arg(long, help_heading = "Files of other libraries")]
    k_factor: Option<f32>,
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    if let Some(index) = foreign::open(&args.file, &args.told, progress)? {
        let params = foreign_params(args)?;
        // Only --text and --sparse, which were refused, stand in for a query.
        let query = args.query.as_deref().unwrap_or_default();
        return foreign::search(&index, query, &params, progress, output);
    }
    refuse("an .elanus file", &[("search-k", args.search_k.is_some()), ("k-factor", args.k_factor.is_some())])?;
    let sealed = load::open(&args.file, progress)?;
    check_output_fields(&sealed, &args.output_fields)?;
    let vectors = match &args.query {
        Some(source) => queries::read_for(source, &sealed, progress)?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let sparse = args.sparse.as_deref().map(sparse::parse).transpose()?;
    let mut scratch = Scratch::default();
    for (i, vector) in vectors.iter().enumerate() {
        let request = |query| Request {
            limit: args.limit,
            offset: args.offset,
            radius: args.radius,
            range_filter: args.range_filter,
            group: args.group_by_field.as_deref().map(|field| Grouping {
                field,
                size: args.group_size,
                strict: args.strict_group_size,
            }),
            filter: args.filter.as_deref(),
            recall: args.recall,
            exact: args.exact,
            rerank: args.rerank,
            ef: args.ef,
            nprobe: args.nprobe,
            drop_ratio: args.drop_ratio,
            ..Request::new(query)
        };
        let queries: Vec<Query<'_>> = (vector.iter().map(Asked::query))
            .chain(sparse.iter().map(|sparse| Query::Sparse(sparse.view())))
            .chain(args.text.iter().map(|text| Query::Text(text)))
            .collect();
        let place = |e| if vectors.len() > 1 { Failure::from(e).at(format!("query {i}")) } else { Failure::from(e) };
        let (hits, metric) = match queries[..] {
            [query] => {
                refuse_fusion(args)?;
                (sealed.search(&request(query), &mut scratch).map_err(place)?, sealed.metric_of(&query))
            }
            _ => (hybrid(args, &sealed, &queries, request, &mut scratch).map_err(place)?, Metric::Ip),
        };
        let rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
        let fields = match args.output_fields.is_empty() {
            true => vec![Map::new(); rows.len()],
            false => {
                sealed.fields(&rows)?.iter().map(|text| project(text, &args.output_fields)).collect::<Result<_>>()?
            }
        };
        let mut found = Vec::with_capacity(hits.len());
        for (hit, fields) in hits.iter().zip(fields) {
            let distance = metric.to_public(hit.distance);
            found.push((sealed.key(hit.row)?, distance, sealed.given(hit.row)?, fields));
        }
        if output.is_json() {
            let hits: Vec<Value> = found.into_iter().map(|hit| hit_json(hit, !args.output_fields.is_empty())).collect();
            output.line(json!({ "query": i, "hits": hits }))?;
            continue;
        }
        if vectors.len() > 1 {
            output.line(format_args!("query {i}"))?;
        }
        for (rank, (key, distance, _, fields)) in found.iter().enumerate() {
            let fields = if fields.is_empty() { String::new() } else { Value::from(fields.clone()).to_string() };
            output.line(format!("{:>5}  {distance:>10.6}  {key}  {fields}", args.offset + rank + 1).trim_end())?;
        }
    }
    Ok(())
}

fn refuse_fusion(args: &Args) -> Result<()> {
    if args.rrf_k.is_some() || args.weights.is_some() {
        return Err(Failure::usage(
            "--rrf-k and --weights fuse several queries, but there is one; add --text or --sparse",
        ));
    }
    Ok(())
}

/// Fuses the lists of queries of several kinds.
fn hybrid<'a>(
    args: &Args,
    sealed: &Sealed,
    queries: &[Query<'a>],
    request: impl Fn(Query<'a>) -> Request<'a>,
    scratch: &mut Scratch,
) -> std::result::Result<Vec<Hit>, Error> {
    let rerank = match &args.weights {
        Some(weights) => Rerank::Weighted(weights),
        None => Rerank::Rrf { k: args.rrf_k.unwrap_or(Rerank::DEFAULT_K) },
    };
    let limit = Rerank::depth(args.limit, args.offset);
    let requests: Vec<_> = queries.iter().map(|&query| Request { limit, offset: 0, ..request(query) }).collect();
    sealed.hybrid_search(&requests, rerank, args.limit, args.offset, scratch)
}

/// What a search of another library's file is told; such a file has no fields, and no measured recall.
fn foreign_params(args: &Args) -> Result<SearchParams> {
    let given = [
        ("offset", args.offset > 0),
        ("radius", args.radius.is_some()),
        ("group-by-field", args.group_by_field.is_some()),
        ("filter", args.filter.is_some()),
        ("output-fields", !args.output_fields.is_empty()),
        ("recall", args.recall.is_some()),
        ("exact", args.exact),
        ("rerank", args.rerank.is_some()),
        ("text", args.text.is_some()),
        ("sparse", args.sparse.is_some()),
        ("drop-ratio", args.drop_ratio != 0.0),
        ("rrf-k", args.rrf_k.is_some()),
        ("weights", args.weights.is_some()),
    ];
    refuse("a file of another library", &given)?;
    Ok(SearchParams {
        limit: args.limit,
        nprobe: args.nprobe,
        ef: args.ef,
        search_k: args.search_k,
        k_factor: args.k_factor,
    })
}

/// Refuses the options that were given and mean nothing for the file.
fn refuse(file: &str, given: &[(&str, bool)]) -> Result<()> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Failure::usage(format!("--{name} means nothing for {file}; leave it out"))),
        None => Ok(()),
    }
}

fn hit_json((key, distance, row, fields): (Key, f32, u32, Map<String, Value>), with_fields: bool) -> Value {
    let id = match key {
        Key::Int64(key) => Value::from(key),
        Key::VarChar(key) => Value::from(key),
    };
    let mut hit = json!({ "id": id, "distance": distance, "row": row });
    if with_fields {
        hit["fields"] = fields.into();
    }
    hit
}

/// The wanted members of a stored object.
fn project(text: &str, wanted: &[String]) -> Result<Map<String, Value>> {
    let mut fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| {
        Failure::check("CORRUPT_FILE", format!("the stored fields of a hit are no JSON object ({e}); verify the file"))
    })?;
    fields.retain(|name, _| wanted.iter().any(|w| w == "*" || w == name));
    Ok(fields)
}

/// Refuses names that no row stores, if the card says which there are.
fn check_output_fields(sealed: &Sealed, wanted: &[String]) -> Result<()> {
    let card: Value = serde_json::from_str(sealed.card()).unwrap_or_default();
    let Some(fields) = card["fields"].as_array() else { return Ok(()) };
    let stored: Vec<&str> = fields.iter().filter(|f| f["stored"] == true).filter_map(|f| f["name"].as_str()).collect();
    match wanted.iter().find(|w| *w != "*" && !stored.contains(&w.as_str())) {
        Some(missing) => Err(field_not_found(missing, stored.into_iter()).into()),
        None => Ok(()),
    }
}
