//! Small numbers in a text: base64 of their bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Integers of 8 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<i8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().map(|&x| x as u8).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|e| D::Error::custom(format!("this is no base64: {e}")))?;
        Ok(Bytes(bytes.into_iter().map(|x| x as i8).collect()))
    }
}
