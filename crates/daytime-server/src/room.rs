//! Whether there are file descriptors to serve anybody with.

use std::io;

/// A link to ZooKeeper takes about seven while it is up; the others are for the first callers.
const ROOM: usize = 16;

/// Makes what the link to ZooKeeper needs, and looks whether there is room for it and for callers.
///
/// A limit that leaves none is a mistake to be noticed at once: a server that accepts nobody, or finds its way to
/// ZooKeeper only sometimes, must not be listed.
pub(crate) fn make() -> Result<(), crate::Error> {
    zk_core::prepare()?;
    // A pipe is two, and needs no file and no address.
    let room: io::Result<Vec<_>> = (0..ROOM / 2).map(|_| io::pipe()).collect();
    room.map(drop).map_err(crate::Error::Descriptors)
}
