//! The times that promises are kept within, made of what a run was configured with.

use std::time::Duration;

use crate::history::Bounds;

/// Discovery shows an instance without its record after this time. It is a constant of the crate `discovery`.
const RECORD_WAIT: Duration = Duration::from_millis(250);

/// A record is shown so late at most after its znode was written: it waits for others, and a read that fails is repeated
/// within a second. Two may fail.
const RECORD_RETRY: Duration = Duration::from_millis(2600);

/// What "within 2 s" of the promises about recoveries is: time for a few round trips, and for retries within a second.
const REPAIR: Duration = Duration::from_secs(2);

impl Bounds {
    /// How long after a heal, or after a process began to want it, an instance may not be registered yet:
    /// 7/5 *T* + 2 ticks + *B* + 2 s + *P*.
    ///
    /// A link that the ensemble refuses, as it has seen newer data, gives its session up after 7/5 *T*. A predecessor's
    /// znode that may not be taken over ends with its session, after *T* and up to 2 ticks.
    #[must_use]
    pub fn registered_within(&self) -> Duration {
        self.session_timeout * 7 / 5 + self.tick * 2 + self.backoff + REPAIR + self.propagation
    }

    /// How long after a heal a view may differ from what ZooKeeper lists: until everything is registered, and a change takes
    /// to be shown.
    #[must_use]
    pub fn converged_within(&self) -> Duration {
        self.registered_within() + self.gone_from_view_within()
    }

    /// How long after a heal a run has to go on, so that every bound is over when it ends: an event that was lost is found by
    /// an audit; what disappears last, with the sessions of the dead, may be held; and at the end everything has to stay as it
    /// is for a session timeout.
    #[must_use]
    pub fn liveness_within(&self) -> Duration {
        self.audited_within() + self.converged_within() + self.hold + self.session_timeout
    }

    /// How long a session may outlive its client: *T*, up to 2 ticks, and *P*.
    #[must_use]
    pub fn dead_within(&self) -> Duration {
        self.session_timeout + self.tick * 2 + self.propagation
    }

    /// How long a live view may lack what is listed.
    pub(crate) fn shown_within(&self) -> Duration {
        self.propagation + RECORD_WAIT
    }

    /// How long a live view may show, without holding it, what is not listed: the removal settles, and the last instance waits
    /// for the records of others.
    pub(crate) fn gone_from_view_within(&self) -> Duration {
        self.propagation + self.settle + RECORD_WAIT
    }

    /// How long a live view may show an older record than the znode has.
    pub(crate) fn record_shown_within(&self) -> Duration {
        self.propagation + RECORD_RETRY
    }

    /// How long a link that is down may go unnoticed, and with it a registration or a view that is not what it says:
    /// 2/5 *T* + *P*.
    pub(crate) fn noticed_within(&self) -> Duration {
        self.session_timeout * 2 / 5 + self.propagation
    }

    /// When an audit has found what an event that was lost did not tell: its interval varies by a quarter, the list follows.
    pub(crate) fn audited_within(&self) -> Duration {
        self.audit * 5 / 4 + self.noticed_within() + REPAIR
    }

    /// How long a znode that is not wanted may stand while the link is up: a service says first that it is draining, and what
    /// fails is tried again within a second.
    pub(crate) fn left_within(&self) -> Duration {
        REPAIR + self.propagation
    }

    /// How long it takes to recover from anything but the loss of an event.
    pub(crate) fn recovered_within(&self) -> Duration {
        self.registered_within()
    }
}
