//! The sketch of a release: of its reference queries and of its corpus, as the index has them.

use super::state::damaged;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::queries::Asked;
use elanus::quantize::kmeans::choose;
use elanus::release::sketch::{FEWEST, MAX_BYTES, MOST, Origin, Projection, Reference, Sketch};
use elanus::segment::{Query, Request, Scratch, Sealed};
use elanus::words::random::SplitMix64;

/// The name of the file, wherever it is told.
pub const NAME: &str = "sketch.json";

/// Rows that stand for queries where nobody gives any: enough for the shares that are compared.
const STAND_INS: usize = 1000;

/// The default number of hits: what a search finds may depend on how many are asked for.
const LIMIT: usize = 10;

/// Draws samples and projections.
const SEED: u64 = 42;

/// The sketch of an index as the text of a file, with these queries or with held-out rows in their place. None if there
/// are too few of them, or if the file has no rows that could be looked at.
pub fn sketch(sealed: &Sealed, queries: Option<&[Asked]>, progress: Progress) -> Result<Option<Vec<u8>>> {
    let header = sealed.header();
    let rows = sealed.index().rows();
    if header.dimension == 0 || (rows.is_absent() && rows.bits().is_none()) {
        return Ok(None);
    }
    let mut random = SplitMix64::new(SEED);
    let given = queries.map(|queries| sample(queries.len(), MOST, &mut random));
    let count = header.count as usize;
    let stand_ins = if given.is_none() { sample(count, STAND_INS.min(count / 2), &mut random) } else { Vec::new() };
    let rest: Vec<u32> = (0..header.count).filter(|&row| stand_ins.binary_search(&(row as usize)).is_err()).collect();
    let corpus: Vec<u32> = sample(rest.len(), MOST, &mut random).into_iter().map(|i| rest[i]).collect();
    let asked = given.as_ref().map_or(stand_ins.len(), Vec::len);
    if asked < FEWEST || corpus.len() < FEWEST {
        return Ok(None);
    }
    let (dimension, metric) = (header.dimension as usize, header.metric);
    let projection = Sketch::projection_of(dimension, metric, SEED);
    let bar = progress.count("sketching", (asked + corpus.len()) as u64);
    let (mut projected, mut top1) = (Vec::with_capacity(asked), Vec::with_capacity(asked));
    let mut scratch = Scratch::default();
    let mut ask = |query: Query<'_>, own: Option<u32>| -> Result<()> {
        let hits = sealed.search(&Request { limit: LIMIT, ..Request::new(query) }, &mut scratch)?;
        // A row finds itself; a query finds something else.
        let first = hits.iter().find(|hit| Some(hit.row) != own);
        top1.push(first.map(|hit| metric.to_public(hit.distance)));
        bar.inc(1);
        Ok(())
    };
    match (queries, &given) {
        (Some(queries), Some(places)) => {
            for &i in places {
                ask(queries[i].query(), None)?;
                projected.push(project(&projection, &queries[i]));
            }
        }
        _ => {
            for &row in &stand_ins {
                let row = row as u32;
                let asked = vector(sealed, row)?;
                ask(asked.query(), Some(row))?;
                projected.push(project(&projection, &asked));
            }
        }
    }
    let mut of_rows = Vec::with_capacity(corpus.len());
    for &row in &corpus {
        of_rows.push(project(&projection, &vector(sealed, row)?));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if top1.iter().all(Option::is_none) {
        return Ok(None);
    }
    let from = if given.is_some() { Origin::Queries } else { Origin::Rows };
    let sketch = Sketch::of(&Reference {
        dimension,
        metric,
        seed: SEED,
        queries: &projected,
        top1: &top1,
        corpus: &of_rows,
        from,
    })?;
    Ok(Some(serde_json::to_vec(&sketch).unwrap_or_default()))
}

/// Reads a sketch that lies in a registry.
pub fn read(bytes: &[u8]) -> Result<Sketch> {
    let what = |why: String| damaged(format!("{NAME}: {why}"));
    if bytes.len() > MAX_BYTES {
        return Err(what(format!("{} bytes; it has {MAX_BYTES} at most", bytes.len())));
    }
    let sketch: Sketch = serde_json::from_slice(bytes).map_err(|e| what(e.to_string()))?;
    sketch.check().map_err(|e| Failure::from(e).at(NAME))?;
    Ok(sketch)
}

fn sample(of: usize, most: usize, random: &mut SplitMix64) -> Vec<usize> {
    choose(most.min(of), of, random)
}

fn vector(sealed: &Sealed, row: u32) -> Result<Asked> {
    if sealed.header().index_type.is_binary() {
        return Ok(Asked::Bits(sealed.bits(row)?.to_vec()));
    }
    let mut vector = vec![0.0; sealed.header().dimension as usize];
    sealed.vector(row, &mut vector)?;
    Ok(Asked::Floats(vector))
}

fn project(projection: &Projection, asked: &Asked) -> Vec<f64> {
    match asked {
        Asked::Floats(vector) => projection.of(vector),
        Asked::Bits(bytes) => projection.of_bits(bytes),
    }
}
