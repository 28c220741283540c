//! When to look at the root, as long as an exact base of the count is missing.

use std::time::Duration;

use tokio::time::Instant;
use zk_core::time::jittered;

use crate::common::Common;

/// How long after the start the first look is. Each later one waits twice as long, up to the audit interval.
const FIRST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Learn {
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    at: Instant,
    /// How long the wait was.
    wait: Duration,
}

impl Learn {
    /// When the next look is due, if one is.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next.as_ref().map(|next| next.at)
    }

    /// Plans a look if a base is missing and none is planned; drops the plan if there is a base.
    pub(crate) fn check(&mut self, common: &mut Common, now: Instant) {
        if !common.count.wants_base() {
            self.next = None;
        } else if self.next.is_none() {
            // Before the first audit, which lists without a base.
            self.plan(FIRST.min(common.config.audit_interval / 8), common, now);
        }
    }

    /// The look is sent; another one follows if it does not help.
    pub(crate) fn looking(&mut self, common: &mut Common, now: Instant) {
        let wait = self.next.take().map_or(FIRST, |next| next.wait);
        self.plan((wait * 2).min(common.config.audit_interval), common, now);
    }

    fn plan(&mut self, wait: Duration, common: &mut Common, now: Instant) {
        self.next = Some(Next { at: now + jittered(wait, &mut common.rng), wait });
    }
}
