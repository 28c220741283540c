//! Fewer servers and clients.

use super::Search;
use crate::plan::{Act, Plan, Who};

impl<C: PartialEq, F: FnMut(&Plan) -> Option<C>> Search<'_, C, F> {
    pub(super) fn fewer_actors(&mut self) {
        for n in (0..self.best.spec.clients.len()).rev() {
            self.attempt_with(|plan| without(plan, Who::Client(n as u8)));
        }
        for n in (0..self.best.spec.servers.len()).rev() {
            self.attempt_with(|plan| without(plan, Who::Server(n as u8)));
        }
    }
}

/// Takes somebody out of a plan, and what is done to it; the others move up.
fn without(plan: &mut Plan, gone: Who) {
    match gone {
        Who::Server(n) => drop(plan.spec.servers.remove(usize::from(n))),
        Who::Client(n) => drop(plan.spec.clients.remove(usize::from(n))),
    }
    let mut waited = 0;
    plan.steps.retain_mut(|step| {
        let stays = match whom(&mut step.act) {
            Some(Whom::Any(who)) => moved_up(who, gone),
            Some(Whom::Server(n)) => number_moved_up(n, Who::Server(*n), gone),
            Some(Whom::Client(n)) => number_moved_up(n, Who::Client(*n), gone),
            None => true,
        };
        waited += step.after_ms;
        if stays {
            step.after_ms = std::mem::take(&mut waited);
        }
        stays
    });
}

/// Says who somebody is now, and whether it is still there.
fn moved_up(who: &mut Who, gone: Who) -> bool {
    match (&mut *who, gone) {
        (Who::Server(n), Who::Server(gone)) | (Who::Client(n), Who::Client(gone)) if *n > gone => *n -= 1,
        _ => return *who != gone,
    }
    true
}

fn number_moved_up(n: &mut u8, mut who: Who, gone: Who) -> bool {
    let stays = moved_up(&mut who, gone);
    let (Who::Server(now) | Who::Client(now)) = who;
    *n = now;
    stays
}

enum Whom<'a> {
    Any(&'a mut Who),
    Server(&'a mut u8),
    Client(&'a mut u8),
}

/// Whom an act concerns, if it is one process.
fn whom(act: &mut Act) -> Option<Whom<'_>> {
    match act {
        Act::Cut(who)
        | Act::Isolate(who, _)
        | Act::Stall(who, _)
        | Act::Lose(who, _)
        | Act::LoseWrite(who, _)
        | Act::Expire(who)
        | Act::Swallow(who)
        | Act::Pause(who, _)
        | Act::ClockStep(who, _) => Some(Whom::Any(who)),
        Act::Kill(n)
        | Act::Start(n)
        | Act::Stop(n)
        | Act::Reweigh(n, _)
        | Act::Drain(n, _)
        | Act::Callee(n, ..)
        | Act::DeleteZnode(n)
        | Act::Overwrite(n)
        | Act::Rival(n, _) => Some(Whom::Server(n)),
        Act::Release(n) => Some(Whom::Client(n)),
        Act::Away(_)
        | Act::Older(..)
        | Act::Empty(_)
        | Act::ServerDown(..)
        | Act::Slow(..)
        | Act::Behind(..)
        | Act::Clamp(..)
        | Act::RefuseAuthentication(_)
        | Act::DenyCreate(_)
        | Act::DenyRead(_)
        | Act::DeleteAll
        | Act::DeleteRoot
        | Act::Foreign(_)
        | Act::Impostor(_)
        | Act::Crowd(..) => None,
    }
}
