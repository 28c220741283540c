//! The task that checks, and publishes the verdict.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, error, info, warn};

use super::check::{Check, HealthCheck, Kind};
use super::damping::Damping;
use super::verdict::ServiceHealth;

/// How much of a reason is shown, in characters.
const LONGEST_REASON: usize = 200;

/// Checks for ever, and publishes each new verdict.
///
/// # Cancel safety
/// A check that is under way is aborted.
pub(crate) async fn watch_over(check: HealthCheck, verdicts: watch::Sender<ServiceHealth>) {
    let damping = check.damping();
    let timeout = check.timeout;
    match check.kind {
        Kind::Watch(healthy) => follow(healthy, &verdicts).await,
        Kind::Every { interval, check } => {
            Checking { check, interval, timeout, damping, verdicts, has_panicked: false }.run().await
        }
    }
}

async fn follow(mut healthy: watch::Receiver<bool>, verdicts: &watch::Sender<ServiceHealth>) {
    loop {
        let is_healthy = *healthy.borrow_and_update();
        publish(verdicts, if is_healthy { Ok(()) } else { Err("the program says so".into()) });
        if healthy.changed().await.is_err() {
            publish(
                verdicts,
                Err("nobody judges its health any more: the sender of the watch was dropped".into()),
            );
            return pending().await;
        }
    }
}

struct Checking {
    check: Check,
    interval: Duration,
    timeout: Duration,
    damping: Damping,
    verdicts: watch::Sender<ServiceHealth>,
    /// The last check has.
    has_panicked: bool,
}

impl Checking {
    async fn run(mut self) {
        loop {
            let begun = Instant::now();
            let check = self.check.clone();
            let mut running = AbortOnDropHandle::new(tokio::spawn(async move { check().await }));
            match timeout(self.timeout, &mut running).await {
                Ok(answer) => self.ended(answer),
                Err(_) => self.hangs(running).await,
            }
            sleep(self.interval.saturating_sub(begun.elapsed())).await;
        }
    }

    fn ended(&mut self, answer: Result<Result<(), String>, JoinError>) {
        let panicked = answer.is_err();
        if panicked && !self.has_panicked {
            error!("the health check panicked: the service counts as sick");
        }
        self.has_panicked = panicked;
        self.answered(answer.unwrap_or_else(|_| Err("the check panicked".into())));
    }

    /// Aborts a check, and waits for its end: one that blocks its thread does not end at once.
    async fn hangs(&mut self, mut running: AbortOnDropHandle<Result<(), String>>) {
        running.abort();
        loop {
            self.answered(Err(format!("the check did not answer within {:?}", self.timeout)));
            tokio::select! {
                biased;
                _ = &mut running => return,
                () = sleep(self.interval) => {}
            }
        }
    }

    fn answered(&mut self, answer: Result<(), String>) {
        if let Err(reason) = &answer {
            debug!(%reason, "health check failed");
        }
        match (self.damping.answer(answer.is_ok()), answer) {
            (true, _) => publish(&self.verdicts, Ok(())),
            (false, Err(reason)) => publish(&self.verdicts, Err(reason)),
            // It takes more of them: the reason stays.
            (false, Ok(())) => {}
        }
    }
}

/// Publishes a verdict, and logs it if it is another one.
fn publish(verdicts: &watch::Sender<ServiceHealth>, verdict: Result<(), String>) {
    let verdict = match verdict {
        Ok(()) => ServiceHealth::Healthy,
        Err(reason) => ServiceHealth::Sick(one_line(&reason)),
    };
    verdicts.send_if_modified(|before| {
        match (&*before, &verdict) {
            (before, now) if before == now => return false,
            (_, ServiceHealth::Healthy) => info!("service is healthy"),
            (ServiceHealth::Sick(_), ServiceHealth::Sick(reason)) => debug!(%reason, "service is still sick"),
            (_, verdict) => warn!(%verdict, "service is not healthy"),
        }
        *before = verdict;
        true
    });
}

/// The beginning of a reason, on one line: it is part of a status.
fn one_line(reason: &str) -> String {
    let line = reason.split(char::is_control).find(|part| !part.trim().is_empty()).unwrap_or("no reason");
    line.trim().chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests;
