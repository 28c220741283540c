//! The log of a registrar. One test, as it needs a subscriber for all threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use futures_util::future::join_all;
use registry::RegistrationStatus;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_failing_registrations_write_fewer_than_fifty_lines_a_second() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    // Global: threads of the link write lines, too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let service = service(&proxy.connect_string(), NO_AUDITS);
    let registrations = service.register_all((0..5_000).map(instance));
    all_registered(&registrations).await;
    expire(&server, &service).await;
    none_registered(&registrations).await;
    all_registered(&registrations).await;
    interrupt(&proxy, &registrations).await;
    all_registered(&registrations).await;
    // Some znodes are deleted and may not be created again, and rivals take the names of others.
    let admin = observer(&server).await;
    admin.add_auth("digest", b"admin:secret").await.unwrap();
    admin.set_acl(ROOT, &[read_and_admin(), raw::Acl::creator()]).await.unwrap();
    let gone = registrations[..500].iter().chain(&registrations[4_700..]);
    join_all(gone.map(|registration| admin.delete(registration.path().as_str(), None))).await;
    let rivals = registrations[..500].iter().map(|registration| registration.path().as_str());
    let create = |path| admin.create(path, b"theirs", raw::CreateMode::Ephemeral);
    assert!(join_all(rivals.map(create)).await.into_iter().all(|created| created.is_ok()));
    for registration in &registrations[..500] {
        conflict(registration).await;
    }
    for registration in &registrations[4_700..] {
        status_where(registration, |status| {
            matches!(status, RegistrationStatus::Pending { trouble: Some(_) })
        })
        .await;
    }
    all_registered(&registrations[500..4_700]).await;
    sleep(Duration::from_secs(2)).await;

    let busiest = lines.busiest_second();
    assert!(busiest < 50, "{busiest} lines in a second");
    let single = |line: &str| line.contains(": registered czxid=") && line.contains(" session=");
    assert!(lines.any(single), "lines about single registrations are written within the limit");
    let installed = lines.any(|line| line.contains("shared watch installed registrations="));
    assert_eq!(installed, test_zookeeper::has_recursive_watches(), "{}", lines.all());
    let summary = "4200 registered, 300 pending, 0 unconfirmed, 500 in conflict";
    assert!(lines.any(|line| line.contains(summary) && line.contains("withheld=")), "{}", lines.all());
}
