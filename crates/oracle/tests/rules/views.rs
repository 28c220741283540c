//! What clients see.

use oracle::{By, Invariant, LinkPhase, Stated, What};

use crate::story::{A, B, C, Story};

#[test]
fn a_view_without_a_link_loses_an_instance() {
    let mut story = Story::fleet();
    story.at(5000).link("client 1", LinkPhase::Suspended).see("client 1", false, &[A, B, C]);
    story.at(6000).see("client 1", false, &[A, B]);
    story.at(7000).link("client 1", LinkPhase::Connected).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I1, "the view of client 1 lost 127.0.0.1:8003", &[]);
}

#[test]
fn an_operator_may_release_what_is_held() {
    let mut story = Story::fleet();
    for (server, name) in [("server 1", A), ("server 2", B), ("server 3", C)] {
        story.at(5000).kill(server).at(8000).expire(server, &[name]);
    }
    story.at(8030).see_held("client 1", true, &[], &[A, B, C]);
    story.at(9000).link("client 1", LinkPhase::Suspended).see_held("client 1", false, &[], &[A, B, C]);
    story.at(9500).fault("release", Some("client 1")).see("client 1", false, &[]);
    story.at(9800).link("client 1", LinkPhase::Connected).see("client 1", true, &[]);
    story.passes(Invariant::I1);
}

#[test]
fn the_number_of_a_set_grows_without_a_cause() {
    let view = |live, revision| What::View {
        process: "client 1".into(),
        live,
        revision: Some(revision),
        instances: [].into(),
    };
    let mut story = Story::fleet();
    story.start("client 2").at(5000).say(view(true, 1)).at(6000).say(view(false, 2));
    story.fails(Invariant::I7, "grew, though nothing", &[]);
}

#[test]
fn an_instance_that_leaves_goes_at_once() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).status(
        "server 1",
        A,
        Stated::Deregistered,
    );
    story.at(5015).see("client 1", true, &[B, C]);
    story.passes(Invariant::I7);
}

#[test]
fn a_deletion_by_hand_settles_and_is_mended() {
    let mut story = Story::fleet();
    story
        .at(5000)
        .delete(By::Other("operator".into()), A)
        .at(5005)
        .create("server 1", A)
        .registered("server 1", A);
    story.passes(Invariant::I7);
}
