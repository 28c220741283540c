//! Set-up, waits and checks that the tests of this crate share.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use instance::{Format, Instance, Plain};
use registry::{Holder, Registrar, RegistrarConfig, Registration, RegistrationStatus};
use test_zookeeper::Server;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};
pub use zk_testing::{SESSION, SOON, eventually, expire_session, four_letter_word, raw};

pub const ROOT: &str = "/go_servers";
/// The instance of the tests of a single registration, and its znode.
pub const NAME: &str = "127.0.0.1:8897";
pub const NODE: &str = "/go_servers/127.0.0.1:8897";
/// An audit interval that is longer than any test: what is repaired is repaired without an audit.
pub const NO_AUDITS: Duration = Duration::from_secs(3600);

// === Set-up ===

/// A process that registers instances.
pub struct Service {
    pub zk: Zk,
    pub registrar: Registrar,
}

/// A service with a session of `2 * SESSION`: long enough for thousands of registrations on a busy machine.
pub fn service(hosts: &str, audit: Duration) -> Service {
    Service::start(hosts, 2 * SESSION, audit)
}

/// A service with a session of `SESSION`, for a single registration without audits.
pub fn one_service(hosts: &str) -> Service {
    Service::start(hosts, SESSION, NO_AUDITS)
}

pub fn registrar(zk: &Zk, root: &str, audit: Duration) -> Registrar {
    let root = ZnodePath::parse(root).unwrap();
    Registrar::new(zk, RegistrarConfig::new(root).with_audit_interval(audit).unwrap())
}

/// Starts a server, a proxy in front of it, a [`service`] that connects through the proxy, and an observer that
/// connects to the server. `None` where no ZooKeeper is installed.
pub async fn behind_proxy(audit: Duration) -> Option<(Server, Proxy, Service, raw::Client)> {
    let (server, proxy, observer) = with_proxy().await?;
    let service = service(&proxy.connect_string(), audit);
    Some((server, proxy, service, observer))
}

/// The same, with [`one_service`].
pub async fn one_behind_proxy() -> Option<(Server, Proxy, Service, raw::Client)> {
    let (server, proxy, observer) = with_proxy().await?;
    let service = one_service(&proxy.connect_string());
    Some((server, proxy, service, observer))
}

/// The same, without a service.
pub async fn with_proxy() -> Option<(Server, Proxy, raw::Client)> {
    let (server, observer) = with_server().await?;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    Some((server, proxy, observer))
}

/// The same, without a service and a proxy.
pub async fn with_server() -> Option<(Server, raw::Client)> {
    test_zookeeper::require()?;
    let server = Server::start().await.unwrap();
    let observer = observer(&server).await;
    Some((server, observer))
}

impl Service {
    pub fn start(hosts: &str, session_timeout: Duration, audit: Duration) -> Self {
        let config = zk_core::ZkConfig::new(hosts).unwrap().with_session_timeout(session_timeout).unwrap();
        let zk = Zk::start(config).unwrap();
        Self { registrar: registrar(&zk, ROOT, audit), zk }
    }

    /// Registers [`NAME`], without a word about its socket.
    pub fn register(&self) -> Registration {
        self.registrar.register(named()).unwrap()
    }

    /// Registers [`NAME`] as the owner of its socket.
    pub fn register_vouched(&self) -> Registration {
        self.registrar.register_bound(named(), bound()).unwrap()
    }

    pub fn register_all(&self, instances: impl IntoIterator<Item = Instance>) -> Vec<Registration> {
        let register = |instance| self.registrar.register(instance).unwrap();
        instances.into_iter().map(register).collect()
    }

    pub fn session(&self) -> i64 {
        self.zk.state().session.unwrap().id.0
    }
}

/// The instance [`NAME`].
pub fn named() -> Instance {
    Instance::new(NAME.parse().unwrap())
}

pub fn bound() -> SocketAddr {
    NAME.parse().unwrap()
}

/// One of thousands of instances.
pub fn instance(i: usize) -> Instance {
    Instance::new(format!("10.0.{}.{}:80", i / 256, i % 256).parse().unwrap())
}

pub async fn observer(server: &Server) -> raw::Client {
    raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap()
}

/// Lets everybody read and change the ACL, and do nothing else.
pub fn read_and_admin() -> raw::Acl {
    raw::Acl::new(raw::permission::READ | raw::permission::ADMIN, "world", "anyone")
}

/// The request by which a registration ends: told where the server can tell it.
pub fn leave() -> Op {
    if test_zookeeper::is_old() { Op::Delete } else { Op::Multi }
}

/// Whether a test can run that sets recursive watches, or counts on them: on a server that has them.
pub fn require_recursive_watches() -> Option<()> {
    if test_zookeeper::has_recursive_watches() { test_zookeeper::require() } else { None }
}

// === Faults ===

/// Expires the session in use. A busy test may be slower than the link, which attaches to the session again before it
/// can be closed: then once more.
pub async fn expire(server: &Server, service: &Service) {
    let session = service.session();
    let deadline = Instant::now() + SOON;
    while service.session() == session
        && let Err(error) = expire_session(server.addr(), session).await
    {
        assert!(Instant::now() < deadline, "{error}");
    }
}

/// Interrupts the link until all registrations have noticed. A link that came back at once could be faster than so many
/// checks.
pub async fn interrupt(proxy: &Proxy, registrations: &[Registration]) {
    proxy.refuse().await;
    none_registered(registrations).await;
    proxy.pass().await.unwrap();
}

/// Deletes a znode by hand, and waits until its keeper has created it again.
pub async fn delete_until_recreated(observer: &raw::Client, path: &str) {
    let deleted = observer.exists(path).await.unwrap().unwrap().czxid;
    observer.delete(path, None).await.unwrap();
    eventually("the znode is created again", async || {
        observer.exists(path).await.unwrap().is_some_and(|stat| stat.czxid != deleted)
    })
    .await;
}

/// Overwrites the data of a registration for 3 s, and checks that its keeper restores it more and more slowly.
pub async fn overwrite_again_and_again(observer: &raw::Client, proxy: &Proxy, path: &str, every: Duration) {
    let ours = observer.get(path).await.unwrap().0;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        observer.set(path, b"theirs", None).await.unwrap();
        sleep(every).await;
    }
    let writes = writes(proxy).into_iter().filter(|op| *op == Op::SetData).count();
    assert!((2..=40).contains(&writes), "{writes} writes in 3 s");
    restored(observer, path, &ours).await;
}

// === Waits ===

pub async fn registered(registration: &Registration) {
    let done = timeout(SOON, registration.registered()).await;
    done.unwrap_or_else(|_| panic!("the status is {:?}", registration.status())).unwrap();
}

pub async fn all_registered(registrations: &[Registration]) {
    let all = join_all(registrations.iter().map(Registration::registered));
    let Ok(done) = timeout(SOON, all).await else {
        let others: Vec<_> = registrations.iter().filter(|r| !r.status().is_registered()).collect();
        panic!("{} are not registered, one of them is {:?}", others.len(), others[0].status());
    };
    assert!(done.into_iter().all(|done| done.is_ok()));
}

/// Waits until no registration is registered any more, as after the end of a connection.
pub async fn none_registered(registrations: &[Registration]) {
    for registration in registrations {
        status_where(registration, |status| !status.is_registered()).await;
    }
}

pub async fn status_where(
    registration: &Registration,
    wanted: impl FnMut(&RegistrationStatus) -> bool,
) -> RegistrationStatus {
    let mut statuses = registration.statuses();
    let found = timeout(SOON, statuses.wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("the status is {:?}", registration.status())).unwrap().clone()
}

/// Waits for a conflict, and returns the holder of the name.
pub async fn conflict(registration: &Registration) -> Holder {
    match status_where(registration, |status| matches!(status, RegistrationStatus::Conflict(_))).await {
        RegistrationStatus::Conflict(holder) => holder,
        status => unreachable!("{status:?}"),
    }
}

/// Waits until a znode has its data again.
pub async fn restored(observer: &raw::Client, path: &str, ours: &[u8]) {
    eventually("our data is restored", async || observer.get(path).await.unwrap().0 == ours).await;
}

/// Waits until the data of a znode was written once since it was created.
pub async fn updated(observer: &raw::Client, path: &str) {
    eventually("the update is written", async || observer.get(path).await.unwrap().1.version == 1).await;
}

/// Waits until the data of every znode was written once since it was created.
pub async fn all_updated(observer: &raw::Client, registrations: &[Registration]) {
    let are_updated =
        async || stats(observer, registrations).await.iter().all(|stat| stat.unwrap().version == 1);
    eventually("the updates are written in place", are_updated).await;
}

/// Waits until the registrar knows how often the list of children has changed. Only at the start of a connection it is
/// sure to ask: while znodes are created, it may learn it at any time, and then asks no more.
pub async fn changes_counted(proxy: &Proxy, registrations: &[Registration]) {
    interrupt(proxy, registrations).await;
    all_registered(registrations).await;
}

// === Checks ===

/// Checks that there is exactly one znode, [`NODE`], of the session in use and with our data.
pub async fn assert_in_place(observer: &raw::Client, service: &Service) -> raw::Stat {
    let (names, _) = observer.children(ROOT).await.unwrap();
    assert_eq!(names, [NAME]);
    let (data, stat) = observer.get(NODE).await.unwrap();
    assert_eq!(stat.ephemeral_owner, service.session());
    let read = Plain.decode(NAME, &data).unwrap();
    assert_eq!(read.remarks, []);
    let incarnation = read.instance.owner().unwrap().incarnation();
    assert_eq!(incarnation, service.registrar.owner().incarnation());
    stat
}

/// Checks that there is one znode for each registration and no other, all of the session in use.
pub async fn assert_each_once(observer: &raw::Client, service: &Service, registrations: &[Registration]) {
    let (mut names, _) = observer.children(ROOT).await.unwrap();
    let mut wanted: Vec<_> = registrations.iter().map(|r| r.path().name().to_owned()).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    let stats = stats(observer, registrations).await;
    assert!(stats.iter().all(|stat| stat.unwrap().ephemeral_owner == service.session()));
}

/// The stats of all the znodes.
pub async fn stats(observer: &raw::Client, registrations: &[Registration]) -> Vec<Option<raw::Stat>> {
    let looks = registrations.iter().map(|registration| observer.exists(registration.path().as_str()));
    join_all(looks).await.into_iter().map(Result::unwrap).collect()
}

/// The requests that the proxy has seen, without pings.
pub fn requests(proxy: &Proxy) -> Vec<Op> {
    proxy.requests().into_iter().map(|request| request.op).filter(|op| *op != Op::Ping).collect()
}

pub fn writes(proxy: &Proxy) -> Vec<Op> {
    let is_write = |op: &Op| op.is_create() || matches!(op, Op::Delete | Op::SetData | Op::Multi);
    requests(proxy).into_iter().filter(is_write).collect()
}

/// How many watches the server has.
pub async fn watches(server: &Server) -> usize {
    let reply = four_letter_word(server.addr(), "wchs").await.unwrap();
    reply.lines().find_map(|line| line.strip_prefix("Total watches:")).unwrap().trim().parse().unwrap()
}
