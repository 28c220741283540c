//! [`HealthCheck`]: how the health of a service is known.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::damping::Damping;

/// Decides whether a service is registered: a value that the program sets, or a check that is made again and again.
///
/// ```
/// use std::time::Duration;
/// use zk_roster::{HealthCheck, WhenSick};
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn ping(&self) -> Result<(), std::io::Error> { Ok(()) } }
///
/// // A check every five seconds. `bool` is an answer, and so is `Result<(), E>`, whose error is the reason in the status.
/// let pool = Pool;
/// let ping = move || {
///     let pool = pool.clone();
///     async move { pool.ping().await }
/// };
/// let check = HealthCheck::every(Duration::from_secs(5), ping)
///     .timeout(Duration::from_millis(500))
///     .when_sick(WhenSick::Leave);
///
/// // Or a value, where the program knows by itself.
/// let (health, watched) = tokio::sync::watch::channel(false);
/// let check = HealthCheck::watch(watched);
/// health.send_replace(true);
/// ```
///
/// A healthy service is registered. A sick one is draining, or has left: [`when_sick`](Self::when_sick). A service that was
/// not healthy yet is not registered at all: nobody has called it, so nobody has to be told.
///
/// # What to check
/// What this instance has for itself: its threads, its disk, its own connections. A check of what all instances share takes all of
/// them out at the same time, and a call that would fail then finds nobody to call.
///
/// # What counts as sick
/// `false` and `Err`; a check that does not answer within its [`timeout`](Self::timeout), and one that panics (which is logged).
/// A watch whose sender is dropped, whatever its last value: nobody judges the health any more, and a service that stayed
/// healthy for that reason would stay so for ever. So keep the sender for as long as the service runs.
///
/// # Damping
/// The first answer of a check decides at once. After that a healthy service is sick after [`fall`](Self::fall) answers in a
/// row that say so, and a sick one healthy after [`rise`](Self::rise). The value of a watch is a verdict, not an answer: it
/// holds at once, and neither count applies.
pub struct HealthCheck {
    pub(super) kind: Kind,
    rise: u32,
    fall: u32,
    pub(super) timeout: Duration,
    when_sick: WhenSick,
}

pub(super) enum Kind {
    Watch(watch::Receiver<bool>),
    Every { interval: Duration, check: Check },
}

/// A check, as it is called.
pub(super) type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a sick service does. Either way callers send it nothing new, if they read what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenSick {
    /// It stays registered, and its record says that it is draining: the default. Operators still see it, and it is back with
    /// one write. Only callers that read records know: [`Client`](crate::Client) does by default.
    #[default]
    Drain,
    /// It deregisters: right where callers read names only, as those of other programs do.
    Leave,
}

/// What a check answers: `true` or `Ok` is healthy.
pub trait CheckAnswer {
    /// Returns the answer, with the reason why the service is sick.
    ///
    /// # Errors
    /// If it is sick.
    fn into_answer(self) -> Result<(), String>;
}

impl CheckAnswer for bool {
    fn into_answer(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("the check says no".into()) }
    }
}

impl<E: fmt::Display> CheckAnswer for Result<(), E> {
    fn into_answer(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

impl HealthCheck {
    /// How many answers in a row make a sick service healthy, by default: 2. One may be luck, as of a dependency that is
    /// just starting.
    pub const DEFAULT_RISE: u32 = 2;
    /// How many answers in a row make a healthy service sick, by default: 3. One or two are a lost packet, or a pause of
    /// either side.
    pub const DEFAULT_FALL: u32 = 3;
    /// How long a check may take, by default: 1 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
    /// The shortest interval and the shortest timeout: 10 ms. Shorter ones are raised to it.
    pub const SHORTEST: Duration = Duration::from_millis(10);

    /// The service is healthy while the value is `true`.
    #[must_use]
    pub fn watch(healthy: watch::Receiver<bool>) -> Self {
        Self::new(Kind::Watch(healthy))
    }

    /// The service is healthy while this check says so. It is made at once, and again each `interval`; the next one never
    /// begins before the last one has ended.
    ///
    /// Each check runs as a task of its own, and is aborted after the [`timeout`](Self::timeout). A check that blocks its
    /// thread cannot be aborted: it counts as sick for as long as it lasts.
    #[must_use]
    pub fn every<F, Fut>(interval: Duration, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: CheckAnswer,
    {
        let check = Arc::new(check);
        // The check is called within the future, so that a panic in either is one of the task.
        let check = move || {
            let check = check.clone();
            async move { check().await.into_answer() }.boxed()
        };
        Self::new(Kind::Every { interval: interval.max(Self::SHORTEST), check: Arc::new(check) })
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            rise: Self::DEFAULT_RISE,
            fall: Self::DEFAULT_FALL,
            timeout: Self::DEFAULT_TIMEOUT,
            when_sick: WhenSick::default(),
        }
    }

    /// Sets how many answers in a row make a sick service healthy; 0 counts as 1.
    #[must_use]
    pub fn rise(mut self, answers: u32) -> Self {
        self.rise = answers;
        self
    }

    /// Sets how many answers in a row make a healthy service sick; 0 counts as 1.
    #[must_use]
    pub fn fall(mut self, answers: u32) -> Self {
        self.fall = answers;
        self
    }

    /// Sets how long a check may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Self::SHORTEST);
        self
    }

    /// Sets what the service does while it is sick.
    #[must_use]
    pub fn when_sick(mut self, when_sick: WhenSick) -> Self {
        self.when_sick = when_sick;
        self
    }

    pub(crate) fn does_when_sick(&self) -> WhenSick {
        self.when_sick
    }

    pub(super) fn damping(&self) -> Damping {
        Damping::new(self.rise, self.fall)
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("HealthCheck");
        match &self.kind {
            Kind::Watch(healthy) => shown.field("watch", &*healthy.borrow()),
            Kind::Every { interval, .. } => shown.field("every", interval),
        };
        shown.field("rise", &self.rise).field("fall", &self.fall).field("timeout", &self.timeout);
        shown.field("when_sick", &self.when_sick).finish()
    }
}
