//! How many endpoints of the set are what.

use super::member::Traits;

/// How much of the calls a zone keeps, as a multiple of its share of endpoints in service: with 72 % of them it keeps all.
const OVERPROVISIONING: f64 = 1.4;

/// How many endpoints of the set are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Out of service.
    pub(super) out: usize,
    /// Have the labels and take new calls.
    pub(super) open: usize,
    /// Of these, out of service.
    pub(super) open_out: usize,
    /// Without the labels.
    pub(super) mismatched: usize,
    /// In the zone, and take new calls.
    zone_open: usize,
    /// Of these, in service and not held.
    zone_in_service: usize,
}

impl Counts {
    pub(super) fn add(&mut self, traits: Traits, is_in_service: bool) {
        let one = Self::of(traits, is_in_service);
        self.out += one.out;
        self.open += one.open;
        self.open_out += one.open_out;
        self.mismatched += one.mismatched;
        self.zone_open += one.zone_open;
        self.zone_in_service += one.zone_in_service;
    }

    /// Takes off what was added for an endpoint: the traits and the health must be the same.
    pub(super) fn subtract(&mut self, traits: Traits, is_in_service: bool) {
        let one = Self::of(traits, is_in_service);
        self.out -= one.out;
        self.open -= one.open;
        self.open_out -= one.open_out;
        self.mismatched -= one.mismatched;
        self.zone_open -= one.zone_open;
        self.zone_in_service -= one.zone_in_service;
    }

    fn of(traits: Traits, is_in_service: bool) -> Self {
        let is_open = traits.matches && traits.is_open;
        let is_zone = traits.in_zone && is_open;
        Self {
            out: usize::from(!is_in_service),
            mismatched: usize::from(!traits.matches),
            open: usize::from(is_open),
            open_out: usize::from(is_open && !is_in_service),
            zone_open: usize::from(is_zone),
            zone_in_service: usize::from(is_zone && is_in_service && !traits.is_held),
        }
    }

    /// Which share of the calls the zone cannot serve.
    pub(super) fn spill(&self) -> f64 {
        if self.zone_open == 0 {
            return 0.0;
        }
        (1.0 - OVERPROVISIONING * self.zone_in_service as f64 / self.zone_open as f64).max(0.0)
    }
}
