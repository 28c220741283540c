//! How a client stands.

use std::fmt;
use std::time::{Duration, SystemTime};

use balance::{EndpointStatus, Health};
use discovery::View;
use instance::Endpoint;
use zk_core::{State, ZnodePath};

use super::members::{MemberSet, MemberSource};

/// How a client stands, at one moment: for logs and people. [`Client::status`](crate::Client::status) makes it. `Display` is one line:
///
/// ```text
/// /services/web: 12 members, live; 11 in service, 1 ejected
/// /services/web: 12 members, stale for 3.2s (connection to ZooKeeper lost, reconnecting); 12 in service
/// /services/web: 12 members, saved 2h 5m ago (waiting for ZooKeeper: no server reachable); 12 in service
/// /services/web: no members, not synced for 3.2s (waiting for ZooKeeper: no server reachable)
/// ```
///
/// With the feature `serde` it serializes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ClientStatus {
    /// The znode whose children are the instances of the service.
    pub service: ZnodePath,
    /// How many instances calls may go to.
    pub members: usize,
    /// Where they come from.
    pub source: MemberSource,
    /// Whether the set is followed right now.
    pub is_live: bool,
    /// For how long the set was not confirmed: that of the view, or the age of the saved list. Zero while it is live.
    pub age: Duration,
    /// How many of the members are held: ZooKeeper does not list them any more, which is not believed yet.
    pub held: usize,
    /// How many of the members are in service. Those without a label that the configuration asks for do not count.
    pub in_service: usize,
    /// How many have failed, and are avoided for a while.
    pub ejected: usize,
    /// How many wait for the one attempt that decides whether they come back.
    pub on_probation: usize,
    /// Why the set is not live; `None` while it is, and where the reason is not known yet.
    pub trouble: Option<String>,
}

impl ClientStatus {
    pub(super) fn new(
        service: &ZnodePath,
        members: &MemberSet,
        view: &View,
        state: &State,
        endpoints: Vec<EndpointStatus<Endpoint>>,
        now: SystemTime,
    ) -> Self {
        let count = |wanted: fn(&Health) -> bool| endpoints.iter().filter(|one| wanted(&one.health)).count();
        let source = members.source();
        Self {
            service: service.clone(),
            members: members.len(),
            source,
            is_live: view.is_live(),
            age: match source {
                MemberSource::Saved { at } => now.duration_since(at).unwrap_or_default(),
                MemberSource::NotSynced | MemberSource::ZooKeeper => view.age(),
            },
            held: view.held,
            in_service: count(|health| matches!(health, Health::InService)),
            ejected: count(|health| matches!(health, Health::Ejected { .. })),
            on_probation: count(|health| matches!(health, Health::OnProbation { .. })),
            trouble: (!view.is_live()).then(|| trouble(view, state)).flatten(),
        }
    }
}

/// Why a view is not followed.
fn trouble(view: &View, state: &State) -> Option<String> {
    match &view.trouble {
        Some(trouble) => Some(trouble.as_ref().to_owned()),
        None => (!state.is_connected()).then(|| state.to_string()),
    }
}

impl fmt::Display for ClientStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.service)?;
        match self.members {
            0 => f.write_str("no members")?,
            1 => f.write_str("1 member")?,
            members => write!(f, "{members} members")?,
        }
        let age = Age(self.age);
        match (self.source, self.is_live) {
            (MemberSource::NotSynced, _) => write!(f, ", not synced for {age}")?,
            (MemberSource::Saved { .. }, _) => write!(f, ", saved {age} ago")?,
            (MemberSource::ZooKeeper, true) => f.write_str(", live")?,
            (MemberSource::ZooKeeper, false) => write!(f, ", stale for {age}")?,
        }
        if let Some(trouble) = &self.trouble {
            write!(f, " ({trouble})")?;
        }
        if self.members > 0 {
            write!(f, "; {} in service", self.in_service)?;
        }
        for (count, what) in
            [(self.ejected, "ejected"), (self.on_probation, "on probation"), (self.held, "held")]
        {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// A time as people read it: `3.2s`, `2h 5m`, `3d 4h`.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            60..3600 => write!(f, "{}m {}s", seconds / 60, seconds % 60),
            3600..86_400 => write!(f, "{}h {}m", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{}d {}h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(members: usize, source: MemberSource, is_live: bool, age: u64) -> ClientStatus {
        ClientStatus {
            service: "/web".parse().unwrap(),
            members,
            source,
            is_live,
            age: Duration::from_secs(age),
            held: 0,
            in_service: members,
            ejected: 0,
            on_probation: 0,
            trouble: None,
        }
    }

    #[test]
    fn a_status_is_one_line() {
        let saved = MemberSource::Saved { at: SystemTime::UNIX_EPOCH };
        let refused = || Some("waiting for ZooKeeper: refused".to_owned());
        let listed = MemberSource::ZooKeeper;
        let some_out = ClientStatus {
            in_service: 8,
            ejected: 2,
            on_probation: 1,
            held: 1,
            ..status(12, listed, true, 0)
        };
        for (status, text) in [
            (status(1, listed, true, 0), "1 member, live; 1 in service"),
            (some_out, "12 members, live; 8 in service, 2 ejected, 1 on probation, 1 held"),
            (status(0, listed, true, 0), "no members, live"),
            (status(2, listed, false, 61), "2 members, stale for 1m 1s; 2 in service"),
            (
                ClientStatus { trouble: refused(), ..status(2, saved, false, 7500) },
                "2 members, saved 2h 5m ago (waiting for ZooKeeper: refused); 2 in service",
            ),
            (
                ClientStatus { trouble: refused(), ..status(0, MemberSource::NotSynced, false, 3) },
                "no members, not synced for 3.0s (waiting for ZooKeeper: refused)",
            ),
            (status(1, saved, false, 100_000), "1 member, saved 1d 3h ago; 1 in service"),
        ] {
            assert_eq!(status.to_string(), format!("/web: {text}"));
        }
    }
}
