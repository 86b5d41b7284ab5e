//! Fields of requests and responses in protobuf's JSON mapping: bytes in base64, 64-bit numbers as decimal strings.

use std::ops::Deref;

use base64::{engine::general_purpose::STANDARD, Engine as _};
use serde::{de::DeserializeOwned, de::Error as _, Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::answers::{Failure, Outcome};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes).map_err(|e| D::Error::custom(format!("bad base64: {e}")))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

/// A `uint64`: a decimal string, or a number where a writer did not care.
#[derive(Clone, Copy, Debug, Default)]
pub struct Number64(pub u64);

impl<'de> Deserialize<'de> for Number64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(u64),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse().map(Number64).map_err(D::Error::custom),
            Written::Number(number) => Ok(Number64(number)),
        }
    }
}

/// Read a message. A field that is null counts as absent, and an absent one has its default.
pub fn read<T: DeserializeOwned>(mut message: Value) -> Outcome<T> {
    if message.is_null() {
        message = Value::Object(serde_json::Map::new());
    }
    if !message.is_object() {
        return Err(Failure::bad_request("the request is not a JSON object"));
    }
    drop_nulls(&mut message);
    serde_json::from_value(message).map_err(|e| Failure::bad_request(format!("the request: {e}")))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
