//! A TCP proxy in front of one server that knows where ZooKeeper's messages begin and end.
//!
//! A [`Proxy`] can break all connections, by [`cut`](Proxy::cut), [`refuse`](Proxy::refuse), [`hang`](Proxy::hang) and
//! [`delay`](Proxy::delay), or at one message, by [`on`](Proxy::on). It records which requests went by.

mod connection;
mod matching;
mod recorded;
mod rule;
mod shared;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::ports::Lease;
use shared::{Cut, Mode, Shared};

pub use matching::Match;
pub use recorded::Seen;
pub use rule::{Action, Injection};
pub use zk_wire::OpCode as Op;

/// How long the listener rests when it cannot accept, such as when file descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A proxy on a port of 127.0.0.1, with faults on demand.
///
/// The proxy starts in the mode [`pass`](Self::pass). A mode applies to present and to new connections alike. Four letter words
/// go through, too. Dropping it ends all of its tasks and closes all connections.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Absent while connections are refused.
    acceptor: Mutex<Option<JoinHandle<()>>>,
    _lease: Lease,
}

impl Proxy {
    /// Starts to listen on a free port, and forwards to `upstream`, which need not be up.
    ///
    /// # Errors
    /// An I/O error if there is no port to be had.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let lease = Lease::any()?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, lease.port()));
        let proxy =
            Self { addr, shared: Arc::new(Shared::new(upstream)), acceptor: Mutex::default(), _lease: lease };
        proxy.pass().await?;
        Ok(proxy)
    }

    /// Returns where clients connect; it stays the same for the life of the proxy.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns where clients connect, as `127.0.0.1:PORT`.
    pub fn connect_string(&self) -> String {
        self.addr.to_string()
    }

    /// Forwards everything at once; ends [`refuse`](Self::refuse), [`hang`](Self::hang) and [`delay`](Self::delay).
    ///
    /// What was kept back meanwhile is forwarded, except on connections that were opened and closed during a hang.
    ///
    /// # Errors
    /// An I/O error if connections were refused, and something else has taken the port since.
    pub async fn pass(&self) -> io::Result<()> {
        self.shared.set_mode(Mode::Pass);
        self.listen().await
    }

    /// Black hole: accepts connections and forwards nothing either way, neither data nor the end of a connection.
    ///
    /// # Errors
    /// Those of [`pass`](Self::pass).
    pub async fn hang(&self) -> io::Result<()> {
        self.shared.set_mode(Mode::Hang);
        self.listen().await
    }

    /// Forwards each message after a delay, the same both ways, so that a round trip takes twice as long.
    ///
    /// This is a latency, not a limit on throughput, and counts from when a message arrives here.
    ///
    /// # Errors
    /// Those of [`pass`](Self::pass).
    pub async fn delay(&self, each_way: Duration) -> io::Result<()> {
        self.shared.set_mode(Mode::Delay(each_way));
        self.listen().await
    }

    /// Refuses new connections, as a closed port does, and closes the present ones.
    ///
    /// When it returns, all of this is done. It lasts until the next [`pass`](Self::pass), [`hang`](Self::hang) or
    /// [`delay`](Self::delay).
    pub async fn refuse(&self) {
        let acceptor = self.acceptor.lock().await.take();
        if let Some(acceptor) = acceptor {
            acceptor.abort();
            // Cancelled is what was asked for; the listener is closed by now.
            let _ = acceptor.await;
        }
        self.shared.cut(Cut::Reset).await;
    }

    /// Forwards new connections to another server; present ones stay where they are.
    pub fn redirect(&self, upstream: SocketAddr) {
        self.shared.redirect(upstream);
    }

    /// Resets all present connections, and returns when that is done; the mode stays, so new ones pass in mode pass.
    pub async fn cut(&self) {
        self.shared.cut(Cut::Reset).await;
    }

    /// Closes all present connections in an orderly way, as a server does that shuts down; else like [`cut`](Self::cut).
    pub async fn cut_cleanly(&self) {
        self.shared.cut(Cut::Close).await;
    }

    /// Does something to the next request that matches.
    ///
    /// The first rule that matches and is not used up decides; rules keep the order in which they were made. See [`Match`]
    /// for choosing a later request, or several.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run(proxy: zk_testing::proxy::Proxy) {
    /// # use std::time::Duration;
    /// use zk_testing::proxy::{Action, Match};
    /// // The node is created, but its creator gets no reply.
    /// let lost = proxy.on(Match::creates().path("/a"), Action::CutAfterRequest);
    /// assert!(lost.wait_fired(Duration::from_secs(1)).await);
    /// # }
    /// ```
    pub fn on(&self, matching: impl Into<Match>, action: Action) -> Injection {
        self.shared.rules.add(matching.into(), action)
    }

    /// Swallows all watch notifications until the returned handle is [lifted](Injection::lift); it counts them.
    pub fn drop_events(&self) -> Injection {
        self.shared.rules.drop_events()
    }

    /// Lifts all rules.
    pub fn clear_rules(&self) {
        self.shared.rules.clear();
    }

    /// Returns the requests that went by since the start or the last [`clear`](Self::clear), oldest first.
    ///
    /// A request is recorded when it is forwarded or falls to a rule. Only the last 65,536 are kept.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen()
    }

    /// Forgets the requests seen so far.
    pub fn clear(&self) {
        self.shared.forget_seen();
    }

    /// Returns how many connections were accepted since the start, hung ones included.
    pub fn connections_accepted(&self) -> u64 {
        self.shared.accepted()
    }

    /// Returns how many connections are open now.
    pub fn connections_open(&self) -> usize {
        self.shared.open()
    }

    async fn listen(&self) -> io::Result<()> {
        let mut acceptor = self.acceptor.lock().await;
        if acceptor.is_none() {
            let listener = TcpListener::bind(self.addr).await?;
            // Ends by being aborted: when connections are refused, or the proxy is dropped.
            *acceptor = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(acceptor) = self.acceptor.get_mut().take() {
            acceptor.abort();
        }
        self.shared.shut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => shared.admit(|id, open, cut| connection::run(id, client, open, cut)),
            Err(error) => {
                tracing::warn!(%error, "proxy cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
