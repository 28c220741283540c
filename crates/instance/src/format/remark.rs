//! What was invalid about a znode's data.

use std::fmt;

use serde_json::Value;

use crate::quoted::Quoted;
use crate::{MAX_READ, OWNER_PREFIX};

/// Something invalid in a znode's data that did not keep us from using the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The data is too long to look at.
    Oversized {
        /// Length of the data in bytes.
        len: usize,
    },
    /// The data is not UTF-8.
    NotUtf8,
    /// The data is text, but not JSON.
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1.
        column: usize,
    },
    /// The data is JSON, but not an object.
    NotAnObject {
        /// What it is instead.
        found: JsonType,
    },
    /// The weight is not an integer from 0 to 4294967295; the default is used.
    Weight {
        /// What stands there, cut short.
        found: String,
    },
    /// The tags are not an object; there are none, then.
    Tags {
        /// What they are instead.
        found: JsonType,
    },
    /// The value of a tag is not a string; the tag is left out.
    TagValue {
        /// The key of the tag, cut short.
        key: String,
        /// What it is instead.
        found: JsonType,
    },
    /// A field that this version does not know; it is ignored.
    UnknownField {
        /// The name of the field, cut short.
        field: String,
    },
    /// Facts about an owner without an incarnation; they stay among the tags.
    OwnerWithoutIncarnation,
    /// A fact about the owner that makes no sense; it stays among the tags.
    OwnerFact {
        /// The key of the tag.
        key: &'static str,
    },
    /// A reserved key that this version does not know; it stays among the tags.
    UnknownOwnerFact {
        /// The key of the tag, cut short.
        key: String,
    },
    /// More remarks than are worth keeping.
    More {
        /// How many were left out.
        count: usize,
    },
}

/// The type of a JSON value, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names say it.
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
            Self::Oversized { len } => write!(f, "{len} bytes of data, only up to {MAX_READ} are looked at"),
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
            Self::OwnerFact { key } => write!(f, "the value of tag {key} makes no sense"),
            Self::UnknownOwnerFact { key } => write!(f, "unknown reserved tag {}", Quoted(key)),
            Self::More { count } => write!(f, "{count} more remarks"),
        }
    }
}
