//! Requests as a client writes them.

use crate::proto::writer::Writer;
use crate::proto::{Acl, ConnectRequest, CreateOp, Framed, Request, op};

/// Writes a request, without the length.
pub(super) fn frame(framed: &Framed) -> Vec<u8> {
    let mut writer = Writer::frame();
    writer.int(framed.xid);
    writer.int(op_of(&framed.request));
    write(&mut writer, &framed.request);
    writer.end().split_off(4)
}

/// Writes what is behind the header of a request.
pub(super) fn body(request: &Request) -> Vec<u8> {
    let mut writer = Writer::frame();
    write(&mut writer, request);
    writer.end().split_off(4)
}

/// Writes the first frame of a connection, without the length.
pub(super) fn connect(request: &ConnectRequest) -> Vec<u8> {
    let mut writer = Writer::frame();
    writer.int(request.protocol_version);
    writer.long(request.last_zxid_seen);
    writer.int(request.timeout_ms);
    writer.long(request.session_id);
    writer.buffer(Some(&request.password));
    if let Some(read_only) = request.read_only {
        writer.bool(read_only);
    }
    writer.end().split_off(4)
}

fn op_of(request: &Request) -> i32 {
    match request {
        Request::Create { op: CreateOp::Create, .. } => op::CREATE,
        Request::Create { op: CreateOp::Create2, .. } => op::CREATE2,
        Request::Create { op: CreateOp::Container, .. } => op::CREATE_CONTAINER,
        Request::Create { op: CreateOp::Ttl, .. } => op::CREATE_TTL,
        Request::Delete { .. } => op::DELETE,
        Request::Exists { .. } => op::EXISTS,
        Request::GetData { .. } => op::GET_DATA,
        Request::SetData { .. } => op::SET_DATA,
        Request::GetAcl { .. } => op::GET_ACL,
        Request::SetAcl { .. } => op::SET_ACL,
        Request::GetChildren { .. } => op::GET_CHILDREN,
        Request::GetChildren2 { .. } => op::GET_CHILDREN2,
        Request::Sync { .. } => op::SYNC,
        Request::Ping => op::PING,
        Request::Check { .. } => op::CHECK,
        Request::Multi { .. } => op::MULTI,
        Request::MultiRead { .. } => op::MULTI_READ,
        Request::Auth { .. } => op::AUTH,
        Request::SetWatches { .. } => op::SET_WATCHES,
        Request::SetWatches2 { .. } => op::SET_WATCHES2,
        Request::AddWatch { .. } => op::ADD_WATCH,
        Request::CheckWatches { .. } => op::CHECK_WATCHES,
        Request::RemoveWatches { .. } => op::REMOVE_WATCHES,
        Request::GetEphemerals { .. } => op::GET_EPHEMERALS,
        Request::GetAllChildrenNumber { .. } => op::GET_ALL_CHILDREN_NUMBER,
        Request::WhoAmI => op::WHO_AM_I,
        Request::CloseSession => op::CLOSE_SESSION,
        Request::Unknown { op } | Request::Malformed { op } => *op,
    }
}

fn write(writer: &mut Writer, request: &Request) {
    match request {
        Request::Create { op, path, data, acl, flags, ttl } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            write_acl(writer, acl.as_deref());
            writer.int(*flags);
            if *op == CreateOp::Ttl {
                writer.long(*ttl);
            }
        }
        Request::Delete { path, version: number }
        | Request::Check { path, version: number }
        | Request::AddWatch { path, mode: number }
        | Request::CheckWatches { path, kind: number }
        | Request::RemoveWatches { path, kind: number } => {
            writer.string(path);
            writer.int(*number);
        }
        Request::Exists { path, watch }
        | Request::GetData { path, watch }
        | Request::GetChildren { path, watch }
        | Request::GetChildren2 { path, watch } => {
            writer.string(path);
            writer.bool(*watch);
        }
        Request::SetData { path, data, version } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.int(*version);
        }
        Request::GetAcl { path }
        | Request::Sync { path }
        | Request::GetEphemerals { prefix: path }
        | Request::GetAllChildrenNumber { path } => writer.string(path),
        Request::SetAcl { path, acl, version } => {
            writer.string(path);
            write_acl(writer, acl.as_deref());
            writer.int(*version);
        }
        Request::Multi { operations } | Request::MultiRead { operations } => {
            for operation in operations {
                multi_header(writer, op_of(operation), false);
                write(writer, operation);
            }
            multi_header(writer, -1, true);
        }
        Request::Auth { kind, scheme, data } => {
            writer.int(*kind);
            writer.string(scheme);
            writer.buffer(data.as_deref());
        }
        Request::SetWatches { relative_zxid, data, exist, child } => {
            writer.long(*relative_zxid);
            for paths in [data, exist, child] {
                writer.strings(paths);
            }
        }
        Request::SetWatches2 { relative_zxid, data, exist, child, persistent, persistent_recursive } => {
            writer.long(*relative_zxid);
            for paths in [data, exist, child, persistent, persistent_recursive] {
                writer.strings(paths);
            }
        }
        Request::Ping
        | Request::WhoAmI
        | Request::CloseSession
        | Request::Unknown { .. }
        | Request::Malformed { .. } => {}
    }
}

fn write_acl(writer: &mut Writer, acl: Option<&[Acl]>) {
    match acl {
        None => writer.int(-1),
        Some(acl) => writer.acl(acl),
    }
}

fn multi_header(writer: &mut Writer, op: i32, done: bool) {
    writer.int(op);
    writer.bool(done);
    writer.int(-1);
}
