//! Resolves the names of hosts, with few threads however many names have no answer.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How many names are looked up at one time. Where a name service is silent, each look-up keeps a thread for half a minute,
/// whoever still waits for it. A runtime has 512 threads for them, and the link to ZooKeeper needs some.
const MAX_LOOK_UPS: usize = 256;

type Found = Result<Arc<[SocketAddr]>, Arc<io::Error>>;

type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks names up by the resolver of the system, each once at a time: who asks for a name that is being looked up waits for the
/// same answer. Clones share everything.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let resolver = zk_roster::Resolver::shared();
/// let addresses = resolver.resolve("localhost").await?;
/// assert!(addresses.iter().all(|address| address.ip().is_loopback()));
/// # Ok(())
/// # }
/// ```
///
/// A look-up of the system cannot be stopped: it keeps a thread of the runtime (`spawn_blocking`) until it ends. A resolver makes 256 of them at a
/// time at most, and one for each name, so that names without an answer do not use up the threads. Nothing is remembered: the
/// system has caches.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    look_up: Box<LookUp>,
    permits: Arc<Semaphore>,
    under_way: Mutex<HashMap<String, watch::Receiver<Option<Found>>>>,
}

/// A look-up that keeps a thread busy.
struct Running {
    entry: Entry,
    report: watch::Sender<Option<Found>>,
    permit: OwnedSemaphorePermit,
}

/// A name that is being looked up, until this is dropped.
struct Entry {
    shared: Arc<Shared>,
    name: String,
}

impl Resolver {
    /// Returns the resolver of this process: the threads that it spares are those of all.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<Resolver> =
            LazyLock::new(|| Resolver::new(|name| Ok((name, 0).to_socket_addrs()?.collect())));
        SHARED.clone()
    }

    fn new(look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_LOOK_UPS));
        let (look_up, under_way) = (Box::new(look_up), Mutex::default());
        Self { shared: Arc::new(Shared { look_up, permits, under_way }) }
    }

    /// Returns the addresses of a name, with port 0: at least one. Waits for as long as the system does; callers limit that.
    ///
    /// # Errors
    /// That of the system, or that the name has no address.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    /// Safe. A look-up that has begun goes on, for others who ask.
    pub async fn resolve(&self, name: &str) -> io::Result<Arc<[SocketAddr]>> {
        let under_way = self.shared.under_way.lock().get(name).cloned();
        let mut answer = match under_way {
            Some(answer) => answer,
            None => {
                let permit = Arc::clone(&self.shared.permits).acquire_owned().await;
                self.begin(name, permit.expect("the semaphore is never closed"))
            }
        };
        let found = answer.wait_for(Option::is_some).await;
        // It ends without an answer only with the runtime, or if it panics.
        let found = found.ok().and_then(|found| found.clone()).ok_or(io::ErrorKind::Interrupted)?;
        match found {
            Ok(addresses) if addresses.is_empty() => Err(io::Error::other("it has no address")),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(io::Error::new(error.kind(), error)),
        }
    }

    /// Begins a look-up, unless another task was quicker.
    fn begin(&self, name: &str, permit: OwnedSemaphorePermit) -> watch::Receiver<Option<Found>> {
        let mut under_way = self.shared.under_way.lock();
        if let Some(answer) = under_way.get(name) {
            return answer.clone();
        }
        let (report, answer) = watch::channel(None);
        under_way.insert(name.to_owned(), answer.clone());
        drop(under_way);
        let entry = Entry { shared: Arc::clone(&self.shared), name: name.to_owned() };
        let running = Running { entry, report, permit };
        tokio::task::spawn_blocking(move || running.run());
        answer
    }
}

impl Running {
    fn run(self) {
        // In reverse, also if it panics: who learns the answer may ask anew.
        let Self { report, permit: _permit, entry } = self;
        let found = (entry.shared.look_up)(&entry.name);
        drop(entry);
        report.send_replace(Some(found.map(Arc::from).map_err(Arc::new)));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.under_way.lock().remove(&self.name);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    const SOON: Duration = Duration::from_secs(10);
    const IMPATIENT: Duration = Duration::from_millis(1);

    /// A name service that never answers for names that begin with `silent`, until the returned sender is dropped, and how
    /// often it was asked.
    fn silent() -> (Resolver, mpsc::Sender<()>, Arc<AtomicUsize>) {
        let (end, until) = mpsc::channel::<()>();
        let (until, asked) = (Mutex::new(until), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let resolver = Resolver::new(move |name| {
            count.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("silent") {
                let _ = until.lock().recv();
                return Err(io::ErrorKind::TimedOut.into());
            }
            Ok(vec![HERE])
        });
        (resolver, end, asked)
    }

    #[tokio::test]
    async fn a_silent_name_keeps_one_thread_however_often_it_is_asked_for() {
        let (resolver, end, asked) = silent();
        for _ in 0..100 {
            timeout(IMPATIENT, resolver.resolve("silent")).await.unwrap_err();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // Others do not wait for it.
        for _ in 0..3 {
            let found = timeout(SOON, resolver.resolve("up")).await.expect("at once").unwrap();
            assert_eq!(*found, [HERE]);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4, "nothing is remembered");
        let (one, other) = (resolver.resolve("silent"), resolver.resolve("silent"));
        let answers = async { tokio::join!(one, other, async { drop(end) }) };
        let (one, other, ()) = timeout(SOON, answers).await.expect("both have the answer");
        assert_eq!(one.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silent_names_leave_threads_of_the_runtime_to_others() {
        let (resolver, end, asked) = silent();
        let names: Vec<_> = (0..2 * MAX_LOOK_UPS).map(|number| format!("silent-{number}")).collect();
        let all = join_all(names.iter().map(|name| resolver.resolve(name)));
        timeout(Duration::from_millis(100), all).await.unwrap_err();
        // The runtime has twice as many.
        timeout(SOON, tokio::task::spawn_blocking(|| {})).await.expect("a thread is left").unwrap();
        assert!(asked.load(Ordering::SeqCst) <= MAX_LOOK_UPS);
        drop(end);
        timeout(SOON, resolver.resolve("up")).await.expect("the threads are free again").unwrap();
    }

    #[tokio::test]
    async fn a_look_up_that_panics_is_an_error_and_is_forgotten() {
        let asked = AtomicUsize::new(0);
        let resolver = Resolver::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("a defect in a resolver"),
            1 => Ok(vec![]),
            _ => Ok(vec![HERE]),
        });
        timeout(SOON, resolver.resolve("a")).await.unwrap().unwrap_err();
        let none = timeout(SOON, resolver.resolve("a")).await.unwrap().unwrap_err();
        assert_eq!(none.to_string(), "it has no address");
        timeout(SOON, resolver.resolve("a")).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_system_knows_itself() {
        let found = timeout(SOON, Resolver::shared().resolve("localhost")).await.unwrap().unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }
}
