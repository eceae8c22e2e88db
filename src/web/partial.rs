//! A file that is there in part: JavaScript asks, is told which ranges are lacked, feeds them, and asks again.

use super::key::from_key;
use super::plain::{Lists, Options};
use super::thrown;
use crate::format::ranges::merge;
use crate::segment::partial::{Partial, Step};
use crate::segment::{Query, Scratch};
use crate::words::{Error, Hit, Result};
use serde::Serialize;
use std::ops::Range;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

type Thrown<T> = std::result::Result<T, JsValue>;

/// A file of which parts are there, with the buffers that JavaScript shares. A call returns whether it is
/// done; if not, [`Self::lacks`] says what it needs.
#[wasm_bindgen]
pub struct PartialHandle {
    partial: Partial,
    scratch: Scratch,
    options: Options,
    with_fields: bool,
    query: Vec<f32>,
    lacks: Vec<Range<u64>>,
    hits: Vec<Hit>,
    keys: js_sys::Array,
    fields: String,
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
    /// What the file is known by: two with the same are the same.
    checksum: String,
}

impl PartialHandle {
    /// Takes what a call came to.
    fn there<T>(&mut self, step: Result<Step<T>>) -> Thrown<Option<T>> {
        Ok(match step.map_err(thrown)? {
            Step::Done(done) => Some(done),
            Step::Lacks(ranges) => {
                self.lacks = ranges;
                None
            }
        })
    }
}

#[wasm_bindgen]
impl PartialHandle {
    /// A file of so many bytes that begins so.
    ///
    /// # Errors
    /// Those of [`Partial::open`].
    #[wasm_bindgen(constructor)]
    pub fn new(head: &[u8], file_bytes: f64) -> Thrown<PartialHandle> {
        let partial = Partial::open(head, file_bytes as u64).map_err(thrown)?;
        let dimension = partial.header().dimension as usize;
        Ok(PartialHandle {
            partial,
            scratch: Scratch::default(),
            options: Options::default(),
            with_fields: false,
            query: vec![0.0; dimension],
            lacks: Vec::new(),
            hits: Vec::new(),
            keys: js_sys::Array::new(),
            fields: String::new(),
        })
    }

    /// What the file says of itself, as a plain object; `undefined` if something is lacked.
    ///
    /// # Errors
    /// Those of [`Partial::card`] and [`Partial::parts`].
    pub fn describe(&mut self) -> Thrown<JsValue> {
        let card = self.partial.card();
        let Some(card) = self.there(card)? else { return Ok(JsValue::UNDEFINED) };
        let header = *self.partial.header();
        let checksum = format!("{:016x}", self.partial.layout().checksum);
        let lists = match self.partial.parts().map_err(thrown)? {
            Step::Done(parts) if header.index_type.has_lists() => {
                let (count, sizes) = parts.sizes();
                Some(Lists::of(count, sizes))
            }
            _ => None,
        };
        Ok(serde_wasm_bindgen::to_value(&Description {
            count: header.count,
            dimension: header.dimension,
            metric: header.metric.name(),
            index_type: header.index_type.name(),
            lists,
            card: &card,
            checksum,
        })?)
    }

    /// Floats in a query.
    pub fn dimension(&self) -> u32 {
        self.partial.header().dimension
    }

    /// What the last call lacked, merged to at most `most` requests where gaps of `gap` bytes cost less than
    /// another one: starts and ends, in turn.
    pub fn lacks(&self, gap: f64, most: u32) -> Vec<f64> {
        let merged = merge(self.lacks.clone(), gap as u64, most as usize);
        merged.into_iter().flat_map(|range| [range.start as f64, range.end as f64]).collect()
    }

    /// Takes in bytes of the file.
    ///
    /// # Errors
    /// Those of [`Partial::feed`].
    pub fn feed(&mut self, at: f64, bytes: &[u8]) -> Thrown<()> {
        self.partial.feed(at as u64, bytes).map_err(thrown)
    }

    /// Bytes that are held.
    pub fn held_bytes(&self) -> f64 {
        self.partial.held_bytes() as f64
    }

    /// Lets go of all but what every search needs.
    pub fn evict(&mut self) {
        self.partial.evict();
    }

    /// Where the query is to be written.
    pub fn query_pointer(&self) -> *const f32 {
        self.query.as_ptr()
    }

    /// Takes on the options of the searches that follow, as `IndexHandle` does, and whether stored fields will be read.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if they have another shape.
    pub fn prepare(&mut self, options: JsValue, with_fields: bool) -> Thrown<()> {
        self.options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(Error::argument(format!("the search options can't be read: {error}"))))?;
        self.with_fields = with_fields;
        Ok(())
    }

    /// Searches for the query that was written; `coarse` by codes alone.
    ///
    /// # Errors
    /// Those of [`Partial::search`].
    pub fn search(&mut self, coarse: bool) -> Thrown<bool> {
        let mut request = self.options.request(Query::Dense(&self.query));
        if coarse {
            request.rerank = Some(0);
        }
        let found = self.partial.search(&request, self.with_fields, &mut self.scratch);
        Ok(self.there(found)?.map(|hits| self.hits = hits).is_some())
    }

    /// Reads keys and, if they were asked for, stored fields of what was found last.
    ///
    /// # Errors
    /// Those of [`Partial::read`].
    pub fn read(&mut self) -> Thrown<bool> {
        let rows: Vec<u32> = self.hits.iter().map(|hit| hit.row).collect();
        let read = self.partial.read(&rows, self.with_fields);
        let Some(read) = self.there(read)? else { return Ok(false) };
        let (keys, fields): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        self.keys = keys.into_iter().map(from_key).collect();
        self.fields = format!("[{}]", fields.join(","));
        Ok(true)
    }

    /// Rows of what was found last.
    pub fn rows(&self) -> Vec<u32> {
        self.hits.iter().map(|hit| hit.row).collect()
    }

    /// Their distances, as callers know them.
    pub fn distances(&self) -> Vec<f32> {
        let metric = self.partial.header().metric;
        self.hits.iter().map(|hit| metric.to_public(hit.distance)).collect()
    }

    /// Their primary keys, once they are read.
    pub fn keys(&self) -> js_sys::Array {
        self.keys.clone()
    }

    /// Their stored fields, once they are read: the text of a JSON array.
    pub fn fields(&self) -> String {
        self.fields.clone()
    }
}
