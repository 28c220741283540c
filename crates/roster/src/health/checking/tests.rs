use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn start(check: HealthCheck) -> (watch::Receiver<ServiceHealth>, JoinHandle<()>) {
    let (verdicts_tx, verdicts) = watch::channel(ServiceHealth::Unknown);
    (verdicts, tokio::spawn(watch_over(check, verdicts_tx)))
}

/// A check whose answers are these, and the last one for ever after.
fn answering(answers: &'static [bool]) -> HealthCheck {
    let asked = AtomicUsize::new(0);
    HealthCheck::every(SECOND, move || {
        let at = asked.fetch_add(1, Ordering::Relaxed);
        async move { answers[at.min(answers.len() - 1)] }
    })
}

/// The times of the verdicts, in seconds from the start.
async fn verdicts(check: HealthCheck, seconds: u32) -> Vec<(u64, bool)> {
    let (mut verdicts, _task) = start(check);
    let begun = Instant::now();
    let mut seen = Vec::new();
    while timeout(seconds * SECOND - begun.elapsed(), verdicts.changed()).await.is_ok() {
        let verdict = *verdicts.borrow_and_update() == ServiceHealth::Healthy;
        seen.push((begun.elapsed().as_secs(), verdict));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_decides_at_once_and_later_ones_by_their_count() {
    assert_eq!(verdicts(answering(&[true, false, true, false]), 10).await, [(0, true), (5, false)]);
    assert_eq!(verdicts(answering(&[false, true, false, true]), 10).await, [(0, false), (4, true)]);
    let hasty = answering(&[true, false, true]).rise(1).fall(1);
    assert_eq!(verdicts(hasty, 10).await, [(0, true), (1, false), (2, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_aborted_and_counts_as_sick() {
    let running = Arc::new(());
    let seen = running.clone();
    let check = HealthCheck::every(10 * SECOND, move || {
        let running = running.clone();
        async move {
            let _running = running;
            pending::<bool>().await
        }
    });
    let begun = Instant::now();
    let (mut verdicts, _task) = start(check.timeout(SECOND));
    verdicts.changed().await.unwrap();
    assert_eq!(begun.elapsed(), SECOND);
    let verdict = verdicts.borrow_and_update().clone();
    assert!(matches!(&verdict, ServiceHealth::Sick(reason) if reason.contains("1s")), "{verdict}");
    sleep(SECOND).await;
    assert_eq!(Arc::strong_count(&seen), 2, "only the check itself is left, and it does not run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_counts_as_sick_until_it_ends() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (held, made) = (parking_lot::Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let count = made.clone();
    let check = HealthCheck::every(Duration::from_millis(20), move || {
        count.fetch_add(1, Ordering::Relaxed);
        // Until the other end is dropped.
        let _ = held.lock().recv();
        async { true }
    });
    let (mut verdicts, _task) = start(check.timeout(Duration::from_millis(50)).rise(1));
    let mut until = async |wanted: fn(&ServiceHealth) -> bool| {
        timeout(60 * SECOND, verdicts.wait_for(wanted)).await.expect("a verdict soon").unwrap().clone()
    };
    until(|verdict| matches!(verdict, ServiceHealth::Sick(_))).await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(made.load(Ordering::Relaxed), 1, "there is one check at a time");
    drop(hold);
    until(|verdict| *verdict == ServiceHealth::Healthy).await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_counts_as_sick_and_is_made_again() {
    let asked = AtomicUsize::new(0);
    let check = HealthCheck::every(SECOND, move || {
        // In the call itself, and within its future.
        let at = asked.fetch_add(1, Ordering::Relaxed);
        assert!(at != 0, "a defect in a check");
        async move {
            assert!(at != 1, "a defect in a check");
            true
        }
    });
    assert_eq!(verdicts(check, 10).await, [(0, false), (3, true)]);
}

#[tokio::test(start_paused = true)]
async fn the_reason_is_that_of_the_last_answer_on_one_line() {
    let check = HealthCheck::every(SECOND, || async { Err::<(), _>("no\u{1b}[2J\nway") });
    let (mut verdicts, _task) = start(check);
    verdicts.changed().await.unwrap();
    assert_eq!(*verdicts.borrow(), ServiceHealth::Sick("no".into()));
    assert!(one_line(&"x".repeat(10_000)).len() <= LONGEST_REASON);
}

#[tokio::test(start_paused = true)]
async fn a_watched_value_holds_at_once_and_without_its_sender_the_service_is_sick() {
    let (health, watched) = watch::channel(true);
    let (mut verdicts, _task) = start(HealthCheck::watch(watched));
    for healthy in [true, false, true] {
        health.send_replace(healthy);
        verdicts.changed().await.unwrap();
        assert_eq!(*verdicts.borrow_and_update() == ServiceHealth::Healthy, healthy);
    }
    drop(health);
    verdicts.changed().await.unwrap();
    assert!(matches!(&*verdicts.borrow_and_update(), ServiceHealth::Sick(_)));
    let more = timeout(10 * SECOND, verdicts.changed()).await;
    assert!(more.is_err(), "it stays sick: {more:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interval_without_end_is_one_check() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let check = HealthCheck::every(Duration::MAX, move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { true }
    });
    let (mut verdicts, task) = start(check.timeout(Duration::MAX));
    verdicts.changed().await.unwrap();
    assert_eq!(*verdicts.borrow(), ServiceHealth::Healthy);
    sleep(1_000 * SECOND).await;
    assert!(!task.is_finished());
    assert_eq!(made.load(Ordering::Relaxed), 1);
}
