//! The programs as processes, and what they print.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use zk_testing::{SOON, holds_within};

/// Which programs a row is run with.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The server, or a stand-in for it.
    pub server: PathBuf,
    /// The client.
    pub client: PathBuf,
    /// Environment of the server.
    pub environment: Vec<(&'static str, &'static str)>,
}

/// A running program. `Drop` kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    out: Lines,
    err: Lines,
}

/// How a program ended.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output, line by line, with the moment of each.
    pub out: Vec<(Instant, String)>,
    /// Standard error.
    pub err: String,
}

#[derive(Debug)]
struct Lines {
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    fn of(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let lines: Arc<Mutex<Vec<_>>> = Arc::default();
        let into = lines.clone();
        // Ends with the stream, which ends with the process.
        let reader = tokio::spawn(async move {
            let Some(stream) = stream else { return };
            let mut stream = BufReader::new(stream).lines();
            while let Ok(Some(line)) = stream.next_line().await {
                into.lock().push((Instant::now(), line));
            }
        });
        Self { lines, reader }
    }

    fn get(&self) -> Vec<(Instant, String)> {
        self.from(0)
    }

    fn from(&self, first: usize) -> Vec<(Instant, String)> {
        self.lines.lock().get(first..).unwrap_or_default().to_vec()
    }
}

impl Process {
    /// Starts a program in a folder of its own.
    pub fn start(
        program: &Path,
        folder: &Path,
        arguments: &[String],
        environment: &[(&'static str, &'static str)],
    ) -> io::Result<Self> {
        // The shell that runs the tests may ignore signals, as `nohup` and scripts do for background jobs. The program
        // must not.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(program);
        // A developer's settings for a program must not reach the tests.
        let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("DAYTIME_");
        for name in std::env::vars_os().map(|(name, _)| name).filter(ours) {
            command.env_remove(name);
        }
        let mut child = command
            .args(arguments)
            .current_dir(folder)
            .env("RUST_LOG", "debug,zookeeper_client=error")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the process has ended already"))?;
        let pid = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
        let (out, err) = (Lines::of(child.stdout.take()), Lines::of(child.stderr.take()));
        Ok(Self { child, pid, out, err })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        // The process may have ended already.
        let _ = kill(self.pid, signal);
    }

    /// Kills it, as `kill -9` does.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// The lines that it has printed on standard output so far, with the moment of each.
    pub fn out(&self) -> Vec<(Instant, String)> {
        self.out.get()
    }

    /// The lines on standard output but so many: for a test that follows a program which prints much.
    pub fn out_from(&self, first: usize) -> Vec<(Instant, String)> {
        self.out.from(first)
    }

    /// Its log so far, which is its standard error.
    pub fn err(&self) -> String {
        let lines: Vec<_> = self.err.get().into_iter().map(|(_, line)| line).collect();
        lines.join("\n")
    }

    /// The lines of its log so far, with the moment of each.
    pub fn log(&self) -> Vec<(Instant, String)> {
        self.err.get()
    }

    /// The lines of its log but so many.
    pub fn log_from(&self, first: usize) -> Vec<(Instant, String)> {
        self.err.from(first)
    }

    /// Whether its log contains a text.
    pub fn has_logged(&self, text: &str) -> bool {
        self.err().contains(text)
    }

    /// Whether it has printed a line with a text.
    pub fn has_printed(&self, text: &str) -> bool {
        self.out.lines.lock().iter().any(|(_, line)| line.contains(text))
    }

    /// Waits until its log contains a text, for at most [`SOON`].
    ///
    /// # Panics
    /// With the log, if it does not.
    pub async fn until_logged(&self, text: &str) {
        let logged = holds_within(&format!("{text:?} is logged"), SOON, async || self.has_logged(text)).await;
        logged.unwrap_or_else(|late| panic!("{late}:\n{}", self.err()));
    }

    /// Waits until it has printed a line with a text, for at most [`SOON`].
    ///
    /// # Panics
    /// With its output, if it has not.
    pub async fn until_printed(&self, text: &str) {
        let claim = format!("{text:?} is printed");
        let printed = holds_within(&claim, SOON, async || self.has_printed(text)).await;
        printed.unwrap_or_else(|late| panic!("{late}: {:?}\n{}", self.out(), self.err()));
    }

    /// Waits until it has printed so many lines, for at most [`SOON`].
    ///
    /// # Errors
    /// The log, if it has not.
    pub async fn until_lines(&self, count: usize) -> Result<(), String> {
        let printed = async || self.out.lines.lock().len() >= count;
        let printed = holds_within(&format!("{count} lines are printed"), SOON, printed).await;
        printed.map_err(|late| format!("{late}:\n{}", self.err()))
    }

    /// Whether it has ended: its standard error is open until then.
    pub fn has_ended(&self) -> bool {
        self.err.reader.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The log, if it still runs after that time.
    pub async fn exit(mut self, within: Duration) -> Result<Exit, String> {
        let status = match timeout(within, self.child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("still running after {within:?}:\n{}", self.err())),
        };
        let _ = (&mut self.out.reader).await;
        let _ = (&mut self.err.reader).await;
        Ok(Exit { code: status.code(), out: self.out(), err: self.err() })
    }
}
