//! Where an attempt goes, and in which time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::Entry;

/// Where an attempt goes, and in which time. A clone is cheap.
///
/// The attempt is dropped at its deadline, whatever it does. Only the operation knows when it is connected, so it applies the
/// [connect timeout](Self::connect_timeout), and reports [`Failure::Unreachable`](crate::Failure::Unreachable) when that is over:
/// nothing was sent, so the call goes on elsewhere, idempotent or not.
///
/// ```no_run
/// # use std::{io, net::SocketAddr};
/// # use balance::Target;
/// # async fn connect(_: SocketAddr) -> io::Result<()> { Ok(()) }
/// # async fn exchange(_: ()) -> io::Result<String> { Ok(String::new()) }
/// async fn ask(target: Target<SocketAddr, ()>) -> io::Result<String> {
///     let connecting = connect(*target.key());
///     let stream = match tokio::time::timeout(target.connect_timeout(), connecting).await {
///         Ok(connected) => connected?,
///         Err(_) => return Err(io::ErrorKind::HostUnreachable.into()),
///     };
///     exchange(stream).await
/// }
/// ```
pub struct Target<K, V> {
    entry: Arc<Entry<K, V>>,
    connect: Duration,
    deadline: Instant,
    is_trial: bool,
}

impl<K, V> Target<K, V> {
    pub(super) fn new(
        entry: &Arc<Entry<K, V>>,
        connect: Duration,
        deadline: Instant,
        is_trial: bool,
    ) -> Self {
        Self { entry: Arc::clone(entry), connect, deadline, is_trial }
    }

    /// Returns the key of the endpoint.
    #[must_use]
    pub fn key(&self) -> &K {
        self.entry.key()
    }

    /// Returns the value of the endpoint.
    #[must_use]
    pub fn value(&self) -> &V {
        self.entry.value()
    }

    /// Returns key, value and load.
    #[must_use]
    pub fn entry(&self) -> &Arc<Entry<K, V>> {
        &self.entry
    }

    /// Returns how long connecting may take: [`CallConfig::connect`](crate::CallConfig::connect), or what is left of the attempt's
    /// time if that is less.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns when the attempt is dropped.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns whether the endpoint is ejected, and this attempt decides whether it comes back into service.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.is_trial
    }
}

impl<K, V> Clone for Target<K, V> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), ..*self }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Target<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("key", self.key())
            .field("deadline", &self.deadline)
            .field("is_trial", &self.is_trial)
            .finish_non_exhaustive()
    }
}
