//! Leases of ports of 127.0.0.1: no other test takes a leased port, even while nothing listens on it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;

use parking_lot::Mutex;

/// Below this live the well-known services.
const LOWEST: u16 = 10_000;
/// The end of our range where the system does not show its ephemeral one.
const DEFAULT_HIGHEST: u16 = 32_000;
const ATTEMPTS: usize = 1_000;

static HANDED_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port kept for us: by a set inside this process, by a locked file among processes that use this crate.
///
/// Nothing listens on it, so a server can be killed and started again on the same port. Dropping it gives the port back.
#[derive(Debug)]
pub(crate) struct Lease {
    port: u16,
    _lock: Option<File>,
}

impl Lease {
    /// Picks a free port by chance, outside of the range from which the system serves outgoing connections.
    pub(crate) fn any() -> io::Result<Self> {
        let highest =
            first_ephemeral_port().filter(|first| *first > LOWEST + 1_000).unwrap_or(DEFAULT_HIGHEST);
        for _ in 0..ATTEMPTS {
            let port = LOWEST + (random() % u64::from(highest - LOWEST)) as u16;
            if let Some(lease) = Self::take(port) {
                return Ok(lease);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port found on 127.0.0.1"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn take(port: u16) -> Option<Self> {
        if !HANDED_OUT.lock().insert(port) {
            return None;
        }
        // From here on the drop gives the port back, whatever fails.
        let mut lease = Self { port, _lock: None };
        lease._lock = lock(port).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        HANDED_OUT.lock().remove(&self.port);
    }
}

/// Locks the port's file; the system lets go of it when this process ends, however it ends.
///
/// Without a folder to write to there is no lock, and the check by binding must do. An error means that another
/// process holds the port.
fn lock(port: u16) -> Result<Option<File>, fs::TryLockError> {
    let folder = std::env::temp_dir().join("zk-testing-ports");
    let file = fs::create_dir_all(&folder).and_then(|()| File::create(folder.join(port.to_string())));
    let Ok(file) = file else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(fs::TryLockError::WouldBlock),
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

fn first_ephemeral_port() -> Option<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_leased_twice_at_the_same_time() {
        let leases: Vec<Lease> = (0..50).map(|_| Lease::any().unwrap()).collect();
        let ports: HashSet<u16> = leases.iter().map(Lease::port).collect();
        assert_eq!(ports.len(), 50);
        assert!(Lease::take(leases[0].port()).is_none());
    }

    #[test]
    fn a_port_comes_back_when_its_lease_is_dropped() {
        let lease = Lease::any().unwrap();
        let port = lease.port();
        drop(lease);
        assert!(Lease::take(port).is_some());
    }

    #[test]
    fn a_port_in_use_is_not_handed_out() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(Lease::take(listener.local_addr().unwrap().port()).is_none());
    }

    #[test]
    fn a_port_locked_by_another_holder_of_the_file_is_not_handed_out() {
        let lease = Lease::any().unwrap();
        let port = lease.port();
        // As another process would see it: not in its set, but locked.
        HANDED_OUT.lock().remove(&port);
        assert!(Lease::take(port).is_none());
    }
}
