//! What the tests of many registrations share.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::time::Duration;

use futures_util::future::join_all;
use instance::Instance;
use registry::{Config, Registrar, Registration, Socket, Status};
use test_zookeeper::Server;
use tokio::time::{Instant, timeout};
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};
pub use zk_testing::{SESSION, SOON, eventually, expire_session, four_letter_word, raw};

pub const ROOT: &str = "/go_servers";
/// Audits are out of the way.
pub const NEVER: Duration = Duration::from_secs(3600);

pub struct Service {
    pub zk: Zk,
    pub registrar: Registrar,
}

pub fn service(hosts: &str, audit: Duration) -> Service {
    let config = zk_core::Config::new(hosts).unwrap().with_session_timeout(2 * SESSION).unwrap();
    let zk = Zk::start(config).unwrap();
    Service { registrar: registrar(&zk, ROOT, audit), zk }
}

pub fn registrar(zk: &Zk, root: &str, audit: Duration) -> Registrar {
    let root = ZnodePath::parse(root).unwrap();
    Registrar::new(zk.clone(), Config::new(root).with_audit_interval(audit).unwrap())
}

impl Service {
    pub fn register_all(&self, instances: impl IntoIterator<Item = Instance>) -> Vec<Registration> {
        let register = |instance| self.registrar.register(instance, Socket::Unvouched).unwrap();
        instances.into_iter().map(register).collect()
    }

    pub fn session(&self) -> i64 {
        self.zk.state().session.unwrap().id.0
    }
}

pub fn instance(i: usize) -> Instance {
    Instance::new(format!("10.0.{}.{}:80", i / 256, i % 256).parse().unwrap())
}

pub async fn all_registered(registrations: &[Registration]) {
    let all = join_all(registrations.iter().map(Registration::registered));
    let Ok(done) = timeout(SOON, all).await else {
        let others: Vec<_> = registrations.iter().filter(|r| !r.status().is_registered()).collect();
        panic!("{} are not, one is {:?}", others.len(), others[0].status());
    };
    assert!(done.into_iter().all(|done| done.is_ok()));
}

/// Expires the session in use. A busy test may be slower than the program, which attaches to the session
/// again before it can be closed: then once more.
pub async fn expire(server: &Server, service: &Service) {
    let session = service.session();
    let deadline = Instant::now() + SOON;
    while service.session() == session
        && let Err(error) = expire_session(server.addr(), session).await
    {
        assert!(Instant::now() < deadline, "{error}");
    }
}

/// Until the link's end has been noticed by all.
pub async fn none_registered(registrations: &[Registration]) {
    for registration in registrations {
        status_where(registration, |status| !status.is_registered()).await;
    }
}

/// Breaks the link until all have noticed: one that came back at once would be faster than so many looks here.
pub async fn cut_all_off(proxy: &Proxy, registrations: &[Registration]) {
    proxy.refuse().await;
    none_registered(registrations).await;
    proxy.pass().await.unwrap();
}

pub async fn status_where(registration: &Registration, wanted: impl FnMut(&Status) -> bool) -> Status {
    let mut statuses = registration.statuses();
    let found = timeout(SOON, statuses.wait_for(wanted)).await;
    found.unwrap_or_else(|_| panic!("it is {:?}", registration.status())).unwrap().clone()
}

pub async fn observer(server: &Server) -> raw::Client {
    raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap()
}

/// Lets everybody read and change the ACL, and nothing else.
pub fn read_and_mend() -> raw::Acl {
    raw::Acl::new(raw::permission::READ | raw::permission::ADMIN, "world", "anyone")
}

/// The stats of all the znodes.
pub async fn stats(observer: &raw::Client, registrations: &[Registration]) -> Vec<Option<raw::Stat>> {
    let looks = registrations.iter().map(|registration| observer.exists(registration.path().as_str()));
    join_all(looks).await.into_iter().map(Result::unwrap).collect()
}

/// There is one znode for each registration and no other, all of the session in use.
pub async fn assert_each_once(observer: &raw::Client, service: &Service, registrations: &[Registration]) {
    let (mut names, _) = observer.children(ROOT).await.unwrap();
    let mut wanted: Vec<_> = registrations.iter().map(|r| r.path().name().to_owned()).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    let stats = stats(observer, registrations).await;
    assert!(stats.iter().all(|stat| stat.unwrap().ephemeral_owner == service.session()));
}

/// The requests that are not signs of life.
pub fn requests(proxy: &Proxy) -> Vec<Op> {
    proxy.requests().into_iter().map(|request| request.op).filter(|op| *op != Op::Ping).collect()
}

pub fn writes(proxy: &Proxy) -> Vec<Op> {
    let is_write = |op: &Op| op.is_create() || matches!(op, Op::Delete | Op::SetData | Op::Multi);
    requests(proxy).into_iter().filter(is_write).collect()
}

/// How many watches the server holds.
pub async fn watches(server: &Server) -> usize {
    let answer = four_letter_word(server.addr(), "wchs").await.unwrap();
    answer.lines().find_map(|line| line.strip_prefix("Total watches:")).unwrap().trim().parse().unwrap()
}

/// Until the registrar has kept the root's list version: it reads it a second after the last change.
pub async fn settled(proxy: &Proxy) {
    let is_read = || async {
        let requests = proxy.requests();
        let last = |is: &dyn Fn(&zk_testing::proxy::Seen) -> bool| requests.iter().rposition(is);
        last(&|seen| seen.op == Op::Exists && seen.path.as_deref() == Some(ROOT))
            > last(&|s| s.op.is_create())
    };
    eventually("the list version is read", is_read).await;
}

/// Whether a test can run that sets recursive watches, or counts on them: on a server that knows them.
pub(crate) fn require_recursive_watches() -> Option<()> {
    if test_zookeeper::has_recursive_watches() { test_zookeeper::require() } else { None }
}
