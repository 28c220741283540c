use instance::Incarnation;

use super::*;

const OURS: SessionId = SessionId(7);
const OTHER: SessionId = SessionId(8);

fn owner(incarnation: u128) -> Owner {
    Owner::new(Incarnation::from_u128(incarnation))
        .with_host("a")
        .with_boot_id("b")
        .with_netns(1)
        .with_bound("127.0.0.1:80".parse().unwrap())
}

fn found(session: Option<SessionId>, owner: Option<Owner>, data_is_ours: bool) -> Found {
    let mut stat = Stat::default();
    stat.ephemeral_owner = session;
    Found { stat, owner, data_is_ours }
}

fn check(found: &Found, vouched: bool, registered_before: bool) -> Decision {
    let mut us = Claim::new(owner(1), vouched);
    us.created = Some(Zxid(5));
    us.registered_before = registered_before;
    decide(found, OURS, &us)
}

fn is_left_alone(decision: Decision) -> bool {
    matches!(decision, Decision::Leave(_))
}

#[test]
fn a_znode_of_our_session_is_kept_or_rewritten() {
    assert_eq!(check(&found(Some(OURS), Some(owner(1)), true), false, true), Decision::Keep);
    assert_eq!(check(&found(Some(OURS), Some(owner(1)), false), false, true), Decision::Rewrite);
    assert_eq!(check(&found(Some(OURS), None, false), false, true), Decision::Rewrite, "overwritten by hand");
}

#[test]
fn a_znode_of_another_registrar_in_our_session_is_left_alone() {
    assert!(is_left_alone(check(&found(Some(OURS), Some(owner(2)), false), true, false)));
}

#[test]
fn a_znode_that_we_created_is_rewritten_whatever_its_data_says() {
    let mut copied = found(Some(OURS), Some(owner(2)), false);
    copied.stat.czxid = Zxid(5);
    assert_eq!(check(&copied, false, true), Decision::Rewrite);
}

#[test]
fn a_znode_of_our_earlier_session_is_taken_over() {
    assert_eq!(check(&found(Some(OTHER), Some(owner(1)), true), false, true), Decision::TakeOver);
}

#[test]
fn a_predecessor_at_the_same_place_is_taken_over_once_and_only_if_vouched_for() {
    let predecessor = found(Some(OTHER), Some(owner(2)), false);
    assert_eq!(check(&predecessor, true, false), Decision::TakeOver);
    assert!(is_left_alone(check(&predecessor, false, false)), "not vouched for");
    assert!(is_left_alone(check(&predecessor, true, true)), "it took the name after us");
}

#[test]
fn a_znode_from_another_place_is_left_alone() {
    for stranger in [
        owner(2).with_host("x"),
        owner(2).with_boot_id("x"),
        owner(2).with_netns(2),
        owner(2).with_bound("127.0.0.1:81".parse().unwrap()),
        Owner::new(Incarnation::from_u128(2)),
    ] {
        assert!(
            is_left_alone(check(&found(Some(OTHER), Some(stranger.clone()), false), true, false)),
            "{stranger:?}"
        );
    }
    assert!(is_left_alone(check(&found(Some(OTHER), None, false), true, false)), "the data names no owner");
}

#[test]
fn a_persistent_znode_is_left_alone_even_with_our_incarnation() {
    assert!(is_left_alone(check(&found(None, Some(owner(1)), true), true, false)));
}
