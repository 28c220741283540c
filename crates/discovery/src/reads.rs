//! Batches of records whose read is under way.

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::record_cache::Batch;
use crate::source::{RecordReply, Source};

/// How many batches may be under way at one time.
const MAX_BATCHES: usize = 4;

/// The reply for a batch.
pub(crate) struct BatchReply {
    pub(crate) ticket: u64,
    pub(crate) records: Vec<RecordReply>,
}

#[derive(Default)]
pub(crate) struct Reads {
    batches: FuturesUnordered<BoxFuture<'static, BatchReply>>,
}

impl Reads {
    /// Returns whether another batch may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.batches.len() < MAX_BATCHES
    }

    pub(crate) fn send(&mut self, source: &Source, Batch { ticket, names }: Batch) {
        let records = source.read(names);
        self.batches.push(async move { BatchReply { ticket, records: records.await } }.boxed());
    }

    /// Waits for the next reply; forever if no batch is under way.
    ///
    /// No reply is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> BatchReply {
        match self.batches.next().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }
}
