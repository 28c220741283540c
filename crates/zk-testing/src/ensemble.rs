use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::four_letter;
use crate::ports::Lease;
use crate::server::{PORT_ATTEMPTS, START_DEADLINE, Server, ServerBuilder, ServerError, StartError};

const POLL: Duration = Duration::from_millis(20);

/// Several servers that form one ensemble on 127.0.0.1.
///
/// With the defaults a leader that is killed is replaced, and writes go on, in well under two seconds. Dropping it kills
/// all servers and deletes their data, as with a single [`Server`].
#[derive(Debug)]
pub struct Ensemble {
    servers: Vec<Server>,
    /// How many of them vote; the others, behind them, observe.
    voters: usize,
    _leases: Vec<Lease>,
}

impl Ensemble {
    /// Starts `size` servers with the defaults of [`Server::builder`] and waits until all of them serve, for at most
    /// 30 s.
    ///
    /// # Errors
    /// [`StartError`]; fewer than two servers are no ensemble.
    ///
    /// # Cancel safety
    /// Dropping the future kills what was started and deletes its data.
    pub async fn start(size: usize) -> Result<Self, StartError> {
        Self::start_with(size, Server::builder()).await
    }

    /// Starts `size` servers with these settings and waits until all of them serve, for at most 30 s.
    ///
    /// A fixed port in the settings is ignored. `initLimit` is 25 ticks and `syncLimit` 10 unless set.
    ///
    /// # Errors
    /// [`StartError`]; fewer than two servers are no ensemble.
    ///
    /// # Cancel safety
    /// Dropping the future kills what was started and deletes its data.
    pub async fn start_with(size: usize, settings: ServerBuilder) -> Result<Self, StartError> {
        Self::builder(size).settings(settings).start().await
    }

    /// Returns the settings of an ensemble of `size` servers that vote; by default there are no others.
    pub fn builder(size: usize) -> EnsembleBuilder {
        EnsembleBuilder { size, observers: 0, settings: Server::builder() }
    }

    /// Returns the addresses of all servers, as `127.0.0.1:PORT,127.0.0.1:PORT,...`.
    pub fn connect_string(&self) -> String {
        let addrs: Vec<String> = self.servers.iter().map(Server::connect_string).collect();
        addrs.join(",")
    }

    /// Returns all servers, running or not; those that vote are first.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Returns the servers that observe: they serve clients, and have no part in a majority.
    pub fn observers(&self) -> &[Server] {
        &self.servers[self.voters..]
    }

    /// Returns one server, to be killed, paused or started again.
    ///
    /// # Panics
    /// If there is no such server; they are counted from 0.
    pub fn server(&mut self, index: usize) -> &mut Server {
        &mut self.servers[index]
    }

    /// Asks all servers which of them leads; `None` while there is no leader.
    ///
    /// A server that does not answer within 500 ms, such as a paused one, is not counted.
    pub async fn leader(&self) -> Option<usize> {
        self.modes().await.iter().position(|mode| mode.as_deref() == Some("leader"))
    }

    /// Waits until one server leads and more than half of those that vote serve, for at most 30 s, and returns the leader.
    ///
    /// # Errors
    /// [`StartError::Timeout`] with the log of the first server.
    pub async fn wait_quorum(&self) -> Result<usize, StartError> {
        let give_up = Instant::now() + START_DEADLINE;
        loop {
            let modes = self.modes().await;
            let leader = modes.iter().position(|mode| mode.as_deref() == Some("leader"));
            let serves = |mode: &&String| mode.as_str() != four_letter::READ_ONLY;
            let serving = modes[..self.voters].iter().flatten().filter(serves).count();
            match leader {
                Some(leader) if serving > self.voters / 2 => return Ok(leader),
                _ if Instant::now() >= give_up => {
                    let first = &self.servers[0];
                    return Err(StartError::Timeout {
                        addr: first.addr(),
                        waited: START_DEADLINE,
                        log: first.log_tail(20),
                    });
                }
                _ => sleep(POLL).await,
            }
        }
    }

    /// Kills all servers at once with SIGKILL and waits for their end; data and ports are kept.
    pub async fn kill_all(&mut self) {
        self.servers.iter().for_each(|server| server.signal(Signal::SIGKILL));
        for server in &mut self.servers {
            server.kill().await;
        }
    }

    /// Asks all servers at once to end, and waits; one that takes longer than 5 s is killed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some servers running.
    pub async fn stop_all(&mut self) {
        self.servers.iter().for_each(|server| server.signal(Signal::SIGTERM));
        for server in &mut self.servers {
            server.stop().await;
        }
    }

    /// Starts all servers that are down, and waits until all serve, for at most 30 s.
    ///
    /// # Errors
    /// [`StartError`] of the first server that failed. The others are left as they are.
    pub async fn start_all(&mut self) -> Result<(), StartError> {
        for server in self.servers.iter_mut().filter(|server| !server.is_running()) {
            server.launch()?;
        }
        let give_up = Instant::now() + START_DEADLINE;
        for server in &self.servers {
            server.wait_ready(give_up.saturating_duration_since(Instant::now())).await?;
        }
        Ok(())
    }

    /// Deletes the data of all servers.
    ///
    /// # Errors
    /// [`ServerError::Running`] if one of them is up; the data of those before it is gone then.
    pub fn wipe_all(&self) -> Result<(), ServerError> {
        self.servers.iter().try_for_each(Server::wipe)
    }

    fn prepare(wanted: &EnsembleBuilder) -> Result<Self, StartError> {
        let EnsembleBuilder { size: voters, observers, settings } = wanted;
        let size = voters + observers;
        let mut servers = Vec::new();
        for id in 1..=size {
            let member = settings.clone().member(id);
            let member = if id > *voters { member.config("peerType", "observer") } else { member };
            servers.push(member.prepare()?);
        }
        let mut leases = Vec::new();
        for id in 1..=size {
            let role = if id > *voters { ":observer" } else { "" };
            let quorum = Lease::any().map_err(StartError::io("find a free port"))?;
            let election = Lease::any().map_err(StartError::io("find a free port"))?;
            let member = format!("127.0.0.1:{}:{}{role}", quorum.port(), election.port());
            for server in &mut servers {
                server.set_config(format!("server.{id}"), member.clone());
            }
            leases.extend([quorum, election]);
        }
        for server in &mut servers {
            server.default_config("initLimit", "25");
            server.default_config("syncLimit", "10");
        }
        Ok(Self { servers, voters: *voters, _leases: leases })
    }

    /// What each server says of itself, all asked at once.
    async fn modes(&self) -> Vec<Option<String>> {
        let mut asked = JoinSet::new();
        for (index, addr) in self.servers.iter().map(Server::addr).enumerate() {
            asked.spawn(async move { (index, four_letter::mode(addr).await) });
        }
        let mut modes = vec![None; self.servers.len()];
        for (index, mode) in asked.join_all().await {
            modes[index] = mode;
        }
        modes
    }
}

/// Settings of an ensemble that is to be started; see [`Ensemble::builder`].
#[derive(Clone, Debug)]
pub struct EnsembleBuilder {
    size: usize,
    observers: usize,
    settings: ServerBuilder,
}

impl EnsembleBuilder {
    /// Gives every server these settings, as [`Ensemble::start_with`] does. It replaces what was set before.
    #[must_use]
    pub fn settings(mut self, settings: ServerBuilder) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a server that observes: it serves clients, and has no part in a majority.
    #[must_use]
    pub fn with_observer(mut self) -> Self {
        self.observers += 1;
        self
    }

    /// Lets servers without a majority serve reads to clients that ask for it; by default they serve no client.
    ///
    /// A client that comes with a session of the ensemble is disconnected. New sessions are opened only where
    /// [`local_sessions`](Self::local_sessions) are allowed, too; otherwise the reply is -119.
    #[must_use]
    pub fn read_only_mode(mut self) -> Self {
        self.settings = self.settings.java_property("readonlymode.enabled", true);
        self
    }

    /// Lets each server open sessions of its own, of which the ensemble learns only with their first ephemeral node.
    #[must_use]
    pub fn local_sessions(mut self) -> Self {
        self.settings =
            self.settings.config("localSessionsEnabled", true).config("localSessionsUpgradingEnabled", true);
        self
    }

    /// Starts all servers and waits until all of them serve, for at most 30 s.
    ///
    /// # Errors
    /// [`StartError`]; fewer than two servers that vote are no ensemble.
    ///
    /// # Cancel safety
    /// Dropping the future kills what was started and deletes its data.
    pub async fn start(self) -> Result<Ensemble, StartError> {
        if self.size < 2 {
            return Err(StartError::TooSmall(self.size));
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut ensemble = Ensemble::prepare(&self)?;
            match ensemble.start_all().await {
                Ok(()) => return Ok(ensemble),
                Err(error) if error.is_address_in_use() && attempts < PORT_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}
