//! The hash by which processes agree on the owner of a key.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// Hashes a key to the same number in every process: SipHash 1-3 with a fixed key.
///
/// Processes agree if they hash equal bytes: the same type of key, and machines of the same byte order for numbers.
/// Strings and byte strings are the same everywhere.
#[must_use]
pub fn stable_hash<T: Hash + ?Sized>(key: &T) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x6261_6c61_6e63_6500, 1);
    key.hash(&mut hasher);
    hasher.finish()
}

/// Mixes two hashes into one whose bits depend on all bits of both (the finaliser of SplitMix64, Steele, Lea, Flood 2014).
#[must_use]
#[inline]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut z = (a ^ b.rotate_left(32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_for_ever() {
        // Other processes, of older versions, have the same numbers.
        assert_eq!(stable_hash("10.0.0.1:80"), stable_hash(&String::from("10.0.0.1:80")));
        assert_eq!(
            [stable_hash(""), stable_hash("10.0.0.1:80")],
            [14_245_817_053_927_270_230, 4_485_203_458_458_255_585]
        );
    }
}
