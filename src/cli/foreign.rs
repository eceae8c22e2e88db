//! Files of other libraries: what they must be told, and how they are searched.

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use crate::{instant_json, load, queries};
use elanus::foreign::{self, Foreign, Format, Hints, Query, SearchParams, Space};
use elanus::format::MAGIC;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// So much of a file shows what it is.
const START: u64 = 128;

/// What a file of another library doesn't say of itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files of other libraries")]
pub struct Told {
    /// Whose file it is, where its content doesn't show it: Annoy.
    #[arg(long, value_parser = Format::parse)]
    format: Option<Format>,

    /// Numbers (or bits) in a vector: Annoy.
    #[arg(long)]
    dimension: Option<usize>,

    /// How nearness is measured, where the file doesn't say (hnswlib, Annoy, NMSLIB): L2, IP, COSINE, L1 or
    /// HAMMING, or the library's own word, such as angular.
    #[arg(long, value_parser = Space::parse)]
    metric: Option<Space>,
}

impl Told {
    pub fn dimension(&self) -> Option<usize> {
        self.dimension
    }

    fn hints(&self) -> Hints {
        Hints { format: self.format, dimension: self.dimension, metric: self.metric }
    }
}

/// Opens the file if it is another library's; `None` if it is an `.elanus` file.
pub fn open(path: &Path, told: &Told, progress: Progress) -> Result<Option<Foreign>> {
    let (start, length) = start(path)?;
    let hints = told.hints();
    if MAGIC.starts_with(&start[..start.len().min(MAGIC.len())]) {
        return match hints == Hints::default() {
            true => Ok(None),
            false => Err(Failure::usage(format!(
                "{}: this is an .elanus file, which says itself what it holds; leave out --format, --dimension and \
                 --metric",
                path.display()
            ))),
        };
    }
    let named = |e| Failure::from(e).at(path.display());
    if hints.format.is_none_or(|format| format == Format::InstantDistance) && instant_json::is_graph(&start) {
        let file = File::open(path).map_err(|e| Failure::io("read", path, &e))?;
        let bytes = instant_json::to_bincode(&start, BufReader::with_capacity(1 << 20, file)).map_err(named)?;
        return Foreign::open(bytes, &Hints { format: Some(Format::InstantDistance), ..hints })
            .map(Some)
            .map_err(named);
    }
    let mut data = path.as_os_str().to_owned();
    data.push(".dat");
    let data = PathBuf::from(data);
    let parts = [path, &data];
    let beside = hints.format.is_none_or(|format| format == Format::Nmslib)
        && foreign::takes_data(&start, length)
        && data.is_file();
    let bytes = load::read_all(if beside { &parts } else { &parts[..1] }, progress)?;
    Foreign::open(bytes, &hints).map(Some).map_err(named)
}

/// Whether a file, whose name may be one of vectors, starts as an index does.
pub fn is_index(path: &Path, told: &Told) -> Result<bool> {
    let (start, length) = start(path)?;
    Ok(MAGIC.starts_with(&start[..start.len().min(MAGIC.len())])
        || foreign::may_be(&start, Some(length), &told.hints()))
}

/// The first bytes of a file, and how many it has.
fn start(path: &Path) -> Result<(Vec<u8>, u64)> {
    let io = |e: std::io::Error| Failure::io("read", path, &e);
    let mut start = Vec::new();
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    file.take(START).read_to_end(&mut start).map_err(io)?;
    Ok((start, length))
}

/// Answers the queries of `source`, a line a hit or a line a query.
pub fn search(
    index: &Foreign,
    source: &str,
    params: &SearchParams,
    progress: Progress,
    output: &mut Output,
) -> Result<()> {
    let queries = queries::read(source, index.dimension(), progress)?;
    for (i, query) in queries.iter().enumerate() {
        let bits = index.is_binary().then(|| queries::bits(query)).transpose()?;
        let asked = bits.as_deref().map_or(Query::Floats(query), Query::Bits);
        let place = |e| if queries.len() > 1 { Failure::from(e).at(format!("query {i}")) } else { Failure::from(e) };
        let hits = index.search(asked, params, None).map_err(place)?;
        let found = hits.iter().map(|hit| (index.id(hit.row), index.measure().to_public(hit.distance), hit.row));
        if output.is_json() {
            let hits: Vec<Value> =
                found.map(|(id, distance, row)| json!({ "id": id, "distance": distance, "row": row })).collect();
            output.line(json!({ "query": i, "hits": hits }))?;
            continue;
        }
        if queries.len() > 1 {
            output.line(format_args!("query {i}"))?;
        }
        for (rank, (id, distance, _)) in found.enumerate() {
            output.line(format_args!("{:>5}  {distance:>10.6}  {id}", rank + 1))?;
        }
    }
    Ok(())
}
