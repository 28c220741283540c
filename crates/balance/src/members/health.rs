//! In service, ejected, on probation.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::trials::Out;
use crate::endpoint::State;

/// The health of an endpoint, from the calls before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The endpoint is picked.
    InService,
    /// The endpoint failed, and is not picked as long as another one can be.
    Ejected {
        /// For how much longer.
        remaining: Duration,
    },
    /// The ejection is over: a trial decides.
    OnProbation {
        /// Whether a trial is under way.
        trial: bool,
    },
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InService => f.write_str("in service"),
            Self::Ejected { remaining } => write!(f, "ejected for another {remaining:.1?}"),
            Self::OnProbation { trial: false } => f.write_str("on probation"),
            Self::OnProbation { trial: true } => f.write_str("on probation, a trial is under way"),
        }
    }
}

/// The name of what an endpoint is that is neither in the set nor remembered.
pub(super) const UNKNOWN: &str = "unknown";

/// What belongs to the key of an endpoint, whatever its value.
pub(super) struct Identity {
    pub(super) state: Arc<State>,
    pub(super) incarnation: Option<u128>,
    /// `None` in service.
    pub(super) out: Option<Out>,
    /// How many ejections in a row.
    pub(super) ejections: u32,
    /// How long the last one was to last.
    pub(super) ejected_for_ms: u64,
    /// When it has been in service for twice as long: an ejection after that is the first in a row.
    pub(super) redeemed_ms: u64,
}

impl Identity {
    pub(super) fn new(incarnation: Option<u128>) -> Self {
        Self {
            state: Arc::default(),
            incarnation,
            out: None,
            ejections: 0,
            ejected_for_ms: 0,
            redeemed_ms: 0,
        }
    }

    /// Whether a process of this incarnation is the same, as far as both are known.
    pub(super) fn is_same(&self, incarnation: Option<u128>) -> bool {
        match (self.incarnation, incarnation) {
            (Some(known), Some(now)) => known == now,
            _ => true,
        }
    }

    /// Replaces the ejection, which must not be queued for a trial.
    pub(super) fn set_out(&mut self, out: Option<Out>) {
        self.state.until_ms.store(out.as_ref().map_or(0, |out| out.until_ms), Ordering::Relaxed);
        self.out = out;
    }

    /// The name of the health.
    pub(super) fn name(&self, now_ms: u64) -> &'static str {
        match &self.out {
            None => "in_service",
            Some(out) if out.until_ms > now_ms && out.is_refused => "refused",
            Some(out) if out.until_ms > now_ms => "ejected",
            Some(out) if out.is_tried(now_ms) => "on_trial",
            Some(_) => "on_probation",
        }
    }

    /// The health, and the number of ejections in a row.
    pub(super) fn health(&self, now_ms: u64) -> (Health, u32) {
        match &self.out {
            None => (Health::InService, 0),
            Some(out) if out.until_ms > now_ms => {
                let remaining = Duration::from_millis(out.until_ms - now_ms);
                (Health::Ejected { remaining }, self.ejections)
            }
            Some(out) => (Health::OnProbation { trial: out.is_tried(now_ms) }, self.ejections),
        }
    }
}
