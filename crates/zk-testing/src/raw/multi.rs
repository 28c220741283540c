use super::types::{Acl, CreateMode, Stat};
use super::{Error, client};
use crate::jute::{Reader, Writer};
use crate::op;

/// One operation of [`Client::multi`](super::Client::multi).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiOp {
    /// Creates a node.
    Create {
        /// Its path.
        path: String,
        /// Its data.
        data: Vec<u8>,
        /// How long it lives.
        mode: CreateMode,
        /// Who may do what with it.
        acl: Vec<Acl>,
    },
    /// Deletes a node.
    Delete {
        /// Its path.
        path: String,
        /// The version it must have, if it matters.
        version: Option<i32>,
    },
    /// Writes a node's data.
    Set {
        /// Its path.
        path: String,
        /// The new data.
        data: Vec<u8>,
        /// The version it must have, if it matters.
        version: Option<i32>,
    },
    /// Demands that a node has a version.
    Check {
        /// Its path.
        path: String,
        /// The version it must have.
        version: i32,
    },
}

/// What one operation of a multi returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// A node was created under this path.
    Created(String),
    /// A node was deleted.
    Deleted,
    /// A node's data was written.
    Set(Stat),
    /// The version was the one demanded.
    Checked,
}

impl MultiOp {
    /// Creates a node that everybody may use.
    pub fn create(path: impl Into<String>, data: impl Into<Vec<u8>>, mode: CreateMode) -> Self {
        Self::Create { path: path.into(), data: data.into(), mode, acl: vec![Acl::open()] }
    }

    /// Deletes a node.
    pub fn delete(path: impl Into<String>, version: Option<i32>) -> Self {
        Self::Delete { path: path.into(), version }
    }

    pub(super) fn write(writer: Writer, operation: &Self) -> Writer {
        let header = |code| writer.int(code).bool(false).int(-1);
        match operation {
            Self::Create { path, data, mode, acl } => {
                let code = if *mode == CreateMode::Container { op::CREATE_CONTAINER } else { op::CREATE };
                header(code).string(path).buffer(data).each(acl, Acl::write).int(mode.flags())
            }
            Self::Delete { path, version } => header(op::DELETE).string(path).int(client::any(*version)),
            Self::Set { path, data, version } => {
                header(op::SET_DATA).string(path).buffer(data).int(client::any(*version))
            }
            Self::Check { path, version } => header(op::CHECK).string(path).int(*version),
        }
    }
}

/// Ends the list of operations.
pub(super) fn end(writer: Writer) -> Writer {
    writer.int(-1).bool(true).int(-1)
}

/// Reads the results up to the end of their list.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<MultiResult>, Error> {
    let mut results = Vec::new();
    let mut errors = Vec::new();
    loop {
        let (code, done, _) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            break;
        }
        match code {
            op::CREATE | op::CREATE_CONTAINER => results.push(MultiResult::Created(reader.string()?)),
            op::DELETE => results.push(MultiResult::Deleted),
            op::SET_DATA => results.push(MultiResult::Set(Stat::read(reader)?)),
            op::CHECK => results.push(MultiResult::Checked),
            -1 => errors.push(reader.int()?),
            _ => return Err(Error::Malformed),
        }
    }
    match culprit(&errors) {
        Some(index) => Err(Error::Multi { index, source: Box::new(Error::from_code(errors[index])) }),
        None => Ok(results),
    }
}

/// In a failed multi every operation has a code: 0 before the one that failed, -2 behind it.
fn culprit(errors: &[i32]) -> Option<usize> {
    const ROLLED_BACK: i32 = -2;
    errors
        .iter()
        .position(|code| *code != 0 && *code != ROLLED_BACK)
        .or_else(|| errors.iter().position(|c| *c != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_that_failed_is_told_from_those_rolled_back() {
        assert_eq!(culprit(&[]), None);
        assert_eq!(culprit(&[0, -101, -2]), Some(1));
        assert_eq!(culprit(&[-110, -2]), Some(0));
        assert_eq!(culprit(&[0, -2]), Some(1));
    }
}
