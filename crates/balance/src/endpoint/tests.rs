//! The tests stand apart from the files they test, because `tests/loom.rs` includes those.

mod in_flight;
mod latency;
mod outcomes;

use super::State;

#[test]
fn an_endpoint_shares_its_cache_line_with_no_other() {
    assert_eq!((size_of::<State>(), align_of::<State>()), (64, 64));
}

#[test]
fn nothing_is_known_of_a_new_endpoint() {
    let state = State::default();
    assert_eq!(state.in_flight.count(), 0);
    assert_eq!(state.outcomes.history().share, 0.0);
    assert!(!state.latency.is_known());
}
