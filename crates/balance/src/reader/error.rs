//! Why there is nothing to pick.

use thiserror::Error;

use crate::table::Table;

/// Why there is nothing to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PickError {
    /// The set of endpoints is not known yet.
    #[error("the endpoints are not known yet")]
    NotSynced,
    /// The set of endpoints is known, and empty.
    #[error("there are no endpoints")]
    NoInstances,
    /// No endpoint has the labels that the configuration asks for.
    #[error("no endpoint has the labels that are asked for")]
    NoMatch,
    /// Every endpoint is draining or has the weight 0.
    #[error("all endpoints are draining or have the weight 0")]
    AllClosed,
    /// The caller excludes all endpoints.
    #[error("all endpoints are excluded")]
    AllExcluded,
    /// Every endpoint has as many calls in flight as it may have.
    #[error("all endpoints are at their limit of calls in flight")]
    Saturated,
}

impl PickError {
    /// Its name, for those who follow the arrows of calls.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotSynced => "not_synced",
            Self::NoInstances => "no_instances",
            Self::NoMatch => "no_match",
            Self::AllClosed => "all_closed",
            Self::AllExcluded => "all_excluded",
            Self::Saturated => "saturated",
        }
    }

    pub(super) fn of_empty<K, V>(table: &Table<K, V>) -> Self {
        let facts = table.facts;
        match facts {
            _ if !facts.is_synced => Self::NotSynced,
            _ if facts.listed == 0 => Self::NoInstances,
            _ if facts.listed == facts.mismatched => Self::NoMatch,
            _ => Self::AllClosed,
        }
    }
}
