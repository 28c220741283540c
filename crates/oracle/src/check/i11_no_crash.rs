//! I11: no panic, and no exit that nobody asked for.

use std::time::Duration;

use crate::findings::Findings;
use crate::judgement::Invariant::I11;
use crate::timeline::{Life, Process, Timeline};

/// A process ends so late at most after it was told to.
const LEAVES_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn check(timeline: &Timeline<'_>, findings: &mut Findings) {
    for (at, process, message) in &timeline.panics {
        findings.violated(I11, at.at, &[at.index], || {
            format!("nothing panics, but {} did: {message}", timeline.process_name(*process))
        });
    }
    for (number, process) in timeline.processes.iter().enumerate() {
        findings.judged(I11, process.lives.len() as u64);
        for (life_number, life) in process.lives.iter().enumerate() {
            let Some(exited) = life.to else { continue };
            let expected = match life.status {
                None => was_told(timeline, number, life),
                Some(0) => was_told(timeline, number, life) || has_left(process, life_number),
                Some(_) => false,
            };
            if !expected {
                findings.violated(I11, exited.at, &[exited.index], || {
                    let how = life
                        .status
                        .map_or("was killed".into(), |status| format!("ended with status {status}"));
                    format!("no process ends unless it is told to, but {} {how}", process.name)
                });
            }
        }
    }
}

/// Whether a fault of this process alone can have ended it.
fn was_told(timeline: &Timeline<'_>, process: usize, life: &Life) -> bool {
    let ended = life.end(timeline.end);
    let mut faults = timeline.faults.all.iter().filter(|fault| fault.process == Some(process));
    faults.any(|fault| fault.from <= ended && ended.at <= fault.from.at + LEAVES_WITHIN)
}

/// Whether it wanted something, and then nothing any more: it left.
fn has_left(process: &Process<'_>, life: usize) -> bool {
    let ended = process.lives[life].to;
    let mut wants = process.wants.values().flatten().filter(|want| want.life == life).peekable();
    wants.peek().is_some() && wants.all(|want| want.to < ended)
}
