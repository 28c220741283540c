//! The programs around a ZooKeeper, and the bounds that the fault matrix counts with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use zk_testing::raw::{Client, CreateMode};
use zk_testing::{SESSION, SOON};

use crate::observer::{Node, Observer};
use crate::process::{Process, Programs};

/// ZooKeeper's tick in the tests.
pub const TICK: Duration = Duration::from_millis(200);
/// From ZooKeeper's event to a view, on one busy machine: P in the fault matrix.
pub const PROPAGATION: Duration = Duration::from_millis(250);

/// The root under which the programs register by default.
const ROOT: &str = "/go_servers";

/// What the programs of one test share: the ensemble, a folder, an observer.
#[derive(Debug)]
pub struct TestBed {
    programs: Programs,
    hosts: String,
    session: Duration,
    folder: TempDir,
    /// The observer of the root.
    pub observer: Observer,
}

impl TestBed {
    /// A test bed at the servers of a ZooKeeper.
    pub fn new(programs: Programs, servers: Vec<SocketAddr>) -> Self {
        let hosts: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
        let folder = TempDir::new().expect("a temporary folder");
        let observer = Observer::start(servers, ROOT);
        Self { programs, hosts: hosts.join(","), session: SESSION, folder, observer }
    }

    /// Has the programs reach ZooKeeper at another address, such as a proxy's; the observer does not.
    #[must_use]
    pub fn through(mut self, address: SocketAddr) -> Self {
        self.hosts = address.to_string();
        self
    }

    /// Has the programs ask for another session timeout than [`SESSION`].
    #[must_use]
    pub fn with_session(mut self, timeout: Duration) -> Self {
        self.session = timeout;
        self
    }

    /// Starts a server on some ports.
    pub fn server(&self, ports: &[u16]) -> Process {
        let mut arguments = self.common();
        for port in ports {
            arguments.extend(["--port".into(), port.to_string()]);
        }
        self.run(&self.programs.server, &arguments)
    }

    /// Starts a client with further arguments.
    pub fn client(&self, arguments: &[&str]) -> Process {
        let mut all = self.common();
        all.extend(arguments.iter().map(ToString::to_string));
        self.run(&self.programs.client, &all)
    }

    /// Starts a server with these arguments and no others.
    pub fn server_with(&self, arguments: &[&str]) -> Process {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        self.run(&self.programs.server, &arguments)
    }

    /// Starts a client with these arguments and no others.
    pub fn client_with(&self, arguments: &[&str]) -> Process {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        self.run(&self.programs.client, &arguments)
    }

    /// Starts a server by a shell that prepares something and then runs `exec "$@"`.
    pub fn server_in(&self, shell: &str, arguments: &[&str]) -> Process {
        self.run_in(shell, &self.programs.server, arguments)
    }

    /// Starts a client by such a shell.
    pub fn client_in(&self, shell: &str, arguments: &[&str]) -> Process {
        self.run_in(shell, &self.programs.client, arguments)
    }

    /// The ensemble's addresses, as the programs take them.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Writes a file into the folder in which the programs run; a reader sees the old one or the new one.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let parent = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let fresh = path.with_added_extension("new");
        let done =
            parent.and_then(|()| std::fs::write(&fresh, text)).and_then(|()| std::fs::rename(&fresh, &path));
        done.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The folder in which the programs run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until these ports of 127.0.0.1 are registered and nothing else is, for at most [`SOON`].
    ///
    /// # Panics
    /// With the znodes, if they are not.
    pub async fn registered(&self, ports: &[u16]) -> BTreeMap<String, Node> {
        let registered = self.observer.until("all registered", SOON, all_of(ports)).await;
        registered.unwrap_or_else(|late| panic!("{late}"))
    }

    fn common(&self) -> Vec<String> {
        let timeout = format!("{}ms", self.session.as_millis());
        ["--zookeeper", &self.hosts, "--session-timeout", &timeout].map(str::to_owned).to_vec()
    }

    fn run_in(&self, shell: &str, program: &Path, arguments: &[&str]) -> Process {
        let program = program.to_str().expect("a path in UTF-8");
        let mut all = ["-c", shell, "sh", program].map(str::to_owned).to_vec();
        all.extend(self.common());
        all.extend(arguments.iter().map(ToString::to_string));
        self.run(Path::new("sh"), &all)
    }

    fn run(&self, program: &Path, arguments: &[String]) -> Process {
        Process::start(program, self.folder.path(), arguments, &self.programs.environment)
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }
}

/// The endpoint, and the znode's name, of a server at a port of this machine.
pub fn name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Whether the znodes are those of these ports, and no others.
pub fn all_of(ports: &[u16]) -> impl Fn(&BTreeMap<String, Node>) -> bool + use<> {
    let names: BTreeSet<_> = ports.iter().copied().map(name).collect();
    move |nodes| nodes.keys().cloned().collect::<BTreeSet<_>>() == names
}

/// Registers endpoints that the test serves itself, or that nobody serves, for as long as the session is kept.
///
/// # Panics
/// If ZooKeeper refuses.
pub async fn register_by_hand(zookeeper: SocketAddr, endpoints: &[String]) -> Client {
    let client = Client::connect(zookeeper, Duration::from_secs(4)).await.expect("a session");
    client.create_all(ROOT).await.expect("a root");
    for endpoint in endpoints {
        client.create(&format!("{ROOT}/{endpoint}"), b"", CreateMode::Ephemeral).await.expect("a znode");
    }
    client
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    // Below the range from which the system takes the ports of outgoing connections: with thousands of requests, one of
    // them would sooner or later take a port that a server is about to bind.
    const FIRST: u16 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Test programs that run at the same time begin at different places.
        let offset = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (offset % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Several ports that nobody listens on, all different.
pub fn free_ports(count: usize) -> Vec<u16> {
    (0..count).map(|_| free_port()).collect()
}
