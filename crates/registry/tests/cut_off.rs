//! Row 32 of the fault matrix, with a server whose limit is below ours: it closes the connection on the write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use futures_util::future::join_all;
use instance::{Format, Instance, Plain};
use registry::{Registration, RegistrationStatus, TroubleKind};
use tokio::time::{Instant, sleep};
use zk_testing::proxy::Proxy;
use zk_testing::raw;

/// The `jute.maxbuffer` of the server, in bytes of a whole request.
const MAX_BUFFER: usize = instance::MAX_DATA;

/// A server with a small `jute.maxbuffer`.
enum Narrow {
    Apache(Box<zk_testing::Server>),
    Embedded(zk_embedded::Server),
}

impl Narrow {
    async fn start() -> Self {
        if test_zookeeper::is_embedded() {
            let server = zk_embedded::Server::builder().tick(Duration::from_millis(200));
            let server = server.version(test_zookeeper::version()).max_frame(MAX_BUFFER);
            return Self::Embedded(server.start().await.unwrap());
        }
        let server = zk_testing::Server::builder().java_property("jute.maxbuffer", MAX_BUFFER);
        let server = if test_zookeeper::is_old() { server.old() } else { server };
        Self::Apache(Box::new(server.start().await.unwrap()))
    }

    fn addr(&self) -> SocketAddr {
        match self {
            Self::Apache(server) => server.addr(),
            Self::Embedded(server) => server.addr(),
        }
    }
}

/// An instance whose record is as large as it may be, so that the request is larger than the server reads.
fn large(service: &Service, i: usize) -> Instance {
    let filled = |length| instance(i).with_tag("large", "x".repeat(length));
    let owner = service.registrar.owner().clone();
    let empty = Plain.encode(&filled(0).with_owner(owner)).unwrap().data.len();
    filled(instance::MAX_DATA - empty)
}

fn is_cut_off(status: &RegistrationStatus) -> bool {
    matches!(status, RegistrationStatus::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::CutOff)
}

/// Creates of the znode that have reached the proxy.
fn creates(proxy: &Proxy, registration: &Registration) -> usize {
    let path = registration.path().as_str();
    proxy.requests().iter().filter(|seen| seen.op.is_create() && seen.path.as_deref() == Some(path)).count()
}

#[tokio::test]
async fn fault_32_a_write_that_ends_the_connection_is_reported_and_becomes_rare() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Narrow::start().await;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let service = service(&proxy.connect_string(), NO_AUDITS);
    let observer = raw::Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    let small = service.register_all([instance(1)]);
    all_registered(&small).await;
    let before = stats(&observer, &small).await;

    let one = service.register_all([large(&service, 2)]);
    let RegistrationStatus::Pending { trouble: Some(trouble) } = status_where(&one[0], is_cut_off).await
    else {
        unreachable!()
    };
    assert!(trouble.to_string().contains(one[0].path().as_str()), "{trouble}");
    assert!(trouble.to_string().contains("jute.maxbuffer"), "{trouble}");
    assert_eq!(creates(&proxy, &one[0]), 2, "the first may have ended for another reason");
    // After 1 s, 2 s and 4 s, each varied by a quarter.
    sleep(Duration::from_secs(5)).await;
    let more = creates(&proxy, &one[0]) - 2;
    assert!((1..=3).contains(&more), "{more} more in 5 s");
    assert!(is_cut_off(&one[0].status()), "{:?}", one[0].status());
    all_registered(&small).await;
    assert_eq!(stats(&observer, &small).await, before, "no other registration is affected");
    assert_eq!(service.zk.state().epoch, 1);

    // A smaller record is written at once, and a larger one leaves it as it is.
    let repaired = Instant::now();
    one[0].update(instance(2)).unwrap();
    all_registered(&one).await;
    assert!(repaired.elapsed() < Duration::from_secs(1), "{:?}", repaired.elapsed());
    let written = observer.get(one[0].path().as_str()).await.unwrap();
    one[0].update(large(&service, 2)).unwrap();
    status_where(&one[0], is_cut_off).await;
    assert_eq!(observer.get(one[0].path().as_str()).await.unwrap(), written);
    one[0].deregister(SOON).await.unwrap();
    assert_eq!(stats(&observer, &one).await, [None]);
    assert_eq!(stats(&observer, &small).await, before);
}

/// All registrations share the connection that ends, with their own writes under way.
#[tokio::test]
async fn fault_32_small_registrations_succeed_beside_large_ones_that_end_the_connection() {
    let Some(_) = test_zookeeper::require() else { return };
    let server = Narrow::start().await;
    let service = service(&server.addr().to_string(), NO_AUDITS);
    let observer = raw::Client::connect(server.addr(), 2 * SESSION).await.unwrap();
    let registrations =
        service.register_all((0..400).map(|i| if i % 150 == 7 { large(&service, i) } else { instance(i) }));
    let (some, others): (Vec<_>, Vec<_>) = registrations.iter().enumerate().partition(|(i, _)| i % 150 == 7);
    for (_, registration) in &some {
        status_where(registration, is_cut_off).await;
    }
    let exist = async || {
        let looks = others.iter().map(|(_, other)| observer.exists(other.path().as_str()));
        join_all(looks).await.into_iter().all(|stat| stat.unwrap().is_some())
    };
    eventually("the small ones are registered", exist).await;
    for (_, other) in &others {
        status_where(other, RegistrationStatus::is_registered).await;
    }
    assert!(some.iter().all(|(_, registration)| is_cut_off(&registration.status())));
    assert_eq!(service.zk.state().epoch, 1);
}
