//! The default command: asks for the time, round after round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daytime_config::{ClientConfig, ClientSettings, error_chain};
use discovery::{Members, View};
use instance::Endpoint;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::debug;
use zk_core::Zk;
use zk_roster::{BalancerConfig, CallConfig, Callee, Client};

use crate::connect::{self, AttemptError};
use crate::error::Error;
use crate::link::{self, Link};
use crate::metrics;
use crate::output::{line, print_error};
use crate::sigusr1::Release;

/// While it waits, the client prints the reason at least this often.
const REMINDER: Duration = Duration::from_secs(5);

/// The tag that says in which zone a server is.
const ZONE_TAG: &str = "zone";

/// How long ZooKeeper has to list the servers before a saved list does: what is fresh is better.
const HEAD_START: Duration = Duration::from_secs(1);

pub(crate) async fn run(config: ClientConfig, link: &Link, release: &mut Release) -> Result<(), Error> {
    let zk = link.start(&config.zookeeper)?;
    let builder = Client::builder(zk, config.discovery.root().clone()).expect("a checked path is a path");
    let mut builder = builder
        .discovery(|_| config.discovery.clone())
        .balancer(balancing(&config.client))
        .calls(limits(&config.client));
    if let Some(path) = &config.client.saved {
        builder = builder.saved_at(path);
    }
    let client = builder.start();

    let outcome = ask(zk, &client, &config, release).await;
    // On every way out: a trial beside a round may still run.
    client.shutdown().await;
    outcome
}

/// Waits for the first instance, and makes the rounds.
async fn ask(zk: &Zk, client: &Client, config: &ClientConfig, release: &mut Release) -> Result<(), Error> {
    tokio::select! {
        first = first_instance(zk, client, config) => first?,
        refused = link::refused_at_start(zk) => return Err(refused),
    }
    tokio::select! {
        biased;
        () = client.ended() => Err(Error::not_followed(client.discovery())),
        never = release.release_on_signal(client.discovery()) => match never {},
        // By a saved list the rounds may begin before the first session.
        refused = link::refused_at_start(zk) => Err(refused),
        outcome = rounds(client, &config.client) => outcome,
    }
}

/// How to choose among the servers.
fn balancing(settings: &ClientSettings) -> BalancerConfig {
    let mut config = BalancerConfig::new(settings.strategy);
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

/// Waits for the first instance, and prints the reason of the wait. Without ZooKeeper, a saved list will do after a moment.
async fn first_instance(zk: &Zk, client: &Client, config: &ClientConfig) -> Result<(), Error> {
    let waited = config.client.wait;
    let deadline = Instant::now() + waited;
    let mut saved_from = Some(Instant::now() + HEAD_START).filter(|_| config.client.saved.is_some());
    let (mut states, mut views, mut members) = (zk.states(), client.discovery().views(), client.members());
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
        if saved_from.is_some_and(|from| now >= from) {
            saved_from = None;
        }
        if saved_from.is_none() && client.is_saved() {
            print_error(format_args!("using the saved list: {}", client.status()));
            return Ok(());
        }
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
            () = sleep_until(saved_from.unwrap_or(deadline)) => {}
            Ok(()) = members.changed() => {}
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

async fn rounds(client: &Client, settings: &ClientSettings) -> Result<(), Error> {
    let hash_key = hash_key(settings);
    let mut pace = (!settings.interval.is_zero()).then(|| {
        let mut pace = interval(settings.interval);
        // No burst of quick rounds after a slow one.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let mut failed = 0;
    for round in 1..=settings.rounds {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let began = Instant::now();
        let attempts = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&attempts);
        let attempt = move |callee: Callee| {
            // What is tried beside the round is no attempt of it.
            count.fetch_add(u32::from(!callee.target().is_trial()), Ordering::Relaxed);
            attempt(callee)
        };
        // To ask for the time twice does no harm: an ejected server is tried beside a round, and not in its way.
        let answer = client.call_idempotent_for(&hash_key, attempt).await;
        metrics::request(answer.is_ok(), began.elapsed());
        match answer {
            Ok((endpoint, answer)) => {
                debug!(%endpoint, attempts = attempts.load(Ordering::Relaxed), "round answered");
                line(answer)?;
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
async fn attempt(callee: Callee) -> Result<(Endpoint, String), AttemptError> {
    let endpoint = callee.endpoint();
    match connect::request(endpoint, callee.connect_timeout()).await {
        Ok(answer) => Ok((endpoint.clone(), answer)),
        Err(error) => {
            debug!(%endpoint, %error, "attempt failed");
            Err(error)
        }
    }
}
