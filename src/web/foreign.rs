//! An open file of another library: a query in, hits out, with the library's own ids.

use super::key::from_key;
use super::thrown;
use crate::convert::Parts;
use crate::foreign::{Foreign, Groups, Hints, Query, SearchParams};
use crate::segment::Key;
use crate::words::{AlignedBuffer, Error, Result};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// What a file says of itself that was another library's.
const CARD: &str = "{}";

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    limit: usize,
    ef: Option<usize>,
    nprobe: Option<usize>,
    search_k: Option<usize>,
    k_factor: Option<f32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    format: &'a str,
    count: usize,
    dimension: usize,
    metric: &'a str,
    index_type: &'a str,
    binary: bool,
    lists: Option<Lists>,
    levels: Option<Vec<usize>>,
}

#[derive(Serialize)]
struct Lists {
    count: usize,
    least: usize,
    median: usize,
    most: usize,
}

impl Lists {
    /// What lists hold of which those that aren't empty have these sizes, from the smallest up.
    fn of(count: usize, sizes: &[usize]) -> Self {
        // The empty ones are the smallest.
        let nth = |i: usize| i.checked_sub(count - sizes.len()).map_or(0, |i| sizes[i]);
        let last = count.saturating_sub(1);
        Lists { count, least: nth(0), median: nth(last / 2), most: nth(last) }
    }
}

/// An open file of another library with the buffers that JavaScript shares: the query is written
/// into one, rows and distances are read from two others. Pointers stay valid until the next call.
#[wasm_bindgen]
pub struct ForeignHandle {
    index: Foreign,
    params: SearchParams,
    /// For an index of bits, a number a byte of them.
    query: Vec<f32>,
    bits: Vec<u8>,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

impl ForeignHandle {
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        let index = Foreign::open(file, hints)?;
        let numbers = if index.is_binary() { index.dimension().div_ceil(8) } else { index.dimension() };
        Ok(ForeignHandle {
            index,
            params: SearchParams::default(),
            query: vec![0.0; numbers],
            bits: Vec::new(),
            rows: Vec::new(),
            distances: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let query = if self.index.is_binary() {
            self.bits.clear();
            self.bits.extend(self.query.iter().map(|&byte| byte as u8));
            Query::Bits(&self.bits)
        } else {
            Query::Floats(&self.query)
        };
        let hits = self.index.search(query, &self.params, None)?;
        let measure = self.index.measure();
        self.rows.clear();
        self.rows.extend(hits.iter().map(|hit| hit.row));
        self.distances.clear();
        self.distances.extend(hits.iter().map(|hit| measure.to_public(hit.distance)));
        Ok(())
    }
}

#[wasm_bindgen]
impl ForeignHandle {
    /// What the file holds, as a plain object.
    pub fn describe(&self) -> std::result::Result<JsValue, JsValue> {
        let (lists, levels) = match self.index.groups() {
            Some(Groups::Lists { count, sizes }) if count >= sizes.len().max(1) => {
                (Some(Lists::of(count, &sizes)), None)
            }
            Some(Groups::Levels(levels)) => (None, Some(levels)),
            _ => (None, None),
        };
        let description = Description {
            format: self.index.format().name(),
            count: self.index.count(),
            dimension: self.index.dimension(),
            metric: self.index.measure().name(),
            index_type: &self.index.index_type(),
            binary: self.index.is_binary(),
            lists,
            levels,
        };
        Ok(serde_wasm_bindgen::to_value(&description)?)
    }

    /// Numbers in a query: a float a dimension, or a byte for eight bits.
    pub fn dimension(&self) -> usize {
        self.query.len()
    }

    /// Where the query is to be written: as many floats as [`Self::dimension`] says.
    pub fn query_pointer(&self) -> *const f32 {
        self.query.as_ptr()
    }

    /// Takes on the options of the searches that follow: `{ limit, ef, nprobe, searchK, kFactor }`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if they have another shape.
    pub fn prepare(&mut self, options: JsValue) -> std::result::Result<(), JsValue> {
        let options: Options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(Error::argument(format!("the search options can't be read: {error}"))))?;
        self.params = SearchParams {
            limit: options.limit,
            nprobe: options.nprobe,
            ef: options.ef,
            search_k: options.search_k,
            k_factor: options.k_factor,
        };
        Ok(())
    }

    /// Searches for the query that was written; returns how many rows were found.
    ///
    /// # Errors
    /// Those of [`Foreign::search`].
    pub fn search(&mut self) -> std::result::Result<usize, JsValue> {
        self.run().map_err(thrown)?;
        Ok(self.rows.len())
    }

    /// Where the rows that were found last are.
    pub fn rows_pointer(&self) -> *const u32 {
        self.rows.as_ptr()
    }

    /// Where their distances are, as the library gives them.
    pub fn distances_pointer(&self) -> *const f32 {
        self.distances.as_ptr()
    }

    /// Their ids: an array of numbers, or BigInts where a number would lose digits.
    pub fn keys(&self) -> js_sys::Array {
        self.rows.iter().map(|&row| from_key(Key::Int64(self.index.id(row)))).collect()
    }

    /// Writes the vector of a row to where queries are written, as near as the index kept it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row, or the index can't tell its vector.
    pub fn load_vector(&mut self, row: u32) -> std::result::Result<(), JsValue> {
        let count = self.index.count();
        let fault = if row as usize >= count {
            format!("there is no row {row}; the file has {count}")
        } else if self.index.is_binary() || !self.index.vector(row, &mut self.query) {
            format!("{} keeps nothing that a vector could be made of", self.index.index_type())
        } else {
            return Ok(());
        };
        Err(thrown(Error::argument(fault)))
    }

    /// The index as an `.elanus` file that keeps its lists or links. `write` is called with places of its bytes
    /// in memory, from the first to the last: pointer and length.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` or `INVALID_ARGUMENT` with why such a file can't answer as this index does; what
    /// `write` throws.
    pub fn keep(&self, write: &js_sys::Function) -> std::result::Result<(), JsValue> {
        let parts = Parts::of_foreign(&self.index, None).map_err(thrown)?;
        let file = parts.keep(0, CARD.into()).map_err(thrown)?;
        file.write(|piece| {
            let (pointer, length) = (piece.as_ptr() as usize as f64, piece.len() as f64);
            write.call2(&JsValue::NULL, &pointer.into(), &length.into()).map(drop)
        })?;
        Ok(())
    }

    /// What the library calls a row: a number, or a BigInt where a number would lose digits.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row.
    pub fn key(&self, row: u32) -> std::result::Result<JsValue, JsValue> {
        if row as usize >= self.index.count() {
            return Err(thrown(Error::argument(format!("there is no row {row}; the file has {}", self.index.count()))));
        }
        Ok(from_key(Key::Int64(self.index.id(row))))
    }
}
