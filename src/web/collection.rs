//! A collection for JavaScript, which keeps its files: what is to be written comes out as bytes, and
//! counts when JavaScript says that it is durable.

use super::key::{from_key, from_number, to_key};
use super::loader::Loader;
use super::thrown;
use crate::collection::log::log_head;
use crate::collection::{
    Catalog, Collection, Condition, DataType, Draft, Entity, Job, Limits, Manifest, Place, Request, Search, Write,
};
use crate::filter::Value;
use crate::segment::Key;
use crate::words::{Blob, Code, Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

type Thrown<T> = std::result::Result<T, JsValue>;

/// A manifest that was read, and the segments of it that have come.
#[wasm_bindgen]
pub struct Opening {
    manifest: Manifest,
    slot: u8,
    files: Vec<Blob>,
}

#[wasm_bindgen]
impl Opening {
    /// The manifest that counts of two files.
    ///
    /// # Errors
    /// Those of [`Manifest::newest`].
    #[wasm_bindgen(constructor)]
    pub fn new(first: Option<Vec<u8>>, second: Option<Vec<u8>>) -> Thrown<Opening> {
        let manifest = Manifest::newest([first.as_deref(), second.as_deref()]).map_err(thrown)?;
        let is_first = first.is_some_and(|bytes| Manifest::decode(&bytes).is_ok_and(|one| one == manifest));
        Ok(Opening { manifest, slot: u8::from(!is_first), files: Vec::new() })
    }

    /// Which of the two files counts: 0 or 1.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Numbers of the segments' files, in the order in which they are to come.
    pub fn files(&self) -> Vec<f64> {
        self.manifest.segments.iter().map(|segment| segment.file as f64).collect()
    }

    /// The first log that counts.
    pub fn first_log(&self) -> f64 {
        self.manifest.first_log as f64
    }

    /// Takes the next segment's file.
    pub fn add(&mut self, file: Loader) {
        self.files.push(file.into_blob());
    }

    /// The collection, whose logs are to be replayed.
    ///
    /// # Errors
    /// Those of [`Collection::open`].
    pub fn finish(self) -> Thrown<CollectionHandle> {
        Collection::open(self.manifest, self.files).map(CollectionHandle::new).map_err(thrown)
    }
}

/// A collection with what was worked out for it last.
#[wasm_bindgen]
pub struct CollectionHandle {
    collection: Collection,
    limits: Limits,
    write: Option<Write>,
    job: Option<Job>,
    built: Option<Blob>,
    found: Vec<Place>,
    distances: Vec<f32>,
}

#[derive(Serialize)]
struct Replayed {
    records: f64,
    keep: f64,
    cut: f64,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    limit: usize,
    offset: usize,
    filter: Option<String>,
    /// What `{names}` in the filter stand for: a JSON object.
    params: Option<String>,
    radius: Option<f32>,
    range_filter: Option<f32>,
    exact: bool,
}

impl CollectionHandle {
    fn new(collection: Collection) -> Self {
        let limits = Limits::of(collection.schema());
        CollectionHandle {
            collection,
            limits,
            write: None,
            job: None,
            built: None,
            found: Vec::new(),
            distances: Vec::new(),
        }
    }

    /// Keeps a write until it is durable.
    fn worked_out(&mut self, write: Result<Write>) -> Thrown<usize> {
        let write = self.write.insert(write.map_err(thrown)?);
        Ok(write.bytes().len())
    }

    fn draft(&self, key: &JsValue, values: &JsValue, document: String) -> Result<Draft> {
        let key = match key.is_undefined() || key.is_null() {
            true => None,
            false => Some(to_key(key).ok_or_else(|| {
                Error::new(Code::InvalidInput, "a primary key is no integer of 64 bits and no string")
            })?),
        };
        let values: js_sys::Array = values.clone().unchecked_into();
        let fields = self.collection.schema().scalars();
        let values = fields.zip(values.iter()).map(|(field, value)| to_value(field.data_type, &value));
        Ok(Draft { key, values: values.collect(), document })
    }
}

#[wasm_bindgen]
impl CollectionHandle {
    /// A new collection of this schema.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn create(schema: JsValue) -> Thrown<CollectionHandle> {
        let schema = super::schema::read(schema).map_err(thrown)?;
        Collection::create(schema).map(CollectionHandle::new).map_err(thrown)
    }

    /// The schema, as [`Self::create`] takes it.
    ///
    /// # Errors
    /// Never, but for lack of memory.
    pub fn schema(&self) -> Thrown<JsValue> {
        super::schema::write(self.collection.schema())
    }

    /// Does again what a log says: `{ records, keep, cut }`.
    ///
    /// # Errors
    /// Those of [`Collection::replay`].
    pub fn replay(&mut self, number: f64, bytes: &[u8]) -> Thrown<JsValue> {
        let done = self.collection.replay(number as u64, bytes).map_err(thrown)?;
        let done = Replayed { records: done.records as f64, keep: done.keep as f64, cut: done.cut as f64 };
        Ok(serde_wasm_bindgen::to_value(&done)?)
    }

    /// The keys of the write that answered a client's request, if one did.
    pub fn answer(&self, client: f64, number: f64) -> Option<js_sys::Array> {
        let request = Request { client: client as u64, number: number as u64 };
        self.collection.answer(request).map(|keys| keys.iter().cloned().map(from_key).collect())
    }

    /// Names the request that the write answers which was worked out last; returns how many bytes it has then.
    ///
    /// # Errors
    /// Those of [`Write::naming`].
    pub fn name_request(&mut self, client: f64, number: f64) -> Thrown<usize> {
        let write = self.write.take().ok_or_else(|| thrown(Error::argument("there is no write to name")))?;
        self.worked_out(write.naming(Request { client: client as u64, number: number as u64 }))
    }

    /// Works out what puts entities in; returns how many bytes are to be made durable at [`Self::at`].
    ///
    /// # Errors
    /// Those of [`Collection::insert`] and [`Collection::upsert`].
    pub fn put(
        &mut self,
        vectors: Vec<f32>,
        keys: js_sys::Array,
        values: js_sys::Array,
        documents: Vec<String>,
        replace: bool,
    ) -> Thrown<usize> {
        let each = keys.iter().zip(values.iter()).zip(documents);
        let drafts =
            each.map(|((key, values), document)| self.draft(&key, &values, document)).collect::<Result<Vec<_>>>();
        let write = drafts.and_then(|drafts| match replace {
            true => self.collection.upsert(vectors, drafts),
            false => self.collection.insert(vectors, drafts),
        });
        self.worked_out(write)
    }

    /// Works out what takes entities of these keys out.
    ///
    /// # Errors
    /// Those of [`Collection::delete`].
    pub fn remove(&mut self, keys: js_sys::Array) -> Thrown<usize> {
        let keys: Vec<Key> = keys.iter().filter_map(|key| to_key(&key)).collect();
        let write = self.collection.delete(&keys);
        self.worked_out(write)
    }

    /// Works out what takes the entities out for which a filter is true.
    ///
    /// # Errors
    /// Those of [`Collection::delete_where`].
    pub fn remove_where(&mut self, filter: &str, params: Option<String>) -> Thrown<usize> {
        let write = self.collection.delete_where(Condition { text: Some(filter), params: params.as_deref() });
        self.worked_out(write)
    }

    /// Where those bytes are in memory.
    pub fn frame_pointer(&self) -> *const u8 {
        self.write.as_ref().map_or(std::ptr::null(), |write| write.bytes().as_ptr())
    }

    /// Where in the log the bytes belong that were worked out last.
    pub fn at(&self) -> f64 {
        self.write.as_ref().map_or(self.collection.log_bytes(), Write::at) as f64
    }

    /// Applies what was worked out last; returns the keys of its entities.
    ///
    /// # Errors
    /// Those of [`Collection::apply`].
    pub fn apply(&mut self) -> Thrown<js_sys::Array> {
        let write = self.write.take().ok_or_else(|| thrown(Error::argument("there is no write to apply")))?;
        let written = self.collection.apply(write).map_err(thrown)?;
        Ok(written.keys.into_iter().map(from_key).collect())
    }

    /// The number of the log that is written to.
    pub fn log(&self) -> f64 {
        self.collection.log() as f64
    }

    /// Whether it is time for the next log.
    pub fn is_full(&self) -> bool {
        self.collection.is_full(&self.limits)
    }

    /// Whether anything was written to the log.
    pub fn has_log(&self) -> bool {
        self.collection.log_bytes() > log_head(0).len() as u64
    }

    /// Goes on with the next log, whose head is durable.
    pub fn freeze(&mut self) {
        self.collection.freeze();
    }

    /// The number of the file that the next job makes, if there is something to do; with `all`, to put
    /// all segments together.
    ///
    /// # Errors
    /// Those of [`Collection::plan`].
    pub fn plan(&mut self, all: bool) -> Thrown<Option<f64>> {
        self.job = match all {
            true => self.collection.plan_all(),
            false => self.collection.plan(&self.limits),
        }
        .map_err(thrown)?;
        Ok(self.job.as_ref().map(|job| job.file() as f64))
    }

    /// Builds the file of the job that was planned; returns its length, none if nothing is left of its
    /// parts.
    ///
    /// # Errors
    /// Those of [`Job::build`].
    pub fn build(&mut self) -> Thrown<Option<usize>> {
        let file = self.job.as_ref().map_or(Ok(None), Job::build).map_err(thrown)?;
        self.built = file.map(|bytes| Blob::copy_of(&bytes)).transpose().map_err(thrown)?;
        Ok(self.built.as_ref().map(|file| file.len()))
    }

    /// Where that file is in memory.
    pub fn built_pointer(&self) -> *const u8 {
        self.built.as_ref().map_or(std::ptr::null(), |file| file.as_ptr())
    }

    /// Puts what the job built, which is durable, in the place of its parts. Returns the manifest that is
    /// to be made durable.
    ///
    /// # Errors
    /// Those of [`Collection::finish`].
    pub fn finish(&mut self) -> Thrown<Vec<u8>> {
        let job = self.job.take().ok_or_else(|| thrown(Error::argument("there is no job to finish")))?;
        let manifest = self.collection.finish(job, self.built.take()).map_err(thrown)?;
        Ok(manifest.encode())
    }

    /// The manifest as it is.
    pub fn manifest(&self) -> Vec<u8> {
        self.collection.manifest().encode()
    }

    /// The first log that counts.
    pub fn first_log(&self) -> f64 {
        self.collection.manifest().first_log as f64
    }

    /// Numbers of the files that count.
    pub fn files(&self) -> Vec<f64> {
        self.collection.manifest().segments.iter().map(|segment| segment.file as f64).collect()
    }

    /// Rows of each sealed segment, and how many of them are gone: pairs.
    pub fn segments(&self) -> Vec<f64> {
        let pair = |deleted: &crate::words::Bitmap| [deleted.len() as f64, deleted.count() as f64];
        self.collection.manifest().segments.iter().flat_map(|segment| pair(&segment.deleted)).collect()
    }

    /// Looks for the nearest entities; returns how many were found.
    ///
    /// # Errors
    /// Those of [`Collection::search`].
    pub fn search(&mut self, vector: Vec<f32>, options: JsValue) -> Thrown<usize> {
        let options: Options = serde_wasm_bindgen::from_value(options)
            .map_err(|error| thrown(Error::argument(format!("the search options can't be read: {error}"))))?;
        let search = Search {
            vector: &vector,
            limit: options.limit,
            offset: options.offset,
            filter: Condition { text: options.filter.as_deref(), params: options.params.as_deref() },
            radius: options.radius,
            range_filter: options.range_filter,
            exact: options.exact,
        };
        let hits = self.collection.search(&search).map_err(thrown)?;
        self.found = hits.iter().map(|hit| hit.place).collect();
        self.distances = hits.iter().map(|hit| hit.distance).collect();
        Ok(hits.len())
    }

    /// Looks for the entities of a filter; returns how many were found.
    ///
    /// # Errors
    /// Those of [`Collection::query`].
    pub fn query(
        &mut self,
        filter: Option<String>,
        params: Option<String>,
        limit: Option<f64>,
        offset: f64,
    ) -> Thrown<usize> {
        let limit = limit.map(|limit| limit as usize);
        let condition = Condition { text: filter.as_deref(), params: params.as_deref() };
        self.found = self.collection.query(condition, limit, offset as usize).map_err(thrown)?;
        Ok(self.found.len())
    }

    /// Looks for the entities of these keys; returns how many were found.
    pub fn find(&mut self, keys: js_sys::Array) -> usize {
        self.found = keys.iter().filter_map(|key| self.collection.find(&to_key(&key)?)).collect();
        self.found.len()
    }

    /// How many entities a filter is true for.
    ///
    /// # Errors
    /// Those of [`Collection::count`].
    pub fn count(&mut self, filter: Option<String>, params: Option<String>) -> Thrown<usize> {
        let condition = Condition { text: filter.as_deref(), params: params.as_deref() };
        self.collection.count(condition).map_err(thrown)
    }

    /// Distances of what a search found last.
    pub fn distances(&self) -> Vec<f32> {
        self.distances.clone()
    }

    /// What was found last: for each its key, its values in the order of the schema's columns, and, if asked
    /// for, the text of its JSON object (empty for none).
    ///
    /// # Errors
    /// Those of [`Collection::entities`].
    pub fn entities(&self, documents: bool) -> Thrown<js_sys::Array> {
        let entities = self.collection.entities(&self.found, documents).map_err(thrown)?;
        let row = |entity: Entity| {
            let row = js_sys::Array::of1(&from_key(entity.key));
            for value in entity.values {
                row.push(&from_value(value));
            }
            row.push(&JsValue::from_str(&entity.document));
            row
        };
        Ok(entities.into_iter().map(row).collect())
    }

    /// Vectors of what was found last, one after the other.
    ///
    /// # Errors
    /// Those of [`Collection::vector`].
    pub fn vectors(&self) -> Thrown<Vec<f32>> {
        let dimension = self.collection.schema().dimension();
        let mut out = vec![0.0; self.found.len() * dimension];
        for (&place, out) in self.found.iter().zip(out.chunks_exact_mut(dimension)) {
            self.collection.vector(place, out).map_err(thrown)?;
        }
        Ok(out)
    }
}

/// The first bytes of a log.
#[wasm_bindgen]
pub fn head_of_log(number: f64) -> Vec<u8> {
    log_head(number as u64)
}

/// The collections of a database.
#[wasm_bindgen]
pub struct CatalogHandle {
    catalog: Catalog,
    slot: u8,
}

#[wasm_bindgen]
impl CatalogHandle {
    /// The catalog that counts of two files; an empty one if neither is there.
    ///
    /// # Errors
    /// Those of [`Catalog::newest`].
    #[wasm_bindgen(constructor)]
    pub fn new(first: Option<Vec<u8>>, second: Option<Vec<u8>>) -> Thrown<CatalogHandle> {
        let catalog = Catalog::newest([first.as_deref(), second.as_deref()]).map_err(thrown)?;
        let is_first = first.is_some_and(|bytes| Catalog::decode(&bytes).is_ok_and(|one| one == catalog));
        Ok(CatalogHandle { catalog, slot: u8::from(!is_first) })
    }

    /// Which of the two files counts: 0 or 1.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// A copy, to be changed and kept once its bytes are durable.
    pub fn copy(&self) -> CatalogHandle {
        CatalogHandle { catalog: self.catalog.clone(), slot: self.slot }
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        self.catalog.encode()
    }

    /// Names of the collections.
    pub fn names(&self) -> Vec<String> {
        self.catalog.collections().map(|(name, _)| name.to_owned()).collect()
    }

    /// Their numbers, in the same order.
    pub fn numbers(&self) -> Vec<f64> {
        self.catalog.collections().map(|(_, number)| number as f64).collect()
    }

    /// Aliases and the collections that they stand for: pairs.
    pub fn aliases(&self) -> Vec<String> {
        self.catalog.aliases().flat_map(|(alias, name)| [alias.to_owned(), name.to_owned()]).collect()
    }

    /// The number of a collection, by its name or an alias.
    ///
    /// # Errors
    /// Those of [`Catalog::find`].
    pub fn number(&self, name: &str) -> Thrown<f64> {
        self.catalog.find(name).map(|(_, number)| number as f64).map_err(thrown)
    }

    /// The own name of a collection.
    ///
    /// # Errors
    /// Those of [`Catalog::find`].
    pub fn name(&self, name: &str) -> Thrown<String> {
        self.catalog.find(name).map(|(name, _)| name.to_owned()).map_err(thrown)
    }

    /// Adds a collection; returns its number.
    ///
    /// # Errors
    /// Those of [`Catalog::create`].
    pub fn create(&mut self, name: &str) -> Thrown<f64> {
        self.catalog.create(name).map(|number| number as f64).map_err(thrown)
    }

    /// Gives a collection another name.
    ///
    /// # Errors
    /// Those of [`Catalog::rename`].
    pub fn rename(&mut self, from: &str, to: &str) -> Thrown<()> {
        self.catalog.rename(from, to).map_err(thrown)
    }

    /// Takes a collection out; returns its number.
    ///
    /// # Errors
    /// Those of [`Catalog::drop_collection`].
    pub fn drop_collection(&mut self, name: &str) -> Thrown<f64> {
        self.catalog.drop_collection(name).map(|number| number as f64).map_err(thrown)
    }

    /// Lets an alias stand for a collection.
    ///
    /// # Errors
    /// Those of [`Catalog::create_alias`].
    pub fn create_alias(&mut self, alias: &str, collection: &str) -> Thrown<()> {
        self.catalog.create_alias(alias, collection).map_err(thrown)
    }

    /// Lets an alias stand for another collection.
    ///
    /// # Errors
    /// Those of [`Catalog::alter_alias`].
    pub fn alter_alias(&mut self, alias: &str, collection: &str) -> Thrown<()> {
        self.catalog.alter_alias(alias, collection).map_err(thrown)
    }

    /// Takes an alias out.
    ///
    /// # Errors
    /// Those of [`Catalog::drop_alias`].
    pub fn drop_alias(&mut self, alias: &str) -> Thrown<()> {
        self.catalog.drop_alias(alias).map_err(thrown)
    }
}

/// What a JavaScript value is in a field of this type. What fits no type goes on as text, which the field
/// then refuses with its name.
pub(super) fn to_value(data_type: DataType, value: &JsValue) -> Value<'static> {
    if value.is_undefined() || value.is_null() {
        return Value::Null;
    }
    let float = matches!(data_type, DataType::Float | DataType::Double);
    match (value.as_bool(), value.as_string(), value.as_f64(), value.dyn_ref::<js_sys::BigInt>()) {
        (Some(flag), ..) => Value::Bool(flag),
        (_, Some(text), ..) => Value::VarChar(Cow::Owned(text)),
        (.., Some(number), _) if !float && number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
            Value::Int64(number as i64)
        }
        (.., Some(number), _) => Value::Double(number),
        (.., Some(big)) => match i64::try_from(big.clone()) {
            Ok(number) => Value::Int64(number),
            Err(_) => Value::VarChar(Cow::Borrowed("an integer of more than 64 bits")),
        },
        _ => Value::VarChar(Cow::Borrowed("an object")),
    }
}

pub(super) fn from_value(value: Value<'_>) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => JsValue::from_bool(flag),
        Value::Int64(number) => from_number(number),
        Value::Double(number) => JsValue::from_f64(number),
        Value::VarChar(text) => JsValue::from_str(&text),
    }
}
