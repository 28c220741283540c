//! Lets a plan happen.

mod callees;
mod calls;
mod client;
mod ensemble;
mod follow;
mod links;
mod nemesis;
mod once;
mod others;
mod panics;
mod processes;
mod recorder;
mod server;
mod story;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oracle::{Bounds, History, What};
use tokio::runtime::Builder;
use zk_core::transport::Ensemble;
use zk_roster::CallConfig;
use zk_simulated::SimulatedEnsemble;

use crate::coverage::{self, Arrows};
use crate::plan::{Plan, Spec};
use nemesis::Nemesis;
use panics::Panics;
use recorder::Recorder;

/// The service: the znode whose children are the instances.
const ROOT: &str = "/services/web";

/// How often registrations and views compare themselves with ZooKeeper: often enough for an audit within each run.
const AUDIT: Duration = Duration::from_secs(8);

/// How long one attempt of a call may take, and the whole call.
const ATTEMPT: Duration = Duration::from_millis(500);
const CALL: Duration = Duration::from_secs(3);

/// What is allowed on top of all bounds before the run ends, so that whoever keeps to them is seen to.
const MARGIN: Duration = Duration::from_secs(5);

/// Passes each process its ensemble: as it is, or with something planted.
pub type Wrap<'a> = &'a dyn Fn(Arc<dyn Ensemble>) -> Arc<dyn Ensemble>;

/// What came of a plan.
#[derive(Clone)]
pub struct Run {
    /// What has happened, for the oracle.
    pub history: History,
    /// How often each kind of fault has happened, and how often it has taken effect.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
    /// Which steps of their machines everybody has made, and how often.
    pub arrows: Arrows,
    ensemble: SimulatedEnsemble,
    /// Which process each client of the ensemble is.
    names: BTreeMap<u64, String>,
}

impl Run {
    /// The history for people, a line each: what was done, every request and event, what everybody said. The same plan gives
    /// the same lines. They are made now: most runs are never read.
    pub fn story(&self) -> Vec<String> {
        story::lines(&self.history, &self.ensemble.log(), &self.names)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("records", &self.history.records.len())
            .field("faults", &self.faults)
            .finish()
    }
}

/// Lets a plan happen on a runtime of its own, in virtual time, and everything be healed afterwards.
///
/// # Panics
/// Inside a tokio runtime.
pub fn run(plan: &Plan) -> Run {
    run_with(plan, &|ensemble| ensemble)
}

/// As [`run`], with something between each process and its ensemble.
///
/// # Panics
/// Inside a tokio runtime.
pub fn run_with(plan: &Plan, wrap: Wrap<'_>) -> Run {
    coverage::install();
    // Of a run that has panicked.
    coverage::take();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O takes nothing from the system");
    let mut run = runtime.block_on(happen(plan, wrap));
    drop(runtime);
    run.arrows = coverage::take();
    run
}

async fn happen(plan: &Plan, wrap: Wrap<'_>) -> Run {
    let recorder = Recorder::begin();
    let panics = Panics::watch(&recorder);
    let ensemble = ensemble::build(plan);
    truth::follow(&ensemble, &recorder);
    recorder.record(What::Ensemble { old: plan.spec.old });
    let mut nemesis = Nemesis::new(plan, &ensemble, &recorder, wrap);
    nemesis.spawn_all();
    for step in &plan.steps {
        nemesis.let_pass(Duration::from_millis(step.after_ms)).await;
        nemesis.act(&step.act);
    }
    nemesis.heal().await;
    recorder.record(What::Healed);
    let bounds = bounds(&plan.spec);
    nemesis.let_pass(liveness(&bounds)).await;
    recorder.record(What::End);
    let faults = recorder.faults();
    nemesis.end().await;
    drop(panics);
    let names = recorder.names();
    let history = History { bounds, records: recorder.take() };
    Run { history, faults, arrows: Arrows::default(), ensemble, names }
}

/// The deadlines and retries of calls.
fn call_config() -> CallConfig {
    CallConfig::new(ATTEMPT, CALL).expect("an attempt is shorter than its call")
}

/// What a run of this fleet promises to keep.
fn bounds(spec: &Spec) -> Bounds {
    let ms = Duration::from_millis;
    let tick = ms(spec.tick_ms);
    let session_timeout = spec.session_timeout().clamp(2 * tick, 20 * tick);
    // A change travels to a server and from there to its client; a record is waited for 250 ms, and settles before.
    let travels = ms(4 * spec.round_trip_ms.1 + 2 * spec.reply_lag_ms + 2 * spec.follower_lag_ms);
    Bounds {
        session_timeout,
        tick,
        propagation: travels + ms(25 + 250 + 100),
        backoff: (session_timeout / 3).min(Duration::from_secs(1)),
        attempt: ATTEMPT,
        call: CALL,
        max_attempts: CallConfig::MAX_ATTEMPTS,
        max_refused: CallConfig::MAX_REFUSED,
        hold: session_timeout + Duration::from_secs(2),
        settle: ms(25),
        audit: AUDIT,
    }
}

/// How long nothing is broken at the end of a run: longer than any bound.
fn liveness(bounds: &Bounds) -> Duration {
    2 * bounds.session_timeout
        + 2 * bounds.tick
        + bounds.hold
        + bounds.audit * 5 / 4
        + bounds.propagation
        + MARGIN
}

#[cfg(test)]
mod tests;
