//! The state of a link, as the supervisor publishes it.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::session::{Session, SessionId};
use crate::transport::ConnectError;

/// The state of a link at one moment. Complete in itself: a reader that missed the states in between can
/// tell "same session, check" (another `reconnects`) from "new session, rebuild" (another `epoch`).
///
/// `Display` is one line for an operator, with the cause of the last failure while there is no connection. Serialised (feature
/// `serde`), `since` is an age: `{"phase":"connected","session":{"id":"0x1","timeout":"10s"},"epoch":1,"reconnects":0,"age":"3s"}`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct State {
    /// Connected, suspended, lost or closed.
    pub phase: Phase,
    /// The current session, or the last one. `None` until the first is granted.
    pub session: Option<Session>,
    /// How many sessions there have been, this one included; 0 before the first.
    pub epoch: u64,
    /// How many connections there have been beyond the first. Every one counts, however short it was.
    pub reconnects: u64,
    /// When the phase began.
    pub since: Instant,
    /// Why the last attempt to connect failed, while there is no connection.
    pub trouble: Option<ConnectError>,
}

/// The phase of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The link is up, and the session with it.
    Connected,
    /// The link is down. The ensemble may still keep the session and its ephemeral znodes: its clock runs
    /// since our last request, which may be up to half a session timeout before `since`.
    Suspended,
    /// There is no session, or none to count on: no session was granted yet, or the link is down for longer
    /// than the session timeout. If the whole ensemble was down it still keeps the session, and the next
    /// phase is `Connected` with the same session and epoch.
    Lost,
    /// The link is closed for good.
    Closed(CloseReason),
}

/// How a closed link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The ensemble confirmed the end of the session, or there was none.
    Clean,
    /// The ensemble did not confirm the end in time: see [`Lingering`].
    Lingering(Lingering),
}

/// The session could not be closed. Its ephemeral znodes stay until the ensemble expires it.
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session {session} was not closed: its znodes stay for up to {up_to:?} once the ensemble is up")]
pub struct Lingering {
    /// The session left behind.
    pub session: SessionId,
    /// How long the ensemble keeps it: counted from our last request, or, if the whole ensemble is down,
    /// from its return.
    #[cfg_attr(feature = "serde", serde(with = "crate::humane"))]
    pub up_to: Duration,
}

impl State {
    pub(crate) fn initial() -> Self {
        Self {
            phase: Phase::Lost,
            session: None,
            epoch: 0,
            reconnects: 0,
            since: Instant::now(),
            trouble: None,
        }
    }

    /// Whether the link is up.
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// Whether the link is closed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }
}

impl Phase {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Suspended => "suspended",
            Self::Lost => "lost",
            Self::Closed(_) => "closed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (&self.phase, &self.session) {
            (Phase::Connected, Some(session)) => {
                return write!(f, "connected to ZooKeeper, session {}", session.id);
            }
            (Phase::Closed(_), _) => return f.write_str("link to ZooKeeper closed"),
            (Phase::Connected, None) => "connected to ZooKeeper",
            (Phase::Suspended, _) => "connection to ZooKeeper lost, reconnecting",
            (Phase::Lost, None) => "waiting for ZooKeeper",
            (Phase::Lost, Some(_)) => "no connection to ZooKeeper for longer than the session timeout",
        };
        f.write_str(what)?;
        self.trouble.as_ref().map_or(Ok(()), |trouble| write!(f, ": {trouble}"))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Report<'a> {
            phase: String,
            session: Option<Session>,
            epoch: u64,
            reconnects: u64,
            #[serde(serialize_with = "crate::humane::age::serialize")]
            age: &'a Instant,
            #[serde(skip_serializing_if = "Option::is_none")]
            trouble: Option<&'a ConnectError>,
            #[serde(skip_serializing_if = "Option::is_none")]
            lingering: Option<&'a Lingering>,
        }
        let Self { phase, session, epoch, reconnects, since, trouble } = self;
        let lingering = match phase {
            Phase::Closed(CloseReason::Lingering(lingering)) => Some(lingering),
            _ => None,
        };
        let report = Report {
            phase: phase.to_string(),
            session: *session,
            epoch: *epoch,
            reconnects: *reconnects,
            age: since,
            trouble: trouble.as_ref(),
            lingering,
        };
        report.serialize(serializer)
    }
}
