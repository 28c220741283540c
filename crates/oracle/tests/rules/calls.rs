//! I3 and the rules of calls.

use oracle::Attempted::{Answered, Failed, Refused, Unanswered};
use oracle::{Answers, Called, Invariant, Verdict, What};

use crate::story::{A, B, C, Story};

fn failed(reason: &str) -> Called {
    Called::Failed { reason: reason.into() }
}

#[test]
fn a_quiet_fleet_passes() {
    let judgement = Story::fleet().passes(Invariant::I3);
    assert_eq!(judgement.verdict(), Verdict::Pass, "{:?}", judgement.unknown);
}

#[test]
fn a_call_fails_though_an_instance_was_there() {
    let mut story = Story::fleet();
    story.at(5000).call("client 1", true, &[(A, 2, Failed)], failed("attempts_spent"));
    story.fails(Invariant::I3, "failed (attempts_spent)", &[Invariant::Calls]);
    // It waited for nothing, and did not try the others.
    let mut story = Story::fleet();
    story.at(5000).call_until("client 1", true, &[(A, 1000, Unanswered)], 4000, failed("out_of_time"));
    story.fails(Invariant::I3, "failed (out_of_time)", &[]);
}

#[test]
fn a_call_that_fails_when_nobody_answers_well_is_no_failure_of_ours() {
    let mut story = Story::fleet();
    for (server, name) in [("server 1", A), ("server 2", B), ("server 3", C)] {
        story.at(5100).serves(server, name, Answers::Refuses).at(10_200).serves(server, name, Answers::Well);
    }
    story.at(5000).call_until(
        "client 1",
        true,
        &[(A, 200, Refused), (B, 1, Refused)],
        4799,
        failed("all_refused"),
    );
    story.passes(Invariant::I3);
}

#[test]
fn a_spent_budget_and_a_call_that_must_not_be_repeated_may_fail() {
    let mut story = Story::fleet();
    story.at(5000).call("client 1", true, &[(A, 2, Failed)], failed("budget_spent"));
    story.at(6000).call("client 1", false, &[(A, 1000, Unanswered)], failed("final"));
    story.passes(Invariant::I3);
}

#[test]
fn a_call_whose_time_is_spent_before_the_good_one_has_its_turn_may_fail() {
    let mut story = Story::fleet();
    let names = [101, 102, 103, 104, 105].map(|port| format!("127.0.0.1:{port}"));
    let mut shown = vec![A, B, C];
    for name in &names {
        story.at(2000).create_by_other(name);
        shown.push(name);
    }
    story.at(2010).see("client 1", true, &shown);
    let attempts: Vec<_> = names.iter().map(|name| (&**name, 1000, Unanswered)).collect();
    story.at(5000).call("client 1", true, &attempts, failed("out_of_time"));
    story.passes(Invariant::I3);
    // But not if one is tried twice meanwhile.
    let mut attempts = attempts;
    attempts[4] = attempts[0];
    story.at(11_000).call("client 1", true, &attempts, failed("out_of_time"));
    story.fails(Invariant::I3, "out_of_time", &[]);
}

#[test]
fn a_call_takes_too_long_or_never_ends() {
    let mut story = Story::fleet();
    story.at(5000).call_until(
        "client 1",
        true,
        &[(A, 1000, Unanswered)],
        5000,
        Called::Answered { endpoint: A.into() },
    );
    story.fails(Invariant::Calls, "took 6.000 s", &[]);

    let mut story = Story::fleet();
    story.at(5000).say(What::Call { id: 99, process: "client 1".into(), idempotent: true });
    story.fails(Invariant::Calls, "has no end after 55.000 s", &[]);
}

#[test]
fn a_call_that_ends_with_its_process_is_no_hang() {
    let mut story = Story::fleet();
    story.at(5000).say(What::Call { id: 99, process: "client 1".into(), idempotent: true });
    story.at(6000).kill("client 1");
    story.passes(Invariant::Calls);
}

#[test]
fn a_call_makes_too_many_attempts() {
    let mut story = Story::fleet();
    story.bounds().max_attempts = 2;
    let attempts = [(A, 2, Failed), (B, 2, Failed), (C, 2, Failed), (A, 2, Failed), (B, 2, Answered)];
    story.at(5000).call("client 1", true, &attempts, Called::Answered { endpoint: B.into() });
    story.fails(Invariant::Calls, "may make 2 attempts, but made 5", &[]);
}

#[test]
fn refused_attempts_are_counted_apart() {
    let mut story = Story::fleet();
    story.bounds().max_attempts = 2;
    let attempts = [(A, 2, Refused), (B, 2, Refused), (C, 2, Refused), (A, 2, Failed), (B, 2, Answered)];
    story.at(5000).call("client 1", true, &attempts, Called::Answered { endpoint: B.into() });
    story.passes(Invariant::Calls);
}

#[test]
fn a_call_that_must_not_be_repeated_is() {
    let mut story = Story::fleet();
    let attempts = [(A, 1000, Unanswered), (B, 2, Answered)];
    story.at(5000).call("client 1", false, &attempts, Called::Answered { endpoint: B.into() });
    story.fails(Invariant::Calls, "must not be repeated", &[]);
    // A refused one had no effect.
    let mut story = Story::fleet();
    let attempts = [(A, 1, Refused), (B, 2, Answered)];
    story.at(5000).call("client 1", false, &attempts, Called::Answered { endpoint: B.into() });
    story.passes(Invariant::Calls);
}

#[test]
fn a_call_goes_to_what_the_view_does_not_show() {
    let mut story = Story::fleet();
    story.at(5000).answered_call("client 1", "127.0.0.1:8009");
    story.fails(Invariant::Calls, "went to 127.0.0.1:8009", &[]);
}

#[test]
fn few_calls_say_nothing() {
    let mut story = Story::new();
    story.start("client 1").at(1000).see("client 1", true, &[]).answered_call("client 1", A);
    let judgement = story.judge();
    assert!(judgement.unknown.iter().any(|unknown| unknown.invariant == Invariant::I3), "{judgement:?}");
}

#[test]
fn a_budget_is_overdrawn() {
    // 13 retries of each call, of which 12 are surely none of a trial: 3 calls have 100.
    let attempts = [(A, 2, Failed); 14];
    for (calls, is_overdrawn) in [(8, false), (9, true)] {
        let mut story = Story::fleet();
        for call in 0..calls {
            story.at(5000 + 500 * call).call("client 1", true, &attempts, failed("budget_spent"));
        }
        if is_overdrawn {
            story.fails(Invariant::Calls, "has 105 retries for the 10.000 s before", &[]);
        } else {
            story.passes(Invariant::Calls);
        }
    }
}

#[test]
fn retries_that_are_far_apart_or_follow_refusals_overdraw_no_budget() {
    let mut story = Story::fleet();
    for call in 0..9 {
        story.at(5000 + 1500 * call).call("client 1", true, &[(A, 2, Failed); 14], failed("budget_spent"));
        story.at(30_000 + 100 * call).call("client 1", true, &[(A, 2, Refused); 40], failed("budget_spent"));
    }
    story.passes(Invariant::Calls);
}

/// A did not answer at 19 s, and does since 20 s; later calls go to B, or there.
fn ejected(later: &str) -> Story {
    let mut story = Story::fleet();
    let last = [(A, 1000, Unanswered), (B, 2, Answered)];
    story.at(18_500).serves("server 1", A, Answers::Badly).at(19_900).serves("server 1", A, Answers::Well);
    story.at(18_600).call("client 1", true, &last, Called::Answered { endpoint: B.into() });
    for call in 0..20 {
        story.at(35_000 + 500 * call).answered_call("client 1", if call == 10 { later } else { B });
    }
    story
}

#[test]
fn an_instance_that_was_ejected_never_comes_back() {
    ejected(A).passes(Invariant::Calls);
    ejected(B).fails(Invariant::Calls, "was not tried again", &[]);
    // It does not answer well after all.
    let mut story = ejected(B);
    story.at(50_000).serves("server 1", A, Answers::Badly);
    story.passes(Invariant::Calls);
    // An answer has brought it back before.
    let mut story = ejected(B);
    story.at(19_950).answered_call("client 1", A);
    story.passes(Invariant::Calls);
}
