//! What it is enough to do once for many who ask at the same time.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// An act whose success serves everybody who asked before it began.
#[derive(Debug, Default)]
pub(crate) struct Singleflight {
    begun: AtomicU64,
    /// The number of the last one that succeeded.
    done: Mutex<u64>,
}

/// When somebody asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked(u64);

impl Singleflight {
    /// From now on: one that begins later serves.
    pub(crate) fn ask(&self) -> Asked {
        Asked(self.begun.load(Ordering::SeqCst))
    }

    /// Acts, unless somebody's act that began since `asked` has succeeded.
    ///
    /// # Cancel safety
    /// Safe where the act is: whoever waits next acts in its place.
    pub(crate) async fn act<E>(
        &self,
        asked: Asked,
        act: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let mut done = self.done.lock().await;
        if *done > asked.0 {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        act.await?;
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
    async fn one_act_serves_all_who_asked_before_it_began() {
        let (flight, acts) = (Singleflight::default(), AtomicU32::new(0));
        let act = || async {
            acts.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(())
        };
        let asked = flight.ask();
        let _ = tokio::join!(flight.act(asked, act()), flight.act(asked, act()));
        assert_eq!(acts.load(Ordering::SeqCst), 1);
        flight.act(flight.ask(), act()).await.unwrap();
        assert_eq!(acts.load(Ordering::SeqCst), 2, "one that began before serves nobody");
    }

    #[tokio::test]
    async fn a_failure_serves_nobody_else() {
        let flight = Singleflight::default();
        let asked = flight.ask();
        flight.act(asked, async { Err("no") }).await.unwrap_err();
        let mut acted = false;
        let act = async {
            acted = true;
            Ok::<_, Infallible>(())
        };
        flight.act(asked, act).await.unwrap();
        assert!(acted);
    }
}
