//! Between the types of zk-core's seam and those of the wire.

use zk_core::{Acl, ErrorKind, EventKind, Reading, SessionId, Stat, Zxid};
use zk_wire::{ErrorCode, MultiResult, Response};

/// The results of the requests that one call sends.
pub(crate) type Results = Vec<Result<Response, ErrorCode>>;

/// A reply of a type that does not belong to the request.
fn unexpected(response: &Response) -> ErrorKind {
    ErrorKind::Unexpected(format!("a reply of an unrequested type: {response:?}"))
}

/// The meaning of an error, as zk-core's own transport reads it.
pub(crate) fn kind(code: ErrorCode) -> ErrorKind {
    match code {
        ErrorCode::NoNode => ErrorKind::NoNode,
        ErrorCode::NodeExists => ErrorKind::NodeExists,
        ErrorCode::BadVersion => ErrorKind::BadVersion,
        ErrorCode::NotEmpty => ErrorKind::NotEmpty,
        ErrorCode::NoAuth => ErrorKind::Denied,
        ErrorCode::Unimplemented => ErrorKind::Unsupported,
        ErrorCode::ThrottledOp => ErrorKind::Busy,
        ErrorCode::SessionExpired => ErrorKind::SessionOver,
        ErrorCode::BadArguments | ErrorCode::MarshallingError => ErrorKind::Refused(code.to_string()),
        ErrorCode::RequestTimeout => ErrorKind::Unexpected(code.to_string()),
        _ if code.code() < ErrorCode::ApiError.code() => ErrorKind::Refused(code.to_string()),
        _ => ErrorKind::Unexpected(code.to_string()),
    }
}

/// The first of several results that is an error; else the last one.
pub(crate) fn last(results: Results) -> Result<Response, ErrorKind> {
    let mut last = Err(ErrorKind::Unexpected("no reply".into()));
    for result in results {
        last = Ok(result.map_err(kind)?);
    }
    match last? {
        Response::Multi(parts) => {
            let failed = parts.iter().find_map(|part| match part {
                MultiResult::Error(ErrorCode::Ok | ErrorCode::RuntimeInconsistency) => None,
                MultiResult::Error(code) => Some(kind(*code)),
                _ => None,
            });
            failed.map_or(Ok(Response::Multi(parts)), Err)
        }
        response => Ok(response),
    }
}

pub(crate) fn nothing(results: Results) -> Result<(), ErrorKind> {
    last(results).map(|_| ())
}

pub(crate) fn stat(results: Results) -> Result<Stat, ErrorKind> {
    match last(results)? {
        Response::Stat(stat) | Response::PathStat(_, stat) => Ok(stat_of(&stat)),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn found(results: Results) -> Result<Option<Stat>, ErrorKind> {
    match stat(results) {
        Err(ErrorKind::NoNode) => Ok(None),
        stat => stat.map(Some),
    }
}

pub(crate) fn data(results: Results) -> Result<(Vec<u8>, Stat), ErrorKind> {
    match last(results)? {
        Response::Data(data, stat) => Ok((data.unwrap_or_default(), stat_of(&stat))),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn children(results: Results) -> Result<(Vec<String>, Stat), ErrorKind> {
    match last(results)? {
        Response::Children(names, stat) => Ok((names, stat_of(&stat))),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn users(results: Results) -> Result<Vec<(String, String)>, ErrorKind> {
    match last(results)? {
        Response::Users(users) => Ok(users),
        other => Err(unexpected(&other)),
    }
}

/// The readings of one multiRead, or of one getData for each znode.
pub(crate) fn readings(results: Results) -> Result<Vec<Reading>, ErrorKind> {
    let mut readings = Vec::new();
    for result in results {
        match result {
            Ok(Response::MultiRead(parts)) => {
                for part in parts {
                    readings.push(match part {
                        MultiResult::Data(data, stat) => Ok((data.unwrap_or_default(), stat_of(&stat))),
                        MultiResult::Error(code) => unread(code)?,
                        other => return Err(ErrorKind::Unexpected(format!("{other:?}"))),
                    });
                }
            }
            Ok(Response::Data(data, stat)) => {
                readings.push(Ok((data.unwrap_or_default(), stat_of(&stat))));
            }
            Ok(other) => return Err(unexpected(&other)),
            Err(code) => readings.push(unread(code)?),
        }
    }
    Ok(readings)
}

/// An error that concerns one znode; the error of the whole request otherwise.
fn unread(code: ErrorCode) -> Result<Reading, ErrorKind> {
    match kind(code) {
        kind @ (ErrorKind::NoNode | ErrorKind::Denied) => Ok(Err(kind)),
        kind => Err(kind),
    }
}

pub(crate) fn stat_of(stat: &zk_wire::Stat) -> Stat {
    // `Stat` may grow, so that it has no literal here.
    let mut seen = Stat::default();
    (seen.czxid, seen.mzxid, seen.pzxid) = (Zxid(stat.czxid), Zxid(stat.mzxid), Zxid(stat.pzxid));
    (seen.version, seen.cversion) = (stat.version, stat.cversion);
    seen.ephemeral_owner = (stat.ephemeral_owner != 0).then_some(SessionId(stat.ephemeral_owner));
    (seen.data_length, seen.num_children) = (stat.data_length, stat.num_children);
    seen
}

pub(crate) fn event_kind(kind: zk_wire::EventKind) -> Option<EventKind> {
    match kind {
        zk_wire::EventKind::Created => Some(EventKind::Created),
        zk_wire::EventKind::Deleted => Some(EventKind::Deleted),
        zk_wire::EventKind::DataChanged => Some(EventKind::DataChanged),
        zk_wire::EventKind::ChildrenChanged => Some(EventKind::ChildrenChanged),
        _ => None,
    }
}

pub(crate) fn acl(acl: Acl) -> Vec<zk_wire::Acl> {
    match acl {
        Acl::Open => vec![zk_wire::Acl::open()],
        Acl::Creator => vec![zk_wire::Acl::creator(), zk_wire::Acl::read_only()],
    }
}
