//! The tracker on a link to a simulated ensemble, in virtual time.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use zk_simulated::SimulatedEnsemble;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn host(last: u8) -> Host {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn trouble() -> AdvertiseError {
    AdvertiseError::VariableNotSet { variable: "POD_IP".into() }
}

/// Stands in for a machine whose address changes.
#[derive(Clone)]
struct Machines {
    begun: Instant,
    script: Arc<Mutex<Script>>,
}

struct Script {
    answer: Result<Host, AdvertiseError>,
    takes: Duration,
    /// When each look-up began.
    asked: Vec<Duration>,
}

impl Machines {
    fn new(answer: Result<Host, AdvertiseError>) -> Self {
        let script = Script { answer, takes: Duration::ZERO, asked: Vec::new() };
        Self { begun: Instant::now(), script: Arc::new(Mutex::new(script)) }
    }

    fn answers(&self, answer: Result<Host, AdvertiseError>) {
        self.script.lock().answer = answer;
    }

    /// The answer is that of the moment of the question.
    async fn look_up(self) -> Result<Host, AdvertiseError> {
        let (answer, takes) = {
            let mut script = self.script.lock();
            script.asked.push(self.begun.elapsed());
            (script.answer.clone(), script.takes)
        };
        sleep(takes).await;
        answer
    }

    fn asked(&self) -> usize {
        self.script.lock().asked.len()
    }

    fn track(&self, zk: &Zk) -> AddressTracker {
        let machine = self.clone();
        let log = Log { advertise: "variable:POD_IP".into(), is_loopback_meant: true };
        AddressTracker::start_by(zk.states(), log, move || machine.clone().look_up())
    }
}

async fn until(hosts: &mut watch::Receiver<Option<Host>>, wanted: Host) -> Duration {
    let begun = Instant::now();
    let found = timeout(LONG, hosts.wait_for(|host| host.as_ref() == Some(&wanted))).await;
    assert!(found.is_ok_and(|found| found.is_ok()), "{wanted} within {LONG:?}");
    begun.elapsed()
}

async fn connected() -> (SimulatedEnsemble, Zk) {
    let ensemble = SimulatedEnsemble::new(7);
    let zk = ensemble.zk();
    zk.connected().await.unwrap();
    (ensemble, zk)
}

/// Breaks the connection, and waits for the next.
async fn reconnect(ensemble: &SimulatedEnsemble, zk: &Zk) {
    let before = zk.state().reconnects;
    ensemble.cut();
    let again = |state: &State| state.is_connected() && state.reconnects > before;
    timeout(LONG, zk.states().wait_for(again)).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_is_found_before_there_is_a_connection_and_looked_up_again_with_it() {
    let ensemble = SimulatedEnsemble::new(7);
    ensemble.refuse_connects(true);
    let zk = ensemble.zk();
    let machine = Machines::new(Ok(host(1)));
    let tracker = machine.track(&zk);
    assert_eq!(until(&mut tracker.hosts(), host(1)).await, Duration::ZERO);
    machine.answers(Ok(host(2)));
    ensemble.refuse_connects(false);
    let mut hosts = tracker.hosts();
    zk.connected().await.unwrap();
    assert_eq!(until(&mut hosts, host(2)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_and_a_new_session_ask_again_at_once() {
    let (ensemble, zk) = connected().await;
    let machine = Machines::new(Ok(host(1)));
    let tracker = machine.track(&zk);
    let mut hosts = tracker.hosts();
    until(&mut hosts, host(1)).await;
    assert_eq!(machine.asked(), 1, "the connection that was there is not a new one");

    machine.answers(Ok(host(2)));
    reconnect(&ensemble, &zk).await;
    assert_eq!(until(&mut hosts, host(2)).await, Duration::ZERO);

    machine.answers(Ok(host(3)));
    let epoch = zk.state().epoch;
    ensemble.expire(zk.state().session.unwrap().id);
    timeout(LONG, zk.states().wait_for(|state| state.is_connected() && state.epoch > epoch)).await.unwrap();
    assert_eq!(until(&mut hosts, host(3)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn without_a_reconnect_an_address_is_found_within_half_a_minute() {
    let (_ensemble, zk) = connected().await;
    let machine = Machines::new(Ok(host(1)));
    let tracker = machine.track(&zk);
    let mut hosts = tracker.hosts();
    until(&mut hosts, host(1)).await;
    machine.answers(Ok(host(2)));
    assert_eq!(until(&mut hosts, host(2)).await, Duration::from_secs(30));
    hosts.mark_unchanged();
    sleep(Duration::from_secs(45)).await;
    assert!(!hosts.has_changed().unwrap(), "the same host is not published again");
    assert_eq!(machine.script.lock().asked, [0, 30, 60].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_host_and_is_retried_each_second() {
    let (ensemble, zk) = connected().await;
    let machine = Machines::new(Err(trouble()));
    let tracker = machine.track(&zk);
    let (mut hosts, mut troubles) = (tracker.hosts(), tracker.troubles());
    troubles.wait_for(Option::is_some).await.unwrap();
    assert_eq!(*troubles.borrow(), Some(trouble()));
    assert_eq!(*hosts.borrow(), None);
    sleep(Duration::from_millis(4500)).await;
    assert_eq!(machine.asked(), 5);

    machine.answers(Ok(host(1)));
    until(&mut hosts, host(1)).await;
    assert_eq!(*troubles.borrow(), None);

    machine.answers(Err(trouble()));
    reconnect(&ensemble, &zk).await;
    troubles.wait_for(Option::is_some).await.unwrap();
    sleep(LONG).await;
    assert_eq!(*hosts.borrow(), Some(host(1)), "the last host stays");
    machine.answers(Ok(host(2)));
    assert!(until(&mut hosts, host(2)).await <= Duration::from_secs(1));
}

/// The answer to what was asked before the reconnect is that of another network.
#[tokio::test(start_paused = true)]
async fn a_reconnect_during_a_look_up_asks_once_more() {
    let (ensemble, zk) = connected().await;
    let machine = Machines::new(Ok(host(1)));
    machine.script.lock().takes = LONG;
    let tracker = machine.track(&zk);
    let mut hosts = tracker.hosts();
    sleep(Duration::from_secs(1)).await;
    machine.answers(Ok(host(2)));
    machine.script.lock().takes = Duration::ZERO;
    reconnect(&ensemble, &zk).await;
    assert_eq!(machine.asked(), 1, "one at a time");
    let begun = Instant::now();
    until(&mut hosts, host(2)).await;
    assert!(begun.elapsed() < LONG, "as soon as the first has ended");
    assert_eq!(machine.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_owner() {
    let (_ensemble, zk) = connected().await;
    let machine = Machines::new(Ok(host(1)));
    let tracker = machine.track(&zk);
    let mut hosts = tracker.hosts();
    until(&mut hosts, host(1)).await;
    drop(tracker);
    timeout(LONG, hosts.changed()).await.unwrap().expect_err("no sender is left");
    assert_eq!(Arc::strong_count(&machine.script), 1, "nothing of its task is left");
    assert_eq!(*hosts.borrow(), Some(host(1)));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_link() {
    let (_ensemble, zk) = connected().await;
    let tracker = Machines::new(Ok(host(1))).track(&zk);
    let mut hosts = tracker.hosts();
    until(&mut hosts, host(1)).await;
    zk.close(LONG).await.unwrap();
    timeout(LONG, hosts.changed()).await.unwrap().expect_err("no sender is left");
    // It keeps no link.
    let tracker = Machines::new(Ok(host(1))).track(&zk);
    drop(tracker);
}
