//! A user of a root watch that keeps the set of names, and somebody who changes them, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod bad_day;

use std::collections::BTreeSet;
use std::time::Duration;

use root_watch::{ListReason, Lists, Live, RootWatch, RootWatchConfig, Update, Watched};
use tokio::time::{Instant, timeout_at};
use zk_core::{Zk, ZnodePath};
use zk_simulated::{Operator, SimulatedEnsemble, Verb};

pub(crate) const ROOT: &str = "/root";
pub(crate) const AUDIT: Duration = Duration::from_secs(30);

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn root() -> ZnodePath {
    ZnodePath::parse(ROOT).unwrap()
}

pub(crate) fn config(lists: Lists) -> RootWatchConfig {
    RootWatchConfig::new(root(), lists).with_audit_interval(AUDIT)
}

/// How often the children were listed, in either way.
pub(crate) fn lists(ensemble: &SimulatedEnsemble) -> usize {
    ensemble.requests(Verb::Children).len() + ensemble.requests(Verb::WatchChildren).len()
}

pub(crate) fn names(operator: &Operator) -> BTreeSet<String> {
    operator.children(ROOT).into_iter().collect()
}

pub(crate) struct User {
    pub(crate) watch: RootWatch,
    /// The names, as far as updates tell.
    pub(crate) names: BTreeSet<String>,
    pub(crate) live: Option<Live>,
    /// The updates, shortened.
    pub(crate) log: Vec<String>,
    /// How many audits there were.
    pub(crate) audits: usize,
    /// A list of an audit has shown a name, or the lack of one, that no update has told.
    suspects: BTreeSet<String>,
}

impl User {
    pub(crate) fn new(zk: &Zk, config: RootWatchConfig) -> Self {
        let mut watch = RootWatch::new(zk, config);
        watch.set_followed(true);
        let (names, suspects) = (BTreeSet::new(), BTreeSet::new());
        Self { watch, names, live: None, log: Vec::new(), audits: 0, suspects }
    }

    /// One that follows the root.
    pub(crate) async fn live(zk: &Zk, config: RootWatchConfig) -> Self {
        let mut user = Self::new(zk, config);
        user.run_until(|user| user.live.is_some()).await;
        user
    }

    /// Takes updates for this long.
    pub(crate) async fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(update) = timeout_at(end, self.watch.next()).await {
            self.take(update);
        }
    }

    /// Takes updates until they have led to something, for an hour at most.
    pub(crate) async fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(3600);
        while !done(self) {
            let update = timeout_at(end, self.watch.next()).await;
            self.take(update.unwrap_or_else(|_| panic!("not done: {:?}", self.log)));
        }
    }

    pub(crate) async fn run_until_audits(&mut self, audits: usize) {
        self.run_until(|user| user.audits >= audits).await;
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.whole)
    }

    pub(crate) fn watched(&self) -> Option<Watched> {
        self.live.as_ref().map(|live| live.watched)
    }

    /// The log since the last call.
    pub(crate) fn news(&mut self) -> String {
        std::mem::take(&mut self.log).join(", ")
    }

    fn take(&mut self, update: Update) {
        self.log.push(short(&update));
        match update {
            Update::Created(name) => {
                self.suspects.remove(&name);
                self.names.insert(name);
            }
            Update::Deleted { name, .. } => {
                self.suspects.remove(&name);
                self.names.remove(&name);
            }
            Update::Listed(listing) => {
                let listed = listing.names.into_iter().collect();
                if listing.reason == ListReason::Audit {
                    self.suspects = self.names.symmetric_difference(&listed).cloned().collect();
                }
                self.names = listed;
            }
            Update::Audited => {
                self.audits += 1;
                if !std::mem::take(&mut self.suspects).is_empty() {
                    self.watch.distrust();
                }
            }
            Update::Live(live) => self.live = Some(live),
            Update::Down | Update::Closed | Update::Lost | Update::Trouble(_) => {
                self.live = None;
                self.suspects.clear();
            }
            Update::Written(_) | Update::Records { .. } => {}
        }
    }
}

fn short(update: &Update) -> String {
    match update {
        Update::Down => "down".into(),
        Update::Closed => "closed".into(),
        Update::Trouble(error) => format!("trouble: {}", error.kind()),
        Update::Lost => "lost".into(),
        Update::Live(Live { watched, whole, .. }) => {
            format!("live {watched:?}{}", if *whole { " whole" } else { "" })
        }
        Update::Created(name) => format!("+{name}"),
        Update::Written(name) => format!("~{name}"),
        Update::Deleted { name, told } => format!("-{name}{}", if *told { " told" } else { "" }),
        Update::Listed(listing) => {
            let mut names = listing.names.clone();
            names.sort();
            let new_session = if listing.new_session { " new session" } else { "" };
            format!("listed {:?} [{}]{new_session}", listing.reason, names.join(" "))
        }
        Update::Audited => "audited".into(),
        Update::Records { ticket, records } => {
            let records = records.iter().map(|(name, reading)| match reading {
                Some(Ok((data, _))) => format!("{name}={}", String::from_utf8_lossy(data)),
                Some(Err(kind)) => format!("{name}: {kind}"),
                None => format!("{name}: no reply"),
            });
            format!("records {ticket} [{}]", records.collect::<Vec<_>>().join(" "))
        }
    }
}
