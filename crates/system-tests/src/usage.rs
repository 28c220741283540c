//! The processor time, memory and file descriptors of a process, as Linux shows them in `/proc`.

use std::time::Duration;

use nix::unistd::Pid;

/// The unit of processor time in `/proc`: Linux shows hundredths of a second, whatever it counts in.
const JIFFY: Duration = Duration::from_millis(10);

/// The processor time used so far by all threads, ended ones included.
///
/// # Panics
/// If there is no such process, as all functions of this module.
pub fn processor_time(pid: Pid) -> Duration {
    let stat = read(pid, "stat");
    // The second field is the program's name in brackets, with any characters.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let jiffies = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok());
    match (jiffies(11), jiffies(12)) {
        (Some(user), Some(system)) => JIFFY * (user + system),
        _ => panic!("/proc/{pid}/stat: {stat}"),
    }
}

/// The most memory that was resident at any time, in bytes.
pub fn peak_memory(pid: Pid) -> u64 {
    let status = read(pid, "status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let kib: u64 =
        peak.and_then(|kib| kib.parse().ok()).unwrap_or_else(|| panic!("/proc/{pid}/status: {status}"));
    kib * 1024
}

/// How many file descriptors are open.
pub fn descriptors(pid: Pid) -> usize {
    let folder = format!("/proc/{pid}/fd");
    std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}")).count()
}

fn read(pid: Pid, name: &str) -> String {
    let path = format!("/proc/{pid}/{name}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
