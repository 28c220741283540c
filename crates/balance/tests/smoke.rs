//! Smoke.
use balance::*;
#[tokio::test(start_paused = true)]
async fn smoke() {
    let b = Balancer::new(Config::new(Strategy::RoundRobin).with_seed(1));
    let mut r = b.reader();
    assert_eq!(r.choose().unwrap_err(), PickError::NotSynced);
    b.update((0..3).map(|n| (n, ())));
    let mut counts = [0; 3];
    for _ in 0..300 {
        counts[*r.choose().unwrap().key()] += 1;
    }
    assert_eq!(counts, [100; 3]);
    r.pick_where(|k| *k == 1).unwrap().fail(Failure::Timeout);
    let mut counts = [0; 3];
    for _ in 0..300 {
        let p = r.pick().unwrap();
        counts[*p.key()] += 1;
        p.succeed();
    }
    assert_eq!(counts, [150, 0, 150]);
    tokio::time::advance(std::time::Duration::from_millis(300)).await;
    let trial = (0..21).map(|_| r.pick().unwrap()).find(|p| p.is_trial()).unwrap();
    assert_eq!(*trial.key(), 1);
    trial.succeed();
    assert!(b.status().iter().all(|s| s.health == Health::InService && s.in_flight == 0), "{:?}", b.status());
    b.apply([Change::Remove(0), Change::Insert(7, ())]);
    let mut keys: Vec<_> = (0..3).map(|_| *r.choose().unwrap().key()).collect();
    keys.sort();
    assert_eq!(keys, [1, 2, 7]);
}
