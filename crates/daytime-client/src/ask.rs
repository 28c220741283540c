//! The default command: asks for the time, round after round.

use std::time::Duration;

use balance::{Balancer, CallConfig};
use daytime_config::{ClientConfig, error_chain};
use discovery::{Discovery, Members, View};
use instance::Endpoint;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::debug;
use zk_core::Zk;

use crate::connect;
use crate::error::Error;
use crate::link::{self, Link};
use crate::metrics;
use crate::output::{line, print_error};
use crate::sigusr1::Release;

/// While it waits, the client prints the reason at least this often.
const REMINDER: Duration = Duration::from_secs(5);

pub(crate) async fn run(config: ClientConfig, link: &Link, release: &mut Release) -> Result<(), Error> {
    let zk = link.start(&config.zookeeper)?;
    let discovery = Discovery::start(zk.clone(), config.discovery.clone());
    let balancer = Balancer::new(balance::Config::new(config.client.strategy));

    let outcome = ask(zk, &discovery, &config, &balancer, release).await;
    discovery.shutdown().await;
    outcome
}

/// Waits for the first instance, and makes the rounds.
async fn ask(
    zk: &Zk,
    discovery: &Discovery,
    config: &ClientConfig,
    balancer: &Balancer<Endpoint>,
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
        outcome = rounds(balancer, discovery, config) => outcome,
    }
}

/// Passes every new set of instances to the balancer.
async fn feed(balancer: &Balancer<Endpoint>, discovery: &Discovery) {
    let mut views = discovery.views();
    loop {
        let snapshot = views.borrow_and_update().snapshot.clone();
        if let Some(snapshot) = snapshot {
            balancer.update(snapshot.endpoints().cloned());
        }
        if views.changed().await.is_err() {
            return;
        }
    }
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
                _ => link::describe(&state),
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

async fn rounds(
    balancer: &Balancer<Endpoint>,
    discovery: &Discovery,
    config: &ClientConfig,
) -> Result<(), Error> {
    let settings = &config.client;
    let limits = CallConfig::new(settings.attempt_timeout, settings.timeout)
        .expect("the configuration makes an attempt no longer than its request");
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
        let answer = balance::call(balancer, &limits, |endpoint| {
            let (endpoint, discovery) = (endpoint.clone(), discovery.clone());
            async move {
                let answer = connect::request(&endpoint, settings.connect_timeout).await;
                if let Err(error) = &answer {
                    debug!(%endpoint, %error, "attempt failed");
                    if error.is_refused() {
                        discovery.report_refused(&endpoint);
                    }
                }
                answer
            }
        });
        let began = Instant::now();
        let answer = answer.await;
        metrics::request(answer.is_ok(), began.elapsed());
        match answer {
            Ok(answered) => {
                debug!(endpoint = %answered.key, attempts = answered.attempts, "round answered");
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
