//! Processes end, begin, stand still, and answer badly.

use super::super::scene::Scene;
use super::super::singles;
use crate::plan::{Act, Trouble, Who};

/// A server is killed, and its next process finds its znode.
pub(super) fn back_within_the_timeout(s: &mut Scene<'_>) {
    let server = s.server();
    s.act(Act::Kill(server));
    s.wait_of_timeout(2, 85);
    s.act(Act::Start(server));
}

/// A server is killed, and its next process finds nothing.
pub(super) fn back_after_the_timeout(s: &mut Scene<'_>) {
    let server = s.server();
    s.act(Act::Kill(server));
    s.wait_of_timeout(95, 160);
    s.act(Act::Start(server));
}

/// The transaction that takes a znode over is lost, or comes when the old session ends.
pub(super) fn take_over_under_losses(s: &mut Scene<'_>) {
    let server = s.server();
    s.act(Act::Kill(server));
    let just_before_its_end = s.dice.chance(40);
    if just_before_its_end {
        s.wait_of_timeout(90, 115)
    } else {
        s.wait_of_timeout(2, 40)
    }
    s.act(Act::Start(server));
    for _ in 0..s.dice.range(1, 2) {
        let loss = s.loss();
        s.act(Act::LoseWrite(Who::Server(server), loss));
        s.wait(0, 120);
    }
    if s.dice.chance(30) {
        s.act(Act::Expire(Who::Server(server)));
    }
    if s.dice.chance(20) {
        s.act(Act::Kill(server));
        s.wait(50, 500);
        s.act(Act::Start(server));
    }
}

/// One server after the other stops and starts.
pub(super) fn rolling_restart(s: &mut Scene<'_>) {
    for server in 0..s.servers().min(3) {
        s.act(Act::Stop(server));
        s.wait(500, 2_500);
        s.act(Act::Start(server));
        s.wait(100, 800);
    }
}

/// A server leaves, and its farewell meets a fault.
pub(super) fn leave_that_is_lost(s: &mut Scene<'_>) {
    let server = s.server();
    let loss = s.loss();
    s.act(Act::LoseWrite(Who::Server(server), loss));
    s.act(Act::Stop(server));
    s.wait(0, 300);
    let more = match s.dice.range(0, 4) {
        0 => Some(Act::Expire(Who::Server(server))),
        1 => Some(Act::Kill(server)),
        2 => Some(Act::Isolate(Who::Server(server), s.lasting())),
        _ => None,
    };
    if let Some(more) = more {
        s.act(more);
    }
    if s.dice.chance(70) {
        s.wait(200, 3_000);
        s.act(Act::Start(server));
    }
}

/// A server says that it is about to leave, and leaves, dies, or stays.
pub(super) fn drained(s: &mut Scene<'_>) {
    let server = s.server();
    s.act(Act::Drain(server, true));
    s.wait(50, 1_500);
    let end = match s.dice.range(0, 2) {
        0 => Act::Stop(server),
        1 => Act::Kill(server),
        _ => Act::Drain(server, false),
    };
    let stays = matches!(end, Act::Drain(..));
    s.act(end);
    if !stays && s.dice.chance(70) {
        s.wait(500, 3_000);
        s.act(Act::Start(server));
    }
}

/// A process stands still for so long that its session ends, while somebody else acts.
pub(super) fn stopped_for_long(s: &mut Scene<'_>) {
    let who = s.anybody();
    let lasting = s.of_timeout(60, 220);
    s.act(Act::Pause(who, lasting));
    s.wait(0, lasting);
    let meanwhile = match s.dice.range(0, 3) {
        0 => Act::Expire(who),
        1 => Act::DeleteZnode(s.server()),
        2 => Act::Kill(s.server()),
        _ => Act::Cut(who),
    };
    s.act(meanwhile);
    if s.dice.chance(40) {
        let step = singles::clock_step(s);
        s.act(step);
    }
}

/// Servers answer badly, and others are not there to help.
pub(super) fn bad_callees(s: &mut Scene<'_>) {
    for _ in 0..s.dice.range(2, 4) {
        let callee = singles::callee(s);
        s.act(callee);
        s.wait(0, 300);
    }
    if s.dice.chance(40) {
        let server = s.server();
        s.act(Act::Kill(server));
        if s.dice.chance(70) {
            s.wait_of_timeout(10, 120);
            s.act(Act::Start(server));
        }
    }
}

/// All servers but perhaps one answer badly, for longer than it takes to eject them.
pub(super) fn all_callees_bad(s: &mut Scene<'_>) {
    let trouble = s.dice.pick(&Trouble::ALL);
    let lasting = s.dice.range(1_500, 5_000);
    let spared = s.dice.chance(50).then(|| s.server());
    for server in (0..s.servers()).filter(|server| Some(*server) != spared) {
        s.act(Act::Callee(server, trouble, lasting));
    }
}

/// Most servers die at once; some come back.
pub(super) fn many_die(s: &mut Scene<'_>) {
    let dying: Vec<u8> = (0..s.servers()).filter(|_| s.dice.chance(75)).collect();
    for server in &dying {
        s.act(Act::Kill(*server));
        s.wait(0, 20);
    }
    s.wait_of_timeout(20, 140);
    if s.dice.chance(30) {
        let client = s.client();
        s.act(Act::Release(client));
    }
    for server in dying {
        if s.dice.chance(85) {
            s.act(Act::Start(server));
            s.wait(0, 300);
        }
    }
}
