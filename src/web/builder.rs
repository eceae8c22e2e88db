//! Rows in, a file out: what `build` fills, in an instance of its own that is dropped afterwards.

use super::thrown;
use crate::filter::{ColumnsBuilder, FieldType, Value};
use crate::format::FileWriter;
use crate::index::{BuildParams, normalise_rows};
use crate::segment::{FieldsWriter, Input, PrimaryKeys, build};
use crate::tune::{self, Wish};
use crate::words::{BitsView, Code, Error, IndexType, MatrixView, Metric, Precision, Result};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

thread_local! {
    /// What is told of progress. A build may report from any thread, so it can't hold a function of
    /// JavaScript's itself; here there is one thread.
    static PROGRESS: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
}

/// Collects what an index file is built from.
#[wasm_bindgen]
pub struct Builder {
    rows: Vec<f32>,
    /// In their place, vectors of bits.
    bits: Option<Vec<u8>>,
    dimension: usize,
    keys: PrimaryKeys,
    types: Vec<FieldType>,
    columns: Option<ColumnsBuilder>,
    fields: Option<FieldsWriter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    metric: String,
    index_type: String,
    rerank: Vec<String>,
    bits: u32,
    m: Option<usize>,
    nbits: u32,
    ef_construction: usize,
    nlist: Option<usize>,
    calibrate: usize,
    seed: u64,
    card: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chosen {
    index_type: &'static str,
    rerank: Vec<&'static str>,
    bits: u32,
    reason: String,
}

/// What AUTOINDEX chooses for these vectors: `{ indexType, rerank, bits, reason }`.
///
/// # Errors
/// Those of [`tune::choose`], and `INVALID_ARGUMENT` for a metric that is none.
#[wasm_bindgen]
pub fn choose(
    count: f64,
    dimension: u32,
    metric: &str,
    max_bytes: Option<f64>,
) -> std::result::Result<JsValue, JsValue> {
    let wish = Wish {
        count: count as usize,
        dimension: dimension as usize,
        metric: Metric::parse(metric).map_err(thrown)?,
        max_bytes: max_bytes.map(|bytes| bytes as usize),
    };
    let choice = tune::choose(&wish).map_err(thrown)?;
    Ok(serde_wasm_bindgen::to_value(&Chosen {
        index_type: choice.index_type.name(),
        rerank: choice.precisions.iter().map(|precision| precision.name()).collect(),
        bits: choice.bits,
        reason: choice.reason,
    })?)
}

#[wasm_bindgen]
impl Builder {
    /// Room for so many vectors of so many numbers, or bits.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`; `INVALID_ARGUMENT` or, of bits, `INVALID_INPUT` for a dimension that is none.
    #[wasm_bindgen(constructor)]
    pub fn new(count: f64, dimension: u32, binary: bool) -> std::result::Result<Builder, JsValue> {
        Self::reserve(count, dimension as usize, binary).map_err(thrown)
    }

    fn reserve(count: f64, dimension: usize, binary: bool) -> Result<Builder> {
        if binary {
            // Refuses a dimension that is none.
            BitsView::new(&[], dimension)?;
        } else if dimension == 0 || dimension > MatrixView::MAX_DIMENSION {
            return Err(Error::argument(format!(
                "vectors have {dimension} dimensions; 1 to {} are possible",
                MatrixView::MAX_DIMENSION
            )));
        }
        let numbers = count * dimension as f64;
        let (floats, bytes) = if binary { (0.0, numbers / 8.0) } else { (numbers, 0.0) };
        let (mut rows, mut bits) = (Vec::new(), Vec::new());
        if floats * 4.0 + bytes > f64::from(i32::MAX)
            || rows.try_reserve_exact(floats as usize).is_err()
            || bits.try_reserve_exact(bytes as usize).is_err()
        {
            return Err(Error::new(
                Code::OutOfMemory,
                format!("there is no memory for {count} vectors of {dimension} dimensions; build several indexes"),
            ));
        }
        rows.resize(floats as usize, 0.0);
        bits.resize(bytes as usize, 0);
        Ok(Builder {
            rows,
            bits: binary.then_some(bits),
            dimension,
            keys: PrimaryKeys::RowNumbers,
            types: Vec::new(),
            columns: None,
            fields: None,
        })
    }

    /// Where the vectors are to be written, one after the other.
    pub fn rows_pointer(&self) -> *const u8 {
        self.bits.as_ref().map_or(self.rows.as_ptr().cast(), |bits| bits.as_ptr())
    }

    /// Adds keys: all whole numbers or BigInts, or all strings.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a key of another type.
    pub fn add_keys(&mut self, keys: js_sys::Array) -> std::result::Result<(), JsValue> {
        keys.iter().try_for_each(|key| self.add_key(&key)).map_err(thrown)
    }

    fn add_key(&mut self, key: &JsValue) -> Result<()> {
        use crate::segment::Key;
        if matches!(self.keys, PrimaryKeys::RowNumbers) {
            self.keys = if key.is_string() { PrimaryKeys::VarChar(Vec::new()) } else { PrimaryKeys::Int64(Vec::new()) };
        }
        match (&mut self.keys, super::key::to_key(key)) {
            (PrimaryKeys::Int64(keys), Some(Key::Int64(key))) => keys.push(key),
            (PrimaryKeys::VarChar(keys), Some(Key::VarChar(key))) => keys.push(key),
            _ => {
                return Err(Error::new(
                    Code::InvalidInput,
                    "a key is no integer of 64 bits and no string, or of another type than the keys before it",
                ));
            }
        }
        Ok(())
    }

    /// Begins typed fields, which filters can name.
    ///
    /// # Errors
    /// Those of [`ColumnsBuilder::new`]; `INVALID_ARGUMENT` for a type that is none.
    pub fn set_columns(&mut self, names: Vec<String>, types: Vec<String>) -> std::result::Result<(), JsValue> {
        let parse = || -> Result<(Vec<FieldType>, ColumnsBuilder)> {
            let types = types.iter().map(|name| FieldType::parse(name)).collect::<Result<Vec<_>>>()?;
            let columns = ColumnsBuilder::new(names.iter().map(String::as_str).zip(types.iter().copied()))?;
            Ok((types, columns))
        };
        let (types, columns) = parse().map_err(thrown)?;
        self.types = types;
        self.columns = Some(columns);
        Ok(())
    }

    /// Adds a row of typed fields: a value for each, `null` or `undefined` for none.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a value that doesn't fit its field.
    pub fn add_columns(&mut self, values: js_sys::Array) -> std::result::Result<(), JsValue> {
        let Some(columns) = &mut self.columns else { return Ok(()) };
        for (i, value) in values.iter().enumerate() {
            let text = value.as_string();
            let number = value.as_f64();
            let big = value.dyn_ref::<js_sys::BigInt>().and_then(|n| i64::try_from(n.clone()).ok());
            let value = match (value.as_bool(), &text, number, big) {
                (Some(flag), ..) => Value::Bool(flag),
                (_, Some(text), ..) => Value::from(text.as_str()),
                (_, _, Some(number), _) if self.types.get(i) == Some(&FieldType::Int64) && number.fract() == 0.0 => {
                    Value::Int64(number as i64)
                }
                (_, _, Some(number), _) => Value::Double(number),
                (.., Some(big)) => Value::Int64(big),
                _ => Value::Null,
            };
            columns.push(i, value).map_err(thrown)?;
        }
        Ok(())
    }

    /// Adds a row's stored fields: a JSON text on one line.
    ///
    /// # Errors
    /// Those of [`FieldsWriter::push`].
    pub fn add_fields(&mut self, json: &str) -> std::result::Result<(), JsValue> {
        self.fields.get_or_insert_with(FieldsWriter::new).push(json).map_err(thrown)
    }

    /// Builds the file. `progress` is called with steps done and of how many; what it throws ends the
    /// build, and this instance with it. `reserve` is called with the file's length, then `write` with
    /// places of its bytes in memory, from the first to the last: pointer and length.
    ///
    /// # Errors
    /// Those of [`build`], and what `reserve` and `write` throw.
    pub fn build(
        self,
        options: JsValue,
        progress: js_sys::Function,
        reserve: &js_sys::Function,
        write: &js_sys::Function,
    ) -> std::result::Result<(), JsValue> {
        let options: Options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(Error::argument(format!("the build options can't be read: {error}"))))?;
        PROGRESS.set(Some(progress));
        let Builder { mut rows, bits, dimension, keys, columns, fields, .. } = self;
        let file = lay_out((&mut rows, bits.as_deref()), dimension, keys, columns, fields, options).map_err(thrown)?;
        reserve.call1(&JsValue::NULL, &JsValue::from_f64(file.file_bytes() as f64))?;
        file.write(|piece| {
            let (pointer, length) = (piece.as_ptr() as usize as f64, piece.len() as f64);
            write.call2(&JsValue::NULL, &pointer.into(), &length.into()).map(drop)
        })?;
        Ok(())
    }
}

/// Vectors of floats in the form that is built from.
fn checked(rows: &mut [f32], dimension: usize, metric: Metric) -> Result<MatrixView<'_>> {
    if let Some((row, column)) = MatrixView::new(rows, dimension)?.first_non_finite() {
        let found = rows[row * dimension + column];
        return Err(Error::new(
            Code::InvalidInput,
            format!(
                "vector {row} has {found} at position {column}, where a finite 32-bit float is needed; look at what made the vector"
            ),
        ));
    }
    if metric == Metric::Cosine {
        // In place: the build borrows rows that are normalised already, so they are held once.
        normalise_rows(rows, dimension);
    }
    MatrixView::new(rows, dimension)
}

fn lay_out<'a>(
    (rows, bits): (&'a mut [f32], Option<&'a [u8]>),
    dimension: usize,
    keys: PrimaryKeys,
    columns: Option<ColumnsBuilder>,
    fields: Option<FieldsWriter>,
    options: Options,
) -> Result<FileWriter<'a>> {
    let metric = Metric::parse(&options.metric)?;
    let bits = bits.map(|bits| BitsView::new(bits, dimension)).transpose()?;
    let rows = match bits {
        // Of bits each is right.
        Some(_) => None,
        None => Some(checked(rows, dimension, metric)?),
    };
    let precisions = options.rerank.iter().map(|name| Precision::parse(name)).collect::<Result<Vec<_>>>()?;
    let input = Input {
        rows,
        bits,
        sparse: None,
        text: None,
        index_type: IndexType::parse(&options.index_type)?,
        params: BuildParams {
            metric,
            precisions,
            ef_construction: options.ef_construction,
            nlist: options.nlist,
            bits: options.bits,
            m: options.m,
            nbits: options.nbits,
            calibration_queries: options.calibrate,
            seed: options.seed,
            ..BuildParams::default()
        },
        keys,
        columns,
        fields,
        card: Some(options.card),
    };
    build(input, &|done, of| {
        PROGRESS.with_borrow(|progress| {
            let Some(progress) = progress else { return };
            if let Err(stop) = progress.call2(&JsValue::NULL, &(done as f64).into(), &(of as f64).into()) {
                // Nothing of this instance is used after that.
                wasm_bindgen::throw_val(stop);
            }
        });
    })
}
