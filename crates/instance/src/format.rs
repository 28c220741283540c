//! [`Format`]: writes instances as znodes and reads them. Each format has a file.

pub(crate) mod plain;
mod remark;

use std::fmt;

use thiserror::Error;

use crate::quoted::Quoted;
use crate::{Endpoint, EndpointError, Instance, MAX_DATA, MAX_WEIGHT, OWNER_PREFIX};

pub use remark::{JsonType, Remark};

/// A way to write instances as znodes, strict in what it writes and tolerant in what it reads.
pub trait Format: fmt::Debug + Send + Sync {
    /// Returns the name by which configurations choose this format.
    fn name(&self) -> &'static str;

    /// Writes an instance.
    ///
    /// # Errors
    /// [`EncodeError`], if a reader could not read the result, or would read something else.
    fn encode(&self, instance: &Instance) -> Result<Encoded, EncodeError>;

    /// Reads the name of a znode: its endpoint, or `None` if only the data has that, as where names are random numbers.
    /// Several names may be spellings of one endpoint, and are then one instance.
    ///
    /// # Errors
    /// [`DecodeError`], if the name is invalid: callers skip such a child.
    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError>;

    /// Reads a znode. The endpoint is that of the name, if the name tells one: then invalid data costs the facts in it,
    /// never the instance.
    ///
    /// # Errors
    /// As [`decode_name`](Self::decode_name), or if neither name nor data tell an endpoint.
    fn decode(&self, segment: &str, data: &[u8]) -> Result<Decoded, DecodeError>;
}

/// A written instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The znode's name: one segment of a path, free of slashes.
    pub segment: String,
    /// The znode's data.
    pub data: Vec<u8>,
}

/// A read instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The instance, with defaults for everything invalid.
    pub instance: Instance,
    /// The invalid parts of the data, for a log; empty for a record that [`Format::encode`] wrote.
    pub remarks: Vec<Remark>,
}

/// Why an instance cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The weight is too large.
    #[error("weight {weight} is too large, expected 0 to {MAX_WEIGHT}")]
    Weight {
        /// The weight.
        weight: u32,
    },
    /// A tag without a key.
    #[error("a tag has an empty key")]
    EmptyKey,
    /// A control character, such as a newline, in the key of a tag.
    #[error("the key of tag {} has a control character", Quoted(.key))]
    ControlCharacter {
        /// The key of the tag.
        key: String,
    },
    /// A tag of the user that could be taken for a fact about the owner.
    #[error("the key of tag {} begins with {OWNER_PREFIX:?}, which is reserved", Quoted(.key))]
    ReservedKey {
        /// The key of the tag.
        key: String,
    },
    /// The data would be too long.
    #[error("{len} bytes of data are too many, expected at most {MAX_DATA}; the longest tag is {}", Quoted(.longest))]
    TooLong {
        /// How long the data would be in bytes.
        len: usize,
        /// The key of the longest tag.
        longest: String,
    },
}

/// Why a znode is not an instance.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The name of the znode is not an endpoint.
    #[error("the znode name {} is not an endpoint: {reason}", Quoted(.segment))]
    NotAnEndpoint {
        /// The name of the znode, as it is.
        segment: String,
        /// Why it is invalid.
        reason: EndpointError,
    },
    /// The name of the znode does not tell the endpoint, and neither does its data.
    #[error("the data of the znode {} has no endpoint: {reason}", Quoted(.segment))]
    NoEndpoint {
        /// The name of the znode.
        segment: String,
        /// What was expected.
        reason: &'static str,
    },
}
