//! What is looked for, and which wishes contradict each other.

use super::query::Query;
use crate::index::SearchParams;
use crate::words::say::decimal;
use crate::words::{Bitmap, Error, Metric, Result, Window};

/// A search returns at most this many hits: Milvus's limit.
pub const MAX_LIMIT: usize = 16_384;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The vector or the words.
    pub query: Query<'a>,
    /// The text field that words are looked for in, if the caller names it.
    pub field: Option<&'a str>,
    /// Of a sparse query, leave out this part of its dimensions, those of the smallest values: 0 or
    /// more and less than 1. Milvus's `drop_ratio_search`.
    pub drop_ratio: f32,
    /// How many hits, at most; with `group`, how many groups. With `offset` 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// How many of the nearest hits (or groups) are passed over.
    pub offset: usize,
    /// Only rows for which this expression is true.
    pub filter: Option<&'a str>,
    /// Only rows nearer than this distance, as callers know it: L2, HAMMING and JACCARD
    /// `distance < radius`, IP and COSINE `distance > radius`.
    pub radius: Option<f32>,
    /// With `radius`, only rows not nearer than this: L2, HAMMING and JACCARD
    /// `distance >= range_filter`, IP and COSINE `distance <= range_filter`.
    pub range_filter: Option<f32>,
    /// Only so many rows with the same value in a field.
    pub group: Option<Grouping<'a>>,
    /// The share of the nearest rows that is to be found, more than 0 and at most 1; chooses `exact`,
    /// `rerank` and `ef`, which are then left out.
    pub recall: Option<f32>,
    /// Compare every row.
    pub exact: bool,
    /// How many candidates a scan compares exactly.
    pub rerank: Option<usize>,
    /// How many candidates a graph's walk keeps.
    pub ef: Option<usize>,
    /// How many lists are looked into.
    pub nprobe: Option<usize>,
    /// Rows that aren't there any more.
    pub deleted: Option<&'a Bitmap>,
}

/// Hits in groups of the same value in a field; nulls are a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping<'a> {
    /// A field that filters can name, of type Bool, Int64 or VarChar.
    pub field: &'a str,
    /// How many hits of a group, at most: its nearest.
    pub size: usize,
    /// Look on until each group has `size` hits or there are no more; otherwise until there are
    /// `limit` groups, and a group has those of its hits that came before.
    pub strict: bool,
}

impl<'a> Request<'a> {
    /// The ten nearest to `query`: a slice of floats, a sparse vector or a text.
    pub fn new(query: impl Into<Query<'a>>) -> Self {
        Request {
            query: query.into(),
            field: None,
            drop_ratio: 0.0,
            limit: 10,
            offset: 0,
            filter: None,
            radius: None,
            range_filter: None,
            group: None,
            recall: None,
            exact: false,
            rerank: None,
            ef: None,
            nprobe: None,
            deleted: None,
        }
    }

    /// How many of the nearest hits it speaks of.
    pub(crate) fn depth(&self) -> usize {
        self.offset + self.limit
    }

    /// What the index is asked for.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub(crate) fn params(&self, metric: Metric) -> Result<SearchParams> {
        let Request { limit, offset, rerank, ef, nprobe, exact, .. } = *self;
        if limit == 0 || limit > MAX_LIMIT {
            return Err(Error::argument(format!("limit is {limit}; it must be 1 to {MAX_LIMIT}")));
        }
        if offset > MAX_LIMIT - limit {
            return Err(Error::argument(format!(
                "offset {offset} and limit {limit} are more than {MAX_LIMIT} together; iterate to come further"
            )));
        }
        if let Some(Grouping { size, .. }) = self.group
            && (size == 0 || size > MAX_LIMIT / self.depth())
        {
            return Err(Error::argument(format!(
                "groupSize is {size}; it is at least 1, and with {} groups (limit and offset) at most {}, so that they \
                 have {MAX_LIMIT} hits together",
                self.depth(),
                MAX_LIMIT / self.depth()
            )));
        }
        if let Some(recall) = self.recall {
            if !(recall > 0.0 && recall <= 1.0) {
                return Err(Error::argument(format!("recall is {}; it is more than 0 and at most 1", decimal(recall))));
            }
            if exact || rerank.is_some() || ef.is_some() || nprobe.is_some() {
                return Err(Error::argument("recall chooses exact, rerank, ef and nprobe by itself; leave them out"));
            }
        }
        let window = self.window(metric)?;
        Ok(SearchParams { limit: self.depth(), ef, rerank, nprobe, exact, window, ..SearchParams::default() })
    }

    fn window(&self, metric: Metric) -> Result<Window> {
        let Some(radius) = self.radius else {
            return match self.range_filter {
                None => Ok(Window::ALL),
                Some(_) => Err(Error::argument(
                    "rangeFilter is the inner edge of a ring and needs radius, the outer one: give both",
                )),
            };
        };
        let inner = self.range_filter.map(|edge| metric.to_internal(edge));
        let window = Window { from: inner.unwrap_or(f32::NEG_INFINITY), below: metric.to_internal(radius) };
        if !window.below.is_finite() || inner.is_some_and(|edge| !edge.is_finite()) {
            return Err(Error::argument("radius and rangeFilter are finite numbers"));
        }
        if window.from >= window.below {
            let (order, meaning) = match metric.is_distance() {
                true => ("less", "rangeFilter <= distance < radius"),
                false => ("greater", "radius < distance <= rangeFilter"),
            };
            return Err(Error::argument(format!(
                "rangeFilter {} must be {order} than radius {}: hits are those with {meaning} for {metric}",
                decimal(self.range_filter.unwrap_or_default()),
                decimal(radius)
            )));
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_ring_is_what_milvus_means_by_it() {
        let window = |metric, radius, range_filter| {
            Request { radius, range_filter, ..Request::new(&[]) }.params(metric).map(|params| params.window)
        };
        assert_eq!(window(Metric::L2, None, None), Ok(Window::ALL));
        assert_eq!(window(Metric::L2, Some(4.0), Some(1.0)), Ok(Window { from: 1.0, below: 4.0 }));
        assert_eq!(window(Metric::Ip, Some(1.0), Some(4.0)), Ok(Window { from: -4.0, below: -1.0 }));
        assert_eq!(window(Metric::Cosine, Some(0.5), None), Ok(Window { from: f32::NEG_INFINITY, below: -0.5 }));
        for (metric, radius, range_filter, part) in [
            (Metric::L2, None, Some(1.0), "needs radius"),
            (Metric::L2, Some(1.0), Some(1.0), "must be less than radius 1"),
            (Metric::Cosine, Some(0.5), Some(0.4), "must be greater than radius 0.5"),
            (Metric::L2, Some(f32::NAN), None, "finite"),
            (Metric::Ip, Some(0.0), Some(f32::INFINITY), "finite"),
        ] {
            let error = window(metric, radius, range_filter).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let refused = |limit, offset, group: Option<usize>| {
            let group = group.map(|size| Grouping { field: "a", size, strict: false });
            Request { limit, offset, group, ..Request::new(&[]) }.params(Metric::L2).is_err()
        };
        assert!(!refused(1, 0, None) && !refused(MAX_LIMIT, 0, None) && !refused(1, MAX_LIMIT - 1, None));
        assert!(refused(0, 0, None) && refused(MAX_LIMIT + 1, 0, None) && refused(1, MAX_LIMIT, None));
        assert!(refused(1, usize::MAX, None));
        assert!(!refused(8, 8, Some(1024)));
        assert!(refused(8, 8, Some(1025)) && refused(8, 8, Some(0)));
    }
}
