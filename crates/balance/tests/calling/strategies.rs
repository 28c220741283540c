//! What the strategies mean for retries.

use std::collections::BTreeSet;

use balance::{
    Balancer, BalancerConfig, Budget, CallConfig, Caller, EndpointInfo, Failure, Strategy, Target,
};
use tokio::time::sleep;

use crate::common::{Seen, To, ms, named, update};

fn idempotent() -> CallConfig {
    crate::common::idempotent().with_budget(Budget::new(10.0, 1000, ms(1000)).unwrap())
}

/// Fails everywhere but at the last of so many endpoints; returns the order in which they were tried.
async fn tried<V: EndpointInfo + Send + Sync + 'static>(
    caller: &Caller<&'static str, V>,
    user: u32,
    count: usize,
) -> Vec<&'static str> {
    let seen = Seen::default();
    let call = caller.call_for(&user, |target: Target<&'static str, V>| {
        seen.borrow_mut().push(*target.key());
        let is_last = seen.borrow().len() == count;
        // Says nothing about the endpoint: nobody is ejected.
        async move { if is_last { Ok(()) } else { Err(std::io::Error::from(std::io::ErrorKind::Other)) } }
    });
    call.await.unwrap();
    seen.into_inner()
}

#[tokio::test(start_paused = true)]
async fn with_rendezvous_a_retry_goes_to_the_next_in_line_for_its_key() {
    let balancer = Balancer::new(BalancerConfig::new(Strategy::Rendezvous).with_seed(1));
    update(&balancer, named("any", 5));
    let (one, two) =
        (Caller::new(balancer.reader(), idempotent()), Caller::new(balancer.reader(), idempotent()));
    // All of them are known to answer: else a retry prefers those that are.
    for user in 0..100 {
        one.call_for(&user, async |_: To| Ok::<_, Failure>(())).await.unwrap();
    }
    for user in 0..20 {
        let line = tried(&one, user, 5).await;
        assert_eq!(tried(&two, user, 5).await, line, "for every caller");
        assert_eq!(line.iter().collect::<BTreeSet<_>>().len(), 5);
        // Without the first one, the second one is the owner.
        let rest: Vec<_> = line[1..].to_vec();
        update(&balancer, rest.clone());
        assert_eq!(tried(&one, user, 4).await, rest);
        update(&balancer, line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sticky_caller_moves_when_its_endpoint_fails_and_stays_there() {
    let balancer = Balancer::new(BalancerConfig::new(Strategy::Sticky).with_seed(1));
    update(&balancer, named("any", 5));
    let caller = Caller::new(balancer.reader(), idempotent());
    let home = *caller.call(async |_: To| Ok::<_, Failure>(())).await.unwrap().key();
    let fail_at_home = async |target: To| match *target.key() == home {
        true => Err(Failure::Reset),
        false => Ok(()),
    };
    let moved = *caller.call(fail_at_home).await.unwrap().key();
    assert_ne!(moved, home);
    for _ in 0..50 {
        assert_eq!(*caller.call_idempotent(async |_: To| Ok::<_, Failure>(())).await.unwrap().key(), moved);
        sleep(ms(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_weight_of_zero_and_draining_are_respected_by_retries_of_every_strategy() {
    for strategy in Strategy::ALL {
        let balancer = Balancer::new(BalancerConfig::new(strategy).with_seed(1));
        let info = |weight, drains| Info { weight, drains };
        balancer.update([
            ("open-1", info(1, false)),
            ("closed", info(0, false)),
            ("open-2", info(1000, false)),
            ("drains", info(100, true)),
        ]);
        let caller = Caller::new(balancer.reader(), idempotent());
        for user in 0..20 {
            let mut tried = tried(&caller, user, 2).await;
            tried.sort_unstable();
            assert_eq!(tried, ["open-1", "open-2"], "{strategy}");
        }
    }
}

#[derive(Clone, Copy)]
struct Info {
    weight: u32,
    drains: bool,
}

impl EndpointInfo for Info {
    fn weight(&self) -> u32 {
        self.weight
    }
    fn is_draining(&self) -> bool {
        self.drains
    }
}
