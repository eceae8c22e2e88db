//! Plain objects that JavaScript and the modules that search `.elanus` files hand each other.

use crate::segment::{Grouping, Query, Request};
use serde::{Deserialize, Serialize};

/// Options of a search.
#[derive(Deserialize, Default, Clone)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Options {
    limit: usize,
    offset: usize,
    filter: Option<String>,
    radius: Option<f32>,
    range_filter: Option<f32>,
    group_by_field: Option<String>,
    group_size: Option<usize>,
    strict_group_size: bool,
    recall: Option<f32>,
    exact: bool,
    rerank: Option<usize>,
    ef: Option<usize>,
    nprobe: Option<usize>,
    field: Option<String>,
    drop_ratio_search: f32,
}

impl Options {
    pub(super) fn request<'a>(&'a self, query: Query<'a>) -> Request<'a> {
        let group = self.group_by_field.as_deref();
        Request {
            limit: self.limit,
            offset: self.offset,
            filter: self.filter.as_deref(),
            radius: self.radius,
            range_filter: self.range_filter,
            group: group.map(|field| Grouping {
                field,
                size: self.group_size.unwrap_or(1),
                strict: self.strict_group_size,
            }),
            recall: self.recall,
            exact: self.exact,
            rerank: self.rerank,
            ef: self.ef,
            nprobe: self.nprobe,
            field: self.field.as_deref(),
            drop_ratio: self.drop_ratio_search,
            ..Request::new(query)
        }
    }
}

/// How many lists there are, and how many rows they have.
#[derive(Serialize)]
pub(super) struct Lists {
    count: usize,
    least: usize,
    median: usize,
    most: usize,
}

impl Lists {
    /// So many lists, and the rows of the least of them, the middle one and the largest.
    pub(super) fn of(count: usize, [least, median, most]: [usize; 3]) -> Self {
        Lists { count, least, median, most }
    }
}
