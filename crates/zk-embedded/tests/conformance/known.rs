//! Where the embedded server is known to answer otherwise, and why that is left so.
//!
//! Such a case must differ: one that has come to agree has to leave this list.

/// Cases by name, with what is different.
pub(crate) const KNOWN: [(&str, &str); 5] = [
    ("plain: sync  of odd paths", "Apache writes characters beyond the basic plane as two surrogates"),
    ("multiRead: of a write", "behind its error Apache sends the body of an empty multi"),
    ("unknown op: -10", "createSession, sent by a client: Apache takes a zxid and goes on, we close"),
    ("frame: sasl with a token", "a null token: Apache closes the connection, we answer with a null token"),
    ("frame: with a null path", "sync of a null path: Apache answers null, we answer an empty path"),
];

/// What is different, if the case is on the list.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason)
}
