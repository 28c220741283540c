//! Under which endpoints one listener is registered: a machine.
//!
//! A listener is registered under one endpoint, its *target*. When its address changes, the new endpoint is registered
//! first, and the old one, now a *former* endpoint, goes
//!
//! * as soon as the new one is registered;
//! * after a second with a link, if the new one is not registered by then (a conflict, for one) and the old address is not
//!   this machine's any more: calls to it reach nobody, or somebody else. For as long as it is this machine's, calls to it
//!   arrive, and it stays;
//! * at once, if it was never known to be registered.
//!
//! A name that is being deregistered is registered again only when it is known to be gone.

use std::collections::BTreeMap;
use std::time::Duration;

use instance::{Endpoint, Host};
use tokio::time::Instant;
use tracing::trace;

/// How long a former endpoint stays beside a new one that is not registered, with a link.
pub(super) const FORMER_STAYS: Duration = Duration::from_secs(1);

/// What has happened.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Callers reach the listener at this endpoint now.
    Found(Endpoint),
    /// Whether the listener is to be registered.
    Wanted(bool),
    /// Whether an endpoint is registered, as far as is known without a link.
    Registered(Endpoint, bool),
    /// An endpoint is not registered any more, for good. Unless that was wanted, the link is closed, and it is not tried again.
    Gone(Endpoint),
    /// Whether there is a link.
    Linked(bool),
    /// Nothing but time.
    Timer,
}

impl Input {
    fn name(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Wanted(true) => "wanted",
            Self::Wanted(false) => "unwanted",
            Self::Registered(_, true) => "registered",
            Self::Registered(_, false) => "unregistered",
            Self::Gone(_) => "gone",
            Self::Linked(true) => "linked",
            Self::Linked(false) => "unlinked",
            Self::Timer => "timer",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Register(Endpoint),
    Deregister(Endpoint),
}

/// Under which endpoints one listener is registered.
#[derive(Debug, Default)]
pub(super) struct Presence {
    target: Option<Endpoint>,
    wanted: bool,
    linked: bool,
    held: BTreeMap<Endpoint, Held>,
}

/// An endpoint that is declared registered, or is being deregistered.
#[derive(Debug, Default)]
struct Held {
    registered: bool,
    leaving: bool,
    /// When a former endpoint is looked at again.
    until: Option<Instant>,
}

impl Presence {
    /// Takes an input, and says what is to be done. `is_ours` tells whether an address is this machine's.
    pub(super) fn apply(
        &mut self,
        input: Input,
        now: Instant,
        is_ours: impl Fn(&Host) -> bool,
    ) -> Vec<Effect> {
        let (from, on) = (self.name(), input.name());
        self.take(input);
        let effects = self.effects(now, is_ours);
        trace!(target: "arrow", machine = "presence", from, on, to = self.name());
        effects
    }

    /// The name of what the listener is registered under.
    fn name(&self) -> &'static str {
        let target = self.target.as_ref().filter(|_| self.wanted);
        let stays = self.former().any(|former| !self.held[former].leaving);
        match target.and_then(|target| self.held.get(target)) {
            Some(Held { leaving: true, .. }) => "returning",
            Some(_) if stays => "moving",
            Some(held) if held.registered => "registered",
            Some(_) => "declared",
            None if self.held.is_empty() => "absent",
            None => "leaving",
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Found(endpoint) => self.target = Some(endpoint),
            Input::Wanted(wanted) => self.wanted = wanted,
            Input::Registered(endpoint, registered) => {
                if let Some(held) = self.held.get_mut(&endpoint) {
                    held.registered = registered;
                }
            }
            Input::Gone(endpoint) => {
                if let Some(held) = self.held.get_mut(&endpoint) {
                    held.registered = false;
                    if held.leaving {
                        self.held.remove(&endpoint);
                    }
                }
            }
            Input::Linked(linked) => {
                if self.linked != linked {
                    // A second with a link.
                    self.held.values_mut().for_each(|held| held.until = None);
                }
                self.linked = linked;
            }
            Input::Timer => {}
        }
    }

    /// When the machine wants to be woken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held.values().filter_map(|held| held.until).min()
    }

    /// The endpoint under which callers are to reach the listener.
    pub(super) fn target(&self) -> Option<&Endpoint> {
        self.target.as_ref()
    }

    /// All endpoints that are declared registered, or are being deregistered.
    pub(super) fn held(&self) -> impl Iterator<Item = &Endpoint> {
        self.held.keys()
    }

    /// The endpoints that are registered beside it, until they go.
    pub(super) fn former(&self) -> impl Iterator<Item = &Endpoint> {
        self.held.keys().filter(|endpoint| Some(*endpoint) != self.target.as_ref())
    }

    fn effects(&mut self, now: Instant, is_ours: impl Fn(&Host) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let target = self.target.as_ref().filter(|_| self.wanted);
        if let Some(target) = target
            && !self.held.contains_key(target)
        {
            self.held.insert(target.clone(), Held::default());
            effects.push(Effect::Register(target.clone()));
        }
        let replaced = target.is_none_or(|target| self.held[target].is_registered());
        for (endpoint, held) in &mut self.held {
            if held.leaving {
                continue;
            }
            if Some(endpoint) == target {
                held.until = None;
            } else if replaced
                || !held.registered
                || held.is_over(now, self.linked, endpoint.host(), &is_ours)
            {
                (held.leaving, held.until) = (true, None);
                effects.push(Effect::Deregister(endpoint.clone()));
            }
        }
        effects
    }
}

impl Held {
    fn is_registered(&self) -> bool {
        self.registered && !self.leaving
    }

    /// Whether a former endpoint has stayed for long enough beside its successor.
    fn is_over(&mut self, now: Instant, linked: bool, host: &Host, is_ours: impl Fn(&Host) -> bool) -> bool {
        let until = match self.until {
            Some(until) => until,
            None if linked => now + FORMER_STAYS,
            None => return false,
        };
        let is_over = until <= now && !is_ours(host);
        self.until = Some(if until <= now { now + FORMER_STAYS } else { until });
        is_over
    }
}

#[cfg(test)]
mod tests;
