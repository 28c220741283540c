//! Every arrow of the diagrams, at moments that the test chooses.

use std::time::Duration;

use rand::SeedableRng;
use zk_core::{Event, EventKind, Stat, ZnodePath, Zxid};

use super::*;
use crate::config::Lists;
use crate::io::{Children, Received, Record};

mod one_shot;
mod recursive;
mod stages;

const AUDIT: Duration = Duration::from_secs(60);

/// Of the session.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A machine, and a clock that goes when the test says so.
struct Walk {
    machine: Machine,
    now: Instant,
    start: Instant,
}

impl Walk {
    fn new(config: RootWatchConfig) -> Self {
        let now = Instant::now();
        let machine = Machine::new(config.with_audit_interval(AUDIT), SmallRng::seed_from_u64(7));
        Self { machine, now, start: now }
    }

    /// Of a user who wishes the root to be followed.
    fn followed(lists: Lists) -> Self {
        let mut walk = Self::new(config(lists));
        assert_eq!(walk.does(Input::SetFollowed(true)), "");
        walk
    }

    /// Passes an input, and returns what the machine asks for and tells.
    fn does(&mut self, input: Input) -> String {
        self.machine.handle(input, self.now);
        let effects = std::iter::from_fn(|| self.machine.poll_effect());
        effects.map(|effect| short(&effect)).collect::<Vec<_>>().join(", ")
    }

    /// Lets the time pass until the deadline, and returns how long that was.
    fn waits(&mut self) -> Duration {
        let deadline = self.machine.deadline().expect("a deadline");
        let waited = deadline - self.now;
        self.now = deadline;
        waited
    }

    fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Events of the recursive watch, as a kind and the path below the root.
    fn reported(&mut self, events: &[&str]) -> String {
        let done = events.iter().map(|event| self.does(Input::Event(Received(self.event(event)))));
        done.collect::<Vec<_>>().join(", ")
    }

    fn event(&self, event: &str) -> Event {
        let (kind, name) = event.split_at(1);
        let kind = match kind {
            "+" => EventKind::Created,
            "-" => EventKind::Deleted,
            _ => EventKind::DataChanged,
        };
        let path = if name.is_empty() { root() } else { ZnodePath::parse(&format!("/root/{name}")).unwrap() };
        Event { kind, path, zxid: None, at: self.now }
    }
}

fn root() -> ZnodePath {
    ZnodePath::parse("/root").unwrap()
}

fn config(lists: Lists) -> RootWatchConfig {
    RootWatchConfig::new(root(), lists)
}

fn connected(epoch: u64) -> Input {
    Input::Connected { epoch, timeout: TIMEOUT, recursive: true }
}

fn stat(cversion: i32) -> Stat {
    let mut stat = Stat::default();
    (stat.czxid, stat.pzxid, stat.cversion) = (Zxid(1), Zxid(1), cversion);
    stat
}

fn looked(cversion: i32) -> Input {
    Input::Stat(Ok(Some(stat(cversion))))
}

fn watch_set(cversion: i32) -> Input {
    Input::WatchSet { watch: Ok(()), sync: Ok(()), stat: Ok(Some(stat(cversion))) }
}

fn listed(names: &[&str], cversion: i32) -> Input {
    Input::Listed(Ok(children(names, cversion)))
}

fn children(names: &[&str], cversion: i32) -> Children {
    Some((names.iter().map(|name| (*name).to_owned()).collect(), stat(cversion)))
}

fn read(ticket: u64, name: &str, watched: bool) -> Input {
    let record = Record { name: name.to_owned(), reading: Some(Ok((b"1".to_vec(), stat(0)))), watched };
    Input::Read { ticket, records: vec![record] }
}

fn error(kind: ErrorKind) -> Error {
    Error::new("look", &root(), kind)
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Sync => "sync".into(),
        Effect::Watch => "watch".into(),
        Effect::Stat => "stat".into(),
        Effect::ReadRoot => "read root".into(),
        Effect::List => "list".into(),
        Effect::WatchedList { sync: true } => "sync and watched list".into(),
        Effect::WatchedList { sync: false } => "watched list".into(),
        Effect::Read { ticket, names } => format!("read {ticket} {}", names.join(" ")),
        Effect::WatchedRead { ticket, names } => format!("watched read {ticket} {names:?}"),
        Effect::Clear => "clear".into(),
        Effect::Live { watched, whole } => {
            format!("live {watched:?}{}", if *whole { " whole" } else { "" })
        }
        Effect::Report(update) => match update {
            Update::Down => "down".into(),
            Update::Closed => "closed".into(),
            Update::Trouble(error) => format!("trouble {:?}", error.kind()),
            Update::Lost => "lost".into(),
            Update::Live(_) => unreachable!("the driver makes it"),
            Update::Created(name) => format!("+{name}"),
            Update::Written(name) => format!("~{name}"),
            Update::Deleted { name, told } => format!("-{name}{}", if *told { " told" } else { "" }),
            Update::Listed(listing) => {
                let mut text = format!("listed {:?} [{}]", listing.reason, listing.names.join(" "));
                for name in &listing.recreated {
                    text += &format!(" recreated {name}");
                }
                text + if listing.new_session { " new session" } else { "" }
            }
            Update::Audited => "audited".into(),
            Update::Records { ticket, records } => format!("records {ticket} of {}", records.len()),
        },
    }
}
