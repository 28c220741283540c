//! What the ensemble knows of an operator.

/// The session of an operator.
#[derive(Debug)]
pub(crate) struct OperatorSession {
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    /// It is over.
    pub(crate) ended: bool,
}
