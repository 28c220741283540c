//! Random runs of a machine and the model of what surrounds it.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::model::World;
use super::*;

/// A good time: everything arrives, and waits end.
fn settle(world: &mut World, rounds: u32) {
    world.prepare();
    for _ in 0..rounds {
        for _ in 0..30 {
            world.count();
            world.tell_counts();
            world.permit();
            world.carry_out();
            world.deliver();
        }
        world.timer();
    }
}

/// Something happens.
fn happens(world: &mut World, rng: &mut SmallRng, leaves: bool) {
    match rng.random_range(0..44) {
        0..6 => world.carry_out(),
        6..12 => world.deliver(),
        12..16 => world.count(),
        16..21 => world.tell_counts(),
        21..26 => world.permit(),
        26 => world.timer(),
        27 => world.feed(Input::Timer),
        28 => world.link(),
        29 | 30 => world.prepare(),
        31 | 32 if !leaves => {
            let text = ["a", "b", "c"][rng.random_range(0..3)];
            world.wish = record(text);
            world.feed(present(text));
        }
        33 => world.disconnect(rng),
        34 => world.lose_watch(rng.random_bool(0.5).then(|| trouble(TroubleKind::Denied))),
        35 => world.carry_out_silently(),
        36 => world.refuse(),
        37 => world.delete(),
        38 => world.overwrite(),
        39 => world.rival(),
        40 => world.expire_earlier(),
        _ => {}
    }
}

/// The status is true whenever nothing is on its way, no request changes the znode of another owner, and in the end the znode
/// is as wished.
#[test]
fn whatever_happens_the_status_is_true_and_no_other_owner_is_hurt() {
    for seed in 0..4_000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut world = World::new(seed % 2 == 0);
        let leaves_at = rng.random_range(50..400);
        for step in 0..300 {
            if step == leaves_at {
                world.feed(leave());
            }
            world.bench.moment.now += Duration::from_millis(rng.random_range(0..20));
            happens(&mut world, &mut rng, step >= leaves_at);
            if let RegistrationStatus::Registered { czxid, .. } = world.status
                && world.end.is_none()
                && world.is_at_rest()
            {
                let real = world.znode.as_ref().map(|znode| znode.stat.czxid);
                assert_eq!(real, Some(czxid), "seed {seed}: {:#?}", world.log);
            }
        }
        settle(&mut world, 40);
        world.expire_earlier();
        settle(&mut world, 10);
        if leaves_at >= 300 {
            assert!(world.is_as_wished(), "seed {seed}: {:#?}", world.log);
            world.feed(leave());
            settle(&mut world, 5);
        }
        assert_eq!(world.end, Some(RegistrationStatus::Deregistered), "seed {seed}: {:#?}", world.log);
        let is_ours = world.znode.is_some_and(|znode| !znode.is_rivals);
        assert!(!is_ours, "seed {seed}: {:#?}", world.log);
    }
}
