//! The way of one process to the ensemble: a proxy in front of each of its servers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use zk_testing::proxy::{Action, Injection, Match, Op, Proxy};

/// The proxies of one process.
#[derive(Debug)]
pub(crate) struct Links(Vec<Proxy>);

impl Links {
    pub(crate) async fn start(servers: &[SocketAddr]) -> io::Result<Self> {
        let mut proxies = Vec::new();
        for server in servers {
            proxies.push(Proxy::start(*server).await?);
        }
        Ok(Self(proxies))
    }

    /// Where the process connects.
    pub(crate) fn hosts(&self) -> String {
        let hosts: Vec<_> = self.0.iter().map(Proxy::connect_string).collect();
        hosts.join(",")
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.0.iter().map(Proxy::connections_open).sum()
    }

    /// How many requests have gone by since the last time, without pings.
    pub(crate) fn take_requests(&self) -> u64 {
        let mut count = 0;
        for proxy in &self.0 {
            count += proxy.requests().iter().filter(|seen| seen.op != Op::Ping).count() as u64;
            proxy.clear();
        }
        count
    }

    pub(crate) async fn cut(&self) {
        for proxy in &self.0 {
            proxy.cut().await;
        }
    }

    pub(crate) async fn refuse(&self) {
        for proxy in &self.0 {
            proxy.refuse().await;
        }
    }

    pub(crate) async fn hang(&self) -> io::Result<()> {
        for proxy in &self.0 {
            proxy.hang().await?;
        }
        Ok(())
    }

    pub(crate) async fn delay(&self, each_way: Duration) -> io::Result<()> {
        for proxy in &self.0 {
            proxy.delay(each_way).await?;
        }
        Ok(())
    }

    /// As if nothing had been done.
    pub(crate) async fn pass(&self) -> io::Result<()> {
        for proxy in &self.0 {
            proxy.clear_rules();
            proxy.pass().await?;
        }
        Ok(())
    }

    /// Does something to the next request that matches, whichever way it goes.
    pub(crate) fn on(&self, matching: &Match, action: Action) -> Ambush {
        Ambush(self.0.iter().map(|proxy| proxy.on(matching.clone(), action)).collect())
    }

    /// Swallows all watch events until that is lifted.
    pub(crate) fn drop_events(&self) -> Ambush {
        Ambush(self.0.iter().map(Proxy::drop_events).collect())
    }
}

/// What waits for the next request.
#[derive(Debug)]
pub(crate) struct Ambush(Vec<Injection>);

impl Ambush {
    pub(crate) fn fired(&self) -> bool {
        self.0.iter().any(Injection::fired)
    }

    /// Waits until it has happened; false if it has not.
    pub(crate) async fn wait_fired(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !self.fired() && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        self.fired()
    }

    pub(crate) fn lift(&self) {
        self.0.iter().for_each(Injection::lift);
    }
}
