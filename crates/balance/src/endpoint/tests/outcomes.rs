use std::collections::VecDeque;

use proptest::prelude::*;

use crate::endpoint::outcomes::{Bits, History, Outcomes, WINDOW};

/// What may be done with outcomes; a report is late if it is of the generation before.
#[derive(Clone, Copy, Debug)]
enum Step {
    Succeed { late: bool },
    Fail { late: bool },
    Close { late: bool },
    NextGeneration,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late = || prop::bool::weighted(0.2);
    let step = prop_oneof![
        6 => late().prop_map(|late| Step::Succeed { late }),
        6 => late().prop_map(|late| Step::Fail { late }),
        1 => late().prop_map(|late| Step::Close { late }),
        1 => Just(Step::NextGeneration),
    ];
    prop::collection::vec(step, 0..200)
}

/// Outcomes as one would write them down.
struct Model {
    generation: u16,
    /// The newest is the last; `true` is a failure.
    outcomes: VecDeque<bool>,
}

impl Model {
    fn new(generation: u16) -> Self {
        Self { generation, outcomes: vec![false; WINDOW as usize].into() }
    }

    fn record(&mut self, failure: bool) {
        self.outcomes.push_back(failure);
        self.outcomes.pop_front();
    }

    fn history(&self) -> History {
        let consecutive = self.outcomes.iter().rev().take_while(|failure| **failure).count() as u32;
        let failures = self.outcomes.iter().filter(|failure| **failure).count();
        History { consecutive, share: failures as f32 / self.outcomes.len() as f32 }
    }
}

proptest! {
    #[test]
    fn outcomes_do_what_a_list_of_them_does(steps in steps()) {
        let outcomes = Outcomes::default();
        let mut model = Model::new(0);
        for step in steps {
            let of = |late: bool| if late { model.generation.wrapping_sub(1) } else { model.generation };
            match step {
                Step::Succeed { late } => {
                    outcomes.record_success(of(late));
                    if !late {
                        model.record(false);
                    }
                }
                Step::Fail { late } => {
                    let history = outcomes.record_failure(of(late));
                    if !late {
                        model.record(true);
                    }
                    prop_assert_eq!(history, (!late).then(|| model.history()));
                }
                Step::Close { late } => {
                    prop_assert_eq!(outcomes.close(of(late)), !late);
                    if !late {
                        model = Model::new(model.generation.wrapping_add(1));
                    }
                }
                Step::NextGeneration => {
                    outcomes.next_generation();
                    model = Model::new(model.generation.wrapping_add(1));
                }
            }
            prop_assert_eq!(outcomes.generation(), model.generation);
            prop_assert_eq!(outcomes.history(), model.history());
        }
    }

    #[test]
    fn packing_loses_nothing(generation: u16, window: u32) {
        let bits = Bits { generation, window };
        prop_assert_eq!(Bits::unpack(bits.pack()), bits);
    }
}

#[test]
fn generations_wrap_and_leave_the_outcomes_alone() {
    let last = Bits { generation: u16::MAX, window: u32::MAX };
    assert_eq!(Bits::unpack(last.next().pack()), Bits { generation: 0, window: 0 });
    assert_eq!(last.failed(u16::MAX), Some(last), "the oldest failure does not reach the generation");
}

#[test]
fn a_success_that_changes_nothing_is_not_written() {
    let fresh = Bits { generation: 3, window: 0 };
    assert_eq!(fresh.succeeded(3), None);
    let failed = Bits { generation: 3, window: 1 };
    assert_eq!(failed.succeeded(2), None, "it is late");
    assert_eq!(failed.succeeded(3), Some(Bits { generation: 3, window: 2 }));
}

#[test]
fn of_a_hundred_failures_under_way_at_one_time_one_ejects() {
    let outcomes = Outcomes::default();
    let generation = outcomes.generation();
    let ejections =
        (0..100).filter(|_| outcomes.record_failure(generation).is_some() && outcomes.close(generation));
    assert_eq!(ejections.count(), 1);
    assert_eq!(outcomes.history(), History { consecutive: 0, share: 0.0 });
}
