use instance::{Endpoint, Plain};
use proptest::prelude::*;

use super::*;
use crate::config::MassDisappearance;

mod draining;
mod model;
mod told;
mod unnamed;

struct Script {
    membership: Membership,
    now: Instant,
}

impl Script {
    fn with(count: u16) -> Self {
        Self::start(Plain, Records::NamesOnly, (1..=count).map(name))
    }

    /// Follows a root that has children with these names.
    fn start(
        format: impl Format + 'static,
        records: Records,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        let config =
            DiscoveryConfig::new("/services".parse().unwrap()).with_settle(Duration::from_millis(5)).unwrap();
        let membership = Membership::new(Arc::new(format), &config.with_records(records));
        let mut script = Self { membership, now: Instant::now() };
        script.membership.set.set_hold(Duration::from_secs(10));
        script.membership.set.link_up(script.now);
        script.list(names, After::Gap);
        script
    }

    fn listed(&mut self, ports: impl IntoIterator<Item = u16>) {
        self.list(ports.into_iter().map(name), After::Following);
    }

    /// Takes over a list; returns how many names came or went.
    fn list(&mut self, names: impl IntoIterator<Item = String>, after: After) -> usize {
        let names: Vec<_> = names.into_iter().collect();
        let changed = self.membership.listed(&names, &BTreeSet::new(), after, self.now).len();
        self.pass(0);
        changed
    }

    fn delete(&mut self, ports: impl IntoIterator<Item = u16>) {
        for port in ports {
            self.membership.deleted(&name(port), false, self.now);
        }
        self.pass(0);
    }

    /// Deletions that are told as meant.
    fn leave(&mut self, ports: impl IntoIterator<Item = u16>) {
        for port in ports {
            self.membership.deleted(&name(port), true, self.now);
        }
    }

    fn create(&mut self, port: u16) {
        self.membership.created(&name(port), self.now);
        self.pass(0);
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.membership.advance(self.now);
    }

    /// The link goes down, and comes back after a while.
    fn outage(&mut self, ms: u64) {
        self.membership.set.link_down(self.now);
        self.now += Duration::from_millis(ms);
        self.membership.set.link_up(self.now);
        self.pass(0);
    }

    fn ports(&self) -> Vec<u16> {
        self.membership.set.shown.instances().iter().map(|instance| instance.endpoint().port()).collect()
    }
}

fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[test]
fn additions_show_at_once_and_single_removals_after_settling() {
    let mut script = Script::with(3);
    script.create(4);
    assert_eq!(script.ports(), [1, 2, 3, 4]);
    script.delete([2]);
    assert_eq!(script.ports(), [1, 2, 3, 4], "still settling");
    script.pass(5);
    assert_eq!(script.ports(), [1, 3, 4]);
    assert_eq!(script.membership.next_deadline(), None);
}

#[test]
fn a_take_over_is_no_gap() {
    let mut script = Script::with(3);
    script.delete([1]);
    script.pass(4);
    script.create(1);
    script.pass(100);
    assert_eq!(script.ports(), [1, 2, 3]);
}

#[test]
fn a_mass_disappearance_is_held_and_then_believed() {
    let mut script = Script::with(10);
    script.delete(1..=8);
    script.pass(5);
    assert_eq!(script.ports().len(), 10);
    assert_eq!(script.membership.set.held(), 8);
    script.pass(9_990);
    assert_eq!(script.ports().len(), 10);
    script.pass(10);
    assert_eq!(script.ports(), [9, 10]);
}

#[test]
fn a_slow_mass_disappearance_is_stopped_at_half() {
    let mut script = Script::with(10);
    for port in 1..=8 {
        script.delete([port]);
        script.pass(20);
    }
    assert_eq!(script.ports().len(), 5);
    assert_eq!(script.membership.set.held(), 3);
}

#[test]
fn a_mass_disappearance_that_arrives_in_pieces_is_held_as_a_whole() {
    let mut script = Script::with(10);
    for pair in [[1, 2], [3, 4], [5, 6], [7, 8]] {
        script.delete(pair);
        script.pass(1);
    }
    for _ in 0..10 {
        script.pass(1);
    }
    assert_eq!(script.ports().len(), 10);
    assert_eq!(script.membership.set.held(), 8);
}

#[test]
fn a_settling_removal_counts_for_a_mass_disappearance_but_is_not_held() {
    let mut script = Script::with(4);
    script.delete([1]);
    script.pass(4);
    script.delete([2, 3]);
    script.pass(1);
    assert_eq!(script.membership.set.held(), 1, "the others are still settling");
    script.pass(4);
    assert_eq!(script.membership.set.held(), 3);
}

#[test]
fn a_hold_begins_again_after_an_outage() {
    let mut script = Script::with(4);
    script.delete(1..=3);
    script.pass(9_000);
    assert_eq!(script.membership.set.held(), 3);
    script.outage(60_000);
    script.pass(9_999);
    assert_eq!(script.ports().len(), 4);
    // A resync on the same link is no outage.
    script.membership.set.link_up(script.now);
    script.pass(1);
    assert_eq!(script.ports(), [4]);
}

#[test]
fn a_flapping_link_does_not_hold_instances_for_ever() {
    let mut script = Script::with(4);
    script.delete(1..=3);
    script.pass(5);
    // Each outage comes just before the hold would end.
    for _ in 0..6 {
        script.pass(4_999);
        assert_eq!(script.membership.set.held(), 3);
        script.outage(1_000);
    }
    // Three holds, but for 1 ms: the settling time counts as well.
    script.pass(0);
    assert_eq!(script.ports().len(), 4);
    script.pass(1);
    assert_eq!(script.ports(), [4]);
}

proptest! {
    /// However the removals of one settling time arrive: more than half of the set is held as a whole, less is
    /// removed as soon as it has settled.
    #[test]
    fn removals_are_held_only_if_all_of_them_are_a_mass_disappearance(
        others in 0u16..12,
        arrivals in proptest::collection::vec(0u64..5, 1..12),
    ) {
        let gone = u16::try_from(arrivals.len()).unwrap();
        let mut script = Script::with(others + gone);
        let is_mass = gone >= 3 && gone > others;
        for ms in 0..=10 {
            let now = (1..).zip(&arrivals).filter(|(_, at)| **at == ms).map(|(port, _)| port);
            script.delete(now.collect::<Vec<_>>());
            let settled = arrivals.iter().filter(|at| *at + 5 <= ms).count();
            let shown = usize::from(others + gone) - if is_mass { 0 } else { settled };
            prop_assert_eq!(script.ports().len(), shown, "at {} ms", ms);
            script.pass(1);
        }
        prop_assert_eq!(script.membership.set.held(), if is_mass { arrivals.len() } else { 0 });
        script.pass(10_000);
        prop_assert_eq!(script.ports().len(), usize::from(others));
    }

    /// Whatever the link does, held instances go after one hold without an outage, and after three holds of time
    /// with a link at the latest.
    #[test]
    fn no_link_is_so_bad_that_instances_are_held_for_ever(
        links in proptest::collection::vec((1u64..12_000, 0u64..100_000), 0..40),
    ) {
        let mut script = Script::with(3);
        script.delete([1, 2, 3]);
        let (mut up_ms, mut removed) = (0, false);
        for (up, down) in links.into_iter().chain([(30_000, 0)]) {
            if up_ms == 0 {
                script.pass(5);
            }
            script.pass(up);
            up_ms += up + if up_ms == 0 { 5 } else { 0 };
            removed = removed || up >= 10_000 || up_ms >= 30_000;
            // The first link begins with the settling, which is part of the hold.
            let early = up_ms == up + 5 && up >= 9_995;
            prop_assert_eq!(script.ports().is_empty(), removed || early, "after {} ms", up_ms);
            removed |= early;
            script.outage(down);
        }
        prop_assert!(removed);
    }
}

#[test]
fn a_rolling_restart_is_no_mass_disappearance() {
    let mut script = Script::with(3);
    for port in [1, 2, 3, 1, 2, 3] {
        script.delete([port]);
        script.pass(5);
        assert_eq!(script.ports().len(), 2, "{port} is removed at once");
        script.create(port);
        script.pass(5);
    }
}

#[test]
fn removals_more_than_a_second_apart_are_not_held() {
    let mut script = Script::with(10);
    for port in 1..=9 {
        script.delete([port]);
        script.pass(1_200);
    }
    assert_eq!(script.ports(), [10]);
}

#[test]
fn a_set_of_two_may_empty_at_once() {
    let mut script = Script::with(2);
    script.delete([1, 2]);
    script.pass(5);
    assert!(script.ports().is_empty());
}

#[test]
fn a_held_instance_stays_when_listed_again_and_goes_when_it_refuses() {
    let mut script = Script::with(4);
    script.listed([]);
    script.pass(100);
    assert_eq!(script.ports(), [1, 2, 3, 4]);
    script.create(1);
    script.membership.set.refused(&name(2).parse().unwrap());
    script.membership.set.refused(&name(1).parse().unwrap());
    script.pass(0);
    assert_eq!(script.ports(), [1, 3, 4], "1 is listed again and stays, 2 refused");
    script.membership.set.release_held();
    script.pass(0);
    assert_eq!(script.ports(), [1]);
}

#[test]
fn a_new_session_whose_first_list_lacks_most_instances_holds_them_however_small_the_set() {
    for (before, after) in [(1, 0), (3, 1), (10, 4)] {
        let mut script = Script::with(before);
        let names: Vec<_> = (1..=after).map(name).collect();
        script.list(names, After::NewSession);
        script.pass(100);
        assert_eq!(script.ports().len(), usize::from(before), "{before} to {after}");
        script.pass(10_000);
        assert_eq!(script.ports().len(), usize::from(after));
    }
    let mut script = Script::with(2);
    script.list([name(1)], After::NewSession);
    script.pass(5);
    assert_eq!(script.ports(), [1], "half of the set is not held");
}

#[test]
fn a_hold_of_zero_holds_nothing() {
    let mut script = Script::with(4);
    script.membership.set.set_hold(Duration::ZERO);
    script.listed([]);
    script.pass(5);
    assert!(script.ports().is_empty());
}

#[test]
fn invalid_names_are_skipped_and_counted() {
    let mut script = Script::with(1);
    let names = ["127.0.0.1:1", "127.0.0.1:01", "vector_1", "", "127.0.0.1:99999"].map(String::from);
    script.list(names, After::Following);
    assert_eq!(script.ports(), [1]);
    assert_eq!(script.membership.skipped(), 4);
    script.membership.deleted("vector_1", false, script.now);
    assert_eq!(script.membership.skipped(), 3);
}

#[test]
fn unspecified_addresses_are_skipped_and_counted() {
    let mut script = Script::with(1);
    for name in ["0.0.0.0:7", "[::]:7", "[::ffff:0.0.0.0]:7"] {
        script.membership.created(name, script.now);
    }
    script.pass(0);
    assert_eq!(script.ports(), [1]);
    assert_eq!(script.membership.skipped(), 3);
    script.membership.deleted("[::]:7", false, script.now);
    assert_eq!(script.membership.skipped(), 2);
}

#[test]
fn an_endpoint_in_several_spellings_is_one_instance_until_its_last_name_goes() {
    let names = ["127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[0:0:0:0:0:FFFF:127.0.0.1]:1"];
    for gone in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut script = Script::with(2);
        for name in [names[1], names[2], names[1]] {
            script.membership.created(name, script.now);
        }
        script.pass(0);
        assert_eq!(script.ports(), [1, 2]);
        for (left, index) in [2, 1, 0].into_iter().zip(gone) {
            script.membership.deleted(names[index], false, script.now);
            script.pass(5);
            let ports = if left > 0 { vec![1, 2] } else { vec![2] };
            assert_eq!(script.ports(), ports, "{gone:?}, {left} left");
        }
    }
}

#[test]
fn a_list_with_other_spellings_of_an_endpoint_does_not_change_the_view() {
    let mut script = Script::with(2);
    let shown_changes = script.membership.set.shown.changes();
    let again = |script: &mut Script, names: &[&str]| {
        let changed = script.list(names.iter().map(|name| name.to_string()), After::Following);
        script.pass(5);
        changed > 0
    };
    assert!(!again(&mut script, &["127.0.0.1:2", "127.0.0.1:1"]), "the same in another order");
    assert!(again(&mut script, &["127.0.0.1:1", "127.0.0.1:2", "[::ffff:127.0.0.1]:2"]));
    assert!(again(&mut script, &["127.0.0.1:1", "[::ffff:127.0.0.1]:2"]), "one name was removed");
    assert!(!again(&mut script, &["[::ffff:127.0.0.1]:2", "127.0.0.1:1"]));
    assert_eq!(
        (script.ports(), script.membership.set.shown.changes()),
        (vec![1, 2], shown_changes),
        "the view did not change"
    );
    assert!(again(&mut script, &["127.0.0.1:1"]));
    assert_eq!(script.ports(), [1]);
}

/// A set whose records are read.
struct Reading {
    script: Script,
    zxid: i64,
}

impl Reading {
    fn with(count: u16) -> Self {
        Self { script: Script::start(Plain, Records::Read, (1..=count).map(name)), zxid: 1 }
    }

    /// Reads the records that are due; all have this data.
    fn read(&mut self, data: &str) -> usize {
        let mut stat = zk_core::Stat::default();
        self.zxid += 1;
        (stat.czxid, stat.mzxid) = (zk_core::Zxid(self.zxid), zk_core::Zxid(self.zxid));
        self.reply(&Some(Ok((data.into(), stat))))
    }

    fn reply(&mut self, reading: &Option<zk_core::Reading>) -> usize {
        let (now, membership) = (self.script.now, &mut self.script.membership);
        let Some(batch) = membership.take_reads(now, 256) else { return 0 };
        for name in &batch.names {
            membership.apply_reply(batch.ticket, name, reading.clone(), now, now + Duration::from_secs(1));
        }
        self.script.pass(0);
        batch.names.len()
    }

    /// Reads the records that are due, from znodes with these names, czxids and weights.
    fn read_of(&mut self, znodes: &[(&str, i64, u32)]) {
        self.script.pass(5);
        let (now, membership) = (self.script.now, &mut self.script.membership);
        let Some(batch) = membership.take_reads(now, 256) else { return };
        for name in &batch.names {
            let mut stat = zk_core::Stat::default();
            let (_, czxid, weight) =
                znodes.iter().find(|(znode, ..)| znode == name).expect("the znode exists");
            (stat.czxid, stat.mzxid) = (zk_core::Zxid(*czxid), zk_core::Zxid(*czxid));
            let data = format!(r#"{{"Weight":{weight}}}"#).into_bytes();
            membership.apply_reply(batch.ticket, name, Some(Ok((data, stat))), now, now);
        }
        self.script.pass(0);
    }

    fn weights(&self) -> Vec<(u16, u32)> {
        let instances = self.script.membership.set.shown.instances();
        instances.iter().map(|instance| (instance.endpoint().port(), instance.weight())).collect()
    }
}

#[test]
fn an_addition_shows_with_its_record() {
    let mut reading = Reading::with(2);
    assert_eq!(reading.weights(), []);
    assert!(reading.script.membership.awaits_records(reading.script.now));
    assert_eq!(reading.read(r#"{"Weight":7}"#), 2);
    assert_eq!(reading.weights(), [(1, 7), (2, 7)]);
    assert!(!reading.script.membership.awaits_records(reading.script.now));
}

#[test]
fn an_addition_does_not_wait_long_for_its_record() {
    let mut reading = Reading::with(1);
    reading.script.pass(249);
    assert_eq!(reading.weights(), []);
    reading.script.pass(1);
    assert_eq!(reading.weights(), [(1, 100)]);
    reading.read(r#"{"Weight":7}"#);
    assert_eq!(reading.weights(), [(1, 7)], "late is better than never");
}

#[test]
fn changes_within_5_ms_are_read_in_one_batch() {
    let mut reading = Reading::with(0);
    for port in 1..=4 {
        reading.script.create(port);
        reading.script.pass(1);
        assert_eq!(reading.read(""), 0);
    }
    reading.script.pass(1);
    assert_eq!(reading.script.membership.next_read(), Some(reading.script.now));
    // The first is due, and the others will be soon.
    assert_eq!(reading.read(""), 4);
}

#[test]
fn the_last_shown_instance_does_not_go_before_a_new_one_has_its_record() {
    let mut reading = Reading::with(1);
    reading.read(r#"{"Weight":7}"#);
    reading.script.create(2);
    reading.script.delete([1]);
    reading.script.pass(5);
    assert_eq!(reading.weights(), [(1, 7)], "an empty set would be wrong");
    assert_eq!(
        reading.script.membership.next_deadline(),
        Some(reading.script.now + Duration::from_millis(245))
    );
    reading.read(r#"{"Weight":8}"#);
    assert_eq!(reading.weights(), [(2, 8)]);
    assert_eq!(reading.script.membership.next_deadline(), None);
}

#[test]
fn the_only_instance_that_comes_back_later_shows_with_its_record() {
    let mut reading = Reading::with(1);
    reading.read(r#"{"Weight":7}"#);
    reading.script.delete([1]);
    reading.script.pass(5);
    assert_eq!(reading.weights(), [], "its session has expired");
    reading.script.create(1);
    reading.script.pass(5);
    assert_eq!(reading.weights(), [], "no defaults for a moment");
    reading.read(r#"{"Weight":8}"#);
    assert_eq!(reading.weights(), [(1, 8)]);
}

#[test]
fn fresh_instances_that_come_and_go_are_no_mass_disappearance() {
    let mut script = Script::with(10);
    script.pass(2_000);
    for port in 11..100 {
        script.create(port);
        script.pass(57);
        script.delete([port]);
        script.pass(5);
        assert_eq!(script.ports().len(), 10, "{port} goes once it has settled");
    }
    // Those that were there a second ago are held all the same, and the fresh one that goes with them is not.
    script.create(100);
    script.delete((1..=6).chain([100]));
    script.pass(5);
    assert_eq!((script.ports().len(), script.membership.set.held()), (10, 6));
    script.create(101);
    script.pass(500);
    script.delete([101]);
    script.pass(5);
    assert_eq!((script.ports().len(), script.membership.set.held()), (10, 6));
}

#[test]
fn an_instance_that_was_there_a_second_ago_counts_however_often_it_came_back_since() {
    let mut script = Script::with(4);
    script.pass(2_000);
    for _ in 0..3 {
        script.delete([1]);
        script.pass(10);
        script.create(1);
        script.pass(10);
    }
    script.delete([1, 2, 3]);
    script.pass(5);
    assert_eq!(script.membership.set.held(), 3);
}

#[test]
fn a_hold_goes_by_the_set_of_a_second_ago_whatever_has_come_since() {
    let mut script = Script::with(4);
    script.pass(2_000);
    (10..20).for_each(|port| script.create(port));
    script.delete([1, 2, 3]);
    script.pass(5);
    assert_eq!(script.membership.set.held(), 3);
}

#[test]
fn instances_that_come_while_removals_settle_for_longer_than_the_window_do_not_count() {
    let rule = MassDisappearance::default().with_window(Duration::from_millis(10)).unwrap();
    let config =
        DiscoveryConfig::new("/services".parse().unwrap()).with_settle(Duration::from_millis(100)).unwrap();
    let mut script = Script::with(0);
    script.membership = Membership::new(Arc::new(Plain), &config.with_mass_disappearance(rule));
    script.membership.set.set_hold(Duration::from_secs(10));
    script.list((1..=4).map(name), After::Gap);
    script.delete([1, 2, 3]);
    script.pass(50);
    (10..20).for_each(|port| script.create(port));
    script.pass(50);
    assert_eq!(script.membership.set.held(), 3);
}

#[test]
fn an_instance_that_a_list_after_a_gap_has_again_is_not_gone() {
    let mut script = Script::with(4);
    script.delete([1]);
    script.pass(5);
    script.list((1..=4).map(name), After::Gap);
    script.delete([2, 3]);
    script.pass(5);
    assert_eq!(script.ports(), [1, 4], "two of four are not more than half");
}

#[test]
fn removals_whose_hold_is_over_count_for_no_other_hold() {
    let mut script = Script::with(10);
    script.delete(1..=8);
    script.pass(5);
    script.pass(9_995);
    assert_eq!(script.ports(), [9, 10]);
    script.delete([9, 10]);
    script.pass(5);
    assert!(script.ports().is_empty(), "{:?}", script.ports());
}

#[test]
fn share_number_and_window_can_be_set() {
    let rule = MassDisappearance::default().with_share(0.3).unwrap().with_number(4).unwrap();
    for (rule, gone, step, held) in [
        (rule, 4, 0, 4),
        (rule, 3, 0, 0),
        (rule.with_share(0.4).unwrap(), 4, 0, 0),
        (rule, 4, 250, 1),
        (rule.with_window(Duration::from_millis(400)).unwrap(), 4, 250, 0),
    ] {
        let mut script = Script::with(0);
        let config =
            DiscoveryConfig::new("/services".parse().unwrap()).with_settle(Duration::from_millis(5)).unwrap();
        script.membership = Membership::new(Arc::new(Plain), &config.with_mass_disappearance(rule));
        script.membership.set.set_hold(Duration::from_secs(10));
        script.list((1..=10).map(name), After::Gap);
        for port in 1..=gone {
            script.delete([port]);
            script.pass(step);
        }
        script.pass(5);
        assert_eq!(script.membership.set.held(), held, "{rule:?}, {gone} gone, {step} ms");
    }
}

#[test]
fn an_instance_removed_before_it_was_read_is_never_shown() {
    let mut reading = Reading::with(1);
    reading.script.delete([1]);
    assert!(!reading.script.membership.awaits_records(reading.script.now));
    assert_eq!(reading.read(""), 0);
    assert_eq!(reading.weights(), []);
}

#[test]
fn a_held_instance_keeps_its_record() {
    let mut reading = Reading::with(4);
    reading.read(r#"{"Weight":7}"#);
    reading.script.listed([]);
    reading.script.pass(100);
    assert_eq!(reading.weights(), [(1, 7), (2, 7), (3, 7), (4, 7)]);
    assert_eq!(reading.script.membership.set.total_held(), 4);
    reading.script.create(1);
    reading.script.pass(5);
    assert_eq!(reading.read(r#"{"Weight":8}"#), 1);
    assert_eq!(reading.weights()[0], (1, 8));
}

#[test]
fn a_take_over_changes_the_record_without_a_gap() {
    let mut reading = Reading::with(2);
    reading.read(r#"{"Weight":7}"#);
    reading.script.delete([1]);
    reading.script.create(1);
    reading.script.pass(5);
    assert_eq!(reading.weights(), [(1, 7), (2, 7)]);
    assert_eq!(reading.read(r#"{"Weight":8}"#), 1);
    assert_eq!(reading.weights(), [(1, 8), (2, 7)]);
}

#[test]
fn unreadable_records_are_counted_and_remove_no_instance() {
    let mut reading = Reading::with(1);
    reading.reply(&Some(Err(zk_core::ErrorKind::Denied)));
    assert_eq!(reading.weights(), [(1, 100)]);
    assert_eq!(reading.script.membership.unreadable(), 1);
    for (data, unreadable) in
        [(r#"{"Weight":7}"#, 0), ("[]", 1), ("{\"Weight\":-1}", 0), ("\u{1}", 1), ("", 0)]
    {
        reading.script.membership.written(&name(1), reading.script.now);
        reading.script.pass(5);
        assert_eq!(reading.read(data), 1);
        assert_eq!(reading.script.membership.unreadable(), unreadable, "{data:?}");
    }
    reading.script.membership.written(&name(1), reading.script.now);
    reading.script.pass(5);
    reading.read("[]");
    reading.script.delete([1]);
    assert_eq!(reading.script.membership.unreadable(), 0);
}

#[test]
fn a_failed_read_keeps_the_known_record() {
    let mut reading = Reading::with(1);
    reading.read(r#"{"Weight":7}"#);
    for outcome in [Some(Err(zk_core::ErrorKind::Denied)), None, Some(Err(zk_core::ErrorKind::NoNode))] {
        reading.script.membership.written(&name(1), reading.script.now);
        reading.script.pass(1_000);
        assert_eq!(reading.reply(&outcome), 1);
        assert_eq!(reading.weights(), [(1, 7)], "{outcome:?}");
    }
}

#[test]
fn without_records_nothing_is_read() {
    let mut script = Script::with(3);
    script.create(4);
    script.membership.written(&name(1), script.now);
    script.membership.reread_all(script.now, Duration::ZERO, ReadReason::Resync, &mut rand::rng());
    assert_eq!(script.membership.next_read(), None);
    assert_eq!(script.membership.take_reads(script.now + Duration::from_secs(9), 256), None);
}

#[test]
fn the_youngest_znode_of_an_endpoint_has_the_record_that_counts() {
    const OLD: (&str, i64, u32) = ("host:1", 10, 1);
    const YOUNG: (&str, i64, u32) = ("HOST:1", 20, 2);
    const MIDDLE: (&str, i64, u32) = ("Host:1", 15, 3);
    let all = [OLD, YOUNG, MIDDLE];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (order, at_once) in orders.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        let mut reading = Reading::with(0);
        for znode in order.map(|index| all[index]) {
            reading.script.membership.created(znode.0, reading.script.now);
            if !at_once {
                reading.read_of(&all);
            }
        }
        reading.read_of(&all);
        assert_eq!(reading.weights(), [(1, 2)], "{order:?}");
        reading.script.membership.deleted(OLD.0, false, reading.script.now);
        reading.read_of(&all);
        assert_eq!(reading.weights(), [(1, 2)], "{order:?}");
        reading.script.membership.deleted(YOUNG.0, false, reading.script.now);
        reading.read_of(&all);
        assert_eq!(reading.weights(), [(1, 3)], "the next youngest counts: {order:?}");
        reading.script.membership.deleted(MIDDLE.0, false, reading.script.now);
        reading.script.pass(5);
        assert_eq!(reading.weights(), []);
    }
    // The same with lists instead of events.
    let mut reading = Reading::with(0);
    for names in [vec![OLD, YOUNG], vec![OLD]] {
        reading.script.list(names.iter().map(|znode| znode.0.to_owned()), After::Following);
        reading.read_of(&all);
        assert_eq!(reading.weights(), [(1, names.last().unwrap().2)]);
    }
}
