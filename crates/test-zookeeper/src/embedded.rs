//! The embedded server behind a proxy, which stands for its process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use zk_embedded::faults::{Matching, Op, Scope};
use zk_embedded::proto::ErrorCode;
use zk_embedded::{Server, Version};
use zk_testing::proxy::Proxy;

use crate::StartError;

const TICK: Duration = Duration::from_millis(200);

/// An embedded server that can be taken away and come back.
#[derive(Debug)]
pub(crate) struct Embedded {
    parts: Arc<Parts>,
    /// Its own, as a process has: a test that blocks its runtime must not stop its server. Taken at the end.
    runtime: Option<Runtime>,
    addr: SocketAddr,
    version: Version,
    refuses_recursive_watches: bool,
    killed: bool,
    wiped: bool,
}

#[derive(Debug)]
struct Parts {
    server: Mutex<Server>,
    /// What clients connect to: its port can really refuse, while the server keeps its data.
    front: Proxy,
}

async fn fresh(version: Version, refuses_recursive_watches: bool) -> Result<Server, StartError> {
    let server = Server::builder().tick(TICK).version(version).start().await?;
    if refuses_recursive_watches {
        // As Apache's does with its WatchManagerOptimized.
        server.faults().fail(Matching::op(Op::AddWatch).always(), ErrorCode::MarshallingError).await?;
    }
    Ok(server)
}

impl Embedded {
    pub(crate) async fn start(version: Version, refuses_recursive_watches: bool) -> Result<Self, StartError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let starting = runtime.spawn(async move {
            let server = fresh(version, refuses_recursive_watches).await?;
            let front = Proxy::start(server.addr()).await?;
            Ok::<_, StartError>(Parts { server: Mutex::new(server), front })
        });
        let parts = Arc::new(starting.await??);
        let addr = parts.front.addr();
        let (runtime, killed, wiped) = (Some(runtime), false, false);
        Ok(Self { parts, runtime, addr, version, refuses_recursive_watches, killed, wiped })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does something on the server's own runtime.
    async fn there<F>(&self, act: impl FnOnce(Arc<Parts>) -> F) -> Result<(), StartError>
    where
        F: Future<Output = Result<(), StartError>> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or("the server has ended")?;
        runtime.spawn(act(self.parts.clone())).await?
    }

    /// A server that is down expires no session: its clock stands still.
    pub(crate) async fn kill(&mut self) -> Result<(), StartError> {
        self.there(|parts| async move {
            parts.front.refuse().await;
            parts.server.lock().await.faults().freeze_clock().await?;
            Ok(())
        })
        .await?;
        self.killed = true;
        Ok(())
    }

    pub(crate) async fn start_again(&mut self) -> Result<(), StartError> {
        let (wiped, version, refuses) = (self.wiped, self.version, self.refuses_recursive_watches);
        self.there(move |parts| async move {
            if wiped {
                let fresh = fresh(version, refuses).await?;
                parts.front.redirect(fresh.addr());
                *parts.server.lock().await = fresh;
            } else {
                parts.server.lock().await.faults().release_clock().await?;
            }
            parts.front.pass().await?;
            Ok(())
        })
        .await?;
        (self.killed, self.wiped) = (false, false);
        Ok(())
    }

    pub(crate) fn wipe(&mut self) -> Result<(), StartError> {
        if !self.killed {
            return Err("the server runs: kill it first".into());
        }
        self.wiped = true;
        Ok(())
    }

    pub(crate) async fn pause(&self) -> Result<(), StartError> {
        if self.killed {
            return Err("the server is killed".into());
        }
        self.there(|parts| async move {
            parts.server.lock().await.faults().stall(Scope::All).await?;
            Ok(())
        })
        .await
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it is not allowed where a test ends, inside another runtime.
            runtime.shutdown_background();
        }
    }
}
