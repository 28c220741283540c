//! Simulated endpoints.

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use balance::{Balancer, BalancerConfig, CallConfig, Caller, EndpointStatus, Health, Strategy, Target};
use tokio::time::sleep;

pub(crate) type Set = Balancer<&'static str, ()>;
pub(crate) type To = Target<&'static str, ()>;

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn balancer(keys: impl IntoIterator<Item = &'static str>) -> Set {
    let balancer = Balancer::new(BalancerConfig::new(Strategy::RoundRobin).with_seed(3));
    update(&balancer, keys);
    balancer
}

pub(crate) fn update(balancer: &Set, keys: impl IntoIterator<Item = &'static str>) {
    balancer.update(keys.into_iter().map(|key| (key, ())));
}

/// `name-000` and so on.
pub(crate) fn named(name: &str, count: usize) -> impl Iterator<Item = &'static str> {
    let names: Vec<&'static str> = (0..count).map(|n| &*format!("{name}-{n:03}").leak()).collect();
    names.into_iter()
}

/// Calls that may be repeated, with the default limits.
pub(crate) fn caller(balancer: &Set) -> Caller<&'static str, ()> {
    Caller::new(balancer.reader(), idempotent())
}

pub(crate) fn idempotent() -> CallConfig {
    CallConfig::default().with_idempotent(true)
}

/// Behaves as the name of the endpoint says.
pub(crate) async fn act(target: To) -> io::Result<&'static str> {
    match target.key().split('-').next() {
        Some("good") => Ok("hello"),
        Some("quick") => {
            sleep(ms(5)).await;
            Ok("hello")
        }
        Some("slow") => {
            sleep(ms(700)).await;
            Ok("at last")
        }
        Some("refuses") => Err(io::ErrorKind::ConnectionRefused.into()),
        Some("unknown") => Err(io::ErrorKind::HostUnreachable.into()),
        Some("silent") => {
            sleep(target.connect_timeout()).await;
            Err(io::ErrorKind::HostUnreachable.into())
        }
        Some("resets") => Err(io::ErrorKind::ConnectionReset.into()),
        Some("hangs") => pending().await,
        _ => Err(io::ErrorKind::Other.into()),
    }
}

pub(crate) fn status(balancer: &Set, key: &str) -> EndpointStatus<&'static str> {
    balancer.status().into_iter().find(|status| status.key == key).unwrap()
}

pub(crate) fn in_service(balancer: &Set, key: &str) -> bool {
    status(balancer, key).health == Health::InService
}

/// Which endpoints were called, and whether as a trial.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<parking_lot::Mutex<Vec<(&'static str, bool)>>>);

impl Log {
    pub(crate) fn note(&self, target: &To) {
        self.0.lock().push((target.key(), target.is_trial()));
    }

    pub(crate) fn take(&self) -> Vec<(&'static str, bool)> {
        std::mem::take(&mut self.0.lock())
    }
}

/// An operation that acts, and notes where.
pub(crate) fn logged(log: &Log) -> impl Fn(To) -> Acting + Clone + Send + 'static {
    let log = log.clone();
    move |target| {
        log.note(&target);
        Box::pin(act(target))
    }
}

pub(crate) type Acting = std::pin::Pin<Box<dyn Future<Output = io::Result<&'static str>> + Send>>;

/// Counts what an operation that is no `Fn` has seen.
pub(crate) type Seen<T> = RefCell<Vec<T>>;
