//! The proto3 JSON mapping of field types that serde does not have.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Deref;

/// `bytes`: standard base64 with padding.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;

        impl Visitor<'_> for Base64 {
            type Value = Bytes;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("standard base64 with padding")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                STANDARD.decode(text).map(Bytes).map_err(|error| E::custom(format!("bad base64: {error}")))
            }
        }

        deserializer.deserialize_str(Base64)
    }
}

/// `uint64`: a decimal string, or a number.
#[derive(Debug, Default, Clone, Copy)]
pub struct Uint64(pub u64);

impl<'de> Deserialize<'de> for Uint64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrNumber;

        impl Visitor<'_> for StringOrNumber {
            type Value = Uint64;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an unsigned 64-bit number, or a decimal string of one")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Uint64, E> {
                Ok(Uint64(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Uint64, E> {
                text.parse().map(Uint64).map_err(|error| E::custom(format!("{text:?} is not a uint64: {error}")))
            }
        }

        deserializer.deserialize_any(StringOrNumber)
    }
}

/// A field that is null has its default value, as one that is absent.
pub fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
