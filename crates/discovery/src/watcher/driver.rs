//! The task: passes what happens to the machine, and does what the machine asks for.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use root_watch::{Lists, RootWatch};
use tokio::time::Instant;
use tracing::{Instrument, error, info_span, trace};
use zk_core::time::until;
use zk_core::{Sources, Zk};

use super::commands::Commands;
use super::effect::{Effect, Input, Published};
use super::machine::Machine;
use crate::config::DiscoveryConfig;
use crate::metrics::Count;
use crate::publisher::Publisher;

/// How many updates one view may take: as many as the queue of a watch holds. A flood delays neither views nor a stop.
const MAX_UPDATES: usize = 16_384;

/// Fields are dropped in their order: when the publisher says that following has ended, the watch has, too.
pub(crate) struct Driver {
    root_watch: RootWatch,
    machine: Machine,
    commands: Commands,
    sources: Sources,
    /// The lists that were counted.
    lists: u64,
    publisher: Publisher,
}

impl Driver {
    pub(crate) fn new(
        zk: &Zk,
        config: &DiscoveryConfig,
        machine: Machine,
        commands: Commands,
        publisher: Publisher,
    ) -> Self {
        let followed = root_watch::RootWatchConfig::new(config.root().clone(), Lists::Always)
            .with_audit_interval(config.audit_interval());
        let mut root_watch = RootWatch::new(zk, followed);
        root_watch.set_followed(true);
        Self { root_watch, machine, commands, sources: zk.sources().clone(), lists: 0, publisher }
    }

    /// Ends when every handle is dropped, when one asks for it, when the link is closed, and with a panic.
    pub(crate) async fn run(mut self, config: DiscoveryConfig) {
        let span = info_span!("discovery", root = %config.root());
        async move {
            if AssertUnwindSafe(self.steps()).catch_unwind().await.is_err() {
                error!("discovery has panicked: the view is stale for good");
                self.publisher.ended("discovery has panicked; see the log");
            }
        }
        .instrument(span)
        .await;
    }

    async fn steps(&mut self) {
        while !self.do_effects() {
            self.step().await;
        }
    }

    /// Waits for something to happen, and shows the outcome.
    async fn step(&mut self) {
        tokio::select! {
            // A stop, whatever else there is; then updates: queued ones make one view with what is due.
            biased;
            () = self.commands.stop.notified() => self.input(Input::Stop),
            update = self.root_watch.next() => {
                self.input(Input::Update(update));
                for _ in 0..MAX_UPDATES {
                    let Some(update) = self.root_watch.try_next() else { break };
                    self.input(Input::Update(update));
                }
            }
            refused = self.commands.refused.recv() => {
                self.input(refused.map_or(Input::Stop, Input::Refused));
            }
            () = self.commands.release.notified() => self.input(Input::Release),
            () = until(self.machine.deadline()) => {}
        }
        self.machine.advance(Instant::now(), self.root_watch.max_batch());
        let lists = self.root_watch.lists();
        self.publisher.metrics.count(Count::Lists, lists - std::mem::replace(&mut self.lists, lists));
    }

    fn input(&mut self, input: Input) {
        trace!(?input, "input");
        let (from, on) = (self.machine.stage(), input.name());
        self.machine.handle(input, Instant::now());
        trace!(target: "arrow", machine = "watcher", from, on, to = self.machine.stage());
    }

    /// Returns whether this is the end.
    fn do_effects(&mut self) -> bool {
        while let Some(effect) = self.machine.poll_effect() {
            trace!(?effect, "effect");
            match effect {
                Effect::Read { ticket, names } => self.root_watch.read(ticket, names),
                Effect::Publish(Published(view)) => self.publisher.publish(view),
                Effect::Distrust => self.root_watch.distrust(),
                Effect::Count(what, by) => self.publisher.metrics.count(what, by),
                Effect::Confirm => self.publisher.metrics.confirm(self.sources.wall_clock()),
                Effect::End(reason) => {
                    self.publisher.ended(reason);
                    return true;
                }
            }
        }
        false
    }
}
