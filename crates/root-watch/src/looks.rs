//! Looks at the root of a recursive watch: whether everything was reported, and what the children are.
//!
//! ```text
//!                  ┌─ events came meanwhile: wait, look again ─┐
//!  watch, sync,    ▼                                           │
//!  stat ────▶ Looking(Start) ──────────────────────────────────┘
//!                  │ whole, or a gap is only reported: Live                      a while later
//!                  ├─────────────────────────────────────────────────▶ Idle ─────────────────────▶ Looking(Audit)
//!                  │                                                   ▲  ▲  ▲                    Looking(Learn)
//!                  │ a gap                                             │  │  └──── whole ─────────────┤
//!                  └────────────▶ Listing(Start) ── Listed, Live ──────┘  │                          │ a gap
//!                                                                         └─ Listed, Audited ─ Listing(Audit)
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;
use zk_core::time::jittered;
use zk_core::{Error, ErrorKind, Stat};

use crate::common::{Common, End};
use crate::count::Verdict;
use crate::io::{Children, Effect};
use crate::learn::Learn;
use crate::update::{ListReason, Update, Watched};

/// How many stats look for a round trip without an event, and about how long is waited between them: before the root
/// counts as followed, and in an audit.
const START: Tries = Tries { most: 4, wait: Duration::from_millis(10) };
const AUDIT: Tries = Tries { most: 8, wait: Duration::from_millis(50) };

struct Tries {
    most: u32,
    wait: Duration,
}

#[derive(Debug)]
pub(crate) struct Looks {
    step: Step,
    /// When the next audit is due.
    audit_at: Instant,
    learn: Learn,
}

#[derive(Debug)]
enum Step {
    /// A stat is on its way.
    Looking(Look),
    /// Events came during the last one.
    Waiting { look: Look, until: Instant },
    /// A list is on its way.
    Listing(Why),
    /// The root is followed.
    Idle,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    why: Why,
    /// How many stats came before this one.
    tried: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The root is not followed yet.
    Start,
    Audit,
    /// An exact base of the count is missing.
    Learn,
}

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Looking(Look { why: Why::Start, .. }) => "looking_start",
            Self::Looking(Look { why: Why::Audit, .. }) => "looking_audit",
            Self::Looking(Look { why: Why::Learn, .. }) => "looking_learn",
            Self::Waiting { look: Look { why: Why::Start, .. }, .. } => "waiting_start",
            Self::Waiting { look: Look { why: Why::Audit, .. }, .. } => "waiting_audit",
            Self::Waiting { look: Look { why: Why::Learn, .. }, .. } => "waiting_learn",
            Self::Listing(Why::Start) => "listing_start",
            Self::Listing(Why::Audit) => "listing_audit",
            Self::Listing(Why::Learn) => "listing_learn",
            Self::Idle => "idle",
        }
    }
}

impl Looks {
    /// The first look: a stat behind the watch.
    pub(crate) fn start(common: &mut Common, now: Instant) -> Self {
        common.count.send();
        common.ask(Effect::Watch);
        let step = Step::Looking(Look { why: Why::Start, tried: 0 });
        Self { step, audit_at: now, learn: Learn::default() }
    }

    /// The name of its step.
    pub(crate) fn name(&self) -> &'static str {
        self.step.name()
    }

    /// Whether the root is followed.
    pub(crate) fn is_live(&self) -> bool {
        match self.step {
            Step::Looking(look) | Step::Waiting { look, .. } => look.why != Why::Start,
            Step::Listing(why) => why != Why::Start,
            Step::Idle => true,
        }
    }

    /// Whether a list is on its way: events wait for it.
    pub(crate) fn is_listing(&self) -> bool {
        matches!(self.step, Step::Listing(_))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Idle => Some(self.learn.due().map_or(self.audit_at, |due| due.min(self.audit_at))),
            Step::Waiting { until, .. } => Some(until),
            Step::Looking(_) | Step::Listing(_) => None,
        }
    }

    /// The [deadline](Self::deadline) may have come.
    pub(crate) fn due(&mut self, common: &mut Common, now: Instant) {
        let look = match self.step {
            Step::Waiting { look, until } if until <= now => look,
            // Nothing but a list can help.
            Step::Idle if self.audit_at <= now && common.owed => return self.list(Why::Audit, common),
            Step::Idle if self.audit_at <= now => Look { why: Why::Audit, tried: 0 },
            Step::Idle if self.learn.due().is_some_and(|due| due <= now) => {
                self.learn.looking(common, now);
                Look { why: Why::Learn, tried: 0 }
            }
            _ => return,
        };
        common.count.send();
        match look.why {
            Why::Audit => common.ask_audit(),
            Why::Start | Why::Learn => common.ask(Effect::Stat),
        }
        self.step = Step::Looking(look);
    }

    /// The root was reported as created or deleted.
    pub(crate) fn root_changed(&mut self, common: &mut Common, now: Instant) {
        self.learn.check(common, now);
    }

    /// The reply to a stat: decides what comes next.
    pub(crate) fn stat(&mut self, stat: Option<&Stat>, common: &mut Common, now: Instant) {
        let Step::Looking(look) = self.step else { return };
        let verdict = common.count.reply(stat);
        debug!(why = ?look.why, tried = look.tried, ?verdict, "root looked at");
        match (look.why, verdict) {
            (Why::Start, _) if common.owed => self.begin(common, now),
            (Why::Start, Verdict::Whole) => self.begin(common, now),
            (Why::Start, Verdict::Undecided) if self.look_again(look, &START, common, now) => {}
            (Why::Start, _) => {
                common.owed = true;
                self.begin(common, now);
            }
            (Why::Audit, Verdict::Whole) => self.audited(common, now),
            (Why::Audit, Verdict::Undecided) if self.look_again(look, &AUDIT, common, now) => {}
            (Why::Audit, _) | (Why::Learn, Verdict::Mismatch) => {
                common.owed = true;
                self.list(Why::Audit, common);
            }
            (Why::Learn, _) => self.idle(common, now),
        }
    }

    /// Waits for a moment without events, unless it was tried often enough.
    fn look_again(&mut self, look: Look, tries: &Tries, common: &mut Common, now: Instant) -> bool {
        let tried = look.tried + 1;
        if tried == tries.most {
            return false;
        }
        let until = now + jittered(tries.wait, &mut common.rng);
        self.step = Step::Waiting { look: Look { tried, ..look }, until };
        true
    }

    /// The root counts as followed, once it is listed if that is owed.
    fn begin(&mut self, common: &mut Common, now: Instant) {
        if common.owes_list() {
            return self.list(Why::Start, common);
        }
        let whole = !std::mem::take(&mut common.owed);
        self.live(whole, common, now);
    }

    fn live(&mut self, whole: bool, common: &mut Common, now: Instant) {
        common.live(Watched::Recursive, whole);
        self.audit_at = common.next_audit(now);
        self.idle(common, now);
    }

    fn audited(&mut self, common: &mut Common, now: Instant) {
        common.report(Update::Audited);
        self.audit_at = common.next_audit(now);
        self.idle(common, now);
    }

    fn idle(&mut self, common: &mut Common, now: Instant) {
        self.step = Step::Idle;
        self.learn.check(common, now);
    }

    fn list(&mut self, why: Why, common: &mut Common) {
        common.count.send();
        common.ask(Effect::List);
        self.step = Step::Listing(why);
    }

    /// The reply to a list; `Listed` is reported. [`conclude`](Self::conclude) follows.
    pub(crate) fn listed(&mut self, children: Children, common: &mut Common) {
        let Step::Listing(why) = self.step else { return };
        let verdict = common.count.reply(children.as_ref().map(|(_, stat)| stat));
        debug!(?why, ?verdict, "root listed");
        let names = children.map(|(names, _)| names).unwrap_or_default();
        let reason = if why == Why::Start { ListReason::Gap } else { ListReason::Audit };
        common.listed(names, BTreeSet::new(), reason);
    }

    /// The updates behind the list have been reported, too.
    pub(crate) fn conclude(&mut self, common: &mut Common, now: Instant) {
        match self.step {
            Step::Listing(Why::Start) => self.live(false, common, now),
            Step::Listing(Why::Audit | Why::Learn) => self.audited(common, now),
            _ => {}
        }
    }

    /// A stat or a list has failed.
    pub(crate) fn failed(&mut self, error: Error, common: &mut Common, now: Instant) -> Result<(), End> {
        let (Step::Looking(Look { why, .. }) | Step::Listing(why)) = self.step else { return Ok(()) };
        // A server may send no events to a session that may not read the root.
        if why == Why::Start || *error.kind() == ErrorKind::Denied {
            return Err(End::Failed(error));
        }
        debug!(%error, ?why, "look at the root failed");
        if common.owed {
            // What is owed does not wait for the next audit.
            self.audit_at = now + common.backoff.next_wait(&mut common.rng);
        } else if why == Why::Audit {
            self.audit_at = common.next_audit(now);
        }
        self.idle(common, now);
        Ok(())
    }
}
