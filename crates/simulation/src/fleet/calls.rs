//! The calls of a client process.

use std::time::Duration;

use oracle::{Attempted, Called, What};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zk_core::transport::latest;
use zk_roster::{CallError, Callee, Client, Endpoint, Strategy};

use super::callees::{Callees, Unserved};
use super::recorder::Recorder;

/// The pause between the beginnings of two calls, in milliseconds.
const PAUSES: std::ops::RangeInclusive<u64> = 200..=600;

/// How many calls of one client are in flight at most: more than fit into the time of a call at that rate.
const IN_FLIGHT: usize = 40;

/// How many keys calls belong to.
const KEYS: u32 = 16;

/// What makes the calls of one client process.
pub(super) struct Calls {
    pub(super) process: String,
    pub(super) client: Client,
    pub(super) idempotent: bool,
    pub(super) strategy: Strategy,
    pub(super) callees: Callees,
    pub(super) recorder: Recorder,
    /// Whether the process is paused.
    pub(super) paused: latest::Receiver<bool>,
    pub(super) seed: u64,
}

impl Calls {
    /// Calls again and again, until this is dropped.
    pub(super) async fn run(mut self) {
        let mut rng = SmallRng::seed_from_u64(self.seed);
        let mut calls = JoinSet::new();
        loop {
            sleep(Duration::from_millis(rng.random_range(PAUSES))).await;
            // Who pauses makes no call; the next one follows at its end.
            if self.paused.wait_for(|paused| !*paused).await.is_none() {
                return;
            }
            while calls.try_join_next().is_some() {}
            let key = rng.random_range(0..KEYS);
            if calls.len() < IN_FLIGHT {
                calls.spawn(self.call(key));
            }
        }
    }

    fn call(&self, key: u32) -> impl Future<Output = ()> + Send + 'static {
        let (client, recorder, callees) = (self.client.clone(), self.recorder.clone(), self.callees.clone());
        let (idempotent, keyed) = (self.idempotent, self.strategy == Strategy::Rendezvous);
        let process = self.process.clone();
        async move {
            let id = recorder.next_call();
            recorder.record(What::Call { id, process, idempotent });
            let op = {
                let recorder = recorder.clone();
                move |callee: Callee| attempt(id, callee, callees.clone(), recorder.clone())
            };
            let came = match (idempotent, keyed) {
                (false, false) => client.call(op).await,
                (false, true) => client.call_for(&key, op).await,
                (true, false) => client.call_idempotent(op).await,
                (true, true) => client.call_idempotent_for(&key, op).await,
            };
            recorder.record(What::Called { id, outcome: outcome(came) });
        }
    }
}

fn outcome(came: Result<Endpoint, CallError<Endpoint, Unserved>>) -> Called {
    match came {
        Ok(endpoint) => Called::Answered { endpoint: endpoint.to_string() },
        Err(error) => Called::Failed { reason: error.reason().name().to_owned() },
    }
}

async fn attempt(
    id: u64,
    callee: Callee,
    callees: Callees,
    recorder: Recorder,
) -> Result<Endpoint, Unserved> {
    let endpoint = callee.endpoint().clone();
    let mut attempt = Attempt::begin(id, endpoint.to_string(), recorder);
    let came = callees.attempt(&attempt.endpoint).await;
    attempt.outcome = match came {
        Ok(()) => Attempted::Answered,
        Err(Unserved::Refused) => Attempted::Refused,
        Err(_) => Attempted::Failed,
    };
    came.map(|()| endpoint)
}

/// An attempt under way. It is recorded when it ends, however it does.
struct Attempt {
    id: u64,
    endpoint: String,
    began: Instant,
    outcome: Attempted,
    recorder: Recorder,
}

impl Attempt {
    fn begin(id: u64, endpoint: String, recorder: Recorder) -> Self {
        Self { id, endpoint, began: Instant::now(), outcome: Attempted::Unanswered, recorder }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (id, endpoint) = (self.id, std::mem::take(&mut self.endpoint));
        let began = self.recorder.since_begin(self.began);
        self.recorder.record(What::Attempt { id, endpoint, began, outcome: self.outcome });
    }
}
