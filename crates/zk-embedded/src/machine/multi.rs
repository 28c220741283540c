//! Writes: one request, one zxid, whether it succeeds or not, and whether it is one operation or many.

use super::commit::Done;
use super::prepare::{Asker, Mode, Transaction, prepare};
use super::scratch::Scratch;
use super::{ConnectionId, Machine, Output};
use crate::Version;
use zk_wire::{CreateKind, ErrorCode, MultiResult, Request, Response};

impl Machine {
    /// Carries out one write, or returns why not.
    pub(super) fn write(
        &mut self,
        now: i64,
        id: ConnectionId,
        request: Request,
        outputs: &mut Vec<Output>,
    ) -> Result<Done, ErrorCode> {
        let zxid = self.next_zxid();
        let transaction = prepare(request, &mut Scratch::new(&self.tree), self.asker(id))?;
        Ok(self.commit(transaction, zxid, now, outputs))
    }

    /// Carries out all operations or none.
    ///
    /// The reply has a result for each. If one fails, those before it have the code 0, and those behind it
    /// RUNTIMEINCONSISTENCY.
    pub(super) fn multi(
        &mut self,
        now: i64,
        id: ConnectionId,
        operations: Vec<Request>,
        outputs: &mut Vec<Output>,
    ) -> Result<Response, ErrorCode> {
        let zxid = self.next_zxid();
        let count = operations.len();
        let transactions = match self.prepare_all(id, operations) {
            Ok(transactions) => transactions,
            Err((_, ErrorCode::MarshallingError)) => return Err(ErrorCode::MarshallingError),
            Err((failed, code)) => return Ok(failed_multi(count, failed, code)),
        };
        let mut results = Vec::with_capacity(count);
        for transaction in transactions {
            results.push(match self.commit(transaction, zxid, now, outputs) {
                Done::Created { path, stat, with_stat: true } => MultiResult::Create2(path, stat),
                Done::Created { path, .. } => MultiResult::Create(path),
                Done::Deleted => MultiResult::Delete,
                Done::DataSet(stat) | Done::AclSet(stat) => MultiResult::SetData(stat),
                Done::Checked => MultiResult::Check,
            });
        }
        Ok(Response::Multi(results))
    }

    fn prepare_all(
        &self,
        id: ConnectionId,
        operations: Vec<Request>,
    ) -> Result<Vec<Transaction>, (usize, ErrorCode)> {
        let is_read = |operation: &Request| !is_allowed(operation);
        if let Some(failed) = operations.iter().position(is_read) {
            return Err((failed, ErrorCode::MarshallingError));
        }
        let mut scratch = Scratch::new(&self.tree);
        let prepared = operations.into_iter().enumerate().map(|(index, operation)| {
            let transaction = by_flags(operation, self.settings.version)
                .and_then(|operation| prepare(operation, &mut scratch, self.asker(id)));
            transaction.map_err(|code| (index, code))
        });
        prepared.collect()
    }

    fn asker(&self, id: ConnectionId) -> Asker<'_> {
        let connection = self.connections.get(&id);
        Asker {
            session: connection.map_or(0, |connection| connection.session),
            identities: connection.map_or(&[], |connection| &connection.identities),
            extended_types: self.settings.extended_types,
            version: self.settings.version,
        }
    }
}

/// Returns whether an operation can be in a multi.
fn is_allowed(operation: &Request) -> bool {
    use Request::{Check, Create, Delete, SetData};
    matches!(operation, Create { .. } | Delete { .. } | SetData { .. } | Check { .. })
}

/// In a multi the flags of a create decide which one it is; `create2` is a `create`.
fn by_flags(operation: Request, version: Version) -> Result<Request, ErrorCode> {
    let Request::Create { kind, path, data, acl, flags, ttl } = operation else { return Ok(operation) };
    let mode = Mode::from_flags(flags, version);
    let kind = match mode {
        // Apache ZooKeeper fails on the way, as it looks for a ttl in a request that has no room for one.
        Some(mode) if mode.has_ttl && kind != CreateKind::Ttl => return Err(ErrorCode::MarshallingError),
        Some(mode) if mode.has_ttl => CreateKind::Ttl,
        Some(mode) if mode.is_container => CreateKind::Container,
        _ => CreateKind::Create,
    };
    Ok(Request::Create { kind, path, data, acl, flags, ttl })
}

fn failed_multi(count: usize, failed: usize, code: ErrorCode) -> Response {
    let result = |index: usize| match index.cmp(&failed) {
        std::cmp::Ordering::Less => ErrorCode::Ok,
        std::cmp::Ordering::Equal => code,
        std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
    };
    Response::Multi((0..count).map(|index| MultiResult::Error(result(index))).collect())
}
