//! Which connections there are, and for how long.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use tower::Service;
use zk_roster::tower::{Balanced, Cloned};

use crate::web::{Manner, Network, Web};

fn service(web: &Web) -> Balanced<Network> {
    Balanced::new(&web.client, web.network.clone())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_share_a_connection_for_each_instance() {
    let web = Web::new(&[1, 2, 3]).await;
    for port in 1..=3 {
        web.network.set(port, Manner::ConnectsAfter(Duration::from_millis(50)));
    }
    let mut service = service(&web);
    let answers = join_all((0..1000).map(|number| service.call(number))).await;
    assert!(answers.iter().all(Result::is_ok));
    let mut connects = web.network.connects();
    connects.sort_unstable();
    assert_eq!(connects, [1, 2, 3]);
    assert_eq!(web.network.taken().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_made_for_those_that_still_wait_for_it() {
    let web = Web::new(&[1]).await;
    web.network.set(1, Manner::ConnectsAfter(Duration::from_millis(100)));
    let mut service = service(&web);
    let first = tokio::spawn(service.call(1));
    sleep(Duration::from_millis(40)).await;
    let second = tokio::spawn(service.call(2));
    sleep(Duration::from_millis(40)).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(second.await.unwrap().unwrap(), 1);
    assert_eq!(web.network.connects(), [1], "the first call's");

    let web = Web::new(&[1]).await;
    web.network.set(1, Manner::ConnectsAfter(Duration::from_millis(100)));
    let mut service = self::service(&web);
    let only = tokio::spawn(service.call(1));
    sleep(Duration::from_millis(40)).await;
    only.abort();
    assert!(only.await.unwrap_err().is_cancelled());
    assert_eq!(web.network.dropped(), 1, "nobody waits for it any more");
    assert_eq!(service.call(2).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_anew() {
    let web = Web::new(&[1]).await;
    let mut service = service(&web);
    service.call(1).await.unwrap();
    web.network.break_idle(1);
    assert_eq!(service.call(2).await.unwrap(), 1, "nothing was sent on the broken one");
    assert_eq!(web.network.connects(), [1, 1]);
    web.network.set(1, Manner::Resets);
    assert!(service.call(3).await.is_err());
    web.network.set(1, Manner::Answers);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(service.call(4).await.unwrap(), 1);
    assert_eq!((web.network.connects(), web.network.open(1)), (vec![1; 3], 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fell_silent_is_not_used_again() {
    let web = Web::new(&[1]).await;
    let mut service = service(&web);
    service.call(1).await.unwrap();
    web.network.set(1, Manner::Hangs);
    assert!(service.call(2).await.is_err());
    assert_eq!(web.network.open(1), 0, "its other end may have vanished");
    web.network.set(1, Manner::Answers);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(service.call(3).await.unwrap(), 1);
    // But whoever loses patience before the attempt's time is over proves nothing.
    web.network.set(1, Manner::Hangs);
    let impatient = tokio::time::timeout(Duration::from_millis(100), service.call(4)).await;
    assert!(impatient.is_err());
    assert_eq!(web.network.open(1), 1);
}

#[tokio::test(start_paused = true)]
async fn a_removed_instance_finishes_its_call_and_its_connection_closes() {
    let web = Web::new(&[1, 2]).await;
    let mut service = service(&web);
    for port in [1, 2] {
        web.network.set(port, Manner::AnswersAfter(Duration::from_millis(900)));
    }
    let calls: Vec<_> = (0..2).map(|number| tokio::spawn(service.call(number))).collect();
    web.until(|| web.network.taken().len() == 2).await;
    web.remove(1);
    web.listed(&[2]).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(web.network.open(1), 1, "its call is under way");
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|call| call.unwrap().unwrap()).collect();
    assert!(answers.contains(&1), "the call was answered");
    assert_eq!((web.network.open(1), web.network.open(2)), (0, 1));
    web.network.set(2, Manner::Answers);
    for number in 0..10 {
        assert_eq!(service.call(number).await.unwrap(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_connection_of_a_removed_instance_closes_without_a_call() {
    let web = Web::new(&[1, 2]).await;
    let mut service = service(&web).repeating(Cloned);
    for number in 0..4 {
        service.call(number).await.unwrap();
    }
    assert_eq!((web.network.open(1), web.network.open(2)), (1, 1));
    web.remove(1);
    web.until(|| web.network.open(1) == 0).await;
    assert_eq!(web.network.open(2), 1);
    // Nor does it wait for its client's end if that is all there is left of it.
    drop(service);
    web.until(|| web.network.open(2) == 0).await;
}

#[tokio::test(start_paused = true)]
async fn another_process_at_the_same_address_gets_a_connection_of_its_own() {
    let web = Web::new(&[1]).await;
    let mut service = service(&web);
    service.call(1).await.unwrap();
    web.set(1, 2, false);
    web.until(|| web.network.open(1) == 0).await;
    assert_eq!(service.call(2).await.unwrap(), 1);
    assert_eq!(web.network.connects(), [1, 1]);
    // A record that changes otherwise is the same process.
    web.set(1, 2, false);
    sleep(Duration::from_secs(1)).await;
    service.call(3).await.unwrap();
    assert_eq!(web.network.connects(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_instances_of_a_saved_list_have_connections_too() {
    let web = Web::new(&[1, 2]).await;
    let client = web.saved_client().await;
    let mut service = Balanced::new(&client, web.network.clone());
    // Newcomers get their share by chance.
    for number in 0..100 {
        service.call(number).await.unwrap();
    }
    let mut connects = web.network.connects();
    connects.sort_unstable();
    assert_eq!(connects, [1, 2]);
    web.remove(2);
    web.let_zookeeper_back();
    web.until(|| web.network.open(2) == 0).await;
    assert_eq!(service.call(100).await.unwrap(), 1);
    assert_eq!((web.network.connects().len(), web.network.open(1)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_found_out_though_no_call_has_the_time_of_an_attempt() {
    let web = Web::new(&[1, 2]).await;
    let mut service = service(&web);
    for number in 0..10 {
        service.call(number).await.unwrap();
    }
    web.network.set(1, Manner::Hangs);
    let mut call = async || {
        sleep(Duration::from_millis(100)).await;
        tokio::time::timeout(Duration::from_millis(200), service.call(0)).await.ok().map(Result::unwrap)
    };
    while call().await.is_some() {}
    web.network.set(1, Manner::Answers);
    let mut answers = 0;
    for _ in 0..400 {
        answers += usize::from(call().await == Some(1));
    }
    assert!(answers > 100, "{answers}: it is in service again");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_stuck_is_found_out() {
    let web = Web::new(&[1, 2]).await;
    let mut service = service(&web);
    for number in 0..10 {
        service.call(number).await.unwrap();
    }
    web.network.set(1, Manner::NeverReady);
    while web.client.status().ejected == 0 {
        service.call(0).await.unwrap();
    }
    web.network.set(1, Manner::Answers);
    let mut answers = 0;
    for _ in 0..400 {
        sleep(Duration::from_millis(100)).await;
        answers += usize::from(service.call(0).await.unwrap() == 1);
    }
    assert!(answers > 100, "{answers}: it is in service again");
}

#[tokio::test(start_paused = true)]
async fn churn_leaves_the_connections_of_those_that_are_listed() {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    let web = Web::new(&[100]).await;
    let mut service = service(&web);
    let mut rng = SmallRng::seed_from_u64(7);
    let (mut there, mut calls) = (vec![100_u16], Vec::new());
    for step in 0..1_000 {
        let port = rng.random_range(1..20);
        match there.iter().position(|one| *one == port) {
            None => {
                let manner = match rng.random_range(0..8) {
                    0 => Manner::ConnectsAfter(Duration::from_millis(rng.random_range(0..200))),
                    1 => Manner::AnswersAfter(Duration::from_millis(rng.random_range(0..900))),
                    2 => Manner::Refuses,
                    3 => Manner::Resets,
                    4 => Manner::NeverReady,
                    _ => Manner::Answers,
                };
                web.network.set(port, manner);
                web.add(port);
                there.push(port);
            }
            Some(_) if rng.random_bool(0.3) => web.set(port, rng.random_range(1..9), false),
            Some(at) => {
                web.remove(port);
                there.swap_remove(at);
            }
        }
        for _ in 0..4 {
            let call = service.call(step);
            let patience = Duration::from_millis(rng.random_range(1..3_000));
            calls.push(tokio::spawn(tokio::time::timeout(patience, call)));
        }
        sleep(Duration::from_millis(rng.random_range(0..60))).await;
    }
    join_all(calls).await;
    there.sort_unstable();
    web.listed(&there).await;
    for port in 1..20 {
        let most = usize::from(there.contains(&port));
        assert!(web.network.open(port) <= most, "{port}: {} open", web.network.open(port));
    }
}
