//! File descriptors enough to serve with, or an error at the start.

use std::io;

/// A link to ZooKeeper takes about seven while it is up; the others are for the first callers.
const ROOM: usize = 16;

/// Takes the link's reserve, and checks that there are enough besides for the link and for the first callers.
///
/// A limit that leaves none is a mistake to be noticed at once: a server that accepts nobody, or finds its way to
/// ZooKeeper only sometimes, must not be listed.
pub(crate) fn require() -> Result<(), crate::Error> {
    zk_core::prepare()?;
    // A pipe is two, and needs no file and no address.
    let room: io::Result<Vec<_>> = (0..ROOM / 2).map(|_| io::pipe()).collect();
    room.map(drop).map_err(crate::Error::Descriptors)
}
