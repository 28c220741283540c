//! Follows the root by a recursive watch: every change is an event, in order.

use std::collections::VecDeque;

use tokio::time::Instant;
use zk_core::{Error, Event, EventKind, Stat};

use crate::common::{Common, End};
use crate::io::{Children, Record};
use crate::looks::Looks;
use crate::told::Told;
use crate::update::{Listing, Update};

/// How many updates are held back at most while a list is read: as many as the queue of events takes, too.
const HELD: usize = 16_384;

#[derive(Debug)]
pub(crate) struct Recursive {
    looks: Looks,
    told: Told,
    /// The updates of events that came while a list was read, which may be older or newer than it: they follow it.
    held: VecDeque<Update>,
    /// Changes were reported before the first look.
    unconfirmed: bool,
}

impl Recursive {
    pub(crate) fn start(common: &mut Common, now: Instant) -> Self {
        let looks = Looks::start(common, now);
        Self { looks, told: Told::default(), held: VecDeque::new(), unconfirmed: false }
    }

    /// The name of its stage.
    pub(crate) fn name(&self) -> &'static str {
        self.looks.name()
    }

    pub(crate) fn is_live(&self) -> bool {
        self.looks.is_live()
    }

    /// Whether events are to be passed as they come, and not only before a reply: those behind a list that is on its
    /// way stay in the queue of the watch, which has a bound.
    pub(crate) fn takes_events(&self) -> bool {
        !self.looks.is_listing()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.looks.deadline()
    }

    pub(crate) fn due(&mut self, common: &mut Common, now: Instant) {
        self.looks.due(common, now);
    }

    pub(crate) fn event(&mut self, event: &Event, common: &mut Common, now: Instant) -> Result<(), End> {
        let told = self.told.next(event);
        if event.path == common.config.root {
            match event.kind {
                EventKind::Created => {
                    // The end of the root before was not reported, nor that of its children: the count of the next life
                    // tells of no such child.
                    common.owed |= !common.count.is_absent();
                    common.count.root_created(event.zxid);
                }
                EventKind::Deleted => common.count.root_deleted(),
                EventKind::DataChanged | EventKind::ChildrenChanged => return Ok(()),
            }
            self.unconfirmed |= !self.looks.is_live();
            self.looks.root_changed(common, now);
            if event.kind == EventKind::Created {
                return Ok(());
            }
            // No count of the next root tells of a child that went without an event.
            return self.report(Update::Listed(Listing::without_root()), common);
        }
        // Events of grandchildren are ignored.
        let Some(name) = common.config.root.child_name(&event.path).map(str::to_owned) else { return Ok(()) };
        let update = match event.kind {
            EventKind::Created => Update::Created(name),
            EventKind::Deleted => Update::Deleted { name, told },
            EventKind::DataChanged => Update::Written(name),
            EventKind::ChildrenChanged => return Ok(()),
        };
        if event.kind != EventKind::DataChanged {
            // No root has it: the event is an old one, or the creation of the root was missed.
            common.owed |= common.count.is_absent();
            common.count.child_changed(event.zxid);
            self.unconfirmed |= !self.looks.is_live();
        }
        self.report(update, common)
    }

    pub(crate) fn read(&mut self, ticket: u64, records: Vec<Record>, common: &mut Common) -> Result<(), End> {
        let records = records.into_iter().map(|record| (record.name, record.reading)).collect();
        self.report(Update::Records { ticket, records }, common)
    }

    fn report(&mut self, update: Update, common: &mut Common) -> Result<(), End> {
        if !self.looks.is_listing() {
            common.report(update);
        } else if self.held.len() < HELD {
            self.held.push_back(update);
        } else {
            // It was counted, and is not reported.
            common.owed = true;
            return Err(End::Lost);
        }
        Ok(())
    }

    pub(crate) fn watch_set(
        &mut self,
        watch: Result<(), Error>,
        sync: Result<(), Error>,
        stat: Result<Option<Stat>, Error>,
        common: &mut Common,
        now: Instant,
    ) -> Result<(), End> {
        watch.map_err(|error| if error.kind().is_refusal() { End::Refused } else { End::Failed(error) })?;
        sync.map_err(End::Failed)?;
        self.stat(stat, common, now)
    }

    pub(crate) fn stat(
        &mut self,
        stat: Result<Option<Stat>, Error>,
        common: &mut Common,
        now: Instant,
    ) -> Result<(), End> {
        match stat {
            Ok(stat) => self.looks.stat(stat.as_ref(), common, now),
            Err(error) => self.looks.failed(error, common, now)?,
        }
        Ok(())
    }

    pub(crate) fn listed(
        &mut self,
        listed: Result<Children, Error>,
        common: &mut Common,
        now: Instant,
    ) -> Result<(), End> {
        match listed {
            Ok(children) => {
                self.looks.listed(children, common);
                self.release(common);
                self.looks.conclude(common, now);
            }
            Err(error) => {
                self.release(common);
                self.looks.failed(error, common, now)?;
            }
        }
        Ok(())
    }

    /// Follows no more. A server that is behind (D7) reports once more what was reported by another one, until its sync is done:
    /// if the first look did not come, such events count twice, and hide as many that were missed.
    pub(crate) fn end(&mut self, common: &mut Common) {
        self.release(common);
        common.owed |= self.unconfirmed && !self.looks.is_live();
    }

    /// Gives out the updates that are held back. They have been counted, and so must be reported, whatever comes next.
    fn release(&mut self, common: &mut Common) {
        self.held.drain(..).for_each(|update| common.report(update));
    }
}
