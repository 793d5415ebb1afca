//! So many bytes on the wire, whatever they are.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of a task or of an answer. They travel, each of them 0; their number is all that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payload {
    /// How many.
    pub bytes: u64,
}

impl Payload {
    /// Nothing at all.
    pub const EMPTY: Payload = Payload { bytes: 0 };
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = usize::try_from(self.bytes).map_err(serde::ser::Error::custom)?;
        serializer.serialize_bytes(&vec![0; length])
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        struct Counted;
        impl Visitor<'_> for Counted {
            type Value = Payload;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Payload, E> {
                Ok(Payload { bytes: bytes.len() as u64 })
            }
        }
        deserializer.deserialize_byte_buf(Counted)
    }
}
