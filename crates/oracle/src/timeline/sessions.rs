//! Whose sessions lasted how long.

use std::collections::BTreeMap;

use super::moment::Moment;

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// A session has several spans if the ensemble came back with older data, where it still was.
    by_id: BTreeMap<i64, Vec<SessionSpan>>,
}

/// A session, from its begin, or from its return with older data, to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionSpan {
    pub(crate) process: usize,
    /// The life of the process in which it began, if that process is of the fleet.
    pub(crate) life: Option<usize>,
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
}

impl Sessions {
    pub(super) fn began(&mut self, session: i64, process: usize, life: Option<usize>, now: Moment) {
        self.by_id.entry(session).or_default().push(SessionSpan { process, life, from: now, to: None });
    }

    pub(super) fn ended(&mut self, session: i64, now: Moment) {
        if let Some(span) = self.by_id.get_mut(&session).and_then(|spans| spans.last_mut()) {
            span.to.get_or_insert(now);
        }
    }

    /// The ensemble knows only these from now on.
    pub(super) fn restored(&mut self, left: &[i64], now: Moment) {
        for (session, spans) in &mut self.by_id {
            let Some(last) = spans.last_mut() else { continue };
            match (left.contains(session), last.to) {
                (false, None) => last.to = Some(now),
                (true, Some(_)) => {
                    let again = SessionSpan { from: now, to: None, ..*last };
                    spans.push(again);
                }
                _ => {}
            }
        }
    }

    pub(super) fn is_known(&self, session: i64) -> bool {
        self.by_id.contains_key(&session)
    }

    /// Whose session it is.
    pub(crate) fn of(&self, session: i64) -> Option<&SessionSpan> {
        self.by_id.get(&session)?.last()
    }

    /// The session as it was at this place.
    pub(crate) fn at(&self, session: i64, index: usize) -> Option<&SessionSpan> {
        let spans = self.by_id.get(&session)?;
        spans.get(spans.partition_point(|span| span.from.index <= index).checked_sub(1)?)
    }
}
