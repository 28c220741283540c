//! Follows the root by watches that fire once, for servers before ZooKeeper 3.6 and those that refuse recursive
//! watches: one on the list of children, and one on every record that was read. When the watch on the list has fired,
//! one request reads the list and watches it again.
//!
//! ```text
//!  sync, watched list ─▶ Reading(Gap) ── Listed, Live ─▶ Current ── fired ─▶ Changed ── not too often ─▶ Reading(Changed)
//!                                                         ▲   │                                              │
//!                                                         │   └─ audit: another version ─▶ Reading(Audit) ───┤
//!                                                         └───────────────────── Listed ─────────────────────┘
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;
use zk_core::{Error, ErrorKind, ListVersion, Stat};

use crate::common::{Common, End};
use crate::io::{Children, Effect, Record};
use crate::update::{ListReason, Update, Watched};

/// The least time between two lists: thousands of changes a second cost at most a hundred lists, each of which
/// shows all changes before it.
const LIST_INTERVAL: Duration = Duration::from_millis(10);

/// A batch is small because each record is a request of its own, and the connection has other users.
pub(crate) const MAX_BATCH: usize = 32;

#[derive(Debug)]
pub(crate) struct OneShots {
    list: List,
    /// The version of the last list.
    version: ListVersion,
    /// When the next list may be read.
    not_before: Instant,
    audit: Audit,
    /// The names of the records that have a watch.
    watched: BTreeSet<String>,
    /// The names that were deleted since the last list: if the next list has them, they were created again.
    deleted: BTreeSet<String>,
}

/// How current the last list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// It is, and a watch fires when it changes.
    Current,
    /// It has changed.
    Changed,
    /// The new one is being read.
    Reading(ListReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audit {
    /// It is due then.
    At(Instant),
    /// The stat is on its way.
    Looking,
    /// Its list is being read.
    Listing,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Changed => "changed",
            Self::Reading(ListReason::Gap) => "reading_gap",
            Self::Reading(ListReason::Changed) => "reading_changed",
            Self::Reading(ListReason::Audit) => "reading_audit",
        }
    }
}

impl Audit {
    fn name(self) -> &'static str {
        match self {
            Self::At(_) => "waiting",
            Self::Looking => "looking",
            Self::Listing => "listing",
        }
    }
}

impl OneShots {
    pub(crate) fn start(common: &mut Common, now: Instant) -> Self {
        common.ask(Effect::WatchedList { sync: true });
        // What is told by lists is not counted.
        common.count.reset();
        Self {
            list: List::Reading(ListReason::Gap),
            version: ListVersion::Absent,
            not_before: now,
            audit: Audit::At(now),
            watched: BTreeSet::new(),
            deleted: BTreeSet::new(),
        }
    }

    /// The names of how current the list is, and of where the audit stands.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        (self.list.name(), self.audit.name())
    }

    /// Whether the root is followed.
    pub(crate) fn is_live(&self) -> bool {
        self.list != List::Reading(ListReason::Gap)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match (self.list, self.audit) {
            (List::Changed, _) => Some(self.not_before),
            (List::Current, Audit::At(at)) => Some(at),
            _ => None,
        }
    }

    /// The [deadline](Self::deadline) may have come.
    pub(crate) fn due(&mut self, common: &mut Common, now: Instant) {
        match (self.list, self.audit) {
            (List::Changed, _) if self.not_before <= now => self.read_list(ListReason::Changed, common),
            (List::Current, Audit::At(at)) if at <= now => {
                self.audit = Audit::Looking;
                common.ask_audit();
            }
            _ => {}
        }
    }

    fn read_list(&mut self, reason: ListReason, common: &mut Common) {
        self.list = List::Reading(reason);
        common.ask(Effect::WatchedList { sync: false });
    }

    pub(crate) fn list_fired(&mut self) {
        self.list = match self.list {
            List::Current | List::Changed => List::Changed,
            // Of the watch before: the list of an audit will show a change that was reported.
            List::Reading(ListReason::Audit) => List::Reading(ListReason::Changed),
            List::Reading(reason) => List::Reading(reason),
        };
    }

    pub(crate) fn record_fired(&mut self, name: String, deleted: bool, common: &mut Common) {
        self.watched.remove(&name);
        if deleted {
            self.deleted.insert(name);
            // The watch on the list fires as well, before this one or after it.
            self.list_fired();
        } else {
            common.report(Update::Written(name));
        }
    }

    pub(crate) fn listed(
        &mut self,
        listed: Result<Children, Error>,
        common: &mut Common,
        now: Instant,
    ) -> Result<(), End> {
        let List::Reading(reason) = self.list else { return Ok(()) };
        let children = match listed {
            Ok(children) => children,
            Err(error) if reason == ListReason::Audit && *error.kind() != ErrorKind::Denied => {
                // The watch before is still set.
                debug!(%error, "audit failed");
                self.list = List::Current;
                self.audit = Audit::At(common.next_audit(now));
                return Ok(());
            }
            Err(error) => return Err(End::Failed(error)),
        };
        (self.list, self.not_before) = (List::Current, now + LIST_INTERVAL);
        self.version = ListVersion::of(children.as_ref().map(|(_, stat)| stat));
        let names = children.map(|(names, _)| names).unwrap_or_default();
        if !(self.deleted.is_empty() && self.watched.is_empty()) {
            let listed: BTreeSet<&String> = names.iter().collect();
            self.watched.retain(|name| listed.contains(name));
            self.deleted.retain(|name| listed.contains(name));
        }
        common.listed(names, std::mem::take(&mut self.deleted), reason);
        if reason == ListReason::Gap {
            self.audit = Audit::At(common.next_audit(now));
            common.live(Watched::OneShot, false);
        }
        if self.audit == Audit::Listing {
            self.audited(common, now);
        }
        Ok(())
    }

    /// The reply to the stat of an audit.
    pub(crate) fn stat(
        &mut self,
        stat: Result<Option<Stat>, Error>,
        common: &mut Common,
        now: Instant,
    ) -> Result<(), End> {
        if self.audit != Audit::Looking {
            return Ok(());
        }
        match stat {
            Ok(stat) if self.list == List::Current && self.version != ListVersion::of(stat.as_ref()) => {
                self.audit = Audit::Listing;
                self.read_list(ListReason::Audit, common);
            }
            // A change that is known is no mismatch.
            Ok(_) => self.audited(common, now),
            // A server may send no events to a session that may not read the root.
            Err(error) if *error.kind() == ErrorKind::Denied => return Err(End::Failed(error)),
            Err(error) => {
                debug!(%error, "audit failed");
                self.audit = Audit::At(common.next_audit(now));
            }
        }
        Ok(())
    }

    fn audited(&mut self, common: &mut Common, now: Instant) {
        common.report(Update::Audited);
        self.audit = Audit::At(common.next_audit(now));
    }

    /// Reads records, with a watch on each that has none.
    pub(crate) fn wanted(&self, ticket: u64, names: Vec<String>, common: &mut Common) {
        let names = names.into_iter().map(|name| {
            let watched = self.watched.contains(&name);
            (name, watched)
        });
        common.ask(Effect::WatchedRead { ticket, names: names.collect() });
    }

    pub(crate) fn read(&mut self, ticket: u64, records: Vec<Record>, common: &mut Common) {
        for Record { name, reading, watched } in &records {
            if *watched {
                self.watched.insert(name.clone());
            } else if matches!(reading, Some(Err(ErrorKind::NoNode))) {
                // No watch will tell that it was deleted.
                self.deleted.insert(name.clone());
            }
        }
        let records = records.into_iter().map(|record| (record.name, record.reading)).collect();
        common.report(Update::Records { ticket, records });
    }
}
