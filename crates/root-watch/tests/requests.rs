//! What a root watch costs, counted at a proxy before a real server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{ROOT, User, config, ms};
use root_watch::Lists;
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use zk_core::Zk;
use zk_testing::proxy::{Op, Proxy};
use zk_testing::raw::{self, CreateMode};
use zk_testing::{SESSION, SOON};

/// A server with a root and one child, a proxy before it, and somebody who changes the children.
async fn serve() -> (Server, Proxy, raw::Client) {
    let server = Server::start().await.unwrap();
    let operator = raw::Client::connect(server.addr(), SESSION).await.unwrap();
    operator.create_all(&format!("{ROOT}/a")).await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    (server, proxy, operator)
}

fn link(proxy: &Proxy) -> Zk {
    let config = zk_core::ZkConfig::new(&proxy.connect_string()).unwrap();
    Zk::start(config.with_session_timeout(SESSION).unwrap()).unwrap()
}

fn count(proxy: &Proxy, ops: &[Op]) -> usize {
    let requests = proxy.requests();
    requests.iter().filter(|seen| seen.path.as_deref() == Some(ROOT) && ops.contains(&seen.op)).count()
}

const LISTS: [Op; 2] = [Op::GetChildren, Op::GetChildren2];

/// Creates and deletes children, while `active`: about 100 changes a second.
async fn churn(operator: raw::Client, active: Arc<AtomicBool>) {
    loop {
        let path = format!("{ROOT}/churn");
        if active.load(Ordering::Relaxed) {
            operator.create(&path, b"", CreateMode::Ephemeral).await.unwrap();
            sleep(ms(10)).await;
            operator.delete(&path, None).await.unwrap();
        }
        sleep(ms(10)).await;
    }
}

/// Takes updates until no event is on its way any more.
async fn calm(user: &mut User) {
    user.run_for(ms(300)).await;
}

async fn ten_changes_a_reconnect_and_three_audits(is_churned: bool) {
    if !test_zookeeper::has_recursive_watches() || test_zookeeper::require().is_none() {
        return;
    }
    let (server, proxy, operator) = serve().await;
    let zk = link(&proxy);
    let config = config(Lists::Always).with_audit_interval(Duration::from_secs(1));
    let mut user = User::live(&zk, config).await;
    assert_eq!(count(&proxy, &LISTS), 1);
    let active = Arc::new(AtomicBool::new(is_churned));
    let churn =
        tokio::spawn(churn(raw::Client::connect(server.addr(), SESSION).await.unwrap(), active.clone()));
    for number in 0..10 {
        operator.create(&format!("{ROOT}/{number}"), b"", CreateMode::Persistent).await.unwrap();
    }
    user.run_until(|user| user.names.contains("9")).await;
    active.store(false, Ordering::Relaxed);
    calm(&mut user).await;
    proxy.cut().await;
    user.run_until(|user| !user.is_live()).await;
    user.run_until(User::is_whole).await;
    active.store(is_churned, Ordering::Relaxed);
    let audits = user.audits + 3;
    let began = Instant::now();
    user.run_until_audits(audits).await;
    assert!(began.elapsed() < SOON);
    assert_eq!(count(&proxy, &LISTS), 1);
    assert_eq!(count(&proxy, &[Op::AddWatch]), 2);
    if !is_churned {
        assert_eq!(count(&proxy, &[Op::GetData]), user.audits);
    }
    active.store(false, Ordering::Relaxed);
    calm(&mut user).await;
    assert_eq!(user.names.len(), 11, "{:?}", user.names);
    churn.abort();
}

#[tokio::test]
async fn ten_changes_a_reconnect_and_three_audits_cost_no_list() {
    ten_changes_a_reconnect_and_three_audits(false).await;
}

#[tokio::test]
async fn under_constant_change_they_cost_none_either() {
    ten_changes_a_reconnect_and_three_audits(true).await;
}

#[tokio::test]
async fn a_swallowed_event_is_noticed_by_the_next_audit() {
    if !test_zookeeper::has_recursive_watches() || test_zookeeper::require().is_none() {
        return;
    }
    let (_server, proxy, operator) = serve().await;
    let zk = link(&proxy);
    let config = config(Lists::Always).with_audit_interval(Duration::from_secs(1));
    let mut user = User::live(&zk, config).await;
    let swallowed = proxy.drop_events();
    operator.create(&format!("{ROOT}/b"), b"", CreateMode::Persistent).await.unwrap();
    user.run_until(|user| user.names.contains("b")).await;
    swallowed.lift();
    let news = user.news();
    assert!(news.ends_with("listed Audit [a b]") && !news.contains('+'), "{news}");
    // The watch is replaced, and the new one works.
    user.run_until(|user| !user.is_live()).await;
    user.run_until(User::is_live).await;
    operator.delete(&format!("{ROOT}/b"), None).await.unwrap();
    user.run_until(|user| !user.names.contains("b")).await;
    assert!(user.news().contains("-b"));
}
