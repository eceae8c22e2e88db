//! What a search should have found: the nearest rows, by comparing all of them.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::queries::Asked;
use crate::vectors::{self, Shape, Vectors};
use elanus::filter;
use elanus::index::{normalise_rows, rows};
use elanus::segment::{MAX_LIMIT, Request, Scratch, Sealed};
use elanus::words::{Bitmap, Metric};
use std::path::Path;

/// How far a row's distance may be past the k-th and count as equal: rounding, relative to both.
const TIE: f32 = 1e-6;

/// The rows that a search should have found.
#[derive(Debug)]
pub struct Truth {
    /// As near as the k-th or nearer, ascending by number.
    rows: Vec<u32>,
    /// How many of them there is room for.
    wanted: usize,
}

impl Truth {
    /// From distances of rows of which the k-th nearest is among them.
    pub fn new(mut distances: Vec<(f32, u32)>, limit: usize) -> Self {
        let wanted = limit.min(distances.len());
        if wanted > 0 {
            let (_, &mut (kth, _), _) = distances.select_nth_unstable_by(wanted - 1, |a, b| a.0.total_cmp(&b.0));
            distances.retain(|&(distance, _)| distance <= kth + TIE * kth.abs().max(1.0));
        }
        Truth::of_rows(distances.into_iter().map(|(_, row)| row).collect(), wanted)
    }

    /// From the rows themselves, `wanted` of which are to be found.
    pub fn of_rows(mut rows: Vec<u32>, wanted: usize) -> Self {
        rows.sort_unstable();
        Truth { rows, wanted }
    }

    pub fn recall(&self, found: impl Iterator<Item = u32>) -> f64 {
        if self.wanted == 0 {
            return 1.0;
        }
        let found = found.filter(|row| self.rows.binary_search(row).is_ok()).count();
        found.min(self.wanted) as f64 / self.wanted as f64
    }
}

/// The nearest rows by the vectors that the file was built from, or by its own rows.
pub fn nearest(
    sealed: &Sealed,
    originals: Option<&Vectors>,
    queries: &[Asked],
    limit: usize,
    filter: Option<&str>,
    progress: Progress,
) -> Result<Vec<Truth>> {
    let bar = progress.count("searching exactly", queries.len() as u64);
    let allowed = match filter {
        Some(text) => Some(filter::compile(text, sealed.columns())?.evaluate()),
        None => None,
    };
    let mut scratch = Scratch::default();
    let mut truth = Vec::with_capacity(queries.len());
    for (i, query) in queries.iter().enumerate() {
        // A file without rows can't search exactly, but can refuse a query. Beyond the limit there may be
        // rows as near as the last one.
        let request = Request {
            limit: (limit + 100).min(MAX_LIMIT),
            exact: originals.is_none() || !sealed.index().rows().is_absent(),
            filter,
            ..Request::new(query.query())
        };
        let own = sealed.search(&request, &mut scratch);
        let own = own.map_err(|e| Failure::from(e).at(format!("query {i}")))?;
        let distances = match (originals, query) {
            (Some(originals), Asked::Floats(query)) => distances(sealed, originals, query, allowed.as_ref())?,
            _ => own.iter().map(|hit| (hit.distance, hit.row)).collect(),
        };
        truth.push(Truth::new(distances, limit));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(truth)
}

/// What recall is measured against, for people.
pub fn described(sealed: &Sealed, originals: Option<&Path>) -> String {
    match (originals, sealed.index().rows().precision()) {
        (Some(path), _) => format!("exact search in {}", path.display()),
        (None, Some(precision)) => format!("exact search over the file's {precision} rows"),
        (None, None) => "exact search over the file's rows".into(),
    }
}

/// The original vectors, of length 1 for COSINE.
pub fn read_originals(path: &Path, sealed: &Sealed, progress: Progress) -> Result<Vectors> {
    let header = sealed.header();
    if header.index_type.is_binary() {
        return Err(Failure::usage(
            "--vectors shows what the rounding of rows costs, but bits aren't rounded; leave it out",
        ));
    }
    let mut vectors = vectors::read(path, Shape { dimension: Some(header.dimension as usize), array: None }, progress)?;
    if vectors.rows() != header.count as usize {
        return Err(Failure::input(format!(
            "{}: {} vectors, but the index holds {}; give the ones that it was built from",
            path.display(),
            vectors.rows(),
            header.count
        )));
    }
    if header.metric == Metric::Cosine {
        normalise_rows(&mut vectors.data, vectors.dimension);
    }
    Ok(vectors)
}

/// Internal distances of all allowed rows of the file, by the vectors that they were built from. The
/// query's length only scales those of COSINE.
fn distances(sealed: &Sealed, vectors: &Vectors, query: &[f32], allowed: Option<&Bitmap>) -> Result<Vec<(f32, u32)>> {
    let metric = sealed.header().metric;
    let vectors = vectors.view()?;
    (0..sealed.header().count)
        .filter(|&row| allowed.is_none_or(|allowed| allowed.contains(row as usize)))
        .map(|row| Ok((rows::distance(metric, query, vectors.row(sealed.given(row)? as usize)), row)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_by_distance() {
        let truth = Truth::new(vec![(3.0, 0), (1.0, 1), (2.0, 2), (2.0, 3), (9.0, 4)], 2);
        assert_eq!(truth.rows, [1, 2, 3]);
        assert_eq!(truth.recall([1, 3].into_iter()), 1.0);
        assert_eq!(truth.recall([2, 3].into_iter()), 1.0);
        assert_eq!(truth.recall([1, 0].into_iter()), 0.5);
        assert_eq!(truth.recall([].into_iter()), 0.0);
        assert_eq!(Truth::new(vec![(1.0, 5)], 10).recall([5].into_iter()), 1.0);
        assert_eq!(Truth::new(vec![], 10).recall([].into_iter()), 1.0);
    }
}
