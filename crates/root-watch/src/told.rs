//! Tells deletions that were announced from all others.

use std::time::Duration;

use tokio::time::Instant;
use zk_core::{Event, EventKind, ZnodePath, Zxid};

/// How far apart the two events of one transaction are received, where events do not name their transaction. Measured:
/// 0.2 ms.
const APART: Duration = Duration::from_millis(5);

/// The write right before the present event in the stream of a watch, if that is what was there.
///
/// A deregistration writes the znode and deletes it in one transaction
/// ([`write_and_delete`](zk_core::Connection::write_and_delete)). Its two events are neighbours in the stream: no end of a
/// session and no plain delete is. Neighbours alone are no proof, as a write may be followed by nothing for an hour, and
/// time alone is none, either, as a program that was stopped receives all at once.
#[derive(Debug, Default)]
pub(crate) struct Told {
    written: Option<(ZnodePath, Option<Zxid>, Instant)>,
}

impl Told {
    /// Takes the next event of the stream, whatever znode it is of. Returns whether it is a deletion that was announced.
    pub(crate) fn next(&mut self, event: &Event) -> bool {
        let before = self.written.take();
        match event.kind {
            EventKind::DataChanged => {
                self.written = Some((event.path.clone(), event.zxid, event.at));
                false
            }
            EventKind::Deleted => before.is_some_and(|(path, zxid, at)| {
                path == event.path
                    && match (zxid, event.zxid) {
                        (Some(write), Some(deletion)) => write == deletion,
                        _ => event.at.saturating_duration_since(at) <= APART,
                    }
            }),
            EventKind::Created | EventKind::ChildrenChanged => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use EventKind::{Created, DataChanged, Deleted};

    use super::*;

    /// Events as kind, path, transaction, and milliseconds.
    fn last_is_told(events: &[(EventKind, &str, Option<i64>, u64)]) -> bool {
        let start = Instant::now();
        let mut told = Told::default();
        let events = events.iter().map(|&(kind, path, zxid, millis)| Event {
            kind,
            path: ZnodePath::parse(path).unwrap(),
            zxid: zxid.map(Zxid),
            at: start + Duration::from_millis(millis),
        });
        events.map(|event| told.next(&event)).last().unwrap()
    }

    #[test]
    fn a_write_and_a_deletion_of_one_transaction_are_told() {
        assert!(last_is_told(&[(DataChanged, "/r/a", None, 0), (Deleted, "/r/a", None, 5)]));
        assert!(last_is_told(&[(DataChanged, "/r/a", Some(7), 0), (Deleted, "/r/a", Some(7), 900)]));
        assert!(
            last_is_told(&[
                (DataChanged, "/r/a", Some(7), 0),
                (DataChanged, "/r/a", Some(8), 0),
                (Deleted, "/r/a", Some(8), 0)
            ]),
            "an earlier write does not matter"
        );
    }

    #[test]
    fn everything_else_is_not_told() {
        let cases: [&[_]; 8] = [
            &[(Deleted, "/r/a", None, 0)],
            &[(DataChanged, "/r/a", None, 0), (Deleted, "/r/a", None, 6)],
            &[(DataChanged, "/r/a", Some(7), 0), (Deleted, "/r/a", Some(8), 0)],
            &[(DataChanged, "/r/b", Some(7), 0), (Deleted, "/r/a", Some(7), 0)],
            &[(DataChanged, "/r/a", None, 0), (Created, "/r/b", None, 0), (Deleted, "/r/a", None, 0)],
            &[(DataChanged, "/r/a", None, 0), (DataChanged, "/r/a/b", None, 0), (Deleted, "/r/a", None, 0)],
            &[(DataChanged, "/r/a", None, 0), (Deleted, "/r/a", None, 0), (Deleted, "/r/a", None, 0)],
            &[(Created, "/r/a", None, 0), (Deleted, "/r/a", None, 0)],
        ];
        for events in cases {
            assert!(!last_is_told(events), "{events:?}");
        }
        assert!(!last_is_told(&[(Deleted, "/r/a", None, 0), (DataChanged, "/r/a", None, 0)]));
    }
}
