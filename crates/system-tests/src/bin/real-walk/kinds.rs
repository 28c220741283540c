//! The kinds of faults that happen in a walk.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)+) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// `kill -9` of a server, which starts again within a session timeout.
    Kill = "kill",
    /// `kill -9` of a server, which starts again when its session is over.
    KillForLong = "kill_for_long",
    /// `kill -9` of all servers at once.
    KillAll = "kill_all",
    /// SIGSTOP of a server, for less than a session timeout.
    Pause = "pause",
    /// SIGSTOP of a server, for longer.
    PauseForLong = "pause_for_long",
    /// A server is told to stop, and starts again.
    Stop = "stop",
    /// Every server is told to stop and starts again, one after the other.
    Deploy = "deploy",
    /// A server changes its weight.
    Reweigh = "reweigh",
    /// The session of a process ends.
    Expire = "expire",
    /// The session of a server ends three times in a row.
    ExpireAgain = "expire_again",
    /// The connection of a process breaks.
    Cut = "cut",
    /// The connection of a process breaks, and it cannot connect for a while.
    Isolate = "isolate",
    /// Nothing travels between a process and ZooKeeper for a while, and no connection breaks.
    Stall = "stall",
    /// Everything between a process and ZooKeeper takes longer for a while.
    Slow = "slow",
    /// The connection of a server breaks before its znode is created.
    CutBefore = "cut_before",
    /// The connection of a server breaks after its znode is created, and before it knows.
    CutAfter = "cut_after",
    /// The same, and its session ends before it is back.
    ExpireAtRequest = "expire_at_request",
    /// The connection of a server that leaves breaks after its znode is deleted, and before it knows.
    CutAfterDelete = "cut_after_delete",
    /// A server is not told that its znode is deleted.
    Swallow = "swallow",
    /// The leader of the ensemble is killed, and starts again.
    LeaderDown = "leader_down",
    /// The servers of the ensemble are restarted, one after the other.
    RollingRestart = "rolling_restart",
    /// A server of the ensemble stands still for a while.
    ServerHangs = "server_hangs",
    /// The ensemble is away for half a session timeout.
    Away = "away",
    /// The ensemble is away for three session timeouts.
    AwayForLong = "away_for_long",
    /// Nobody may create below the root, for a while.
    DenyCreate = "deny_create",
    /// Nobody may read the root, for a while.
    DenyRead = "deny_read",
    /// Somebody deletes the znode of a server.
    DeleteZnode = "delete_znode",
    /// Somebody deletes all znodes below the root.
    DeleteAll = "delete_all",
    /// Somebody deletes the root and all below it.
    DeleteRoot = "delete_root",
    /// Somebody overwrites the znode of a server.
    Overwrite = "overwrite",
    /// A rival holds the name of a server for a while.
    Rival = "rival",
    /// Children that are no instances, for a while.
    Foreign = "foreign",
    /// Instances that nobody listens at, for a while.
    Crowd = "crowd",
}

impl Kind {
    /// What the simulation calls it: the name by which the oracle knows what a fault may delay.
    pub(crate) fn known_as(self) -> &'static str {
        use Kind as K;
        match self {
            K::KillForLong | K::KillAll => K::Kill.name(),
            K::PauseForLong => K::Pause.name(),
            K::Deploy => K::Stop.name(),
            K::ExpireAgain => K::Expire.name(),
            K::CutAfterDelete => K::CutAfter.name(),
            K::LeaderDown | K::RollingRestart | K::ServerHangs => "server_down",
            K::AwayForLong => K::Away.name(),
            other => other.name(),
        }
    }

    /// Whether it concerns one process only, and needs no ensemble: it may happen during another one.
    pub(crate) fn is_local(self) -> bool {
        use Kind as K;
        matches!(
            self,
            K::Kill
                | K::KillForLong
                | K::Pause
                | K::PauseForLong
                | K::Stop
                | K::Reweigh
                | K::Cut
                | K::Isolate
                | K::Stall
                | K::Slow
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("no kind of fault: {name}"))
    }
}
