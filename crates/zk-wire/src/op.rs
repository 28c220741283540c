//! The numbers of the ops.

use super::{CreateOp, Request};

pub(super) const CREATE: i32 = 1;
pub(super) const DELETE: i32 = 2;
pub(super) const EXISTS: i32 = 3;
pub(super) const GET_DATA: i32 = 4;
pub(super) const SET_DATA: i32 = 5;
pub(super) const GET_ACL: i32 = 6;
pub(super) const SET_ACL: i32 = 7;
pub(super) const GET_CHILDREN: i32 = 8;
pub(super) const SYNC: i32 = 9;
pub(super) const PING: i32 = 11;
pub(super) const GET_CHILDREN2: i32 = 12;
pub(super) const CHECK: i32 = 13;
pub(super) const MULTI: i32 = 14;
pub(super) const CREATE2: i32 = 15;
pub(super) const RECONFIG: i32 = 16;
pub(super) const CHECK_WATCHES: i32 = 17;
pub(super) const REMOVE_WATCHES: i32 = 18;
pub(super) const CREATE_CONTAINER: i32 = 19;
pub(super) const CREATE_TTL: i32 = 21;
pub(super) const MULTI_READ: i32 = 22;
pub(super) const AUTH: i32 = 100;
pub(super) const SET_WATCHES: i32 = 101;
pub(super) const SASL: i32 = 102;
pub(super) const GET_EPHEMERALS: i32 = 103;
pub(super) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
pub(super) const SET_WATCHES2: i32 = 105;
pub(super) const ADD_WATCH: i32 = 106;
pub(super) const WHO_AM_I: i32 = 107;
pub(super) const CLOSE_SESSION: i32 = -11;

/// In the header of a result of a multi: an error follows. In the last header: nothing does.
pub(super) const ERROR: i32 = -1;

impl Request {
    /// Returns the number by which the wire calls it.
    pub fn op(&self) -> i32 {
        match self {
            Self::Create { op: CreateOp::Create, .. } => CREATE,
            Self::Create { op: CreateOp::Create2, .. } => CREATE2,
            Self::Create { op: CreateOp::Container, .. } => CREATE_CONTAINER,
            Self::Create { op: CreateOp::Ttl, .. } => CREATE_TTL,
            Self::Delete { .. } => DELETE,
            Self::Exists { .. } => EXISTS,
            Self::GetData { .. } => GET_DATA,
            Self::SetData { .. } => SET_DATA,
            Self::GetAcl { .. } => GET_ACL,
            Self::SetAcl { .. } => SET_ACL,
            Self::GetChildren { .. } => GET_CHILDREN,
            Self::GetChildren2 { .. } => GET_CHILDREN2,
            Self::Sync { .. } => SYNC,
            Self::Ping => PING,
            Self::Check { .. } => CHECK,
            Self::Multi { .. } => MULTI,
            Self::MultiRead { .. } => MULTI_READ,
            Self::Auth { .. } => AUTH,
            Self::SetWatches { .. } => SET_WATCHES,
            Self::SetWatches2 { .. } => SET_WATCHES2,
            Self::AddWatch { .. } => ADD_WATCH,
            Self::CheckWatches { .. } => CHECK_WATCHES,
            Self::RemoveWatches { .. } => REMOVE_WATCHES,
            Self::GetEphemerals { .. } => GET_EPHEMERALS,
            Self::GetAllChildrenNumber { .. } => GET_ALL_CHILDREN_NUMBER,
            Self::WhoAmI => WHO_AM_I,
            Self::CloseSession => CLOSE_SESSION,
            Self::Unknown { op } | Self::Malformed { op } => *op,
        }
    }
}
