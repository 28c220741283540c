//! Set-up and checks of the tests in virtual time.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::ops::Range;
use std::time::Duration;

use futures_util::future::join_all;
use instance::{Format, Instance, Plain};
use registry::{Registrar, RegistrarConfig, Registration, RegistrationStatus};
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Zk, ZnodePath};
use zk_simulated::{Builder, Match, SimulatedEnsemble, Verb, builder};

pub const ROOT: &str = "/root";
pub const ROUND_TRIP: Duration = Duration::from_millis(10);
pub const SOON: Duration = Duration::from_secs(60);
/// So many registrations share one watch.
pub const MANY: usize = Registrar::OWN_WATCHES + 10;

pub struct Service {
    pub ensemble: SimulatedEnsemble,
    pub zk: Zk,
    pub registrar: Registrar,
}

/// An ensemble whose round trips all take [`ROUND_TRIP`].
pub fn even() -> Builder {
    builder(7).round_trip(ROUND_TRIP..=ROUND_TRIP)
}

pub fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

pub fn instance(i: usize) -> Instance {
    Instance::new(format!("10.0.{}.{}:80", i / 256, i % 256).parse().unwrap())
}

pub fn registrar(zk: &Zk) -> Registrar {
    let config = RegistrarConfig::new(path(ROOT)).with_audit_interval(Duration::from_secs(3600)).unwrap();
    Registrar::new(zk, config)
}

impl Service {
    pub fn on(ensemble: Builder) -> Self {
        let ensemble = ensemble.build();
        let zk = ensemble.zk();
        Self { registrar: registrar(&zk), zk, ensemble }
    }

    pub fn register(&self, i: usize) -> Registration {
        self.registrar.register(instance(i)).unwrap()
    }

    /// Registers instances, and waits until nothing is under way any more.
    pub async fn registered(&self, numbers: Range<usize>) -> Vec<Registration> {
        let registrations: Vec<_> = numbers.map(|i| self.register(i)).collect();
        all_registered(&registrations).await;
        sleep(Duration::from_secs(30)).await;
        registrations
    }

    pub fn weight(&self, registration: &Registration) -> Option<u32> {
        let data = self.ensemble.operator().data(registration.path())?;
        Some(Plain.decode(registration.path().name(), &data).unwrap().instance.weight())
    }

    pub fn exists(&self, registration: &Registration) -> bool {
        self.ensemble.operator().stat(registration.path()).is_some()
    }

    /// How many requests there were so far.
    pub fn mark(&self) -> usize {
        self.ensemble.requests(Match::any()).len()
    }

    /// The requests about a znode after a mark.
    pub fn about(&self, registration: &Registration, mark: usize) -> Vec<Verb> {
        let seen = self.ensemble.requests(Match::any());
        let about = seen[mark..].iter().filter(|request| request.path == *registration.path());
        about.map(|request| request.verb).collect()
    }

    /// Checks that there is one znode for each registration, of our session and as the status says, with this weight.
    pub async fn all_true(&self, registrations: &[Registration], weight: u32) {
        let operator = self.ensemble.operator();
        let is_true = |registration: &Registration| {
            let Some(stat) = operator.stat(registration.path()) else { return false };
            let owner = stat.ephemeral_owner;
            let is_in_status = matches!(registration.status(), RegistrationStatus::Registered { czxid, session }
                if czxid == stat.czxid && Some(session) == owner);
            is_in_status && self.weight(registration) == Some(weight)
        };
        let are_true = || registrations.iter().all(is_true);
        let started = Instant::now();
        while !are_true() {
            let wrong = registrations.iter().find(|registration| !is_true(registration));
            assert!(started.elapsed() < SOON, "{:?}", wrong.map(|wrong| (wrong.path(), wrong.status())));
            sleep(ROUND_TRIP).await;
        }
    }
}

pub async fn all_registered(registrations: &[Registration]) {
    let all = join_all(registrations.iter().map(Registration::registered));
    assert!(timeout(SOON, all).await.expect("registered soon").into_iter().all(|done| done.is_ok()));
}
