//! `elanus info`

use crate::failure::{Failure, Result};
use crate::foreign::{self, Told};
use crate::output::Output;
use crate::progress::Progress;
use elanus::foreign::Foreign;
use elanus::format::{Kind, Layout};
use elanus::index::calibration::Curve;
use elanus::index::{Calibration, Lists};
use elanus::quantize::{extended, pq};
use elanus::segment::MAX_CARD_BYTES;
use elanus::words::Blob;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  elanus info words.elanus
  elanus info words.elanus --json | jq .card.model
  elanus info graph.bin --metric COSINE
  elanus info trees.ann --format annoy --dimension 384 --metric angular

Reads the header, the section table, the card and the list directory, however large the file is. `elanus verify` reads
the rest. A file of another library is read whole and checked.";

/// Show what an index file holds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index file.
    file: PathBuf,

    #[command(flatten)]
    told: Told,
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    if let Some(index) = foreign::open(&args.file, &args.told, progress)? {
        return foreign_info(args, &index, output);
    }
    let io = |e: std::io::Error| Failure::io("read", &args.file, &e);
    let named = |e| Failure::from(e).at(args.file.display());
    let mut file = File::open(&args.file).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut prefix = Vec::new();
    (&mut file).take(Layout::MAX_BYTES as u64).read_to_end(&mut prefix).map_err(io)?;
    let layout = Layout::read(&prefix, length).map_err(named)?;
    let mut start = |kind, most: usize| {
        let Some(entry) = layout.entry(kind) else { return Ok::<_, Failure>(None) };
        let mut bytes = vec![0; entry.length.min(most as u64) as usize];
        file.seek(SeekFrom::Start(entry.offset)).map_err(io)?;
        file.read_exact(&mut bytes).map_err(io)?;
        Ok(Some(bytes))
    };
    let bits = match layout.header.index_type.has_bits() {
        true => Some(start(Kind::EXTENDED, extended::HEAD_BYTES)?.and_then(|head| extended::bits(&head)).unwrap_or(1)),
        false => None,
    };
    let parts = start(Kind::CODEBOOKS, pq::HEAD_BYTES)?.and_then(|head| pq::head(&head));
    let mut section = |kind, most: usize| match layout.entry(kind) {
        Some(entry) if entry.length <= most as u64 => start(kind, most),
        _ => Ok(None),
    };
    let card = section(Kind::CARD, MAX_CARD_BYTES)?;
    let card = card.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
    let directory = match layout.header.index_type.has_lists() {
        true => section(Kind::DIRECTORY, Lists::MAX_DIRECTORY_BYTES)?,
        false => None,
    };
    let lists = directory.map(|bytes| Lists::open(&bytes, layout.header.count as usize)).transpose().map_err(named)?;
    let calibration = match section(Kind::CALIBRATION, Calibration::MAX_BYTES)? {
        Some(bytes) => Some(Calibration::open(&Blob::copy_of(&bytes)?).map_err(named)?),
        None => None,
    };
    let parts = Parts { bits, parts, lists, calibration };
    output.either(|| text(args, &layout, &card, &parts), || value(&layout, &card, &parts))
}

/// What is small enough to be read beside the header.
struct Parts {
    /// Of RaBitQ codes, a dimension.
    bits: Option<u32>,
    /// Of product-quantized codes: how many, and the bits of each.
    parts: Option<(usize, u32)>,
    lists: Option<Lists>,
    calibration: Option<Calibration>,
}

fn foreign_info(args: &Args, index: &Foreign, output: &mut Output) -> Result<()> {
    let length = std::fs::metadata(&args.file).map_err(|e| Failure::io("read", &args.file, &e))?.len();
    let value = || {
        json!({
            "format": index.format().name(),
            "bytes": length,
            "count": index.count(),
            "dimension": index.dimension(),
            "metric": index.measure().name(),
            "index_type": index.index_type(),
        })
    };
    let text = || {
        format!(
            "{}: {} vectors of {} dimensions, {}, {}\n  {}, a file of {}",
            args.file.display(),
            HumanCount(index.count() as u64),
            index.dimension(),
            index.measure().name(),
            index.index_type(),
            HumanBytes(length),
            index.format().name(),
        )
    };
    output.either(text, value)
}

fn value(layout: &Layout, card: &Value, Parts { bits, parts, lists, calibration }: &Parts) -> Value {
    let header = &layout.header;
    let section = |e: &elanus::format::Entry| {
        json!({
            "name": e.kind.to_string(),
            "kind": e.kind.0,
            "offset": e.offset,
            "bytes": e.length,
            "checksum": format!("{:016x}", e.checksum),
        })
    };
    let lists = lists.as_ref().map(|lists| {
        let [least, median, most] = lists.sizes();
        json!({ "count": lists.count(), "least": least, "median": median, "most": most })
    });
    json!({
        "format_version": layout.version,
        "bytes": layout.file_bytes,
        "count": header.count,
        "dimension": header.dimension,
        "metric": header.metric.name(),
        "index_type": header.index_type.name(),
        "bits": bits,
        "m": parts.map(|(parts, _)| parts),
        "nbits": parts.map(|(_, bits)| bits),
        "lists": lists,
        "seed": header.seed,
        "checksum": format!("{:016x}", layout.checksum),
        "sections": layout.entries.iter().map(section).collect::<Vec<_>>(),
        "calibration": calibration.as_ref().map(|c| json!({
            "parameter": c.knob.name(),
            "queries": c.queries,
            "curves": c.curves.iter().map(|curve| json!({
                "limit": curve.limit,
                "exact_recall": curve.exact,
                "points": curve.points.iter().map(|&(setting, recall)| json!({
                    "setting": c.knob.value(setting),
                    "recall": recall,
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })),
        "card": card,
    })
}

fn text(args: &Args, layout: &Layout, card: &Value, Parts { bits, parts, lists, calibration }: &Parts) -> String {
    let header = &layout.header;
    let mut text = format!(
        "{}: {} vectors of {} dimensions, {}, {}\n  {}, format version {}, seed {}, checksum {:016x}\n",
        args.file.display(),
        HumanCount(header.count.into()),
        header.dimension,
        header.metric,
        header.index_type,
        HumanBytes(layout.file_bytes),
        layout.version,
        header.seed,
        layout.checksum,
    );
    let mut line = |label: &str, value: String| text.push_str(&format!("  {label:11} {value}\n"));
    if let Some(name) = card["name"].as_str() {
        line("name", name.into());
    }
    if let Some(model) = card["model"].as_object() {
        let part = |name: &str| model.get(name).and_then(Value::as_str).unwrap_or_default();
        line("model", [part("name"), part("revision"), part("fingerprint")].join(" ").trim_end().into());
    }
    if let Some(key) = card["primary_key"].as_object() {
        line("key", format!("{} {}", plain(&key["name"]), plain(&key["type"])));
    }
    for field in card["fields"].as_array().into_iter().flatten() {
        let uses = [("filterable", "filter"), ("stored", "stored")];
        let uses: Vec<_> = uses.iter().filter(|(name, _)| field[name] == true).map(|(_, what)| *what).collect();
        line("field", format!("{} {} ({})", plain(&field["name"]), plain(&field["type"]), uses.join(", ")));
    }
    if let Some(bits) = bits {
        line("codes", format!("{bits} {} a dimension", if *bits == 1 { "bit" } else { "bits" }));
    }
    if let Some((parts, bits)) = parts {
        line("codes", format!("{parts} parts of {bits} bits"));
    }
    if let Some(lists) = lists {
        let [least, median, most] = lists.sizes().map(|rows| HumanCount(rows as u64));
        let count = HumanCount(lists.count() as u64);
        line("lists", format!("{count}, of {least} to {most} rows, {median} in the middle"));
    }
    for Curve { limit, exact, points } in calibration.iter().flat_map(|c| &c.curves) {
        let knob = calibration.as_ref().map_or("", |c| c.knob.name());
        let shown: Vec<String> = (points.iter())
            .map(|&(setting, recall)| {
                format!("{} {recall:.4}", calibration.as_ref().map_or(0.0, |c| c.knob.value(setting)))
            })
            .collect();
        line("recall", format!("at {limit} hits, by {knob}: {}, exact {exact:.4}", shown.join(", ")));
    }
    for entry in &layout.entries {
        let a_row = entry.length as f64 / f64::from(header.count.max(1));
        line(
            "section",
            format!(
                "{:11} {:>13} bytes {a_row:9.1} a row",
                entry.kind.to_string(),
                HumanCount(entry.length).to_string()
            ),
        );
    }
    text
}

/// A text without its quotes; the card is whatever its writer put there.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
