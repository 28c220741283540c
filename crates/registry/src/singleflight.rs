//! One operation for all callers that need it at the same time.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// An operation whose success serves every caller that took a ticket before the operation began.
#[derive(Debug, Default)]
pub(crate) struct Singleflight {
    begun: AtomicU64,
    /// The number of the last operation that succeeded.
    done: Mutex<u64>,
}

/// How many operations had begun when the caller came to need one: a later one serves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Singleflight {
    /// Takes a ticket: an operation that begins later serves its owner.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.begun.load(Ordering::SeqCst))
    }

    /// Runs the operation, unless one that began after the ticket was taken has succeeded.
    ///
    /// # Cancel safety
    /// Safe where the operation is: the next caller in line runs its own.
    pub(crate) async fn run<E>(
        &self,
        ticket: Ticket,
        operation: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let mut done = self.done.lock().await;
        if *done > ticket.0 {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        operation.await?;
        *done = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
