//! An open index: a query in, hits out, keys and fields of those hits after.

use super::thrown;
use crate::segment::{Grouping, Iteration, Key, Request, Scratch, Sealed};
use crate::words::{Error, Hit, Result};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// Numbers beyond this lose digits as JavaScript numbers and go over as BigInt.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// An open index file with the buffers that JavaScript shares: the query is written into one, rows
/// and distances are read from two others. Pointers stay valid until the next call.
#[wasm_bindgen]
pub struct IndexHandle {
    sealed: Sealed,
    scratch: Scratch,
    options: Options,
    query: Vec<f32>,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default, rename_all = "camelCase")]
struct Options {
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
}

impl Options {
    fn request<'a>(&'a self, query: &'a [f32]) -> Request<'a> {
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
            ..Request::new(query)
        }
    }
}

/// Where an iteration has come to, with its query and options.
#[wasm_bindgen]
pub struct IterationHandle {
    iteration: Iteration,
    options: Options,
    query: Vec<f32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    count: u32,
    dimension: u32,
    metric: &'a str,
    index_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lists: Option<Lists>,
    card: &'a str,
}

#[derive(Serialize)]
struct Lists {
    count: usize,
    least: usize,
    median: usize,
    most: usize,
}

impl IndexHandle {
    pub(super) fn new(sealed: Sealed) -> Self {
        let query = vec![0.0; sealed.header().dimension as usize];
        IndexHandle {
            sealed,
            scratch: Scratch::default(),
            options: Options::default(),
            query,
            rows: Vec::new(),
            distances: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<()> {
        let hits = self.sealed.search(&self.options.request(&self.query), &mut self.scratch)?;
        self.keep(&hits);
        Ok(())
    }

    fn keep(&mut self, hits: &[Hit]) {
        let metric = self.sealed.header().metric;
        self.rows.clear();
        self.rows.extend(hits.iter().map(|hit| hit.row));
        self.distances.clear();
        self.distances.extend(hits.iter().map(|hit| metric.to_public(hit.distance)));
    }
}

#[wasm_bindgen]
impl IndexHandle {
    /// Where the whole file is.
    pub fn file_pointer(&self) -> *const u8 {
        self.sealed.bytes().as_ptr()
    }

    /// What the file says of itself, as a plain object.
    pub fn describe(&self) -> std::result::Result<JsValue, JsValue> {
        let header = self.sealed.header();
        let lists = self.sealed.index().lists().map(|lists| {
            let [least, median, most] = lists.sizes();
            Lists { count: lists.count(), least, median, most }
        });
        let description = Description {
            lists,
            count: header.count,
            dimension: header.dimension,
            metric: header.metric.name(),
            index_type: header.index_type.name(),
            card: self.sealed.card(),
        };
        Ok(serde_wasm_bindgen::to_value(&description)?)
    }

    /// Floats in a query.
    pub fn dimension(&self) -> u32 {
        self.sealed.header().dimension
    }

    /// Where the query is to be written: `dimension` floats.
    pub fn query_pointer(&self) -> *const f32 {
        self.query.as_ptr()
    }

    /// Takes on the options of the searches that follow: `{ limit, offset, filter, radius,
    /// rangeFilter, groupByField, groupSize, strictGroupSize, recall, exact, rerank, ef, nprobe }`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if they have another shape.
    pub fn prepare(&mut self, options: JsValue) -> std::result::Result<(), JsValue> {
        self.options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(Error::argument(format!("the search options can't be read: {error}"))))?;
        Ok(())
    }

    /// Searches for the query that was written; returns how many rows were found.
    ///
    /// # Errors
    /// Those of [`Sealed::search`].
    pub fn search(&mut self) -> std::result::Result<usize, JsValue> {
        self.run().map_err(thrown)?;
        Ok(self.rows.len())
    }

    /// Begins an iteration over the hits of the query that was written and the options that were
    /// prepared, at most `limit` of them. Free it when it isn't needed any more.
    ///
    /// # Errors
    /// Those of [`Iteration::new`].
    pub fn iterate(&self, limit: Option<f64>) -> std::result::Result<IterationHandle, JsValue> {
        let (options, query) = (self.options.clone(), self.query.clone());
        let limit = limit.map(|limit| limit as usize);
        let iteration = Iteration::new(&self.sealed, &options.request(&query), limit).map_err(thrown)?;
        Ok(IterationHandle { iteration, options, query })
    }

    /// Finds the next hits of an iteration, as many as its options' limit says; returns how many.
    ///
    /// # Errors
    /// Those of [`Sealed::search`].
    pub fn advance(&mut self, handle: &mut IterationHandle) -> std::result::Result<usize, JsValue> {
        let IterationHandle { iteration, options, query } = handle;
        let hits = iteration.next(&self.sealed, &options.request(query), &mut self.scratch).map_err(thrown)?;
        self.keep(&hits);
        Ok(hits.len())
    }

    /// Looks rows up by an array of keys (numbers, BigInts, strings); returns how many were found.
    pub fn find(&mut self, keys: js_sys::Array) -> usize {
        self.distances.clear();
        self.rows.clear();
        self.rows.extend(keys.iter().filter_map(|key| self.sealed.row(&to_key(&key)?)));
        self.rows.len()
    }

    /// Where the rows that were found last are.
    pub fn rows_pointer(&self) -> *const u32 {
        self.rows.as_ptr()
    }

    /// Where their distances are, as callers know them.
    pub fn distances_pointer(&self) -> *const f32 {
        self.distances.as_ptr()
    }

    /// Their primary keys: an array of numbers, BigInts or strings.
    ///
    /// # Errors
    /// Those of [`Sealed::key`].
    pub fn keys(&self) -> std::result::Result<js_sys::Array, JsValue> {
        self.rows.iter().map(|&row| self.sealed.key(row).map(from_key).map_err(thrown)).collect()
    }

    /// Their stored fields: the text of a JSON array with an object for each.
    ///
    /// # Errors
    /// Those of [`Sealed::fields`].
    pub fn fields(&self) -> std::result::Result<String, JsValue> {
        let rows = self.sealed.fields(&self.rows).map_err(thrown)?;
        Ok(format!("[{}]", rows.join(",")))
    }
}

fn from_key(key: Key) -> JsValue {
    match key {
        Key::Int64(n) if n.unsigned_abs() > MAX_SAFE_INTEGER as u64 => js_sys::BigInt::from(n).into(),
        Key::Int64(n) => JsValue::from_f64(n as f64),
        Key::VarChar(text) => JsValue::from_str(&text),
    }
}

/// The key that a JavaScript value stands for; `None` if no row can have it.
pub(super) fn to_key(value: &JsValue) -> Option<Key> {
    if let Some(text) = value.as_string() {
        return Some(Key::VarChar(text));
    }
    if let Some(n) = value.as_f64() {
        return (n.fract() == 0.0 && n.abs() <= MAX_SAFE_INTEGER as f64).then_some(Key::Int64(n as i64));
    }
    value.dyn_ref::<js_sys::BigInt>().and_then(|n| i64::try_from(n.clone()).ok()).map(Key::Int64)
}
