//! The fd reserve: file descriptors that are kept back for the links of a process.

use std::io::{self, PipeReader, PipeWriter};

use parking_lot::Mutex;

/// The thread and the runtime of a connection take about seven; the rest is for dialling several servers and resolving
/// names at the same time.
const DESCRIPTORS: usize = 16;

/// The 16 file descriptors that this process keeps back for its links, which use them to connect. A process has one
/// reserve, because descriptors belong to the process.
///
/// ```
/// # let accept = || ();
/// let caller = accept();
/// if !zk_core::fd_reserve().is_full() {
///     drop(caller); // It occupies a descriptor that the link may need.
/// }
/// ```
///
/// A server that accepts any number of connections runs out of descriptors one day. If its link breaks then, no
/// descriptor is left to connect with: the session expires, and every registration with it. So the reserve is filled
/// before the first attempt to connect, released to each attempt, and filled again afterwards, as soon as descriptors
/// are free. A server that drops accepted callers while [`is_full`](Self::is_full) is false keeps its link, whatever
/// its callers do. A server that does not check may take a descriptor that an attempt needs; the next attempt follows
/// within a second.
#[derive(Debug)]
pub struct FdReserve(Mutex<Reserved>);

#[derive(Debug)]
struct Reserved {
    pipes: Vec<Pipe>,
    /// Attempts to connect that use the descriptors at present.
    attempts: usize,
}

/// Two descriptors, which need no file, address or permission.
type Pipe = (PipeReader, PipeWriter);

static RESERVE: FdReserve = FdReserve(Mutex::new(Reserved { pipes: Vec::new(), attempts: 0 }));

/// The reserve of this process.
pub fn fd_reserve() -> &'static FdReserve {
    &RESERVE
}

impl FdReserve {
    /// Whether the descriptors are kept back or, while a link connects, as many are free. Fills the reserve first, if
    /// it can.
    pub fn is_full(&self) -> bool {
        let mut reserved = self.0.lock();
        if reserved.attempts == 0 { reserved.fill().is_ok() } else { pipes(DESCRIPTORS / 2).is_ok() }
    }

    /// Fills the reserve.
    ///
    /// # Errors
    /// The error of the system if it refuses a descriptor. Those that it granted stay in the reserve.
    pub(crate) fn fill(&self) -> io::Result<()> {
        self.0.lock().fill()
    }

    /// Releases the descriptors to an attempt to connect, until the returned value is dropped.
    pub(crate) fn lend(&'static self) -> Lent {
        let mut reserved = self.0.lock();
        reserved.attempts += 1;
        reserved.pipes.clear();
        Lent(self)
    }
}

impl Reserved {
    fn fill(&mut self) -> io::Result<()> {
        while self.attempts == 0 && self.pipes.len() < DESCRIPTORS / 2 {
            self.pipes.push(io::pipe()?);
        }
        Ok(())
    }
}

fn pipes(count: usize) -> io::Result<Vec<Pipe>> {
    (0..count).map(|_| io::pipe()).collect()
}

/// An attempt to connect uses the reserve. `Drop` fills it with the descriptors that are free.
#[derive(Debug)]
pub(crate) struct Lent(&'static FdReserve);

impl Drop for Lent {
    fn drop(&mut self) {
        let mut reserved = self.0.0.lock();
        reserved.attempts -= 1;
        // The session thread fills the rest, once a second, and so does `is_full`.
        let _ = reserved.fill();
    }
}
