//! What a registrar writes into the log. A test process of its own: `tracing` remembers for all threads what
//! the first one that comes to a line thinks of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use registry::Status;
use support::*;
use test_zookeeper::Server;
use tokio::time::{Instant, sleep};
use tracing_subscriber::fmt::MakeWriter;
use zk_testing::proxy::Proxy;
use zk_testing::raw;

/// Remembers when each line was written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Instant, String)>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        self.0.lock().unwrap().push((Instant::now(), text));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// The most lines within any second.
    fn busiest_second(&self) -> usize {
        let lines = self.0.lock().unwrap();
        let within = |from: Instant| {
            lines.iter().filter(|(at, _)| *at >= from && *at < from + Duration::from_secs(1)).count()
        };
        lines.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }

    fn all(&self) -> String {
        self.0.lock().unwrap().iter().map(|(_, line)| line.as_str()).collect()
    }

    fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(|(_, line)| is(line))
    }
}

#[tokio::test]
async fn thousands_in_trouble_write_fewer_than_fifty_lines_a_second() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let service = service(&proxy.connect_string(), NEVER);
    let admin = observer(&server).await;
    let registrations = service.register_all((0..5_000).map(instance));
    all_registered(&registrations).await;
    expire(&server, &service).await;
    none_registered(&registrations).await;
    all_registered(&registrations).await;
    // A rival in every place, and denied creation of the rest.
    proxy.refuse().await;
    none_registered(&registrations).await;
    join_all(registrations.iter().take(2_000).map(async |registration| {
        let path = registration.path().as_str();
        admin.delete(path, None).await.unwrap();
        admin.create(path, b"theirs", raw::CreateMode::Ephemeral).await.unwrap();
    }))
    .await;
    join_all(registrations.iter().skip(4_000).map(async |registration| {
        admin.delete(registration.path().as_str(), None).await.unwrap();
    }))
    .await;
    admin.set_acl(ROOT, &[read_and_mend()]).await.unwrap();
    proxy.pass().await.unwrap();
    for registration in &registrations[..2_000] {
        status_where(registration, |status| matches!(status, Status::Conflict(_))).await;
    }
    for registration in &registrations[4_000..] {
        status_where(registration, |status| matches!(status, Status::Pending { trouble: Some(_) })).await;
    }
    all_registered(&registrations[2_000..4_000]).await;
    sleep(Duration::from_secs(2)).await;

    let busiest = lines.busiest_second();
    assert!(busiest < 50, "{busiest} lines in a second");
    assert!(lines.any(|line| line.contains("created")), "single ones are told where there is room");
    let told = "2000 registered, 1000 pending, 0 unconfirmed, 2000 in conflict";
    assert!(lines.any(|line| line.contains(told) && line.contains("withheld=")), "{}", lines.all());
}
