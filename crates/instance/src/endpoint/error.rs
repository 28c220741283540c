//! [`EndpointError`]: why a text is not an endpoint.

use thiserror::Error;

/// Why a text is not an endpoint, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no text at all.
    #[error("empty, expected host:port")]
    Empty,
    /// The text is longer than any endpoint.
    #[error("{len} bytes long, expected host:port in at most {max}")]
    TooLong {
        /// Length of the text in bytes.
        len: usize,
        /// Length of the longest endpoint in bytes.
        max: usize,
    },
    /// A character that occurs in no endpoint: white space, a control character, a letter outside ASCII.
    #[error("unexpected character {found:?}, expected host:port")]
    UnexpectedChar {
        /// The first such character.
        found: char,
    },
    /// No port follows the host.
    #[error("no port, expected host:port")]
    MissingPort,
    /// The port is not a plain decimal number.
    #[error("the port is not a decimal number without sign and leading zeros")]
    PortSyntax,
    /// The port is 0.
    #[error("the port is 0, expected 1 to 65535")]
    PortZero,
    /// The port is a number, but too large.
    #[error("the port is out of range, expected 1 to 65535")]
    PortOutOfRange,
    /// No host stands before the port.
    #[error("no host, expected host:port")]
    EmptyHost,
    /// More than one colon outside of brackets.
    #[error("more than one colon, an IPv6 address needs brackets as in [::1]:8897")]
    BracketsMissing,
    /// An opening bracket without its counterpart.
    #[error("no closing bracket, expected an IPv6 address as in [::1]:8897")]
    UnclosedBracket,
    /// Something else than a colon follows the closing bracket.
    #[error("text after the closing bracket, expected a colon and a port as in [::1]:8897")]
    TextAfterBracket,
    /// The text between the brackets is no IPv6 address.
    #[error("no IPv6 address between the brackets")]
    Ipv6Syntax,
    /// An IPv6 address with a zone or scope, which means something on one machine only.
    #[error("an IPv6 zone id, which has no meaning on other machines")]
    ZoneId,
    /// The host ends in a number like an IPv4 address, but is none.
    #[error("the host ends in a number but is no IPv4 address, expected four numbers from 0 to 255")]
    Ipv4Syntax,
    /// The host name is too long.
    #[error("the host name has {len} bytes, expected at most {max}")]
    NameTooLong {
        /// Length of the name in bytes.
        len: usize,
        /// Length of the longest host name in bytes.
        max: usize,
    },
    /// A character that occurs in no host name.
    #[error("unexpected character {found:?} in the host name, expected letters, digits, '-', '_' and '.'")]
    NameChar {
        /// The first such character.
        found: char,
    },
    /// A part of the host name between dots is empty, longer than 63 bytes, or begins or ends with a hyphen.
    #[error("a part of the host name is empty, over 63 bytes, or has a hyphen at its edge")]
    NameLabel,
    /// The host is `0.0.0.0` or `::`, in any spelling.
    #[error(
        "0.0.0.0 and :: are addresses to listen on, and nobody can call them; expected an address or a name of \
         this machine that callers can reach"
    )]
    Unspecified,
}
