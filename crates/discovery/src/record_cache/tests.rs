use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use zk_core::Stat;

use super::*;

const LATER: Duration = Duration::from_secs(1);

fn record(birth: i64, write: i64, length: usize) -> Option<Reading> {
    let mut stat = Stat::default();
    (stat.czxid, stat.mzxid) = (Zxid(birth), Zxid(write));
    Some(Ok((vec![b'x'; length], stat)))
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
        script.cache.listed(names.iter().copied(), script.now);
        script
    }

    fn take(&mut self) -> Option<Batch> {
        self.cache.take(self.now, MAX_READS)
    }

    /// Reads all that is due; each record has the same stat and length.
    fn read(&mut self, birth: i64, write: i64, length: usize) -> Vec<Verdict> {
        let Some(batch) = self.take() else { return Vec::new() };
        let answer = |name: &String| {
            self.cache.answered(batch.ticket, name, record(birth, write, length), self.now + LATER)
        };
        batch.names.iter().map(answer).collect()
    }
}

fn news(length: usize) -> Verdict {
    Verdict::Record { data: vec![b'x'; length], surprise: false }
}

#[test]
fn what_is_listed_is_read_once() {
    let mut script = Script::with(&["a", "b"]);
    assert_eq!(script.read(1, 1, 3), [news(3), news(3)]);
    assert_eq!(script.cache.next_due(), None);
    script.cache.listed(["a", "b"], script.now);
    assert_eq!(script.take(), None);
}

#[test]
fn a_change_during_a_read_is_read_after_it() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.written("a", script.now);
    assert_eq!(script.take(), None, "one at a time");
    script.cache.answered(batch.ticket, "a", record(1, 1, 3), script.now);
    assert_eq!(script.read(1, 2, 4), [news(4)]);
}

#[test]
fn an_answer_about_an_earlier_life_counts_for_nothing() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.gone("a");
    script.cache.born("a", script.now);
    assert_eq!(script.cache.answered(batch.ticket, "a", record(1, 1, 3), script.now), Verdict::Nothing);
    assert_eq!(script.read(2, 2, 3), [news(3)]);
}

#[test]
fn a_sweep_finds_another_life_with_the_same_version() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    for (birth, expected) in [(1, Verdict::Nothing), (2, news(3))] {
        script.cache.sweep(script.now, Duration::ZERO, Why::Gap, &mut rng());
        assert_eq!(script.read(birth, birth, 3), [expected]);
    }
}

#[test]
fn only_an_audit_is_surprised_and_only_where_nothing_was_told() {
    for (why, told, surprise) in
        [(Why::Gap, false, false), (Why::Audit, false, true), (Why::Audit, true, false)]
    {
        let mut script = Script::with(&["a"]);
        script.read(1, 1, 3);
        script.cache.sweep(script.now, Duration::ZERO, why, &mut rng());
        let batch = script.take().unwrap();
        if told {
            script.cache.written("a", script.now);
        }
        let verdict = script.cache.answered(batch.ticket, "a", record(1, 2, 3), script.now);
        assert_eq!(verdict, Verdict::Record { data: b"xxx".to_vec(), surprise }, "{why:?}, told: {told}");
    }
}

#[test]
fn after_a_gap_even_what_an_audit_was_about_to_read_is_no_surprise() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    script.cache.sweep(script.now, LATER, Why::Audit, &mut rng());
    script.cache.sweep(script.now, Duration::ZERO, Why::Gap, &mut rng());
    assert_eq!(script.read(1, 2, 3), [news(3)]);
}

#[test]
fn reads_that_went_with_the_connection_are_asked_for_again() {
    let mut script = Script::with(&["a", "b"]);
    script.take().unwrap();
    script.cache.sweep(script.now, LATER, Why::Audit, &mut rng());
    assert_eq!(script.cache.next_due(), None, "on its way");
    script.cache.sweep(script.now, LATER, Why::Gap, &mut rng());
    assert_eq!(script.take().unwrap().names, ["a", "b"], "never read: at once");
}

#[test]
fn without_an_answer_it_is_asked_again_later() {
    let mut script = Script::with(&["a"]);
    let batch = script.take().unwrap();
    script.cache.answered(batch.ticket, "a", None, script.now + LATER);
    assert_eq!(script.take(), None);
    script.now += LATER;
    assert_eq!(script.read(1, 1, 1), [news(1)]);
}

#[test]
fn a_denied_record_of_another_life_is_not_the_one_that_was_known() {
    let mut script = Script::with(&["a"]);
    script.read(1, 1, 3);
    for (born, known) in [(false, true), (true, false)] {
        if born {
            script.cache.born("a", script.now);
        } else {
            script.cache.written("a", script.now);
        }
        let ticket = script.take().unwrap().ticket;
        let verdict = script.cache.answered(ticket, "a", Some(Err(ErrorKind::Denied)), script.now);
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
            script.cache.answered(batch.ticket, name, record(1, 1, 64 * 1024), script.now);
        }
    }
    assert_eq!(sizes[0], MAX_READS, "nothing is known");
    assert!(sizes[1..].iter().all(|size| *size <= 16), "{sizes:?}");
    // Small again, and known to be.
    for _ in 0..2 {
        script.cache.sweep(script.now, Duration::ZERO, Why::Gap, &mut rng());
        sizes.clear();
        while let Some(batch) = script.take() {
            sizes.push(batch.names.len());
            for name in &batch.names {
                script.cache.answered(batch.ticket, name, record(1, 2, 300), script.now);
            }
        }
    }
    assert_eq!(sizes, [256, 256, 256, 232]);
}

#[test]
fn a_sweep_is_spread_over_its_time() {
    let names: Vec<_> = (0..1_000).map(|number| format!("{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut script = Script::with(&names);
    while script.take().is_some_and(|batch| {
        for name in &batch.names {
            script.cache.answered(batch.ticket, name, record(1, 1, 300), script.now);
        }
        true
    }) {}
    script.cache.sweep(script.now, LATER, Why::Gap, &mut rng());
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
    /// All events so far are seen.
    Tell,
    /// A batch is asked for, and sees what is there now.
    Ask,
    /// The oldest batch is answered; or it is not.
    Answer(bool),
    /// The connection breaks, and the next one lists.
    Gap,
    Audit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..4).prop_map(Step::Create),
        2 => (0u8..4).prop_map(Step::Delete),
        3 => (0u8..4).prop_map(Step::Write),
        3 => Just(Step::Tell),
        3 => Just(Step::Ask),
        3 => proptest::bool::weighted(0.9).prop_map(Step::Answer),
        1 => Just(Step::Gap),
        1 => Just(Step::Audit),
    ]
}

/// Znodes, a connection that keeps their order, and a reader who knows only what the cache told.
struct World {
    cache: RecordCache,
    now: Instant,
    zxid: i64,
    znodes: Znodes,
    /// What happened, and was not seen yet.
    events: VecDeque<Event>,
    /// How many events were seen.
    seen: usize,
    /// Batches with what they found, and how many events had happened before.
    asked: VecDeque<(Batch, Znodes, usize)>,
    told: BTreeMap<String, i64>,
}

/// Birth and last write by name.
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
            seen: 0,
            asked: VecDeque::new(),
            told: BTreeMap::new(),
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
            Step::Tell => self.tell(usize::MAX),
            Step::Ask => {
                if let Some(batch) = self.cache.take(self.now, 2) {
                    let happened = self.seen + self.events.len();
                    self.asked.push_back((batch, self.znodes.clone(), happened));
                }
            }
            Step::Answer(comes) => self.answer(comes),
            Step::Gap => {
                self.events.clear();
                self.asked.clear();
                self.cache.listed(self.znodes.keys().map(String::as_str), self.now);
                self.told.retain(|name, _| self.znodes.contains_key(name));
                self.cache.sweep(self.now, Duration::ZERO, Why::Gap, &mut rng());
            }
            Step::Audit => self.cache.sweep(self.now, Duration::ZERO, Why::Audit, &mut rng()),
        }
    }

    /// Events are seen until so many were.
    fn tell(&mut self, until: usize) {
        while self.seen < until
            && let Some(event) = self.events.pop_front()
        {
            self.seen += 1;
            match event {
                Event::Created(name) => self.cache.born(&name, self.now),
                Event::Deleted(name) => {
                    self.cache.gone(&name);
                    self.told.remove(&name);
                }
                Event::Written(name) => self.cache.written(&name, self.now),
            }
        }
    }

    /// Events that happened before the answer was given are seen before it.
    fn answer(&mut self, comes: bool) {
        let Some((batch, znodes, happened)) = self.asked.pop_front() else { return };
        self.tell(happened);
        for name in &batch.names {
            let reading = match znodes.get(name) {
                _ if !comes => None,
                Some((birth, write)) => record(*birth, *write, 1),
                None => Some(Err(ErrorKind::NoNode)),
            };
            let verdict = self.cache.answered(batch.ticket, name, reading, self.now);
            if let Verdict::Record { surprise, .. } = verdict {
                assert!(!surprise, "no event is ever lost here");
                self.told.insert(name.clone(), znodes[name].1);
            }
        }
    }
}

proptest! {
    #[test]
    fn in_the_end_what_was_told_is_what_is_there(steps in proptest::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.tell(usize::MAX);
        while !world.asked.is_empty() || world.cache.next_due().is_some() {
            world.step(Step::Ask);
            world.answer(true);
        }
        let truth: BTreeMap<_, _> = world.znodes.iter().map(|(name, stat)| (name.clone(), stat.1)).collect();
        prop_assert_eq!(world.told, truth);
    }
}
