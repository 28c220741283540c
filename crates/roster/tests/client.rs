//! A client follows a service, and calls whom the service has.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zk_roster::{Callee, Client, Endpoint, FollowError, MemberSet, MemberSource};
use zk_simulated::{Operator, SimulatedEnsemble};

const ROOT: &str = "/services/web";
const LONG: Duration = Duration::from_secs(60);

fn node(port: u16) -> String {
    format!("{ROOT}/127.0.0.1:{port}")
}

fn endpoint(port: u16) -> Endpoint {
    format!("127.0.0.1:{port}").parse().unwrap()
}

fn register(ensemble: &SimulatedEnsemble, ports: impl IntoIterator<Item = u16>) -> Operator {
    let operator = ensemble.operator();
    for port in ports {
        operator.create_ephemeral(node(port), "").unwrap();
    }
    operator
}

async fn answer(callee: Callee) -> io::Result<u16> {
    Ok(callee.endpoint().port())
}

/// The ports of the members, once they satisfy `wanted`.
async fn members_where(client: &Client, wanted: impl FnMut(&MemberSet) -> bool) -> Vec<u16> {
    let (mut wanted, mut members) = (wanted, client.members());
    let members = timeout(LONG, members.wait_for(|members| wanted(members))).await.expect("in time").unwrap();
    members.instances().map(|instance| instance.endpoint().port()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_call_can_be_made_from_a_task() {
    let ensemble = SimulatedEnsemble::new(7);
    let _operator = register(&ensemble, [1]);
    let client = Client::follow(&ensemble.zk(), ROOT).await.unwrap();
    let web = client.clone();
    let calls = async move {
        let answers = [
            web.call(answer).await.unwrap(),
            web.call(|callee| async move { answer(callee).await }).await.unwrap(),
            web.call_for("key", answer).await.unwrap(),
            web.call_idempotent(answer).await.unwrap(),
            web.call_idempotent_for(&7, answer).await.unwrap(),
        ];
        assert_eq!(answers, [1; 5]);
    };
    tokio::spawn(calls).await.unwrap();
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_learns_that_a_member_is_gone_is_not_given_it_again() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = register(&ensemble, 1..=20);
    let client = Client::follow(&ensemble.zk(), ROOT).await.unwrap();
    assert!((1..=20).all(|port| client.is_member(&endpoint(port))));
    for gone in 1..=19 {
        operator.write_and_delete(node(gone), "").unwrap();
        let left = members_where(&client, |members| !members.contains(&endpoint(gone))).await;
        assert_eq!(left, Vec::from_iter(gone + 1..=20));
        for _ in 0..50 {
            assert!(client.call(answer).await.unwrap() > gone);
        }
    }
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_held_instance_that_refuses_a_call_goes_at_once() {
    let ensemble = SimulatedEnsemble::new(7);
    let operator = register(&ensemble, 1..=4);
    let client = Client::follow(&ensemble.zk(), ROOT).await.unwrap();
    for port in 1..=4 {
        operator.delete(node(port)).unwrap();
    }
    let mut views = client.discovery().views();
    timeout(LONG, views.wait_for(|view| view.held == 4)).await.expect("in time").unwrap();
    let begun = Instant::now();
    let refuse = async |callee: Callee| match callee.endpoint().port() {
        4 => Ok(()),
        _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
    };
    while client.members().borrow().len() > 1 {
        client.call(refuse).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}: long before the hold is over", begun.elapsed());
    assert_eq!(client.status().held, 1);
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_known_in_time_is_an_error_that_says_why() {
    let ensemble = SimulatedEnsemble::new(7);
    ensemble.refuse_connects(true);
    let begun = Instant::now();
    let error = Client::follow(&ensemble.zk(), ROOT).await.unwrap_err();
    assert!((10..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let FollowError::NotKnown { status, .. } = &error else { panic!("{error:?}") };
    assert_eq!((status.source, status.members), (MemberSource::NotSynced, 0));
    let why =
        ensemble.zk().states().wait_for(|state| state.trouble.is_some()).await.unwrap().trouble.unwrap();
    assert!(error.to_string().contains(&why.to_string()), "{error}");

    let error = Client::follow(&ensemble.zk(), "no/path").await.unwrap_err();
    assert!(matches!(error, FollowError::Path(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_ever_if_it_is_told_to() {
    let ensemble = SimulatedEnsemble::new(7);
    ensemble.refuse_connects(true);
    let builder = Client::builder(&ensemble.zk(), ROOT).unwrap().known_within(Duration::MAX);
    let follow = tokio::spawn(builder.saved_at("/nowhere/web.saved").saved_max_age(Duration::MAX).follow());
    sleep(LONG).await;
    ensemble.refuse_connects(false);
    timeout(LONG, follow).await.expect("in time").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stale_client_goes_on_and_says_so() {
    let ensemble = SimulatedEnsemble::new(7);
    let _operator = register(&ensemble, [1]);
    let client = Client::follow(&ensemble.zk(), ROOT).await.unwrap();
    assert_eq!(client.status().to_string(), "/services/web: 1 member, live; 1 in service");
    ensemble.refuse_connects(true);
    ensemble.cut();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(client.call(answer).await.unwrap(), 1);
    let status = client.status();
    assert!(!status.is_live && status.trouble.is_some() && status.age > Duration::from_secs(2), "{status:?}");
    let refused = client.call(async |_| Err::<(), _>(io::Error::from(io::ErrorKind::ConnectionReset)));
    refused.await.unwrap_err();
    assert_eq!((client.status().in_service, client.status().ejected), (0, 1));
    client.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn following_ends_with_a_shutdown_or_the_last_clone() {
    let ensemble = SimulatedEnsemble::new(7);
    let _operator = register(&ensemble, [1]);
    let zk = ensemble.zk();
    let client = Client::follow(&zk, ROOT).await.unwrap();
    let other = client.clone();
    let ended = tokio::spawn(async move { other.ended().await });
    client.shutdown().await;
    timeout(LONG, ended).await.expect("in time").unwrap();
    assert_eq!(client.call(answer).await.unwrap(), 1, "among the last known");
    assert!(client.status().trouble.is_some());

    let client = Client::follow(&zk, ROOT).await.unwrap();
    let mut members = client.members();
    members.mark_unchanged();
    drop(client.clone());
    timeout(LONG, members.changed()).await.expect_err("one is left");
    drop(client);
    timeout(LONG, members.changed()).await.expect("in time").unwrap_err();
}
