//! [`AddressTracker`]: looks the advertised address up for as long as it is needed.

mod machine;

use std::net::IpAddr;
use std::sync::Arc;

use instance::Host;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};
use zk_core::{State, States, Zk, ZkHost};

use super::{Advertise, AdvertiseError, look_up};
use machine::{Connections, Effect, Input, Machine, Remark};

/// Looks the address up at the start, with every new connection of the link, and every 30 s; after a failure each second.
/// Publishes the current host, and keeps it while look-ups fail.
///
/// Its task ends when the tracker is dropped, or the link is closed for good. The receivers then keep the last values.
#[derive(Debug)]
pub(crate) struct AddressTracker {
    hosts: watch::Receiver<Option<Host>>,
    troubles: watch::Receiver<Option<AdvertiseError>>,
    /// Ends with the tracker.
    _task: AbortOnDropHandle<()>,
}

impl AddressTracker {
    /// Starts to look up, for a socket that listens on `bound`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn start(zk: &Zk, advertise: Advertise, bound: IpAddr, ensemble: Vec<ZkHost>) -> Self {
        // Who asks for a certain address knows that it is a loopback one, as does who listens on one.
        let is_loopback_meant = bound.to_canonical().is_loopback()
            || !matches!(advertise, Advertise::Route | Advertise::Network(_));
        let log = Log { advertise: advertise.to_string(), is_loopback_meant };
        let asked = Arc::new((advertise, ensemble));
        Self::start_by(zk.states(), log, move || {
            let asked = Arc::clone(&asked);
            async move { look_up(&asked.0, bound, &asked.1).await }
        })
    }

    /// Starts with another way to look up: each call is one attempt, which ends within a few seconds. There is one at a time.
    fn start_by<L, F>(states: States, log: Log, look_up: L) -> Self
    where
        L: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<Host, AdvertiseError>> + Send + 'static,
    {
        let (hosts_tx, hosts) = watch::channel(None);
        let (troubles_tx, troubles) = watch::channel(None);
        let published = Published { hosts: hosts_tx, troubles: troubles_tx, log };
        let task = AbortOnDropHandle::new(tokio::spawn(track(states, published, look_up)));
        Self { hosts, troubles, _task: task }
    }

    /// Follows the host to register; `None` until it is known. A value that is sent differs from the one before.
    pub(crate) fn hosts(&self) -> watch::Receiver<Option<Host>> {
        self.hosts.clone()
    }

    /// Follows why the latest look-up failed; `None` if it did not.
    pub(crate) fn troubles(&self) -> watch::Receiver<Option<AdvertiseError>> {
        self.troubles.clone()
    }
}

/// Carries out what the machine decides, until the link is closed.
async fn track<L, F>(mut states: States, published: Published, mut look_up: L)
where
    L: FnMut() -> F,
    F: Future<Output = Result<Host, AdvertiseError>>,
{
    let mut machine = Machine::new(connections(&states.latest()), Instant::now());
    let mut attempt = std::pin::pin!(None);
    loop {
        let wake = machine.wakes_at();
        let input = tokio::select! {
            // News of the link first: an answer from before a new connection may be out of date.
            biased;
            state = states.changed() => match state {
                Some(state) if !state.is_closed() => Input::Link(connections(&state)),
                _ => return,
            },
            found = async { attempt.as_mut().as_pin_mut().expect("the machine waits for an attempt").await },
                if attempt.is_some() => {
                attempt.set(None);
                Input::Found(found)
            },
            () = async { sleep_until(wake.expect("checked")).await }, if wake.is_some() => Input::Wake,
        };
        for effect in machine.on(input, Instant::now()) {
            match effect {
                Effect::LookUp => attempt.set(Some(look_up())),
                Effect::Publish(host) => drop(published.hosts.send_replace(Some(host))),
                Effect::Trouble(trouble) => drop(published.troubles.send_replace(trouble)),
                Effect::Log(remark) => published.log.write(remark),
            }
        }
    }
}

fn connections(state: &State) -> Connections {
    Connections { epoch: state.epoch, reconnects: state.reconnects }
}

/// Where results go.
struct Published {
    hosts: watch::Sender<Option<Host>>,
    troubles: watch::Sender<Option<AdvertiseError>>,
    log: Log,
}

/// What lines of the log need to know.
struct Log {
    /// How the address is found.
    advertise: String,
    /// Whether a loopback address is no surprise.
    is_loopback_meant: bool,
}

impl Log {
    fn write(&self, remark: Remark) {
        let advertise = &self.advertise;
        match remark {
            Remark::Found(address) => {
                info!(%address, advertise, "advertised address found");
                self.check(&address);
            }
            Remark::Moved { from, to } => {
                info!(address = %to, before = %from, advertise, "advertised address has changed");
                self.check(&to);
            }
            Remark::Confirmed(address) => info!(%address, advertise, "advertised address found again"),
            Remark::Missing(cause) => warn!(%cause, advertise, "no address to advertise yet, retrying"),
            Remark::Kept { address, cause } => {
                warn!(%address, %cause, advertise, "advertised address not found again, keeping the last one");
            }
        }
    }

    fn check(&self, address: &Host) {
        if address.is_loopback() && !self.is_loopback_meant {
            warn!(%address, "advertised address is a loopback address: only clients on this machine can call it");
        }
    }
}

#[cfg(test)]
mod tests;
