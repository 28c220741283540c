//! Checks at the start that there are enough file descriptors. When they are short later, `serve::tcp` closes new
//! connections.

use std::io;

/// File descriptors that must be free: about seven for the link to ZooKeeper, the others for the first callers.
const ROOM: usize = 16;

/// Takes the fd reserve of the link, and checks that enough descriptors are left for the link and the first callers.
///
/// A lower limit is a mistake that ends the start: a server that accepts no calls, or cannot always connect to ZooKeeper,
/// must not be registered.
pub(crate) fn require() -> Result<(), crate::Error> {
    zk_core::prepare()?;
    // A pipe is two descriptors, and needs no file and no address.
    let room: io::Result<Vec<_>> = (0..ROOM / 2).map(|_| io::pipe()).collect();
    room.map(drop).map_err(crate::Error::FileDescriptors)
}
