use std::pin::pin;

use futures_util::FutureExt;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Duration, timeout};

use super::*;

/// More than tokio wakes at a time (32).
const MANY: usize = 100;

fn in_turn() -> Vec<usize> {
    (0..MANY).collect()
}

/// Tasks that each note their number when they have seen the next value, or the end.
async fn waiting(receiver: &Receiver<u32>, went_on: &Arc<Mutex<Vec<usize>>>) -> JoinSet<()> {
    let (mut tasks, begun) = (JoinSet::new(), Arc::new(Mutex::new(0)));
    for number in 0..MANY {
        let (mut receiver, went_on, begun) = (receiver.clone(), went_on.clone(), begun.clone());
        tasks.spawn(async move {
            *begun.lock() += 1;
            let _ = receiver.changed().await;
            went_on.lock().push(number);
        });
    }
    while *begun.lock() < MANY {
        yield_now().await;
    }
    tasks
}

#[tokio::test]
async fn those_who_wait_go_on_in_the_order_in_which_they_began() {
    let (sender, receiver) = channel(0);
    let went_on = Arc::default();
    let tasks = waiting(&receiver, &went_on).await;
    sender.send(1);
    tasks.join_all().await;
    assert_eq!(std::mem::take(&mut *went_on.lock()), in_turn(), "at a change");
    let tasks = waiting(&sender.subscribe(), &went_on).await;
    drop(sender);
    tasks.join_all().await;
    assert_eq!(*went_on.lock(), in_turn(), "at the end");
}

#[tokio::test]
async fn one_that_gives_up_and_comes_again_is_the_last() {
    let (sender, receiver) = channel(0);
    let (went_on, mut one) = (Arc::default(), receiver.clone());
    assert!(one.changed().now_or_never().is_none());
    let tasks = waiting(&receiver, &went_on).await;
    let noted = went_on.clone();
    let again = tokio::spawn(async move {
        let value = one.changed().await;
        noted.lock().push(MANY);
        value
    });
    yield_now().await;
    sender.send(1);
    tasks.join_all().await;
    assert_eq!(again.await.unwrap().as_deref(), Some(&1));
    assert_eq!(*went_on.lock(), [in_turn(), vec![MANY]].concat());
}

#[tokio::test]
async fn a_receiver_sees_the_latest_value_once_and_then_the_end() {
    let (sender, mut receiver) = channel(0);
    assert!(receiver.changed().now_or_never().is_none(), "the first value counts as seen");
    sender.send(1);
    sender.send_modify(|value| *value += 1);
    let other = receiver.clone();
    assert_eq!((*receiver.latest(), receiver.has_ended()), (2, false));
    assert_eq!(receiver.changed().await.as_deref(), Some(&2));
    assert!(receiver.changed().now_or_never().is_none());
    sender.send_if_modified(|value| {
        *value = 3;
        false
    });
    assert!(receiver.changed().now_or_never().is_none(), "nobody is told");
    sender.send(4);
    assert_eq!(*receiver.see(), 4);
    assert!(receiver.changed().now_or_never().is_none());
    sender.send(5);
    let clone = sender.clone();
    drop(sender);
    assert!(!receiver.has_ended(), "a sender is left");
    drop(clone);
    for mut receiver in [receiver, other] {
        assert!(receiver.has_ended());
        assert_eq!(receiver.changed().await.as_deref(), Some(&5), "the last value comes before the end");
        assert_eq!(receiver.changed().await, None);
        assert_eq!(*receiver.latest(), 5);
    }
}

#[tokio::test]
async fn a_wait_for_a_value_takes_one_that_was_seen_and_ends_with_the_channel() {
    let (sender, mut receiver) = channel(0);
    assert_eq!(receiver.wait_for(|value| *value == 0).await.as_deref(), Some(&0));
    {
        let mut wait = pin!(receiver.wait_for(|value| *value == 2));
        for value in [1, 2] {
            assert!(wait.as_mut().now_or_never().is_none());
            sender.send(value);
        }
        assert_eq!(wait.await.as_deref(), Some(&2));
    }
    assert!(receiver.changed().now_or_never().is_none(), "it counts as seen");
    drop(sender);
    assert_eq!(receiver.wait_for(|value| *value == 2).await.as_deref(), Some(&2));
    assert_eq!(receiver.wait_for(|value| *value == 3).await, None);
}

/// Another thread replies to each value as fast as it can, so that many replies come just when this one begins to wait. A
/// change that it missed would be the last.
#[test]
fn no_change_of_another_thread_is_missed() {
    const ROUNDS: u32 = 20_000;
    let (ping, pinged) = channel(0);
    let (pong, mut ponged) = channel(0);
    let other = std::thread::spawn(move || {
        let mut last = 0;
        while !pinged.has_ended() {
            let round = *pinged.latest();
            if round == last {
                std::thread::yield_now();
            } else {
                pong.send(round);
                last = round;
            }
        }
    });
    let play = async {
        for round in 1..=ROUNDS {
            ping.send(round);
            // What is passed to `wait_for` may use the channel: it runs without a lock.
            let reader = ponged.clone();
            ponged.wait_for(|last| *last == round && *reader.latest() == round).await.unwrap();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), play).await.expect("nothing is missed") });
    drop(ping);
    other.join().unwrap();
}
