use zk_wire::{ErrorCode, MultiResult, Request};

use super::types::{CreateMode, any};
use super::{Acl, Error};

/// One operation of [`Client::multi`](super::Client::multi).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiOp(pub(super) Request);

impl MultiOp {
    /// Creates a node that everybody may use.
    pub fn create(path: impl Into<String>, data: impl Into<Vec<u8>>, mode: CreateMode) -> Self {
        Self(mode.request(path.into(), data.into(), vec![Acl::open()]))
    }

    /// Deletes a node; with a version, only if the node has it.
    pub fn delete(path: impl Into<String>, version: Option<i32>) -> Self {
        Self(Request::Delete { path: path.into(), version: any(version) })
    }

    /// Writes a node's data; with a version, only if the node has it.
    pub fn set(path: impl Into<String>, data: impl Into<Vec<u8>>, version: Option<i32>) -> Self {
        Self(Request::SetData { path: path.into(), data: Some(data.into()), version: any(version) })
    }

    /// Requires that a node has a version.
    pub fn check(path: impl Into<String>, version: i32) -> Self {
        Self(Request::Check { path: path.into(), version })
    }
}

/// Returns the results of all operations, or the error of the one that failed.
pub(super) fn all_or_error(results: Vec<MultiResult>) -> Result<Vec<MultiResult>, Error> {
    let codes: Vec<ErrorCode> = results
        .iter()
        .filter_map(|result| if let MultiResult::Error(code) = result { Some(*code) } else { None })
        .collect();
    match failed(&codes) {
        Some(index) => Err(Error::Multi { index, source: Box::new(codes[index].into()) }),
        None => Ok(results),
    }
}

/// In a failed multi every operation has a code: that of no error before the one that failed, and a fixed one behind it.
fn failed(codes: &[ErrorCode]) -> Option<usize> {
    let is_error = |code: &ErrorCode| *code != ErrorCode::Ok;
    codes
        .iter()
        .position(|code| is_error(code) && *code != ErrorCode::RuntimeInconsistency)
        .or_else(|| codes.iter().position(is_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_that_failed_is_found_among_those_rolled_back() {
        let failed = |codes: &[i32]| failed(&codes.iter().map(|code| (*code).into()).collect::<Vec<_>>());
        assert_eq!(failed(&[]), None);
        assert_eq!(failed(&[0, -101, -2]), Some(1));
        assert_eq!(failed(&[-110, -2]), Some(0));
        assert_eq!(failed(&[0, -2]), Some(1));
    }
}
