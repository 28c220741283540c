//! Prints joins, leaves and the state of the link, as they happen.

use std::fmt;
use std::sync::Arc;

use daytime_config::ClientConfig;
use discovery::{Change, Discovery, Snapshot, diff};
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
    let outcome = follow(&zk, &discovery, as_json).await;
    link::close(&zk).await;
    outcome
}

async fn follow(zk: &Zk, discovery: &Discovery, as_json: bool) -> Result<(), Error> {
    let print = |happening: Happening| {
        let now = Timestamp::now();
        if as_json { line(happening.to_json(now)) } else { line(format_args!("{now:.3} {happening}")) }
    };
    let (mut states, mut views, mut changes) = (zk.states(), discovery.views(), discovery.changes());
    let mut told: Option<Arc<Snapshot>> = None;
    let mut held = 0;
    let mut phase = None;
    loop {
        let state = states.latest();
        if phase.as_ref() != Some(&(state.phase.clone(), state.epoch, state.reconnects)) {
            phase = Some((state.phase.clone(), state.epoch, state.reconnects));
            print(Happening::Link { state })?;
        }
        tokio::select! {
            changed = states.changed() => if changed.is_none() {
                return Ok(());
            },
            change = changes.next() => {
                let Some(change) = change else { return Ok(()) };
                let steps = match change {
                    Change::Reset(snapshot) => {
                        let steps = match &told {
                            Some(told) => diff(told, &snapshot),
                            None => snapshot.instances().iter().cloned().map(Change::Added).collect(),
                        };
                        let first = told.is_none();
                        told = Some(snapshot.clone());
                        for step in steps {
                            step_of(step).map_or(Ok(()), print)?;
                        }
                        if first {
                            print(Happening::Synced { instances: snapshot.len() })?;
                        }
                        continue;
                    }
                    step => step,
                };
                step_of(steps).map_or(Ok(()), print)?;
            }
            changed = views.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let now = views.borrow_and_update().held;
                if now != held && now > 0 {
                    print(Happening::Held { instances: now })?;
                }
                held = now;
            }
        }
    }
}

fn step_of(change: Change) -> Option<Happening> {
    match change {
        Change::Added(instance) => Some(Happening::Joined { endpoint: instance.endpoint().to_string() }),
        Change::Removed(instance) => Some(Happening::Left { endpoint: instance.endpoint().to_string() }),
        // Names only: nothing else can change.
        Change::Updated { .. } | Change::Reset(_) => None,
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
                "trouble": state.trouble.as_deref(),
            }),
            Self::Joined { endpoint } => json!({"time": time, "event": "joined", "endpoint": endpoint}),
            Self::Left { endpoint } => json!({"time": time, "event": "left", "endpoint": endpoint}),
            Self::Synced { instances } => json!({"time": time, "event": "synced", "instances": instances}),
            Self::Held { instances } => json!({"time": time, "event": "held", "instances": instances}),
        }
    }
}
