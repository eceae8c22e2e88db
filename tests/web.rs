//! The bindings, called from JavaScript's side in a browser: what goes in through views on memory
//! and comes out as plain values is what the core itself answers.
#![cfg(target_arch = "wasm32")]

use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::segment::{FieldsWriter, Input, PrimaryKeys, Request, Scratch, Sealed, build};
use elanus::web::{IndexHandle, Loader, inspect};
use elanus::words::random::SplitMix64;
use elanus::words::{Blob, IndexType, MatrixView, Metric, Precision};
use js_sys::{Array, BigInt, Float32Array, JSON, Object, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const ROWS: usize = 300;
const DIMENSION: usize = 20;
const TYPES: [IndexType; 5] =
    [IndexType::Flat, IndexType::ScanRabitq, IndexType::Hnsw, IndexType::IvfSq8, IndexType::IvfRabitq];

fn vectors(rows: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..rows * DIMENSION).map(|_| random.normal_f32()).collect()
}

/// The last two keys are the first that a JavaScript number can't hold.
fn number_keys() -> Vec<i64> {
    let mut keys: Vec<i64> = (0..ROWS as i64).map(|row| 2 * row - 100).collect();
    keys[ROWS - 2] = (1 << 53) + 1;
    keys[ROWS - 1] = i64::MIN;
    keys
}

fn file(index_type: IndexType, metric: Metric, keys: PrimaryKeys) -> Vec<u8> {
    let data = vectors(ROWS, 1);
    let mut columns = ColumnsBuilder::new([("row", FieldType::Int64)]).unwrap();
    let mut fields = FieldsWriter::new();
    for row in 0..ROWS {
        columns.push(0, Value::Int64(row as i64)).unwrap();
        fields.push(&format!("{{\"row\":{row},\"text\":\"the {row}th\"}}")).unwrap();
    }
    let input = Input {
        rows: Some(MatrixView::new(&data, DIMENSION).unwrap()),
        bits: None,
        sparse: None,
        text: None,
        index_type,
        params: BuildParams { metric, precisions: vec![Precision::Int8, Precision::F32], ..BuildParams::default() },
        keys,
        columns: Some(columns),
        fields: Some(fields),
        card: Some("{\"name\":\"a test\"}".into()),
    };
    build(input, &|_, _| {}).unwrap().into_bytes()
}

fn memory() -> JsValue {
    wasm_bindgen::memory().unchecked_into::<js_sys::WebAssembly::Memory>().buffer()
}

/// Streams a file in as JavaScript does, in pieces.
fn load(bytes: &[u8]) -> Loader {
    let loader = Loader::new(bytes.len() as f64).ok().unwrap();
    let start = loader.pointer() as u32;
    for (i, piece) in bytes.chunks(1000).enumerate() {
        let at = start + (i * 1000) as u32;
        Uint8Array::new_with_byte_offset_and_length(&memory(), at, piece.len() as u32).copy_from(piece);
    }
    loader
}

fn open(bytes: &[u8]) -> IndexHandle {
    load(bytes).open(true).ok().unwrap()
}

fn prepare(handle: &mut IndexHandle, options: &str) -> Result<(), JsValue> {
    handle.prepare(JSON::parse(options).unwrap())
}

fn search(handle: &mut IndexHandle, query: &[f32]) -> Result<(Vec<u32>, Vec<f32>), JsValue> {
    let at = handle.query_pointer() as u32;
    Float32Array::new_with_byte_offset_and_length(&memory(), at, query.len() as u32).copy_from(query);
    let found = handle.search()? as u32;
    let rows = Uint32Array::new_with_byte_offset_and_length(&memory(), handle.rows_pointer() as u32, found);
    let distances = Float32Array::new_with_byte_offset_and_length(&memory(), handle.distances_pointer() as u32, found);
    Ok((rows.to_vec(), distances.to_vec()))
}

fn text(object: &JsValue, name: &str) -> String {
    Reflect::get(object, &name.into()).unwrap().as_string().unwrap()
}

/// What was thrown must be `{ code, message }` and no more than that.
fn code<T>(result: Result<T, JsValue>) -> String {
    let error = result.err().expect("this must be refused");
    assert_eq!(Object::keys(error.unchecked_ref::<Object>()).length(), 2);
    assert!(text(&error, "message").len() > 20);
    text(&error, "code")
}

#[wasm_bindgen_test]
fn searches_answer_what_the_core_answers() {
    for index_type in TYPES {
        for &metric in Metric::DENSE {
            let bytes = file(index_type, metric, PrimaryKeys::RowNumbers);
            let sealed = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
            let mut handle = open(&bytes);
            for (options, request) in [
                ("{\"limit\":7}", Request { limit: 7, ..Request::new(&[]) }),
                ("{\"limit\":5,\"exact\":true}", Request { limit: 5, exact: true, ..Request::new(&[]) }),
                (
                    "{\"limit\":9,\"filter\":\"row < 40\",\"rerank\":50,\"ef\":60,\"nprobe\":2}",
                    Request {
                        limit: 9,
                        filter: Some("row < 40"),
                        rerank: Some(50),
                        ef: Some(60),
                        nprobe: Some(2),
                        ..Request::new(&[])
                    },
                ),
            ] {
                prepare(&mut handle, options).unwrap();
                for query in vectors(4, 2).chunks_exact(DIMENSION) {
                    let (rows, distances) = search(&mut handle, query).unwrap();
                    let hits = sealed
                        .search(&Request { query: query.into(), ..request.clone() }, &mut Scratch::default())
                        .unwrap();
                    assert_eq!(rows, hits.iter().map(|hit| hit.row).collect::<Vec<_>>());
                    let public: Vec<f32> = hits.iter().map(|hit| metric.to_public(hit.distance)).collect();
                    assert_eq!(distances, public);
                    assert_eq!(rows.len(), request.limit);
                }
            }
        }
    }
}

#[wasm_bindgen_test]
fn a_description_is_a_plain_object() {
    let handle = open(&file(IndexType::Hnsw, Metric::Ip, PrimaryKeys::RowNumbers));
    let description = handle.describe().unwrap();
    let names = Object::keys(description.unchecked_ref::<Object>());
    assert_eq!(names.join(","), "count,dimension,metric,indexType,card,textField,hasSparse");
    assert_eq!(Reflect::get(&description, &"count".into()).unwrap(), ROWS as u32);
    assert_eq!(Reflect::get(&description, &"dimension".into()).unwrap(), DIMENSION as u32);
    assert_eq!(text(&description, "metric"), "IP");
    assert_eq!(text(&description, "indexType"), "HNSW");
    assert_eq!(text(&description, "card"), "{\"name\":\"a test\"}");
    assert_eq!(handle.dimension() as usize, DIMENSION);
    let lists = open(&file(IndexType::IvfFlat, Metric::Ip, PrimaryKeys::RowNumbers)).describe().unwrap();
    let lists = Reflect::get(&lists, &"lists".into()).unwrap();
    assert_eq!(Object::keys(lists.unchecked_ref::<Object>()).join(","), "count,least,median,most");
}

#[wasm_bindgen_test]
fn keys_are_numbers_while_they_can_be() {
    let keys = number_keys();
    let mut handle = open(&file(IndexType::Flat, Metric::L2, PrimaryKeys::Int64(keys.clone())));
    prepare(&mut handle, "{\"limit\":300}").unwrap();
    let (rows, _) = search(&mut handle, &vectors(1, 3)).unwrap();
    for (row, key) in rows.iter().zip(handle.keys().unwrap()) {
        match keys[*row as usize] {
            big if big.unsigned_abs() > (1 << 53) - 1 => {
                assert_eq!(i64::try_from(key.unchecked_into::<BigInt>()).ok(), Some(big));
            }
            small => assert_eq!(key.as_f64(), Some(small as f64)),
        }
    }
}

#[wasm_bindgen_test]
fn rows_are_found_by_any_form_of_their_key() {
    let keys = number_keys();
    let mut handle = open(&file(IndexType::Flat, Metric::L2, PrimaryKeys::Int64(keys.clone())));
    let asked = Array::of(&[
        JsValue::from_f64(-100.0),
        BigInt::from(-98i64).into(),
        BigInt::from(i64::MIN).into(),
        JsValue::from_f64(0.5),
        JsValue::from_f64(f64::NAN),
        BigInt::from(u64::MAX).into(),
        JsValue::from_str("-100"),
        JsValue::NULL,
        JsValue::from_f64(7.0),
    ]);
    assert_eq!(handle.find(asked), 3);
    let rows = Uint32Array::new_with_byte_offset_and_length(&memory(), handle.rows_pointer() as u32, 3);
    assert_eq!(rows.to_vec(), [0, 1, ROWS as u32 - 1]);

    let names = (0..ROWS).map(|row| format!("k{row}")).collect();
    let mut handle = open(&file(IndexType::Flat, Metric::L2, PrimaryKeys::VarChar(names)));
    assert_eq!(handle.find(Array::of(&["k7".into(), 7.into(), "k300".into()])), 1);
    assert_eq!(handle.keys().unwrap().get(0).as_string().as_deref(), Some("k7"));
}

#[wasm_bindgen_test]
fn fields_come_as_one_text_for_all_hits() {
    let mut handle = open(&file(IndexType::Flat, Metric::L2, PrimaryKeys::RowNumbers));
    assert_eq!(handle.find(Array::of(&[5.into(), 17.into()])), 2);
    let expected = "[{\"row\":5,\"text\":\"the 5th\"},{\"row\":17,\"text\":\"the 17th\"}]";
    assert_eq!(handle.fields().unwrap(), expected);
    assert_eq!(handle.find(Array::new()), 0);
    assert_eq!(handle.fields().unwrap(), "[]");
}

#[wasm_bindgen_test]
fn failures_are_codes_and_messages() {
    let bytes = file(IndexType::ScanRabitq, Metric::Cosine, PrimaryKeys::RowNumbers);
    let mut handle = open(&bytes);
    for wrong in ["5", "{\"limit\":\"many\"}", "{\"limit\":-1}", "{\"limit\":5,\"filter\":{}}"] {
        assert_eq!(code(prepare(&mut handle, wrong)), "INVALID_ARGUMENT", "{wrong}");
    }
    for (options, expected) in [
        ("{\"limit\":0}", "INVALID_ARGUMENT"),
        ("{\"limit\":5,\"filter\":\"row <\"}", "INVALID_FILTER"),
        ("{\"limit\":5,\"filter\":\"column < 5\"}", "FIELD_NOT_FOUND"),
    ] {
        prepare(&mut handle, options).unwrap();
        assert_eq!(code(search(&mut handle, &[1.0; DIMENSION])), expected, "{options}");
    }
    prepare(&mut handle, "{\"limit\":5}").unwrap();
    assert_eq!(code(search(&mut handle, &[f32::NAN; DIMENSION])), "INVALID_VECTOR");
    // And it still works.
    assert_eq!(search(&mut handle, &[1.0; DIMENSION]).unwrap().0.len(), 5);

    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(code(load(&damaged).open(true)), "CORRUPT_FILE");
    assert!(load(&damaged).open(false).is_ok());
    assert_eq!(code(load(&bytes[..bytes.len() - 1]).open(true)), "CORRUPT_FILE");
    assert_eq!(code(load(b"<!doctype html>").open(true)), "UNSUPPORTED_FORMAT");
    for bytes in [2_147_483_648.0, 5e9, 1e300] {
        assert_eq!(code(Loader::new(bytes)), "OUT_OF_MEMORY");
    }
}

#[wasm_bindgen_test]
fn the_first_bytes_tell_the_length_of_the_whole() {
    let bytes = file(IndexType::Flat, Metric::L2, PrimaryKeys::RowNumbers);
    let whole = bytes.len() as f64;
    assert_eq!(inspect(&bytes[..2176], None), Ok(whole));
    assert_eq!(inspect(&bytes[..2176], Some(whole)), Ok(whole));
    assert_eq!(code(inspect(&bytes[..2176], Some(whole - 1.0))), "CORRUPT_FILE");
    assert_eq!(code(inspect(&bytes[..100], None)), "CORRUPT_FILE");
    assert_eq!(code(inspect(b"", None)), "CORRUPT_FILE");
    assert_eq!(code(inspect(b"PK\x03\x04 a zip file, as anyone can see", None)), "UNSUPPORTED_FORMAT");
}
