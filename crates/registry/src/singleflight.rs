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
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[tokio::test]
    async fn one_operation_serves_all_callers_with_an_earlier_ticket() {
        let (flight, runs) = (Singleflight::default(), AtomicU32::new(0));
        let operation = || async {
            runs.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(())
        };
        let ticket = flight.ticket();
        let _ = tokio::join!(flight.run(ticket, operation()), flight.run(ticket, operation()));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        flight.run(flight.ticket(), operation()).await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2, "an earlier operation does not serve a later ticket");
    }

    #[tokio::test]
    async fn a_failed_operation_serves_no_other_caller() {
        let flight = Singleflight::default();
        let ticket = flight.ticket();
        flight.run(ticket, async { Err("no") }).await.unwrap_err();
        let mut has_run = false;
        let operation = async {
            has_run = true;
            Ok::<_, Infallible>(())
        };
        flight.run(ticket, operation).await.unwrap();
        assert!(has_run);
    }
}
