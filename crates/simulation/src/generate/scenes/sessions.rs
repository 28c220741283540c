//! Requests that are lost, and sessions that end.

use super::super::scene::Scene;
use crate::plan::{Act, Loss, Who};

/// The reply of a create is lost, and before it can be looked for the session is gone as well.
pub(super) fn lost_reply_and_expiry(s: &mut Scene<'_>) {
    let server = s.server();
    let loss = s.dice.pick(&[Loss::Reply, Loss::CutAfter, Loss::LateReply]);
    s.act(Act::LoseWrite(Who::Server(server), loss));
    s.act(Act::DeleteZnode(server));
    s.wait(0, 250);
    s.act(Act::Expire(Who::Server(server)));
    if s.dice.chance(50) {
        let again = s.loss();
        s.act(Act::LoseWrite(Who::Server(server), again));
    }
}

/// Sessions end faster than their owners come back.
pub(super) fn expired_again_and_again(s: &mut Scene<'_>) {
    let who = s.anybody();
    for _ in 0..s.dice.range(3, 5) {
        s.act(Act::Expire(who));
        s.wait(5, 400);
    }
}

/// What somebody does to recover is lost, too.
pub(super) fn losses_while_coming_back(s: &mut Scene<'_>) {
    let who = s.anybody();
    let begin = if s.dice.chance(50) { Act::Cut(who) } else { Act::Expire(who) };
    s.act(begin);
    for _ in 0..s.dice.range(2, 4) {
        s.wait(0, 60);
        let loss = s.loss();
        s.act(Act::Lose(who, loss));
    }
}

/// The znode goes, or changes hands, while an update of it is under way.
pub(super) fn update_and_deletion(s: &mut Scene<'_>) {
    let server = s.server();
    let loss = s.dice.pick(&[Loss::Late, Loss::LateReply, Loss::CutAfter, Loss::CutBefore, Loss::Busy]);
    s.act(Act::LoseWrite(Who::Server(server), loss));
    let weight = s.weight();
    s.act(Act::Reweigh(server, weight));
    s.wait(0, 20);
    let end = if s.dice.chance(70) { Act::DeleteZnode(server) } else { Act::Expire(Who::Server(server)) };
    s.act(end);
    if s.dice.chance(40) {
        let weight = s.weight();
        s.act(Act::Reweigh(server, weight));
    }
}

/// A client is told nothing, or is not there, while others change what it follows.
pub(super) fn missed_by_a_client(s: &mut Scene<'_>) {
    let client = Who::Client(s.client());
    let missing = match s.dice.range(0, 3) {
        0 => Act::Swallow(client),
        1 => Act::Isolate(client, s.lasting()),
        2 => Act::Stall(client, s.lasting()),
        _ => Act::Cut(client),
    };
    s.act(missing);
    for _ in 0..s.dice.range(1, 3) {
        s.wait(0, 30);
        let server = s.server();
        let change = match s.dice.range(0, 3) {
            0 => Act::Expire(Who::Server(server)),
            1 => Act::Reweigh(server, s.weight()),
            2 => Act::Kill(server),
            _ => Act::DeleteZnode(server),
        };
        s.act(change);
    }
    if s.dice.chance(50) {
        let loss = s.loss();
        s.act(Act::Lose(client, loss));
    }
    if let (Some(dead), true) = (s.dead_server(), s.dice.chance(80)) {
        s.wait_of_timeout(10, 80);
        s.act(Act::Start(dead));
    }
}

/// A client misses a single change, and is back before anything else tells it.
pub(super) fn one_change_missed(s: &mut Scene<'_>) {
    let client = Who::Client(s.client());
    let away = s.dice.range(30, 400);
    s.act(Act::Isolate(client, away));
    s.wait(5, away / 2);
    let server = s.server();
    let lasting = s.of_timeout(100, 200);
    let change = match (s.dice.range(0, 3), s.dead_server()) {
        (0, _) => Act::Foreign(lasting),
        (1, _) => Act::Impostor(lasting),
        (2, Some(dead)) => Act::Start(dead),
        _ => Act::Stop(server),
    };
    s.act(change);
    if s.dice.chance(30) {
        s.wait(away / 2, away * 2);
        s.act(Act::Cut(client));
    }
}

/// Everybody loses the ensemble in one moment, and comes back in one moment.
pub(super) fn all_cut_off(s: &mut Scene<'_>) {
    let lasting = s.lasting();
    let sessions_go = s.dice.chance(40);
    let everybody = (0..s.servers()).map(Who::Server).chain((0..s.clients()).map(Who::Client));
    for who in everybody.collect::<Vec<_>>() {
        s.act(if sessions_go { Act::Expire(who) } else { Act::Isolate(who, lasting) });
    }
}

/// New sessions are granted less than they ask for.
pub(super) fn clamped(s: &mut Scene<'_>) {
    let least = 2 * s.spec.tick_ms;
    let most = s.dice.range(least, (s.spec.session_timeout_ms * 8 / 10).max(least));
    let lasting = s.lasting().max(1_500);
    s.act(Act::Clamp(most, lasting));
    for _ in 0..s.dice.range(1, 3) {
        s.wait(0, 200);
        let who = s.anybody();
        let again = if s.dice.chance(60) { Act::Expire(who) } else { Act::Cut(who) };
        s.act(again);
    }
    s.wait(0, most);
    let who = s.anybody();
    let lasting = s.lasting();
    s.act(Act::Stall(who, lasting));
}
