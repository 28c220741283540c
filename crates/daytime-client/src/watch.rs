//! Prints joins, leaves and the state of the link, as they happen.

use std::collections::BTreeSet;
use std::fmt;

use daytime_config::ClientConfig;
use discovery::{Change, Discovery};
use instance::Endpoint;
use jiff::Timestamp;
use serde_json::json;
use zk_core::{State, Zk};

use crate::error::Error;
use crate::link;
use crate::output::line;

/// What happened.
enum Happening {
    Link {
        state: State,
    },
    Joined {
        endpoint: String,
    },
    Left {
        endpoint: String,
    },
    /// The first listing is complete; or, as later, a mass disappearance is held back.
    Synced {
        instances: usize,
    },
    Held {
        instances: usize,
    },
}

pub(crate) async fn run(config: ClientConfig, as_json: bool) -> Result<(), Error> {
    let zk = Zk::start(config.zookeeper.clone());
    let discovery = Discovery::start(zk.clone(), config.discovery.clone());
    let outcome = tokio::select! {
        outcome = follow(&zk, &discovery, as_json) => outcome,
        refused = link::refused_at_start(&zk) => Err(refused),
    };
    link::close(&zk).await;
    outcome
}

async fn follow(zk: &Zk, discovery: &Discovery, as_json: bool) -> Result<(), Error> {
    let print = |happening: Happening| {
        let now = Timestamp::now();
        if as_json { line(happening.to_json(now)) } else { line(format_args!("{now:.3} {happening}")) }
    };
    let (mut states, mut views, mut changes) = (zk.states(), discovery.views(), discovery.changes());
    let mut told = Told::default();
    let mut held = 0;
    let mut phase = None;
    loop {
        let state = states.latest();
        // A refusal is the one trouble that somebody has to do something about.
        let now = (state.phase.clone(), state.epoch, state.reconnects, link::is_refusal(&state));
        if phase.as_ref() != Some(&now) {
            phase = Some(now);
            print(Happening::Link { state })?;
        }
        tokio::select! {
            changed = states.changed() => if changed.is_none() {
                return Ok(());
            },
            change = changes.next() => match change {
                Some(change) => told.tell(change).into_iter().try_for_each(print)?,
                None => return Ok(()),
            },
            changed = views.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let now = views.borrow_and_update().held;
                if now > held {
                    print(Happening::Held { instances: now })?;
                }
                held = now;
            }
        }
    }
}

/// What was told, so that a reset tells the difference and nothing twice.
#[derive(Debug, Default)]
struct Told {
    synced: bool,
    there: BTreeSet<Endpoint>,
}

impl Told {
    fn tell(&mut self, change: Change) -> Vec<Happening> {
        match change {
            Change::Added(instance) => self.joined(instance.endpoint()).into_iter().collect(),
            Change::Removed(instance) => self.left(instance.endpoint()).into_iter().collect(),
            // Names only: nothing else can change.
            Change::Updated { .. } => Vec::new(),
            Change::Reset(snapshot) => self.reset(snapshot.endpoints().cloned().collect()),
        }
    }

    fn reset(&mut self, now: BTreeSet<Endpoint>) -> Vec<Happening> {
        let gone: Vec<_> = self.there.difference(&now).cloned().collect();
        let mut happenings: Vec<_> = gone.iter().filter_map(|endpoint| self.left(endpoint)).collect();
        happenings.extend(now.iter().filter_map(|endpoint| self.joined(endpoint)));
        if !self.synced {
            self.synced = true;
            happenings.push(Happening::Synced { instances: now.len() });
        }
        happenings
    }

    fn joined(&mut self, endpoint: &Endpoint) -> Option<Happening> {
        let new = self.there.insert(endpoint.clone());
        new.then(|| Happening::Joined { endpoint: endpoint.to_string() })
    }

    fn left(&mut self, endpoint: &Endpoint) -> Option<Happening> {
        let gone = self.there.remove(endpoint);
        gone.then(|| Happening::Left { endpoint: endpoint.to_string() })
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { state } => write!(f, "* {}", link::describe(state)),
            Self::Joined { endpoint } => write!(f, "+ {endpoint}"),
            Self::Left { endpoint } => write!(f, "- {endpoint}"),
            Self::Synced { instances } => write!(f, "= {instances} registered"),
            Self::Held { instances } => {
                write!(f, "! {instances} disappeared together; kept for a while before that is believed")
            }
        }
    }
}

impl Happening {
    fn to_json(&self, now: Timestamp) -> serde_json::Value {
        let time = format!("{now:.3}");
        match self {
            Self::Link { state } => json!({
                "time": time, "event": "link", "state": state.phase.to_string(), "epoch": state.epoch,
                "reconnects": state.reconnects, "session": state.session.map(|session| session.id.to_string()),
                "trouble": state.trouble.as_ref().map(ToString::to_string),
            }),
            Self::Joined { endpoint } => json!({"time": time, "event": "joined", "endpoint": endpoint}),
            Self::Left { endpoint } => json!({"time": time, "event": "left", "endpoint": endpoint}),
            Self::Synced { instances } => json!({"time": time, "event": "synced", "instances": instances}),
            Self::Held { instances } => json!({"time": time, "event": "held", "instances": instances}),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What the lines say that is there now.
    fn replay(lines: &[String]) -> BTreeSet<String> {
        let mut there = BTreeMap::new();
        for line in lines {
            match line.split_at(2) {
                ("+ ", endpoint) => assert!(there.insert(endpoint.to_owned(), ()).is_none(), "twice: {line}"),
                ("- ", endpoint) => assert!(there.remove(endpoint).is_some(), "never came: {line}"),
                _ => {}
            }
        }
        there.into_keys().collect()
    }

    #[tokio::test]
    async fn a_reset_after_changes_tells_nothing_twice_and_forgets_nothing() {
        // Resets come from falling behind, which a reader of the library's snapshots cannot script: so the
        // joins and leaves are told one by one, and the resets by the sets that they lead to.
        let mut told = Told::default();
        let mut lines = Vec::new();
        let mut say = |happenings: Vec<Happening>| lines.extend(happenings.iter().map(ToString::to_string));
        let endpoint = |port: u16| -> Endpoint { format!("127.0.0.1:{port}").parse().unwrap() };
        say(told.reset([endpoint(1)].into()));
        say(told.joined(&endpoint(2)).into_iter().collect());
        say(told.reset([endpoint(1), endpoint(2), endpoint(3)].into()));
        say(told.left(&endpoint(1)).into_iter().collect());
        say(told.reset([endpoint(3)].into()));
        assert_eq!(replay(&lines), ["127.0.0.1:3".to_owned()].into());
        assert_eq!(lines.iter().filter(|line| line.starts_with('=')).count(), 1, "synced once");
    }
}
