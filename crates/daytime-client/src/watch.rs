//! The command `watch`: prints joins, leaves and the state of the link, as they happen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use daytime_config::ClientConfig;
use discovery::{Change, Discovery};
use instance::{Endpoint, Instance};
use jiff::Timestamp;
use serde_json::json;
use zk_core::{State, Zk, ZnodePath};

use crate::error::Error;
use crate::link::{self, Link};
use crate::output::line;
use crate::sigusr1::Release;

/// One printed line.
enum Event {
    Link {
        state: State,
    },
    Joined {
        endpoint: String,
        /// Known only where records are read.
        is_draining: bool,
    },
    Left {
        endpoint: String,
    },
    /// The record has changed; only where records are read.
    Updated {
        old: Arc<Instance>,
        new: Arc<Instance>,
    },
    /// The first list of instances is complete.
    Synced {
        instances: usize,
    },
    /// A mass disappearance: the view holds these instances.
    Held {
        instances: usize,
    },
    /// The link is up, but discovery cannot follow the root; `None` when it can again.
    Trouble {
        root: ZnodePath,
        trouble: Option<Arc<str>>,
    },
}

pub(crate) async fn run(
    config: ClientConfig,
    as_json: bool,
    link: &Link,
    release: &mut Release,
) -> Result<(), Error> {
    let zk = link.start(&config.zookeeper)?;
    let discovery = Discovery::start(zk, config.discovery.clone());
    let outcome = tokio::select! {
        outcome = follow(zk, &discovery, config.discovery.root(), as_json) => outcome,
        never = release.release_on_signal(&discovery) => match never {},
        refused = link::refused_at_start(zk) => Err(refused),
    };
    discovery.shutdown().await;
    outcome
}

async fn follow(zk: &Zk, discovery: &Discovery, root: &ZnodePath, as_json: bool) -> Result<(), Error> {
    let print = |event: Event| {
        let now = Timestamp::now();
        if as_json { line(event.to_json(now)) } else { line(format_args!("{now:.3} {event}")) }
    };
    let (mut states, mut views, mut changes) = (zk.states(), discovery.views(), discovery.changes());
    let mut printed = Printed::default();
    let mut held = 0;
    let mut trouble = None;
    let mut phase = None;
    loop {
        let state = states.latest();
        // A refused authentication is printed, too: it is the one trouble that needs an operator.
        let now = (state.phase.clone(), state.epoch, state.reconnects, link::is_refusal(&state));
        if phase.as_ref() != Some(&now) {
            phase = Some(now);
            print(Event::Link { state })?;
        }
        tokio::select! {
            changed = states.changed() => if changed.is_none() {
                return Ok(());
            },
            change = changes.next() => match change {
                Some(change) => printed.apply(change).into_iter().try_for_each(print)?,
                None => return Err(Error::not_followed(discovery)),
            },
            changed = views.changed() => {
                if changed.is_err() {
                    return Err(Error::not_followed(discovery));
                }
                let view = views.borrow_and_update().clone();
                if view.held > held {
                    print(Event::Held { instances: view.held })?;
                }
                held = view.held;
                // The trouble ends when the root is followed again, not when the link is lost, which has its own line.
                if view.trouble != trouble && (view.trouble.is_some() || view.is_live()) {
                    trouble.clone_from(&view.trouble);
                    print(Event::Trouble { root: root.clone(), trouble: view.trouble.clone() })?;
                }
            }
        }
    }
}

/// The instances that were printed, so that a reset prints only the difference.
#[derive(Debug, Default)]
struct Printed {
    synced: bool,
    instances: BTreeMap<Endpoint, Arc<Instance>>,
}

impl Printed {
    fn apply(&mut self, change: Change) -> Vec<Event> {
        match change {
            Change::Added(instance) => self.present(&instance).into_iter().collect(),
            Change::Removed(instance) => self.absent(instance.endpoint()).into_iter().collect(),
            Change::Updated { new, .. } => self.present(&new).into_iter().collect(),
            Change::Reset(snapshot) => self.reset(snapshot.instances()),
        }
    }

    fn reset<'a>(&mut self, now: impl IntoIterator<Item = &'a Arc<Instance>>) -> Vec<Event> {
        let now: Vec<_> = now.into_iter().collect();
        let kept: BTreeSet<_> = now.iter().map(|instance| instance.endpoint()).collect();
        let gone: Vec<_> =
            self.instances.keys().filter(|endpoint| !kept.contains(endpoint)).cloned().collect();
        let mut events: Vec<_> = gone.iter().filter_map(|endpoint| self.absent(endpoint)).collect();
        events.extend(now.iter().filter_map(|instance| self.present(instance)));
        if !self.synced {
            self.synced = true;
            events.push(Event::Synced { instances: now.len() });
        }
        events
    }

    /// The line for an instance that is registered now, if anything about it is new.
    fn present(&mut self, now: &Arc<Instance>) -> Option<Event> {
        match self.instances.insert(now.endpoint().clone(), now.clone()) {
            None => {
                Some(Event::Joined { endpoint: now.endpoint().to_string(), is_draining: now.is_draining() })
            }
            Some(old) if old == *now => None,
            Some(old) => Some(Event::Updated { old, new: now.clone() }),
        }
    }

    fn absent(&mut self, endpoint: &Endpoint) -> Option<Event> {
        let gone = self.instances.remove(endpoint);
        gone.map(|_| Event::Left { endpoint: endpoint.to_string() })
    }
}

/// Whether another process registers the instance now, as after a restart.
fn is_another_process(old: &Instance, new: &Instance) -> bool {
    let incarnation = |instance: &Instance| instance.owner().map(instance::Owner::incarnation);
    incarnation(old) != incarnation(new)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { state } => write!(f, "* {}", state),
            Self::Joined { endpoint, is_draining: false } => write!(f, "+ {endpoint}"),
            Self::Joined { endpoint, is_draining: true } => write!(f, "+ {endpoint} draining"),
            Self::Left { endpoint } => write!(f, "- {endpoint}"),
            Self::Updated { old, new } => {
                write!(f, "~ {new}")?;
                if is_another_process(old, new) {
                    f.write_str(" (another process)")?;
                }
                Ok(())
            }
            Self::Synced { instances } => write!(f, "= {instances} registered"),
            Self::Trouble { root, trouble: Some(trouble) } => write!(f, "! cannot follow {root}: {trouble}"),
            Self::Trouble { root, trouble: None } => write!(f, "= following {root} again"),
            Self::Held { instances } => {
                write!(
                    f,
                    "! {instances} disappeared at the same time; held for a while, in case they come back"
                )
            }
        }
    }
}

impl Event {
    fn to_json(&self, now: Timestamp) -> serde_json::Value {
        let time = format!("{now:.3}");
        match self {
            Self::Link { state } => json!({
                "time": time, "event": "link", "state": state.phase.to_string(), "epoch": state.epoch,
                "reconnects": state.reconnects, "session": state.session.map(|session| session.id.to_string()),
                "trouble": state.trouble.as_ref().map(ToString::to_string),
            }),
            Self::Joined { endpoint, is_draining } => {
                let mut joined = json!({"time": time, "event": "joined", "endpoint": endpoint});
                // Where nobody has read its record, nobody knows that it is not.
                if *is_draining {
                    joined["draining"] = true.into();
                }
                joined
            }
            Self::Left { endpoint } => json!({"time": time, "event": "left", "endpoint": endpoint}),
            Self::Updated { old, new } => json!({
                "time": time, "event": "updated", "endpoint": new.endpoint().to_string(), "weight": new.weight(),
                "tags": new.tags(), "draining": new.is_draining(), "another_process": is_another_process(old, new),
            }),
            Self::Synced { instances } => json!({"time": time, "event": "synced", "instances": instances}),
            Self::Trouble { root, trouble } => json!({
                "time": time, "event": "trouble", "root": root.to_string(), "trouble": trouble.as_deref(),
            }),
            Self::Held { instances } => json!({"time": time, "event": "held", "instances": instances}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(port: u16) -> Arc<Instance> {
        Arc::new(Instance::new(format!("127.0.0.1:{port}").parse().unwrap()))
    }

    /// The endpoints that are registered according to the lines.
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

    #[test]
    fn a_reset_after_changes_prints_every_difference_once() {
        // A reader that falls behind gets a reset, which a test cannot cause: so the test applies single changes, and
        // resets to sets of instances.
        let mut printed = Printed::default();
        let mut lines = Vec::new();
        let mut print = |events: Vec<Event>| lines.extend(events.iter().map(ToString::to_string));
        print(printed.reset(&[instance(1)]));
        print(printed.apply(Change::Added(instance(2))));
        print(printed.reset(&[instance(1), instance(2), instance(3)]));
        print(printed.apply(Change::Removed(instance(1))));
        print(printed.reset(&[instance(3)]));
        assert_eq!(replay(&lines), ["127.0.0.1:3".to_owned()].into());
        assert_eq!(lines.iter().filter(|line| line.starts_with('=')).count(), 1, "synced once");
    }

    #[test]
    fn a_changed_record_is_printed_once_also_after_a_reset() {
        let mut printed = Printed::default();
        printed.reset(&[instance(1), instance(2)]);
        let heavy = Arc::new(Instance::clone(&instance(1)).with_weight(7).with_tag("zone", "a"));
        let events = printed.apply(Change::Updated { old: instance(1), new: heavy.clone() });
        let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["~ 127.0.0.1:1 weight=7 zone=a"]);
        assert!(printed.reset(&[heavy, instance(2)]).is_empty());
        let owner = instance::Owner::new(instance::Incarnation::from_u128(7));
        let other = Arc::new(Instance::clone(&instance(2)).with_owner(owner));
        let lines: Vec<_> = printed.reset(&[other]).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["- 127.0.0.1:1", "~ 127.0.0.1:2 weight=100 (another process)"]);
    }

    #[test]
    fn an_instance_that_is_draining_shows_as_such() {
        let json = |event: &Event| event.to_json(Timestamp::UNIX_EPOCH);
        let leaving = |port| Arc::new(Instance::clone(&instance(port)).with_draining(true));
        let mut printed = Printed::default();
        let joined = printed.reset(&[instance(1), leaving(2)]);
        let lines: Vec<_> = joined.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["+ 127.0.0.1:1", "+ 127.0.0.1:2 draining", "= 2 registered"]);
        assert_eq!(
            (&json(&joined[0])["draining"], &json(&joined[1])["draining"]),
            (&json!(null), &json!(true))
        );
        let tagged = Arc::new(Instance::clone(&leaving(1)).with_tag("zone", "a"));
        let updated = printed.apply(Change::Updated { old: instance(1), new: tagged }).remove(0);
        assert_eq!(updated.to_string(), "~ 127.0.0.1:1 weight=100 draining zone=a");
        assert_eq!(json(&updated)["draining"], true);
        let updated = printed.apply(Change::Updated { old: leaving(2), new: instance(2) }).remove(0);
        assert_eq!(
            (updated.to_string(), &json(&updated)["draining"]),
            ("~ 127.0.0.1:2 weight=100".into(), &json!(false))
        );
    }
}
