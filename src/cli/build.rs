//! `elanus build`

use crate::failure::{Failure, Result};
use crate::metadata::{self, Metadata, Wishes};
use crate::output::Output;
use crate::progress::Progress;
use crate::recipe::{Decision, Recipe, Wanted, parse_index_type};
use crate::replace::replace;
use crate::vectors::{Bits, Shape, Vectors};
use crate::{card, sparse, vectors};
use elanus::filter::FieldType;
use elanus::index::sparse::{Bm25Params, SparseBuilder, TextBuilder};
use elanus::index::{BuildParams, normalise_rows};
use elanus::segment::{Input, PrimaryKeys, build};
use elanus::text::Analyzer;
use elanus::words::{Error, IndexType, Metric};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  elanus build vectors.npy -o words.elanus
  elanus build vectors.npy --metadata rows.jsonl --id-field id --card card.json -o words.elanus
  elanus build base.fvecs --metric L2 --index-type HNSW --rerank f32 -o base.elanus
  elanus build vectors.npy --index-type AUTOINDEX --max-bytes-per-vector 500 -o words.elanus
  elanus build rows.jsonl --array embedding -o rows.elanus
  elanus build train.parquet --array emb -o train.elanus
  elanus build bits.npy --index-type BIN_FLAT --metric JACCARD -o bits.elanus
  elanus build vectors.npy --metadata rows.jsonl --text-field title -o hybrid.elanus
  elanus build --metadata rows.jsonl --text-field title -o text.elanus
  elanus build --sparse splade.jsonl -o sparse.elanus
  elanus build base.f32 --dimension 384 --metadata rows.jsonl --fields pos:VarChar,year:Int64 -o base.elanus

Metadata is JSON Lines: line n is an object that describes vector n. Its fields come back with hits. Those
that a filter can compare (booleans, numbers, and texts of up to 128 bytes, unless --fields says otherwise)
can be filtered by.

Vectors of bits are read as bytes of 8 bits, as numpy.packbits(array, axis=1) packs them: an array of uint8, or
lists of numbers up to 255. Queries are packed in the same way.

With --text-field the words of that field can be searched for; with --sparse so can sparse vectors. Both may go
into one file with dense vectors, or make a file without any (SPARSE_INVERTED_INDEX).

The same input, options and seed give the same file, byte for byte, on any 64-bit machine.";

/// Build an index file from vectors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Vectors: .npy or .npz (floats, or integers of up to 32 bits), .fvecs, .bvecs, .ivecs, .safetensors, .parquet,
    /// .arrow, .arrows or .feather (a column of lists), .jsonl (a list a line, or an object with a field that is
    /// one), .csv or .tsv, .f32 or .bin (raw 32-bit floats), .f16.
    #[arg(required_unless_present_any = ["sparse", "text_field"])]
    vectors: Option<PathBuf>,

    /// Which array, tensor, column or field has the vectors, where the file has several: .npz, .safetensors, .parquet,
    /// .arrow, .jsonl.
    #[arg(long)]
    array: Option<String>,

    /// Where the index file goes. It appears when it is whole, and replaces one that is there.
    #[arg(long, short)]
    output: PathBuf,

    /// Numbers in a vector; needed for raw floats.
    #[arg(long)]
    dimension: Option<usize>,

    /// JSON Lines, one object a vector.
    #[arg(long)]
    metadata: Option<PathBuf>,

    /// The metadata field that holds the primary key: integers or texts, each once. Without it, row
    /// numbers are the keys.
    #[arg(long, requires = "metadata")]
    id_field: Option<String>,

    /// Fields to filter by, as name:type with Bool, Int64, Double or VarChar; `none` for no field.
    #[arg(long, requires = "metadata", value_delimiter = ',', value_parser = parse_field)]
    fields: Option<Vec<Option<(String, FieldType)>>>,

    /// Fields that come back with hits; `none` for no field. Without it all do but the key's.
    #[arg(long, requires = "metadata", value_delimiter = ',')]
    store: Option<Vec<String>>,

    /// Sparse vectors: .jsonl, an object {"indices":[…],"values":[…]} or {"dimension":value,…} a line, or .csr.
    #[arg(long)]
    sparse: Option<PathBuf>,

    /// The metadata field whose words can be searched for (BM25).
    #[arg(long, requires = "metadata")]
    text_field: Option<String>,

    /// Text: é is e, й is и, in what is searched and in what is asked.
    #[arg(long, requires = "text_field")]
    fold_diacritics: bool,

    /// BM25: how fast more of the same word stops counting.
    #[arg(long, requires = "text_field", default_value_t = 1.2)]
    bm25_k1: f32,

    /// BM25: how much long texts are held against.
    #[arg(long, requires = "text_field", default_value_t = 0.75)]
    bm25_b: f32,

    /// How nearness is measured: COSINE (the default), IP or L2; of vectors of bits HAMMING (the default) or JACCARD.
    #[arg(long, value_parser = Metric::parse)]
    metric: Option<Metric>,

    /// FLAT (exact), SCAN_RABITQ (1-bit codes, reranked) or HNSW (a graph); for many vectors IVF_RABITQ,
    /// IVF_PQ, IVF_FLAT or IVF_SQ8 (in lists, of which a search looks into some); HNSW_SQ8 (a graph over int8);
    /// for vectors of bits BIN_FLAT or BIN_IVF_FLAT; or AUTOINDEX, which chooses type and rows by size, dimension, metric and
    /// --max-bytes-per-vector, and says why.
    #[arg(long, default_value = "SCAN_RABITQ", value_parser = parse_index_type)]
    index_type: Wanted,

    #[command(flatten)]
    recipe: Recipe,

    /// Add checksums of blocks, so that parts of the file can be fetched and trusted without the rest.
    #[arg(long)]
    checks: bool,

    /// A JSON object stored with the index: its "model" says what made the vectors.
    #[arg(long)]
    card: Option<PathBuf>,

    /// The index's name, for its card.
    #[arg(long)]
    name: Option<String>,
}

impl Args {
    fn is_binary(&self) -> bool {
        matches!(self.index_type, Wanted::Type(index_type) if index_type.is_binary())
    }

    /// How nearness is measured, by Milvus's default if nothing was said.
    fn metric(&self) -> Metric {
        self.metric.unwrap_or(if self.is_binary() { Metric::Hamming } else { Metric::Cosine })
    }
}

/// Vectors of floats, or of bits where the index type is one for them.
fn split(args: &Args, vectors: Option<Vectors>) -> Result<(Option<Vectors>, Option<Bits>)> {
    match (vectors, &args.vectors) {
        (Some(vectors), Some(path)) if args.is_binary() => Ok((None, Some(Bits::of(vectors, path)?))),
        (vectors, _) => Ok((vectors, None)),
    }
}

fn parse_field(text: &str) -> std::result::Result<Option<(String, FieldType)>, Error> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let (name, type_name) = text
        .rsplit_once(':')
        .ok_or_else(|| Error::argument(format!("{text:?} has no type; write it as name:type, such as year:Int64")))?;
    Ok(Some((name.to_owned(), FieldType::parse(type_name)?)))
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let started = Instant::now();
    refuse_own_input(args)?;
    let shape = Shape { dimension: args.dimension, array: args.array.as_deref() };
    let vectors = args.vectors.as_ref().map(|path| vectors::read(path, shape, progress)).transpose()?;
    let (mut vectors, bits) = split(args, vectors)?;
    let sparse = args.sparse.as_ref().map(|path| sparse::read(path, progress)).transpose()?;
    let recipe = &args.recipe;
    let decision = match (&vectors, &bits, args.index_type) {
        (Some(vectors), ..) => recipe.decide(args.index_type, vectors.rows(), vectors.dimension, args.metric())?,
        (_, Some(_), Wanted::Type(index_type)) => recipe.decide_for_bits(index_type)?,
        _ => Decision { index_type: IndexType::SparseInvertedIndex, precisions: Vec::new(), bits: 1, reason: None },
    };
    let (index_type, reason) = (decision.index_type, decision.reason.clone());
    if let Some(vectors) = vectors.as_mut().filter(|_| args.metric() == Metric::Cosine) {
        // In place: the build borrows rows that are normalised already, so they are held once.
        normalise_rows(&mut vectors.data, vectors.dimension);
    }
    let dimension = match (&vectors, &bits) {
        (Some(vectors), _) => vectors.dimension,
        (_, Some(bits)) => bits.dimension(),
        _ => 0,
    };
    let card = args.card.as_ref().map(|path| card::read(path, dimension)).transpose()?.unwrap_or_default();
    let analyzer = Analyzer { fold_diacritics: args.fold_diacritics };
    let bm25 = Bm25Params { k1: args.bm25_k1, b: args.bm25_b };
    let text = args.text_field.as_ref().map(|field| TextBuilder::new(field, analyzer, bm25)).transpose()?;
    let wishes = Wishes {
        id_field: args.id_field.clone(),
        filterable: args.fields.as_ref().map(|fields| fields.iter().flatten().cloned().collect()),
        stored: args.store.as_ref().map(|names| names.iter().filter(|n| *n != "none").cloned().collect()),
        text,
    };
    let rows = vectors
        .as_ref()
        .map(Vectors::rows)
        .or(bits.as_ref().map(Bits::rows))
        .or(sparse.as_ref().map(SparseBuilder::rows));
    let metadata = match &args.metadata {
        Some(path) => metadata::read(path, rows, wishes, progress)?,
        None => Metadata::default(),
    };
    let key_type = match metadata.keys {
        PrimaryKeys::VarChar(_) => "VarChar",
        _ => "Int64",
    };
    let id_field = args.id_field.as_deref().map(|name| (name, key_type));
    let rows = rows.or(metadata.text.as_ref().map(TextBuilder::rows)).unwrap_or(0);
    let metric = match (dimension, &sparse) {
        (1.., _) => args.metric(),
        (_, Some(_)) => Metric::Ip,
        (_, None) => Metric::Bm25,
    };
    let rerank: Vec<&str> = decision.precisions.iter().filter(|_| vectors.is_some()).map(|p| p.name()).collect();
    let mut build_card = json!({
        "tool": concat!("elanus ", env!("CARGO_PKG_VERSION")),
        "metric": metric.name(),
        "index_type": index_type.name(),
        "rerank": &rerank,
        "seed": recipe.seed,
    });
    if let Some(reason) = &reason {
        build_card["autoindex"] = reason.as_str().into();
    }
    if let Some(field) = &args.text_field {
        build_card["text"] = json!({
            "field": field,
            "analyzer": Analyzer::NAME,
            "analyzer_version": Analyzer::VERSION,
            "fold_diacritics": args.fold_diacritics,
            "bm25_k1": args.bm25_k1,
            "bm25_b": args.bm25_b,
        });
    }
    recipe.note(&decision, &mut build_card)?;
    let card = card::compose(card, args.name.as_deref(), id_field, &metadata.schema, build_card)?;

    let bar = progress.count("building the index", rows as u64);
    let file = build(
        Input {
            rows: vectors.as_ref().map(Vectors::view).transpose()?,
            bits: bits.as_ref().map(Bits::view).transpose()?,
            index_type,
            sparse,
            text: metadata.text,
            params: BuildParams { in_parts: args.checks, ..recipe.params(metric, decision) },
            keys: metadata.keys,
            columns: metadata.columns,
            fields: metadata.fields,
            card: Some(card),
        },
        &|done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        },
    )?;
    bar.finish_and_clear();
    let bytes = replace(&args.output, |sink| file.write(sink))?;

    let seconds = started.elapsed().as_secs_f64();
    output.either(
        || {
            let held = match (dimension, rerank.is_empty()) {
                (0, _) => "no dense vectors".into(),
                _ if bits.is_some() => "rows of bits".into(),
                (_, true) => "codes only".into(),
                _ => format!("rows in {}", rerank.join(" and ")),
            };
            let mut text = format!(
                "{}: {} vectors of {dimension} dimensions, {metric}, {index_type}, {held}\n  {} ({} bytes a vector) in {seconds:.1} s\n",
                args.output.display(),
                HumanCount(rows as u64),
                HumanBytes(bytes),
                bytes / rows.max(1) as u64,
            );
            if let Some(reason) = &reason {
                let _ = writeln!(text, "  AUTOINDEX   {reason}");
            }
            if let Some(field) = &args.text_field {
                let _ = writeln!(text, "  words       {field}");
            }
            if let Some((name, key_type)) = id_field {
                let _ = writeln!(text, "  key         {name} {key_type}");
            }
            for field in &metadata.schema {
                let _ = writeln!(
                    text,
                    "  field       {} {} ({})",
                    field.name,
                    field.type_name,
                    match (field.filterable, field.stored) {
                        (true, true) => "filter, stored",
                        (true, false) => "filter",
                        _ => "stored",
                    }
                );
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
                "index_type": index_type.name(),
                "autoindex": reason,
                "rerank": rerank,
                "seed": recipe.seed,
                "fields": metadata.schema.iter().map(metadata::Field::to_json).collect::<Vec<_>>(),
                "seconds": seconds,
            })
        },
    )
}

/// A slip of the hand must not replace the vectors by their index.
fn refuse_own_input(args: &Args) -> Result<()> {
    let inputs = [&args.vectors, &args.sparse, &args.metadata, &args.card].map(Option::as_ref);
    let Ok(output) = args.output.canonicalize() else { return Ok(()) };
    match inputs.into_iter().flatten().find(|input| input.canonicalize().is_ok_and(|input| input == output)) {
        Some(input) => Err(Failure::usage(format!(
            "{} would be replaced by the index that is built from it; give --output another path",
            input.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_a_name_and_a_type() {
        assert_eq!(parse_field("a:b:varchar"), Ok(Some(("a:b".into(), FieldType::VarChar))));
        assert_eq!(parse_field("none"), Ok(None));
        assert!(parse_field("year").unwrap_err().message.contains("name:type"));
        assert!(parse_field("year:Int8").is_err());
    }
}
