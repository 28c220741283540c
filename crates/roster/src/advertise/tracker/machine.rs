//! When to look up, and what an answer means. Without I/O, clock and tasks.

use std::time::Duration;

use instance::Host;
use tokio::time::Instant;
use tracing::trace;

use crate::advertise::AdvertiseError;

/// The time from a failed look-up to the next.
const RETRY: Duration = Duration::from_secs(1);

/// The time from an answer to the next look-up, if nothing else asks for one: an address can change without a reconnect.
const REFRESH: Duration = Duration::from_secs(30);

/// For how long a loopback address must be the only one before it takes the place of another. A machine whose network is
/// configured anew has no other for a moment, and its callers would reach themselves.
const LOOPBACK_DOUBT: Duration = Duration::from_secs(10);

/// How many different causes the log shows until a look-up succeeds.
const MOST_LOGGED: usize = 8;

/// Counts the connections of a link: no two have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections {
    pub(super) epoch: u64,
    pub(super) reconnects: u64,
}

#[derive(Debug)]
pub(super) enum Input {
    /// The state of the link.
    Link(Connections),
    /// It is time: see [`Machine::wakes_at`].
    Wake,
    /// What the look-up found.
    Found(Result<Host, AdvertiseError>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// To be answered by [`Input::Found`].
    LookUp,
    /// The host to register is another one.
    Publish(Host),
    /// Why look-ups fail is another reason, or they do not any more.
    Trouble(Option<AdvertiseError>),
    Log(Remark),
}

/// Something for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// The first address.
    Found(Host),
    Moved {
        from: Host,
        to: Host,
    },
    /// The same address as before look-ups failed.
    Confirmed(Host),
    /// There is no address yet.
    Missing(AdvertiseError),
    /// The last address stays, as there is no answer.
    Kept {
        address: Host,
        cause: AdvertiseError,
    },
}

#[derive(Debug)]
enum Stage {
    Waiting {
        until: Instant,
    },
    /// A look-up is under way.
    LookingUp {
        /// There has been a new connection since it began, so that its answer may be out of date.
        again: bool,
    },
}

impl Input {
    fn name(&self) -> &'static str {
        match self {
            Self::Link(_) => "link",
            Self::Wake => "wake",
            Self::Found(Ok(_)) => "found",
            Self::Found(Err(_)) => "not_found",
        }
    }
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::LookingUp { again: false } => "looking_up",
            Self::LookingUp { again: true } => "looking_up_again",
        }
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    stage: Stage,
    seen: Connections,
    host: Option<Host>,
    trouble: Option<AdvertiseError>,
    /// Since when look-ups find a loopback address in the place of another host.
    loopback_since: Option<Instant>,
    /// The causes that the log has shown since the last look-up that succeeded.
    logged: Vec<AdvertiseError>,
}

impl Machine {
    /// Begins with a look-up at once.
    pub(super) fn new(seen: Connections, now: Instant) -> Self {
        let stage = Stage::Waiting { until: now };
        Self { stage, seen, host: None, trouble: None, loopback_since: None, logged: Vec::new() }
    }

    /// When [`Input::Wake`] is due; `None` while a look-up is under way.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting { until } => Some(until),
            Stage::LookingUp { .. } => None,
        }
    }

    pub(super) fn on(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        let (from, on) = (self.stage.name(), input.name());
        let effects = self.take(input, now);
        trace!(target: "arrow", machine = "address", from, on, to = self.stage.name());
        effects
    }

    fn take(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        match (input, &mut self.stage) {
            (Input::Link(connections), _) if connections == self.seen => vec![],
            (Input::Link(connections), stage) => {
                self.seen = connections;
                match stage {
                    Stage::Waiting { .. } => self.begin(),
                    Stage::LookingUp { again } => {
                        *again = true;
                        vec![]
                    }
                }
            }
            (Input::Wake, Stage::Waiting { until }) if *until <= now => self.begin(),
            (Input::Wake, _) => vec![],
            (Input::Found(found), Stage::LookingUp { again }) => {
                let again = *again;
                let found = self.doubted(found, now);
                let pause = if found.is_ok() { REFRESH } else { RETRY };
                let mut effects = match found {
                    Ok(host) => self.found(host),
                    Err(cause) => self.failed(cause),
                };
                if again {
                    effects.extend(self.begin());
                } else {
                    self.stage = Stage::Waiting { until: now + pause };
                }
                effects
            }
            (Input::Found(_), Stage::Waiting { .. }) => vec![],
        }
    }

    fn begin(&mut self) -> Vec<Effect> {
        self.stage = Stage::LookingUp { again: false };
        vec![Effect::LookUp]
    }

    /// Makes a failure of a loopback address that replaces another host too soon.
    fn doubted(&mut self, found: Result<Host, AdvertiseError>, now: Instant) -> Result<Host, AdvertiseError> {
        let is_reachable = self.host.as_ref().is_some_and(|host| !host.is_loopback());
        let since = match &found {
            Ok(host) if host.is_loopback() && is_reachable => *self.loopback_since.get_or_insert(now),
            _ => {
                self.loopback_since = None;
                return found;
            }
        };
        if now < since + LOOPBACK_DOUBT {
            return found.and_then(|address| Err(AdvertiseError::OnlyLoopback { address }));
        }
        self.loopback_since = None;
        found
    }

    fn found(&mut self, host: Host) -> Vec<Effect> {
        let mut effects = Vec::new();
        let had_failed = self.trouble.take().is_some();
        self.logged.clear();
        let before = self.host.replace(host.clone());
        if before.as_ref() != Some(&host) {
            effects.push(Effect::Publish(host.clone()));
        }
        if had_failed {
            effects.push(Effect::Trouble(None));
        }
        match before {
            None => effects.push(Effect::Log(Remark::Found(host))),
            Some(before) if before != host => {
                effects.push(Effect::Log(Remark::Moved { from: before, to: host }));
            }
            Some(_) if had_failed => effects.push(Effect::Log(Remark::Confirmed(host))),
            Some(_) => {}
        }
        effects
    }

    fn failed(&mut self, cause: AdvertiseError) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.trouble.as_ref() != Some(&cause) {
            self.trouble = Some(cause.clone());
            effects.push(Effect::Trouble(Some(cause.clone())));
        }
        if self.logged.len() < MOST_LOGGED && !self.logged.contains(&cause) {
            self.logged.push(cause.clone());
            effects.push(Effect::Log(match self.host.clone() {
                Some(address) => Remark::Kept { address, cause },
                None => Remark::Missing(cause),
            }));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use Effect::{Log, LookUp, Publish, Trouble};

    use super::*;

    fn host(last: u8) -> Host {
        std::net::Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn cause(name: &str) -> AdvertiseError {
        AdvertiseError::VariableNotSet { variable: name.into() }
    }

    fn connection(number: u64) -> Connections {
        Connections { epoch: 1, reconnects: number }
    }

    /// A machine whose first look-up is under way.
    fn begun() -> (Machine, Instant) {
        let now = Instant::now();
        let mut machine = Machine::new(connection(0), now);
        assert_eq!(machine.wakes_at(), Some(now));
        assert_eq!(machine.on(Input::Wake, now), [LookUp]);
        assert_eq!(machine.wakes_at(), None);
        (machine, now)
    }

    #[test]
    fn a_host_is_published_once_and_looked_up_again_after_half_a_minute() {
        let (mut machine, now) = begun();
        let effects = machine.on(Input::Found(Ok(host(1))), now);
        assert_eq!(effects, [Publish(host(1)), Log(Remark::Found(host(1)))]);
        assert_eq!(machine.wakes_at(), Some(now + REFRESH));
        assert_eq!(machine.on(Input::Wake, now), [], "too early");
        let later = now + REFRESH;
        assert_eq!(machine.on(Input::Wake, later), [LookUp]);
        assert_eq!(machine.on(Input::Found(Ok(host(1))), later), []);
        assert_eq!(machine.wakes_at(), Some(later + REFRESH));
    }

    #[test]
    fn another_host_is_published() {
        let (mut machine, now) = begun();
        machine.on(Input::Found(Ok(host(1))), now);
        assert_eq!(machine.on(Input::Link(connection(1)), now), [LookUp]);
        let effects = machine.on(Input::Found(Ok(host(2))), now);
        assert_eq!(effects, [Publish(host(2)), Log(Remark::Moved { from: host(1), to: host(2) })]);
    }

    #[test]
    fn only_a_new_connection_asks_for_a_look_up() {
        let (mut machine, now) = begun();
        machine.on(Input::Found(Ok(host(1))), now);
        assert_eq!(machine.on(Input::Link(connection(0)), now), [], "another phase");
        let epoch = Connections { epoch: 2, reconnects: 0 };
        assert_eq!(machine.on(Input::Link(epoch), now), [LookUp]);
    }

    #[test]
    fn a_connection_during_a_look_up_asks_for_another_one() {
        let (mut machine, now) = begun();
        assert_eq!(machine.on(Input::Link(connection(1)), now), [], "one at a time");
        assert_eq!(machine.on(Input::Link(connection(2)), now), []);
        let effects = machine.on(Input::Found(Ok(host(1))), now);
        assert_eq!(effects, [Publish(host(1)), Log(Remark::Found(host(1))), LookUp]);
        assert_eq!(machine.wakes_at(), None);
        assert_eq!(machine.on(Input::Found(Ok(host(1))), now), []);
        assert_eq!(machine.wakes_at(), Some(now + REFRESH), "once");
    }

    #[test]
    fn a_failure_keeps_the_host_is_logged_once_and_retried_after_a_second() {
        let (mut machine, now) = begun();
        let effects = machine.on(Input::Found(Err(cause("A"))), now);
        assert_eq!(effects, [Trouble(Some(cause("A"))), Log(Remark::Missing(cause("A")))]);
        assert_eq!(machine.wakes_at(), Some(now + RETRY));
        let mut now = now + RETRY;
        machine.on(Input::Wake, now);
        machine.on(Input::Found(Ok(host(1))), now);

        now += REFRESH;
        machine.on(Input::Wake, now);
        let effects = machine.on(Input::Found(Err(cause("A"))), now);
        let kept = |name: &str| Log(Remark::Kept { address: host(1), cause: cause(name) });
        assert_eq!(effects, [Trouble(Some(cause("A"))), kept("A")], "again after a success");
        for (name, expected) in [
            ("A", vec![]),
            ("B", vec![Trouble(Some(cause("B"))), kept("B")]),
            ("A", vec![Trouble(Some(cause("A")))]),
        ] {
            now += RETRY;
            assert_eq!(machine.on(Input::Wake, now), [LookUp]);
            assert_eq!(machine.on(Input::Found(Err(cause(name))), now), expected);
        }
        now += RETRY;
        machine.on(Input::Wake, now);
        let effects = machine.on(Input::Found(Ok(host(1))), now);
        assert_eq!(effects, [Trouble(None), Log(Remark::Confirmed(host(1)))]);
    }

    #[test]
    fn a_loopback_address_replaces_another_only_after_ten_seconds() {
        let loopback: Host = std::net::Ipv4Addr::LOCALHOST.into();
        let (mut machine, begun) = begun();
        machine.on(Input::Found(Ok(host(1))), begun);
        // The next look-up, when it is due.
        let mut find = |host: &Host| {
            let now = machine.wakes_at().expect("no look-up is under way");
            assert_eq!(machine.on(Input::Wake, now), [LookUp]);
            (machine.on(Input::Found(Ok(host.clone())), now), now - begun)
        };
        let only = || AdvertiseError::OnlyLoopback { address: loopback.clone() };
        let kept = Log(Remark::Kept { address: host(1), cause: only() });
        assert_eq!(find(&loopback), (vec![Trouble(Some(only())), kept], REFRESH));
        for _ in 1..10 {
            assert_eq!(find(&loopback).0, []);
        }
        // The network is back in the last second: the time begins anew.
        let confirmed = vec![Trouble(None), Log(Remark::Confirmed(host(1)))];
        assert_eq!(find(&host(1)), (confirmed, REFRESH + LOOPBACK_DOUBT));
        for _ in 0..10 {
            assert!(!find(&loopback).0.contains(&Publish(loopback.clone())));
        }
        let (effects, at) = find(&loopback);
        assert_eq!((&effects[0], at), (&Publish(loopback), (REFRESH + LOOPBACK_DOUBT) * 2));
    }

    #[test]
    fn a_loopback_address_that_is_the_first_is_taken_at_once() {
        let loopback: Host = std::net::Ipv4Addr::LOCALHOST.into();
        let (mut machine, now) = begun();
        let effects = machine.on(Input::Found(Ok(loopback.clone())), now);
        assert_eq!(effects[0], Publish(loopback));
    }

    #[test]
    fn causes_that_are_new_each_time_do_not_fill_log_and_memory() {
        let (mut machine, mut now) = begun();
        let mut logged = 0;
        for index in 0..100 {
            let effects = machine.on(Input::Found(Err(cause(&index.to_string()))), now);
            logged += effects.iter().filter(|effect| matches!(effect, Log(_))).count();
            now += RETRY;
            machine.on(Input::Wake, now);
        }
        assert_eq!((logged, machine.logged.len()), (MOST_LOGGED, MOST_LOGGED));
    }
}
