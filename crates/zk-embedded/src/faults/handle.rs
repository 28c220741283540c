use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::{AfterLoss, ClockChange, FaultCommand, Kind, Matching, Scope};
use crate::server::{Command, Commands};
use zk_wire::ErrorCode;

/// The server has stopped, so nothing can be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub struct Stopped;

/// Injects faults into a running server.
///
/// Every call fails with [`Stopped`] if the server has stopped. Dropping the future of a call leaves open whether it was
/// done. Dropping a `Faults` or a [`Fault`] changes nothing: a fault stays until it has struck as often as requested,
/// or until [`Fault::end`] or [`clear`](Self::clear) ends it.
#[derive(Clone, Debug)]
pub struct Faults {
    commands: Commands,
}

impl Faults {
    pub(crate) fn new(commands: Commands) -> Self {
        Self { commands }
    }

    /// Ends sessions now, as if they had been silent for too long: their ephemeral znodes go, their connections close.
    ///
    /// [`Fault::fired`] returns how many there were.
    pub async fn expire(&self, scope: Scope) -> Result<Fault, Stopped> {
        self.once(|done| FaultCommand::Expire(scope, done)).await
    }

    /// Drops connections now, with all that is on its way on them; the sessions stay until their timeouts.
    ///
    /// [`Fault::fired`] returns how many there were. With [`Scope::All`], those without a session are dropped, too.
    pub async fn drop_connections(&self, scope: Scope) -> Result<Fault, Stopped> {
        self.once(|done| FaultCommand::Drop(scope, done)).await
    }

    /// Refuses new connections until the fault is ended: they are closed as soon as they are accepted.
    ///
    /// With [`Scope::Session`], only those that ask to resume that session, once they have asked. Each counts once.
    pub async fn refuse(&self, scope: Scope) -> Result<Fault, Stopped> {
        self.put(Kind::Refuse(scope)).await
    }

    /// Stops replying until the fault is ended, and then carries out what has come in meanwhile.
    ///
    /// Nothing that comes in is done and nothing goes out, watch events neither. A stalled session may expire, as if its
    /// connection hung; with [`Scope::All`], none does before the fault is ended, as if the server hung. [`Fault::fired`] counts
    /// the requests and pings that came in.
    pub async fn stall(&self, scope: Scope) -> Result<Fault, Stopped> {
        self.put(Kind::Stall(scope)).await
    }

    /// Carries out a request and loses the reply. Other clients see its effect.
    ///
    /// With [`Op::Connect`](super::Op::Connect), a session is opened, and its client does not learn of it.
    pub async fn lose_reply(&self, matching: Matching, after: AfterLoss) -> Result<Fault, Stopped> {
        self.put(Kind::LoseReply(matching, after)).await
    }

    /// Carries out a request at once and delays the reply; what is behind the reply on that connection waits for it.
    pub async fn delay(&self, matching: Matching, by: Duration) -> Result<Fault, Stopped> {
        self.put(Kind::Delay(matching, by)).await
    }

    /// Replies with an error and does not carry out the request; a connect request is closed without a reply.
    pub async fn fail(&self, matching: Matching, code: ErrorCode) -> Result<Fault, Stopped> {
        self.put(Kind::Fail(matching, code)).await
    }

    /// Stops the clock that sessions and stats go by, and returns its time in milliseconds since 1970.
    ///
    /// Delays of [`delay`](Self::delay) go by another clock, which nothing stops.
    pub async fn freeze_clock(&self) -> Result<i64, Stopped> {
        self.clock(ClockChange::Freeze).await
    }

    /// Moves the clock ahead, frozen or not, and returns its time in milliseconds since 1970; sessions that were silent
    /// for too long by then have ended.
    pub async fn step_clock(&self, by: Duration) -> Result<i64, Stopped> {
        self.clock(ClockChange::Step(by)).await
    }

    /// Lets the clock go on from where it stands, and returns its time in milliseconds since 1970.
    pub async fn release_clock(&self) -> Result<i64, Stopped> {
        self.clock(ClockChange::Release).await
    }

    /// Ends all faults that are in place; the clock stays as it is.
    pub async fn clear(&self) -> Result<(), Stopped> {
        self.command(|done| FaultCommand::End(None, done)).await
    }

    async fn once(
        &self,
        command: impl FnOnce(oneshot::Sender<u64>) -> FaultCommand,
    ) -> Result<Fault, Stopped> {
        let fired = self.command(command).await?;
        Ok(Fault { id: None, fired: watch::channel(fired).1, faults: self.clone() })
    }

    async fn put(&self, kind: Kind) -> Result<Fault, Stopped> {
        let (id, fired) = self.command(|done| FaultCommand::Put(kind, done)).await?;
        Ok(Fault { id: Some(id), fired, faults: self.clone() })
    }

    async fn clock(&self, change: ClockChange) -> Result<i64, Stopped> {
        self.command(|done| FaultCommand::Clock(change, done)).await
    }

    async fn command<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> FaultCommand,
    ) -> Result<T, Stopped> {
        let (done_tx, done) = oneshot::channel();
        self.commands.send(Command::Fault(command(done_tx))).await.map_err(|_| Stopped)?;
        done.await.map_err(|_| Stopped)
    }
}

/// An injected fault. Dropping it does not end the fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `None` for a fault that happened at once.
    id: Option<u64>,
    fired: watch::Receiver<u64>,
    faults: Faults,
}

impl Fault {
    /// Returns how often it has struck so far.
    pub fn fired(&self) -> u64 {
        *self.fired.borrow()
    }

    /// Waits until it has struck at least once, and returns whether it has: `false` after the timeout, or when the fault has
    /// ended, or the server has stopped, without that.
    pub async fn wait_fired(&self, timeout: Duration) -> bool {
        self.wait_fired_times(1, timeout).await
    }

    /// Waits as [`wait_fired`](Self::wait_fired) does, but until it has struck so often.
    pub async fn wait_fired_times(&self, times: u64, timeout: Duration) -> bool {
        let mut fired = self.fired.clone();
        let struck = fired.wait_for(|fired| *fired >= times);
        let _ = tokio::time::timeout(timeout, struck).await;
        self.fired() >= times
    }

    /// Ends it, and returns how often it has struck. What is over already is no error.
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub async fn end(self) -> Result<u64, Stopped> {
        if let Some(id) = self.id {
            self.faults.command(|done| FaultCommand::End(Some(id), done)).await?;
        }
        Ok(self.fired())
    }
}
