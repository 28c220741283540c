//! What a registered instance is, and how it is written to a znode: the words that the side which
//! registers and the side which discovers share.
//!
//! # What it is for
//!
//! - [`Endpoint`]: an address and a port that can be called, with exactly one form, because that names a znode.
//! - [`Instance`]: an endpoint with its weight, its tags and the [`Owner`] that wrote it.
//! - [`Format`]: how an instance becomes a znode's name and data, and comes back. [`Plain`] is the
//!   default: it names the znode `127.0.0.1:8897` and writes the JSON that Kitex clients read.
//!
//! # What it promises
//!
//! - Writing is strict: what is written can be read by everybody, or an error names what cannot.
//! - Reading is tolerant: a name that is an endpoint, in any spelling, is always an instance, whatever its data
//!   holds. What was invalid about the data comes along as [`Remark`]s. No input panics.
//! - What can never be called is no endpoint, so that it can neither be registered nor found: port 0, and the
//!   addresses `0.0.0.0` and `::`, by which who calls them reaches itself.
//! - No I/O, no clock, no random numbers: everything that varies is an argument.
//!
//! # What it does not do
//!
//! It resolves no host names, talks to no ensemble, and does not judge whether anybody answers at an endpoint.
//!
//! # Example
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

mod endpoint;
mod format;
mod instance;
mod owner;
mod quoted;

pub use endpoint::{Endpoint, EndpointError, Host, HostName};
pub use format::plain::{MAX_DATA, MAX_READ, MAX_REMARKS, OWNER_PREFIX, Plain};
pub use format::{DecodeError, Decoded, EncodeError, Encoded, Format, JsonType, Remark};
pub use instance::{DEFAULT_WEIGHT, Instance, MAX_WEIGHT};
pub use owner::{Incarnation, IncarnationError, Owner};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
