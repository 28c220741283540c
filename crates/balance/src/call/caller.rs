//! Calls endpoints until one answers.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answered::Answered;
use super::attempt::{Attempt, Limits, settle};
use super::classify::Classify;
use super::common::Common;
use super::config::CallConfig;
use super::error::CallError;
use super::fair_time::FairTime;
use super::run::{Manner, run};
use super::target::Target;
use super::trials::Trials;
use crate::hash::stable_hash;
use crate::info::EndpointInfo;
use crate::pick::Pick;
use crate::picker::Picker;
use crate::reader::Reader;
use crate::strategy::StrategyPicker;

/// Calls endpoints until one answers. Clones share everything.
///
/// ```
/// use std::io;
///
/// use balance::{Balancer, CallConfig, Caller, BalancerConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let balancer = Balancer::new(BalancerConfig::default());
/// balancer.update([("down", ()), ("up", ())]);
/// let caller = Caller::new(balancer.reader(), CallConfig::default());
/// let answered = caller.call(async |target| match *target.key() {
///     "up" => Ok("hello"),
///     _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
/// });
/// let answered = answered.await.expect("one of them is up");
/// assert_eq!((*answered.key(), answered.value), ("up", "hello"));
/// # }
/// ```
///
/// # Attempts
/// Each attempt goes to an endpoint that has not been tried in this round, first to those in service, then to held ones, then to ejected
/// ones, last to those that refused. It gets [`CallConfig::attempt`], or what is left of the call's time. When it fails, the next one
/// follows at once: elsewhere in service where something has answered before; if there is nobody like that, alternately where something
/// has answered before, though it is ejected, and in the order above. When all have been tried, the call pauses for 50 ms, later for up
/// to 500 ms, and begins a new round with the endpoints of that moment; one that has come into service in the meantime is tried within
/// 50 ms. While there is nobody to call, it looks every 50 ms. So a call waits for the first endpoints, and survives the restart of all.
///
/// A retry takes one from the [`Budget`](crate::Budget), unless nothing was sent: no connection was made. Attempts are bounded
/// for each call, too, refused ones apart. What may have had an effect is repeated for idempotent calls only.
///
/// # Evidence
/// An attempt that has no answer in its time is a failure of its endpoint, also if the end of the call cuts it short, or the caller drops
/// the call, after a *fair time*: four times what an answered attempt takes on average, at least 50 ms, at most half of
/// [`CallConfig::attempt`], and that half as long as nothing has answered. Half of it, or 50 ms as long as nothing has answered, is
/// doubtful: such an attempt counts as [`Failure::Unavailable`](crate::Failure::Unavailable), of which five in a row eject. A shorter
/// one says nothing. The average is that of the caller: give operations that take much longer than others a caller of their own.
///
/// # Trials of ejected endpoints
/// Idempotent calls explore beside the call, so nobody waits for it: see [`call_idempotent`](Self::call_idempotent). Other calls
/// explore in line: at most one pick in 20, the first attempt of its call, with half of the time at most. While the balancer is
/// [probed](crate::Balancer::probe), neither does. A trial in line that may have had an effect ends a call that must not be repeated, as
/// any attempt does: where that matters, probe.
///
/// # Drop
/// The last clone aborts the trials beside calls; [`shutdown`](Self::shutdown) waits for their end.
pub struct Caller<K, V, P = StrategyPicker> {
    common: Arc<Common<K, V, P>>,
}

impl<K, V, P> Caller<K, V, P>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: EndpointInfo + Send + Sync + 'static,
    P: Picker<K, V>,
{
    /// Makes a caller for the endpoints of the reader, with its picker.
    #[must_use]
    pub fn new(reader: Reader<K, V, P>, config: CallConfig) -> Self {
        let common = Common {
            shared: Arc::clone(reader.shared()),
            reader: Mutex::new(reader),
            fair_time: FairTime::new(config.attempt),
            trials: Trials::new(),
            config,
        };
        Self { common: Arc::new(common) }
    }

    /// Calls endpoints until one answers. The operation is repeated after a failure only if that certainly had no effect
    /// ([`Classify::had_no_effect`]), or if the configuration says that it is
    /// [idempotent](CallConfig::with_idempotent).
    ///
    /// # Errors
    /// [`CallError`], which says why, and what was tried.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timer enabled.
    ///
    /// # Cancel safety
    /// Dropping the future drops the attempt under way: it is no call in flight any more. That is a failure of its endpoint if it
    /// had a fair time.
    pub async fn call<T, E, F, Fut>(&self, op: F) -> Result<Answered<K, V, T>, CallError<K, E>>
    where
        E: Classify,
        F: FnMut(Target<K, V>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run(&self.common, self.in_line(None), op).await
    }

    /// As [`call`](Self::call), for a call that belongs to `key`: strategies that go by a key send equal keys to one endpoint.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_for<Q, T, E, F, Fut>(
        &self,
        key: &Q,
        op: F,
    ) -> Result<Answered<K, V, T>, CallError<K, E>>
    where
        Q: Hash + ?Sized,
        E: Classify,
        F: FnMut(Target<K, V>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run(&self.common, self.in_line(Some(stable_hash(key))), op).await
    }

    /// As [`call`](Self::call), for an operation that may be repeated whatever came of it.
    ///
    /// Its own attempts are no trials. Beside them it starts at most one trial, if one is due, and does not wait for it: a task with
    /// the same operation on the ejected endpoint, whose outcome decides whether it comes back into service, and whose answer is
    /// thrown away. There are at most eight at a time, each limited to the time of an attempt.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Panics
    /// As [`call`](Self::call). A panic of the operation in a trial ends that trial only.
    ///
    /// # Cancel safety
    /// As [`call`](Self::call). The trial goes on.
    pub async fn call_idempotent<T, E, F, Fut>(&self, op: F) -> Result<Answered<K, V, T>, CallError<K, E>>
    where
        E: Classify + 'static,
        T: 'static,
        F: Fn(Target<K, V>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.try_beside(&op);
        run(&self.common, Manner { key: None, is_idempotent: true, may_try: false }, op).await
    }

    /// As [`call_idempotent`](Self::call_idempotent), for a call that belongs to `key`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_idempotent_for<Q, T, E, F, Fut>(
        &self,
        key: &Q,
        op: F,
    ) -> Result<Answered<K, V, T>, CallError<K, E>>
    where
        Q: Hash + ?Sized,
        E: Classify + 'static,
        T: 'static,
        F: Fn(Target<K, V>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.try_beside(&op);
        let key = Some(stable_hash(key));
        run(&self.common, Manner { key, is_idempotent: true, may_try: false }, op).await
    }

    /// Ends the trials beside calls, and starts no more. Calls are made as before.
    ///
    /// # Cancel safety
    /// Dropping the future ends them, too, but later.
    pub async fn shutdown(&self) {
        self.common.trials.shutdown().await;
    }

    fn in_line(&self, key: Option<u64>) -> Manner {
        Manner { key, is_idempotent: self.common.config.is_idempotent, may_try: true }
    }

    /// Starts a trial beside the call, if one is due.
    fn try_beside<T, E, F, Fut>(&self, op: &F)
    where
        E: Classify + 'static,
        T: 'static,
        F: Fn(Target<K, V>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let Common { shared, config, fair_time, trials, .. } = &*self.common;
        if !shared.is_trial_due() {
            return;
        }
        trials.spawn(|| {
            let limit = shared.config.max_in_flight.unwrap_or(u32::MAX);
            let (entry, ticket) = shared.start_trial(&|entry| entry.in_flight() < limit, config.attempt)?;
            let (pick, op) = (Pick::trial(entry, ticket), op.clone());
            let limits = Limits { connect: config.connect, attempt: config.attempt, fair: fair_time.get() };
            // The operation begins in the task, not under the lock of the tasks.
            Some(async move { settle(Attempt::begin(pick, limits, op)).await })
        });
    }
}

impl<K, V, P> Clone for Caller<K, V, P> {
    fn clone(&self) -> Self {
        Self { common: Arc::clone(&self.common) }
    }
}

impl<K, V, P> fmt::Debug for Caller<K, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("config", &self.common.config).finish_non_exhaustive()
    }
}
