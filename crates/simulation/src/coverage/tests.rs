#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;

use tracing::trace;

use super::*;

fn arrow(names: [&str; 4]) -> Arrow {
    let [machine, from, on, to] = names.map(Box::from);
    Arrow { machine, from, on, to }
}

fn step(from: &'static str) {
    trace!(target: "arrow", machine = "test", from, on = "step", to = "b");
}

#[test]
fn arrows_are_counted_by_name_in_the_thread_that_takes_them() {
    install();
    take();
    thread::spawn(|| step("a")).join().unwrap();
    ["a", "b", "a"].into_iter().for_each(step);
    trace!(from = "a", "of another target");
    let expected = [(arrow(["test", "a", "step", "b"]), 2), (arrow(["test", "b", "step", "b"]), 1)];
    assert_eq!(take(), Arrows::from_iter(expected));
    assert!(take().is_empty(), "they were taken");
}

/// All lines of the table that a run may go along.
fn all() -> impl Iterator<Item = &'static Expected> {
    expected().iter().filter(|line| line.demand.allows())
}

#[test]
fn who_goes_along_every_arrow_lacks_nothing() {
    let arrows: Arrows = all().map(|line| (line.arrow.clone(), 1)).collect();
    for runs in [1, 2_000, 10_000] {
        assert_eq!(check(&arrows, runs).problems(), [""; 0], "{runs}");
    }
}

#[test]
fn an_arrow_that_no_run_has_gone_along_is_missing_where_so_much_is_demanded() {
    for demand in [Demand::Often, Demand::Reachable] {
        let left_out = all().find(|line| line.demand == demand).unwrap();
        let arrows: Arrows =
            all().filter(|line| *line != left_out).map(|line| (line.arrow.clone(), 1)).collect();
        let missing = |runs| check(&arrows, runs).missing;
        assert_eq!(missing(1_999), []);
        assert_eq!(missing(2_000).len(), usize::from(demand == Demand::Often));
        assert_eq!(missing(10_000), [left_out.arrow.clone()]);
    }
}

#[test]
fn a_stage_in_which_no_run_has_been_is_missing() {
    let arrows: Arrows =
        all().filter(|line| &*line.arrow.machine != "keeper").map(|line| (line.arrow.clone(), 1)).collect();
    let report = check(&arrows, 10_000);
    assert!(report.states_missing.contains(&("keeper".into(), "registered".into())), "{report}");
    assert!(report.states_missing.iter().all(|(machine, _)| &**machine == "keeper"));
}

#[test]
fn an_arrow_that_is_not_in_the_table_is_wrong_where_run_after_run_goes_along_it() {
    let strange = arrow(["keeper", "registered", "nothing", "over"]);
    let report = |count, runs| check(&Arrows::from_iter([(strange.clone(), count)]), runs);
    for (count, runs, is_wrong) in [(3, 10, false), (4, 10, true), (10, 10_000, false), (11, 10_000, true)] {
        let report = report(count, runs);
        assert_eq!((report.unknown.len(), report.strange.len()), (is_wrong.into(), (!is_wrong).into()));
    }
}

#[test]
fn an_arrow_that_is_said_to_be_impossible_is_wrong() {
    let over = arrow(["keeper", "over", "timer", "over"]);
    let report = check(&Arrows::from_iter([(over.clone(), 1)]), 1);
    assert_eq!(report.impossible.first().map(|(arrow, _)| arrow), Some(&over));
}
