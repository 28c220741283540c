use crate::Version;

/// The settings of a [`Machine`](super::Machine).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The tick in milliseconds, 2000 by default: session timeouts are 2 to 20 of it, and end at whole ones.
    pub tick_ms: i64,
    /// The zxid before the first transaction, 0 by default; the first session gets the next one.
    ///
    /// A client that has seen a newer one is refused. A server that forgets everything when it stops can begin with its
    /// start time in seconds, shifted left by 32 bits, and is then ahead of all clients of earlier runs.
    pub first_zxid: i64,
    /// The id of the first session, from which the others count up; see [`first_session`](Self::first_session).
    pub first_session: i64,
    /// The largest frame that is read, in bytes: `jute.maxbuffer`, 1 MiB less one by default.
    ///
    /// For the driver, which reads frames; the machine itself has none.
    pub max_frame: usize,
    /// Whether znodes may have a time to live: `zookeeper.extendedTypesEnabled`, off by default.
    pub extended_types: bool,
    /// How often emptied containers are looked for, in milliseconds: 60,000 by default, and at least 1.
    pub container_check_ms: i64,
    /// Whether events say which transaction caused them, as from ZooKeeper 3.9 on; off by default.
    pub event_zxids: bool,
    /// The release whose behaviour this is, 3.8 by default.
    pub version: Version,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tick_ms: 2000,
            first_zxid: 0,
            first_session: Self::first_session(1, 0),
            max_frame: 0xf_ffff,
            extended_types: false,
            container_check_ms: 60_000,
            event_zxids: false,
            version: Version::default(),
        }
    }
}

impl Settings {
    /// Returns the first session id of a server that starts at a time in milliseconds.
    ///
    /// The id of the server is in the highest byte (a standalone one is 1), 40 bits of the time are below it, and 16 bits
    /// are left to count with.
    pub fn first_session(server: u8, start_ms: i64) -> i64 {
        let time = ((start_ms as u64) << 24) >> 8;
        ((u64::from(server) << 56) | time) as i64
    }

    /// Returns the timeout that is granted to a client that asks for one.
    pub(super) fn negotiate(&self, asked_ms: i32) -> i32 {
        let granted = i64::from(asked_ms).max(self.tick_ms * 2).min(self.tick_ms * 20);
        i32::try_from(granted).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_2_to_20_ticks() {
        let settings = Settings { tick_ms: 100, ..Settings::default() };
        assert_eq!([-1, 0, 199, 200].map(|asked| settings.negotiate(asked)), [200; 4]);
        assert_eq!(settings.negotiate(1234), 1234);
        assert_eq!([2000, 2001, i32::MAX].map(|asked| settings.negotiate(asked)), [2000; 3]);
    }

    #[test]
    fn session_ids_hold_server_and_start_time() {
        assert_eq!(Settings::first_session(1, 0), 0x0100_0000_0000_0000);
        assert_eq!(Settings::first_session(2, 0x01_2345_6789), 0x0201_2345_6789_0000);
        assert_eq!(Settings::first_session(1, 1), 0x0100_0000_0001_0000);
        assert_eq!(
            Settings::first_session(0xff, 1 << 40),
            0xff00_0000_0000_0000_u64 as i64,
            "older bits are cut"
        );
    }
}
