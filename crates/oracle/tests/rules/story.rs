//! Writes histories by hand: what happens, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use oracle::{
    Answers, Attempted, Bounds, By, Called, Data, History, Invariant, Judgement, LinkPhase, Record, Shown,
    Stated, What, Znode, judge,
};

pub(crate) const A: &str = "127.0.0.1:8001";
pub(crate) const B: &str = "127.0.0.1:8002";
pub(crate) const C: &str = "127.0.0.1:8003";

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A history in the making. Times are in milliseconds; what is told in any order is sorted by time.
#[derive(Clone)]
pub(crate) struct Story {
    history: History,
    now: Duration,
    zxid: i64,
    sessions: BTreeMap<String, i64>,
    next_session: i64,
    /// What stands.
    czxids: BTreeMap<String, i64>,
    next_fault: u32,
    next_call: u64,
}

pub(crate) fn bounds() -> Bounds {
    Bounds {
        session_timeout: ms(4000),
        tick: ms(200),
        propagation: ms(250),
        backoff: ms(1000),
        attempt: ms(1000),
        call: ms(5000),
        max_attempts: 16,
        max_refused: 1024,
        hold: ms(6000),
        settle: ms(25),
        audit: ms(10_000),
    }
}

pub(crate) fn data(weight: u32) -> Data {
    Data { weight: Some(weight), draining: false, incarnation: None }
}

impl Story {
    pub(crate) fn new() -> Self {
        Self {
            history: History { bounds: bounds(), records: Vec::new() },
            now: Duration::ZERO,
            zxid: 0,
            sessions: BTreeMap::new(),
            next_session: 0x100,
            czxids: BTreeMap::new(),
            next_fault: 0,
            next_call: 0,
        }
    }

    /// Three servers that are registered, and a client that sees and calls them: 1 s has passed.
    pub(crate) fn fleet() -> Self {
        let mut story = Self::new();
        for (server, name) in [("server 1", A), ("server 2", B), ("server 3", C)] {
            story.start(server).serves(server, name, Answers::Well).want(server, name).create(server, name);
            story.registered(server, name);
        }
        story.start("client 1").at(1000).see("client 1", true, &[A, B, C]);
        for _ in 0..20 {
            story.answered_call("client 1", A);
        }
        story
    }

    /// What follows happens at this time.
    pub(crate) fn at(&mut self, at: u64) -> &mut Self {
        self.now = ms(at);
        self
    }

    pub(crate) fn say(&mut self, what: What) -> &mut Self {
        self.history.records.push(Record { at: self.now, what });
        self
    }

    pub(crate) fn bounds(&mut self) -> &mut Bounds {
        &mut self.history.bounds
    }

    pub(crate) fn healed(&mut self) -> &mut Self {
        self.say(What::Healed)
    }

    pub(crate) fn start(&mut self, process: &str) -> &mut Self {
        self.say(What::Spawned { process: process.into() }).connect_anew(process)
    }

    /// A session begins.
    pub(crate) fn connect_anew(&mut self, process: &str) -> &mut Self {
        self.next_session += 1;
        let session = self.next_session;
        self.sessions.insert(process.into(), session);
        self.say(What::SessionBegan { session, process: process.into() }).link(process, LinkPhase::Connected)
    }

    pub(crate) fn link(&mut self, process: &str, phase: LinkPhase) -> &mut Self {
        let session = self.sessions.get(process).copied();
        self.say(What::Link { process: process.into(), phase, session, epoch: 1, reconnects: 0 })
    }

    pub(crate) fn exit(&mut self, process: &str, status: Option<i32>) -> &mut Self {
        self.say(What::Exited { process: process.into(), status })
    }

    /// A fault of no length, of a process or of all.
    pub(crate) fn fault(&mut self, kind: &str, process: Option<&str>) -> &mut Self {
        let to = self.now;
        self.fault_until(kind, process, to.as_millis() as u64)
    }

    pub(crate) fn fault_until(&mut self, kind: &str, process: Option<&str>, to: u64) -> &mut Self {
        self.next_fault += 1;
        let (id, from) = (self.next_fault, self.now);
        let process = process.map(Into::into);
        self.say(What::Fault { id, fault: kind.into(), process, text: kind.into() })
            .say(What::TookEffect { id });
        self.at(to).say(What::FaultOver { id });
        self.now = from;
        self
    }

    pub(crate) fn kill(&mut self, process: &str) -> &mut Self {
        self.fault("kill", Some(process)).exit(process, None)
    }

    pub(crate) fn want(&mut self, process: &str, name: &str) -> &mut Self {
        self.want_with(process, name, data(100))
    }

    pub(crate) fn want_with(&mut self, process: &str, name: &str, data: Data) -> &mut Self {
        self.say(What::Wanted { process: process.into(), name: name.into(), data })
    }

    pub(crate) fn unwant(&mut self, process: &str, name: &str) -> &mut Self {
        self.say(What::Unwanted { process: process.into(), name: name.into() })
    }

    pub(crate) fn session(&self, process: &str) -> i64 {
        self.sessions[process]
    }

    pub(crate) fn create(&mut self, process: &str, name: &str) -> &mut Self {
        self.zxid += 1;
        self.create_in(process, name)
    }

    /// In the transaction of the change before.
    pub(crate) fn create_in(&mut self, process: &str, name: &str) -> &mut Self {
        let (session, by) = (self.session(process), By::Process(process.into()));
        self.create_as(name, Some(session), by)
    }

    pub(crate) fn create_by_other(&mut self, name: &str) -> &mut Self {
        self.zxid += 1;
        self.create_as(name, Some(0x999), By::Other("rival".into()))
    }

    fn create_as(&mut self, name: &str, session: Option<i64>, by: By) -> &mut Self {
        let (zxid, name) = (self.zxid, name.to_owned());
        self.czxids.insert(name.clone(), zxid);
        self.say(What::Created { zxid, name, znode: Znode { czxid: zxid, session, data: data(100) }, by })
    }

    pub(crate) fn delete(&mut self, by: By, name: &str) -> &mut Self {
        self.zxid += 1;
        self.delete_in(by, name)
    }

    /// In the transaction of the change before.
    pub(crate) fn delete_in(&mut self, by: By, name: &str) -> &mut Self {
        self.czxids.remove(name);
        let zxid = self.zxid;
        self.say(What::Deleted { zxid, name: name.into(), by })
    }

    pub(crate) fn write(&mut self, by: By, name: &str, data: Data) -> &mut Self {
        self.zxid += 1;
        let zxid = self.zxid;
        self.say(What::Written { zxid, name: name.into(), data, by })
    }

    /// A deletion that is told: one transaction.
    pub(crate) fn leave(&mut self, process: &str, name: &str) -> &mut Self {
        let by = By::Process(process.into());
        self.write(by.clone(), name, data(0)).delete_in(by, name)
    }

    /// The session of a process is over, and with it these.
    pub(crate) fn expire(&mut self, process: &str, names: &[&str]) -> &mut Self {
        let session = self.session(process);
        self.expire_session(session, names)
    }

    pub(crate) fn expire_session(&mut self, session: i64, names: &[&str]) -> &mut Self {
        self.zxid += 1;
        self.say(What::SessionEnded { session, expired: true });
        for name in names {
            self.delete_in(By::SessionEnd, name);
        }
        self
    }

    pub(crate) fn restored(
        &mut self,
        zxid: i64,
        children: &[(&str, i64, i64)],
        sessions: &[i64],
    ) -> &mut Self {
        self.zxid = zxid;
        let znode = |czxid, session| Znode { czxid, session: Some(session), data: data(100) };
        let children =
            children.iter().map(|(name, czxid, session)| ((*name).into(), znode(*czxid, *session))).collect();
        self.say(What::Restored { zxid, children, sessions: sessions.into() })
    }

    pub(crate) fn status(&mut self, process: &str, name: &str, status: Stated) -> &mut Self {
        self.say(What::Status { process: process.into(), name: name.into(), status })
    }

    /// It says that what stands is registered.
    pub(crate) fn registered(&mut self, process: &str, name: &str) -> &mut Self {
        let (czxid, session) = (self.czxids[name], self.session(process));
        self.status(process, name, Stated::Registered { czxid, session })
    }

    pub(crate) fn serves(&mut self, process: &str, name: &str, answers: Answers) -> &mut Self {
        self.say(What::Serving { endpoint: name.into(), process: Some(process.into()), answers })
    }

    pub(crate) fn see(&mut self, process: &str, live: bool, names: &[&str]) -> &mut Self {
        self.see_held(process, live, names, &[])
    }

    pub(crate) fn see_held(&mut self, process: &str, live: bool, names: &[&str], held: &[&str]) -> &mut Self {
        let shown = |held| Shown { weight: 100, draining: false, incarnation: None, held };
        let all = names.iter().map(|name| (*name, false)).chain(held.iter().map(|name| (*name, true)));
        self.see_all(process, live, all.map(|(name, held)| (name.into(), shown(held))).collect())
    }

    pub(crate) fn see_all(
        &mut self,
        process: &str,
        live: bool,
        instances: BTreeMap<String, Shown>,
    ) -> &mut Self {
        self.say(What::View { process: process.into(), live, revision: None, instances })
    }

    /// A view with this number.
    pub(crate) fn see_as(&mut self, process: &str, live: bool, revision: u64, names: &[&str]) -> &mut Self {
        self.see(process, live, names);
        if let Some(Record { what: What::View { revision: number, .. }, .. }) =
            self.history.records.last_mut()
        {
            *number = Some(revision);
        }
        self
    }

    pub(crate) fn answered_call(&mut self, process: &str, name: &str) -> &mut Self {
        self.call(
            process,
            true,
            &[(name, 2, Attempted::Answered)],
            Called::Answered { endpoint: name.into() },
        )
    }

    /// A call whose attempts take so many milliseconds each. It ends with the last.
    pub(crate) fn call(
        &mut self,
        process: &str,
        idempotent: bool,
        attempts: &[(&str, u64, Attempted)],
        outcome: Called,
    ) -> &mut Self {
        self.call_until(process, idempotent, attempts, 0, outcome)
    }

    /// It ends so long after the last attempt.
    pub(crate) fn call_until(
        &mut self,
        process: &str,
        idempotent: bool,
        attempts: &[(&str, u64, Attempted)],
        after: u64,
        outcome: Called,
    ) -> &mut Self {
        self.next_call += 1;
        let (id, from) = (self.next_call, self.now);
        self.say(What::Call { id, process: process.into(), idempotent });
        for (endpoint, takes, outcome) in attempts {
            let began = self.now;
            self.now += ms(*takes);
            self.say(What::Attempt { id, endpoint: (*endpoint).into(), began, outcome: *outcome });
        }
        self.now += ms(after);
        self.say(What::Called { id, outcome });
        self.now = from;
        self
    }

    /// The end of the run.
    pub(crate) fn end(&mut self, at: u64) -> History {
        self.at(at).say(What::End);
        self.history.records.sort_by_key(|record| record.at);
        self.number_views();
        self.history.clone()
    }

    /// Each set that differs from the one before has the next number, unless it has one.
    fn number_views(&mut self) {
        let mut sets: BTreeMap<String, (u64, BTreeMap<String, Shown>)> = BTreeMap::new();
        for record in &mut self.history.records {
            let What::View { process, revision, instances, .. } = &mut record.what else { continue };
            let mut now = instances.clone();
            now.values_mut().for_each(|shown| shown.held = false);
            let (number, before) = sets.entry(process.clone()).or_default();
            if *number == 0 || *before != now {
                (*number, *before) = (*number + 1, now);
            }
            *number = *revision.get_or_insert(*number);
        }
    }

    /// Judges it as a run of which everything was healed at 20 s, and which ended at 60 s.
    pub(crate) fn judge(&mut self) -> Judgement {
        self.at(20_000).healed();
        judge(&self.end(60_000))
    }

    /// Nothing is wrong, and the rule had something to judge.
    #[track_caller]
    pub(crate) fn passes(&mut self, rule: Invariant) -> Judgement {
        let judgement = self.judge();
        let told: Vec<_> = judgement.violations.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{told:#?}");
        assert!(judgement.checked[&rule] > 0, "{rule} had nothing to judge");
        judgement
    }

    /// The rule finds what is wrong; the text has these words. Others may find it, too, if they are named.
    #[track_caller]
    pub(crate) fn fails(&mut self, rule: Invariant, words: &str, others: &[Invariant]) -> Judgement {
        let judgement = self.judge();
        let told: Vec<_> = judgement.violations.iter().map(ToString::to_string).collect();
        let found = judgement.violations.iter().any(|one| one.invariant == rule && one.text.contains(words));
        assert!(found, "{rule} did not find it: {told:#?}");
        let is_named = |one: &Invariant| *one == rule || others.contains(one);
        assert!(judgement.violations.iter().all(|one| is_named(&one.invariant)), "{told:#?}");
        judgement
    }
}
