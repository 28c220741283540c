//! Requests as a client writes them.

use crate::writer::Writer;
use crate::{Acl, ConnectRequest, CreateOp, Framed, Request};

/// Writes a request, without the length.
pub(super) fn frame(framed: &Framed) -> Vec<u8> {
    let mut writer = Writer::frame();
    writer.int(framed.xid);
    writer.int(framed.request.op());
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
                multi_header(writer, operation.op(), false);
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
