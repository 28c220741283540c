//! Counts registrations by status, for metrics and for the log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use metrics::{SharedString, counter, describe_counter, describe_gauge, gauge};

use crate::status::{RegistrationStatus, Trouble, TroubleKind};

const STATUSES: [&str; 4] = ["pending", "registered", "unconfirmed", "conflict"];

/// The metrics of one registrar.
#[derive(Debug)]
pub(crate) struct Metrics {
    root: Arc<str>,
    counts: [AtomicI64; 4],
    /// The pending registrations with [`TroubleKind::CutOff`].
    cut_off: AtomicI64,
}

impl Metrics {
    pub(crate) fn new(root: &str) -> Self {
        describe_gauge!("registry_registrations", "Registrations by root and status.");
        describe_counter!("registry_created_total", "Znodes created.");
        describe_counter!("registry_taken_over_total", "Stale znodes of our own replaced.");
        describe_counter!("registry_conflicts_total", "Names found to belong to another owner.");
        describe_counter!("registry_lost_total", "Registered znodes found gone within their session.");
        describe_counter!("registry_failures_total", "Steps that failed, by kind.");
        Self { root: root.into(), counts: Default::default(), cut_off: AtomicI64::new(0) }
    }

    /// A registration begins with this status.
    pub(crate) fn begin(&self, status: &RegistrationStatus) {
        self.count(status, 1);
    }

    /// A registration changes its status.
    pub(crate) fn status_changed(&self, from: &RegistrationStatus, to: &RegistrationStatus) {
        self.count(from, -1);
        self.count(to, 1);
        if matches!(to, RegistrationStatus::Conflict(_)) && !matches!(from, RegistrationStatus::Conflict(_)) {
            counter!("registry_conflicts_total", "root" => self.root()).increment(1);
        }
    }

    pub(crate) fn created(&self) {
        counter!("registry_created_total", "root" => self.root()).increment(1);
    }

    pub(crate) fn taken_over(&self) {
        counter!("registry_taken_over_total", "root" => self.root()).increment(1);
    }

    pub(crate) fn lost(&self) {
        counter!("registry_lost_total", "root" => self.root()).increment(1);
    }

    pub(crate) fn failed(&self, trouble: &Trouble) {
        counter!("registry_failures_total", "root" => self.root(), "kind" => trouble.kind().name())
            .increment(1);
    }

    /// How many registrations are pending.
    pub(crate) fn pending(&self) -> u32 {
        u32::try_from(self.counts[0].load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// How many registrations have [`TroubleKind::CutOff`].
    pub(crate) fn cut_off(&self) -> u32 {
        u32::try_from(self.cut_off.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn count(&self, status: &RegistrationStatus, by: i64) {
        if matches!(status, RegistrationStatus::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::CutOff)
        {
            self.cut_off.fetch_add(by, Ordering::Relaxed);
        }
        let at = match status {
            RegistrationStatus::Pending { .. } => 0,
            RegistrationStatus::Registered { .. } => 1,
            RegistrationStatus::Unconfirmed => 2,
            RegistrationStatus::Conflict(_) => 3,
            RegistrationStatus::Deregistered | RegistrationStatus::Abandoned => return,
        };
        self.counts[at].fetch_add(by, Ordering::Relaxed);
        // Incremented rather than set, so that the gauge of a root sums up its registrars.
        gauge!("registry_registrations", "root" => self.root(), "status" => STATUSES[at])
            .increment(by as f64);
    }

    fn root(&self) -> SharedString {
        SharedString::from_shared(self.root.clone())
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pending, registered, unconfirmed, conflict] =
            std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed));
        write!(
            f,
            "{registered} registered, {pending} pending, {unconfirmed} unconfirmed, {conflict} in conflict"
        )
    }
}
