//! Others change what is there.

use super::super::scene::Scene;
use crate::plan::{Act, Loss, Who};

/// A server loses its session while it cannot say so, and a rival takes its name.
pub(super) fn rival_of_the_isolated(s: &mut Scene<'_>) {
    let server = s.server();
    let isolated = s.of_timeout(110, 180);
    s.act(Act::Isolate(Who::Server(server), isolated));
    s.wait(0, 500);
    let held = s.of_timeout(100, 260);
    s.act(Act::Rival(server, held));
    if s.dice.chance(40) {
        s.wait(0, isolated);
        let weight = s.weight();
        s.act(Act::Reweigh(server, weight));
    }
}

/// A rival takes the name of a server that is dead, or waits for it.
pub(super) fn rival_of_the_dead(s: &mut Scene<'_>) {
    let server = s.server();
    let end = if s.dice.chance(60) { Act::Kill(server) } else { Act::Stop(server) };
    s.act(end);
    let held = s.lasting();
    s.act(Act::Rival(server, held));
    s.wait_of_timeout(10, 150);
    s.act(Act::Start(server));
    if s.dice.chance(30) {
        s.wait(0, 300);
        s.act(Act::Stop(server));
    }
}

/// All znodes go at once, and are missed, held, or believed.
pub(super) fn all_deleted(s: &mut Scene<'_>) {
    if s.dice.chance(50) {
        let server = s.server();
        let loss = s.loss();
        s.act(Act::LoseWrite(Who::Server(server), loss));
    }
    if s.dice.chance(40) {
        let lasting = s.lasting();
        s.act(Act::DenyCreate(lasting));
    }
    s.act(Act::DeleteAll);
    s.wait(0, 400);
    let next = match s.dice.range(0, 3) {
        0 => Act::Release(s.client()),
        1 => Act::Kill(s.server()),
        2 => Act::Cut(s.anybody()),
        _ => Act::DeleteAll,
    };
    s.act(next);
}

/// The root goes, while somebody creates it again or waits for it.
pub(super) fn root_deleted(s: &mut Scene<'_>) {
    let server = s.server();
    if s.dice.chance(60) {
        let loss = s.dice.pick(&[Loss::Reply, Loss::CutAfter, Loss::CutBefore, Loss::Late, Loss::Expire]);
        s.act(Act::LoseWrite(Who::Server(server), loss));
    }
    s.act(Act::DeleteRoot);
    s.wait(0, 60);
    if s.dice.chance(40) {
        s.act(Act::DeleteRoot);
    }
    let client = Who::Client(s.client());
    let next = if s.dice.chance(50) { Act::Swallow(client) } else { Act::Cut(client) };
    s.act(next);
}

/// Many instances of others come and go at once.
pub(super) fn crowd_that_goes(s: &mut Scene<'_>) {
    let (many, lasting) = (s.dice.range(3, 12) as u8, s.dice.range(300, 4_000));
    s.act(Act::Crowd(many, lasting));
    s.wait(0, lasting);
    let client = s.client();
    let next = match s.dice.range(0, 3) {
        0 => Act::Release(client),
        1 => Act::Cut(Who::Client(client)),
        2 => Act::Isolate(Who::Client(client), s.lasting()),
        _ => Act::Swallow(Who::Client(client)),
    };
    s.act(next);
}

/// A mass disappearance that is held, until somebody believes it.
pub(super) fn held_and_released(s: &mut Scene<'_>) {
    let (many, lasting) = (s.dice.range(7, 12) as u8, s.dice.range(300, 1_500));
    s.act(Act::Crowd(many, lasting));
    s.wait(lasting + 100, lasting + 900);
    for client in 0..s.clients() {
        s.act(Act::Release(client));
    }
}

/// Records of others, beside changes of ours.
pub(super) fn strangers(s: &mut Scene<'_>) {
    for _ in 0..s.dice.range(1, 3) {
        let lasting = s.lasting();
        let stranger = if s.dice.chance(50) { Act::Foreign(lasting) } else { Act::Impostor(lasting) };
        s.act(stranger);
        s.wait(0, 300);
    }
    let (server, weight) = (s.server(), s.weight());
    s.act(Act::Reweigh(server, weight));
}

/// Somebody writes into a znode that is ours, which is about to be written, or to go.
pub(super) fn overwritten(s: &mut Scene<'_>) {
    let server = s.server();
    s.act(Act::Overwrite(server));
    s.wait(0, 30);
    let next = match s.dice.range(0, 4) {
        0 => Act::Stop(server),
        1 => Act::Cut(Who::Server(server)),
        2 => Act::Drain(server, true),
        3 => Act::Overwrite(server),
        _ => Act::Reweigh(server, s.weight()),
    };
    s.act(next);
}
