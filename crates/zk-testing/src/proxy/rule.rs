use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::matching::Match;
use super::recorded::Seen;

/// The effect of a rule on the request that it chose, or on its connection.
///
/// A cut resets the client's side of this one connection and closes the server's side; the session lives on there until
/// it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The server never sees the request: cut.
    CutBeforeRequest,
    /// The server sees only the first so many bytes of the message, its four bytes of length included: cut.
    ///
    /// With as many as it has, or more, the server sees the whole of it, but whether it acts on it is left to chance.
    CutMidRequest(usize),
    /// The server has carried out the request and its reply has arrived here, but goes no further: cut.
    ///
    /// This is the lost reply.
    CutAfterRequest,
    /// The client gets the reply, and right behind it the connection is closed.
    CutAfterReply,
    /// The client gets the header of the reply and nothing of its body, as from a server that breaks the protocol.
    EmptyReply,
    /// The server carries out the request, its reply is dropped, and the connection goes on.
    ///
    /// To a client that counts on the order of replies, the next one is then a breach of the protocol.
    SwallowReply,
}

/// A requested fault: whether and how often it has happened.
///
/// Dropping it changes nothing; the rule stays until it is used up or [lifted](Self::lift).
#[derive(Clone, Debug)]
pub struct Injection(Arc<Rule>);

impl Injection {
    /// Whether it has happened at least once.
    pub fn fired(&self) -> bool {
        self.count() > 0
    }

    /// Returns how often it has happened.
    pub fn count(&self) -> u64 {
        *self.0.fired.borrow()
    }

    /// Waits until it has happened; false if it has not when the time is over.
    pub async fn wait_fired(&self, within: Duration) -> bool {
        let mut fired = self.0.fired.subscribe();
        tokio::time::timeout(within, fired.wait_for(|count| *count > 0)).await.is_ok()
    }

    /// Ends the rule; requests that it has chosen already still meet their fate.
    pub fn lift(&self) {
        self.0.left.lock().times = 0;
    }
}

#[derive(Debug)]
pub(super) struct Rule {
    matching: Match,
    pub(super) action: Action,
    left: Mutex<Left>,
    fired: watch::Sender<u64>,
}

#[derive(Debug)]
struct Left {
    skip: u64,
    times: u64,
}

impl Rule {
    fn new(matching: Match, action: Action) -> Arc<Self> {
        let left = Mutex::new(Left { skip: matching.skip, times: matching.times });
        Arc::new(Self { matching, action, left, fired: watch::Sender::new(0) })
    }

    /// Records that the fault has happened.
    pub(super) fn fire(&self) {
        self.fired.send_modify(|count| *count += 1);
    }

    /// Chooses the request, if it fits and the rule is not used up.
    fn claim(&self, seen: &Seen) -> bool {
        self.matching.fits(seen) && self.count_down()
    }

    fn count_down(&self) -> bool {
        let mut left = self.left.lock();
        if left.times == 0 {
            return false;
        }
        if left.skip > 0 {
            left.skip -= 1;
            return false;
        }
        left.times -= 1;
        true
    }
}

/// All rules of one proxy.
#[derive(Debug, Default)]
pub(super) struct Rules {
    requests: Mutex<Vec<Arc<Rule>>>,
    events: Mutex<Vec<Arc<Rule>>>,
}

impl Rules {
    pub(super) fn add(&self, matching: Match, action: Action) -> Injection {
        let rule = Rule::new(matching, action);
        self.requests.lock().push(Arc::clone(&rule));
        Injection(rule)
    }

    pub(super) fn drop_events(&self) -> Injection {
        // Neither the match nor the action is looked at.
        let rule = Rule::new(Match::any().always(), Action::SwallowReply);
        self.events.lock().push(Arc::clone(&rule));
        Injection(rule)
    }

    pub(super) fn clear(&self) {
        for rule in self.requests.lock().drain(..).chain(self.events.lock().drain(..)) {
            rule.left.lock().times = 0;
        }
    }

    /// Finds the rule that decides on a request.
    pub(super) fn claim(&self, seen: &Seen) -> Option<Arc<Rule>> {
        let mut rules = self.requests.lock();
        rules.retain(|rule| rule.left.lock().times > 0);
        rules.iter().find(|rule| rule.claim(seen)).cloned()
    }

    /// Finds the rule that swallows a notification.
    pub(super) fn claim_event(&self) -> Option<Arc<Rule>> {
        let mut rules = self.events.lock();
        rules.retain(|rule| rule.left.lock().times > 0);
        rules.iter().find(|rule| rule.count_down()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use zk_wire::OpCode;

    use super::*;

    fn seen(op: OpCode) -> Seen {
        Seen { connection: 1, op, xid: 1, path: None }
    }

    #[test]
    fn a_rule_skips_then_fires_then_is_used_up() {
        let rules = Rules::default();
        rules.add(Match::op(OpCode::Ping).skip(1).times(2), Action::SwallowReply);
        assert!(rules.claim(&seen(OpCode::Delete)).is_none());
        let claimed: Vec<bool> = (0..4).map(|_| rules.claim(&seen(OpCode::Ping)).is_some()).collect();
        assert_eq!(claimed, [false, true, true, false]);
    }

    #[test]
    fn a_lifted_rule_chooses_nothing() {
        let rules = Rules::default();
        let injection = rules.add(Match::any().always(), Action::CutBeforeRequest);
        injection.lift();
        assert!(rules.claim(&seen(OpCode::Ping)).is_none());
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = Rules::default();
        rules.add(OpCode::Delete.into(), Action::CutAfterReply);
        rules.add(Match::any(), Action::SwallowReply);
        rules.add(Match::any(), Action::CutBeforeRequest);
        let decided: Vec<Action> = (0..2).map(|_| rules.claim(&seen(OpCode::Ping)).unwrap().action).collect();
        assert_eq!(decided, [Action::SwallowReply, Action::CutBeforeRequest]);
    }
}
