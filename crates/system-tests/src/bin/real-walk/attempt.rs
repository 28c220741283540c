//! One attempt of a call: connects, reads a line, and records what came of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use oracle::{Attempted, What};
use tokio::io::AsyncReadExt;
use zk_roster::{Callee, dial};

use crate::recorder::Recorder;
use crate::views::Views;

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) id: u64,
    pub(crate) recorder: Recorder,
    pub(crate) views: Views,
    /// Whether trials are made beside the call: they are no attempts of it.
    pub(crate) skips_trials: bool,
}

/// An attempt that may be dropped at any moment: then it was not answered.
struct UnderWay {
    attempts: Arc<Attempts>,
    endpoint: String,
    began: Duration,
    outcome: Attempted,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self { attempts, endpoint, began, outcome } = self;
        let (id, endpoint) = (attempts.id, std::mem::take(endpoint));
        attempts.recorder.record(What::Attempt { id, endpoint, began: *began, outcome: *outcome });
    }
}

/// Returns who has answered.
pub(crate) async fn attempt(attempts: Arc<Attempts>, callee: Callee) -> io::Result<String> {
    let endpoint = callee.endpoint().to_string();
    if attempts.skips_trials && callee.target().is_trial() {
        return exchange(&callee).await.map(|()| endpoint);
    }
    attempts.views.look();
    let began = attempts.recorder.clock().now();
    let mut under_way =
        UnderWay { attempts, endpoint: endpoint.clone(), began, outcome: Attempted::Unanswered };
    let answer = exchange(&callee).await;
    under_way.outcome = match &answer {
        Ok(()) => Attempted::Answered,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Attempted::Refused,
        Err(_) => Attempted::Failed,
    };
    answer.map(|()| endpoint)
}

async fn exchange(callee: &Callee) -> io::Result<()> {
    let mut stream = dial(callee).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.ends_with('\n') {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
