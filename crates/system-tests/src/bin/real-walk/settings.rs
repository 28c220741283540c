//! The times of a walk, and what it calls things.

use std::time::Duration;

use oracle::Bounds;
use system_tests::{PROPAGATION, SESSION, TICK};

/// The root under which everybody registers.
pub(crate) const ROOT: &str = "/go_servers";

/// How often views and registrations compare themselves with ZooKeeper.
pub(crate) const AUDIT: Duration = Duration::from_secs(5);

/// How long one attempt of a call may take.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(500);
/// How long one call may take.
pub(crate) const CALL: Duration = Duration::from_secs(3);
/// The time from one call of a client to the next.
pub(crate) const PACE: Duration = Duration::from_millis(25);

/// B: a third of the session timeout, as that is less than a second.
pub(crate) const BACKOFF: Duration = Duration::from_millis(667);

/// How long the end of a session may take.
pub(crate) const CLOSING: Duration = Duration::from_secs(1);

/// The bounds by which the history is judged.
pub(crate) fn bounds() -> Bounds {
    Bounds {
        session_timeout: SESSION,
        tick: TICK,
        propagation: PROPAGATION,
        backoff: BACKOFF,
        attempt: ATTEMPT,
        call: CALL,
        max_attempts: zk_roster::CallConfig::MAX_ATTEMPTS,
        max_refused: zk_roster::CallConfig::MAX_REFUSED,
        hold: SESSION + Duration::from_secs(2),
        settle: Duration::from_millis(25),
        audit: AUDIT,
    }
}
