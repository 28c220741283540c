/// The constant that Apache ZooKeeper mixes into a session id before it draws a password.
const SECRET: i64 = 0xB341_5C00;

/// Length of a password in bytes.
pub(super) const LENGTH: usize = 16;

/// Returns the password of a session: what Java's generator gives for the id, so that an id has the same one everywhere.
pub(super) fn password(session: i64) -> [u8; LENGTH] {
    let mut generator = JavaRandom::new(session ^ SECRET);
    let mut password = [0; LENGTH];
    for chunk in password.chunks_exact_mut(4) {
        chunk.copy_from_slice(&generator.next().to_le_bytes());
    }
    password
}

/// The linear congruential generator of `java.util.Random`, as its documentation gives it: 48 bits, of which the upper 32
/// are drawn.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const INCREMENT: u64 = 0xB;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> Self {
        Self((seed as u64 ^ Self::MULTIPLIER) & Self::MASK)
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(Self::INCREMENT) & Self::MASK;
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_the_password_of_apache_zookeeper() {
        // Both seen on Apache ZooKeeper 3.8.0.
        assert_eq!(password(72058018751053824), *b"\x12<K^7\xf1-\x87@\xea\xfb\x8d\xd8\x85Z\xd1");
        assert_eq!(password(72058018751053825), *b"%]E^\xd7<\r\xcc5-c\xb9\xac\x0eo\x9e");
    }
}
