//! A server of tonic, in a runtime of its own: so it can be killed with everything that it holds.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// What a server does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Serves,
    Fails(Code),
    /// Answers when it is let go.
    Holds,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` once it is killed.
    runtime: Option<Runtime>,
    stop: Arc<Notify>,
}

struct Shared {
    manner: Mutex<Manner>,
    taken: Mutex<usize>,
    /// The last `grpc-timeout`.
    timeout: Mutex<Option<String>>,
    release: Notify,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), manner)
    }

    pub(crate) fn start_at(address: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            taken: Mutex::default(),
            timeout: Mutex::default(),
            release: Notify::new(),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let health = HealthServer::new(Scripted(Arc::clone(&shared)));
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop).notified_owned();
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            let server = tonic::transport::Server::builder().add_service(health);
            server.serve_with_incoming_shutdown(incoming, stopped).await
        });
        Self { address, shared, runtime: Some(runtime), stop }
    }

    pub(crate) fn set(&self, manner: Manner) {
        *self.shared.manner.lock() = manner;
    }

    /// How many calls it has taken.
    pub(crate) fn taken(&self) -> usize {
        *self.shared.taken.lock()
    }

    pub(crate) fn timeout(&self) -> Option<String> {
        self.shared.timeout.lock().clone()
    }

    /// Answers all calls that it holds.
    pub(crate) fn release(&self) {
        self.shared.release.notify_waiters();
    }

    /// Begins to stop it: it accepts nothing more, says that it goes away, and finishes what it has taken.
    pub(crate) fn stop(&self) {
        self.stop.notify_waiters();
    }

    /// Ends it without a word: the kernel closes its sockets. Nobody listens any more when this returns.
    pub(crate) async fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let end = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10)));
            end.await.unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Scripted(Arc<Shared>);

impl Scripted {
    async fn take<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let timeout = request.metadata().get("grpc-timeout");
        *self.0.timeout.lock() = timeout.map(|text| text.to_str().unwrap().to_owned());
        let released = self.0.release.notified();
        *self.0.taken.lock() += 1;
        let manner = *self.0.manner.lock();
        match manner {
            Manner::Serves => {}
            Manner::Fails(code) => {
                let mut status = Status::new(code, "as the script says");
                status.metadata_mut().insert("who", self.0.taken.lock().to_string().parse().unwrap());
                return Err(status);
            }
            Manner::Holds => released.await,
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Health for Scripted {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.take(&request).await?;
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    /// One message, and a second one when it is released.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.take(&request).await?;
        let shared = Arc::clone(&self.0);
        let second = async move {
            shared.release.notified().await;
            Ok(HealthCheckResponse { status: 2 })
        };
        let first = stream::iter([Ok(HealthCheckResponse { status: 1 })]);
        Ok(Response::new(Box::pin(stream::StreamExt::chain(first, stream::once(second)))))
    }
}
