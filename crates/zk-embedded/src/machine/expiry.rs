use std::collections::{BTreeMap, BTreeSet};

/// When sessions end: each is in the bucket of the first whole tick after its timeout.
#[derive(Clone, Debug)]
pub(super) struct Expiry {
    tick_ms: i64,
    buckets: BTreeMap<i64, BTreeSet<i64>>,
    sessions: BTreeMap<i64, i64>,
}

impl Expiry {
    /// Begins without sessions; a tick has at least 1 ms.
    pub(super) fn new(tick_ms: i64) -> Self {
        Self { tick_ms: tick_ms.max(1), buckets: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// Puts a session into the bucket of `now` and its timeout, also if that is an earlier one than before.
    pub(super) fn update(&mut self, session: i64, timeout_ms: i32, now: i64) {
        let due = (now + i64::from(timeout_ms)).div_euclid(self.tick_ms) * self.tick_ms + self.tick_ms;
        if self.sessions.get(&session) == Some(&due) {
            return;
        }
        self.remove(session);
        self.sessions.insert(session, due);
        self.buckets.entry(due).or_default().insert(session);
    }

    /// Takes a session out.
    pub(super) fn remove(&mut self, session: i64) {
        let Some(due) = self.sessions.remove(&session) else { return };
        if let Some(bucket) = self.buckets.get_mut(&due) {
            bucket.remove(&session);
            if bucket.is_empty() {
                self.buckets.remove(&due);
            }
        }
    }

    /// Returns when the next sessions are due.
    pub(super) fn next(&self) -> Option<i64> {
        self.buckets.keys().next().copied()
    }

    /// Returns a session that is due at `now` or before: of the earliest bucket, the one with the lowest id.
    pub(super) fn due(&self, now: i64) -> Option<i64> {
        let (_, bucket) = self.buckets.first_key_value().filter(|(due, _)| **due <= now)?;
        bucket.first().copied()
    }

    /// Returns when a session is due.
    pub(super) fn of(&self, session: i64) -> Option<i64> {
        self.sessions.get(&session).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_due_at_the_first_whole_tick_after_its_timeout() {
        let mut expiry = Expiry::new(100);
        for (now, due) in [(0, 300), (1, 300), (99, 300), (100, 400)] {
            expiry.update(1, 200, now);
            assert_eq!(expiry.next(), Some(due), "silent since {now}");
        }
        assert_eq!((expiry.due(399), expiry.due(400), expiry.of(1)), (None, Some(1), Some(400)));
        expiry.remove(1);
        assert_eq!((expiry.next(), expiry.due(i64::MAX)), (None, None));
    }

    #[test]
    fn sessions_are_due_by_time_and_then_by_id() {
        let mut expiry = Expiry::new(10);
        for (session, timeout) in [(3, 15), (2, 5), (1, 15)] {
            expiry.update(session, timeout, 0);
        }
        let mut order = Vec::new();
        while let Some(session) = expiry.due(100) {
            expiry.remove(session);
            order.push(session);
        }
        assert_eq!(order, [2, 1, 3]);
    }
}
