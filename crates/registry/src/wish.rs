//! What the caller of a registration wants.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The data of a znode. `Debug` shows its length: facts in it differ from process to process.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record(Arc<[u8]>);

/// The state that the caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A znode with this data.
    Present(Record),
    /// No znode of ours, from now on.
    Absent,
}

impl Wish {
    /// Whether a znode with this record is what is wanted.
    pub(crate) fn is_for(&self, record: &Record) -> bool {
        matches!(self, Self::Present(wanted) if wanted == record)
    }
}

impl From<Vec<u8>> for Record {
    fn from(data: Vec<u8>) -> Self {
        Self(data.into())
    }
}

impl Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
