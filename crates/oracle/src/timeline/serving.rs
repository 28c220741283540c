//! Who listened where, and how callers fared.

use super::moment::Moment;
use crate::history::Answers;

/// By endpoint.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    by_endpoint: Vec<Vec<(Moment, Option<usize>, Answers)>>,
}

impl Serving {
    pub(super) fn changed(&mut self, endpoint: usize, process: Option<usize>, answers: Answers, now: Moment) {
        self.close(endpoint + 1);
        self.by_endpoint[endpoint].push((now, process, answers));
    }

    pub(super) fn close(&mut self, names: usize) {
        if self.by_endpoint.len() < names {
            self.by_endpoint.resize_with(names, Vec::new);
        }
    }

    /// Whether an endpoint answered well all the time.
    pub(crate) fn answers_well(&self, endpoint: usize, from: Moment, to: Moment) -> bool {
        let changes = &self.by_endpoint[endpoint];
        let next = changes.partition_point(|(at, ..)| at.index <= from.index);
        let Some(last) = next.checked_sub(1) else { return false };
        let well = |(_, process, answers): &(Moment, Option<usize>, Answers)| {
            process.is_some() && *answers == Answers::Well
        };
        changes[last..].iter().take_while(|(at, ..)| at.index <= to.index).all(well)
    }
}
