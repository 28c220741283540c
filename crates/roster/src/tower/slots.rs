//! Which endpoint has which connection: decides without connecting, waiting or a clock.

use std::collections::BTreeMap;

use instance::Endpoint;

/// The connections of all endpoints. `S` is a connection, `P` one that is being made.
#[derive(Debug)]
pub(super) struct Slots<S, P> {
    slots: BTreeMap<Endpoint, Slot<S, P>>,
    next: u64,
}

#[derive(Debug)]
struct Slot<S, P> {
    /// The process that the connection goes to, if that is known.
    incarnation: Option<u128>,
    id: u64,
    state: State<S, P>,
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum State<S, P> {
    Connecting(P),
    Connected(S),
}

impl<S, P> Slots<S, P> {
    pub(super) fn new() -> Self {
        Self { slots: BTreeMap::new(), next: 0 }
    }

    /// The connection to a process, and its number. One to an earlier process at this endpoint is none.
    pub(super) fn get(&self, endpoint: &Endpoint, incarnation: Option<u128>) -> Option<(u64, &State<S, P>)> {
        let slot = self.slots.get(endpoint).filter(|slot| slot.incarnation == incarnation)?;
        Some((slot.id, &slot.state))
    }

    /// A number for a connection that is not kept.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Keeps a connection that is being made, in the place of whatever the endpoint had: that is returned, to be dropped.
    pub(super) fn connecting(
        &mut self,
        endpoint: &Endpoint,
        incarnation: Option<u128>,
        made: P,
    ) -> (u64, Option<State<S, P>>) {
        let id = self.number();
        let slot = Slot { incarnation, id, state: State::Connecting(made) };
        (id, self.slots.insert(endpoint.clone(), slot).map(|slot| slot.state))
    }

    /// A connection has been made. It is kept if it is still wanted.
    pub(super) fn connected(&mut self, endpoint: &Endpoint, id: u64, connection: S) -> Option<State<S, P>> {
        match self.slots.get_mut(endpoint) {
            Some(slot) if slot.id == id && matches!(slot.state, State::Connecting(_)) => {
                Some(std::mem::replace(&mut slot.state, State::Connected(connection)))
            }
            _ => Some(State::Connected(connection)),
        }
    }

    /// A connection has broken, or could not be made.
    pub(super) fn discard(&mut self, endpoint: &Endpoint, id: u64) -> Option<State<S, P>> {
        self.slots.get(endpoint).filter(|slot| slot.id == id)?;
        self.slots.remove(endpoint).map(|slot| slot.state)
    }

    /// Keeps the connections to the processes for which `is_listed` says so; returns the others, to be dropped.
    pub(super) fn retain(
        &mut self,
        mut is_listed: impl FnMut(&Endpoint, Option<u128>) -> bool,
    ) -> Vec<State<S, P>> {
        let gone = self.slots.extract_if(.., |endpoint, slot| !is_listed(endpoint, slot.incarnation));
        gone.map(|(_, slot)| slot.state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        format!("10.0.0.1:{port}").parse().unwrap()
    }

    fn connection<'a>(slots: &'a Slots<&str, ()>, port: u16, incarnation: Option<u128>) -> Option<&'a str> {
        match slots.get(&endpoint(port), incarnation)?.1 {
            State::Connected(connection) => Some(connection),
            State::Connecting(()) => None,
        }
    }

    #[test]
    fn a_connection_belongs_to_one_process() {
        let mut slots = Slots::new();
        let (old, _) = slots.connecting(&endpoint(1), Some(7), ());
        slots.connected(&endpoint(1), old, "old");
        assert_eq!(connection(&slots, 1, Some(7)), Some("old"));
        assert_eq!(connection(&slots, 1, Some(8)), None, "another process");
        let (new, replaced) = slots.connecting(&endpoint(1), Some(8), ());
        assert!(matches!(replaced, Some(State::Connected("old"))));
        slots.connected(&endpoint(1), new, "new");
        assert!(
            slots.discard(&endpoint(1), old).is_none(),
            "what breaks late is not the connection of today"
        );
        assert_eq!(connection(&slots, 1, Some(8)), Some("new"));
    }

    #[test]
    fn what_was_made_too_late_is_not_kept() {
        let mut slots = Slots::new();
        let (first, _) = slots.connecting(&endpoint(1), None, ());
        assert_eq!(slots.retain(|_, _| false).len(), 1);
        assert!(matches!(slots.connected(&endpoint(1), first, "late"), Some(State::Connected("late"))));
        assert!(slots.get(&endpoint(1), None).is_none());
        let (second, _) = slots.connecting(&endpoint(1), None, ());
        slots.connected(&endpoint(1), first, "late");
        assert_eq!(connection(&slots, 1, None), None, "still being made");
        slots.connected(&endpoint(1), second, "in time");
        assert_eq!(connection(&slots, 1, None), Some("in time"));
    }

    #[test]
    fn what_is_not_listed_goes() {
        let mut slots = Slots::new();
        for port in 1..=3 {
            let (id, _) = slots.connecting(&endpoint(port), Some(u128::from(port)), ());
            slots.connected(&endpoint(port), id, "up");
        }
        let gone = slots.retain(|endpoint, incarnation| endpoint.port() != 1 && incarnation != Some(2));
        assert_eq!(gone.len(), 2);
        assert_eq!(connection(&slots, 3, Some(3)), Some("up"));
        assert_eq!(connection(&slots, 1, Some(1)), None);
    }
}
