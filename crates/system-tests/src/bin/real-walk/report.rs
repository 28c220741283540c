//! What comes of a walk, for people.

use std::path::Path;

use oracle::Verdict;

use crate::child::Failed;
use crate::history::Remains;
use crate::nemesis::Tally;

pub(crate) fn tell_faults(tally: &Tally) {
    println!("\nfaults (injected, took effect):");
    for (kind, (injected, took_effect)) in tally {
        println!("  {:<18} {injected:4} {took_effect:4}", kind.name());
    }
}

pub(crate) fn judge(remains: Remains, folder: &Path, kept: Option<&Path>) -> Result<Verdict, Failed> {
    let sightings = remains.sightings();
    let history = remains.history()?;
    println!("{} records, {sightings} lists compared", history.records.len());
    let mut text = serde_json::to_string(&history.bounds)?;
    text.push('\n');
    for record in &history.records {
        text += &serde_json::to_string(record)?;
        text.push('\n');
    }
    std::fs::write(kept.unwrap_or(folder).join("history.jsonl"), text)?;
    let judgement = oracle::judge(&history);
    for violation in &judgement.violations {
        println!("{violation}");
        for record in &violation.records {
            println!("      {}", serde_json::to_string(&history.records[*record])?);
        }
    }
    for unknown in &judgement.unknown {
        println!("{unknown}");
    }
    println!("{:?}", judgement.checked);
    Ok(judgement.verdict())
}
