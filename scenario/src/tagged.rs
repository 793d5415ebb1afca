//! Enumerations told apart by a `kind` key, without losing the place of an error.
//!
//! Serde's own internally tagged enumerations buffer the whole table first, and an error inside it
//! no longer knows its line. [`TopologyFile`](crate::TopologyFile) therefore moves `kind` to the
//! front of every table, and these enumerations read it first and hand the rest on.

/// Reads the value of `kind` and gives its index among the known ones.
pub(crate) struct KindSeed(pub(crate) &'static [&'static str]);

impl<'de> serde::de::DeserializeSeed<'de> for KindSeed {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl serde::de::Visitor<'_> for KindSeed {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "one of `{}`", self.0.join("`, `"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<usize, E> {
        match self.0.iter().position(|known| *known == value) {
            Some(index) => Ok(index),
            None => Err(E::custom(format!(
                "unknown kind `{value}`, expected one of `{}`",
                self.0.join("`, `")
            ))),
        }
    }
}

/// Declares an enumeration whose variants are told apart by the key `kind` of their table.
macro_rules! tagged_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident($params:ty) = $kind:literal, )+
        }
    ) => {
        #[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
        $(#[$meta])*
        #[serde(tag = "kind")]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $kind)] $variant($params), )+
        }

        impl $name {
            /// The kinds there are, as written in the topology file.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// The value of `kind`.
            pub fn kind(&self) -> &'static str {
                match self { $( $name::$variant(_) => $kind, )+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TableVisitor;
                impl<'de> serde::de::Visitor<'de> for TableVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "a table with `kind` = `{}`", $name::KINDS.join("`, `"))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        use serde::Deserialize as _;
                        use serde::de::Error as _;
                        let first: Option<String> = map.next_key()?;
                        if first.as_deref() != Some("kind") {
                            return Err(A::Error::custom(format!(
                                "missing key `kind`: one of `{}`",
                                $name::KINDS.join("`, `")
                            )));
                        }
                        let index =
                            map.next_value_seed($crate::tagged::KindSeed($name::KINDS))?;
                        let rest = serde::de::value::MapAccessDeserializer::new(map);
                        let kind = $name::KINDS[index];
                        $( if kind == $kind {
                            return <$params>::deserialize(rest).map($name::$variant);
                        } )+
                        unreachable!("the index came from the list of kinds")
                    }
                }
                deserializer.deserialize_map(TableVisitor)
            }
        }
    };
}

pub(crate) use tagged_enum;

/// For enumerations whose first kind is meant where `kind` is left out: says so in the schema.
pub(crate) fn first_kind_is_default(schema: &mut schemars::Schema) {
    let kinds = schema.get_mut("oneOf").and_then(|kinds| kinds.as_array_mut());
    let first = kinds.and_then(|kinds| kinds.first_mut()).and_then(|first| first.as_object_mut());
    let Some(first) = first else { return };
    if let Some(required) = first.get_mut("required").and_then(|names| names.as_array_mut()) {
        required.retain(|name| name != "kind");
        if required.is_empty() {
            first.remove("required");
        }
    }
}
