use super::dice::Dice;
use crate::plan::{Callee, Caller, ServerKind, Spec};

/// How many strategies of picking there are: see [`Caller::strategy`].
const STRATEGIES: u64 = 7;

/// ZooKeeper grants at least 2 and at most 20 ticks.
const TICKS: (u64, u64) = (2, 20);

pub(super) fn draw(dice: &mut Dice) -> Spec {
    let servers = dice.weighted(&[(2, 2), (4, 3), (3, 4), (2, 5)]);
    let clients = dice.weighted(&[(2, 1), (4, 2), (3, 3), (1, 4)]);
    // Short ones are cheap: much happens in a few of them.
    let session_timeout_ms: u64 =
        dice.weighted(&[(4, 2_000), (4, 3_000), (4, 4_000), (2, 5_000), (1, 6_000), (1, 8_000), (1, 10_000)]);
    let old = dice.chance(12);
    Spec {
        servers: (0..servers).map(|_| callee(dice)).collect(),
        clients: (0..clients).map(|_| caller(dice)).collect(),
        ensemble: dice.weighted(&[(3, 1), (2, 3)]),
        old,
        refuses_recursive: !old && dice.chance(12),
        event_zxids: !old && dice.chance(40),
        tick_ms: dice
            .range(200, 500)
            .clamp(session_timeout_ms.div_ceil(TICKS.1), session_timeout_ms / TICKS.0),
        session_timeout_ms,
        round_trip_ms: dice.weighted(&[(4, (1, 3)), (3, (2, 10)), (2, (5, 40)), (1, (20, 150))]),
        reply_lag_ms: dice.weighted(&[(2, 0), (3, 5), (2, 20), (1, 100)]),
        follower_lag_ms: dice.weighted(&[(2, 0), (3, 20), (2, 100), (1, 400)]),
    }
}

fn callee(dice: &mut Dice) -> Callee {
    Callee {
        kind: ServerKind::Kept,
        vouches: dice.chance(60),
        weight: dice.pick(&[1, 50, 100, 100, 200]),
        shares_watch: dice.chance(30),
    }
}

fn caller(dice: &mut Dice) -> Caller {
    Caller {
        records: dice.chance(60),
        strategy: dice.range(0, STRATEGIES - 1) as u8,
        idempotent: dice.chance(50),
    }
}
