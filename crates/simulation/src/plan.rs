//! What happens in a run.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run: who there is, and what is done to them. The same plan gives the same history, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Every delay and every choice that is not a step follows from it.
    pub seed: u64,
    /// Who there is.
    pub spec: Spec,
    /// What is done to them, in order. Afterwards everything is healed.
    pub steps: Vec<Step>,
}

/// Who there is, and how they are configured. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The servers at the start; each is one process with one instance, `127.0.0.1:8001` and so on.
    pub servers: Vec<Callee>,
    /// The clients, each one process.
    pub clients: Vec<Caller>,
    /// How many ZooKeeper servers there are: 1, or a leader and followers.
    pub ensemble: u8,
    /// Whether it behaves as ZooKeeper 3.4: no recursive watches, no multi-reads.
    pub old: bool,
    /// Whether it knows recursive watches and refuses them.
    pub refuses_recursive: bool,
    /// Whether events say which transaction they belong to, as from ZooKeeper 3.9 on.
    pub event_zxids: bool,
    /// The tick.
    pub tick_ms: u64,
    /// The session timeout that everybody requests.
    pub session_timeout_ms: u64,
    /// The shortest and the longest round trip.
    pub round_trip_ms: (u64, u64),
    /// The longest time for which a reply lies at its client while events overtake it.
    pub reply_lag_ms: u64,
    /// The longest time by which a follower is behind its leader.
    pub follower_lag_ms: u64,
}

/// How a server is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callee {
    /// What it is.
    pub kind: ServerKind,
    /// Whether it vouches for its listening socket, and so may take over at once what its predecessor left.
    pub vouches: bool,
    /// Its weight.
    pub weight: u32,
    /// Whether one recursive watch serves its registrations, as it does where a process has hundreds of them.
    #[serde(default)]
    pub shares_watch: bool,
}

/// What a server is: ours, or one that shows that the oracle sees what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerKind {
    /// Keeps itself registered.
    Kept,
    /// Creates an ephemeral znode at its start, and does nothing more.
    OnceEphemeral,
    /// Creates a persistent znode at its start, and does nothing more.
    OncePersistent,
}

/// How a client is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Whether it reads records, or only names.
    pub records: bool,
    /// The name of its strategy: `random`, `round-robin` and so on.
    pub strategy: u8,
    /// Whether its calls may be repeated whatever came of them.
    pub idempotent: bool,
}

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How long after the step before.
    pub after_ms: u64,
    /// What.
    pub act: Act,
}

/// A process of the fleet, by its place in the [`Spec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A server.
    Server(u8),
    /// A client.
    Client(u8),
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection breaks before it is carried out.
    CutBefore,
    /// The connection breaks after it was carried out.
    CutAfter,
    /// It is carried out, and neither its reply nor anything behind it comes, until the connection is given up.
    Reply,
    /// It is not carried out, nor is anything behind it, until the connection is given up.
    Ignored,
    /// ZooKeeper refuses it: it is overloaded.
    Busy,
    /// The session expires before it is carried out.
    Expire,
    /// It is carried out late, and so is everything behind it.
    Late,
    /// It is carried out in time, and its reply comes late, and so does everything behind it.
    LateReply,
}

/// How a callee fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Refuses connections.
    Refuses,
    /// Takes calls, and never answers.
    Hangs,
    /// Answers after more than the time of an attempt.
    Late,
    /// Answers by half, and breaks the connection.
    Half,
    /// Answers that it is overloaded.
    Overloaded,
}

/// What is done. What lasts is over `for_ms` later, or when everything is healed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    // === To links ===
    /// The connection of a process breaks.
    Cut(Who),
    /// The connection of a process breaks, and it cannot connect for a while.
    Isolate(Who, u64),
    /// Nothing travels between a process and ZooKeeper for a while, and no connection breaks.
    Stall(Who, u64),
    /// Something happens to the next request of a process.
    Lose(Who, Loss),
    /// Something happens to the next request of a process that changes something.
    LoseWrite(Who, Loss),
    /// The session of a process expires.
    Expire(Who),
    /// The next event that a process is to be told is lost: watches break such promises, see ZOOKEEPER-2169 and D1.
    Swallow(Who),

    // === To the ensemble ===
    /// ZooKeeper is away for a while, and comes back as it was.
    Away(u64),
    /// ZooKeeper is away for a while, and comes back with the data of so many milliseconds before.
    Older(u64, u64),
    /// ZooKeeper is away for a while, and comes back empty.
    Empty(u64),
    /// A ZooKeeper server dies; its clients connect to others. It comes back a while later.
    ServerDown(u8, u64),
    /// Everything takes so many milliseconds more, for a while.
    Slow(u64, u64),
    /// A follower is behind its leader by so many milliseconds, for a while.
    Behind(u8, u64, u64),
    /// The session timeouts that are granted are at most so many milliseconds, for new sessions and connections, for a while.
    Clamp(u64, u64),
    /// Nobody can authenticate, for a while.
    RefuseAuthentication(u64),
    /// Nobody may create below the root, for a while.
    DenyCreate(u64),
    /// Nobody may read the root, for a while.
    DenyRead(u64),

    // === To processes ===
    /// A server is killed.
    Kill(u8),
    /// A server that does not run is started.
    Start(u8),
    /// A server is told to stop: it leaves, serves on for a moment, and ends.
    Stop(u8),
    /// A process is stopped and goes on later: its link stands still, it answers nobody, and calls nobody.
    Pause(Who, u64),
    /// The wall clock of a process steps by so many milliseconds.
    ClockStep(Who, i64),
    /// A server changes its weight.
    Reweigh(u8, u32),
    /// A server says that it is about to leave, or no longer does.
    Drain(u8, bool),
    /// A server fares badly as a callee, for a while.
    Callee(u8, Trouble, u64),

    // === By others ===
    /// Somebody deletes the znode of a server.
    DeleteZnode(u8),
    /// Somebody deletes all znodes below the root.
    DeleteAll,
    /// Somebody deletes all znodes below the root, and the root.
    DeleteRoot,
    /// Somebody overwrites the znode of a server.
    Overwrite(u8),
    /// A rival creates the znode of a server as soon as it is free, holds it for a while, and lets it go.
    Rival(u8, u64),
    /// A foreign writer creates a child that is no instance, which stays for a while.
    Foreign(u64),
    /// A foreign writer registers an instance that nobody listens at, which stays for a while.
    Impostor(u64),
    /// So many instances of others come at once, and are there for a while.
    Crowd(u8, u64),
    /// An operator believes everything that is held.
    Release(u8),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(n) => write!(f, "server {n}"),
            Self::Client(n) => write!(f, "client {n}"),
        }
    }
}

impl Act {
    /// The name of its kind, such as `cut`: what the runs of all seeds are counted by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cut(_) => "cut",
            Self::Isolate(..) => "isolate",
            Self::Stall(..) => "stall",
            Self::Lose(_, loss) | Self::LoseWrite(_, loss) => loss.kind(),
            Self::Expire(_) => "expire",
            Self::Swallow(_) => "swallow",
            Self::Away(_) => "away",
            Self::Older(..) => "older",
            Self::Empty(_) => "empty",
            Self::ServerDown(..) => "server_down",
            Self::Slow(..) => "slow",
            Self::Behind(..) => "behind",
            Self::Clamp(..) => "clamp",
            Self::RefuseAuthentication(_) => "refuse_authentication",
            Self::DenyCreate(_) => "deny_create",
            Self::DenyRead(_) => "deny_read",
            Self::Kill(_) => "kill",
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Pause(..) => "pause",
            Self::ClockStep(..) => "clock_step",
            Self::Reweigh(..) => "reweigh",
            Self::Drain(..) => "drain",
            Self::Callee(_, trouble, _) => trouble.kind(),
            Self::DeleteZnode(_) => "delete_znode",
            Self::DeleteAll => "delete_all",
            Self::DeleteRoot => "delete_root",
            Self::Overwrite(_) => "overwrite",
            Self::Rival(..) => "rival",
            Self::Foreign(_) => "foreign",
            Self::Impostor(_) => "impostor",
            Self::Crowd(..) => "crowd",
            Self::Release(_) => "release",
        }
    }
}

impl Act {
    /// The names of all kinds.
    pub const KINDS: [&'static str; 44] = [
        "cut",
        "isolate",
        "stall",
        "cut_before",
        "cut_after",
        "lose_reply",
        "ignore",
        "busy",
        "expire_at_request",
        "late_request",
        "late_reply",
        "expire",
        "swallow",
        "away",
        "older",
        "empty",
        "server_down",
        "slow",
        "behind",
        "clamp",
        "refuse_authentication",
        "deny_create",
        "deny_read",
        "kill",
        "start",
        "stop",
        "pause",
        "clock_step",
        "reweigh",
        "drain",
        "callee_refuses",
        "callee_hangs",
        "callee_late",
        "callee_half",
        "callee_overloaded",
        "delete_znode",
        "delete_all",
        "delete_root",
        "overwrite",
        "rival",
        "foreign",
        "impostor",
        "crowd",
        "release",
    ];

    /// How long it lasts, in milliseconds, if it does: what is broken is whole again afterwards.
    pub fn lasts(&self) -> Option<u64> {
        // Not in place, so that there is one list of what lasts.
        self.clone().lasts_mut().copied()
    }

    /// The same, to be changed.
    pub fn lasts_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Isolate(_, lasts)
            | Self::Stall(_, lasts)
            | Self::Away(lasts)
            | Self::Older(lasts, _)
            | Self::Empty(lasts)
            | Self::ServerDown(_, lasts)
            | Self::Slow(_, lasts)
            | Self::Behind(_, _, lasts)
            | Self::Clamp(_, lasts)
            | Self::RefuseAuthentication(lasts)
            | Self::DenyCreate(lasts)
            | Self::DenyRead(lasts)
            | Self::Pause(_, lasts)
            | Self::Callee(_, _, lasts)
            | Self::Rival(_, lasts)
            | Self::Foreign(lasts)
            | Self::Impostor(lasts)
            | Self::Crowd(_, lasts) => Some(lasts),
            Self::Cut(_)
            | Self::Lose(..)
            | Self::LoseWrite(..)
            | Self::Expire(_)
            | Self::Swallow(_)
            | Self::Kill(_)
            | Self::Start(_)
            | Self::Stop(_)
            | Self::ClockStep(..)
            | Self::Reweigh(..)
            | Self::Drain(..)
            | Self::DeleteZnode(_)
            | Self::DeleteAll
            | Self::DeleteRoot
            | Self::Overwrite(_)
            | Self::Release(_) => None,
        }
    }
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::Reply,
        Self::Ignored,
        Self::Busy,
        Self::Expire,
        Self::Late,
        Self::LateReply,
    ];

    /// The name of its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::Reply => "lose_reply",
            Self::Ignored => "ignore",
            Self::Busy => "busy",
            Self::Expire => "expire_at_request",
            Self::Late => "late_request",
            Self::LateReply => "late_reply",
        }
    }
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refuses, Self::Hangs, Self::Late, Self::Half, Self::Overloaded];

    /// The name of its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Refuses => "callee_refuses",
            Self::Hangs => "callee_hangs",
            Self::Late => "callee_late",
            Self::Half => "callee_half",
            Self::Overloaded => "callee_overloaded",
        }
    }
}

impl Spec {
    /// The timeout that sessions are granted when nothing clamps it.
    pub fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }
}
