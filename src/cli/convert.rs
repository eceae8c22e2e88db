//! `elanus convert`

use crate::failure::{Exit, Failure, Result};
use crate::foreign::{self, Told};
use crate::output::Output;
use crate::progress::Progress;
use crate::recipe::{Recipe, Wanted, parse_index_type};
use crate::replace::replace;
use crate::vectors::{self, Shape};
use crate::{card, load};
use clap::ValueEnum;
use elanus::convert::{self, Parts};
use elanus::segment::{PrimaryKeys, Sealed};
use elanus::words::{Blob, Metric};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  elanus convert index.faiss index.elanus
  elanus convert graph.bin graph.elanus --metric COSINE
  elanus convert trees.ann trees.elanus --format annoy --dimension 384 --metric angular --index-type HNSW
  elanus convert index.faiss small.elanus --index-type IVF_RABITQ
  elanus convert words.elanus words.faiss
  elanus convert words.elanus words.bin --to hnswlib --index-type HNSW
  elanus convert words.elanus words.npy
  elanus convert rows.parquet rows.npy --array embedding

Without --index-type the file is kept as it is arranged: its lists with their centroids, its graph with its links,
rows as 32-bit floats; it answers as the original does. What can't be kept so is refused with the reason. With
--index-type the vectors are indexed anew, with the options that `elanus build` has.";

/// Convert an index or vectors to another file: to .elanus, or from it to what other libraries read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// An .elanus file, a file of another library, or vectors (the endings that `elanus build` reads).
    input: PathBuf,

    /// Where the other file goes. It appears when it is whole, and replaces one that is there.
    output: PathBuf,

    /// Which array, tensor, column or field has the vectors, where a file of vectors has several.
    #[arg(long)]
    array: Option<String>,

    /// What to write. Default: by the ending, .elanus, .faiss or .index, .hnsw, .npy or .fvecs.
    #[arg(long)]
    to: Option<Target>,

    /// Index the vectors anew: FLAT, SCAN_RABITQ, IVF_RABITQ, IVF_PQ, IVF_FLAT, IVF_SQ8, HNSW, HNSW_SQ8 or AUTOINDEX.
    #[arg(long, value_parser = parse_index_type)]
    index_type: Option<Wanted>,

    #[command(flatten)]
    recipe: Recipe,

    /// Index the vectors for another metric than the file's own: L2, IP or COSINE.
    #[arg(long, value_parser = Metric::parse)]
    as_metric: Option<Metric>,

    /// Number the rows from 0 instead of keeping their ids.
    #[arg(long)]
    row_numbers: bool,

    #[command(flatten)]
    told: Told,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// An index file of Elanus.
    Elanus,
    /// IndexFlat, IndexIVFFlat or IndexHNSWFlat, as the input is arranged.
    Faiss,
    /// A graph.
    Hnswlib,
    /// Vectors as an array of NumPy.
    Npy,
    /// Vectors, each with its dimension in front.
    Fvecs,
}

impl Target {
    fn of(path: &Path) -> Result<Self> {
        Ok(match path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase().as_str() {
            "elanus" => Target::Elanus,
            "faiss" | "index" => Target::Faiss,
            "hnsw" | "hnswlib" => Target::Hnswlib,
            "npy" => Target::Npy,
            "fvecs" => Target::Fvecs,
            _ => {
                return Err(Failure::usage(format!(
                    "{}: the ending doesn't say what to write; give --to elanus, faiss, hnswlib, npy or fvecs",
                    path.display()
                )));
            }
        })
    }
}

/// Where the parts came from.
struct Source {
    parts: Parts,
    /// Such as `Faiss IVF100,Flat`.
    name: String,
    card: Map<String, Value>,
    left_behind: Vec<&'static str>,
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let target = args.to.map_or_else(|| Target::of(&args.output), Ok)?;
    if args.output.canonicalize().is_ok_and(|output| args.input.canonicalize().is_ok_and(|input| input == output)) {
        return Err(Failure::usage(format!(
            "{} would be replaced by itself; write to another path",
            args.input.display()
        )));
    }
    if args.index_type.is_none() && args.recipe != Recipe::default() {
        return Err(Failure::usage("options of an index are for one that is built anew; name it with --index-type"));
    }
    let mut source = read(args, progress)?;
    if args.row_numbers {
        source.parts.keys = PrimaryKeys::RowNumbers;
    }
    let named = |e| Failure::from(e).at(args.input.display());
    if target == Target::Elanus && !source.left_behind.is_empty() {
        return Err(Failure::usage(format!(
            "{}: it has {}, which a conversion of vectors doesn't carry over; build it anew from its rows",
            args.input.display(),
            source.left_behind.join(", ")
        )));
    }
    let (rows, dimension) = (source.parts.rows(), source.parts.dimension);
    let mut metric = source.parts.metric;
    let kind;
    let bytes = match (target, args.index_type) {
        (Target::Npy | Target::Fvecs, Some(_)) => {
            return Err(Failure::usage("vectors alone are in no index; leave out --index-type"));
        }
        (Target::Elanus, _) => {
            let (index_type, file) = elanus_file(args, &source, progress)?;
            kind = index_type;
            replace(&args.output, |sink| file.write(sink))?
        }
        (_, wanted) => {
            if wanted.is_some() {
                let (_, file) = elanus_file(args, &source, progress)?;
                let sealed = Sealed::open(Blob::copy_of(&file.into_bytes())?)?;
                source.parts = Parts::of_sealed(&sealed).map_err(named)?;
                metric = source.parts.metric;
            }
            kind = match target {
                Target::Npy | Target::Fvecs => "vectors",
                _ => source.parts.structure.as_ref().map_or("", |structure| structure.index_type().name()),
            }
            .to_owned();
            write(args, target, &source.parts)?
        }
    };
    let left_behind = source.left_behind.join(", ");
    let note = match (target, metric) {
        (Target::Faiss, Metric::Cosine) => {
            "rows are at length 1, compared by inner product: bring queries to length 1, too"
        }
        (Target::Hnswlib, _) => "load it with the space of its metric: l2, ip or cosine",
        _ => "",
    };
    output.either(
        || {
            let mut text = format!(
                "{}: {} vectors of {dimension} dimensions, {metric}, {kind}, from {}\n  {}",
                args.output.display(),
                HumanCount(rows as u64),
                source.name,
                HumanBytes(bytes)
            );
            if !left_behind.is_empty() {
                text.push_str(&format!("\n  left behind: {left_behind}"));
            }
            if !note.is_empty() {
                text.push_str(&format!("\n  {note}"));
            }
            text
        },
        || {
            json!({
                "output": args.output,
                "bytes": bytes,
                "count": rows,
                "dimension": dimension,
                "metric": metric.name(),
                "index_type": kind,
                "from": source.name,
                "left_behind": source.left_behind,
            })
        },
    )
}

/// The input as parts, whatever it is.
fn read(args: &Args, progress: Progress) -> Result<Source> {
    let path = &args.input;
    let named = |e| Failure::from(e).at(path.display());
    let is_vectors = vectors::is_vector_file(path) && !foreign::is_index(path, &args.told)?;
    if let Some(name) = args.array.as_deref().filter(|_| !is_vectors) {
        return Err(Failure::usage(format!(
            "{}: an index has no array of a name; leave out --array {name}",
            path.display()
        )));
    }
    if is_vectors {
        let shape = Shape { dimension: args.told.dimension(), array: args.array.as_deref() };
        let vectors = vectors::read(path, shape, progress)?;
        let metric = args.as_metric.unwrap_or(Metric::Cosine);
        let parts = Parts::of_vectors(vectors.data, vectors.dimension, metric);
        return Ok(Source { parts, name: "vectors".into(), card: Map::new(), left_behind: Vec::new() });
    }
    if let Some(index) = foreign::open(path, &args.told, progress)? {
        let parts = Parts::of_foreign(&index, args.as_metric).map_err(named).map_err(|e| told(e, args))?;
        let name = format!("{} {}", index.format().name(), index.index_type());
        return Ok(Source { parts, name, card: Map::new(), left_behind: Vec::new() });
    }
    let sealed = load::open(path, progress)?;
    let mut parts = Parts::of_sealed(&sealed).map_err(named)?;
    if args.as_metric.is_some_and(|metric| metric != parts.metric) {
        return Err(Failure::usage(format!(
            "{}: its vectors are as {} keeps them; build an index for another metric from the vectors themselves",
            path.display(),
            parts.metric
        )));
    }
    parts.metric = sealed.header().metric;
    let mut card: Map<String, Value> = serde_json::from_str(sealed.card()).unwrap_or_default();
    card.remove("build");
    card.remove("fields");
    let name = format!("Elanus {}", sealed.header().index_type);
    Ok(Source { parts, name, card, left_behind: Parts::left_behind(&sealed) })
}

/// An index file in memory, and its type.
fn elanus_file<'a>(
    args: &Args,
    source: &'a Source,
    progress: Progress,
) -> Result<(String, elanus::format::FileWriter<'a>)> {
    let parts = &source.parts;
    let tool = concat!("elanus ", env!("CARGO_PKG_VERSION"));
    let mut noted = json!({ "tool": tool, "from": source.name, "metric": parts.metric.name() });
    let compose = |noted| card::compose(source.card.clone(), None, None, &[], noted);
    let named = |e| Failure::from(e).at(args.input.display());
    let Some(wanted) = args.index_type else {
        let structure = parts.structure.as_ref().map_err(|e| told(named(e.clone()), args))?;
        let name = structure.index_type().name();
        noted["index_type"] = name.into();
        noted["rerank"] = json!(["f32"]);
        let file = parts.keep(args.recipe.seed, compose(noted)?).map_err(named).map_err(|e| told(e, args))?;
        return Ok((name.to_owned(), file));
    };
    let decision = args.recipe.decide(wanted, parts.rows(), parts.dimension, parts.metric)?;
    let index_type = decision.index_type;
    noted["index_type"] = index_type.name().into();
    noted["rerank"] = decision.precisions.iter().map(|p| p.name()).collect();
    noted["seed"] = args.recipe.seed.into();
    if let Some(reason) = &decision.reason {
        noted["autoindex"] = reason.as_str().into();
    }
    args.recipe.note(&decision, &mut noted)?;
    let bar = progress.count("building the index", parts.rows() as u64);
    let params = args.recipe.params(parts.metric, decision);
    let file = parts
        .rebuild(index_type, params, compose(noted)?, &|done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })
        .map_err(named)
        .map_err(|e| told(e, args))?;
    bar.finish_and_clear();
    Ok((index_type.name().to_owned(), file))
}

/// Writes a file that isn't Elanus's own.
fn write(args: &Args, target: Target, parts: &Parts) -> Result<u64> {
    // A writer stops for its own reasons or for the disk's: the latter can't be told from here.
    let mut refused = None;
    let written = replace(&args.output, |sink| {
        let mut bytes = 0;
        let mut counted = |piece: &[u8]| -> std::result::Result<(), Stop> {
            bytes += piece.len() as u64;
            sink(piece).map_err(Stop::Io)
        };
        let done = match target {
            Target::Faiss => convert::faiss(parts, &mut counted),
            Target::Hnswlib => convert::hnswlib(parts, &mut counted),
            Target::Npy => convert::npy(parts, &mut counted),
            Target::Fvecs | Target::Elanus => convert::fvecs(parts, &mut counted),
        };
        match done {
            Ok(()) => Ok(bytes),
            Err(Stop::Io(error)) => Err(error),
            Err(Stop::Refused(error)) => {
                refused = Some(error);
                Err(std::io::Error::other("refused"))
            }
        }
    });
    match refused {
        Some(error) => Err(told(Failure::from(error).at(args.input.display()), args)),
        None => written,
    }
}

/// Why a writer stopped.
enum Stop {
    Io(std::io::Error),
    Refused(elanus::words::Error),
}

impl From<elanus::words::Error> for Stop {
    fn from(error: elanus::words::Error) -> Self {
        Stop::Refused(error)
    }
}

/// What can't be done as it was asked for, with the option that may help.
fn told(failure: Failure, args: &Args) -> Failure {
    let says = |part: &str| failure.message.contains(part);
    let remedy = match failure.code {
        "INVALID_ARGUMENT" if args.as_metric.is_none() && says("its metric is") => "--as-metric names the metric",
        "INVALID_INPUT" if !args.row_numbers && says("key") => "--row-numbers does without ids",
        "UNSUPPORTED_FORMAT" if says("keys are texts") => "--row-numbers does so",
        "UNSUPPORTED_FORMAT" if args.index_type.is_some() => return failure,
        "UNSUPPORTED_FORMAT" if says("can't answer") || says("are arranged for") => {
            "--index-type indexes its vectors anew, such as --index-type HNSW"
        }
        "UNSUPPORTED_FORMAT" if says("there is none to write") => "--index-type HNSW does so",
        _ => return failure,
    };
    Failure { message: format!("{}; {remedy}", failure.message), exit: Exit::Input, ..failure }
}
