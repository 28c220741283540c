//! I5: when all is quiet there is exactly one znode for each wanted instance, of the present session of the process that
//! wants it, with the wanted record, and no znode of anybody for what it does not want.

use super::quiet;
use crate::findings::Findings;
use crate::history::Data;
use crate::judgement::Invariant::I5;
use crate::timeline::{Tenure, Timeline};

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    let end = timeline.end;
    for wanted in quiet::wanted(timeline).iter().filter(|wanted| wanted.by <= end.at) {
        findings.judged(I5, 1);
        let process = &timeline.processes[wanted.process];
        let (who, what) = (process.name, timeline.name_of(wanted.name));
        // That it is there at all is judged by I2.
        for tenure in timeline.truth.tenures[wanted.name].iter() {
            if tenure.to.is_some_and(|to| to.at < wanted.by) {
                continue;
            }
            let until = tenure.to.unwrap_or(end);
            let present = process.session_at(until.index);
            if tenure.session != present {
                findings.violated(I5, wanted.by.max(tenure.from.at), &[wanted.want.from.index, tenure.from.index], || {
                    let (found, wanted) = (session(tenure.session), session(present));
                    format!("{who} wants {what} to be registered in its session {wanted}, but the znode is of {found}")
                });
            }
        }
        let Some(standing) = timeline.truth.at(wanted.name, end.index) else { continue };
        let Some(data) = wanted.want.latest() else { continue };
        if differs(standing.latest(), data)
            && standing.from.at <= wanted.by
            && !is_just_written(timeline, standing)
        {
            findings.violated(I5, end.at, &[wanted.want.from.index, standing.from.index], || {
                format!(
                    "{who} wants {what} to have {}, but it has {}",
                    Record(data),
                    Record(standing.latest())
                )
            });
        }
    }
    only_what_is_wanted(timeline, findings);
}

/// A process has no znode but what it wants.
fn only_what_is_wanted(timeline: &Timeline<'_>, findings: &mut Findings) {
    let end = timeline.end;
    for name in 0..timeline.truth.tenures.len() {
        let Some(standing) = timeline.truth.at(name, end.index) else { continue };
        let session = standing.session.and_then(|session| timeline.sessions.at(session, end.index));
        let Some((number, Some(life))) = session.map(|session| (session.process, session.life)) else {
            continue;
        };
        let process = &timeline.processes[number];
        let is_present = process.is_running() && life + 1 == process.lives.len();
        let Some(calm) = quiet::calm(timeline, number).filter(|_| is_present && process.is_of_fleet) else {
            continue;
        };
        let wants = process.wants.get(&name).and_then(|wants| wants.last());
        // A leave that is under way at the end has its time, too.
        let left = wants.and_then(|want| want.to).map_or(calm, |left| left.at.max(calm));
        let by = left.max(standing.from.at) + timeline.bounds.registered_within();
        let is_wanted = wants.is_some_and(|want| want.to.is_none());
        if !process.wants.is_empty() && !is_wanted && by <= end.at {
            findings.judged(I5, 1);
            findings.violated(I5, by, &[standing.from.index], || {
                let (who, what) = (process.name, timeline.name_of(name));
                format!("{who} has the znode {what}, which it does not want")
            });
        }
    }
}

fn session(session: Option<i64>) -> String {
    session.map_or("none".into(), |session| format!("{session:#x}"))
}

/// Whether a znode has another record. Who wrote it is compared if both are known.
fn differs(found: &Data, wanted: &Data) -> bool {
    let other_writer = found.incarnation.is_some()
        && wanted.incarnation.is_some()
        && found.incarnation != wanted.incarnation;
    (found.weight, found.draining) != (wanted.weight, wanted.draining) || other_writer
}

/// Whether somebody wrote it so lately that it need not be restored yet.
fn is_just_written(timeline: &Timeline<'_>, tenure: &Tenure<'_>) -> bool {
    let last = tenure.writes.last().map_or(tenure.from, |write| write.moment);
    last.at + timeline.bounds.recovered_within() > timeline.end.at
}

struct Record<'a>(&'a Data);

impl std::fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Data { weight, draining, incarnation } = self.0;
        match weight {
            Some(weight) => write!(f, "weight {weight}")?,
            None => f.write_str("no record")?,
        }
        if *draining {
            f.write_str(", draining")?;
        }
        if let Some(incarnation) = incarnation {
            write!(f, ", by {incarnation}")?;
        }
        Ok(())
    }
}
