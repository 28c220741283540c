//! A call that tries another endpoint when one fails.

mod classify;
mod error;

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::balancer::{Balancer, PickError};
use crate::config::ConfigError;
use crate::failure::Failure;
use crate::metrics::{self, Ended};

pub use classify::Classify;
pub use error::{Attempt, CallError, GaveUp, MAX_LISTED_ATTEMPTS};

/// The pause before the second round; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallConfig {
    attempt: Duration,
    overall: Duration,
}

impl CallConfig {
    /// Limits the time of one attempt, and of the call with all its attempts and pauses.
    ///
    /// # Errors
    /// [`ConfigError`], unless 1 ms <= `attempt` <= `overall` <= 1 h.
    pub fn new(attempt: Duration, overall: Duration) -> Result<Self, ConfigError> {
        if attempt < Duration::from_millis(1) {
            return Err(ConfigError::Attempt { attempt });
        }
        if overall < attempt || overall > Duration::from_secs(3600) {
            return Err(ConfigError::Overall { attempt, overall });
        }
        Ok(Self { attempt, overall })
    }

    /// Returns how long one attempt may take.
    #[must_use]
    pub fn attempt(&self) -> Duration {
        self.attempt
    }

    /// Returns how long the call may take with all its attempts and pauses.
    #[must_use]
    pub fn overall(&self) -> Duration {
        self.overall
    }
}

/// One second for an attempt, five for the call.
impl Default for CallConfig {
    fn default() -> Self {
        Self { attempt: Duration::from_secs(1), overall: Duration::from_secs(5) }
    }
}

/// The outcome of a successful call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<K, T> {
    /// What the attempt returned.
    pub value: T,
    /// The endpoint that answered.
    pub key: K,
    /// How many attempts it took, this one included.
    pub attempts: usize,
}

/// Calls endpoints until one answers.
///
/// Each attempt goes to an endpoint that has not been tried in this round, and gets what is left of the
/// time, at most [`CallConfig::attempt`]. When it fails, the next one follows at once. When all have been
/// tried, or there are none, the call pauses for 50 ms, later for up to 500 ms, and begins a new round with
/// the endpoints of that moment.
///
/// The operation must be safe to repeat: an attempt that timed out may have had its effect. An attempt that the end of
/// the call interrupts does not count against its endpoint.
///
/// # Errors
/// [`CallError`], which lists the attempts, if the time is over or an error does not allow a retry.
///
/// # Panics
/// Outside of a tokio runtime with its timer enabled.
///
/// # Cancel safety
/// Dropping the future drops the attempt under way: it is no call in flight any more, and says nothing about its
/// endpoint.
///
/// # Examples
/// ```
/// use balance::{Balancer, CallConfig, Config, call};
/// use std::io;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let balancer = Balancer::new(Config::default());
/// balancer.update(["down", "up"]);
/// let answered = call(&balancer, &CallConfig::default(), |key| {
///     let up = *key == "up";
///     async move { if up { Ok("hello") } else { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) } }
/// })
/// .await
/// .expect("one of them is up");
/// assert_eq!((answered.key, answered.value), ("up", "hello"));
/// # }
/// ```
pub async fn call<K, T, E, F, Fut>(
    balancer: &Balancer<K>,
    config: &CallConfig,
    mut attempt: F,
) -> Result<Answered<K, T>, CallError<K, E>>
where
    K: Eq + Hash + Clone,
    E: Classify,
    F: FnMut(&K) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    let mut history = error::History::new(began);
    let mut tried = HashSet::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let left = config.overall.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(history.give_up(GaveUp::TimeIsOver));
        }
        let pick = match balancer.pick_where(|key| !tried.contains(key)) {
            Ok(pick) => pick,
            Err(reason) => {
                if reason != PickError::AllExcluded {
                    history.nothing_to_pick(reason);
                }
                tried.clear();
                sleep(balancer.rng().jitter(pause).min(left)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                continue;
            }
        };
        if history.count() > 0 {
            metrics::retry();
        }
        let key = pick.key().clone();
        let limit = config.attempt.min(left);
        let attempt_began = Instant::now();
        let (error, failure) = match timeout(limit, attempt(&key)).await {
            Ok(Ok(value)) => {
                pick.succeed();
                metrics::attempt(Ended::Answered);
                return Ok(Answered { value, key, attempts: history.count() + 1 });
            }
            Ok(Err(error)) => {
                let failure = error.failure();
                (Some(error), failure)
            }
            Err(_) => (None, (limit == config.attempt).then_some(Failure::Timeout)),
        };
        metrics::attempt(match (failure, &error) {
            (Some(failure), _) => Ended::Failed(failure),
            (None, Some(_)) => Ended::Error,
            (None, None) => Ended::CutShort,
        });
        match failure {
            Some(failure) => pick.fail(failure),
            None => drop(pick),
        }
        let may_retry = error.as_ref().is_none_or(Classify::may_retry);
        history.attempted(Attempt { key: key.clone(), error, failure, elapsed: attempt_began.elapsed() });
        if !may_retry {
            return Err(history.give_up(GaveUp::NoRetry));
        }
        tried.insert(key);
    }
}
