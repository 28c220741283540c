//! Sessions of others, direct to the ensemble: an operator, a rival, a foreign writer, an observer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use system_tests::SESSION;
use tokio::time::{Instant, sleep, timeout};
use zk_testing::raw::{Client, Error};

use crate::settings::ROOT;
use crate::truth::Sighting;

/// How long somebody waits for a server that serves.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens sessions of others, and remembers whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Others {
    servers: Vec<SocketAddr>,
    /// Whose sessions there were.
    pub(crate) sessions: Arc<Mutex<BTreeMap<i64, &'static str>>>,
    /// What an observer has seen.
    pub(crate) seen: Arc<Mutex<Vec<Sighting>>>,
}

impl Others {
    pub(crate) fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, sessions: Arc::default(), seen: Arc::default() }
    }

    /// A session at any server that serves.
    pub(crate) async fn session(&self, whose: &'static str) -> Result<Client, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for server in &self.servers {
                let client = timeout(Duration::from_secs(1), Client::connect(*server, 2 * SESSION)).await;
                if let Ok(Ok(client)) = client {
                    self.sessions.lock().insert(client.session_id(), whose);
                    return Ok(client);
                }
            }
            if Instant::now() > deadline {
                return Err(format!("no server of ZooKeeper serves the {whose}"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Does something as an operator, and again if that server goes away meanwhile.
    pub(crate) async fn operate<T>(
        &self,
        operation: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let client = self.session("operator").await?;
            match operation(&client).await {
                Ok(done) => {
                    // Otherwise it expires.
                    let _ = client.close().await;
                    return Ok(done);
                }
                Err(Error::Io(_)) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
                Err(error) => return Err(format!("the operator: {error}")),
            }
        }
    }

    /// The children, as ZooKeeper lists them now.
    pub(crate) async fn children(&self) -> Result<BTreeSet<String>, String> {
        let list = async |client: &Client| match client.children(ROOT).await {
            Err(Error::NoNode) => Ok(Vec::new()),
            listed => listed.map(|(names, _)| names),
        };
        Ok(self.operate(list).await?.into_iter().collect())
    }

    /// Lists the children again and again, from each server in turn, for as long as it is polled.
    pub(crate) async fn observe(self, pace: Duration) {
        for server in self.servers.iter().cycle() {
            sleep(pace).await;
            let client = timeout(Duration::from_secs(1), Client::connect(*server, 2 * SESSION)).await;
            let Ok(Ok(client)) = client else { continue };
            self.sessions.lock().insert(client.session_id(), "observer");
            for _ in 0..20 {
                match timeout(Duration::from_secs(1), client.children(ROOT)).await {
                    Ok(Ok((names, stat))) => {
                        let names = names.into_iter().collect();
                        self.seen.lock().push(Sighting { zxid: stat.pzxid, names });
                    }
                    Ok(Err(Error::NoNode | Error::NoAuth)) => {}
                    _ => break,
                }
                sleep(pace).await;
            }
            let _ = timeout(Duration::from_secs(1), client.close()).await;
        }
    }
}
