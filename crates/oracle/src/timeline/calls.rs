//! Calls and their attempts.

use std::collections::HashMap;
use std::time::Duration;

use super::moment::Moment;
use crate::history::{Attempted, Called};

/// A call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) id: u64,
    pub(crate) process: usize,
    pub(crate) is_idempotent: bool,
    pub(crate) began: Moment,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) ended: Option<(Moment, &'a Called)>,
}

/// An attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptRecord {
    /// When it ended.
    pub(crate) moment: Moment,
    pub(crate) endpoint: usize,
    pub(crate) began: Duration,
    pub(crate) outcome: Attempted,
}

impl Call<'_> {
    pub(super) fn new(id: u64, process: usize, is_idempotent: bool, began: Moment) -> Self {
        Self { id, process, is_idempotent, began, attempts: Vec::new(), ended: None }
    }
}

impl AttemptRecord {
    pub(crate) fn lasted(&self) -> Duration {
        self.moment.at.saturating_sub(self.began)
    }
}

/// Which call has which number. Only looked up: nothing depends on its order.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<u64, usize>);

impl Ids {
    pub(super) fn began<'a>(&mut self, calls: &mut Vec<Call<'a>>, id: u64, call: Call<'a>) {
        self.0.insert(id, calls.len());
        calls.push(call);
    }

    pub(super) fn get<'c, 'a>(&self, calls: &'c mut [Call<'a>], id: u64) -> Option<&'c mut Call<'a>> {
        calls.get_mut(*self.0.get(&id)?)
    }
}
