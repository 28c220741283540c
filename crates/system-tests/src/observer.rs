//! What is really registered: an independent observer of ZooKeeper with a client and a session of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use zk_testing::raw::{Client, Error};

/// The time between two reads.
const POLL: Duration = Duration::from_millis(10);

/// A registered znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The transaction that created it.
    pub czxid: i64,
    /// The session that owns it; 0 for a persistent one.
    pub owner: i64,
}

/// The znodes from one moment on.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The moment.
    pub at: Instant,
    /// The znodes by name; `None` while ZooKeeper does not reply.
    pub nodes: Option<BTreeMap<String, Node>>,
}

/// Reads the root again and again, and keeps each change. `Drop` ends it.
#[derive(Debug)]
pub struct Observer {
    history: Arc<Mutex<Vec<Sighting>>>,
    reading: JoinHandle<()>,
}

impl Observer {
    /// Starts to read the children of a root, from any of the servers.
    pub fn start(servers: Vec<SocketAddr>, root: &'static str) -> Self {
        let history: Arc<Mutex<Vec<Sighting>>> = Arc::default();
        let into = history.clone();
        let reading = tokio::spawn(async move {
            for server in servers.iter().cycle() {
                let client =
                    timeout(Duration::from_secs(1), Client::connect(*server, Duration::from_secs(4)));
                if let Ok(Ok(client)) = client.await {
                    while let Ok(Ok(nodes)) = timeout(Duration::from_secs(1), read(&client, root)).await {
                        record(&into, Some(nodes));
                        sleep(POLL).await;
                    }
                }
                record(&into, None);
                sleep(POLL).await;
            }
        });
        Self { history, reading }
    }

    /// The znodes now; `None` while ZooKeeper does not reply.
    pub fn now(&self) -> Option<BTreeMap<String, Node>> {
        self.history.lock().last()?.nodes.clone()
    }

    /// Every sighting since a moment, the one that held then included.
    pub fn since(&self, moment: Instant) -> Vec<Sighting> {
        let history = self.history.lock();
        let first = history.iter().rposition(|sighting| sighting.at <= moment).unwrap_or(0);
        history[first..].to_vec()
    }

    /// Waits until the znodes satisfy a condition, and returns them.
    ///
    /// # Errors
    /// The claim and the znodes, if they do not satisfy it in time.
    pub async fn until(
        &self,
        claim: &str,
        within: Duration,
        wanted: impl Fn(&BTreeMap<String, Node>) -> bool,
    ) -> Result<BTreeMap<String, Node>, String> {
        let deadline = Instant::now() + within;
        loop {
            match self.now() {
                Some(nodes) if wanted(&nodes) => return Ok(nodes),
                nodes if Instant::now() > deadline => {
                    return Err(format!("not within {within:?}: {claim}; there is {nodes:?}"));
                }
                _ => sleep(POLL).await,
            }
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(client: &Client, root: &str) -> Result<BTreeMap<String, Node>, Error> {
    let names = match client.children(root).await {
        Ok((names, _)) => names,
        Err(Error::NoNode) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut nodes = BTreeMap::new();
    for name in names {
        if let Some(stat) = client.exists(&format!("{root}/{name}")).await? {
            nodes.insert(name, Node { czxid: stat.czxid, owner: stat.ephemeral_owner });
        }
    }
    Ok(nodes)
}

fn record(history: &Mutex<Vec<Sighting>>, nodes: Option<BTreeMap<String, Node>>) {
    let mut history = history.lock();
    if history.last().is_none_or(|last| last.nodes != nodes) {
        history.push(Sighting { at: Instant::now(), nodes });
    }
}
