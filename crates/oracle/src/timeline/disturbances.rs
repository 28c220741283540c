//! When bounds do not hold, and for whom.

use std::time::Duration;

use super::faults::Faults;
use super::moment::Moment;
use crate::history::Bounds;

/// For how long after the recorder was late nothing is judged by the clock.
const AFTER_LAG: Duration = Duration::from_secs(2);

/// The times in which faults are in force, or were lately, by what they may do.
#[derive(Debug, Default)]
pub(crate) struct Disturbances {
    /// By process: changes of the ensemble may come late or not at all.
    changes: Vec<Spans>,
    /// By process: it may stand still.
    still: Vec<Spans>,
    /// The ensemble may be away, or have begun anew.
    ensemble: Spans,
}

/// Times without overlap, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Vec<(Duration, Duration)>);

impl Disturbances {
    pub(super) fn new(
        faults: &Faults<'_>,
        lags: &[(Moment, Duration)],
        processes: usize,
        bounds: &Bounds,
        end: Duration,
    ) -> Self {
        let lagged = || lags.iter().map(|(at, by)| (at.at.saturating_sub(*by), at.at + AFTER_LAG));
        let (mut changes, mut still) = (Vec::new(), Vec::new());
        for process in 0..processes {
            let concerned = || faults.all.iter().filter(|fault| fault.concerns(process));
            let late = concerned()
                .filter_map(|fault| Some((fault.since()?, fault.to + fault.harm.changes.after(bounds)?)));
            changes.push(Spans::new(late.chain(lagged()), end));
            let stood = concerned().filter(|fault| fault.harm.stands_still);
            let stood = stood.map(|fault| (fault.from.at, fault.to + bounds.propagation));
            still.push(Spans::new(stood.chain(lagged()), end));
        }
        let away =
            faults.all.iter().filter(|fault| fault.harm.ensemble).map(|fault| (fault.from.at, fault.to));
        Self { changes, still, ensemble: Spans::new(away, end) }
    }

    /// When changes of the ensemble may come late to a process, or not at all.
    pub(crate) fn changes(&self, process: usize) -> &Spans {
        &self.changes[process]
    }

    /// When a process may stand still.
    pub(crate) fn still(&self, process: usize) -> &Spans {
        &self.still[process]
    }

    /// When the ensemble may be away, or have begun anew.
    pub(crate) fn ensemble(&self) -> &Spans {
        &self.ensemble
    }
}

impl Spans {
    fn new(spans: impl Iterator<Item = (Duration, Duration)>, end: Duration) -> Self {
        let mut sorted: Vec<_> = spans.map(|(from, to)| (from, to.min(end))).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(Duration, Duration)> = Vec::new();
        for (from, to) in sorted {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Whether nothing is in force in this time.
    pub(crate) fn is_free(&self, from: Duration, to: Duration) -> bool {
        let next = self.0.partition_point(|(_, until)| *until < from);
        self.0.get(next).is_none_or(|(since, _)| *since > to)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Duration, Duration)> + '_ {
        self.0.iter().copied()
    }

    /// The longest time without any in this time.
    pub(crate) fn longest_free(&self, from: Duration, to: Duration) -> Duration {
        let mut since = from;
        let mut longest = Duration::ZERO;
        let next = self.0.partition_point(|(_, until)| *until < from);
        for (start, until) in self.0[next..].iter().take_while(|(start, _)| *start < to) {
            longest = longest.max(start.saturating_sub(since));
            since = since.max(*until);
        }
        longest.max(to.saturating_sub(since))
    }
}
