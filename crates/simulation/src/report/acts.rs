//! Plans for people.

use std::fmt;

use crate::plan::{Act, Callee, Caller, Loss, Plan, ServerKind, Spec, Trouble};

/// A time in milliseconds, as people write it.
struct Ms(u64);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms < 1_000 => write!(f, "{ms} ms"),
            ms if ms % 1_000 == 0 => write!(f, "{} s", ms / 1_000),
            ms => write!(f, "{}.{:03} s", ms / 1_000, ms % 1_000),
        }
    }
}

/// Who there is, and a line for each step: when, and what is done.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.spec)?;
        let mut now = 0;
        for step in &self.steps {
            now += step.after_ms;
            writeln!(f, "{now:>8} ms  {}", step.act)?;
        }
        writeln!(f, "{now:>8} ms  everything is healed")
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match (self.old, self.refuses_recursive, self.event_zxids) {
            (true, ..) => "like ZooKeeper 3.4",
            (_, true, false) => "like ZooKeeper 3.8, refuses recursive watches",
            (_, true, true) => "like ZooKeeper 3.9, refuses recursive watches",
            (_, _, true) => "like ZooKeeper 3.9",
            _ => "like ZooKeeper 3.8",
        };
        writeln!(
            f,
            "  ZooKeeper: {} server(s), {version}; session timeout {}, tick {}",
            self.ensemble,
            Ms(self.session_timeout_ms),
            Ms(self.tick_ms)
        )?;
        let (least, most) = self.round_trip_ms;
        writeln!(
            f,
            "  round trips {least} to {most} ms, replies late by up to {}, followers by up to {}",
            Ms(self.reply_lag_ms),
            Ms(self.follower_lag_ms)
        )?;
        for (n, server) in self.servers.iter().enumerate() {
            writeln!(f, "  server {n}: {server}")?;
        }
        for (n, client) in self.clients.iter().enumerate() {
            writeln!(f, "  client {n}: {client}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ServerKind::Kept => "keeps itself registered",
            ServerKind::OnceEphemeral => "registers once, by an ephemeral znode",
            ServerKind::OncePersistent => "registers once, by a persistent znode",
        };
        let vouches = if self.vouches { ", vouches for its socket" } else { "" };
        let watch = if self.shares_watch { ", by a shared watch" } else { "" };
        write!(f, "{kind}, weight {}{vouches}{watch}", self.weight)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = if self.records { "records" } else { "names" };
        let repeats = if self.idempotent { "may be repeated" } else { "may not be repeated" };
        write!(f, "reads {reads}, strategy {}, calls {repeats}", self.strategy)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(who) => write!(f, "the connection of {who} breaks"),
            Self::Isolate(who, ms) => write!(f, "{who} is cut off from ZooKeeper for {}", Ms(*ms)),
            Self::Stall(who, ms) => write!(f, "nothing travels between {who} and ZooKeeper for {}", Ms(*ms)),
            Self::Lose(who, loss) => write!(f, "the next request of {who} {loss}"),
            Self::LoseWrite(who, loss) => write!(f, "the next write of {who} {loss}"),
            Self::Expire(who) => write!(f, "the session of {who} expires"),
            Self::Swallow(who) => write!(f, "{who} is not told its next event"),
            Self::Away(ms) => write!(f, "ZooKeeper is away for {}", Ms(*ms)),
            Self::Older(ms, before) => {
                write!(
                    f,
                    "ZooKeeper is away for {}, and comes back with the data of {} before",
                    Ms(*ms),
                    Ms(*before)
                )
            }
            Self::Empty(ms) => write!(f, "ZooKeeper is away for {}, and comes back empty", Ms(*ms)),
            Self::ServerDown(n, ms) => write!(f, "ZooKeeper server {n} is down for {}", Ms(*ms)),
            Self::Slow(by, ms) => write!(f, "everything takes {} more for {}", Ms(*by), Ms(*ms)),
            Self::Behind(n, by, ms) => {
                write!(f, "ZooKeeper server {n} is behind by {} for {}", Ms(*by), Ms(*ms))
            }
            Self::Clamp(to, ms) => write!(f, "session timeouts are at most {} for {}", Ms(*to), Ms(*ms)),
            Self::RefuseAuthentication(ms) => write!(f, "nobody can authenticate for {}", Ms(*ms)),
            Self::DenyCreate(ms) => write!(f, "nobody may create for {}", Ms(*ms)),
            Self::DenyRead(ms) => write!(f, "nobody may read for {}", Ms(*ms)),
            Self::Kill(n) => write!(f, "server {n} is killed"),
            Self::Start(n) => write!(f, "server {n} starts"),
            Self::Stop(n) => write!(f, "server {n} is told to stop"),
            Self::Pause(who, ms) => write!(f, "{who} stands still for {}", Ms(*ms)),
            Self::ClockStep(who, by) => write!(f, "the clock of {who} steps by {by} ms"),
            Self::Reweigh(n, weight) => write!(f, "server {n} changes its weight to {weight}"),
            Self::Drain(n, true) => write!(f, "server {n} says that it drains"),
            Self::Drain(n, false) => write!(f, "server {n} says that it does not drain"),
            Self::Callee(n, trouble, ms) => write!(f, "server {n} {trouble} for {}", Ms(*ms)),
            Self::DeleteZnode(n) => write!(f, "somebody deletes the znode of server {n}"),
            Self::DeleteAll => f.write_str("somebody deletes all znodes below the root"),
            Self::DeleteRoot => f.write_str("somebody deletes the root and all below it"),
            Self::Overwrite(n) => write!(f, "somebody overwrites the znode of server {n}"),
            Self::Rival(n, ms) => {
                write!(f, "a rival takes the name of server {n} for {} when it is free", Ms(*ms))
            }
            Self::Foreign(ms) => write!(f, "a child that is no instance is there for {}", Ms(*ms)),
            Self::Impostor(ms) => write!(f, "an instance at which nobody listens is there for {}", Ms(*ms)),
            Self::Crowd(many, ms) => write!(f, "{many} instances of others are there for {}", Ms(*ms)),
            Self::Release(n) => write!(f, "client {n} is told to believe what it holds"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutBefore => "breaks its connection before it is carried out",
            Self::CutAfter => "breaks its connection after it was carried out",
            Self::Reply => "loses its reply",
            Self::Ignored => "is ignored",
            Self::Busy => "is refused as ZooKeeper is busy",
            Self::Expire => "finds that its session has just expired",
            Self::Late => "is carried out late",
            Self::LateReply => "gets its reply late",
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuses => "refuses calls",
            Self::Hangs => "answers nobody",
            Self::Late => "answers too late",
            Self::Half => "answers by half",
            Self::Overloaded => "answers that it is overloaded",
        })
    }
}
