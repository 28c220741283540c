//! Many threads with one caller, in real time.

use std::sync::atomic::{AtomicU32, Ordering};

use balance::{Balancer, BalancerConfig, Budget, Caller, Ejection, Failure, Health, Strategy};

use crate::common::{To, idempotent, ms, named, update};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_many_threads_leave_nothing_in_flight() {
    // Short ejections: what races is their end, the trials, and the answers that come late.
    let ejection = Ejection::default().with_times(ms(1), ms(2)).unwrap();
    let config = BalancerConfig::new(Strategy::RoundRobin).with_seed(7).with_ejection(ejection);
    let balancer = Balancer::new(config);
    update(&balancer, named("any", 8));
    let budget = Budget::new(10.0, 1000, ms(1000)).unwrap();
    let caller = Caller::new(balancer.reader(), idempotent().with_budget(budget));
    let turn = std::sync::Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (caller, turn) = (caller.clone(), turn.clone());
            tokio::spawn(async move {
                let op = move |_: To| {
                    let turn = turn.fetch_add(1, Ordering::Relaxed);
                    async move {
                        tokio::task::yield_now().await;
                        if turn.is_multiple_of(3) { Err(Failure::Reset) } else { Ok(()) }
                    }
                };
                let mut answered = 0;
                for _ in 0..500 {
                    // As the threads interleave, all attempts of a call may be those that fail.
                    answered += u32::from(caller.call_idempotent(op.clone()).await.is_ok());
                }
                assert!(answered > 0);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    caller.shutdown().await;
    for status in balancer.status() {
        assert_eq!(status.in_flight, 0, "{status:?}");
        assert!(!matches!(status.health, Health::OnProbation { trial: true }), "{status:?}");
    }
}
