//! What is done to links.

use std::time::Duration;

use rand::RngExt;
use zk_core::ErrorKind;
use zk_simulated::{Fault, Match, Verb};

use super::nemesis::Nemesis;
use crate::plan::{Act, Loss, Who};

/// How late a late request or reply is, in milliseconds.
const LATE: std::ops::RangeInclusive<u64> = 100..=2_500;

impl Nemesis<'_> {
    pub(super) fn is_connected(&self, who: Who) -> bool {
        self.link_of(who).is_some_and(|(client, _)| self.ensemble.session_of(client).is_some())
    }

    pub(super) fn cut(&mut self, act: &Act, who: Who) {
        let id = self.begin(act, Some(who));
        let was_connected = self.is_connected(who);
        if let Some((client, _)) = self.link_of(who) {
            self.ensemble.cut_client(client);
        }
        self.at_once(id, was_connected);
    }

    pub(super) fn isolate(&mut self, act: &Act, who: Who, for_ms: u64) {
        let id = self.begin(act, Some(who));
        let Some((client, _)) = self.link_of(who) else { return self.at_once(id, false) };
        if self.is_connected(who) {
            self.recorder.took_effect(id);
        }
        self.isolated.insert(id, who);
        self.apply_to_link(who);
        self.ensemble.cut_client(client);
        self.lasts(id, for_ms, move |nemesis| {
            if nemesis.link_of(who).is_some_and(|(_, zk)| !zk.state().is_connected()) {
                nemesis.recorder.took_effect(id);
            }
            nemesis.isolated.remove(&id);
            nemesis.apply_to_link(who);
        });
    }

    pub(super) fn stall(&mut self, act: &Act, who: Who, for_ms: u64) {
        let id = self.begin(act, Some(who));
        if self.link_of(who).is_none() {
            return self.at_once(id, false);
        }
        if self.is_connected(who) {
            self.recorder.took_effect(id);
        }
        self.stalled.insert(id, (who, None));
        self.apply_to_link(who);
        self.lasts(id, for_ms, move |nemesis| {
            nemesis.stalled.remove(&id);
            nemesis.apply_to_link(who);
        });
    }

    /// Applies to a process what faults do to its link at present.
    pub(super) fn apply_to_link(&self, who: Who) {
        let Some((client, _)) = self.link_of(who) else { return };
        self.apply_to_client(who, client);
    }

    pub(super) fn apply_to_client(&self, who: Who, client: u64) {
        self.ensemble.refuse_connects_of(client, self.isolated.values().any(|isolated| *isolated == who));
        let concerns =
            |(stalled, only): &(Who, Option<u64>)| *stalled == who && only.is_none_or(|only| only == client);
        match self.stalled.values().any(concerns) {
            true => self.ensemble.stall(client),
            false => self.ensemble.resume(client),
        }
    }

    pub(super) fn lose(&mut self, act: &Act, who: Who, loss: Loss, only_writes: bool) {
        let id = self.begin(act, Some(who));
        let late = Duration::from_millis(self.rng.random_range(LATE));
        let Some((client, _)) = self.link_of(who) else { return self.at_once(id, false) };
        let (fault, lasts) = match loss {
            Loss::CutBefore => (Fault::CutBefore, Duration::ZERO),
            Loss::CutAfter => (Fault::CutAfter, Duration::ZERO),
            Loss::Reply => (Fault::StallReplies(FOR_EVER), Duration::ZERO),
            Loss::Ignored => (Fault::Silence, Duration::ZERO),
            Loss::Busy => (Fault::Refuse(ErrorKind::Busy), Duration::ZERO),
            Loss::Expire => (Fault::Expire, Duration::ZERO),
            Loss::Late => (Fault::Delay(late), late),
            Loss::LateReply => (Fault::StallReplies(late), late),
        };
        let which = if only_writes { Match::verbs(WRITES) } else { Match::any() };
        let injection = self.ensemble.fault(which.client(client), fault);
        let (recorder, mut healed) = (self.recorder.clone(), self.healed.subscribe());
        self.waiting.spawn(async move {
            tokio::select! {
                biased;
                () = injection.wait_fired() => {
                    recorder.took_effect(id);
                    // Whatever is late comes, healed or not: it is over when it has come.
                    tokio::time::sleep(lasts).await;
                }
                _ = healed.wait_for(|healed| *healed) => injection.lift(),
            }
            recorder.fault_over(id);
        });
    }

    pub(super) fn expire(&mut self, act: &Act, who: Who) {
        let id = self.begin(act, Some(who));
        let session = self.link_of(who).and_then(|(client, zk)| {
            self.ensemble.session_of(client).or(zk.state().session.map(|session| session.id))
        });
        let expired = session.is_some_and(|session| {
            let was_kept = self.recorder.is_kept(session);
            self.ensemble.expire(session);
            was_kept && !self.recorder.is_kept(session)
        });
        self.at_once(id, expired);
    }

    pub(super) fn swallow(&mut self, act: &Act, who: Who) {
        let id = self.begin(act, Some(who));
        let Some((client, _)) = self.link_of(who) else { return self.at_once(id, false) };
        let injection = self.ensemble.swallow_next_event_of(client);
        let (recorder, mut healed) = (self.recorder.clone(), self.healed.subscribe());
        self.waiting.spawn(async move {
            tokio::select! {
                biased;
                () = injection.wait_fired() => recorder.took_effect(id),
                _ = healed.wait_for(|healed| *healed) => injection.lift(),
            }
            recorder.fault_over(id);
        });
    }
}

/// Longer than a link waits: it gives the connection up. A real one that brings nothing of one request brings nothing of those
/// behind it, either.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// The requests that change something.
const WRITES: [Verb; 5] = [Verb::Create, Verb::Delete, Verb::TakeOver, Verb::WriteAndDelete, Verb::SetData];
