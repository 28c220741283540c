//! I10: requests to ZooKeeper stay within bounds in every state, and so do CPU time, log lines and file descriptors.
//!
//! Calls that hang are judged by the rule of calls.

use std::time::Duration;

use super::quiet;
use crate::findings::Findings;
use crate::judgement::Invariant::I10;
use crate::timeline::{Process, Secs, Timeline, UsageRecord};

/// Shorter times say nothing about a rate: a reconnect sends its requests at once.
const WINDOW: Duration = Duration::from_secs(10);

/// Whatever happens: retries are a second apart in the end, and wait 50 ms at first.
const A_SECOND: u32 = 20;
/// What one change of the ensemble costs a process at most: a look, a read, a list, a write, and the same once more.
const A_CHANGE: u64 = 8;
/// What a change of the link costs: a watch, a sync, a few looks, a list, and a look at its own znode.
const A_CONNECTION: u64 = 30;
/// What one audit costs: looks until the count is the same twice, a list, and the own znode.
const AN_AUDIT: u32 = 12;

/// A fifth of a core is promised; half of one leaves room for programs that were compiled without optimisation.
const CPU: f64 = 0.5;
/// Log lines.
const LINES_A_SECOND: f64 = 50.0;
/// Connections of callers come and go.
const FDS_MORE: u64 = 32;
const USAGE_WINDOW: Duration = Duration::from_secs(5);

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (number, process) in timeline.processes.iter().enumerate() {
        requests(timeline, (number, process), findings);
        for life in &process.lives {
            let ended = life.end(timeline.end);
            let usage =
                process.usage.iter().filter(|usage| life.from < usage.moment && usage.moment <= ended);
            used(timeline, process, &usage.collect::<Vec<_>>(), findings);
        }
    }
}

fn requests(timeline: &Timeline<'_>, (number, process): (usize, &Process<'_>), findings: &mut Findings) {
    let bounds = timeline.bounds;
    let calm = quiet::calm(timeline, number).map(|calm| calm + bounds.registered_within());
    let (mut first, mut sum) = (0, 0);
    for (place, (moment, count)) in process.requests.iter().enumerate() {
        sum += count;
        // A record counts since the one before, so a window goes from one record to another.
        while first < place && process.requests[first].0.at + WINDOW <= moment.at {
            let (next, _) = process.requests[first + 1];
            if next.at + WINDOW > moment.at {
                break;
            }
            sum -= process.requests[first].1;
            first += 1;
        }
        let since = first.checked_sub(1).map_or(Duration::ZERO, |before| process.requests[before].0.at);
        let lasted = moment.at.saturating_sub(since).max(WINDOW);
        let positions = &timeline.truth.positions;
        let between = |at: Duration| positions.partition_point(|position| position.moment.at <= at) as u64;
        let changes = between(moment.at) - between(since.saturating_sub(WINDOW));
        let links =
            process.links.iter().filter(|link| since <= link.moment.at && link.moment.at <= moment.at);
        let links = links.count() as u64;
        let is_calm = calm.is_some_and(|calm| since >= calm);
        let audits = lasted.as_secs_f64() / bounds.audit.max(Duration::from_millis(100)).as_secs_f64() + 2.0;
        let steady =
            if is_calm { audits * f64::from(AN_AUDIT) } else { lasted.as_secs_f64() * f64::from(A_SECOND) };
        let most = steady as u64 + changes * A_CHANGE + links * A_CONNECTION;
        findings.judged(I10, 1);
        if sum > most {
            findings.violated(I10, moment.at, &[moment.index], || {
                let (who, lasted) = (process.name, Secs(lasted));
                format!(
                    "{who} sent {sum} requests in {lasted}, in which the ensemble changed {changes} times and its link {links} \
                     times: {most} would do"
                )
            });
        }
    }
}

fn used(timeline: &Timeline<'_>, process: &Process<'_>, usage: &[&UsageRecord], findings: &mut Findings) {
    let mut first = 0;
    for (place, now) in usage.iter().enumerate() {
        while first + 1 < place && usage[first + 1].moment.at + USAGE_WINDOW <= now.moment.at {
            first += 1;
        }
        let then = usage[first];
        let lasted = now.moment.at.saturating_sub(then.moment.at);
        if lasted < USAGE_WINDOW {
            continue;
        }
        findings.judged(I10, 1);
        let seconds = lasted.as_secs_f64();
        let cpu = now.cpu.saturating_sub(then.cpu).as_secs_f64() / seconds;
        let lines = now.log_lines.saturating_sub(then.log_lines) as f64 / seconds;
        for (what, is_too_much, how_much) in
            [("of a core", cpu > CPU, cpu), ("log lines a second", lines > LINES_A_SECOND, lines)]
        {
            if is_too_much {
                findings.violated(I10, now.moment.at, &[then.moment.index, now.moment.index], || {
                    format!("{} used {how_much:.2} {what} for {}", process.name, Secs(lasted))
                });
            }
        }
    }
    let (Some(first), Some(last)) = (usage.first(), usage.last()) else { return };
    let is_over = timeline.healed.is_some_and(|healed| last.moment > healed);
    if is_over && last.fds > first.fds + FDS_MORE {
        findings.violated(I10, last.moment.at, &[first.moment.index, last.moment.index], || {
            let (who, from, to) = (process.name, first.fds, last.fds);
            format!("{who} had {from} file descriptors open in the beginning, and {to} in the end")
        });
    }
}
