//! ZooKeeper fares badly.

use super::super::scene::Scene;
use super::super::singles;
use crate::plan::{Act, Who};

/// Servers die while nobody can tell, and their znodes are there when ZooKeeper is back.
pub(super) fn death_during_an_outage(s: &mut Scene<'_>) {
    let lasting = s.lasting();
    s.act(Act::Away(lasting));
    s.wait(0, lasting / 2);
    let server = s.server();
    let death = if s.dice.chance(60) { Act::Kill(server) } else { Act::Stop(server) };
    s.act(death);
    if s.dice.chance(70) {
        s.wait(50, lasting);
        s.act(Act::Start(server));
    }
    if s.dice.chance(30) {
        let who = s.anybody();
        s.act(Act::Expire(who));
    }
}

/// A server leaves, and ZooKeeper forgets that.
pub(super) fn older_than_a_leave(s: &mut Scene<'_>) {
    let server = s.server();
    let end = if s.dice.chance(70) { Act::Stop(server) } else { Act::Kill(server) };
    s.act(end);
    s.wait(100, 2_500);
    let older = singles::older(s);
    s.act(older);
    if s.dice.chance(60) {
        s.wait_of_timeout(10, 150);
        s.act(Act::Start(server));
    }
}

/// A server comes, and ZooKeeper forgets that.
pub(super) fn older_than_a_join(s: &mut Scene<'_>) {
    if let Some(dead) = s.dead_server() {
        s.act(Act::Start(dead));
    } else {
        let who = Who::Server(s.server());
        s.act(Act::Expire(who));
    }
    s.wait(100, 2_500);
    let older = singles::older(s);
    s.act(older);
}

/// An update, a deletion and a new connection meet older data.
pub(super) fn older_than_what_is_under_way(s: &mut Scene<'_>) {
    let server = s.server();
    let weight = s.weight();
    s.act(Act::Reweigh(server, weight));
    s.wait(0, 50);
    let older = singles::older(s);
    s.act(older);
    s.wait(0, 300);
    let weight = s.weight();
    s.act(Act::Reweigh(server, weight));
    if s.dice.chance(40) {
        s.act(Act::DeleteZnode(server));
    }
    if s.dice.chance(40) {
        let (client, lasting) = (s.client(), s.lasting());
        s.act(Act::Pause(Who::Client(client), lasting));
    }
}

/// ZooKeeper comes back empty, and somebody else does not come back.
pub(super) fn emptied(s: &mut Scene<'_>) {
    if s.dice.chance(50) {
        let server = s.server();
        s.act(Act::Kill(server));
    }
    let away = singles::replaced(s);
    s.act(Act::Empty(away));
    if s.dice.chance(40) {
        s.wait(0, away);
        let (who, loss) = (s.anybody(), s.loss());
        s.act(Act::Lose(who, loss));
    }
}

/// ZooKeeper servers die: one after the other, or more than the quorum can spare.
pub(super) fn servers_down(s: &mut Scene<'_>) {
    let first = s.zookeeper();
    let lasting = s.lasting();
    s.act(Act::ServerDown(first, lasting));
    if s.dice.chance(60) {
        s.wait(0, 1_500);
        let second = s.zookeeper();
        let lasting = s.lasting();
        s.act(Act::ServerDown(second, lasting));
    }
    let server = s.server();
    let weight = s.weight();
    s.act(Act::Reweigh(server, weight));
}

/// Somebody reads from a ZooKeeper server that is behind, and then from one that is not, or the other way round.
pub(super) fn behind(s: &mut Scene<'_>) {
    let zookeeper = s.zookeeper();
    let (lag, lasting) = (s.dice.range(100, 2_000), s.of_timeout(50, 160));
    s.act(Act::Behind(zookeeper, lag, lasting));
    for _ in 0..s.dice.range(2, 4) {
        let who = s.anybody();
        let act = match s.dice.range(0, 3) {
            0 => Act::Cut(who),
            1 => Act::Expire(who),
            2 => Act::DeleteZnode(s.server()),
            _ => Act::Reweigh(s.server(), s.weight()),
        };
        s.act(act);
        s.wait(0, lag);
    }
}

/// ZooKeeper is slow, and connections break on top of it.
pub(super) fn slow(s: &mut Scene<'_>) {
    let more = s.dice.range(20, s.spec.session_timeout_ms / 4);
    let lasting = s.lasting();
    s.act(Act::Slow(more, lasting));
    s.wait(0, 300);
    let who = s.anybody();
    s.act(Act::Cut(who));
    if s.dice.chance(60) {
        let server = s.server();
        s.act(Act::DeleteZnode(server));
    }
}

/// Somebody connects while nobody can authenticate.
pub(super) fn no_authentication(s: &mut Scene<'_>) {
    let lasting = s.lasting();
    s.act(Act::RefuseAuthentication(lasting));
    for _ in 0..s.dice.range(1, 3) {
        s.wait(0, 100);
        let who = s.anybody();
        let again = if s.dice.chance(60) { Act::Cut(who) } else { Act::Expire(who) };
        s.act(again);
    }
    if let (Some(dead), true) = (s.dead_server(), s.dice.chance(50)) {
        s.act(Act::Start(dead));
    }
}

/// Somebody has to create what it may not create.
pub(super) fn no_creation(s: &mut Scene<'_>) {
    let lasting = s.lasting();
    s.act(Act::DenyCreate(lasting));
    s.wait(0, 100);
    let server = s.server();
    let need = if s.dice.chance(50) { Act::DeleteZnode(server) } else { Act::Expire(Who::Server(server)) };
    s.act(need);
    if s.dice.chance(40) {
        let weight = s.weight();
        s.wait(0, lasting);
        s.act(Act::Reweigh(server, weight));
    }
}

/// A client has to read what it may not read.
pub(super) fn no_reading(s: &mut Scene<'_>) {
    let lasting = s.lasting();
    s.act(Act::DenyRead(lasting));
    s.wait(0, 100);
    let client = Who::Client(s.client());
    let need = if s.dice.chance(50) { Act::Cut(client) } else { Act::Expire(client) };
    s.act(need);
    s.wait(0, lasting);
    let server = s.server();
    let change = if s.dice.chance(50) { Act::DeleteZnode(server) } else { Act::Kill(server) };
    s.act(change);
}
