//! A history as lines for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use instance::{Format, Plain};
use oracle::{Answers, By, Called, Data, History, Shown, Stated, What, Znode};

/// The records and what the ensemble has logged, by time. `names` tells which process each client of the ensemble is.
pub(super) fn lines(history: &History, log: &[String], names: &BTreeMap<u64, String>) -> Vec<String> {
    let mut lines = Vec::with_capacity(history.records.len() + log.len());
    let mut log = log.iter().peekable();
    for record in &history.records {
        let at = record.at.as_millis();
        while let Some(line) = log.next_if(|line| time_of(line) <= at) {
            lines.push(logged(line, names));
        }
        lines.push(format!("{at:>8} ms  {}", told(&record.what)));
    }
    lines.extend(log.map(|line| logged(line, names)));
    lines
}

/// The time at the beginning of a line of the ensemble's log.
fn time_of(line: &str) -> u128 {
    line.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or_default()
}

/// A line of the ensemble's log, with the process instead of the client, and without what records say of this machine.
fn logged(line: &str, names: &BTreeMap<u64, String>) -> String {
    let mut line = line.to_owned();
    if let Some((before, after)) = line.split_once("client ") {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let number = after[..digits].parse().ok();
        if let Some(name) = number.and_then(|number: u64| names.get(&number)) {
            line = format!("{before}{name}:{}", &after[digits..]);
        }
    }
    let (Some(from), Some(to)) = (line.find(" \""), line.rfind('"')) else { return line };
    let data = serde_json::from_str::<String>(&line[from + 1..=to]);
    let said = data.map_or_else(|_| "other data".into(), |data| record(data.as_bytes()));
    format!("{} ({said}){}", &line[..from], &line[to + 1..])
}

/// What a record says.
fn record(data: &[u8]) -> String {
    let Ok(decoded) = Plain.decode("127.0.0.1:1", data) else { return "no record".into() };
    let owner = decoded.instance.owner().map(|owner| owner.incarnation().to_string());
    let (weight, draining) = (Some(decoded.instance.weight()), decoded.instance.is_draining());
    let weight = weight.filter(|_| decoded.remarks.is_empty());
    said(&Data { weight, draining, incarnation: owner })
}

fn said(data: &Data) -> String {
    let mut text = data.weight.map_or("no record".into(), |weight| format!("weight {weight}"));
    if data.draining {
        text.push_str(", draining");
    }
    if let Some(incarnation) = &data.incarnation {
        let _ = write!(text, ", by {}", short(incarnation));
    }
    text
}

/// The first digits of an incarnation: enough to tell those of one run apart.
fn short(incarnation: &str) -> &str {
    incarnation.get(..8).unwrap_or(incarnation)
}

fn author(by: &By) -> &str {
    match by {
        By::Process(process) => process,
        By::Other(other) => other,
        By::SessionEnd => "the end of its session",
        By::Unknown => "somebody",
    }
}

fn owner(session: Option<i64>) -> String {
    session.map_or("persistent".into(), |session| format!("of session {session:#x}"))
}

fn znode(Znode { czxid, session, data }: &Znode) -> String {
    format!("czxid {czxid:#x}, {}: {}", owner(*session), said(data))
}

fn told(what: &What) -> String {
    match what {
        What::Fault { id, fault, process, text } => {
            let whom = process.as_deref().map(|process| format!(" of {process}")).unwrap_or_default();
            format!("==== fault {id}: {fault}{whom}: {text}")
        }
        What::TookEffect { id } => format!("==== fault {id} has taken effect"),
        What::FaultOver { id } => format!("==== fault {id} is over"),
        What::Healed => "==== everything is healed".into(),
        What::End => "==== the end".into(),
        What::Created { zxid, name, znode: created, by } => {
            format!("-- {zxid:#x} {name} created by {}: {}", author(by), znode(created))
        }
        What::Written { zxid, name, data, by } => {
            format!("-- {zxid:#x} {name} written by {}: {}", author(by), said(data))
        }
        What::Deleted { zxid, name, by } => format!("-- {zxid:#x} {name} deleted by {}", author(by)),
        What::Root { zxid, exists, by } => {
            let done = if *exists { "created" } else { "deleted" };
            format!("-- {zxid:#x} the root {done} by {}", author(by))
        }
        What::Restored { zxid, children, .. } => {
            let children: Vec<_> =
                children.iter().map(|(name, one)| format!("{name} ({})", znode(one))).collect();
            format!("-- everything begins anew at {zxid:#x}: {}", children.join(", "))
        }
        What::SessionBegan { session, process } => format!("-- session {session:#x} of {process} begins"),
        What::SessionEnded { session, expired } => {
            format!("-- session {session:#x} {}", if *expired { "expires" } else { "is closed" })
        }
        other => said_by_process(other),
    }
}

fn said_by_process(what: &What) -> String {
    match what {
        What::Spawned { process } => format!("{process} starts"),
        What::Exited { process, status: None } => format!("{process} is killed"),
        What::Exited { process, status: Some(status) } => format!("{process} exits with {status}"),
        What::Panicked { process, message } => format!("{process} PANICS: {message}"),
        What::Serving { endpoint, process, answers } => {
            let who = process.as_deref().unwrap_or("nobody");
            let how = match answers {
                Answers::Well => "answers well",
                Answers::Refuses => "refuses",
                Answers::Badly => "answers badly",
            };
            format!("{endpoint}: {who} {how}")
        }
        What::Wanted { process, name, data } => format!("{process} wants {name}: {}", said(data)),
        What::Unwanted { process, name } => format!("{process} no longer wants {name}"),
        What::Status { process, name, status } => match status {
            Stated::Registered { czxid, session } => {
                format!("{process} says: {name} registered, czxid {czxid:#x} of session {session:#x}")
            }
            other => format!("{process} says: {name} {other:?}"),
        },
        What::Link { process, phase, session, epoch, reconnects } => {
            let session = session.map_or("none".into(), |session| format!("{session:#x}"));
            format!("{process} link {phase:?}, session {session}, epoch {epoch}, reconnects {reconnects}")
        }
        What::View { process, live, revision, instances } => {
            let live = if *live { "live" } else { "stale" };
            let revision = revision.map_or("nothing yet".into(), |revision| format!("revision {revision}"));
            let shown: Vec<_> = instances.iter().map(|(endpoint, one)| shown(endpoint, one)).collect();
            format!("{process} sees, {live}, {revision}: {}", shown.join(", "))
        }
        What::Call { id, process, idempotent } => {
            let kind = if *idempotent { ", idempotent" } else { "" };
            format!("call {id} of {process}{kind}")
        }
        What::Attempt { id, endpoint, began, outcome } => {
            format!("call {id}: at {endpoint}, since {} ms: {outcome:?}", began.as_millis())
        }
        What::Called { id, outcome: Called::Answered { endpoint } } => {
            format!("call {id}: answered by {endpoint}")
        }
        What::Called { id, outcome: Called::Failed { reason } } => format!("call {id}: FAILED: {reason}"),
        What::Requests { process, count } => format!("{process} has sent {count} requests"),
        other => format!("{other:?}"),
    }
}

fn shown(endpoint: &str, Shown { weight, draining, incarnation, held }: &Shown) -> String {
    let mut text = format!("{endpoint} w{weight}");
    if *draining {
        text.push_str(" draining");
    }
    if *held {
        text.push_str(" held");
    }
    if let Some(incarnation) = incarnation {
        let _ = write!(text, " by {}", short(incarnation));
    }
    text
}
