//! An open index: a query in, hits out, keys and fields of those hits after.

use super::key::{from_key, to_key};
use super::plain::{Lists, Options};
use super::thrown;
use crate::index::sparse::SparseVector;
use crate::segment::{Iteration, Query, Request, Rerank, Scratch, Sealed};
use crate::words::{Error, Hit, Metric, Result};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// An open index file with the buffers that JavaScript shares: the query is written into one, rows
/// and distances are read from two others. Pointers stay valid until the next call.
#[wasm_bindgen]
pub struct IndexHandle {
    sealed: Sealed,
    scratch: Scratch,
    options: Options,
    query: Vec<f32>,
    /// In its place if vectors are of bits.
    bits: Vec<u8>,
    asked: Asked,
    /// The searches that are to be fused.
    searches: Vec<Search>,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

/// How a hybrid search's lists become one: by weights if there are some, else by reciprocal ranks.
#[derive(Deserialize)]
#[serde(default)]
struct Fusion {
    k: f32,
    weights: Option<Vec<f32>>,
    limit: usize,
    offset: usize,
}

impl Default for Fusion {
    fn default() -> Self {
        Fusion { k: Rerank::DEFAULT_K, weights: None, limit: 0, offset: 0 }
    }
}

/// What was asked last.
#[derive(Clone)]
enum Asked {
    /// The vector in the buffer.
    Vector,
    Sparse(Vec<u32>, Vec<f32>),
    Text(String),
}

impl Asked {
    fn query<'a>(&'a self, vector: &'a [f32], bits: &'a [u8]) -> Query<'a> {
        match self {
            Asked::Vector if !bits.is_empty() => Query::Bits(bits),
            Asked::Vector => Query::Dense(vector),
            Asked::Sparse(indices, values) => Query::Sparse(SparseVector { indices, values }),
            Asked::Text(text) => Query::Text(text),
        }
    }
}

/// A query with its options, kept for later.
struct Search {
    options: Options,
    asked: Asked,
    vector: Vec<f32>,
    bits: Vec<u8>,
}

impl Search {
    fn request(&self) -> Request<'_> {
        self.options.request(self.asked.query(&self.vector, &self.bits))
    }
}

/// Where an iteration has come to, with its query and options.
#[wasm_bindgen]
pub struct IterationHandle {
    iteration: Iteration,
    search: Search,
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
    /// The field whose words can be searched for.
    text_field: Option<&'a str>,
    has_sparse: bool,
}

impl IndexHandle {
    pub(super) fn new(sealed: Sealed) -> Self {
        let dimension = sealed.header().dimension as usize;
        let (floats, bytes) = if sealed.index().rows().bits().is_some() { (0, dimension / 8) } else { (dimension, 0) };
        IndexHandle {
            sealed,
            scratch: Scratch::default(),
            options: Options::default(),
            query: vec![0.0; floats],
            bits: vec![0; bytes],
            asked: Asked::Vector,
            searches: Vec::new(),
            rows: Vec::new(),
            distances: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<()> {
        let query = self.asked.query(&self.query, &self.bits);
        let metric = self.sealed.metric_of(&query);
        let hits = self.sealed.search(&self.options.request(query), &mut self.scratch)?;
        self.keep(&hits, metric);
        Ok(())
    }

    fn fused(&mut self, fusion: &Fusion) -> Result<()> {
        let searches = std::mem::take(&mut self.searches);
        let requests: Vec<Request<'_>> = searches.iter().map(Search::request).collect();
        let rerank = match &fusion.weights {
            Some(weights) => Rerank::Weighted(weights),
            None => Rerank::Rrf { k: fusion.k },
        };
        let hits = self.sealed.hybrid_search(&requests, rerank, fusion.limit, fusion.offset, &mut self.scratch)?;
        self.keep(&hits, Metric::Ip);
        Ok(())
    }

    /// What was asked, with the options that were prepared.
    fn asked(&self) -> Search {
        let (vector, bits) = match self.asked {
            Asked::Vector => (self.query.clone(), self.bits.clone()),
            _ => Default::default(),
        };
        Search { options: self.options.clone(), asked: self.asked.clone(), vector, bits }
    }

    fn keep(&mut self, hits: &[Hit], metric: Metric) {
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
        let lists = self.sealed.index().lists().map(|lists| Lists::of(lists.count(), lists.sizes()));
        let description = Description {
            lists,
            count: header.count,
            dimension: header.dimension,
            metric: header.metric.name(),
            index_type: header.index_type.name(),
            card: self.sealed.card(),
            text_field: self.sealed.text().map(|text| text.field()),
            has_sparse: self.sealed.sparse().is_some(),
        };
        Ok(serde_wasm_bindgen::to_value(&description)?)
    }

    /// Floats in a query, or bits.
    pub fn dimension(&self) -> u32 {
        self.sealed.header().dimension
    }

    /// Where the query is to be written: `dimension` floats, or as many bits.
    pub fn query_pointer(&self) -> *const u8 {
        if self.bits.is_empty() { self.query.as_ptr().cast() } else { self.bits.as_ptr() }
    }

    /// From now on asks for what is in the query's buffer.
    pub fn ask_vector(&mut self) {
        self.asked = Asked::Vector;
    }

    /// From now on asks for a sparse vector: dimensions, and a value for each.
    pub fn ask_sparse(&mut self, indices: Vec<u32>, values: Vec<f32>) {
        self.asked = Asked::Sparse(indices, values);
    }

    /// From now on asks for words.
    pub fn ask_text(&mut self, text: String) {
        self.asked = Asked::Text(text);
    }

    /// Takes on the options of the searches that follow: `{ limit, offset, filter, radius,
    /// rangeFilter, groupByField, groupSize, strictGroupSize, recall, exact, rerank, ef, nprobe, field,
    /// dropRatioSearch }`.
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

    /// Adds what was asked, with the options that were prepared, to the searches of [`Self::fuse`].
    pub fn add(&mut self) {
        self.searches.push(self.asked());
    }

    /// Does the searches that were added and fuses their lists: `{ k, limit, offset }` by reciprocal
    /// ranks, `{ weights, limit, offset }` by weights. Returns how many rows were found.
    ///
    /// # Errors
    /// Those of [`Sealed::hybrid_search`].
    pub fn fuse(&mut self, fusion: JsValue) -> std::result::Result<usize, JsValue> {
        let fusion = serde_wasm_bindgen::from_value(fusion)
            .map_err(|error| thrown(Error::argument(format!("the fusion can't be read: {error}"))))?;
        self.fused(&fusion).map_err(thrown)?;
        Ok(self.rows.len())
    }

    /// Begins an iteration over the hits of the query that was written and the options that were
    /// prepared, at most `limit` of them. Free it when it isn't needed any more.
    ///
    /// # Errors
    /// Those of [`Iteration::new`].
    pub fn iterate(&self, limit: Option<f64>) -> std::result::Result<IterationHandle, JsValue> {
        let search = self.asked();
        let limit = limit.map(|limit| limit as usize);
        let iteration = Iteration::new(&self.sealed, &search.request(), limit).map_err(thrown)?;
        Ok(IterationHandle { iteration, search })
    }

    /// Finds the next hits of an iteration, as many as its options' limit says; returns how many.
    ///
    /// # Errors
    /// Those of [`Sealed::search`].
    pub fn advance(&mut self, handle: &mut IterationHandle) -> std::result::Result<usize, JsValue> {
        let IterationHandle { iteration, search } = handle;
        let request = search.request();
        let hits = iteration.next(&self.sealed, &request, &mut self.scratch).map_err(thrown)?;
        self.keep(&hits, self.sealed.metric_of(&request.query));
        Ok(hits.len())
    }

    /// Writes the vector of a row to where queries are written.
    ///
    /// # Errors
    /// Those of [`Sealed::vector`].
    pub fn load_vector(&mut self, row: u32) -> std::result::Result<(), JsValue> {
        if self.bits.is_empty() {
            return self.sealed.vector(row, &mut self.query).map_err(thrown);
        }
        self.bits.copy_from_slice(self.sealed.bits(row).map_err(thrown)?);
        Ok(())
    }

    /// The primary key of a row: a number, a BigInt or a string.
    ///
    /// # Errors
    /// Those of [`Sealed::key`].
    pub fn key(&self, row: u32) -> std::result::Result<JsValue, JsValue> {
        self.sealed.key(row).map(from_key).map_err(thrown)
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
