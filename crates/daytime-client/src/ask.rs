//! The default command: asks for the time, round after round.

use std::time::Duration;

use balance::{Balancer, CallConfig, Caller, Target};
use daytime_config::{ClientConfig, ClientSettings, error_chain};
use discovery::{Discovery, Members, View};
use instance::Endpoint;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::debug;
use zk_core::Zk;

use crate::connect::{self, AttemptError};
use crate::error::Error;
use crate::feed::{Server, feed};
use crate::link::{self, Link};
use crate::metrics;
use crate::output::{line, print_error};
use crate::resolver::Resolver;
use crate::sigusr1::Release;

/// While it waits, the client prints the reason at least this often.
const REMINDER: Duration = Duration::from_secs(5);

/// The tag that says in which zone a server is.
const ZONE_TAG: &str = "zone";

pub(crate) async fn run(config: ClientConfig, link: &Link, release: &mut Release) -> Result<(), Error> {
    let zk = link.start(&config.zookeeper)?;
    let discovery = Discovery::start(zk, config.discovery.clone());
    let balancer = Balancer::new(balancing(&config.client));
    let caller = Caller::new(balancer.reader(), limits(&config.client));

    let outcome = ask(zk, &discovery, &config, &balancer, &caller, release).await;
    // On every way out: a trial beside a round may still run.
    caller.shutdown().await;
    discovery.shutdown().await;
    outcome
}

/// Waits for the first instance, and makes the rounds.
async fn ask(
    zk: &Zk,
    discovery: &Discovery,
    config: &ClientConfig,
    balancer: &Balancer<Endpoint, Server>,
    caller: &Caller<Endpoint, Server>,
    release: &mut Release,
) -> Result<(), Error> {
    tokio::select! {
        first = first_instance(zk, discovery, config) => first?,
        refused = link::refused_at_start(zk) => return Err(refused),
    }
    // `feed` ends only if following does.
    tokio::select! {
        biased;
        () = feed(balancer, discovery) => Err(Error::not_followed(discovery)),
        never = release.release_on_signal(discovery) => match never {},
        outcome = rounds(caller, discovery, &config.client) => outcome,
    }
}

/// How to choose among the servers.
fn balancing(settings: &ClientSettings) -> balance::BalancerConfig {
    let mut config = balance::BalancerConfig::new(settings.strategy);
    if let Some(zone) = &settings.zone {
        config = config.with_zone(ZONE_TAG, zone);
    }
    for (tag, value) in &settings.labels {
        config = config.with_label(tag, value);
    }
    if settings.subset > 0 {
        config = config.with_subset(settings.subset, &hash_key(settings)).expect("the size is at least 1");
    }
    config.with_slow_start(settings.slow_start).expect("the schema has the range of the library")
}

/// The name by which this client goes: as configured, or that of the machine.
fn hash_key(settings: &ClientSettings) -> String {
    let machine = || nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    settings.hash_key.clone().unwrap_or_else(|| machine().unwrap_or_default())
}

/// Waits for the first instance, and prints the reason of the wait.
async fn first_instance(zk: &Zk, discovery: &Discovery, config: &ClientConfig) -> Result<(), Error> {
    let waited = config.client.wait;
    let deadline = Instant::now() + waited;
    let (mut states, mut views) = (zk.states(), discovery.views());
    let mut printed = String::new();
    // Most starts take a few milliseconds, and print nothing.
    let mut print_at = Instant::now() + Duration::from_millis(300);
    loop {
        let state = states.latest();
        let what = {
            let view = views.borrow_and_update();
            match view.members() {
                Members::Set(_) => return Ok(()),
                _ if state.is_connected() => reason(&view, config),
                _ => state.to_string(),
            }
        };
        let now = Instant::now();
        if now >= print_at && (what != printed || now >= print_at + REMINDER) {
            print_error(format_args!(
                "{what} (giving up in {:.0?})",
                deadline.saturating_duration_since(now)
            ));
            (printed, print_at) = (what.clone(), now);
        }
        tokio::select! {
            biased;
            () = sleep_until(deadline) => return Err(Error::GaveUp { waited, what }),
            changed = views.changed() => if changed.is_err() {
                return Err(Error::GaveUp { waited, what });
            },
            changed = states.changed() => if changed.is_none() {
                return Err(Error::GaveUp { waited, what });
            },
            () = sleep_until(if printed.is_empty() { print_at } else { print_at + REMINDER }) => {}
        }
    }
}

fn reason(view: &View, config: &ClientConfig) -> String {
    let root = config.discovery.root();
    match (&view.trouble, view.members()) {
        (Some(trouble), _) => format!("cannot follow {root}: {trouble}"),
        (None, Members::NotSynced) => format!("reading {root}"),
        (None, _) if view.skipped > 0 => {
            format!("waiting for an instance under {root} ({} other children)", view.skipped)
        }
        (None, _) => format!("waiting for an instance under {root}"),
    }
}

fn limits(settings: &ClientSettings) -> CallConfig {
    let limits = CallConfig::new(settings.attempt_timeout, settings.timeout)
        .and_then(|limits| limits.with_connect(settings.connect_timeout))
        .expect("the configuration makes an attempt no longer than its request");
    match settings.hedge {
        Some(after) => {
            limits.with_hedge_after(after).expect("the configuration makes it no longer than an attempt")
        }
        None => limits,
    }
}

async fn rounds(
    caller: &Caller<Endpoint, Server>,
    discovery: &Discovery,
    settings: &ClientSettings,
) -> Result<(), Error> {
    let hash_key = hash_key(settings);
    let mut pace = (!settings.interval.is_zero()).then(|| {
        let mut pace = interval(settings.interval);
        // No burst of quick rounds after a slow one.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    // To ask for the time twice does no harm: an ejected server is tried beside a round, and not in its way.
    let attempt = {
        let (resolver, discovery) = (Resolver::of_system(), discovery.clone());
        move |target: Target<Endpoint, Server>| attempt(target, resolver.clone(), discovery.clone())
    };
    let mut failed = 0;
    for round in 1..=settings.rounds {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let began = Instant::now();
        let answer = caller.call_idempotent_for(&hash_key, attempt.clone()).await;
        metrics::request(answer.is_ok(), began.elapsed());
        match answer {
            Ok(answered) => {
                debug!(endpoint = %answered.key(), attempts = answered.attempts, "round answered");
                line(answered.value)?;
            }
            Err(error) => {
                failed += 1;
                print_error(format_args!("round {round}: {}", error_chain(&error)));
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Error::Rounds { failed, rounds: settings.rounds }),
    }
}

/// Asks one server.
async fn attempt(
    target: Target<Endpoint, Server>,
    resolver: Resolver,
    discovery: Discovery,
) -> Result<String, AttemptError> {
    let endpoint = target.key();
    let answer = connect::request(&resolver, endpoint, target.connect_timeout()).await;
    if let Err(error) = &answer {
        debug!(%endpoint, %error, "attempt failed");
        if error.is_refused() {
            discovery.report_refused(endpoint);
        }
    }
    answer
}
