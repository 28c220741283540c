//! Facts about this process, which it writes into its znodes.

use std::fs;
use std::time::UNIX_EPOCH;

use instance::{Incarnation, Owner};
use rand::RngExt;
use zk_core::Sources;

/// The owner that this process is, with a new incarnation. A fact that the system does not provide is left out: a
/// missing fact never makes a znode ours.
pub(crate) fn owner(sources: &Sources) -> Owner {
    let mut owner = Owner::new(Incarnation::from_u128(sources.rng().random())).with_pid(std::process::id());
    if let Ok(since_epoch) = sources.wall_clock().duration_since(UNIX_EPOCH) {
        owner = owner.with_started_ms(since_epoch.as_millis() as u64);
    }
    if let Some(host) = line("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok()) {
        owner = owner.with_host(host);
    }
    if let Some(boot_id) = line("/proc/sys/kernel/random/boot_id") {
        owner = owner.with_boot_id(boot_id);
    }
    if let Some(inode) = network_namespace() {
        owner = owner.with_netns(inode);
    }
    owner
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The inode of our network namespace: containers of one host share its boot id but not its addresses.
fn network_namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/net").ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}
