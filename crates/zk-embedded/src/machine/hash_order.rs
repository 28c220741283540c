/// Sorts paths into the order in which a `HashSet` of Java, copied from another, gives them.
///
/// When a session ends, Apache ZooKeeper deletes its ephemeral znodes in this order, and watchers see their events in it.
/// `paths` come in the order in which they were added. Two things are left out, as they need very many paths: buckets that
/// have become trees, and sets that were once larger.
pub(super) fn sort(paths: &mut [String]) {
    let (original, copy) = (grown_capacity(paths.len()), copied_capacity(paths.len()));
    paths.sort_by_cached_key(|path| {
        let hash = spread(hash_code(path));
        (hash & (copy - 1), hash & (original - 1))
    });
}

/// How large a table is to which as many elements were added one by one: a power of two, filled up to three quarters.
fn grown_capacity(elements: usize) -> u32 {
    let mut capacity = 16;
    while elements > capacity as usize / 4 * 3 {
        capacity *= 2;
    }
    capacity
}

/// How large a table is that was made for as many elements: the next power of two above four thirds of them.
fn copied_capacity(elements: usize) -> u32 {
    let wanted = (elements as f32 / 0.75 + 1.0) as u32;
    wanted.next_power_of_two()
}

/// `String.hashCode`, over the units of UTF-16.
fn hash_code(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

/// What `HashMap` makes of a hash before it takes the lower bits.
fn spread(hash: u32) -> u32 {
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // `"hello".hashCode()` is in many a textbook.
        assert_eq!(hash_code("hello"), 99162322);
        assert_eq!(hash_code(""), 0);
    }

    #[test]
    fn the_order_is_that_of_apache_zookeeper() {
        // Seen on Apache ZooKeeper 3.8.0, as the events of sessions that were closed.
        let mut paths = ["a", "bb", "ccc", "d", "ee", "fff", "g"].map(|name| format!("/e7-{name}"));
        sort(&mut paths);
        assert_eq!(paths, ["a", "bb", "ee", "fff", "ccc", "d", "g"].map(|name| format!("/e7-{name}")));
        let mut paths = ["a", "bb", "ccc"].map(|name| format!("/e3-{name}"));
        sort(&mut paths);
        assert_eq!(paths, ["ccc", "bb", "a"].map(|name| format!("/e3-{name}")));
    }

    #[test]
    fn tables_grow_at_three_quarters() {
        assert_eq!([0, 12, 13, 24, 25].map(grown_capacity), [16, 16, 32, 32, 64]);
        assert_eq!([0, 1, 2, 3, 6, 7].map(copied_capacity), [1, 2, 4, 8, 16, 16]);
    }
}
