//! The operations of requests, as faults and `cons` know them.

use zk_wire::{OpCode, Request};

/// Returns the op code of a request; `None` where the server does not know it or cannot read the request.
pub(crate) fn op_code(request: &Request) -> Option<OpCode> {
    match request {
        Request::Unknown { .. } | Request::Malformed { .. } => None,
        request => Some(request.op_code()),
    }
}

/// Whether a fault for `wanted` strikes this operation: the first op code of a kind stands for the later ones, too.
pub(super) fn is_a(op_code: OpCode, wanted: OpCode) -> bool {
    let first = match op_code {
        OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => OpCode::Create,
        OpCode::GetChildren2 => OpCode::GetChildren,
        OpCode::SetWatches2 => OpCode::SetWatches,
        other => other,
    };
    wanted == op_code || wanted == first
}

/// Returns Apache ZooKeeper's short name of an operation, as its `cons` prints it.
pub(crate) fn short_name(op_code: Option<OpCode>) -> &'static str {
    match op_code {
        Some(op_code) if op_code.is_create() => "CREA",
        Some(OpCode::Delete) => "DELE",
        Some(OpCode::Exists) => "EXIS",
        Some(OpCode::GetData) => "GETD",
        Some(OpCode::SetData) => "SETD",
        Some(OpCode::GetAcl) => "GETA",
        Some(OpCode::SetAcl) => "SETA",
        Some(OpCode::GetChildren | OpCode::GetChildren2) => "GETC",
        Some(OpCode::GetAllChildrenNumber) => "GETACN",
        Some(OpCode::GetEphemerals) => "GETE",
        Some(OpCode::Sync) => "SYNC",
        Some(OpCode::Ping) => "PING",
        Some(OpCode::Check) => "CHEC",
        Some(OpCode::Multi) => "MULT",
        Some(OpCode::MultiRead) => "MLTR",
        Some(OpCode::SetWatches) => "SETW",
        Some(OpCode::SetWatches2) => "STW2",
        Some(OpCode::AddWatch) => "ADDW",
        Some(OpCode::CheckWatches) => "CHKW",
        Some(OpCode::RemoveWatches) => "REMW",
        Some(OpCode::WhoAmI) => "HOMI",
        Some(OpCode::CloseSession) => "CLOS",
        _ => "NA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_op_code_of_a_kind_stands_for_all() {
        assert!(is_a(OpCode::CreateTtl, OpCode::Create) && is_a(OpCode::GetChildren2, OpCode::GetChildren));
        assert!(is_a(OpCode::Create2, OpCode::Create2) && !is_a(OpCode::Create, OpCode::Create2));
        assert!(!is_a(OpCode::Delete, OpCode::Create));
    }
}
