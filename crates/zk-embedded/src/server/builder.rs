use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::Server;
use super::clock::Clock;
use super::command;
use super::engine::{Engine, Facts};
use super::listener::Listener;
use crate::Version;
use crate::machine::Settings;

/// The settings of a server that is to be started.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    listen: SocketAddr,
    tick: Duration,
    max_connections: usize,
    max_frame: usize,
    extended_types: bool,
    container_check: Duration,
    first_zxid: Option<i64>,
    event_zxids: bool,
    version: Version,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            tick: Duration::from_millis(settings.tick_ms.unsigned_abs()),
            max_connections: 1000,
            max_frame: settings.max_frame,
            extended_types: settings.extended_types,
            container_check: Duration::from_millis(settings.container_check_ms.unsigned_abs()),
            first_zxid: None,
            event_zxids: settings.event_zxids,
            version: settings.version,
        }
    }
}

impl ServerBuilder {
    /// Listens on this address, which has to be a loopback one; the default is 127.0.0.1 with port 0, any free port.
    pub fn listen(self, addr: SocketAddr) -> Self {
        Self { listen: addr, ..self }
    }

    /// Counts time in ticks of this length, 2 s by default, at least 1 ms and at most an hour.
    ///
    /// Session timeouts are granted from 2 to 20 ticks, and sessions end at whole ones: short ticks make short tests.
    pub fn tick(self, tick: Duration) -> Self {
        Self { tick, ..self }
    }

    /// Serves so many connections at a time, 1000 by default; those above are closed as soon as they are accepted.
    pub fn max_connections(self, max: usize) -> Self {
        Self { max_connections: max, ..self }
    }

    /// Reads requests of up to so many bytes, 1,048,575 by default (`jute.maxbuffer`), without the four of the
    /// length; a longer one ends the connection.
    ///
    /// As on Apache ZooKeeper, a reply may be longer.
    pub fn max_frame(self, bytes: usize) -> Self {
        Self { max_frame: bytes, ..self }
    }

    /// Allows znodes with a time to live (`zookeeper.extendedTypesEnabled`); off by default.
    pub fn extended_types(self, allowed: bool) -> Self {
        Self { extended_types: allowed, ..self }
    }

    /// Looks for empty containers and outdated znodes so often: once a minute by default, at least 1 ms.
    pub fn container_check(self, interval: Duration) -> Self {
        Self { container_check: interval, ..self }
    }

    /// Counts transactions from here; the default is the start time in seconds, shifted left by 32 bits.
    ///
    /// A client that has seen a newer transaction is refused, so a server that forgets everything should start ahead
    /// of all that ran before it on the same port.
    pub fn first_zxid(self, zxid: i64) -> Self {
        Self { first_zxid: Some(zxid), ..self }
    }

    /// Behaves as this release of Apache ZooKeeper; the default is 3.8.
    pub fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// Lets each event say which transaction caused it, as ZooKeeper 3.9 does (ZOOKEEPER-4655); off by default.
    pub fn event_zxids(self, said: bool) -> Self {
        Self { event_zxids: said, ..self }
    }

    /// Starts the server; clients can connect when this returns.
    ///
    /// Its tasks run on the runtime of the caller, which needs I/O and time enabled.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if the address is not a loopback one, or a tick or interval is out of range;
    /// [`io::ErrorKind::AddrInUse`] if the port is in use; and other errors of listening.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> io::Result<Server> {
        if !self.listen.ip().to_canonical().is_loopback() {
            let problem =
                format!("{} is not a loopback address, and only those are served", self.listen.ip());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let hour = Duration::from_secs(3600);
        let tick_ms = millis("a tick", self.tick, hour)?;
        let container_check_ms = millis("a container check", self.container_check, 24 * hour)?;

        let listener = TcpListener::bind(self.listen).await?;
        let addr = listener.local_addr()?;
        let clock = Clock::start();
        let now = clock.now();
        let settings = Settings {
            tick_ms,
            // Without the mask, it would be negative from 2038 on.
            first_zxid: self.first_zxid.unwrap_or(((now / 1000) & 0x7fff_ffff) << 32),
            first_session: Settings::first_session(1, now),
            max_frame: self.max_frame,
            extended_types: self.extended_types,
            container_check_ms,
            event_zxids: self.event_zxids,
            version: self.version,
        };

        let (commands, commands_rx) = mpsc::channel(command::QUEUE);
        let (listening, dropped) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        let rejected = Arc::new(AtomicU64::new(0));
        let max_connections = self.max_connections.min(Semaphore::MAX_PERMITS);
        let facts =
            Facts { addr, version: self.version, tick_ms, max_connections, rejected: Arc::clone(&rejected) };
        let end = EngineEnd { addr, listening: listening.clone() };
        let run = Engine::new(clock, settings, facts).run(commands_rx, dropped.clone());
        // Ends when the server is shut down or dropped.
        let engine = tokio::spawn(async move {
            let _end = end;
            run.await;
        });
        let listener = Listener {
            listener,
            places: Arc::new(Semaphore::new(max_connections)),
            rejected,
            max_frame: self.max_frame,
            commands: commands.clone(),
            tasks: tasks.clone(),
        };
        // Ends with `listening`.
        tasks.spawn(listener.run(listening.clone()));
        Ok(Server { addr, commands, listening, dropped, engine: Some(engine), tasks })
    }
}

/// Closes the port when the task of the machine ends, whatever ends it: clients that are refused go elsewhere.
struct EngineEnd {
    addr: SocketAddr,
    listening: CancellationToken,
}

impl Drop for EngineEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(addr = %self.addr, "embedded ZooKeeper has panicked and serves no more");
        }
        self.listening.cancel();
    }
}

/// Returns a duration in milliseconds, if it is from 1 ms to `most`.
fn millis(what: &str, duration: Duration, most: Duration) -> io::Result<i64> {
    if duration < Duration::from_millis(1) || duration > most {
        let problem = format!("{what} of {duration:?} is not from 1ms to {most:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    Ok(i64::try_from(duration.as_millis()).expect("it is at most a day"))
}
