//! A recording client: `real-walk client`. It follows the service, calls it all the time, and records its views and its calls.
//!
//! SIGUSR1 has it make no more calls; any signal that asks to stop ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oracle::{Called, What};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use zk_program::Signals;
use zk_roster::{CallConfig, Client, Records, Strategy};

use crate::attempt::{Attempts, attempt};
use crate::child::{Child, Failed};
use crate::flags::Flags;
use crate::settings::{ATTEMPT, AUDIT, CALL, CLOSING, PACE, ROOT};
use crate::views::Views;

/// The flags beside those of every recording process.
pub(crate) const FLAGS: [&str; 4] = ["--strategy", "--records", "--idempotent", "--first-call"];

pub(crate) async fn run(child: Child, flags: &Flags) -> Result<(), Failed> {
    let mut stop = Signals::install(&[])?;
    let mut quiet = signal(SignalKind::user_defined1())?;
    let zk = child.link()?;
    let strategy: Strategy = flags.need("--strategy")?;
    let reads_records: bool = flags.need("--records")?;
    let client = Client::builder(&zk, ROOT)?
        .strategy(strategy)
        .calls(CallConfig::new(ATTEMPT, CALL)?)
        .discovery(|config| {
            let records = if reads_records { Records::Read } else { Records::NamesOnly };
            config.with_records(records).with_audit_interval(AUDIT).expect("the interval is in range")
        })
        .start();
    let views = Views::record(child.clone(), client.discovery(), reads_records);
    let mut calls = Calls {
        child,
        client: client.clone(),
        views,
        is_idempotent: flags.need("--idempotent")?,
        next: flags.need("--first-call")?,
        under_way: JoinSet::new(),
    };
    // As a service does that waits for its dependencies before it takes calls itself.
    let mut known = client.discovery().views();
    tokio::select! {
        known = known.wait_for(|view| view.snapshot.as_ref().is_some_and(|set| !set.is_empty())) => drop(known?),
        _ = stop.stop() => return Ok(()),
    }
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let calling = AtomicBool::new(true);
    loop {
        tokio::select! {
            _ = stop.stop() => break,
            _ = quiet.recv() => calling.store(false, Ordering::Relaxed),
            _ = pace.tick(), if calling.load(Ordering::Relaxed) => calls.begin(),
        }
    }
    calls.end().await;
    client.shutdown().await;
    // What is not confirmed in time is logged.
    let _ = zk.close(CLOSING).await;
    Ok(())
}

struct Calls {
    child: Child,
    client: Client,
    views: Views,
    is_idempotent: bool,
    next: u64,
    under_way: JoinSet<()>,
}

impl Calls {
    /// Begins a call. A slow one does not keep the next one waiting.
    fn begin(&mut self) {
        while self.under_way.try_join_next().is_some() {}
        let (id, is_idempotent) = (self.next, self.is_idempotent);
        self.next += 1;
        let (recorder, client, views) =
            (self.child.recorder.clone(), self.client.clone(), self.views.clone());
        recorder.record(What::Call { id, process: self.child.name.clone(), idempotent: is_idempotent });
        self.under_way.spawn(async move {
            let attempts = Attempts { id, recorder: recorder.clone(), views, skips_trials: is_idempotent };
            let attempts = Arc::new(attempts);
            let called = match is_idempotent {
                true => client.call_idempotent(move |callee| attempt(attempts.clone(), callee)).await,
                false => client.call(move |callee| attempt(attempts.clone(), callee)).await,
            };
            let outcome = match called {
                Ok(endpoint) => Called::Answered { endpoint },
                Err(error) => Called::Failed { reason: error.reason().name().to_owned() },
            };
            recorder.record(What::Called { id, outcome });
        });
    }

    /// Waits for those that are under way.
    async fn end(mut self) {
        while self.under_way.join_next().await.is_some() {}
    }
}
