//! What a process uses, as Linux shows it in `/proc`; `None` once it is gone.

use std::time::Duration;

use nix::unistd::Pid;

/// The unit of processor time in `/proc`: hundredths of a second, whatever Linux counts in.
const JIFFY: Duration = Duration::from_millis(10);

/// What a process uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) rss_kib: u64,
    pub(crate) fds: u64,
    pub(crate) cpu: Duration,
}

pub(crate) fn usage(pid: Pid) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))?;
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let stat = fields(pid)?;
    let jiffies = |field: usize| stat.get(field)?.parse::<u32>().ok();
    Some(Usage {
        rss_kib: rss.parse().ok()?,
        fds: fds.try_into().ok()?,
        cpu: JIFFY * (jiffies(11)? + jiffies(12)?),
    })
}

/// Whether it stands still, as SIGSTOP has asked.
pub(crate) fn is_stopped(pid: Pid) -> bool {
    fields(pid).is_some_and(|stat| stat.first().is_some_and(|state| state == "T"))
}

/// The fields of its `stat` behind the name, which stands in brackets and may hold anything.
fn fields(pid: Pid) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(ToOwned::to_owned).collect())
}
