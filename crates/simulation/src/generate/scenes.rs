//! The scenes: faults that belong together.

mod ensemble;
mod others;
mod processes;
mod sessions;

use super::scene::Scene;
use super::singles;

type Play = fn(&mut Scene<'_>);

const SCENES: &[(u64, Play)] = &[
    (16, some_singles),
    // Requests and sessions.
    (5, sessions::lost_reply_and_expiry),
    (4, sessions::expired_again_and_again),
    (5, sessions::losses_while_coming_back),
    (4, sessions::update_and_deletion),
    (4, sessions::missed_by_a_client),
    (4, sessions::one_change_missed),
    (3, sessions::all_cut_off),
    (3, sessions::clamped),
    // The ensemble.
    (4, ensemble::death_during_an_outage),
    (3, ensemble::older_than_a_leave),
    (3, ensemble::older_than_a_join),
    (3, ensemble::older_than_what_is_under_way),
    (2, ensemble::emptied),
    (4, ensemble::servers_down),
    (3, ensemble::behind),
    (2, ensemble::slow),
    (4, ensemble::no_authentication),
    (4, ensemble::no_creation),
    (4, ensemble::no_reading),
    // Processes.
    (6, processes::back_within_the_timeout),
    (4, processes::back_after_the_timeout),
    (4, processes::take_over_under_losses),
    (4, processes::rolling_restart),
    (4, processes::leave_that_is_lost),
    (3, processes::drained),
    (4, processes::stopped_for_long),
    (5, processes::bad_callees),
    (3, processes::all_callees_bad),
    (2, processes::many_die),
    // Others.
    (4, others::rival_of_the_isolated),
    (4, others::rival_of_the_dead),
    (3, others::all_deleted),
    (3, others::root_deleted),
    (3, others::crowd_that_goes),
    (3, others::held_and_released),
    (3, others::strangers),
    (3, others::overwritten),
];

/// Plays one of them.
pub(super) fn play(scene: &mut Scene<'_>) {
    scene.dice.weighted(SCENES)(scene);
}

fn some_singles(scene: &mut Scene<'_>) {
    for _ in 0..scene.dice.range(2, 5) {
        let act = singles::any(scene);
        scene.act(act);
        scene.wait(0, 800);
    }
}
