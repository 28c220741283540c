//! The count against a model of a server and of a connection on which events may run ahead of replies, or get lost.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn stat(czxid: i64, pzxid: i64, cversion: i32) -> Stat {
    let mut stat = Stat::default();
    (stat.czxid, stat.pzxid, stat.cversion) = (Zxid(czxid), Zxid(pzxid), cversion);
    stat
}

/// A round trip during which these changes are told.
fn trip(count: &mut Count, changes: &[Option<i64>], stat: Option<&Stat>) -> Verdict {
    count.send();
    changes.iter().for_each(|zxid| count.child_changed(zxid.map(Zxid)));
    count.reply(stat)
}

#[test]
fn a_quiet_trip_learns_and_a_later_one_proves_or_refutes() {
    let mut count = Count::new();
    assert!(count.wants_base());
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 40))), Verdict::Learned);
    assert!(!count.wants_base());
    count.child_changed(None);
    count.child_changed(None);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 11, 42))), Verdict::Whole);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 12, 43))), Verdict::Mismatch);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 12, 43))), Verdict::Whole, "the base is a new one");
    assert_eq!(trip(&mut count, &[], Some(&stat(13, 12, 43))), Verdict::Mismatch, "another root");
    assert_eq!(trip(&mut count, &[], None), Verdict::Mismatch);
    assert_eq!(trip(&mut count, &[], None), Verdict::Whole);
    assert_eq!(trip(&mut count, &[], Some(&stat(14, 14, 0))), Verdict::Mismatch);
}

#[test]
fn an_unquiet_trip_decides_only_what_no_order_of_events_explains() {
    let mut count = Count::new();
    trip(&mut count, &[], Some(&stat(1, 9, 40)));
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 40))), Verdict::Undecided, "the event ran ahead");
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 42))), Verdict::Undecided, "the event is included");
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 45))), Verdict::Mismatch);
    assert!(count.wants_base(), "the new base is a range");
    count.watch_ended();
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 45))), Verdict::Learned, "a range proves nothing");
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 45))), Verdict::Whole);
}

#[test]
fn a_range_that_has_shrunk_to_one_value_proves_nothing() {
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 40))), Verdict::Undecided, "39 or 40");
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 42))), Verdict::Undecided, "40 or 41");
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 42))), Verdict::Learned);
    let mut count = Count::new();
    trip(&mut count, &[None], Some(&stat(1, 9, 40)));
    assert_eq!(trip(&mut count, &[None], Some(&stat(1, 9, 43))), Verdict::Mismatch, "no range allows this");
}

#[test]
fn transactions_decide_an_unquiet_trip() {
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[Some(10), Some(11)], Some(&stat(1, 10, 40))), Verdict::Learned);
    assert_eq!(trip(&mut count, &[Some(12), Some(12), Some(13)], Some(&stat(1, 12, 43))), Verdict::Whole);
    assert_eq!(trip(&mut count, &[Some(14), Some(16)], Some(&stat(1, 15, 46))), Verdict::Mismatch);
    assert_eq!(trip(&mut count, &[Some(17), None], Some(&stat(1, 17, 48))), Verdict::Undecided);
}

#[test]
fn a_root_that_was_told_to_be_created_begins_at_zero() {
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[], None), Verdict::Learned);
    count.send();
    count.root_created(None);
    count.child_changed(None);
    assert_eq!(count.reply(None), Verdict::Undecided);
    assert!(count.wants_base(), "the identity of the root is not known");
    assert_eq!(trip(&mut count, &[], Some(&stat(5, 6, 1))), Verdict::Whole);
    count.child_changed(None);
    count.root_deleted();
    count.root_created(Some(Zxid(9)));
    assert!(!count.wants_base());
    count.watch_ended();
    assert_eq!(trip(&mut count, &[], Some(&stat(9, 9, 0))), Verdict::Whole);
    count.root_deleted();
    count.root_created(None);
    count.watch_ended();
    assert_eq!(trip(&mut count, &[], Some(&stat(12, 12, 0))), Verdict::Learned, "it may be another one");
}

#[test]
fn older_data_that_were_changed_as_often_are_no_proof() {
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 40))), Verdict::Learned);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, 40))), Verdict::Whole);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 12, 40))), Verdict::Mismatch, "nothing was reported");
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 12, 40))), Verdict::Whole, "the base is a new one");
    count.child_changed(None);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 11, 41))), Verdict::Mismatch, "it went back");
    count.child_changed(None);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 13, 42))), Verdict::Whole);
    count.child_changed(Some(Zxid(14)));
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 14, 43))), Verdict::Whole);
    count.child_changed(Some(Zxid(15)));
    assert_eq!(
        trip(&mut count, &[], Some(&stat(1, 16, 44))),
        Verdict::Mismatch,
        "another change than the one reported"
    );
}

#[test]
fn the_counter_may_wrap() {
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[None, None], Some(&stat(1, 9, i32::MIN + 1))), Verdict::Undecided);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, i32::MIN + 1))), Verdict::Learned);
    let mut count = Count::new();
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 9, i32::MAX))), Verdict::Learned);
    count.child_changed(None);
    assert_eq!(trip(&mut count, &[], Some(&stat(1, 10, i32::MIN))), Verdict::Whole);
}

/// Apache's counter of creations stays at its greatest value: then the numbers do not show a change.
#[test]
fn a_counter_that_sticks_proves_nothing() {
    let mut count = Count::new();
    let mut stuck = stat(1, 9, 0);
    stuck.num_children = 5;
    stuck.cversion = i32::MAX.wrapping_mul(2).wrapping_sub(5);
    for _ in 0..3 {
        assert_eq!(trip(&mut count, &[], Some(&stuck)), Verdict::Mismatch);
        assert!(!count.wants_base(), "nothing is to be learned");
    }
    stuck.cversion -= 1;
    assert_eq!(trip(&mut count, &[], Some(&stuck)), Verdict::Mismatch, "now there is a base");
    assert_eq!(trip(&mut count, &[], Some(&stuck)), Verdict::Whole);
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Child,
    RootCreated,
    RootDeleted,
}

/// A server's log of changes, and a client that receives them.
struct Model {
    rng: SmallRng,
    names_zxids: bool,
    zxid: i64,
    /// `None` while there is no root.
    root: Option<Stat>,
    /// Each with its transaction, and whether its event gets lost.
    log: Vec<(Change, i64, bool)>,
    /// How many of the log the client has received, or never will.
    received: usize,
    /// The client is connected, and watches.
    watching: bool,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let cversion = [0, 7, i32::MAX - 3, -3][rng.random_range(0..4)];
        let names_zxids = rng.random_bool(0.3);
        let root = Some(stat(1, 1, cversion));
        Self { rng, names_zxids, zxid: 1, root, log: Vec::new(), received: 0, watching: true }
    }

    /// One transaction.
    fn change(&mut self) {
        self.zxid += 1;
        let told = |model: &mut Self, change| {
            // Only the end of a watch hides what happens to the root.
            let lost = !model.watching || change == Change::Child && model.rng.random_bool(0.02);
            model.log.push((change, model.zxid, lost));
        };
        if let Some(mut stat) = self.root {
            if self.rng.random_bool(0.03) {
                self.root = None;
                return told(self, Change::RootDeleted);
            }
            for _ in 0..self.rng.random_range(1..4) {
                (stat.cversion, stat.pzxid) = (stat.cversion.wrapping_add(1), Zxid(self.zxid));
                told(self, Change::Child);
            }
            // Never stuck.
            stat.num_children = i32::from(stat.cversion == -2);
            self.root = Some(stat);
        } else {
            self.root = Some(stat(self.zxid, self.zxid, 0));
            told(self, Change::RootCreated);
        }
    }

    fn changes(&mut self, most: u32) {
        (0..self.rng.random_range(0..=most)).for_each(|_| self.change());
    }

    /// The client receives events, at least up to this place in the log. Returns where the root was changed.
    fn receive(&mut self, at_least: usize, count: &mut Count) -> Option<usize> {
        let until = self.rng.random_range(at_least.max(self.received)..=self.log.len());
        let mut root_changed = None;
        for at in self.received..until {
            let (change, zxid, lost) = self.log[at];
            let zxid = self.names_zxids.then_some(Zxid(zxid));
            match change {
                _ if lost => continue,
                Change::Child => count.child_changed(zxid),
                Change::RootCreated => count.root_created(zxid),
                Change::RootDeleted => count.root_deleted(),
            }
            if change != Change::Child {
                root_changed = Some(at + 1);
            }
        }
        self.received = until;
        root_changed
    }

    fn is_lost_within(&self, from: usize, to: usize) -> bool {
        self.log[from.min(to)..to].iter().any(|(_, _, lost)| *lost)
    }
}

/// Against the log: nothing counts as whole if an event was lost, quiet trips decide, and nothing is refuted without a
/// cause.
#[test]
fn the_count_is_right_about_every_lost_event() {
    let (mut whole, mut mismatches, mut learned, mut undecided) = (0, 0, 0, 0);
    for seed in 0..3_000 {
        let (mut model, mut count) = (Model::new(seed), Count::new());
        // Where in the log the base was made, exact or not, and where it became exact.
        let (mut base, mut exact) = (None, None);
        for step in 0..40 {
            let context = format!("seed {seed}, step {step}");
            model.changes(2);
            if model.rng.random_bool(0.1) {
                // The connection ends, with events on their way or not, and another one begins.
                model.watching = false;
                model.log[model.received..].iter_mut().for_each(|(_, _, lost)| *lost = true);
                model.changes(2);
                model.received = model.log.len();
                let had_identity = !count.wants_base();
                count.watch_ended();
                if !had_identity && count.base == Base::Unknown {
                    (base, exact) = (None, None);
                }
                model.watching = true;
            } else if let Some(at) = model.receive(0, &mut count) {
                (base, exact) = (Some(at), Some(at));
            }
            let received_before = model.received;
            count.send();
            model.changes(1);
            let looked = model.log.len();
            let stat = model.root;
            model.changes(1);
            let root_changed = model.receive(looked, &mut count);
            if let Some(at) = root_changed {
                (base, exact) = (Some(at), Some(at));
            }
            let is_quiet = !model.log[received_before..model.received].iter().any(|(_, _, lost)| !lost);
            match count.reply(stat.as_ref()) {
                Verdict::Whole => {
                    let from = exact.unwrap_or_else(|| panic!("{context}: without a base"));
                    // A root that is absent as before has no child to have been missed.
                    let lost = stat.is_some() && model.is_lost_within(from, looked);
                    assert!(!lost, "{context}: an event was lost");
                    whole += 1;
                }
                Verdict::Mismatch => {
                    let from = base.unwrap_or_else(|| panic!("{context}: without a base"));
                    assert!(model.is_lost_within(from, looked), "{context}: all were told");
                    base = Some(looked);
                    exact = count.proven.then_some(looked);
                    mismatches += 1;
                }
                Verdict::Learned => {
                    assert_eq!(exact, None, "{context}: known already");
                    (base, exact) = (Some(looked), Some(looked));
                    learned += 1;
                }
                Verdict::Undecided => {
                    assert!(!is_quiet, "{context}: a quiet trip decides");
                    assert!(!model.names_zxids || root_changed.is_some(), "{context}: transactions decide");
                    if root_changed.is_none() && base.is_none() {
                        base = Some(looked);
                    }
                    undecided += 1;
                }
            }
        }
    }
    assert!(whole > 10_000 && mismatches > 3_000 && learned > 1_000 && undecided > 10_000);
}
