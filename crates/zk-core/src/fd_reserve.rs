//! File descriptors that are kept back for the link.

use std::io::{self, PipeReader, PipeWriter};

use parking_lot::Mutex;

/// A connection to a server comes with a thread and a runtime of its own, which take about seven; the rest is for
/// several servers being dialled and names being looked up at a time.
const DESCRIPTORS: usize = 16;

/// File descriptors (16) that this process keeps back for its links to ensembles, and that they get while they
/// connect. There is one reserve for a process, as descriptors are the process's, too.
///
/// ```
/// # let accept = || ();
/// let caller = accept();
/// if !zk_core::fd_reserve().is_whole() {
///     drop(caller); // It sits on a descriptor that the link may need.
/// }
/// ```
///
/// Who accepts connections without a bound uses up all descriptors one day. When the link to the ensemble breaks then,
/// there is none left to connect with: the session expires, and every registration with it. So the reserve is filled
/// before the first attempt to connect, given to each attempt, and filled again afterwards, as soon as descriptors are
/// free. A server that drops the callers that it accepts while [`is_whole`](Self::is_whole) says no keeps its link,
/// whatever its callers do. One that does not ask may take what is meant for an attempt, if it is quick; the next
/// attempt follows within a second.
#[derive(Debug)]
pub struct FdReserve(Mutex<Held>);

#[derive(Debug)]
struct Held {
    pipes: Vec<Pipe>,
    /// Attempts to connect that have the descriptors at present.
    attempts: usize,
}

/// Two descriptors, which need no file, no address and no permission.
type Pipe = (PipeReader, PipeWriter);

static RESERVE: FdReserve = FdReserve(Mutex::new(Held { pipes: Vec::new(), attempts: 0 }));

/// The reserve of this process.
pub fn fd_reserve() -> &'static FdReserve {
    &RESERVE
}

impl FdReserve {
    /// Whether the descriptors are kept back or, while a link connects, as many are free. Takes back what is
    /// missing, if it is to be had.
    pub fn is_whole(&self) -> bool {
        let mut held = self.0.lock();
        if held.attempts == 0 { held.fill().is_ok() } else { pipes(DESCRIPTORS / 2).is_ok() }
    }

    /// Keeps all back.
    ///
    /// # Errors
    /// What the system says where it refuses one. Those that it granted are kept.
    pub(crate) fn fill(&self) -> io::Result<()> {
        self.0.lock().fill()
    }

    /// Gives all to an attempt to connect, until the value returned is dropped.
    pub(crate) fn lend(&'static self) -> Lent {
        let mut held = self.0.lock();
        held.attempts += 1;
        held.pipes.clear();
        Lent(self)
    }
}

impl Held {
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

/// The reserve is with an attempt to connect. `Drop` takes back what is to be had.
#[derive(Debug)]
pub(crate) struct Lent(&'static FdReserve);

impl Drop for Lent {
    fn drop(&mut self) {
        let mut held = self.0.0.lock();
        held.attempts -= 1;
        // The rest is taken back by the link, once a second, and by whoever asks.
        let _ = held.fill();
    }
}
