//! Random histories, compared with a simple model.

use std::collections::BTreeMap;

use zk_core::{Stat, Zxid};

use super::*;

/// Names of three instances, some in several spellings.
const NAMES: [&str; 6] = [
    "127.0.0.1:1",
    "[::ffff:127.0.0.1]:1",
    "[::ffff:7f00:1]:1",
    "127.0.0.1:2",
    "[::ffff:127.0.0.1]:2",
    "127.0.0.1:3",
];

#[derive(Clone, Debug)]
enum Step {
    /// A child is created, in place of one of the same name if there is one.
    Create(usize),
    Delete {
        name: usize,
        told: bool,
    },
    Write(usize),
    /// Changes that no event tells, and then a list.
    List(Vec<usize>),
    /// A batch of records is asked for.
    Request,
    /// The oldest batch gets its reply: its records as they are at that moment, or none.
    Reply(bool),
    Pass(u64),
    Outage(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        6 => name().prop_map(Step::Create),
        6 => (name(), proptest::bool::weighted(0.3)).prop_map(|(name, told)| Step::Delete { name, told }),
        2 => name().prop_map(Step::Write),
        2 => proptest::collection::vec(name(), 0..6).prop_map(Step::List),
        4 => Just(Step::Request),
        4 => proptest::bool::weighted(0.9).prop_map(Step::Reply),
        6 => prop_oneof![0u64..6, 0u64..300, 0u64..12_000].prop_map(Step::Pass),
        1 => (0u64..2_000).prop_map(Step::Outage),
    ]
}

/// A znode: when it was created and written.
#[derive(Clone, Copy, Debug)]
struct Znode {
    czxid: u32,
    mzxid: u32,
    /// Since when there is one with this name.
    since: Instant,
}

struct World {
    script: Script,
    records: bool,
    zxid: u32,
    znodes: BTreeMap<&'static str, Znode>,
    /// The ports without a znode: since when, and whether a leave was told.
    gone: BTreeMap<u16, (Instant, bool)>,
    requested: Vec<Batch>,
    /// The ports that were shown after the step before, and their weights.
    shown: BTreeMap<u16, u32>,
}

fn port(name: &str) -> u16 {
    name.parse::<Endpoint>().unwrap().port()
}

impl World {
    fn new(records: bool) -> Self {
        let kind = if records { Records::Read } else { Records::NamesOnly };
        let script = Script::start(Plain, kind, []);
        let (znodes, gone, shown) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { script, records, zxid: 0, znodes, gone, requested: Vec::new(), shown }
    }

    /// Since when a port has a znode.
    fn since(&self, wanted: u16) -> Option<Instant> {
        self.znodes.iter().filter(|(name, _)| port(name) == wanted).map(|(_, znode)| znode.since).min()
    }

    fn create(&mut self, name: &'static str) {
        self.zxid += 1;
        self.gone.remove(&port(name));
        let since = self.znodes.get(name).map_or(self.script.now, |znode| znode.since);
        self.znodes.insert(name, Znode { czxid: self.zxid, mzxid: self.zxid, since });
    }

    fn delete(&mut self, name: &'static str, told: bool) {
        let stood = self.znodes.remove(name).is_some();
        if stood && self.since(port(name)).is_none() {
            self.gone.insert(port(name), (self.script.now, told));
        } else if let Some((_, was_told)) = self.gone.get_mut(&port(name)) {
            *was_told |= told;
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.script.now;
        match step {
            Step::Create(index) => {
                self.create(NAMES[index]);
                self.script.membership.created(NAMES[index], now);
            }
            Step::Delete { name, told } => {
                self.delete(NAMES[name], told);
                self.script.membership.deleted(NAMES[name], told, now);
            }
            Step::Write(index) => {
                self.zxid += 1;
                if let Some(znode) = self.znodes.get_mut(NAMES[index]) {
                    znode.mzxid = self.zxid;
                    self.script.membership.written(NAMES[index], now);
                }
            }
            Step::List(indexes) => {
                let listed: BTreeSet<_> = indexes.iter().map(|index| NAMES[*index]).collect();
                let gone: Vec<_> =
                    self.znodes.keys().filter(|name| !listed.contains(*name)).copied().collect();
                let new: Vec<_> =
                    listed.iter().filter(|name| !self.znodes.contains_key(*name)).copied().collect();
                gone.iter().for_each(|name| self.delete(name, false));
                new.iter().for_each(|name| self.create(name));
                let changed = self.script.list(listed.iter().map(|name| name.to_string()), After::Following);
                assert_eq!(changed, gone.len() + new.len());
            }
            Step::Request => self.requested.extend(self.script.membership.take_reads(now, 2)),
            Step::Reply(arrives) if !self.requested.is_empty() => {
                let batch = self.requested.remove(0);
                for name in &batch.names {
                    let record = self.znodes.get(name.as_str()).map(|znode| {
                        let mut stat = Stat::default();
                        (stat.czxid, stat.mzxid) = (Zxid(znode.czxid.into()), Zxid(znode.mzxid.into()));
                        // Never the default.
                        Ok((format!(r#"{{"Weight":{}}}"#, 1_000 + znode.mzxid).into_bytes(), stat))
                    });
                    let reading = record.unwrap_or(Err(zk_core::ErrorKind::NoNode));
                    let retry = now + Duration::from_millis(500);
                    let reading = arrives.then_some(reading);
                    self.script.membership.apply_reply(batch.ticket, name, reading, now, retry);
                }
            }
            Step::Reply(_) => {}
            // The driver wakes when something is due.
            Step::Pass(ms) => {
                let end = now + Duration::from_millis(ms);
                while let Some(due) = self.script.membership.next_deadline().filter(|due| *due < end) {
                    self.script.now = due.max(self.script.now);
                    self.script.pass(0);
                    self.check();
                }
                self.script.now = end;
            }
            Step::Outage(ms) => {
                self.script.outage(ms);
                self.gone.values_mut().for_each(|(since, _)| *since = self.script.now);
            }
        }
        self.script.pass(0);
        self.check();
    }

    fn check(&mut self) {
        let (now, set) = (self.script.now, &self.script.membership.set);
        let instances = set.shown.instances();
        let shown: BTreeMap<_, _> =
            instances.iter().map(|one| (one.endpoint().port(), one.weight())).collect();
        for number in 1..=3 {
            let (is_shown, was_shown) = (shown.contains_key(&number), self.shown.contains_key(&number));
            let held = set.held_endpoints().any(|endpoint| endpoint.port() == number);
            assert!(!held || (is_shown && self.since(number).is_none()), "{number} is held");
            match (self.since(number), self.gone.get(&number)) {
                (Some(_), _) if !self.records => assert!(is_shown, "{number} stands"),
                (Some(since), _) => {
                    assert!(is_shown || now < since + RECORD_WAIT, "{number} waits for too long")
                }
                (None, Some((_, true))) => assert!(!is_shown, "{number} has left, as was told"),
                (None, Some((since, false))) => {
                    let settled = now - *since >= Duration::from_millis(5);
                    let waits = self.script.membership.awaits_records(self.script.now);
                    assert!(!is_shown || !settled || held || waits, "{number} has gone");
                    assert!(is_shown || !was_shown || settled, "{number} went before it has settled");
                }
                (None, None) => assert!(!is_shown, "{number} never was there"),
            }
            let has_defaults =
                |shown: &BTreeMap<u16, u32>| shown.get(&number) == Some(&instance::DEFAULT_WEIGHT);
            if self.records && has_defaults(&shown) && !has_defaults(&self.shown) {
                let late = self.since(number).is_some_and(|since| now - since >= RECORD_WAIT);
                assert!(late && !was_shown, "{number} has defaults");
            }
        }
        self.shown = shown;
    }

    /// Replies to everything, lets everything settle, and compares the view with the znodes.
    fn end(&mut self) {
        self.step(Step::Pass(60_000));
        while !self.requested.is_empty() || self.script.membership.next_read().is_some() {
            self.step(Step::Pass(1_000));
            self.step(Step::Request);
            self.step(Step::Reply(true));
        }
        self.step(Step::Pass(60_000));
        let mut youngest: BTreeMap<u16, Znode> = BTreeMap::new();
        for (name, znode) in &self.znodes {
            let best = youngest.entry(port(name)).or_insert(*znode);
            *best = if znode.czxid > best.czxid { *znode } else { *best };
        }
        let instances = self.script.membership.set.shown.instances();
        let shown: Vec<_> = instances.iter().map(|one| (one.endpoint().port(), one.weight())).collect();
        let weight = |znode: Znode| if self.records { 1_000 + znode.mzxid } else { instance::DEFAULT_WEIGHT };
        let expected: Vec<_> = youngest.into_iter().map(|(port, znode)| (port, weight(znode))).collect();
        assert_eq!(shown, expected);
        assert_eq!(self.script.membership.set.len(), shown.len());
        assert_eq!(self.script.membership.next_deadline(), None);
    }
}

proptest! {
    /// What is shown are the instances with a znode, and those that settle or are held; with records no defaults without
    /// a need; and in the end the youngest znode of each.
    #[test]
    fn the_view_follows_the_znodes(records: bool, steps in proptest::collection::vec(step(), 0..80)) {
        let mut world = World::new(records);
        for step in steps {
            world.step(step);
        }
        world.end();
    }

    /// However fresh instances come and go among old ones, of which most stay: nothing is held.
    #[test]
    fn fresh_instances_cause_no_hold(
        old in 4u16..12,
        steps in proptest::collection::vec((0u64..120, 100u16..140, any::<bool>()), 0..200),
    ) {
        let mut script = Script::with(old);
        script.pass(2_000);
        let mut came: BTreeMap<u16, Instant> = BTreeMap::new();
        for (wait, port, told) in steps {
            // None of them stays for as long as the window.
            let late = came.iter().filter(|(_, at)| script.now - **at >= Duration::from_millis(700));
            let late: Vec<_> = late.map(|(port, _)| *port).collect();
            script.delete(late.iter().copied());
            came.retain(|port, _| !late.contains(port));
            match came.remove(&port) {
                // Half as many as the old ones at a time: of those that were there a second ago, too few are gone.
                None if script.ports().len() >= usize::from(old + old / 2) => {}
                None => {
                    script.create(port);
                    came.insert(port, script.now);
                }
                Some(_) if told => script.leave([port]),
                Some(_) => script.delete([port]),
            }
            script.pass(wait);
            prop_assert_eq!(script.membership.set.total_held(), 0);
        }
        script.delete([1]);
        script.delete(came.into_keys());
        script.pass(5);
        prop_assert_eq!(script.ports().len(), usize::from(old) - 1);
    }
}
