//! One Java process that does not outlive us, however we end.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

/// Starts the program, prints its pid, and waits for it. Beside it a subshell reads standard input, whose other end we
/// hold. A line means that we let go; the end without one, that we are gone, even by SIGKILL. Then the program is killed,
/// which also ends one stopped by SIGSTOP, and its folder is deleted.
///
/// SIGHUP is what the system sends to all of us when we are gone and the program is stopped.
const WATCHDOG: &str = r#"
folder=$1 log=$2
shift 2
trap '' HUP
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
pid=$!
echo "$pid"
(
    read -r _ <&3 && exit 0
    trap '' TERM
    kill -KILL "$pid"
    exit 99
) >/dev/null 2>&1 &
guard=$!
exec >&- 3<&-
wait "$pid"
status=$?
kill "$guard" 2>/dev/null
wait "$guard"
if [ $? -eq 99 ]; then rm -rf -- "$folder"; fi
exit "$status"
"#;

/// A running program; dropping it kills the program and waits for its end.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// Held open, because its end tells the watchdog that we are gone.
    lifeline: Option<ChildStdin>,
    exited: watch::Receiver<Option<ExitStatus>>,
    reaper: Option<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts a program with its output appended to `log`. Blocks for the milliseconds a shell needs to start.
    ///
    /// `folder` is deleted only if we end without dropping this.
    pub(crate) fn spawn(program: &[OsString], folder: &Path, log: &Path) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "zk-testing-watchdog"])
            .args([folder, log])
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C at a terminal is for us alone; the program follows when we end.
            .process_group(0)
            .spawn()?;
        let lifeline = shell.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let (exited_tx, exited) = watch::channel(None);
        // Ends when the program has ended; the drop waits for it.
        let reaper = thread::Builder::new().name("zk-testing-reaper".into()).spawn(move || {
            let status = shell.wait().unwrap_or_default();
            exited_tx.send_replace(Some(status));
        })?;
        let pid = line.trim().parse().map_err(|_| io::Error::other("the watchdog shell printed no pid"))?;
        Ok(Self { pid: Pid::from_raw(pid), lifeline, exited, reaper: Some(reaper) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Sends a signal; nothing happens if the program has ended already.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        // Its pid may belong to another process by then.
        if self.exit_status().is_some() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until the program has ended and is reaped, so that its ports are free and its pid is gone.
    pub(crate) async fn exited(&mut self) {
        // An error means that the reaper has ended, and with it the program.
        let _ = self.exited.wait_for(Option::is_some).await;
    }

    /// Waits until every thread of the program stands still, where the system shows that.
    pub(crate) async fn stopped(&self) {
        let tasks = format!("/proc/{}/task", self.pid);
        while self.exit_status().is_none() && any_thread_runs(Path::new(&tasks)) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
        // The folder is not the watchdog's business any more. If it is gone already, so much the better.
        if let Some(mut lifeline) = self.lifeline.take() {
            let _ = lifeline.write_all(b"released\n");
        }
        if let Some(reaper) = self.reaper.take() {
            let _ = reaper.join();
        }
    }
}

/// False also where there is no such folder.
fn any_thread_runs(tasks: &Path) -> bool {
    let Ok(entries) = tasks.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The state follows the name, which stands in parentheses and may hold anything.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_some_and(|state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
    })
}
