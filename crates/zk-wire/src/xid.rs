//! The xids that the protocol reserves. All others are the client's own, and are not negative.

use crate::OpCode;

/// Of every watch event.
pub const EVENT: i32 = -1;
/// Of every ping and of the reply to it.
pub const PING: i32 = -2;
/// Of every auth packet and of the reply to it.
pub const AUTH: i32 = -4;
/// Of setWatches and setWatches2, and of the reply to them.
pub const SET_WATCHES: i32 = -8;

/// Returns the xid that requests with this op code have to have; `None` where the client counts.
pub fn reserved(op_code: OpCode) -> Option<i32> {
    match op_code {
        OpCode::Ping => Some(PING),
        OpCode::Auth => Some(AUTH),
        OpCode::SetWatches | OpCode::SetWatches2 => Some(SET_WATCHES),
        _ => None,
    }
}
