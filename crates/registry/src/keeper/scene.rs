//! Where a keeper decides, and what comes next.

use super::io::{Moment, Request};
use super::standing::Standing;
use crate::readiness::{Line, Ready};
use crate::status::{Holder, Trouble};
use crate::wish::Wish;

/// Where a keeper decides.
pub(super) struct Scene<'a> {
    pub(super) line: Line,
    /// `None` where the connection is not prepared: only leaving is possible.
    pub(super) ready: Option<Ready>,
    pub(super) wish: &'a Wish,
    /// The status says that the znode is registered.
    pub(super) is_registered: bool,
    pub(super) moment: &'a Moment,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        line: Line,
        ready: Option<Ready>,
        wish: &'a Wish,
        standing: &Standing,
        moment: &'a Moment,
    ) -> Self {
        Self { line, ready, wish, is_registered: standing.is_registered(), moment }
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Ask(Request),
    /// Decide again.
    Again,
    /// The znode is ours, with data of ours, and every change is reported.
    Registered,
    Conflict(Holder),
    /// Another client overwrites our data again and again: look later.
    Overwritten,
    Failed(Trouble),
    /// The connection has ended.
    Ended,
    /// No znode of ours exists.
    Gone,
}
