mod builder;
mod error;
mod sasl;
mod tls;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::four_letter;
use crate::installation::Installation;
use crate::ports::Lease;
use crate::process::Process;
use crate::tls::Stores;

pub(crate) use builder::PORT_ATTEMPTS;
pub use builder::ServerBuilder;
pub use error::{ServerError, StartError};

/// How long a server or an ensemble may take to serve.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a server may take to obey SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
/// Lines of log that an error quotes.
const QUOTED_LINES: usize = 20;

/// Sends what ZooKeeper logs by logback, as its releases since 3.8 do, to the captured output.
const LOGBACK: &str = r#"<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"#;

/// The same for the log4j 1 of older releases.
const LOG4J: &str = "log4j.rootLogger=INFO, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d{HH:mm:ss,SSS} %p %c{1} - %m%n
";

/// One Apache ZooKeeper process on a port of 127.0.0.1, with a data folder of its own.
///
/// A server can be killed, paused, stopped and started again at will, and keeps its port and its data meanwhile. Dropping it
/// kills the process, also a paused one, waits for its end and deletes the data. The same happens when our own process ends
/// in any other way, SIGKILL included; only the folder of a server that was down then stays in the temporary folder.
#[derive(Debug)]
pub struct Server {
    installation: Installation,
    settings: ServerBuilder,
    // Fields drop in this order: the process goes before its folder and its port.
    process: Option<Process>,
    dir: TempDir,
    addr: SocketAddr,
    _lease: Option<Lease>,
    secure_lease: Option<Lease>,
}

impl Server {
    /// Starts a server with all defaults and waits until it serves clients, for at most 30 s.
    ///
    /// # Errors
    /// [`StartError`]; an error has the end of the log.
    ///
    /// # Cancel safety
    /// Dropping the future kills what was started and deletes its data.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Returns the default settings: a tick of 200 ms, any free port, no limit on connections, all four letter words,
    /// no admin server, no fsync, a Java heap of 128 MiB.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Returns where clients connect; it stays the same for the life of this value.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns where clients connect with TLS, or `None` without [`tls`](ServerBuilder::tls); it stays the same, too.
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.secure_lease.as_ref().map(|lease| SocketAddr::new(self.addr.ip(), lease.port()))
    }

    /// Returns where clients connect, as `127.0.0.1:PORT`.
    pub fn connect_string(&self) -> String {
        self.addr.to_string()
    }

    /// Returns the id of the Java process, or `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        self.running().map(Process::pid)
    }

    /// Returns whether the process exists; a paused one does.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// Returns the file that collects what the server logs, over all its starts.
    pub fn log_file(&self) -> PathBuf {
        self.dir.path().join("zookeeper.log")
    }

    /// Returns the end of the log, or an empty string if there is none.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Kills the process with SIGKILL and waits for its end; data and port are kept.
    ///
    /// Harmless if it is down.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // An error means that it is gone; the drop would kill it all the same.
            let _ = process.signal(Signal::SIGKILL);
            process.exited().await;
        }
    }

    /// Asks the process to end with SIGTERM and waits; after 5 s it is killed. Data and port are kept.
    ///
    /// A paused process is resumed, so that it can obey. Harmless if it is down.
    ///
    /// # Cancel safety
    /// Dropping the future kills the process.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.signal(Signal::SIGTERM);
            let _ = process.signal(Signal::SIGCONT);
            // Too late is no error: the drop kills.
            let _ = timeout(STOP_DEADLINE, process.exited()).await;
        }
    }

    /// Freezes the process with SIGSTOP and waits until all of its threads stand still.
    ///
    /// The kernel still accepts connections for it, but nothing replies.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] if it is down.
    pub async fn pause(&self) -> Result<(), ServerError> {
        let process = self.running().ok_or(ServerError::NotRunning(self.addr))?;
        process.signal(Signal::SIGSTOP).map_err(ServerError::io("pause the server"))?;
        process.stopped().await;
        Ok(())
    }

    /// Lets a paused process go on, with SIGCONT.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] if it is down.
    pub fn resume(&self) -> Result<(), ServerError> {
        let process = self.running().ok_or(ServerError::NotRunning(self.addr))?;
        process.signal(Signal::SIGCONT).map_err(ServerError::io("resume the server"))
    }

    /// Starts the process again on the same port and data, and waits until it serves, for at most 30 s.
    ///
    /// A member of an ensemble serves only when more than half of the members run.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] if it is up, else what went wrong with the end of the log. After a failure the
    /// server is down.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        self.launch()?;
        let ready = self.wait_ready(START_DEADLINE).await;
        if ready.is_err() {
            self.kill().await;
        }
        ready
    }

    /// Starts the process again on the same port and data, without waiting until it serves.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] if it is up, [`StartError::Io`] if the process cannot be made.
    pub fn launch(&mut self) -> Result<(), StartError> {
        if self.is_running() {
            return Err(StartError::AlreadyRunning(self.addr));
        }
        self.write_files().map_err(StartError::io("write the server's files"))?;
        let process = Process::spawn(&self.command(), self.dir.path(), &self.log_file());
        self.process = Some(process.map_err(StartError::io("start java"))?);
        Ok(())
    }

    /// Stops the process and starts it again.
    ///
    /// # Errors
    /// Those of [`start_again`](Self::start_again).
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop().await;
        self.start_again().await
    }

    /// Deletes all data, so that the next start begins with an empty tree and the first zxid.
    ///
    /// # Errors
    /// [`ServerError::Running`] if the process is up.
    pub fn wipe(&self) -> Result<(), ServerError> {
        if self.is_running() {
            return Err(ServerError::Running(self.addr));
        }
        match fs::remove_dir_all(self.data_dir()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ServerError::io("delete the server's data")(error))
            }
            _ => Ok(()),
        }
    }

    /// Sends the server one of ZooKeeper's four letter words and returns the whole reply.
    ///
    /// # Errors
    /// An I/O error if it is down, or does not reply within 2 s.
    pub async fn four_letter_word(&self, word: &str) -> io::Result<String> {
        four_letter::four_letter_word(self.addr, word).await
    }

    /// Returns the mode of the server: `standalone`, `leader`, `follower`, `observer` or `read-only`; `None` while it
    /// serves no client, or does not reply within 500 ms.
    pub async fn mode(&self) -> Option<String> {
        four_letter::mode(self.addr).await
    }

    /// Waits until the server serves reads only, for at most 30 s: a member without a majority, in an ensemble that
    /// [allows it](crate::EnsembleBuilder::read_only_mode).
    ///
    /// The server needs a few seconds to know that there is no majority.
    ///
    /// # Errors
    /// [`StartError::Timeout`] with the end of its log.
    pub async fn wait_read_only(&self) -> Result<(), StartError> {
        let give_up = Instant::now() + START_DEADLINE;
        while self.mode().await.as_deref() != Some(four_letter::READ_ONLY) {
            if Instant::now() >= give_up {
                let log = self.log_tail(QUOTED_LINES);
                return Err(StartError::Timeout { addr: self.addr, waited: START_DEADLINE, log });
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(crate) fn set_config(&mut self, key: String, value: String) {
        self.settings.config.insert(key, value);
    }

    pub(crate) fn default_config(&mut self, key: &str, value: &str) {
        self.settings.config.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// Sends SIGTERM or SIGKILL without waiting, so that several servers can end at the same time.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let _ = process.signal(signal);
        }
    }

    pub(crate) async fn wait_ready(&self, deadline: Duration) -> Result<(), StartError> {
        let give_up = Instant::now() + deadline;
        loop {
            if self.serves().await {
                return Ok(());
            }
            if let Some(status) = self.process.as_ref().and_then(Process::exit_status) {
                let (addr, log) = (self.addr, self.log_tail(QUOTED_LINES));
                // Its log would say so, too, in words that are Java's.
                if self.ports().into_iter().any(|port| is_taken(SocketAddr::new(addr.ip(), port))) {
                    return Err(StartError::AddressInUse { addr, log });
                }
                return Err(StartError::Exited { addr, status, log });
            }
            if Instant::now() >= give_up {
                let log = self.log_tail(QUOTED_LINES);
                return Err(StartError::Timeout { addr: self.addr, waited: deadline, log });
            }
            sleep(POLL).await;
        }
    }

    /// Whether our process serves clients, and not another one on a port that we wanted.
    async fn serves(&self) -> bool {
        // On its way up a member may serve reads only for a while.
        if self.mode().await.is_none_or(|mode| mode == four_letter::READ_ONLY) {
            return false;
        }
        let ours = format!("dataDir={}", self.data_dir().display());
        if !self.four_letter_word("conf").await.is_ok_and(|conf| conf.contains(&ours)) {
            return false;
        }
        // The server opens this port last.
        match self.secure_addr() {
            Some(addr) => TcpStream::connect(addr).await.is_ok(),
            None => true,
        }
    }

    /// The ports that it listens on: for clients, with TLS for them, and in an ensemble for the other servers.
    fn ports(&self) -> Vec<u16> {
        let own = self.settings.id.and_then(|id| self.settings.config.get(&format!("server.{id}")));
        let among_servers =
            own.into_iter().flat_map(|own| own.split(':').filter_map(|part| part.parse().ok()));
        let for_clients = [Some(self.addr), self.secure_addr()].into_iter().flatten().map(|addr| addr.port());
        for_clients.chain(among_servers).collect()
    }

    fn running(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| process.exit_status().is_none())
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn config_file(&self) -> PathBuf {
        self.dir.path().join("zoo.cfg")
    }

    fn jaas_file(&self) -> PathBuf {
        self.dir.path().join("jaas.conf")
    }

    fn write_files(&self) -> io::Result<()> {
        let data = self.data_dir();
        fs::create_dir_all(&data)?;
        if let Some(id) = self.settings.id {
            fs::write(data.join("myid"), id.to_string())?;
        }
        if let Some(jaas) = self.settings.jaas() {
            fs::write(self.jaas_file(), jaas)?;
        }
        if let Some(stores) = &self.settings.tls {
            stores.write(self.dir.path())?;
        }
        fs::write(self.config_file(), self.config_text(&data))?;
        fs::write(self.dir.path().join("logback.xml"), LOGBACK)?;
        fs::write(self.dir.path().join("log4j.properties"), LOG4J)
    }

    fn config_text(&self, data: &Path) -> String {
        let mut lines = self.settings.config.clone();
        lines.insert("dataDir".into(), data.display().to_string());
        lines.insert("tickTime".into(), self.settings.tick.as_millis().to_string());
        lines.insert("clientPortAddress".into(), self.addr.ip().to_string());
        lines.insert("clientPort".into(), self.addr.port().to_string());
        if let Some(addr) = self.secure_addr() {
            let folder = self.dir.path();
            lines.insert("secureClientPortAddress".into(), addr.ip().to_string());
            lines.insert("secureClientPort".into(), addr.port().to_string());
            lines.insert("ssl.keyStore.location".into(), Stores::key_store(folder).display().to_string());
            lines.insert("ssl.trustStore.location".into(), Stores::trust_store(folder).display().to_string());
        }
        lines.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key}={value}");
            text
        })
    }

    fn command(&self) -> Vec<OsString> {
        let dir = self.dir.path().display();
        let mut command = vec![self.installation.java().into()];
        command.extend(self.settings.jvm_options.iter().map(OsString::from));
        command.push(format!("-Dlogback.configurationFile={dir}/logback.xml").into());
        command.push(format!("-Dlog4j.configuration=file:{dir}/log4j.properties").into());
        if self.settings.jaas().is_some() {
            command.push(format!("-Djava.security.auth.login.config={}", self.jaas_file().display()).into());
        }
        let properties = &self.settings.java_properties;
        command.extend(properties.iter().map(|(key, value)| format!("-D{key}={value}").into()));
        command.extend(["-cp".into(), self.installation.class_path().clone()]);
        command.push("org.apache.zookeeper.server.quorum.QuorumPeerMain".into());
        command.push(self.config_file().into());
        command
    }
}

/// Whether something listens there, or holds the port otherwise: as the server found it, with SO_REUSEADDR.
fn is_taken(addr: SocketAddr) -> bool {
    TcpListener::bind(addr).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}
