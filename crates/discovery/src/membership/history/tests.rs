use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Comes, or goes.
    Change(u16),
    Disregard(u16),
    Pass(u64),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u16..5).prop_map(Step::Change),
        1 => (1u16..5).prop_map(Step::Disregard),
        3 => (0u64..40).prop_map(Step::Pass),
        2 => Just(Step::Forget),
    ]
}

fn endpoint(port: u16) -> Endpoint {
    format!("127.0.0.1:{port}").parse().unwrap()
}

proptest! {
    /// The set of a moment ago is remembered, whatever has happened since.
    #[test]
    fn the_set_of_a_while_ago_is_known(steps in proptest::collection::vec(step(), 0..80)) {
        let window = Duration::from_millis(50);
        let (mut history, mut now) = (History::default(), Instant::now() + window);
        // Who is there, and who was there when the history begins, without those to be disregarded.
        let mut there = BTreeSet::from([1, 2]);
        let mut sets = VecDeque::from([(now, there.clone())]);
        let mut begin = now;
        for step in steps {
            match step {
                Step::Change(port) => {
                    let came = !there.remove(&port);
                    if came {
                        there.insert(port);
                    }
                    history.changed(&endpoint(port), came, now);
                    sets.push_back((now, there.clone()));
                }
                Step::Disregard(port) => {
                    there.remove(&port);
                    sets.iter_mut().for_each(|(_, set)| set.retain(|other| *other != port));
                    history.disregard(&endpoint(port));
                }
                Step::Pass(ms) => now += Duration::from_millis(ms),
                Step::Forget => {
                    begin = begin.max(now - window);
                    history.forget_before(begin);
                }
            }
            let before = sets.iter().rev().find(|(at, _)| *at < begin).map_or(&sets[0].1, |(_, set)| set);
            let fresh: Vec<_> = there.difference(before).map(|port| endpoint(*port)).collect();
            prop_assert_eq!(history.fresh().cloned().collect::<Vec<_>>(), fresh);
            prop_assert_eq!(history.gone(), before.difference(&there).count());
        }
        history.forget_before(now + window);
        prop_assert!(history.log.is_empty() && history.recent.is_empty());
    }
}
