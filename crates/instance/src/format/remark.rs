//! Remarks about invalid data of a znode.

use std::fmt;

use serde_json::Value;

use crate::quoted::Quoted;
use crate::{MAX_READ, OWNER_PREFIX};

/// A part of a znode's data that is invalid. It is ignored, and the instance is used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The data is too long, and is ignored.
    Oversized {
        /// Length of the data in bytes.
        len: usize,
    },
    /// The data is not UTF-8, and is ignored.
    NotUtf8,
    /// The data is text, but not JSON, and is ignored.
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// The data is JSON, but not an object, and is ignored.
    NotAnObject {
        /// The type of the value.
        found: JsonType,
    },
    /// The weight is not an integer from 0 to 4294967295; the default is used.
    Weight {
        /// The value, cut short.
        found: String,
    },
    /// The tags are not an object; the instance has none.
    Tags {
        /// The type of the value.
        found: JsonType,
    },
    /// The value of a tag is not a string; the tag is left out.
    TagValue {
        /// The key of the tag, cut short.
        key: String,
        /// The type of the value.
        found: JsonType,
    },
    /// A field that this version does not know; it is ignored.
    UnknownField {
        /// The name of the field, cut short.
        field: String,
    },
    /// Facts about an owner without an incarnation; they stay among the tags.
    OwnerWithoutIncarnation,
    /// A fact about the owner is invalid, or what it says of the instance; it stays among the tags.
    OwnerFact {
        /// The key of the tag.
        key: &'static str,
    },
    /// A reserved key that this version does not know; it stays among the tags.
    UnknownOwnerFact {
        /// The key of the tag, cut short.
        key: String,
    },
    /// There are more remarks than [`MAX_REMARKS`](crate::MAX_REMARKS).
    More {
        /// How many were left out.
        count: usize,
    },
}

/// The type of a JSON value, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of JSON")]
pub enum JsonType {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl JsonType {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversized { len } => {
                write!(f, "{len} bytes of data are too many, expected at most {MAX_READ}")
            }
            Self::NotUtf8 => f.write_str("the data is not UTF-8"),
            Self::NotJson { line, column } => {
                write!(f, "the data is not JSON, from line {line}, column {column}")
            }
            Self::NotAnObject { found } => write!(f, "the data is {found}, expected a JSON object"),
            Self::Weight { found } => {
                write!(f, "weight {} is not an integer from 0 to {}", Quoted(found), u32::MAX)
            }
            Self::Tags { found } => write!(f, "the tags are {found}, expected an object"),
            Self::TagValue { key, found } => {
                write!(f, "the value of tag {} is {found}, expected a string", Quoted(key))
            }
            Self::UnknownField { field } => write!(f, "unknown field {}", Quoted(field)),
            Self::OwnerWithoutIncarnation => {
                write!(f, "{OWNER_PREFIX}* tags without an incarnation name no owner")
            }
            Self::OwnerFact { key } => write!(f, "the value of tag {key} is invalid"),
            Self::UnknownOwnerFact { key } => write!(f, "unknown reserved tag {}", Quoted(key)),
            Self::More { count } => write!(f, "{count} more remarks"),
        }
    }
}
