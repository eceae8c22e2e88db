//! Primary keys as JavaScript has them.

use crate::segment::Key;
#[cfg(not(any(feature = "web-foreign", feature = "web-lazy")))]
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;

/// Numbers beyond this lose digits as JavaScript numbers and go over as BigInt.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// A number, a BigInt or a string.
#[cfg(not(feature = "web-build"))]
pub(super) fn from_key(key: Key) -> JsValue {
    match key {
        Key::Int64(n) => from_number(n),
        Key::VarChar(text) => JsValue::from_str(&text),
    }
}

/// A number, or a BigInt where a number would lose digits.
#[cfg(not(feature = "web-build"))]
pub(super) fn from_number(n: i64) -> JsValue {
    match n.unsigned_abs() > MAX_SAFE_INTEGER as u64 {
        true => js_sys::BigInt::from(n).into(),
        false => JsValue::from_f64(n as f64),
    }
}

/// The key that a JavaScript value stands for; `None` if no row can have it.
#[cfg(not(any(feature = "web-foreign", feature = "web-lazy")))]
pub(super) fn to_key(value: &JsValue) -> Option<Key> {
    if let Some(text) = value.as_string() {
        return Some(Key::VarChar(text));
    }
    if let Some(n) = value.as_f64() {
        return (n.fract() == 0.0 && n.abs() <= MAX_SAFE_INTEGER as f64).then_some(Key::Int64(n as i64));
    }
    value.dyn_ref::<js_sys::BigInt>().and_then(|n| i64::try_from(n.clone()).ok()).map(Key::Int64)
}
