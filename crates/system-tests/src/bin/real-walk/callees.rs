//! How callers fare at each endpoint: a prober that connects to it every 50 ms, without discovery.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oracle::{Answers, What};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::recorder::Recorder;

const PACE: Duration = Duration::from_millis(50);
/// An answer that takes longer is a bad one. Well below the time of an attempt.
const WELL: Duration = Duration::from_millis(200);

/// Everybody that may be called.
#[derive(Clone, Debug)]
pub(crate) struct Callees {
    recorder: Recorder,
    known: Arc<Mutex<BTreeMap<SocketAddr, Callee>>>,
}

#[derive(Clone, Debug)]
struct Callee {
    process: String,
    answers: Answers,
    /// Changes with each mark: what a probe finds that began before says nothing any more.
    marks: u64,
    /// When the last probe began that was answered well.
    well_at: Duration,
}

impl Callees {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self { recorder, known: Arc::default() }
    }

    /// Begins to probe an endpoint. Ends with the set of tasks.
    pub(crate) fn probe(&self, endpoint: SocketAddr, process: &str, tasks: &mut JoinSet<()>) {
        let callee = Callee {
            process: process.to_owned(),
            answers: Answers::Refuses,
            marks: 0,
            well_at: Duration::ZERO,
        };
        self.known.lock().insert(endpoint, callee);
        let callees = self.clone();
        tasks.spawn(async move {
            loop {
                let began = callees.recorder.clock().now();
                let marks = callees.known.lock().get(&endpoint).map(|callee| callee.marks);
                let found = answers(endpoint).await;
                callees.found(endpoint, began, marks, found);
                sleep(PACE).await;
            }
        });
    }

    /// Says what is about to be done to whoever listens at an endpoint, before the prober can see it.
    pub(crate) fn mark(&self, endpoint: SocketAddr, answers: Answers) {
        let now = self.recorder.clock().now();
        if let Some(callee) = self.known.lock().get_mut(&endpoint) {
            callee.marks += 1;
            callee.becomes(endpoint, answers, now, &self.recorder);
        }
    }

    fn found(&self, endpoint: SocketAddr, began: Duration, marks: Option<u64>, found: Answers) {
        let now = self.recorder.clock().now();
        let mut known = self.known.lock();
        let Some(callee) = known.get_mut(&endpoint).filter(|callee| Some(callee.marks) == marks) else {
            return;
        };
        // It may have been bad since the last good answer.
        let since =
            if found == Answers::Well { now } else { callee.well_at.max(began.saturating_sub(2 * PACE)) };
        callee.becomes(endpoint, found, since, &self.recorder);
        if found == Answers::Well {
            callee.well_at = began;
        }
    }
}

impl Callee {
    fn becomes(&mut self, endpoint: SocketAddr, answers: Answers, at: Duration, recorder: &Recorder) {
        if std::mem::replace(&mut self.answers, answers) == answers {
            return;
        }
        let process = (answers != Answers::Refuses).then(|| self.process.clone());
        recorder.record_at(at, What::Serving { endpoint: endpoint.to_string(), process, answers });
    }
}

async fn answers(endpoint: SocketAddr) -> Answers {
    let exchange = async {
        let mut answer = String::new();
        TcpStream::connect(endpoint).await?.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    match timeout(WELL, exchange).await {
        Ok(Ok(answer)) if answer.ends_with('\n') => Answers::Well,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Answers::Refuses,
        _ => Answers::Badly,
    }
}
