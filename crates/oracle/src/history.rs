//! What is recorded. A record is one thing that has happened, or that a part of the fleet has said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The history of one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What the run promises to keep.
    pub bounds: Bounds,
    /// Sorted by time.
    pub records: Vec<Record>,
}

/// The times that bounds are made of, as the run was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// *T*: the negotiated session timeout, the longest one of the run.
    pub session_timeout: Duration,
    /// ZooKeeper's tick: sessions end at whole ones.
    pub tick: Duration,
    /// *P*: how long a change may take from the ensemble to a view, when nothing is broken.
    pub propagation: Duration,
    /// *B*: the cap of the backoff of links, registrations and views.
    pub backoff: Duration,
    /// *D*: how long one attempt of a call may take.
    pub attempt: Duration,
    /// How long one call may take.
    pub call: Duration,
    /// How many attempts one call may make, refused ones apart.
    pub max_attempts: u32,
    /// How many attempts of one call may be refused.
    pub max_refused: u32,
    /// *H*: how long a mass disappearance is held at most.
    pub hold: Duration,
    /// How long a removal waits for a creation of the same name.
    pub settle: Duration,
    /// How often views and registrations compare themselves with ZooKeeper.
    pub audit: Duration,
}

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When, since the beginning of the run.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What has happened. Processes have names such as `server 1` and `client 2`; a znode has the name of its instance, which
/// is the endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    // === The nemesis ===
    /// A fault begins.
    Fault {
        /// Its number in this run.
        id: u32,
        /// Its kind, such as `cut` or `expire`.
        fault: String,
        /// The process that it concerns; `None` for all.
        process: Option<String>,
        /// What it does, for people.
        text: String,
    },
    /// A fault has broken something.
    TookEffect {
        /// Its number.
        id: u32,
    },
    /// A fault is over: what it broke may recover from here on.
    FaultOver {
        /// Its number.
        id: u32,
    },
    /// From here on nothing is broken, and nobody but the fleet itself changes anything.
    Healed,
    /// The run is over.
    End,

    // === The ensemble, as it really is (its leader, or an independent observer) ===
    /// A child of the root was created. A take-over is a `Deleted` and a `Created` of one zxid.
    Created {
        /// The transaction.
        zxid: i64,
        /// The name of the child.
        name: String,
        /// What was created.
        znode: Znode,
        /// Who did it.
        by: By,
    },
    /// A child of the root was written.
    Written {
        /// The transaction.
        zxid: i64,
        /// The name of the child.
        name: String,
        /// What it has now.
        data: Data,
        /// Who did it.
        by: By,
    },
    /// A child of the root was deleted.
    Deleted {
        /// The transaction.
        zxid: i64,
        /// The name of the child.
        name: String,
        /// Who did it.
        by: By,
    },
    /// The root was created or deleted.
    Root {
        /// The transaction.
        zxid: i64,
        /// Whether it exists now.
        exists: bool,
        /// Who did it.
        by: By,
    },
    /// The ensemble has begun anew with older data, or with none: its zxids go back. These are the children.
    Restored {
        /// The newest transaction that is left.
        zxid: i64,
        /// The children by name.
        children: BTreeMap<String, Znode>,
        /// The sessions that are left.
        sessions: Vec<i64>,
    },
    /// What the ensemble can do, from here on. Without this record it can do everything.
    Ensemble {
        /// Whether it is older than ZooKeeper 3.6: then a take-over is two requests, and readers of the list may see a gap.
        old: bool,
    },
    /// A session begins.
    SessionBegan {
        /// Its id.
        session: i64,
        /// Whose it is.
        process: String,
    },
    /// A session is over, and its znodes are gone (a `Deleted` for each follows, of the same zxid).
    SessionEnded {
        /// Its id.
        session: i64,
        /// Whether it was silent for too long, or ended by a fault, rather than closed by its client.
        expired: bool,
    },
    /// Whether the truth is known from here on: an observer loses sight of an ensemble that is away.
    Sight {
        /// Whether it is.
        known: bool,
    },

    // === Processes, as they really are ===
    /// A process has started.
    Spawned {
        /// Its name.
        process: String,
    },
    /// A process has ended: it was killed, or has ended by itself.
    Exited {
        /// Its name.
        process: String,
        /// Its status; `None` if it was killed.
        status: Option<i32>,
    },
    /// A process has panicked.
    Panicked {
        /// Its name.
        process: String,
        /// The message.
        message: String,
    },
    /// How callers fare at an endpoint, from here on.
    Serving {
        /// The endpoint.
        endpoint: String,
        /// The process that listens, if one does.
        process: Option<String>,
        /// What happens to a call.
        answers: Answers,
    },

    // === What the servers say ===
    /// A process wants an instance to be registered with this data, from here on.
    Wanted {
        /// The process.
        process: String,
        /// The instance.
        name: String,
        /// Its record.
        data: Data,
    },
    /// A process no longer wants an instance to be registered: it leaves.
    Unwanted {
        /// The process.
        process: String,
        /// The instance.
        name: String,
    },
    /// The status of a registration, when it changes.
    Status {
        /// The process.
        process: String,
        /// The instance.
        name: String,
        /// What it says.
        status: Stated,
    },

    // === Links ===
    /// The state of the link of a process, when it changes.
    Link {
        /// The process.
        process: String,
        /// The phase.
        phase: LinkPhase,
        /// The session, or the last one.
        session: Option<i64>,
        /// How many sessions there have been.
        epoch: u64,
        /// How many connections there have been beyond the first.
        reconnects: u64,
    },

    // === What the clients see ===
    /// A view, when it changes.
    View {
        /// The process.
        process: String,
        /// Whether it says that it is what ZooKeeper lists.
        live: bool,
        /// The number of its set; `None` before the first list.
        revision: Option<u64>,
        /// The set by endpoint.
        instances: BTreeMap<String, Shown>,
    },

    // === Calls ===
    /// A call begins.
    Call {
        /// Its number in this run.
        id: u64,
        /// The caller.
        process: String,
        /// Whether it may be repeated whatever came of it.
        idempotent: bool,
    },
    /// An attempt of a call has ended.
    Attempt {
        /// The call.
        id: u64,
        /// The endpoint.
        endpoint: String,
        /// When it began.
        began: Duration,
        /// What came of it.
        outcome: Attempted,
    },
    /// A call has ended.
    Called {
        /// The call.
        id: u64,
        /// What came of it.
        outcome: Called,
    },

    // === Costs ===
    /// How many requests a process has sent to ZooKeeper since the last such record.
    Requests {
        /// The process.
        process: String,
        /// How many.
        count: u64,
    },
    /// What a process uses.
    Usage {
        /// The process.
        process: String,
        /// Resident memory in KiB.
        rss_kib: u64,
        /// Open file descriptors.
        fds: u64,
        /// CPU time so far.
        cpu: Duration,
        /// Lines logged so far.
        log_lines: u64,
    },
    /// How late a task of the recorder itself ran: the machine was too busy for the bounds.
    Lag {
        /// By how much.
        by: Duration,
    },
}

/// A znode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Znode {
    /// The transaction that created it.
    pub czxid: i64,
    /// The session that owns it; `None` for a persistent one.
    pub session: Option<i64>,
    /// What it has.
    pub data: Data,
}

/// The record of an instance, as far as it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Its weight; `None` if the data make no sense.
    pub weight: Option<u32>,
    /// Whether it says that it is about to leave.
    pub draining: bool,
    /// The process start that wrote it.
    pub incarnation: Option<String>,
}

/// Who has changed a znode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A process of the fleet.
    Process(String),
    /// Somebody else: an operator, a rival, a foreign writer.
    Other(String),
    /// The end of the session that owned it.
    SessionEnd,
    /// The observer cannot tell.
    Unknown,
}

/// What happens to a call at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// It is answered well within the time of an attempt.
    Well,
    /// The connection is refused: nobody listens.
    Refuses,
    /// It is not answered, or too late, or by half, or with an error.
    Badly,
}

/// What a registration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    /// Registered.
    Registered {
        /// The transaction that created its znode.
        czxid: i64,
        /// The session that owns it.
        session: i64,
    },
    /// Not registered yet, or not any more, or not known.
    Pending,
    /// It was registered when the link went down.
    Unconfirmed,
    /// Somebody else has the name.
    Conflict,
    /// Gone, confirmed.
    Deregistered,
    /// Given up: its znode ends with its session.
    Abandoned,
}

/// The phase of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPhase {
    /// Up.
    Connected,
    /// Down; the session may still be kept.
    Suspended,
    /// No session to count on.
    Lost,
    /// Closed for good.
    Closed,
}

/// An instance as a view shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its weight.
    pub weight: u32,
    /// Whether it is about to leave.
    pub draining: bool,
    /// The process start that wrote it, if the view reads records.
    pub incarnation: Option<String>,
    /// Whether it is held: not listed any more, which is not believed yet.
    pub held: bool,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempted {
    /// An answer.
    Answered,
    /// The connection was refused.
    Refused,
    /// An error, or half an answer.
    Failed,
    /// No answer in its time, or the call ended first.
    Unanswered,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Called {
    /// An answer.
    Answered {
        /// By whom.
        endpoint: String,
    },
    /// An error.
    Failed {
        /// Why the caller gave up: the name of the reason in metrics, such as `out_of_time` or `budget_spent`.
        reason: String,
    },
}
