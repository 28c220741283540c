//! Walks through the diagram of the machine, and what it does on each arrow.

use std::collections::BTreeSet;

use instance::Plain;
use rand::SeedableRng;
use zk_core::{ErrorKind, Reading, SessionId, Stat, Zxid};

use super::*;
use crate::config::Records;
use crate::watcher::effect::Published;

const SETTLE: Duration = DiscoveryConfig::DEFAULT_SETTLE;
const MAX_BATCH: usize = 2;

/// A machine, the moment, and what it wants done, in short words.
struct Walk {
    machine: Machine,
    now: Instant,
}

fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn config() -> DiscoveryConfig {
    DiscoveryConfig::new("/go_servers".parse().unwrap())
}

impl Walk {
    fn new(config: DiscoveryConfig) -> Self {
        let rng = SmallRng::seed_from_u64(7);
        let machine = Machine::new(config, Arc::new(Plain), View::not_synced(), rng);
        Self { machine, now: Instant::now() }
    }

    /// A machine that follows these ports; the effects so far are dropped.
    fn following(config: DiscoveryConfig, ports: &[u16]) -> Self {
        let mut walk = Self::new(config);
        walk.list(ListReason::Gap, ports);
        walk.live();
        walk.effects();
        walk
    }

    fn update(&mut self, update: Update) {
        self.machine.handle(Input::Update(update), self.now);
    }

    fn created(&mut self, port: u16) {
        self.update(Update::Created(name(port)));
    }

    fn deleted(&mut self, port: u16, told: bool) {
        self.update(Update::Deleted { name: name(port), told });
    }

    fn list(&mut self, reason: ListReason, ports: &[u16]) {
        let names = ports.iter().map(|port| name(*port)).collect();
        self.update(Update::Listed(Listing {
            names,
            recreated: BTreeSet::new(),
            reason,
            new_session: false,
        }));
    }

    /// The update `Live`, without the connection that it has.
    fn live(&mut self) {
        self.machine.live(Session { id: SessionId(7), timeout: Duration::from_secs(10) }, self.now);
    }

    fn trouble(&mut self) {
        let error = Error::new("list", self.machine.config.root(), ErrorKind::Denied);
        self.update(Update::Trouble(error));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Passes the time to the deadline. Returns how long that was.
    fn pass_to_deadline(&mut self) -> Duration {
        let passed = self.machine.deadline().unwrap() - self.now;
        self.pass(passed);
        passed
    }

    fn reply(&mut self, ticket: u64, records: impl IntoIterator<Item = (u16, Option<Reading>)>) {
        let records = records.into_iter().map(|(port, reading)| (name(port), reading)).collect();
        self.update(Update::Records { ticket, records });
    }

    /// Lets the machine advance, as after all inputs that have arrived.
    fn effects(&mut self) -> Vec<String> {
        self.machine.advance(self.now, MAX_BATCH);
        std::iter::from_fn(|| self.machine.poll_effect()).map(|effect| in_short(&effect)).collect()
    }

    fn shown(&mut self) -> Vec<String> {
        self.effects()
            .into_iter()
            .filter(|effect| effect.starts_with("live") || effect.starts_with("stale"))
            .collect()
    }
}

fn in_short(effect: &Effect) -> String {
    match effect {
        Effect::Publish(Published(view)) => {
            let state = if view.is_live() { "live" } else { "stale" };
            let ports = match &view.snapshot {
                None => "nothing".into(),
                Some(all) => {
                    let ports: Vec<_> = all.endpoints().map(|e| e.port().to_string()).collect();
                    format!("[{}] r{}", ports.join(" "), all.revision())
                }
            };
            let held = if view.held > 0 { format!(" held {}", view.held) } else { String::new() };
            let trouble = view.trouble.as_ref().map_or_else(String::new, |_| " trouble".into());
            format!("{state} {ports}{held}{trouble}")
        }
        Effect::Read { ticket, names } => format!("read {ticket} {}", names.join(" ")),
        other => format!("{other:?}"),
    }
}

/// A record with a weight, of a znode that was created and written in these transactions.
fn record(weight: u32, czxid: i64, mzxid: i64) -> Option<Reading> {
    let mut stat = Stat::default();
    (stat.czxid, stat.mzxid) = (Zxid(czxid), Zxid(mzxid));
    Some(Ok((format!(r#"{{"Weight":{weight}}}"#).into_bytes(), stat)))
}

fn records() -> DiscoveryConfig {
    config().with_records(Records::Read)
}

// === the arrows of the diagram ===

#[test]
fn stale_to_following_shows_the_list_and_the_events_behind_it_as_one_view() {
    let mut walk = Walk::new(config());
    assert_eq!(walk.effects(), [""; 0]);
    walk.list(ListReason::Gap, &[1, 2]);
    walk.created(3);
    assert_eq!(walk.effects(), ["Count(Created, 1)"], "nothing shows before the root is followed");
    assert_eq!(walk.machine.deadline(), None);
    walk.live();
    walk.created(4);
    assert_eq!(walk.effects(), ["Count(Created, 1)", "live [1 2 3 4] r1", "Confirm"]);
    assert_eq!(walk.effects(), [""; 0]);
}

#[test]
fn following_to_stale_keeps_the_set_whatever_is_over() {
    type End = (&'static str, fn(&mut Walk));
    let ends: [End; 3] = [
        ("stale [1 2] r1", |walk| walk.update(Update::Down)),
        ("stale [1 2] r1", |walk| walk.update(Update::Lost)),
        ("stale [1 2] r1 trouble", |walk| walk.trouble()),
    ];
    for (expected, end) in ends {
        let mut walk = Walk::following(config(), &[1, 2]);
        walk.deleted(1, false);
        walk.effects();
        end(&mut walk);
        walk.pass(SETTLE);
        assert_eq!(walk.shown().last().map(String::as_str), Some(expected));
        assert_eq!(walk.machine.deadline(), None, "nothing is removed while the view is stale");
        walk.live();
        let view = walk.shown().pop().unwrap();
        assert!(view.starts_with("live") && !view.contains("trouble"), "{view}");
    }
}

#[test]
fn what_came_right_before_the_end_of_a_watch_shows_as_a_whole() {
    for end in [Update::Down, Update::Lost] {
        let mut walk = Walk::following(config().with_settle(Duration::ZERO).unwrap(), &[1, 2]);
        walk.deleted(1, false);
        walk.created(3);
        walk.update(end);
        assert_eq!(walk.shown(), ["stale [2 3] r2"]);
    }
}

#[test]
fn every_stage_ends_with_a_reason_and_nothing_comes_after_it() {
    let stages: [fn() -> Walk; 2] = [|| Walk::new(config()), || Walk::following(config(), &[1])];
    for stage in stages {
        for (input, reason) in
            [(Input::Stop, "discovery was shut down"), (Input::Update(Update::Closed), "the link is closed")]
        {
            let mut walk = stage();
            walk.machine.handle(input, walk.now);
            assert_eq!(walk.effects(), [format!("End({reason:?})")]);
            walk.created(5);
            walk.machine.handle(Input::Release, walk.now);
            walk.pass(SETTLE);
            assert_eq!((walk.effects(), walk.machine.deadline()), (vec![], None));
        }
    }
}

// === audits ===

#[test]
fn a_list_of_an_audit_that_is_ahead_of_its_events_is_no_mismatch() {
    let mut walk = Walk::following(config(), &[1, 2]);
    walk.list(ListReason::Audit, &[2, 3]);
    walk.created(3);
    walk.deleted(1, false);
    walk.update(Update::Audited);
    let effects = walk.effects();
    assert!(!effects.contains(&"Distrust".to_owned()), "{effects:?}");
    assert!(effects.contains(&"Confirm".to_owned()), "{effects:?}");
}

#[test]
fn a_list_of_an_audit_that_shows_nothing_new_is_no_mismatch() {
    // A child that we may not read moves the count of changes without an event, and without a name for us.
    let mut walk = Walk::following(config(), &[1, 2]);
    walk.list(ListReason::Audit, &[2, 1]);
    walk.update(Update::Audited);
    assert_eq!(walk.effects(), ["Confirm"]);
}

#[test]
fn an_event_that_never_comes_is_corrected_by_the_list_of_an_audit_and_a_watch_that_reports_others_stays() {
    // ZooKeeper sends no event of a child that we may not read, and lists its name.
    let mut walk = Walk::following(config(), &[1]);
    walk.created(2);
    walk.list(ListReason::Audit, &[1, 2, 3]);
    walk.update(Update::Audited);
    assert_eq!(
        walk.effects(),
        ["Count(Created, 1)", "Count(AuditMismatches, 1)", "live [1 2 3] r2", "Confirm"]
    );
    walk.list(ListReason::Audit, &[1, 2]);
    walk.update(Update::Audited);
    let effects = walk.effects();
    assert!(effects.contains(&"Distrust".to_owned()), "no event for a whole audit: {effects:?}");
}

#[test]
fn a_watch_that_lost_an_event_is_distrusted_once_and_the_view_is_stale_until_there_is_another() {
    let mut walk = Walk::following(config(), &[1]);
    walk.list(ListReason::Audit, &[1, 2]);
    walk.update(Update::Audited);
    walk.list(ListReason::Audit, &[1, 2, 3]);
    walk.update(Update::Audited);
    assert_eq!(
        walk.effects(),
        ["Count(AuditMismatches, 1)", "Distrust", "live [1 2 3] r2"],
        "and no Confirm"
    );
    walk.update(Update::Lost);
    walk.list(ListReason::Gap, &[1, 2, 3, 4]);
    assert_eq!(walk.effects(), ["stale [1 2 3] r2"]);
    walk.live();
    assert_eq!(walk.effects(), ["live [1 2 3 4] r3", "Confirm"]);
}

#[test]
fn an_audit_rereads_all_records_and_a_changed_one_is_a_mismatch() {
    let mut walk = Walk::following(records().with_audit_interval(Duration::from_secs(60)).unwrap(), &[]);
    walk.created(1);
    assert!(walk.pass_to_deadline() <= Duration::from_millis(5));
    assert_eq!(walk.effects()[2..], ["Count(RecordReads, 1)", "read 1 127.0.0.1:1"]);
    walk.reply(1, [(1, record(7, 1, 1))]);
    assert_eq!(walk.effects(), ["live [1] r2"]);

    walk.update(Update::Audited);
    assert_eq!(walk.effects(), ["Confirm"]);
    assert!(walk.pass_to_deadline() <= Duration::from_secs(30), "over half of the interval");
    assert_eq!(walk.effects(), ["Count(RecordReads, 1)", "read 2 127.0.0.1:1"]);
    walk.reply(2, [(1, record(8, 1, 2))]);
    assert_eq!(walk.effects(), ["Count(AuditMismatches, 1)", "Distrust", "live [1] r3"]);
}

// === records ===

#[test]
fn the_first_view_waits_for_its_records() {
    let mut walk = Walk::new(records());
    walk.list(ListReason::Gap, &[1, 2, 3]);
    walk.live();
    assert_eq!(
        walk.effects(),
        [
            "Confirm",
            "Count(RecordReads, 2)",
            "read 1 127.0.0.1:1 127.0.0.1:2",
            "Count(RecordReads, 1)",
            "read 2 127.0.0.1:3"
        ]
    );
    walk.reply(1, [(1, record(7, 1, 1)), (2, record(7, 1, 1))]);
    assert_eq!(walk.effects(), [""; 0]);
    walk.reply(2, [(3, record(7, 1, 1))]);
    assert_eq!(walk.effects(), ["live [1 2 3] r1"]);
}

#[test]
fn the_first_view_does_not_wait_for_instances_that_come_meanwhile() {
    let mut walk = Walk::new(records());
    walk.list(ListReason::Gap, &[1]);
    walk.live();
    walk.effects();
    for port in 2..=24 {
        walk.pass(Duration::from_millis(10));
        walk.created(port);
        assert_eq!(walk.shown(), [""; 0], "{port}");
    }
    walk.pass(Duration::from_millis(20));
    walk.created(25);
    assert_eq!(walk.shown(), ["live [1] r1"]);
}

#[test]
fn four_batches_are_under_way_at_most() {
    let mut walk = Walk::new(records());
    walk.list(ListReason::Gap, &(1..=20).collect::<Vec<_>>());
    walk.live();
    let reads = |effects: Vec<String>| effects.iter().filter(|effect| effect.starts_with("read")).count();
    assert_eq!(reads(walk.effects()), 4);
    assert_eq!(reads(walk.effects()), 0);
    walk.reply(2, []);
    assert_eq!(reads(walk.effects()), 1);
}

#[test]
fn a_record_without_a_reply_is_read_again_after_a_while() {
    let mut walk = Walk::new(records());
    walk.list(ListReason::Gap, &[1]);
    walk.live();
    walk.effects();
    walk.reply(1, [(1, None)]);
    walk.pass_to_deadline();
    assert_eq!(walk.shown(), ["live [1] r1"], "with the defaults, after the wait for records");
    let retry = walk.pass_to_deadline();
    assert!(retry >= Duration::from_millis(250) && retry <= Duration::from_millis(1500), "{retry:?}");
    assert_eq!(walk.effects(), ["Count(RecordReads, 1)", "read 2 127.0.0.1:1"]);
}

#[test]
fn reads_of_an_earlier_watch_do_not_count() {
    for end in [Update::Down, Update::Lost] {
        let mut walk = Walk::new(records());
        walk.list(ListReason::Gap, &[1]);
        walk.live();
        walk.effects();
        walk.update(end);
        assert_eq!(walk.effects(), ["stale [1] r1"], "no record will come");
        walk.reply(1, [(1, record(7, 1, 1))]);
        walk.live();
        walk.reply(1, [(1, record(8, 1, 1))]);
        let effects = walk.effects();
        assert_eq!(effects[..2], ["live [1] r1", "Confirm"], "{effects:?}");
        assert_eq!(effects[2..], ["Count(RecordReads, 1)", "read 2 127.0.0.1:1"], "never read, so at once");
    }
}

// === removals ===

fn holds() -> DiscoveryConfig {
    config().with_hold(Duration::from_secs(100)).unwrap()
}

/// A machine that holds three of four.
fn holding() -> Walk {
    let mut walk = Walk::following(holds(), &[1, 2, 3, 4]);
    (1..=3).for_each(|port| walk.deleted(port, false));
    walk.effects();
    assert_eq!(walk.pass_to_deadline(), SETTLE);
    assert_eq!(walk.effects(), ["Count(RemovalsHeld, 3)", "live [1 2 3 4] r1 held 3"]);
    walk
}

#[test]
fn a_told_leave_shows_in_the_next_view_and_causes_no_hold() {
    let mut walk = Walk::following(holds(), &[1, 2, 3, 4]);
    (1..=3).for_each(|port| walk.deleted(port, true));
    let events = ["Count(Deleted, 1)"; 3];
    assert_eq!(walk.effects()[events.len()..], ["live [4] r2", "Confirm"]);
    walk.deleted(4, false);
    walk.effects();
    assert_eq!((walk.pass_to_deadline(), walk.shown()), (SETTLE, vec!["live [] r3".to_owned()]));
}

#[test]
fn a_held_instance_that_refuses_goes_only_while_the_root_is_followed() {
    let mut walk = holding();
    walk.machine.handle(Input::Refused(name(1).parse().unwrap()), walk.now);
    walk.machine.handle(Input::Refused(name(4).parse().unwrap()), walk.now);
    assert_eq!(walk.effects(), ["live [2 3 4] r2 held 2"]);
    walk.update(Update::Down);
    walk.machine.handle(Input::Refused(name(2).parse().unwrap()), walk.now);
    assert_eq!(walk.effects(), ["stale [2 3 4] r2 held 2"]);
}

#[test]
fn a_view_says_which_instances_are_held_and_another_follows_when_these_are_others() {
    fn held(effect: Effect) -> Option<Vec<u16>> {
        let Effect::Publish(Published(view)) = effect else { return None };
        let all = view.snapshot.as_ref().unwrap().endpoints();
        let held: Vec<_> = all.filter(|one| view.is_held(one)).map(|one| one.port()).collect();
        assert!(view.held_endpoints().iter().map(|one| one.port()).eq(held.iter().copied()));
        assert_eq!(view.held, held.len());
        Some(held)
    }
    let mut walk = Walk::following(holds(), &[1, 2, 3, 4]);
    let published = |walk: &mut Walk| -> Vec<Vec<u16>> {
        walk.machine.advance(walk.now, MAX_BATCH);
        std::iter::from_fn(|| walk.machine.poll_effect()).filter_map(held).collect()
    };
    (1..=3).for_each(|port| walk.deleted(port, false));
    walk.pass(SETTLE);
    assert_eq!(published(&mut walk), [[1, 2, 3]]);
    // One comes back at the moment at which another one has settled: the same set, and as many are held.
    walk.deleted(4, false);
    walk.pass(SETTLE);
    walk.created(1);
    assert_eq!(published(&mut walk), [[2, 3, 4]]);
    walk.pass(SETTLE);
    assert_eq!(published(&mut walk), [[0; 0]; 0], "nothing has changed");
    walk.update(Update::Down);
    assert_eq!(published(&mut walk), [[2, 3, 4]], "a stale view still says so");
    walk.machine.handle(Input::Release, walk.now);
    assert_eq!(published(&mut walk), [[0; 0]]);
}

#[test]
fn an_operator_releases_held_instances_in_every_stage() {
    let mut walk = holding();
    walk.machine.handle(Input::Release, walk.now);
    assert_eq!(walk.effects(), ["live [4] r2"]);

    let mut walk = holding();
    walk.update(Update::Down);
    walk.machine.handle(Input::Release, walk.now);
    assert_eq!(walk.effects(), ["stale [1 2 3 4] r1 held 3", "stale [4] r2"]);

    let mut walk = Walk::new(config());
    walk.machine.handle(Input::Release, walk.now);
    assert_eq!(walk.effects(), [""; 0], "nothing is known yet");
}

#[test]
fn the_time_of_a_hold_stops_without_a_link() {
    let mut walk = holding();
    walk.pass(Duration::from_secs(99));
    walk.update(Update::Down);
    walk.pass(Duration::from_secs(500));
    walk.live();
    assert_eq!(walk.shown(), ["stale [1 2 3 4] r1 held 3", "live [1 2 3 4] r1 held 3"]);
    assert_eq!(walk.pass_to_deadline(), Duration::from_secs(100));
    assert_eq!(walk.shown(), ["live [4] r2"]);
}

// === trouble ===

#[test]
fn the_same_trouble_is_published_once() {
    let mut walk = Walk::new(config());
    walk.trouble();
    walk.trouble();
    assert_eq!(walk.effects(), ["stale nothing trouble"]);
    walk.list(ListReason::Gap, &[1]);
    walk.live();
    assert_eq!(walk.shown(), ["live [1] r1"]);
}
