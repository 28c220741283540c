//! The limits of a call.

#[cfg(feature = "serde")]
mod record;

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use crate::config::{BalancerConfigError, MAX_TIME};

/// How long calls may take, how often they may try, and whether they may be repeated.
///
/// | | default | why |
/// | --- | --- | --- |
/// | attempt | 1 s | an answer that takes longer is rarely waited for, and five attempts fit into a call |
/// | overall | 5 s | as long as a person waits |
/// | connect | 300 ms | many round trips within a continent; a lost SYN is sent again after 1 s only, and elsewhere is quicker |
/// | idempotent | false | only the caller knows |
/// | attempts | 16 | as many as unanswered connections fit into a call |
/// | refused attempts | 1,024 | a refusal takes no time, but a set of that size that refuses is down |
/// | hedge after | never | it makes load; a good value is what 95 % of the answers take |
/// | budget | [`Budget::default`] | |
///
/// A clone shares the budget.
///
/// With the feature `serde` it is read and written as `{"attempt":"1s","overall":"5s","connect":"300ms","idempotent":false,
/// "max_attempts":16,"max_refused":1024,"hedge_after":null,"budget":{"share":0.2,"floor_per_second":10,"ttl":"10s"}}`: any of
/// them may be missing, and an unknown key is an error. What is read has a budget of its own.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "record::Record", into = "record::Record")
)]
#[derive(Clone, Debug)]
pub struct CallConfig {
    pub(super) attempt: Duration,
    pub(super) overall: Duration,
    pub(super) connect: Duration,
    pub(super) is_idempotent: bool,
    pub(super) max_attempts: u32,
    pub(super) max_refused: u32,
    pub(super) hedge_after: Option<Duration>,
    pub(super) budget: Arc<Budget>,
}

impl CallConfig {
    /// How long connecting may take, if an attempt is not shorter: 300 ms.
    pub const CONNECT: Duration = Duration::from_millis(300);

    /// How many attempts a call makes at most, those that were refused apart: 16.
    pub const MAX_ATTEMPTS: u32 = 16;

    /// How many attempts of a call may be refused: 1,024.
    pub const MAX_REFUSED: u32 = 1024;

    /// Limits the time of one attempt, and of the call with all its attempts and pauses; connecting gets
    /// [`CONNECT`](Self::CONNECT) of the attempt.
    ///
    /// # Errors
    /// [`BalancerConfigError`], unless 1 ms <= `attempt` <= `overall` <= 1 h.
    pub fn new(attempt: Duration, overall: Duration) -> Result<Self, BalancerConfigError> {
        if attempt < Duration::from_millis(1) {
            return Err(BalancerConfigError::Attempt { attempt });
        }
        if overall < attempt || overall > MAX_TIME {
            return Err(BalancerConfigError::Overall { attempt, overall });
        }
        Ok(Self { attempt, overall, connect: attempt.min(Self::CONNECT), ..Self::default() })
    }

    /// Sets how long connecting may take. The operation applies it: [`Target::connect_timeout`](crate::Target::connect_timeout).
    ///
    /// # Errors
    /// [`BalancerConfigError::Connect`], unless 1 ms <= `connect` <= the time of an attempt.
    pub fn with_connect(mut self, connect: Duration) -> Result<Self, BalancerConfigError> {
        if connect < Duration::from_millis(1) || connect > self.attempt {
            return Err(BalancerConfigError::Connect { connect, attempt: self.attempt });
        }
        self.connect = connect;
        Ok(self)
    }

    /// Sets whether [`Caller::call`](crate::Caller::call) may repeat an operation that may have had an effect;
    /// [`call_idempotent`](crate::Caller::call_idempotent) always does.
    #[must_use]
    pub fn with_idempotent(mut self, is_idempotent: bool) -> Self {
        self.is_idempotent = is_idempotent;
        self
    }

    /// Sets how many attempts a call makes, and how many refused ones in addition.
    ///
    /// # Errors
    /// [`BalancerConfigError::Attempts`], if one of them is 0.
    pub fn with_max_attempts(mut self, attempts: u32, refused: u32) -> Result<Self, BalancerConfigError> {
        if attempts == 0 || refused == 0 {
            return Err(BalancerConfigError::Attempts);
        }
        (self.max_attempts, self.max_refused) = (attempts, refused);
        Ok(self)
    }

    /// Starts one more attempt elsewhere, in a race, when an attempt has not answered after this time: for idempotent calls
    /// only. It costs a retry of the budget.
    ///
    /// # Errors
    /// [`BalancerConfigError::Hedge`], unless 1 ms <= `after` <= the time of an attempt.
    pub fn with_hedge_after(mut self, after: Duration) -> Result<Self, BalancerConfigError> {
        if after < Duration::from_millis(1) || after > self.attempt {
            return Err(BalancerConfigError::Hedge { after, attempt: self.attempt });
        }
        self.hedge_after = Some(after);
        Ok(self)
    }

    /// Sets the budget of retries. An `Arc` shares it with other callers of the same service.
    #[must_use]
    pub fn with_budget(mut self, budget: impl Into<Arc<Budget>>) -> Self {
        self.budget = budget.into();
        self
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

    /// Returns how long connecting may take.
    #[must_use]
    pub fn connect(&self) -> Duration {
        self.connect
    }
}

/// One second for an attempt, five for the call, and what the table says.
impl Default for CallConfig {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(1),
            overall: Duration::from_secs(5),
            connect: Self::CONNECT,
            is_idempotent: false,
            max_attempts: Self::MAX_ATTEMPTS,
            max_refused: Self::MAX_REFUSED,
            hedge_after: None,
            budget: Arc::default(),
        }
    }
}
