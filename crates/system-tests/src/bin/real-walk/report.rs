//! What comes of a walk, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use oracle::{Called, History, Invariant, Judgement, Verdict, What};

use crate::child::Failed;
use crate::history::Remains;
use crate::nemesis::Tally;

/// The file with the history of a walk.
const HISTORY: &str = "history.jsonl";

/// Keeps the history of a walk, and judges it. A kind of fault that never took effect leaves its promises unjudged.
pub(crate) fn judge(remains: Remains, tally: &Tally, folder: &Path) -> Result<Verdict, Failed> {
    let mut report = format!("\n{:<18} {:>9} {:>12}\n", "fault", "injected", "took effect");
    for (kind, (injected, took_effect)) in tally {
        writeln!(report, "{:<18} {injected:9} {took_effect:12}", kind.name())?;
    }
    let sightings = remains.sightings();
    let history = remains.history()?;
    std::fs::write(folder.join(HISTORY), history.to_json_lines())?;
    writeln!(
        report,
        "\nan observer has listed the children {sightings} times, and ZooKeeper's logs say the same"
    )?;
    print(&report);
    let idle: Vec<_> =
        tally.iter().filter(|(_, (_, took_effect))| *took_effect == 0).map(|(kind, _)| kind.name()).collect();
    tell(&history, &idle)
}

/// Judges the history in a file once more.
pub(crate) fn judge_again(file: &Path) -> Result<Verdict, Failed> {
    tell(&History::from_json_lines(&std::fs::read_to_string(file)?)?, &[])
}

fn tell(history: &History, idle: &[&str]) -> Result<Verdict, Failed> {
    let judgement = oracle::judge(history);
    let Judgement { violations, unknown, checked, figures } = &judgement;
    let mut report = format!("of {} records:\n", history.records.len());
    for invariant in Invariant::ALL {
        let times = checked.get(&invariant).copied().unwrap_or_default();
        writeln!(report, "{invariant:<18} {times:9} times judged")?;
    }
    writeln!(report, "\n{figures}\n")?;
    for (process, Calls { made, failed }) in calls(history) {
        let reasons: Vec<_> = failed.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
        writeln!(report, "{process}: {made} calls, {} failed{reasons}", failed.values().sum::<u64>())?;
    }
    for violation in violations {
        writeln!(report, "\n{violation}")?;
        for record in &violation.records {
            writeln!(report, "  {record}: {}", serde_json::to_string(&history.records[*record])?)?;
        }
    }
    for unknown in unknown {
        writeln!(report, "{unknown}")?;
    }
    for kind in idle {
        writeln!(report, "unknown: {kind} never took effect")?;
    }
    let verdict = match judgement.verdict() {
        Verdict::Pass if !idle.is_empty() => Verdict::Unknown,
        verdict => verdict,
    };
    writeln!(report, "\nverdict: {verdict}")?;
    print(&report);
    Ok(verdict)
}

/// The calls of one process.
#[derive(Debug, Default)]
struct Calls {
    made: u64,
    /// By reason.
    failed: BTreeMap<String, u64>,
}

fn calls(history: &History) -> BTreeMap<&str, Calls> {
    let (mut by_process, mut callers) = (BTreeMap::<&str, Calls>::new(), BTreeMap::new());
    for record in &history.records {
        match &record.what {
            What::Call { id, process, .. } => {
                callers.insert(id, process);
                by_process.entry(process).or_default().made += 1;
            }
            What::Called { id, outcome: Called::Failed { reason } } => {
                if let Some(calls) = callers.get(id).and_then(|process| by_process.get_mut(process.as_str()))
                {
                    *calls.failed.entry(reason.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    by_process
}

/// The reader of the output may have seen enough.
fn print(report: &str) {
    let _ = std::io::stdout().write_all(report.as_bytes());
}
