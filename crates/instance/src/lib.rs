//! What a registered instance is, and how it is written to a znode. The crates that register and the crates that
//! discover share these types; there is no I/O, no clock and no randomness in them: everything that varies is an
//! argument.
//!
//! ```
//! use instance::{Endpoint, Format, Instance, Plain};
//!
//! let endpoint: Endpoint = "127.0.0.1:8897".parse()?;
//! let written = Plain.encode(&Instance::new(endpoint).with_tag("zone", "a"))?;
//! assert_eq!(written.segment, "127.0.0.1:8897");
//! assert_eq!(written.data, br#"{"Weight":100,"Tags":{"zone":"a"}}"#);
//!
//! // A znode without data is an instance, too.
//! let read = Plain.decode("127.0.0.1:8898", b"")?;
//! assert_eq!(read.instance.weight(), instance::DEFAULT_WEIGHT);
//! assert!(read.remarks.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Endpoint`]: an address and a port that can be called, with exactly one form, as it names a znode. Port 0,
//!   `0.0.0.0` and `::` (by which a caller reaches itself) are no endpoints: they can neither be registered nor
//!   found.
//! - [`Instance`]: an endpoint with its weight, its tags, whether it is draining, and the [`Owner`] that wrote it.
//! - [`Format`]: writes an instance as a znode's name and data, and reads it. Writing is strict: every reader
//!   understands the result, or an error names what is invalid. Reading is tolerant: a name that is an endpoint, in
//!   any spelling, is an instance whatever its data; [`Remark`]s report the parts of the data that are invalid (16 at
//!   most, and one that counts the rest). No input panics.
//! - [`Plain`]: the default format, with the JSON that Kitex clients read.
//!
//! # The znode
//!
//! An instance is one EPHEMERAL znode below the root of its service, with that name and that data. Who leaves on purpose tells
//! so: one transaction writes the znode (any data, at its version) and deletes it (at the next version). Readers that get the
//! two events next to each other believe the leave at once; any other deletion may be held as part of a mass disappearance.
//!
//! # Serde
//!
//! Endpoints, instances and owners serialise, for logs, interfaces and files of one's own; a [`Format`] decides what a znode
//! has. An endpoint and an incarnation are text. A field that is missing has its default, an unknown one is ignored:
//! `{"endpoint":"10.0.0.7:80","weight":100,"tags":{"zone":"a"},"draining":false}`. With the cargo feature `http`, an endpoint
//! is an `http::uri::Authority`.
//!
//! Host names are not resolved here, and nothing checks whether a server answers at an endpoint.

mod endpoint;
mod format;
mod instance;
mod owner;
mod quoted;

pub use endpoint::{Endpoint, EndpointError, Host, HostName, NotAnAddress};
pub use format::plain::{MAX_DATA, MAX_READ, MAX_REMARKS, OWNER_PREFIX, Plain};
pub use format::{DecodeError, Decoded, EncodeError, Encoded, Format, JsonType, Remark};
pub use instance::{DEFAULT_WEIGHT, Instance, MAX_WEIGHT};
pub use owner::{Incarnation, IncarnationError, Owner};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
