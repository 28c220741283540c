use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn snapshot(weights: &BTreeMap<u16, u32>) -> Snapshot {
    let instances = weights.iter().map(|(port, weight)| {
        let endpoint = format!("127.0.0.1:{port}").parse().unwrap();
        Arc::new(Instance::new(endpoint).with_weight(*weight))
    });
    Snapshot::new(1, instances.collect())
}

proptest! {
    #[test]
    fn applying_a_diff_gives_the_new_set(
        old in proptest::collection::btree_map(1u16..20, 0u32..3, 0..12),
        new in proptest::collection::btree_map(1u16..20, 0u32..3, 0..12),
    ) {
        let changes = diff(&snapshot(&old), &snapshot(&new));
        let mut applied = old.clone();
        for change in &changes {
            match change {
                Change::Added(i) => prop_assert!(applied.insert(i.endpoint().port(), i.weight()).is_none()),
                Change::Removed(i) => prop_assert!(applied.remove(&i.endpoint().port()).is_some()),
                Change::Updated { old, new } => {
                    prop_assert_eq!(applied.insert(new.endpoint().port(), new.weight()), Some(old.weight()));
                    prop_assert_ne!(old, new);
                }
                Change::Reset(_) => prop_assert!(false, "a diff has no reset"),
            }
        }
        prop_assert_eq!(applied, new);
    }
}
