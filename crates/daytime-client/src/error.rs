//! Why a command failed.

use std::io;
use std::time::Duration;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// ZooKeeper or an instance did not appear in time.
    #[error("gave up after {waited:?}: {what}")]
    GaveUp {
        /// How long the client waited.
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
    /// The metrics endpoint cannot start.
    #[error("cannot start the metrics endpoint")]
    Metrics(#[from] daytime_metrics::StartError),
    /// ZooKeeper refused the authentication before the first session.
    #[error("ZooKeeper refuses [zookeeper.auth]")]
    Authentication(#[source] zk_core::ConnectError),
    /// This process cannot start a link to ZooKeeper.
    #[error("cannot start a link to ZooKeeper")]
    Link(#[from] zk_core::StartError),
    /// Steps of the doctor failed.
    #[error("{failed} of {steps} steps failed")]
    StepsFailed {
        /// Steps that failed.
        failed: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A signal asked to stop before the command was done.
    #[error("stopped by {0}")]
    Stopped(&'static str),
    /// The command panicked. The panic message is on standard error.
    #[error("the command panicked")]
    Panicked,
    /// The instances are not followed any more, for good.
    #[error("the instances are not followed any more: {0}")]
    NotFollowed(String),
    /// ZooKeeper refused a request, or did not reply.
    #[error("cannot read from ZooKeeper")]
    ZooKeeper(#[from] zk_core::Error),
    /// Standard output is closed or full.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The system refuses threads, signal handlers or file descriptors.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

impl Error {
    /// Following has ended, for the reason of the last view.
    pub(crate) fn not_followed(discovery: &discovery::Discovery) -> Self {
        Self::NotFollowed(discovery.view().trouble.as_deref().unwrap_or("no reason is known").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;

    use daytime_config::error_chain;

    use super::*;

    #[test]
    fn no_layer_of_an_error_repeats_its_cause() {
        let io = || io::Error::from(io::ErrorKind::PermissionDenied);
        let refused = zk_core::ConnectError::AuthFailed { server: "127.0.0.1:2181".into() };
        let metrics =
            daytime_metrics::StartError::Listen { address: ([127, 0, 0, 1], 1).into(), source: io() };
        for error in [
            Error::GaveUp { waited: Duration::from_secs(1), what: "waiting".into() },
            Error::Rounds { failed: 1, rounds: 2 },
            Error::Metrics(metrics),
            Error::Authentication(refused),
            Error::StepsFailed { failed: 1, steps: 2 },
            Error::Stopped("SIGTERM"),
            Error::NotFollowed("the link is closed".into()),
            Error::Panicked,
            Error::Output(io()),
            Error::Start(io()),
        ] {
            let (mut layer, mut next): (&dyn StdError, _) = (&error, error.source());
            while let Some(cause) = next {
                assert!(!layer.to_string().contains(&cause.to_string()), "{layer} repeats {cause}");
                (layer, next) = (cause, cause.source());
            }
        }
        assert_eq!(error_chain(&Error::Start(io())), format!("cannot start: {}", io()));
    }
}
