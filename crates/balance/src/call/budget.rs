//! How many retries may be made.

use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;

use self::window::Window;

mod window;

/// How many retries may be made: a share of the calls, and a floor for the times without many.
///
/// ```
/// use balance::Budget;
/// use tokio::time::Instant;
///
/// let budget = Budget::default();
/// let now = Instant::now();
/// budget.deposit(now); // once a call
/// assert!(budget.withdraw(now)); // before each retry
/// ```
///
/// Retries help while few calls fail. When a service is overloaded they are what keeps it down: with 3 attempts a call
/// it gets 3 times the load, and chains of callers multiply that. A limit for each call does not see this; a budget
/// over all calls does. It is tower's `TpsBudget` and Finagle's `RetryBudget`, with their defaults and limits. gRPC's
/// `retryThrottling` is set by the service and counts failures; Envoy's `retry_budget` counts what is in flight: 20 %
/// of it, and at least 3.
///
/// Within any `ttl` there are at most `share` × calls + `floor_per_second` × `ttl` retries. Calls count for at least
/// `ttl` and at most 1.1 × `ttl`, and so do retries: in steps of a tenth. The floor can be spent at one time: with the
/// defaults, a program that has just begun may make 100 retries at once, and then none for 10 s.
///
/// A budget is for one service, shared by all who call it. It takes a short lock, once a call and once a retry.
#[derive(Debug)]
pub struct Budget {
    /// Of a retry, for each call.
    share: Millionths,
    /// Of a retry, whatever the calls.
    floor: Millionths,
    ttl: Duration,
    clocked: Mutex<Clocked>,
}

/// Exact, unlike a float: ten calls at a share of 0.7 are seven retries, not 6.9999998.
type Millionths = u64;

const ONE: Millionths = 1_000_000;

/// The window, and since when its steps are counted.
#[derive(Debug, Default)]
struct Clocked {
    /// The first time that was passed.
    origin: Option<Instant>,
    window: Window,
}

impl Budget {
    /// The share of the calls that may be retried, unless another one is set: 0.2.
    ///
    /// The load of a service that fails each call is then at most 1.2 times that of one that answers.
    pub const SHARE: f32 = 0.2;

    /// How many retries a second are allowed whatever the calls, unless it is set: 10.
    ///
    /// It is for callers with few calls: with 1 call a second, a share of 0.2 is 1 retry in 5 s.
    pub const FLOOR_PER_SECOND: u32 = 10;

    /// How long calls and retries count, unless it is set: 10 s.
    ///
    /// Longer, and the calls of a good time pay for a storm of retries; shorter, and a burst of failures is not evened
    /// out.
    pub const TTL: Duration = Duration::from_secs(10);

    /// Makes a budget for a share of the calls and a floor, over a time.
    ///
    /// A share of 0.2 allows 1 retry for 5 calls; it is rounded to millionths. Without share and floor there are no
    /// retries.
    ///
    /// # Errors
    /// [`BudgetError`], unless 0 <= `share` <= 10, `floor_per_second` <= 1,000,000 and 1 s <= `ttl` <= 60 s.
    pub fn new(share: f32, floor_per_second: u32, ttl: Duration) -> Result<Self, BudgetError> {
        if !(0.0..=10.0).contains(&share) {
            return Err(BudgetError::Share { share });
        }
        if floor_per_second > 1_000_000 {
            return Err(BudgetError::Floor { floor_per_second });
        }
        if ttl < Duration::from_secs(1) || ttl > Duration::from_secs(60) {
            return Err(BudgetError::Ttl { ttl });
        }
        Ok(Self::checked(share, floor_per_second, ttl))
    }

    /// The arguments are in range.
    fn checked(share: f32, floor_per_second: u32, ttl: Duration) -> Self {
        let share = (f64::from(share) * ONE as f64).round() as Millionths;
        // So many a second, for a number of microseconds.
        let floor = u64::from(floor_per_second) * ttl.as_micros() as u64;
        Self { share, floor, ttl, clocked: Mutex::default() }
    }

    /// The share, the floor a second, and the time, as they were set.
    #[cfg(feature = "serde")]
    pub(super) fn numbers(&self) -> (f32, u32, Duration) {
        let share = self.share as f64 / ONE as f64;
        (share as f32, (self.floor / self.ttl.as_micros() as u64) as u32, self.ttl)
    }

    /// Notes a call: its first attempt, not its retries.
    pub fn deposit(&self, now: Instant) {
        self.at(now, |window| window.deposit());
    }

    /// Takes one retry from the budget.
    ///
    /// Returns whether the retry may be made; if it may not, nothing is taken. There is no way to give one back:
    /// whoever asks is about to retry.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        self.at(now, |window| {
            let covered = self.left(window) >= ONE;
            if covered {
                window.withdraw();
            }
            covered
        })
    }

    /// Returns how many retries could be made now.
    #[must_use]
    pub fn balance(&self, now: Instant) -> u64 {
        self.at(now, |window| self.left(window) / ONE)
    }

    fn left(&self, window: &Window) -> Millionths {
        let earned = self.share.saturating_mul(window.deposits()).saturating_add(self.floor);
        // Calls may have left the window before the retries that they paid for.
        earned.saturating_sub(ONE.saturating_mul(window.withdrawals()))
    }

    /// Looks at the window as it is at a time.
    ///
    /// A time before one that was passed earlier, of a thread that was interrupted, counts as that one.
    fn at<T>(&self, now: Instant, look: impl FnOnce(&mut Window) -> T) -> T {
        let mut clocked = self.clocked.lock();
        let origin = *clocked.origin.get_or_insert(now);
        let step = self.ttl.as_nanos() as u64 / Window::STEPS;
        clocked.window.advance(now.saturating_duration_since(origin).as_nanos() as u64 / step);
        look(&mut clocked.window)
    }
}

/// A fifth of the calls, and 10 retries a second, over 10 s.
impl Default for Budget {
    fn default() -> Self {
        Self::checked(Self::SHARE, Self::FLOOR_PER_SECOND, Self::TTL)
    }
}

/// A part of a [`Budget`] that is out of range.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// The share of the calls is negative, above 10, or not a number.
    #[error("{share} retries a call, expected 0 to 10")]
    Share {
        /// The share.
        share: f32,
    },
    /// The floor is too high.
    #[error("a floor of {floor_per_second} retries a second, expected at most 1000000")]
    Floor {
        /// The floor, a second.
        floor_per_second: u32,
    },
    /// The time is out of range.
    #[error("calls and retries count for {ttl:?}, expected 1s to 60s")]
    Ttl {
        /// The time.
        ttl: Duration,
    },
}

#[cfg(test)]
mod tests;
