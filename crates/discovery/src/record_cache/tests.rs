use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use zk_core::Stat;

use super::*;

const LATER: Duration = Duration::from_secs(1);

fn record(czxid: i64, mzxid: i64, size: usize) -> Option<Reading> {
    let mut stat = Stat::default();
    (stat.czxid, stat.mzxid) = (Zxid(czxid), Zxid(mzxid));
    Some(Ok((vec![b'x'; size], stat)))
}

fn rng() -> SmallRng {
    SmallRng::seed_from_u64(7)
}

struct Script {
    cache: RecordCache,
    now: Instant,
}

impl Script {
    fn with(names: &[&str]) -> Self {
        let mut script = Self { cache: RecordCache::new(), now: Instant::now() };
        names.iter().for_each(|name| script.cache.created(&(*name).into(), script.now));
        script
    }

    fn take(&mut self) -> Option<Batch> {
        self.cache.take(self.now, MAX_READS)
    }

    /// Reads the records that are due; all have the same stat and size.
    fn read(&mut self, czxid: i64, mzxid: i64, size: usize) -> Vec<Verdict> {
        let Some(batch) = self.take() else { return Vec::new() };
        let reply = |name: &String| {
            self.cache.apply_reply(batch.ticket, name, record(czxid, mzxid, size), self.now + LATER)
        };
        batch.names.iter().map(reply).collect()
    }
}

fn new_record(czxid: i64, size: usize) -> Verdict {
    Verdict::Record { data: vec![b'x'; size], czxid: Zxid(czxid), mismatch: false }
}

#[test]
fn a_listed_record_is_read_once() {
    let mut script = Script::with(&["a", "b"]);
    assert_eq!(script.read(1, 1, 3), [new_record(1, 3), new_record(1, 3)]);
    assert_eq!(script.cache.next_due(), None);
    assert_eq!(script.take(), None);
}

#[test]
fn other_data_under_the_same_zxids_are_taken() {
    let mut script = Script::with(&["a"]);
    assert_eq!(script.read(1, 1, 3), [new_record(1, 3)]);
    // The ensemble has come back with older data, and given the zxid out again.
    script.cache.written("a", script.now);
    assert_eq!(script.read(1, 1, 4), [new_record(1, 4)]);
    script.cache.written("a", script.now);
    assert_eq!(script.read(1, 1, 4), [Verdict::Nothing]);
}

#[test]
fn a_record_written_during_its_read_is_read_again() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.written("a", script.now);
    assert_eq!(script.take(), None, "one at a time");
    script.cache.apply_reply(batch.ticket, "a", record(1, 1, 3), script.now);
    assert_eq!(script.read(1, 2, 4), [new_record(1, 4)]);
}

#[test]
fn a_reply_about_a_znode_that_was_deleted_and_created_again_is_ignored() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.deleted("a");
    script.cache.created(&"a".into(), script.now);
    assert_eq!(script.cache.apply_reply(batch.ticket, "a", record(1, 1, 3), script.now), Verdict::Nothing);
    assert_eq!(script.read(2, 2, 3), [new_record(2, 3)]);
}

#[test]
fn a_reread_finds_a_znode_that_was_created_again_with_the_same_version() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    for (czxid, expected) in [(1, Verdict::Nothing), (2, new_record(2, 3))] {
        script.cache.reread_all(script.now, Duration::ZERO, ReadReason::Resync, &mut rng());
        assert_eq!(script.read(czxid, czxid, 3), [expected]);
    }
}

#[test]
fn only_an_audit_without_an_event_reports_a_mismatch() {
    for (reason, event, mismatch) in [
        (ReadReason::Resync, false, false),
        (ReadReason::Audit, false, true),
        (ReadReason::Audit, true, false),
    ] {
        let mut script = Script::with(&["a"]);
        script.read(1, 1, 3);
        script.cache.reread_all(script.now, Duration::ZERO, reason, &mut rng());
        let batch = script.take().unwrap();
        if event {
            script.cache.written("a", script.now);
        }
        let verdict = script.cache.apply_reply(batch.ticket, "a", record(1, 2, 3), script.now);
        assert_eq!(
            verdict,
            Verdict::Record { data: b"xxx".to_vec(), czxid: Zxid(1), mismatch },
            "{reason:?}, event: {event}"
        );
    }
}

#[test]
fn a_resync_during_an_audit_reports_no_mismatch() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    script.cache.reread_all(script.now, LATER, ReadReason::Audit, &mut rng());
    script.cache.reread_all(script.now, Duration::ZERO, ReadReason::Resync, &mut rng());
    assert_eq!(script.read(1, 2, 3), [new_record(1, 3)]);
}

#[test]
fn reads_that_were_lost_with_the_connection_are_repeated() {
    let mut script = Script::with(&["a", "b"]);
    script.take().unwrap();
    script.cache.reread_all(script.now, LATER, ReadReason::Audit, &mut rng());
    assert_eq!(script.cache.next_due(), None, "under way");
    script.cache.reread_all(script.now, LATER, ReadReason::Resync, &mut rng());
    assert_eq!(script.take().unwrap().names, ["a", "b"], "never read: at once");
}

#[test]
fn a_record_without_a_reply_is_read_again_later() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.apply_reply(batch.ticket, "a", None, script.now + LATER);
    assert_eq!(script.take(), None);
    script.now += LATER;
    assert_eq!(script.read(1, 1, 1), [new_record(1, 1)]);
}

#[test]
fn a_denied_record_is_known_only_until_the_znode_is_created_again() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    for (created, known) in [(false, true), (true, false)] {
        if created {
            script.cache.created(&"a".into(), script.now);
        } else {
            script.cache.written("a", script.now);
        }
        let ticket = script.take().unwrap().ticket;
        let verdict = script.cache.apply_reply(ticket, "a", Some(Err(ErrorKind::Denied)), script.now);
        assert_eq!(verdict, Verdict::Denied { known });
    }
}

#[test]
fn batches_are_small_where_records_are_large() {
    let names: Vec<_> = (0..1_000).map(|number| format!("{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut script = Script::with(&names);
    let mut sizes = Vec::new();
    while let Some(batch) = script.take() {
        sizes.push(batch.names.len());
        for name in &batch.names {
            script.cache.apply_reply(batch.ticket, name, record(1, 1, 64 * 1024), script.now);
        }
    }
    assert_eq!(sizes[0], MAX_READS, "no size is known");
    assert!(sizes[1..].iter().all(|size| *size <= 16), "{sizes:?}");
    // The second reread knows that the records are small again.
    for _ in 0..2 {
        script.cache.reread_all(script.now, Duration::ZERO, ReadReason::Resync, &mut rng());
        sizes.clear();
        while let Some(batch) = script.take() {
            sizes.push(batch.names.len());
            for name in &batch.names {
                script.cache.apply_reply(batch.ticket, name, record(1, 2, 300), script.now);
            }
        }
    }
    assert_eq!(sizes, [256, 256, 256, 232]);
}

#[test]
fn a_reread_is_spread_over_its_time() {
    let names: Vec<_> = (0..1_000).map(|number| format!("{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut script = Script::with(&names);
    while script.take().is_some_and(|batch| {
        for name in &batch.names {
            script.cache.apply_reply(batch.ticket, name, record(1, 1, 300), script.now);
        }
        true
    }) {}
    script.cache.reread_all(script.now, LATER, ReadReason::Resync, &mut rng());
    let mut moments = Vec::new();
    while let Some(at) = script.cache.next_due() {
        moments.push(at - script.now);
        script.cache.take(at, MAX_READS).unwrap();
    }
    assert_eq!(moments.len(), 4);
    for (quarter, moment) in (0u32..).zip(moments) {
        assert!(moment >= LATER / 4 * quarter && moment <= LATER / 4 * (quarter + 1), "{moment:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Delete(u8),
    Write(u8),
    /// All events so far arrive.
    Deliver,
    /// A batch is requested, and will reply with the records of this moment.
    Request,
    /// The oldest batch gets its reply, or none.
    Reply(bool),
    /// The connection breaks, and the next one lists.
    Resync,
    Audit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..4).prop_map(Step::Create),
        2 => (0u8..4).prop_map(Step::Delete),
        3 => (0u8..4).prop_map(Step::Write),
        3 => Just(Step::Deliver),
        3 => Just(Step::Request),
        3 => proptest::bool::weighted(0.9).prop_map(Step::Reply),
        1 => Just(Step::Resync),
        1 => Just(Step::Audit),
    ]
}

/// Znodes, a connection that keeps their order, and a reader that knows only what the cache returned.
struct World {
    cache: RecordCache,
    now: Instant,
    zxid: i64,
    znodes: Znodes,
    /// The events that have not arrived yet.
    events: VecDeque<Event>,
    /// How many events have arrived.
    delivered: usize,
    /// Batches with the znodes of their moment, and how many events there had been by then.
    requested: VecDeque<(Batch, Znodes, usize)>,
    /// The names that the cache knows.
    listed: BTreeSet<String>,
    /// The mzxids of the records that the cache returned, by name.
    reader: BTreeMap<String, i64>,
}

/// Czxid and mzxid by name.
type Znodes = BTreeMap<String, (i64, i64)>;

enum Event {
    Created(String),
    Deleted(String),
    Written(String),
}

impl World {
    fn new() -> Self {
        Self {
            cache: RecordCache::new(),
            now: Instant::now(),
            zxid: 0,
            znodes: BTreeMap::new(),
            events: VecDeque::new(),
            delivered: 0,
            requested: VecDeque::new(),
            listed: BTreeSet::new(),
            reader: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Step) {
        self.zxid += 1;
        match step {
            Step::Create(name) => {
                let (name, zxid) = (name.to_string(), self.zxid);
                if !self.znodes.contains_key(&name) {
                    self.znodes.insert(name.clone(), (zxid, zxid));
                    self.events.push_back(Event::Created(name));
                }
            }
            Step::Delete(name) => {
                if self.znodes.remove(&name.to_string()).is_some() {
                    self.events.push_back(Event::Deleted(name.to_string()));
                }
            }
            Step::Write(name) => {
                if let Some(stat) = self.znodes.get_mut(&name.to_string()) {
                    stat.1 = self.zxid;
                    self.events.push_back(Event::Written(name.to_string()));
                }
            }
            Step::Deliver => self.deliver(usize::MAX),
            Step::Request => {
                if let Some(batch) = self.cache.take(self.now, 2) {
                    let events = self.delivered + self.events.len();
                    self.requested.push_back((batch, self.znodes.clone(), events));
                }
            }
            Step::Reply(arrives) => self.reply(arrives),
            Step::Resync => {
                self.events.clear();
                self.requested.clear();
                for name in self.znodes.keys().filter(|name| !self.listed.contains(*name)) {
                    self.cache.created(&name.as_str().into(), self.now);
                }
                for name in self.listed.iter().filter(|name| !self.znodes.contains_key(*name)) {
                    self.cache.deleted(name);
                }
                self.listed = self.znodes.keys().cloned().collect();
                self.reader.retain(|name, _| self.znodes.contains_key(name));
                self.cache.reread_all(self.now, Duration::ZERO, ReadReason::Resync, &mut rng());
            }
            Step::Audit => self.cache.reread_all(self.now, Duration::ZERO, ReadReason::Audit, &mut rng()),
        }
    }

    /// Delivers events until so many have arrived.
    fn deliver(&mut self, until: usize) {
        while self.delivered < until
            && let Some(event) = self.events.pop_front()
        {
            self.delivered += 1;
            match event {
                Event::Created(name) => {
                    self.cache.created(&name.as_str().into(), self.now);
                    self.listed.insert(name);
                }
                Event::Deleted(name) => {
                    self.cache.deleted(&name);
                    self.listed.remove(&name);
                    self.reader.remove(&name);
                }
                Event::Written(name) => self.cache.written(&name, self.now),
            }
        }
    }

    /// Delivers the events from before the read, and then its reply.
    fn reply(&mut self, arrives: bool) {
        let Some((batch, znodes, events)) = self.requested.pop_front() else { return };
        self.deliver(events);
        for name in &batch.names {
            let reading = match znodes.get(name) {
                _ if !arrives => None,
                Some((czxid, mzxid)) => record(*czxid, *mzxid, 1),
                None => Some(Err(ErrorKind::NoNode)),
            };
            let verdict = self.cache.apply_reply(batch.ticket, name, reading, self.now);
            if let Verdict::Record { mismatch, .. } = verdict {
                assert!(!mismatch, "no event is lost in this world");
                self.reader.insert(name.clone(), znodes[name].1);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_reader_ends_up_with_the_records_that_exist(steps in proptest::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.deliver(usize::MAX);
        while !world.requested.is_empty() || world.cache.next_due().is_some() {
            world.step(Step::Request);
            world.reply(true);
        }
        let truth: BTreeMap<_, _> = world.znodes.iter().map(|(name, stat)| (name.clone(), stat.1)).collect();
        prop_assert_eq!(world.reader, truth);
    }
}
