use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::{AfterLoss, Matching, Op, Scope};
use zk_wire::{ErrorCode, Request};

/// A command about faults to the task of the machine.
#[derive(Debug)]
pub(crate) enum FaultCommand {
    /// End sessions; the result is how many.
    Expire(Scope, oneshot::Sender<u64>),
    /// Drop connections; the result is how many.
    Drop(Scope, oneshot::Sender<u64>),
    /// Put a fault in place; the result is its number and how often it has struck.
    Put(Kind, oneshot::Sender<(u64, watch::Receiver<u64>)>),
    /// End a fault, or all.
    End(Option<u64>, oneshot::Sender<()>),
    /// Change the clock; the result is the time.
    Clock(ClockChange, oneshot::Sender<i64>),
}

/// A change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockChange {
    Freeze,
    Step(Duration),
    Release,
}

/// A fault that stays for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Refuse(Scope),
    Stall(Scope),
    LoseReply(Matching, AfterLoss),
    Delay(Matching, Duration),
    Fail(Matching, ErrorCode),
}

/// The effect of the faults on one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strike {
    /// The request is not carried out, and this is the reply.
    pub(crate) fail: Option<ErrorCode>,
    /// The reply comes this much later.
    pub(crate) delay: Option<Duration>,
    /// The reply never comes.
    pub(crate) lose: Option<AfterLoss>,
}

/// The faults that are in place.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    next: u64,
    active: BTreeMap<u64, Active>,
}

#[derive(Debug)]
struct Active {
    kind: Kind,
    /// How often it may strike; `None` for ever.
    left: Option<u64>,
    fired: watch::Sender<u64>,
}

impl Registry {
    pub(crate) fn put(&mut self, kind: Kind) -> (u64, watch::Receiver<u64>) {
        let left = match &kind {
            Kind::Refuse(_) | Kind::Stall(_) => None,
            Kind::LoseReply(matching, _) | Kind::Delay(matching, _) | Kind::Fail(matching, _) => {
                matching.times
            }
        };
        let (fired, fired_rx) = watch::channel(0);
        let id = self.next;
        self.next += 1;
        if left != Some(0) {
            self.active.insert(id, Active { kind, left, fired });
        }
        (id, fired_rx)
    }

    pub(crate) fn end(&mut self, id: Option<u64>) {
        match id {
            Some(id) => drop(self.active.remove(&id)),
            None => self.active.clear(),
        }
    }

    /// Whether a connection is refused, which counts.
    pub(crate) fn refuses(&mut self, matches: impl Fn(Scope) -> bool) -> bool {
        self.count(1, |kind| matches!(kind, Kind::Refuse(scope) if matches(*scope)))
    }

    /// Whether a session gets no replies.
    pub(crate) fn stalls(&self, session: i64) -> bool {
        let matches = |active: &Active| matches!(active.kind, Kind::Stall(scope) if scope.covers(session));
        self.active.values().any(matches)
    }

    /// Whether no session gets replies.
    pub(crate) fn stalls_all(&self) -> bool {
        self.active.values().any(|active| active.kind == Kind::Stall(Scope::All))
    }

    /// Counts requests that came in while their session gets no replies.
    pub(crate) fn count_stalled(&mut self, session: i64, requests: u64) {
        self.count(requests, |kind| matches!(kind, Kind::Stall(scope) if scope.covers(session)));
    }

    /// Returns what happens to a request, and counts it. The oldest fault of each kind wins.
    pub(crate) fn strike(&mut self, session: i64, op: Option<Op>, request: Option<&Request>) -> Strike {
        let mut strike = Strike::default();
        if self.active.is_empty() {
            return strike;
        }
        let covers = |matching: &Matching| matching.covers(session, op, request);
        self.active.retain(|_, active| {
            let struck = match &active.kind {
                // A request that is not carried out has no reply that could be lost or late.
                _ if strike.fail.is_some() => false,
                Kind::Fail(matching, code) if covers(matching) => {
                    strike.fail = Some(*code);
                    true
                }
                Kind::Delay(matching, by) if strike.delay.is_none() && covers(matching) => {
                    strike.delay = Some(*by);
                    true
                }
                Kind::LoseReply(matching, after) if strike.lose.is_none() && covers(matching) => {
                    strike.lose = Some(*after);
                    true
                }
                _ => false,
            };
            if struck {
                active.fire(1);
            }
            active.left != Some(0)
        });
        strike
    }

    fn count(&mut self, by: u64, matches: impl Fn(&Kind) -> bool) -> bool {
        let mut any = false;
        for active in self.active.values_mut().filter(|active| matches(&active.kind)) {
            active.fire(by);
            any = true;
        }
        any
    }
}

impl Active {
    fn fire(&mut self, by: u64) {
        self.fired.send_modify(|fired| *fired += by);
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delete(path: &str) -> Request {
        Request::Delete { path: path.into(), version: -1 }
    }

    #[test]
    fn a_fault_strikes_as_often_as_requested() {
        let mut registry = Registry::default();
        let (_, fired) = registry.put(Kind::Fail(Matching::op(Op::Delete).times(2), ErrorCode::NoAuth));
        let mut strike = || registry.strike(1, Some(Op::Delete), Some(&delete("/a"))).fail;
        assert_eq!([strike(), strike(), strike()], [Some(ErrorCode::NoAuth), Some(ErrorCode::NoAuth), None]);
        assert_eq!(*fired.borrow(), 2);
    }

    #[test]
    fn a_fault_strikes_only_what_it_matches() {
        let mut registry = Registry::default();
        let matching = Matching::op(Op::Delete).session(7).path("/a").always();
        let (id, fired) = registry.put(Kind::LoseReply(matching, AfterLoss::Cut));
        let (a, b) = (delete("/a"), delete("/b"));
        let multi = Request::Multi { operations: vec![delete("/b"), delete("/a")] };
        assert_eq!(registry.strike(8, Some(Op::Delete), Some(&a)).lose, None);
        assert_eq!(registry.strike(7, Some(Op::Create), Some(&a)).lose, None);
        assert_eq!(registry.strike(7, Some(Op::Delete), Some(&b)).lose, None);
        assert_eq!(registry.strike(7, Some(Op::Delete), None).lose, None);
        assert_eq!(*fired.borrow(), 0);
        assert_eq!(registry.strike(7, Some(Op::Delete), Some(&multi)).lose, Some(AfterLoss::Cut));
        assert_eq!(*fired.borrow(), 1);
        registry.end(Some(id));
        assert_eq!(registry.strike(7, Some(Op::Delete), Some(&a)).lose, None);
    }

    #[test]
    fn delay_and_loss_may_strike_the_same_request() {
        let mut registry = Registry::default();
        registry.put(Kind::Delay(Matching::any(), Duration::from_secs(1)));
        registry.put(Kind::LoseReply(Matching::any(), AfterLoss::Keep));
        let strike = registry.strike(1, Some(Op::Ping), Some(&Request::Ping));
        assert_eq!((strike.delay, strike.lose), (Some(Duration::from_secs(1)), Some(AfterLoss::Keep)));
    }
}
