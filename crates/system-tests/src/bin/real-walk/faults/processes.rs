//! What happens to processes: killed, stopped for a while, told to stop, started again.

use std::time::Duration;

use nix::sys::signal::Signal;
use oracle::Answers;
use system_tests::{PROPAGATION, SESSION, TICK};
use tokio::time::sleep;
use zk_testing::raw::CreateMode;
use zk_testing::{SOON, holds_within};

use super::{Broken, Undo};
use crate::fleet::Fleet;
use crate::kinds::Kind;
use crate::proc::is_stopped;
use crate::settings::ROOT;

/// How long a server may take that is told to stop.
const STOPS: Duration = Duration::from_secs(5);

impl Fleet {
    pub(super) async fn kill(&mut self, kind: Kind, members: &[usize]) -> Result<Broken, String> {
        for member in members {
            let member = &self.members[*member];
            if let Some(endpoint) = member.endpoint {
                self.callees.mark(endpoint, Answers::Refuses);
            }
            member.signal(Signal::SIGKILL);
        }
        for member in members {
            self.members[*member].kill().await?;
        }
        let hold = match kind {
            Kind::KillForLong => SESSION + 2 * TICK + PROPAGATION + self.part(60, 120),
            _ => self.part(5, 80),
        };
        Ok(Broken { hold, undo: Undo::Start(members.to_vec()), took_effect: true })
    }

    pub(super) async fn pause(&mut self, kind: Kind, at: usize) -> Result<Broken, String> {
        let hold = match kind {
            Kind::PauseForLong => self.part(150, 300),
            _ => self.part(15, 50),
        };
        let member = &self.members[at];
        if let Some(endpoint) = member.endpoint {
            self.callees.mark(endpoint, Answers::Badly);
        }
        member.signal(Signal::SIGSTOP);
        let stopped = async || member.pid().is_some_and(is_stopped);
        let took_effect = holds_within("it stands still", SOON, stopped).await.is_ok();
        Ok(Broken { hold, undo: Undo::Continue(at), took_effect })
    }

    pub(super) async fn stop_one(&mut self, at: usize) -> Result<Broken, String> {
        self.members[at].tell_to_stop();
        let took_effect = self.has_stopped(at).await?;
        Ok(Broken { hold: self.part(5, 80), undo: Undo::Start(vec![at]), took_effect })
    }

    /// A server that is told to stop ends in time, and with 0.
    async fn has_stopped(&self, at: usize) -> Result<bool, String> {
        let code = self.members[at].ended(STOPS).await?;
        Ok(code == Some(0))
    }

    pub(super) async fn deploy(&mut self, members: &[usize]) -> Result<Broken, String> {
        let mut took_effect = true;
        for at in members {
            self.members[*at].tell_to_stop();
            took_effect &= self.has_stopped(*at).await?;
            self.members[*at].start()?;
            self.all_registered().await?;
            // Callers learn of it.
            sleep(2 * PROPAGATION).await;
        }
        Ok(Broken::at_once(took_effect))
    }

    pub(super) fn reweigh(&mut self, at: usize) -> Broken {
        self.members[at].signal(Signal::SIGUSR1);
        Broken::at_once(true)
    }

    /// Somebody takes the name of a server while that is away, and keeps it for a while when it is back.
    pub(super) async fn rival(&mut self, at: usize) -> Result<Broken, String> {
        self.members[at].tell_to_stop();
        self.has_stopped(at).await?;
        let Some(endpoint) = self.members[at].endpoint else { return Ok(Broken::at_once(false)) };
        let rival = self.others.session("rival").await?;
        let created = rival.create(&format!("{ROOT}/{endpoint}"), b"", CreateMode::Ephemeral).await;
        self.members[at].start()?;
        let hold = self.part(50, 200);
        Ok(Broken { hold, undo: Undo::Leave(Box::new(rival)), took_effect: created.is_ok() })
    }
}
