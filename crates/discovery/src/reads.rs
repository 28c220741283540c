//! Reads of records that are on their way.

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::record_cache::Batch;
use crate::source::{Answer, Source};

/// How many batches may be on their way at one time.
const BATCHES: usize = 4;

/// A batch that was read.
pub(crate) struct Read {
    pub(crate) ticket: u64,
    pub(crate) answers: Vec<Answer>,
}

#[derive(Default)]
pub(crate) struct Reads {
    batches: FuturesUnordered<BoxFuture<'static, Read>>,
}

impl Reads {
    /// Whether another batch may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.batches.len() < BATCHES
    }

    pub(crate) fn send(&mut self, source: &Source, Batch { ticket, names }: Batch) {
        let answers = source.read(names);
        self.batches.push(async move { Read { ticket, answers: answers.await } }.boxed());
    }

    /// The next batch that was answered; never if none is on its way.
    ///
    /// No batch is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Read {
        match self.batches.next().await {
            Some(read) => read,
            None => std::future::pending().await,
        }
    }
}
