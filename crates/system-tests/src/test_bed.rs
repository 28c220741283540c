//! A ZooKeeper, the programs around it, and the numbers that the rows count with.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use zk_testing::SESSION;

use crate::observer::Observer;
use crate::process::{Process, Programs};

/// ZooKeeper's tick in the tests.
pub const TICK: Duration = Duration::from_millis(200);
/// From ZooKeeper's event to somebody's view, on one busy machine: P in the fault matrix.
pub const PROPAGATION: Duration = Duration::from_millis(250);

/// The root under which the programs register by default.
const ROOT: &str = "/go_servers";

/// What the programs of one row share.
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
    /// A bed around the servers of a ZooKeeper.
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

    /// Starts a client like that.
    pub fn client_in(&self, shell: &str, arguments: &[&str]) -> Process {
        self.run_in(shell, &self.programs.client, arguments)
    }

    /// The ensemble's addresses, as the programs take them.
    pub fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Writes a file into the folder in which the programs run; who reads it sees the old one or the new one.
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

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    // Below the range from which the system takes the ports of outgoing connections: there a thousand
    // requests of a test would sooner or later sit on a port that a server is about to bind.
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

/// Several of them, all different.
pub fn free_ports(count: usize) -> Vec<u16> {
    (0..count).map(|_| free_port()).collect()
}
