//! What the verdict on a service makes of its registrations: a machine.

use tracing::trace;

use crate::health::{ServiceHealth, WhenSick};

/// What the instances of a service are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not registered.
    #[default]
    Absent,
    /// Registered, and their records say that they are draining.
    Draining,
    /// Registered.
    Listed,
}

impl Mode {
    /// The mode after a verdict. Whoever was not healthy yet is not registered at all.
    pub(super) fn after(self, health: &ServiceHealth, when_sick: WhenSick) -> Self {
        let (on, after) = match (health, when_sick) {
            (ServiceHealth::Healthy, _) => ("healthy", Self::Listed),
            (ServiceHealth::Sick(_), WhenSick::Drain) if self != Self::Absent => ("sick", Self::Draining),
            (ServiceHealth::Sick(_), _) => ("sick", Self::Absent),
            (ServiceHealth::Unknown, _) => ("unknown", Self::Absent),
        };
        trace!(target: "arrow", machine = "mode", from = self.name(), on, to = after.name());
        after
    }

    /// Its name, for those who follow the arrows of services.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Draining => "draining",
            Self::Listed => "listed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sick_service_drains_or_leaves_and_one_that_was_never_healthy_is_not_registered() {
        let sick = ServiceHealth::Sick("of it".into());
        let after = |verdicts: &[&ServiceHealth], when_sick| {
            verdicts.iter().fold(Mode::default(), |mode, health| mode.after(health, when_sick))
        };
        for when_sick in [WhenSick::Drain, WhenSick::Leave] {
            assert_eq!(after(&[&ServiceHealth::Unknown], when_sick), Mode::Absent);
            assert_eq!(after(&[&sick], when_sick), Mode::Absent);
            assert_eq!(after(&[&sick, &ServiceHealth::Healthy], when_sick), Mode::Listed);
        }
        let healthy = &ServiceHealth::Healthy;
        assert_eq!(after(&[healthy, &sick, &sick], WhenSick::Drain), Mode::Draining);
        assert_eq!(after(&[healthy, &sick, healthy], WhenSick::Drain), Mode::Listed);
        assert_eq!(after(&[healthy, &sick], WhenSick::Leave), Mode::Absent);
    }
}
