//! Collects the remarks about one record.

use super::MAX_REMARKS;
use crate::Remark;

/// Collects remarks up to a limit, and counts the rest.
#[derive(Default)]
pub(super) struct Remarks {
    kept: Vec<Remark>,
    more: usize,
}

impl Remarks {
    pub(super) fn push(&mut self, remark: Remark) {
        if self.kept.len() < MAX_REMARKS {
            self.kept.push(remark);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_vec(mut self) -> Vec<Remark> {
        if self.more > 0 {
            self.kept.push(Remark::More { count: self.more });
        }
        self.kept
    }
}
