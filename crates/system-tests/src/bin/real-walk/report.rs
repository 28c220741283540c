//! What comes of a walk, for people.

use std::path::Path;

use oracle::{History, Invariant, Judgement, Verdict};

use crate::child::Failed;
use crate::history::Remains;
use crate::nemesis::Tally;

/// The file with the history of a walk.
const HISTORY: &str = "history.jsonl";

/// Says how often what happened.
pub(crate) fn tell_faults(tally: &Tally) {
    println!("\n{:<18} {:>9} {:>12}", "fault", "injected", "took effect");
    for (kind, (injected, took_effect)) in tally {
        println!("{:<18} {injected:9} {took_effect:12}", kind.name());
    }
}

/// Keeps the history of a walk, and judges it.
pub(crate) fn judge(remains: Remains, folder: &Path) -> Result<Verdict, Failed> {
    let sightings = remains.sightings();
    let history = remains.history()?;
    std::fs::write(folder.join(HISTORY), history.to_json_lines())?;
    println!("\nan observer has listed the children {sightings} times, and ZooKeeper's logs say the same");
    tell(&history)
}

/// Judges the history in a file once more.
pub(crate) fn judge_again(file: &Path) -> Result<Verdict, Failed> {
    tell(&History::from_json_lines(&std::fs::read_to_string(file)?)?)
}

fn tell(history: &History) -> Result<Verdict, Failed> {
    let Judgement { violations, unknown, checked, figures } = &oracle::judge(history);
    println!("\nof {} records:", history.records.len());
    for invariant in Invariant::ALL {
        println!("{invariant:<18} {:9} times judged", checked.get(&invariant).copied().unwrap_or_default());
    }
    println!("\n{figures}");
    for violation in violations {
        println!("\n{violation}");
        for record in &violation.records {
            println!("  {record}: {}", serde_json::to_string(&history.records[*record])?);
        }
    }
    for unknown in unknown {
        println!("{unknown}");
    }
    let verdict = match (violations.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Unknown,
        (true, true) => Verdict::Pass,
    };
    println!("\nverdict: {verdict}");
    Ok(verdict)
}
