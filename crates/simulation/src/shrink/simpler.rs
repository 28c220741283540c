//! A simpler configuration.

use super::Search;
use crate::plan::{Act, Plan, Spec};

/// What makes a plan simpler, the most telling first.
const SIMPLER: &[fn(&mut Spec)] = &[
    |spec| spec.ensemble = 1,
    |spec| spec.follower_lag_ms = 0,
    |spec| spec.reply_lag_ms = 0,
    |spec| spec.round_trip_ms = (1, 3),
    |spec| spec.round_trip_ms = (1, 1),
    |spec| spec.old = false,
    |spec| spec.refuses_recursive = false,
    |spec| spec.event_zxids = false,
    |spec| spec.clients.iter_mut().for_each(|client| client.strategy = 0),
    |spec| spec.clients.iter_mut().for_each(|client| client.records = false),
    |spec| spec.clients.iter_mut().for_each(|client| client.idempotent = true),
    |spec| spec.servers.iter_mut().for_each(|server| server.weight = 100),
    |spec| spec.servers.iter_mut().for_each(|server| server.vouches = false),
];

impl<C: PartialEq, F: FnMut(&Plan) -> Option<C>> Search<'_, C, F> {
    pub(super) fn simpler_spec(&mut self) {
        for simpler in SIMPLER {
            self.attempt_with(|plan| {
                simpler(&mut plan.spec);
                let ensemble = plan.spec.ensemble;
                for step in &mut plan.steps {
                    if let Act::ServerDown(n, _) | Act::Behind(n, ..) = &mut step.act {
                        *n = (*n).min(ensemble - 1);
                    }
                }
            });
        }
    }
}
