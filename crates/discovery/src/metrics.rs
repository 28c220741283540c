//! Metrics of one root, through the facade of the crate `metrics`: docs/metrics.md has the table.
//!
//! The handles are made when discovery starts: a recorder that is installed later gets nothing from them.

use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use zk_core::ZnodePath;

use crate::view::View;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Events of children.
    Created,
    Deleted,
    Written,
    /// Events of the list, from watches that fire once.
    Children,
    /// Lists that were asked for.
    Lists,
    /// Records that were asked for.
    RecordReads,
    AuditMismatches,
    RemovalsHeld,
}

pub(crate) struct Metrics {
    instances: Gauge,
    held: Gauge,
    skipped: Gauge,
    unreadable: Gauge,
    live: Gauge,
    confirmed: Gauge,
    created: Counter,
    deleted: Counter,
    written: Counter,
    children: Counter,
    lists: Counter,
    record_reads: Counter,
    audit_mismatches: Counter,
    removals_held: Counter,
}

impl Metrics {
    pub(crate) fn new(root: &ZnodePath) -> Self {
        describe();
        let root = || root.to_string();
        let events =
            |kind: &'static str| counter!("discovery_events_total", "root" => root(), "kind" => kind);
        Self {
            instances: gauge!("discovery_instances", "root" => root()),
            held: gauge!("discovery_held", "root" => root()),
            skipped: gauge!("discovery_skipped", "root" => root()),
            unreadable: gauge!("discovery_unreadable", "root" => root()),
            live: gauge!("discovery_live", "root" => root()),
            confirmed: gauge!("discovery_confirmed_timestamp_seconds", "root" => root()),
            created: events("created"),
            deleted: events("deleted"),
            written: events("written"),
            children: events("children"),
            lists: counter!("discovery_lists_total", "root" => root()),
            record_reads: counter!("discovery_record_reads_total", "root" => root()),
            audit_mismatches: counter!("discovery_audit_mismatches_total", "root" => root()),
            removals_held: counter!("discovery_removals_held_total", "root" => root()),
        }
    }

    pub(crate) fn show(&self, view: &View) {
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        self.instances.set(count(view.snapshot.as_ref().map_or(0, |snapshot| snapshot.len())));
        self.held.set(count(view.held));
        self.skipped.set(count(view.skipped));
        self.unreadable.set(count(view.unreadable));
        self.live.set(if view.is_live() { 1.0 } else { 0.0 });
    }

    pub(crate) fn count(&self, what: Count, by: u64) {
        let counter = match what {
            Count::Created => &self.created,
            Count::Deleted => &self.deleted,
            Count::Written => &self.written,
            Count::Children => &self.children,
            Count::Lists => &self.lists,
            Count::RecordReads => &self.record_reads,
            Count::AuditMismatches => &self.audit_mismatches,
            Count::RemovalsHeld => &self.removals_held,
        };
        counter.increment(by);
    }

    /// The view is known to be correct at this moment.
    pub(crate) fn confirm(&self, now: SystemTime) {
        if let Ok(now) = now.duration_since(UNIX_EPOCH) {
            self.confirmed.set(now.as_secs_f64());
        }
    }
}

impl Drop for Metrics {
    /// Sets the gauges to zero, as there is no view any more.
    fn drop(&mut self) {
        for gauge in [&self.instances, &self.held, &self.skipped, &self.unreadable, &self.live] {
            gauge.set(0.0);
        }
    }
}

fn describe() {
    describe_gauge!("discovery_instances", "Instances shown.");
    describe_gauge!("discovery_held", "Instances shown that ZooKeeper does not list any more.");
    describe_gauge!("discovery_skipped", "Children of the root that are no instances.");
    describe_gauge!("discovery_unreadable", "Instances shown with defaults for want of a readable record.");
    describe_gauge!("discovery_live", "1 while the root is followed, 0 while the view is stale.");
    describe_gauge!("discovery_confirmed_timestamp_seconds", "When the view was last known to be true.");
    describe_counter!("discovery_events_total", "Events about children of the root.");
    describe_counter!("discovery_lists_total", "Lists of the root's children that were requested.");
    describe_counter!("discovery_record_reads_total", "Records that were asked for.");
    describe_counter!(
        "discovery_audit_mismatches_total",
        "Changes that an audit found and no event reported."
    );
    describe_counter!(
        "discovery_removals_held_total",
        "Removals that were held as part of a mass disappearance."
    );
}
