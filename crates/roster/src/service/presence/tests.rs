use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn endpoint(host: u8) -> Endpoint {
    format!("192.0.2.{host}:80").parse().unwrap()
}

/// A presence, the endpoints that are declared for it, and those that ZooKeeper lists.
struct World {
    presence: Presence,
    now: Instant,
    ours: bool,
    declared: BTreeSet<Endpoint>,
    leaving: BTreeSet<Endpoint>,
}

impl World {
    fn new() -> Self {
        let (declared, leaving) = (BTreeSet::new(), BTreeSet::new());
        let mut world =
            Self { presence: Presence::default(), now: Instant::now(), ours: false, declared, leaving };
        world.apply(Input::Wanted(true));
        world.apply(Input::Linked(true));
        world
    }

    fn apply(&mut self, input: Input) -> Vec<Effect> {
        let ours = self.ours;
        let effects = self.presence.apply(input, self.now, |_| ours);
        for effect in &effects {
            match effect {
                Effect::Register(endpoint) => {
                    assert!(!self.leaving.contains(endpoint), "{endpoint}: its name is not free yet");
                    assert!(self.declared.insert(endpoint.clone()), "{endpoint} is declared already");
                }
                Effect::Deregister(endpoint) => {
                    assert!(self.declared.remove(endpoint), "{endpoint} is declared");
                    self.leaving.insert(endpoint.clone());
                }
            }
        }
        effects
    }

    /// Registered at the first address, and told of the second.
    fn moving(linked: bool) -> Self {
        let mut world = Self::new();
        world.apply(Input::Found(endpoint(1)));
        world.apply(Input::Registered(endpoint(1), true));
        world.apply(Input::Linked(linked));
        assert_eq!(world.apply(Input::Found(endpoint(2))), [Effect::Register(endpoint(2))]);
        world
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.apply(Input::Timer)
    }

    fn gone(&mut self, host: u8) -> Vec<Effect> {
        self.leaving.remove(&endpoint(host));
        self.apply(Input::Gone(endpoint(host)))
    }
}

#[test]
fn the_old_endpoint_goes_when_the_new_one_is_registered() {
    let mut world = World::moving(true);
    assert_eq!(world.presence.former().collect::<Vec<_>>(), [&endpoint(1)]);
    assert_eq!(world.apply(Input::Registered(endpoint(2), true)), [Effect::Deregister(endpoint(1))]);
    assert_eq!(world.gone(1), []);
    assert_eq!(world.presence.former().count(), 0);
}

#[test]
fn the_old_endpoint_goes_after_a_second_if_the_new_one_is_not_registered_and_the_address_is_not_ours() {
    let mut world = World::moving(true);
    assert_eq!(world.pass(FORMER_STAYS / 2), []);
    assert_eq!(world.pass(FORMER_STAYS / 2), [Effect::Deregister(endpoint(1))]);
}

#[test]
fn the_old_endpoint_stays_for_as_long_as_its_address_is_ours() {
    let mut world = World::moving(true);
    world.ours = true;
    for _ in 0..10 {
        assert_eq!(world.pass(FORMER_STAYS), []);
        assert!(
            world.presence.deadline().is_some_and(|deadline| deadline > world.now),
            "it is looked at again"
        );
    }
    world.ours = false;
    assert_eq!(world.pass(FORMER_STAYS), [Effect::Deregister(endpoint(1))]);
}

#[test]
fn the_second_of_the_old_endpoint_begins_with_the_link() {
    let mut world = World::moving(false);
    assert_eq!(world.presence.deadline(), None);
    assert_eq!(world.pass(100 * FORMER_STAYS), []);
    assert_eq!(world.apply(Input::Linked(true)), []);
    assert_eq!(world.pass(FORMER_STAYS / 2), []);
    assert_eq!(world.apply(Input::Linked(true)), [], "nothing new");
    assert_eq!(world.pass(FORMER_STAYS / 2), [Effect::Deregister(endpoint(1))]);
}

#[test]
fn an_address_that_comes_back_keeps_its_registration() {
    let mut world = World::moving(true);
    assert_eq!(world.apply(Input::Found(endpoint(1))), [Effect::Deregister(endpoint(2))]);
    assert_eq!(world.pass(10 * FORMER_STAYS), []);
}

#[test]
fn a_name_that_is_being_deregistered_is_registered_again_once_it_is_gone() {
    let mut world = World::moving(true);
    world.apply(Input::Registered(endpoint(2), true));
    assert_eq!(world.apply(Input::Found(endpoint(1))), [], "its deletion is under way");
    assert_eq!(world.gone(1), [Effect::Register(endpoint(1))]);
}

#[test]
fn a_registration_that_ends_by_itself_is_not_tried_again() {
    let mut world = World::new();
    world.apply(Input::Found(endpoint(1)));
    assert_eq!(world.gone(1), []);
    assert_eq!(world.pass(10 * FORMER_STAYS), []);
}

#[test]
fn what_is_not_wanted_is_deregistered_and_comes_back_when_it_is() {
    let mut world = World::moving(true);
    let effects = world.apply(Input::Wanted(false));
    assert_eq!(effects, [Effect::Deregister(endpoint(1)), Effect::Deregister(endpoint(2))]);
    assert_eq!(world.apply(Input::Wanted(true)), []);
    assert_eq!(world.gone(1), []);
    assert_eq!(world.gone(2), [Effect::Register(endpoint(2))]);
}

fn inputs() -> impl Strategy<Value = Vec<(Input, u64)>> {
    let host = || 1..4u8;
    let input = prop_oneof![
        host().prop_map(|host| Input::Found(endpoint(host))),
        any::<bool>().prop_map(Input::Wanted),
        any::<bool>().prop_map(Input::Linked),
        (host(), any::<bool>()).prop_map(|(host, registered)| Input::Registered(endpoint(host), registered)),
        host().prop_map(|host| Input::Gone(endpoint(host))),
        Just(Input::Timer),
    ];
    prop::collection::vec((input, 0..900u64), 0..40)
}

proptest! {
    /// Whatever happens: no name is declared twice or while it is not free (checked by `World`), and once the target is
    /// registered nothing else is declared.
    #[test]
    fn in_the_end_the_target_alone_is_declared(inputs in inputs(), ours in any::<bool>(), target in 1..4u8) {
        let mut world = World::new();
        world.ours = ours;
        for (input, wait) in inputs {
            world.now += Duration::from_millis(wait);
            match input {
                // Only what leaves is gone.
                Input::Gone(endpoint) if !world.leaving.remove(&endpoint) => continue,
                input => drop(world.apply(input)),
            }
        }
        world.apply(Input::Wanted(true));
        world.apply(Input::Found(endpoint(target)));
        for host in 1..4 {
            if world.leaving.contains(&endpoint(host)) {
                world.gone(host);
            }
        }
        world.apply(Input::Registered(endpoint(target), true));
        prop_assert_eq!(world.declared, BTreeSet::from([endpoint(target)]));
        prop_assert_eq!(world.presence.deadline(), None);
    }
}
