//! Trials by picks: who makes them, and whose endpoint's turn it is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use balance::{BalancerConfig, Ejection, Failure, Health};
use common::{balancer, fail, status};
use tokio::time::advance;

#[test]
fn what_a_pick_asks_of_an_endpoint_may_use_the_balancer_also_when_a_trial_is_due() {
    let (done, is_done) = mpsc::channel();
    // A thread that waits for itself would wait for ever.
    thread::spawn(move || {
        let ms = Duration::from_millis(1);
        let config = BalancerConfig::default().with_ejection(Ejection::default().with_times(ms, ms).unwrap());
        let balancer = balancer(config, 0..3);
        let mut reader = balancer.reader();
        fail(&mut reader, 1, Failure::Reset);
        let clone = balancer.clone();
        let asks = |key: &u32| clone.status().iter().any(|status| status.key == *key);
        while !reader.pick_where(asks).unwrap().is_trial() {}
        done.send(()).unwrap();
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn readers_that_make_one_pick_make_trials_too() {
    for clones in [false, true] {
        let balancer = balancer(BalancerConfig::default(), 0..2);
        let mut first = balancer.reader();
        fail(&mut first, 1, Failure::Timeout);
        advance(Duration::from_secs(1)).await;
        let reader = || if clones { first.clone() } else { balancer.reader() };
        let trials = (0..1000).filter(|_| reader().pick().unwrap().is_trial()).count();
        // One in 20, within four standard deviations.
        assert!((22..78).contains(&trials), "{trials}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_endpoints_that_nobody_wants_do_not_keep_another_from_its_trial() {
    let balancer = balancer(BalancerConfig::default(), 0..302);
    let mut reader = balancer.reader();
    for key in 0..301 {
        fail(&mut reader, key, Failure::Timeout);
        // The last one waits behind all others.
        if key == 299 {
            advance(Duration::from_millis(300)).await;
        }
    }
    advance(Duration::from_secs(1)).await;
    let tried = (0..200).find_map(|_| {
        let pick = reader.pick_where(|key| *key >= 300).unwrap();
        pick.is_trial().then(|| *pick.key())
    });
    assert_eq!(tried, Some(300));
    // Those that wait in front of it have not lost their places.
    let mut picks: Vec<_> = (0..200).map(|_| reader.pick().unwrap()).collect();
    picks.retain(balance::Pick::is_trial);
    let tried: BTreeSet<u32> = picks.iter().map(|pick| *pick.key()).collect();
    assert!(tried.len() == 8 && tried.iter().all(|key| *key < 300), "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_longer_than_a_trial_counts_brings_its_endpoint_back_or_ejects_it_again() {
    for succeeds in [true, false] {
        let balancer = balancer(BalancerConfig::default(), 0..2);
        let mut reader = balancer.reader();
        fail(&mut reader, 1, Failure::Timeout);
        advance(Duration::from_secs(1)).await;
        let mut trial = || (0..40).map(|_| reader.pick().unwrap()).find(balance::Pick::is_trial);
        let slow = trial().unwrap().began_at(tokio::time::Instant::now());
        advance(Duration::from_secs(31)).await;
        let next = trial().unwrap();
        advance(Duration::from_secs(14)).await;
        if succeeds {
            slow.succeed();
            assert_eq!(status(&balancer, 1).health, Health::InService);
            // It is no trial any more.
            next.fail(Failure::Timeout);
            assert_eq!(status(&balancer, 1).health, Health::InService);
        } else {
            drop(next);
            slow.fail(Failure::Timeout);
            let remaining = Duration::from_secs(45);
            assert_eq!(status(&balancer, 1).health, Health::Ejected { remaining });
            // It is a trial of the ejection before.
            advance(Duration::from_secs(46)).await;
            let (first, _) = (trial().unwrap(), advance(Duration::from_secs(31)).await);
            let second = trial().unwrap();
            first.fail(Failure::Timeout);
            assert_eq!(status(&balancer, 1).health, Health::OnProbation { trial: true });
            second.succeed();
            assert_eq!(status(&balancer, 1).health, Health::InService);
        }
    }
}
