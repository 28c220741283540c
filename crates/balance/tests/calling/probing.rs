//! Probes of ejected endpoints.

use std::future::pending;

use balance::{Balancer, BalancerConfig, CallConfig, Caller, Failure, Health, Strategy};
use tokio::time::{Instant, sleep, timeout};

use crate::common::{Log, Set, To, act, balancer, caller, in_service, logged, ms, named, status, update};

fn eject(balancer: &Set, keys: impl IntoIterator<Item = &'static str>) {
    for key in keys {
        balancer.reader().pick_where(|k| *k == key).unwrap().fail(Failure::Reset);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ejected_endpoint_is_probed_when_its_ejection_is_over() {
    let balancer = balancer(["good-1", "good-2"]);
    let log = Log::default();
    let driver = tokio::spawn(balancer.probe(&CallConfig::default(), logged(&log)));
    sleep(ms(10_000)).await;
    assert_eq!(log.take(), []);
    eject(&balancer, ["good-1"]);
    let Health::Ejected { remaining } = status(&balancer, "good-1").health else { panic!("it is ejected") };
    sleep(remaining - ms(2)).await;
    assert_eq!(log.take(), []);
    sleep(ms(4)).await;
    assert_eq!(log.take(), [("good-1", true)]);
    assert!(in_service(&balancer, "good-1"));
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_ejects_for_longer_and_longer() {
    for error in [Some(Failure::Refused), None] {
        let balancer = balancer(["any", "good"]);
        let log = Log::default();
        let probed = log.clone();
        let driver = tokio::spawn(balancer.probe(&CallConfig::default(), move |target: To| {
            probed.note(&target);
            async move { Err::<(), _>(Unclear(error)) }
        }));
        eject(&balancer, ["any"]);
        sleep(ms(20_000)).await;
        let probes = log.take().len();
        // At about 0.2, 0.6, 1.4, 3.0, 6.2, 12.6 s.
        assert!((5..=7).contains(&probes), "{probes}");
        driver.abort();
    }
}

#[derive(Debug)]
struct Unclear(Option<Failure>);

impl balance::Classify for Unclear {
    fn failure(&self) -> Option<Failure> {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn eight_probes_run_at_a_time_each_within_its_time() {
    let balancer = balancer(named("hangs", 20).chain(["good"]));
    let log = Log::default();
    eject(&balancer, named("hangs", 20));
    sleep(ms(300)).await;
    let driver = tokio::spawn(balancer.probe(&CallConfig::default(), logged(&log)));
    sleep(ms(990)).await;
    assert_eq!(log.take().len(), 8);
    sleep(ms(1000)).await;
    assert_eq!(log.take().len(), 8);
    assert!(status(&balancer, "hangs-000").ejections == 2);
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn while_endpoints_are_probed_calls_and_picks_make_no_trials() {
    let balancer = balancer(["good-1", "good-2"]);
    eject(&balancer, ["good-1"]);
    sleep(ms(300)).await;
    let driver = tokio::spawn(balancer.probe(&CallConfig::default(), async |_: To| {
        pending::<()>().await;
        Err::<(), _>(Failure::Timeout)
    }));
    sleep(ms(1)).await;
    let (caller, log) = (caller(&balancer), Log::default());
    let mut reader = balancer.reader();
    let mut ask = async || {
        let mut trials = 0;
        for _ in 0..50 {
            caller.call_idempotent(logged(&log)).await.unwrap();
            caller.call(logged(&log)).await.unwrap();
            trials += usize::from(reader.pick().unwrap().is_trial());
            sleep(ms(100)).await;
        }
        trials + log.take().iter().filter(|(_, is_trial)| *is_trial).count()
    };
    assert_eq!(ask().await, 0);
    // The end of the driver gives the trials back.
    driver.abort();
    assert!(ask().await > 0);
    assert!(in_service(&balancer, "good-1"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_driver_leaves_no_probe_behind() {
    let balancer = balancer(["hangs", "good"]);
    eject(&balancer, ["hangs"]);
    assert!(timeout(ms(700), balancer.probe(&CallConfig::default(), act)).await.is_err());
    assert_eq!(status(&balancer, "hangs").in_flight, 0);
    assert_eq!(status(&balancer, "hangs").health, Health::OnProbation { trial: false });
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_with_its_balancer() {
    let balancer: Set = Balancer::new(BalancerConfig::new(Strategy::Random));
    update(&balancer, ["good"]);
    let caller = Caller::new(balancer.reader(), CallConfig::default());
    let driver = tokio::spawn(balancer.probe(&CallConfig::default(), act));
    sleep(ms(1)).await;
    drop(balancer);
    caller.call(act).await.unwrap();
    assert!(!driver.is_finished());
    let began = Instant::now();
    drop(caller);
    driver.await.unwrap();
    assert_eq!(began.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn of_several_drivers_one_that_ends_leaves_its_probes_to_the_others() {
    let balancer = balancer(named("hangs", 8).chain(["good-1", "good-2"]));
    eject(&balancer, named("hangs", 8));
    sleep(ms(300)).await;
    let hanging = tokio::spawn(balancer.probe(&CallConfig::default(), async |_: To| {
        pending::<()>().await;
        Err::<(), _>(Failure::Timeout)
    }));
    sleep(ms(10)).await;
    // All that may be probed at a time are; the second driver waits for room, not for the next minute.
    eject(&balancer, ["good-2"]);
    let log = Log::default();
    let second = tokio::spawn(balancer.probe(&CallConfig::default(), logged(&log)));
    sleep(ms(500)).await;
    assert_eq!(log.take(), []);
    hanging.abort();
    sleep(ms(1)).await;
    assert!(in_service(&balancer, "good-2"));
    // The eight, and one more in the room of that one, which is quick.
    assert_eq!(log.take().len(), 9);
    // They are still probed: neither picks nor calls are trials.
    let (caller, mut reader) = (caller(&balancer), balancer.reader());
    for _ in 0..50 {
        caller.call_idempotent(logged(&log)).await.unwrap();
        assert!(!reader.pick().unwrap().is_trial());
    }
    assert!(log.take().iter().all(|(_, is_trial)| !is_trial));
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_probe_ends_the_driver_and_calls_make_trials_again() {
    let balancer = balancer(["good-2", "good-1"]);
    eject(&balancer, ["good-2"]);
    let driver = tokio::spawn(balancer.probe(&CallConfig::default(), async |_: To| {
        assert!(std::hint::black_box(false), "this panic is meant");
        Ok::<_, Failure>(())
    }));
    assert!(driver.await.unwrap_err().is_panic());
    let status = status(&balancer, "good-2");
    assert_eq!((status.in_flight, status.health), (0, Health::OnProbation { trial: false }));
    let caller = caller(&balancer);
    caller.call_idempotent(act).await.unwrap();
    sleep(ms(1)).await;
    assert!(in_service(&balancer, "good-2"));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_may_last_longer_than_trials_do_decides_nevertheless() {
    let balancer = balancer(["late", "hangs", "good"]);
    eject(&balancer, ["late", "hangs"]);
    let config = CallConfig::new(ms(300_000), ms(300_000)).unwrap();
    let driver = tokio::spawn(balancer.probe(&config, async |target: To| match *target.key() {
        "late" => {
            sleep(ms(40_000)).await;
            Ok(())
        }
        _ => pending::<Result<(), Failure>>().await,
    }));
    sleep(ms(41_000)).await;
    assert!(in_service(&balancer, "late"));
    sleep(ms(200_000)).await;
    assert_eq!(status(&balancer, "hangs").in_flight, 1);
    sleep(ms(60_000)).await;
    assert_eq!(status(&balancer, "hangs").ejections, 2);
    driver.abort();
}
