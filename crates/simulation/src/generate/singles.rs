//! Faults that need no company.

use super::scene::Scene;
use crate::plan::{Act, Trouble, Who};

type Make = fn(&mut Scene<'_>) -> Act;

const SINGLES: &[(u64, Make)] = &[
    // To links.
    (5, |s| Act::Cut(s.anybody())),
    (4, |s| Act::Isolate(s.anybody(), s.lasting())),
    (3, |s| Act::Stall(s.anybody(), s.lasting())),
    (5, |s| Act::Lose(s.anybody(), s.loss())),
    (3, |s| Act::LoseWrite(Who::Server(s.server()), s.loss())),
    (4, |s| Act::Expire(s.anybody())),
    (3, |s| Act::Swallow(s.anybody())),
    // To the ensemble.
    (2, |s| Act::Away(s.lasting())),
    (1, |s| older(s)),
    (1, |s| Act::Empty(replaced(s))),
    (2, |s| Act::ServerDown(s.zookeeper(), s.lasting())),
    (2, |s| Act::Slow(s.dice.range(20, s.spec.session_timeout_ms / 4), s.lasting())),
    (2, |s| Act::Behind(s.zookeeper(), s.dice.range(100, 1_500), s.lasting())),
    // To processes.
    (3, |s| Act::Kill(s.server())),
    (6, |s| s.dead_server().map_or_else(|| Act::Pause(s.anybody(), s.lasting()), Act::Start)),
    (3, |s| Act::Stop(s.server())),
    (4, |s| Act::Pause(s.anybody(), s.lasting())),
    (2, clock_step),
    (4, |s| Act::Reweigh(s.server(), s.weight())),
    (3, |s| Act::Drain(s.server(), s.dice.chance(50))),
    (7, callee),
    // By others.
    (4, |s| Act::DeleteZnode(s.server())),
    (1, |_| Act::DeleteAll),
    (1, |_| Act::DeleteRoot),
    (3, |s| Act::Overwrite(s.server())),
    (2, |s| Act::Rival(s.server(), s.lasting())),
    (2, |s| Act::Foreign(s.lasting())),
    (2, |s| Act::Impostor(s.lasting())),
    (1, |s| Act::Crowd(s.dice.range(2, 12) as u8, s.lasting())),
    (1, |s| Act::Release(s.client())),
];

/// Any of them.
pub(super) fn any(scene: &mut Scene<'_>) -> Act {
    scene.dice.weighted(SINGLES)(scene)
}

/// ZooKeeper comes back with older data.
pub(super) fn older(scene: &mut Scene<'_>) -> Act {
    Act::Older(replaced(scene), scene.dice.range(200, 6_000))
}

/// How long ZooKeeper is away while its data are replaced: more than a second, which the root watch counts on.
pub(super) fn replaced(scene: &mut Scene<'_>) -> u64 {
    scene.of_timeout(5, 130).max(1_200)
}

/// A server fares badly as a callee.
pub(super) fn callee(scene: &mut Scene<'_>) -> Act {
    Act::Callee(scene.server(), scene.dice.pick(&Trouble::ALL), scene.dice.range(300, 4_000))
}

/// A wall clock steps.
pub(super) fn clock_step(scene: &mut Scene<'_>) -> Act {
    let by = scene.dice.pick(&[1_000, 60_000, 3_600_000, 86_400_000]);
    Act::ClockStep(scene.anybody(), if scene.dice.chance(50) { by } else { -by })
}
