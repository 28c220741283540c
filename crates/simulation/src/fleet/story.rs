//! A history as lines for people.

use std::time::Duration;

use oracle::{History, What};

/// The records and what the ensemble has logged, by time.
pub(super) fn lines(history: &History, log: &[String]) -> Vec<String> {
    let mut lines = Vec::with_capacity(history.records.len() + log.len());
    let mut log = log.iter().peekable();
    for record in &history.records {
        let at = record.at.as_millis();
        while let Some(line) = log.next_if(|line| time_of(line) <= at) {
            lines.push(line.clone());
        }
        lines.push(format!("{at:>8} ms  {}", told(&record.what)));
    }
    lines.extend(log.cloned());
    lines
}

/// The time at the beginning of a line of the ensemble's log.
fn time_of(line: &str) -> u128 {
    line.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or_default()
}

fn told(what: &What) -> String {
    match what {
        What::Fault { id, fault, process, text } => {
            let whom = process.as_deref().unwrap_or("all");
            format!("==== fault {id}: {fault} of {whom}: {text}")
        }
        What::TookEffect { id } => format!("==== fault {id} has taken effect"),
        What::FaultOver { id } => format!("==== fault {id} is over"),
        What::Healed => "==== everything is healed".into(),
        What::Attempt { id, endpoint, began, outcome } => {
            let took = Duration::as_millis(began);
            format!("call {id}: attempt at {endpoint} since {took} ms: {outcome:?}")
        }
        other => format!("{other:?}"),
    }
}
