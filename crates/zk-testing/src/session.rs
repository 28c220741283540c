use std::net::SocketAddr;
use std::time::Duration;

use crate::raw;

/// The constant that ZooKeeper mixes into a session id to seed its password.
const SECRET: i64 = 0xB341_5C00;

/// How often a session is taken over before its owner wins.
const TRIES: u32 = 100;

/// Ends a session of another client on the server, and returns when the server has confirmed it.
///
/// All clients see a real expiry: the session is gone, its ephemeral nodes are deleted, watches on them
/// fire, and the owner loses its connection (at once on the same server, else when it next pings or asks) and is refused
/// when it reconnects. Everything else stays. It works because
/// ZooKeeper derives a session's password from its id alone (see [`session_password`]): this takes over the session on a
/// second connection and closes it there.
///
/// The id of a session is in the `ephemeralOwner` of its nodes, among other places. Any server of an ensemble will do.
///
/// # Errors
/// [`raw::Error::SessionExpired`] if the server has no such session, [`raw::Error::Io`] if it cannot be reached.
///
/// # Cancel safety
/// Dropping the future leaves the outcome unknown.
///
/// # Examples
///
/// ```no_run
/// # async fn run(server: zk_testing::Server) -> Result<(), zk_testing::raw::Error> {
/// # use std::time::Duration;
/// let owner = zk_testing::raw::Client::connect(server.addr(), Duration::from_secs(2)).await?;
/// zk_testing::expire_session(server.addr(), owner.session_id()).await?;
/// owner.closed().await;
/// # Ok(())
/// # }
/// ```
pub async fn expire_session(addr: SocketAddr, session_id: i64) -> Result<(), raw::Error> {
    // Id 0 would open a new session and close that one.
    if session_id == 0 {
        return Err(raw::Error::SessionExpired);
    }
    let (timeout, password) = (Duration::from_secs(10), session_password(session_id));
    let mut tries = 0;
    loop {
        tries += 1;
        match raw::Client::connect_with(addr, timeout, session_id, &password).await {
            Ok(thief) => match thief.close().await {
                // The owner may have taken the session back before it was closed, or right after.
                Err(raw::Error::Io(_)) if tries < TRIES => {}
                closed => return closed,
            },
            Err(raw::Error::SessionExpired) if tries > 1 => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Computes the password that Apache ZooKeeper hands out with a session id.
///
/// The password is 16 bytes of `java.util.Random`, seeded with the id and a constant of ZooKeeper's source; the server remembers no
/// password, but computes it again for each connect.
pub fn session_password(session_id: i64) -> [u8; 16] {
    let mut random = JavaRandom::new(session_id ^ SECRET);
    let mut password = [0; 16];
    for four in password.chunks_exact_mut(4) {
        four.copy_from_slice(&random.next_int().to_le_bytes());
    }
    password
}

/// `java.util.Random`, a linear congruential generator of 48 bits.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> Self {
        Self((seed.cast_unsigned() ^ Self::MULTIPLIER) & Self::MASK)
    }

    fn next_int(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xB) & Self::MASK;
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_that_of_java() {
        // `new java.util.Random(42).nextInt()`, twice.
        let mut random = JavaRandom::new(42);
        assert_eq!(random.next_int().cast_signed(), -1_170_105_035);
        assert_eq!(random.next_int().cast_signed(), 234_785_527);
    }
}
