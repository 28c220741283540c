use super::op;
use super::writer::Writer;
use super::{ConnectResponse, ErrorCode, MultiResult, Response, WatchEvent};

/// In a [`WatchEvent`]: the client is connected, as the connection that brings it proves.
const SYNC_CONNECTED: i32 = 3;

/// Writes the answer to the first frame of a connection, with its length.
pub fn encode_connected(response: &ConnectResponse) -> Vec<u8> {
    let mut writer = Writer::frame();
    writer.int(response.protocol_version);
    writer.int(response.timeout_ms);
    writer.long(response.session_id);
    writer.buffer(Some(&response.password));
    if let Some(read_only) = response.read_only {
        writer.bool(read_only);
    }
    writer.end()
}

/// Writes the answer to a request, with its length; an error has a header and nothing else, but for
/// [`Response::FailedMultiRead`].
pub fn encode_reply(xid: i32, zxid: i64, result: &Result<Response, ErrorCode>) -> Vec<u8> {
    let code = match result {
        Ok(Response::FailedMultiRead(code)) | Err(code) => *code,
        Ok(_) => ErrorCode::Ok,
    };
    let mut writer = header(xid, zxid, code);
    if let Ok(response) = result {
        write(&mut writer, response);
    }
    writer.end()
}

/// Writes a watch event, with its length.
pub fn encode_event(event: &WatchEvent) -> Vec<u8> {
    let mut writer = header(-1, -1, ErrorCode::Ok);
    writer.int(event.kind as i32);
    writer.int(SYNC_CONNECTED);
    writer.string(&event.path);
    writer.end()
}

fn header(xid: i32, zxid: i64, code: ErrorCode) -> Writer {
    let mut writer = Writer::frame();
    writer.int(xid);
    writer.long(zxid);
    writer.int(code as i32);
    writer
}

fn write(writer: &mut Writer, response: &Response) {
    match response {
        Response::Empty => {}
        Response::Path(path) | Response::Synced(path) => writer.string(path),
        Response::PathStat(path, stat) => {
            writer.string(path);
            writer.stat(stat);
        }
        Response::Stat(stat) => writer.stat(stat),
        Response::Data(data, stat) => {
            writer.buffer(data.as_deref());
            writer.stat(stat);
        }
        Response::Acl(acl, stat) => {
            writer.acl(acl);
            writer.stat(stat);
        }
        Response::Strings(names) => writer.strings(names),
        Response::Children(names, stat) => {
            writer.strings(names);
            writer.stat(stat);
        }
        Response::Number(number) => writer.int(*number),
        Response::Users(users) => writer.vector(users, |writer, (scheme, user)| {
            writer.string(scheme);
            writer.string(user);
        }),
        Response::Multi(results) | Response::MultiRead(results) => {
            for result in results {
                write_result(writer, result);
            }
            multi_header(writer, op::ERROR, true, -1);
        }
        Response::FailedMultiRead(_) => multi_header(writer, op::ERROR, true, -1),
    }
}

fn write_result(writer: &mut Writer, result: &MultiResult) {
    match result {
        MultiResult::Create(path) => {
            multi_header(writer, op::CREATE, false, 0);
            writer.string(path);
        }
        MultiResult::Create2(path, stat) => {
            multi_header(writer, op::CREATE2, false, 0);
            writer.string(path);
            writer.stat(stat);
        }
        MultiResult::Delete => multi_header(writer, op::DELETE, false, 0),
        MultiResult::SetData(stat) => {
            multi_header(writer, op::SET_DATA, false, 0);
            writer.stat(stat);
        }
        MultiResult::Check => multi_header(writer, op::CHECK, false, 0),
        MultiResult::Data(data, stat) => {
            multi_header(writer, op::GET_DATA, false, 0);
            writer.buffer(data.as_deref());
            writer.stat(stat);
        }
        MultiResult::Children(names) => {
            multi_header(writer, op::GET_CHILDREN, false, 0);
            writer.strings(names);
        }
        MultiResult::Error(code) => {
            multi_header(writer, op::ERROR, false, *code as i32);
            writer.int(*code as i32);
        }
    }
}

fn multi_header(writer: &mut Writer, op: i32, done: bool, error: i32) {
    writer.int(op);
    writer.bool(done);
    writer.int(error);
}
