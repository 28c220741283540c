//! What happens to the ensemble.

use rand::RngExt;
use tokio::time::sleep;

use super::{Broken, Undo};
use crate::fleet::Fleet;
use crate::kinds::Kind;

impl Fleet {
    pub(super) async fn start_ensemble(&mut self) -> Result<(), String> {
        self.ensemble.start_all().await.map_err(|error| error.to_string())
    }

    pub(super) async fn leader_down(&mut self) -> Result<Broken, String> {
        let Some(leader) = self.ensemble.leader().await else { return Ok(Broken::at_once(false)) };
        self.ensemble.server(leader).kill().await;
        Ok(Broken { hold: self.part(20, 150), undo: Undo::StartEnsemble, took_effect: true })
    }

    pub(super) async fn rolling_restart(&mut self) -> Result<Broken, String> {
        for server in 0..self.servers.len() {
            self.ensemble.server(server).restart().await.map_err(|error| error.to_string())?;
            self.ensemble.wait_quorum().await.map_err(|error| error.to_string())?;
            sleep(self.part(10, 30)).await;
        }
        Ok(Broken::at_once(true))
    }

    pub(super) async fn server_hangs(&mut self) -> Result<Broken, String> {
        let server = self.random.random_range(0..self.servers.len());
        self.ensemble.server(server).pause().await.map_err(|error| error.to_string())?;
        Ok(Broken { hold: self.part(30, 150), undo: Undo::Resume(server), took_effect: true })
    }

    pub(super) async fn away(&mut self, kind: Kind) -> Result<Broken, String> {
        self.ensemble.kill_all().await;
        let hold = match kind {
            Kind::AwayForLong => self.part(300, 310),
            _ => self.part(45, 55),
        };
        Ok(Broken { hold, undo: Undo::StartEnsemble, took_effect: true })
    }
}
