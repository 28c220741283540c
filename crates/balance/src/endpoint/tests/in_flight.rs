use crate::endpoint::InFlight;

#[test]
fn calls_are_counted_while_they_are_in_flight() {
    let calls = InFlight::default();
    calls.begin();
    calls.begin();
    assert_eq!(calls.count(), 2);
    calls.end();
    assert_eq!(calls.count(), 1);
}

#[test]
fn a_call_above_the_limit_is_refused_until_another_one_ends() {
    let calls = InFlight::default();
    assert!(!calls.try_begin(0));
    assert!(calls.try_begin(2) && calls.try_begin(2));
    assert!(!calls.try_begin(2));
    assert_eq!(calls.count(), 2, "what was refused is not counted");
    calls.end();
    assert!(calls.try_begin(2));
}

#[test]
fn calls_without_a_limit_leave_no_room_for_those_with_one() {
    let calls = InFlight::default();
    for _ in 0..3 {
        calls.begin();
    }
    assert!(!calls.try_begin(2));
    assert!(calls.try_begin(4));
}
