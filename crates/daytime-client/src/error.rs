//! Why a command failed.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is waited for did not come in time.
    #[error("gave up after {waited:?}: {what}")]
    GaveUp {
        /// How long was waited.
        waited: Duration,
        /// What is missing.
        what: String,
    },
    /// Some rounds got no answer.
    #[error("{failed} of {rounds} rounds got no answer")]
    Rounds {
        /// Rounds without an answer.
        failed: u64,
        /// Rounds in all.
        rounds: u64,
    },
    /// The metrics cannot be offered.
    #[error("no metrics endpoint")]
    Metrics(#[from] daytime_metrics::StartError),
    /// ZooKeeper refused the authentication before it had granted a session.
    #[error("ZooKeeper refuses [zookeeper.auth]")]
    Authentication(#[source] zk_core::ConnectError),
    /// There can be no link to ZooKeeper in this process.
    #[error("no link to ZooKeeper can be started")]
    Link(#[from] zk_core::StartError),
    /// The doctor found something.
    #[error("{failed} of {steps} steps failed")]
    Unwell {
        /// Steps that failed.
        failed: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A signal asked to stop before the command was done.
    #[error("stopped by {0}")]
    Stopped(&'static str),
    /// The command panicked, which has been told.
    #[error("ended by a panic")]
    Panicked,
    /// ZooKeeper said no.
    #[error("cannot read from ZooKeeper")]
    ZooKeeper(#[from] zk_core::Error),
    /// Standard output is closed or full.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The system refuses what every program needs.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_layer_of_an_error_repeats_the_next() {
        let io = || io::Error::from(io::ErrorKind::PermissionDenied);
        let refused = zk_core::ConnectError::AuthFailed { server: "127.0.0.1:2181".into() };
        let metrics =
            daytime_metrics::StartError::Listen { address: ([127, 0, 0, 1], 1).into(), source: io() };
        for error in [
            Error::GaveUp { waited: Duration::from_secs(1), what: "waiting".into() },
            Error::Rounds { failed: 1, rounds: 2 },
            Error::Metrics(metrics),
            Error::Authentication(refused),
            Error::Unwell { failed: 1, steps: 2 },
            Error::Stopped("SIGTERM"),
            Error::Panicked,
            Error::Output(io()),
            Error::Start(io()),
        ] {
            let (mut layer, mut next): (&dyn StdError, _) = (&error, error.source());
            while let Some(cause) = next {
                assert!(!layer.to_string().contains(&cause.to_string()), "{layer} says {cause}, too");
                (layer, next) = (cause, cause.source());
            }
        }
        assert_eq!(chain(&Error::Start(io())), format!("cannot start: {}", io()));
    }
}
