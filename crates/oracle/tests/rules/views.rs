//! What clients see.

use oracle::{By, Data, Invariant, LinkPhase, Shown, Stated, Verdict, What};

use crate::story::{A, B, C, Story, data};

#[test]
fn a_view_without_a_link_loses_an_instance() {
    let mut story = Story::fleet();
    story.at(5000).link("client 1", LinkPhase::Suspended).see("client 1", false, &[A, B, C]);
    story.at(6000).see("client 1", false, &[A, B]);
    story.at(7000).link("client 1", LinkPhase::Connected).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I1, "the view of client 1 lost 127.0.0.1:8003", &[]);
}

#[test]
fn an_operator_may_release_what_is_held() {
    let mut story = Story::fleet();
    for (server, name) in [("server 1", A), ("server 2", B), ("server 3", C)] {
        story.at(5000).kill(server).at(8000).expire(server, &[name]);
    }
    story.at(8030).see_held("client 1", true, &[], &[A, B, C]);
    story.at(9000).link("client 1", LinkPhase::Suspended).see_held("client 1", false, &[], &[A, B, C]);
    story.at(9500).fault("release", Some("client 1")).see("client 1", false, &[]);
    story.at(9800).link("client 1", LinkPhase::Connected).see("client 1", true, &[]);
    story.passes(Invariant::I1);
}

#[test]
fn the_number_of_a_set_grows_without_a_cause() {
    let mut story = Story::fleet();
    story.start("client 2").at(5000).see_as("client 2", true, 1, &[A, B, C]).at(6000).see_as(
        "client 2",
        true,
        2,
        &[A, B, C],
    );
    story.fails(Invariant::I7, "grew, though nothing", &[]);
    let mut story = Story::fleet();
    story.start("client 2").at(5000).see_as("client 2", true, 5, &[A, B, C]).at(6000).see_as(
        "client 2",
        true,
        4,
        &[A, B, C],
    );
    story.fails(Invariant::I7, "went back", &[]);
}

#[test]
fn an_instance_that_leaves_goes_at_once() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).status(
        "server 1",
        A,
        Stated::Deregistered,
    );
    story.at(5015).see("client 1", true, &[B, C]);
    story.passes(Invariant::I7);
}

#[test]
fn a_deletion_by_hand_settles_and_is_mended() {
    let mut story = Story::fleet();
    story
        .at(5000)
        .delete(By::Other("operator".into()), A)
        .at(5005)
        .create("server 1", A)
        .registered("server 1", A);
    story.passes(Invariant::I7);
}

const D: &str = "127.0.0.1:9001";
const E: &str = "127.0.0.1:9002";

/// Server 1 leaves at 5 s, and the client sees that.
fn left() -> Story {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).status(
        "server 1",
        A,
        Stated::Deregistered,
    );
    story.at(5015).see("client 1", true, &[B, C]);
    story
}

#[test]
fn a_view_goes_back() {
    let mut story = left();
    story.at(5050).see("client 1", true, &[A, B, C]).at(5100).see("client 1", true, &[B, C]);
    story.passes(Invariant::I8);
    let mut story = left();
    story.at(8050).see("client 1", true, &[A, B, C]).at(8100).see("client 1", true, &[B, C]);
    story.fails(Invariant::I8, "it shows 127.0.0.1:8001, which was not listed", &[]);
}

#[test]
fn a_view_loses_what_is_listed() {
    let mut story = Story::fleet();
    story.at(5000).see("client 1", true, &[B, C]).at(5100).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I8, "it lacks 127.0.0.1:8001, which was listed", &[]);
    // A stalled link is no excuse: it was never gone.
    let mut story = Story::fleet();
    story.bounds().audit = crate::story::ms(100);
    story.at(9000).fault_until("stall", Some("client 1"), 9500);
    story.at(9100).see("client 1", true, &[B, C]).at(9200).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I8, "it lacks 127.0.0.1:8001, which was listed", &[]);
}

#[test]
fn a_view_shows_half_a_list() {
    let mut story = Story::fleet();
    story.at(5000).create_by_other(D).at(5001).create_by_other(E);
    let mut good = story.clone();
    story.at(5010).see("client 1", true, &[A, B, C, E]).at(5020).see("client 1", true, &[A, B, C, D, E]);
    story.fails(Invariant::I8, "it lacks 127.0.0.1:9001", &[]);
    good.at(5010).see("client 1", true, &[A, B, C, D]).at(5020).see("client 1", true, &[A, B, C, D, E]);
    good.passes(Invariant::I8);
}

/// A view that reads records shows them.
fn with_records(story: &mut Story, names: &[(&str, u32)]) {
    let shown = |weight| Shown { weight, draining: false, incarnation: Some("i1".into()), held: false };
    let all = names.iter().map(|(name, weight)| ((*name).to_owned(), shown(*weight)));
    story.see_all("client 2", true, all.collect());
}

#[test]
fn an_instance_may_wait_for_its_record() {
    let mut story = Story::fleet();
    story.start("client 2");
    with_records(story.at(1000), &[(A, 100), (B, 100), (C, 100)]);
    story.at(5000).create_by_other(D).at(5001).create_by_other(E).at(5010).see(
        "client 1",
        true,
        &[A, B, C, D, E],
    );
    with_records(story.at(5010), &[(A, 100), (B, 100), (C, 100), (E, 100)]);
    with_records(story.at(5240), &[(A, 100), (B, 100), (C, 100), (D, 100), (E, 100)]);
    story.passes(Invariant::I8);
}

#[test]
fn a_record_that_is_written_shows_in_the_end() {
    let mut story = Story::fleet();
    story.start("client 2");
    with_records(story.at(1000), &[(A, 100), (B, 100), (C, 100)]);
    story.at(5000).want_with("server 1", A, data(7)).write(By::Process("server 1".into()), A, data(7));
    let mut bad = story.clone();
    with_records(story.at(5020), &[(A, 7), (B, 100), (C, 100)]);
    story.passes(Invariant::I2);
    bad.clone().fails(
        Invariant::I2,
        "in the end the view of client 2 shows 127.0.0.1:8001",
        &[Invariant::Exact],
    );
    // Late is late, though it is right in the end.
    with_records(bad.at(9000), &[(A, 7), (B, 100), (C, 100)]);
    bad.fails(Invariant::Exact, "127.0.0.1:8001 has had", &[]);
    // What makes no sense shows somehow.
    let mut story = Story::fleet();
    story.start("client 2");
    with_records(story.at(1000), &[(A, 100), (B, 100), (C, 100)]);
    story.at(5000).create_by_other(D).at(5010).see("client 1", true, &[A, B, C, D]);
    with_records(story.at(5010), &[(A, 100), (B, 100), (C, 100), (D, 100)]);
    story.at(6000).write(By::Other("foreign".into()), D, Data::default());
    story.passes(Invariant::I2);
}

#[test]
fn a_view_is_older_than_its_connection() {
    let mut story = Story::fleet();
    story.at(5000).link("client 1", LinkPhase::Suspended).see("client 1", false, &[A, B, C]);
    story.at(6000).create_by_other(D).at(7000).link("client 1", LinkPhase::Connected);
    let mut good = story.clone();
    story.at(7010).see("client 1", true, &[A, B, C]).at(7100).see("client 1", true, &[A, B, C, D]);
    story.fails(Invariant::I8, "it lacks 127.0.0.1:9001", &[]);
    good.at(7010).see("client 1", true, &[A, B, C, D]);
    good.passes(Invariant::I8);
}

#[test]
fn what_is_gone_at_a_reconnect_settles() {
    let mut story = Story::fleet();
    story.at(4000).create_by_other(D).at(4010).see("client 1", true, &[A, B, C, D]);
    story.at(5000).link("client 1", LinkPhase::Suspended).see("client 1", false, &[A, B, C, D]);
    story.at(6000).delete(By::Other("rival".into()), D).at(9000).link("client 1", LinkPhase::Connected);
    story.at(9010).see("client 1", true, &[A, B, C, D]).at(9035).see("client 1", true, &[A, B, C]);
    story.passes(Invariant::I8);
}

#[test]
fn a_view_holds_what_was_never_gone() {
    let mut story = Story::fleet();
    story.at(5000).see_held("client 1", true, &[], &[A, B, C]).at(5100).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I8, "it holds 127.0.0.1:8001, which was listed", &[]);
}

#[test]
fn a_live_view_does_not_follow() {
    let mut story = Story::fleet();
    story.at(5000).create_by_other(D).at(7000).see("client 1", true, &[A, B, C, D]);
    story.fails(Invariant::Exact, "lacked 127.0.0.1:9001, which was listed, from 5.000 s to 7.000 s", &[]);
    let mut story = left();
    story.at(6000).create_by_other(D).at(6010).see("client 1", true, &[B, C, D]);
    story.at(7000).delete(By::Other("operator".into()), D).at(9000).see("client 1", true, &[B, C]);
    story.fails(Invariant::Exact, "showed 127.0.0.1:9001, which was not listed", &[]);
}

#[test]
fn a_stalled_link_follows_late() {
    let mut story = Story::fleet();
    story.at(4000).fault_until("stall", Some("client 1"), 6500);
    story.at(5000).create_by_other(D).at(7000).see("client 1", true, &[A, B, C, D]);
    story.passes(Invariant::Exact);
    // That of another client is no excuse.
    let mut story = Story::fleet();
    story.at(4000).fault_until("stall", Some("client 2"), 6500);
    story.at(5000).create_by_other(D).at(7000).see("client 1", true, &[A, B, C, D]);
    story.fails(Invariant::Exact, "lacked 127.0.0.1:9001", &[]);
}

#[test]
fn a_lost_event_is_found_by_the_audit() {
    let mut story = Story::fleet();
    story.at(4000).fault("swallow", Some("client 1"));
    story.at(4000).create_by_other(D).at(15_000).see("client 1", true, &[A, B, C, D]);
    story.passes(Invariant::Exact);
    let mut story = Story::fleet();
    story.at(4000).fault("swallow", Some("client 1"));
    story.at(4000).create_by_other(D);
    story.fails(Invariant::I2, "lacked 127.0.0.1:9001", &[]);
}

#[test]
fn a_foreign_child_is_no_instance() {
    let mut story = Story::fleet();
    story.at(5000).create_by_other("not an endpoint");
    story.passes(Invariant::Exact);
}

#[test]
fn a_view_is_not_live_in_the_end() {
    let mut story = Story::fleet();
    story.at(30_000).see("client 1", false, &[A, B, C]);
    story.fails(Invariant::I2, "the view of client 1 has to be live from 29.250 s on", &[]);
}

#[test]
fn a_view_says_that_it_is_live_without_a_link() {
    let mut story = Story::fleet();
    story.at(5000).link("client 1", LinkPhase::Suspended).at(8000).link("client 1", LinkPhase::Connected);
    story.fails(Invariant::I9, "the view of client 1 says that it is live", &[]);
}

/// All servers die at once, and the client holds them until then.
fn held_until(at: u64) -> Story {
    let mut story = Story::fleet();
    for (server, name) in [("server 1", A), ("server 2", B), ("server 3", C)] {
        story.at(5000).kill(server).at(8000).expire(server, &[name]);
    }
    story.at(8030).see_held("client 1", true, &[], &[A, B, C]).at(at).see("client 1", true, &[]);
    story
}

#[test]
fn a_hold_lasts_too_long() {
    held_until(14_030).passes(Invariant::I4);
    held_until(18_000).fails(Invariant::I4, "held 127.0.0.1:8001 from 8.030 s to 18.000 s", &[]);
}

#[test]
fn a_hold_stops_without_a_link() {
    let mut story = held_until(18_000);
    story.at(10_000).link("client 1", LinkPhase::Suspended).see_held("client 1", false, &[], &[A, B, C]);
    story.at(12_000).link("client 1", LinkPhase::Connected).see_held("client 1", true, &[], &[A, B, C]);
    story.passes(Invariant::I4);
}

#[test]
fn a_late_recorder_makes_bounds_unknown() {
    let mut story = Story::fleet();
    story.at(5000).say(What::Lag { by: crate::story::ms(100) });
    assert_eq!(story.clone().judge().verdict(), Verdict::Pass);
    story.at(5500).say(What::Lag { by: crate::story::ms(900) });
    story.at(5000).create_by_other(D).at(6000).see("client 1", true, &[A, B, C, D]);
    let judgement = story.judge();
    assert_eq!(judgement.verdict(), Verdict::Unknown, "{:?}", judgement.violations);
    assert!(judgement.unknown.iter().any(|unknown| unknown.invariant == Invariant::Exact));
}

#[test]
fn what_was_not_seen_is_not_judged() {
    let mut story = Story::fleet();
    story.at(4000).say(What::Sight { known: false });
    story.at(5000).see("client 1", true, &[A, B, C, D]);
    story.at(6000).create_by_other(D).say(What::Sight { known: true });
    assert_eq!(story.clone().judge().verdict(), Verdict::Pass);
    story.at(30_000).say(What::Sight { known: false });
    let judgement = story.judge();
    assert_eq!(judgement.verdict(), Verdict::Unknown, "{:?}", judgement.violations);
}

#[test]
fn faults_without_effect_and_a_run_without_an_end_are_unknown() {
    let fault = What::Fault { id: 1, fault: "cut".into(), process: None, text: String::new() };
    let mut story = Story::fleet();
    story.at(4000).say(fault).say(What::FaultOver { id: 1 });
    assert_eq!(story.judge().verdict(), Verdict::Unknown);
    let mut history = Story::fleet().at(20_000).healed().end(60_000);
    history.records.pop();
    assert_eq!(oracle::judge(&history).verdict(), Verdict::Unknown);
    let history = Story::fleet().at(20_000).healed().end(25_000);
    assert_eq!(oracle::judge(&history).verdict(), Verdict::Unknown, "too early");
}
