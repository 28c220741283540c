//! The socket server around the machine.

mod builder;
mod clock;
mod command;
mod connection;
mod engine;
mod listener;
mod mailbox;
mod outgoing;

use std::io;
use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use builder::ServerBuilder;
pub(crate) use command::{Command, Commands};

use crate::faults::Faults;

/// A running server, on a loopback address, with an empty tree when it starts.
///
/// Dropping it drops all connections and ends all of its tasks, without waiting for them; [`shutdown`](Self::shutdown)
/// waits.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    commands: Commands,
    /// Ends the listener.
    listening: CancellationToken,
    /// Ends the task of the machine, and with it the connections.
    dropped: CancellationToken,
    engine: Option<JoinHandle<()>>,
    /// The listener and the connections.
    tasks: TaskTracker,
}

/// How the connections end when the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Every client gets the replies that are ready, for up to 2 s if it is slow to read them, and then the end of the
    /// stream.
    CloseConnections,
    /// Every connection ends at once, as when a server is killed.
    DropConnections,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, with the defaults of [`ServerBuilder`].
    ///
    /// # Errors
    /// Those of [`ServerBuilder::start`].
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Returns a builder for a server that differs from the defaults.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Returns the address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns what ZooKeeper clients call a connect string: `127.0.0.1:2181`.
    pub fn connect_string(&self) -> String {
        self.addr.to_string()
    }

    /// Returns the faults of this server, to see how its clients handle them.
    pub fn faults(&self) -> Faults {
        Faults::new(self.commands.clone())
    }

    /// Stops serving, and returns when all connections are closed, the port is free and all tasks have ended.
    ///
    /// # Panics
    /// If the machine has panicked, which nothing that a client sends should cause.
    ///
    /// # Cancel safety
    /// Dropping the future drops the server: connections that are not closed yet are dropped.
    pub async fn shutdown(mut self, how: Shutdown) {
        self.listening.cancel();
        // If the machine has ended already, so have the connections.
        let _ = self.commands.send(Command::Shutdown(how)).await;
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(engine) = &mut self.engine
            && let Err(error) = engine.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.cancel();
        self.dropped.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_machine_that_ends_early_takes_connections_and_port_along() {
        let server = Server::start().await.unwrap();
        let mut client = TcpStream::connect(server.addr()).await.unwrap();
        server.engine.as_ref().unwrap().abort();
        let end = timeout(SOON, client.read(&mut [0])).await.expect("the connection ends");
        assert!(!end.is_ok_and(|length| length > 0));
        let refused = async { while TcpStream::connect(server.addr()).await.is_ok() {} };
        timeout(SOON, refused).await.expect("the port is closed");
        timeout(SOON, server.shutdown(Shutdown::CloseConnections))
            .await
            .expect("nothing is left to wait for");
    }
}
