//! Measures what thousands of registrations cost: `cargo run --release -p registry --example many -- 5000`.
//!
//! Starts an Apache ZooKeeper of its own and counts the requests that a proxy in front of it sees.

#![allow(clippy::unwrap_used, reason = "a measurement may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use instance::Instance;
use registry::{Registrar, RegistrarConfig, Registration};
use tokio::time::Instant;
use zk_core::{Zk, ZnodePath};
use zk_testing::proxy::{Op, Proxy};
use zk_testing::{Server, expire_session};

#[tokio::main]
async fn main() {
    let count: u16 = std::env::args().nth(1).map_or(5_000, |count| count.parse().unwrap());
    let Some(_) = zk_testing::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let config = zk_core::ZkConfig::new(&proxy.connect_string()).unwrap();
    let zk = Zk::start(config.with_session_timeout(Duration::from_secs(4)).unwrap()).unwrap();
    zk.connected().await.unwrap();
    let registrar = Registrar::new(&zk, RegistrarConfig::new(ZnodePath::parse("/many").unwrap()));

    let mut step = Step::begin(&proxy);
    let registrations: Vec<_> = (0..count).map(|i| registrar.register(instance(i)).unwrap()).collect();
    all_registered(&registrations).await;
    step.end("register");
    // Requests that follow a while after the last change: the root watch learns how many there were.
    tokio::time::sleep(Duration::from_secs(2)).await;
    step.end("2 s without a change");

    proxy.cut().await;
    none_registered(&registrations).await;
    all_registered(&registrations).await;
    step.end("cut, same session");

    // The link may attach to the session again before it expires: then once more.
    let session = zk.state().session;
    while zk.state().session == session
        && let Err(error) = expire_session(server.addr(), session.unwrap().id.0).await
    {
        println!("not expired yet: {error}");
    }
    none_registered(&registrations).await;
    all_registered(&registrations).await;
    step.end("expiry");

    let observer = zk_testing::raw::Client::connect(server.addr(), Duration::from_secs(4)).await.unwrap();
    for (i, registration) in registrations.iter().enumerate() {
        registration.update(instance(i as u16).with_weight(7)).unwrap();
    }
    for registration in &registrations {
        while observer
            .exists(registration.path().as_str())
            .await
            .unwrap()
            .is_none_or(|stat| stat.version == 0)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    step.end("update");
    println!("{}", server.four_letter_word("wchs").await.unwrap().trim());

    let tasks: Vec<_> = registrations
        .into_iter()
        .map(|registration| {
            tokio::spawn(async move { registration.deregister(Duration::from_secs(30)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    step.end("deregister");
    assert_eq!(observer.children("/many").await.unwrap().0.len(), 0);
    zk.close(Duration::from_secs(5)).await.unwrap();
}

fn instance(i: u16) -> Instance {
    Instance::new(format!("10.0.{}.{}:80", i / 256, i % 256).parse().unwrap())
}

async fn all_registered(registrations: &[Registration]) {
    for registration in registrations {
        registration.registered().await.unwrap();
    }
}

async fn none_registered(registrations: &[Registration]) {
    for registration in registrations.iter().take(1) {
        registration.statuses().wait_for(|status| !status.is_registered()).await.unwrap();
    }
}

struct Step<'a> {
    proxy: &'a Proxy,
    began: Instant,
}

impl<'a> Step<'a> {
    fn begin(proxy: &'a Proxy) -> Self {
        proxy.clear();
        Self { proxy, began: Instant::now() }
    }

    fn end(&mut self, what: &str) {
        let took = self.began.elapsed();
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for request in self.proxy.requests() {
            if request.op != Op::Ping {
                *counts.entry(format!("{:?}", request.op)).or_default() += 1;
            }
        }
        println!("{what:20} {:>7.0} ms  {counts:?}", took.as_secs_f64() * 1e3);
        *self = Self::begin(self.proxy);
    }
}
