//! What servers do to their znodes, and say about them.

use oracle::{Answers, By, Invariant, LinkPhase, Stated, What};

use crate::story::{A, B, C, Story, data};

fn process(name: &str) -> By {
    By::Process(name.into())
}

fn operator() -> By {
    By::Other("operator".into())
}

/// A server is killed and restarted; its predecessor's znode still stands.
fn restarted() -> Story {
    let mut story = Story::fleet();
    story.at(5000).kill("server 1").at(5200).start("server 1").want("server 1", A);
    story
}

#[test]
fn a_take_over_is_one_transaction() {
    let mut story = restarted();
    story.at(5300).delete(process("server 1"), A).create_in("server 1", A).registered("server 1", A);
    story.passes(Invariant::I7);
}

#[test]
fn a_take_over_leaves_a_gap() {
    let mut story = restarted();
    story.at(5300).delete(process("server 1"), A).at(5310).create("server 1", A).registered("server 1", A);
    story.fails(Invariant::I7, "a take-over is one transaction", &[]);
    // Before ZooKeeper 3.6 it cannot be helped.
    let mut story = restarted();
    story.at(0).say(What::Ensemble { old: true });
    story.at(5300).delete(process("server 1"), A).at(5310).create("server 1", A).registered("server 1", A);
    story.passes(Invariant::I7);
}

#[test]
fn a_server_deletes_its_own_znode_though_it_is_wanted() {
    let mut story = Story::fleet();
    story.at(5000).delete(process("server 1"), A).create_in("server 1", A).registered("server 1", A);
    story.fails(Invariant::I7, "deleted its own znode", &[]);
}

#[test]
fn a_leave_deletes_what_is_not_wanted() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A);
    story.at(5020).status("server 1", A, Stated::Deregistered).see("client 1", true, &[B, C]);
    story.passes(Invariant::I7);
}

#[test]
fn a_server_steals() {
    let mut story = Story::fleet();
    story.at(5000).write(process("server 1"), B, data(7)).at(5100).write(process("server 2"), B, data(100));
    story.fails(Invariant::I6, "overwrote the znode", &[]);
    let mut story = Story::fleet();
    story.at(5000).delete(process("server 1"), B).at(5050).create("server 2", B).registered("server 2", B);
    story.fails(Invariant::I6, "deleted the znode", &[]);
}

#[test]
fn what_others_do_is_no_theft_of_ours_and_is_mended() {
    let mut story = Story::fleet();
    story.at(5000).write(operator(), A, data(7)).at(5100).write(process("server 1"), A, data(100));
    story.at(6000).delete(operator(), A).at(6050).create("server 1", A).registered("server 1", A);
    story.passes(Invariant::I6);
}

#[test]
fn a_znode_of_another_that_has_stood_for_long_is_stolen() {
    let mut story = Story::fleet();
    story.at(5000).delete(operator(), A).create_by_other(A).status("server 1", A, Stated::Pending);
    story.at(12_000).delete(process("server 1"), A).create_in("server 1", A).registered("server 1", A);
    story.fails(Invariant::I6, "of somebody else", &[]);
}

#[test]
fn a_server_says_that_it_is_registered_when_it_is_not() {
    let mut story = Story::fleet();
    story.at(5000).fault("expire", Some("server 1")).expire("server 1", &[A]);
    story.at(5100).see("client 1", true, &[B, C]);
    story.at(9000).connect_anew("server 1").create("server 1", A).registered("server 1", A);
    story.at(9010).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::I9, "says that 127.0.0.1:8001 is registered", &[]);
}

#[test]
fn it_may_take_a_while_to_notice() {
    let mut story = Story::fleet();
    story.at(5000).fault("expire", Some("server 1")).expire("server 1", &[A]);
    story.at(5100).see("client 1", true, &[B, C]);
    story.at(6000).status("server 1", A, Stated::Unconfirmed).link("server 1", LinkPhase::Lost);
    story.at(6100).connect_anew("server 1").create("server 1", A).registered("server 1", A);
    story.at(6110).see("client 1", true, &[A, B, C]);
    story.passes(Invariant::I9);
}

#[test]
fn a_server_says_that_it_is_registered_without_a_link() {
    let mut story = Story::fleet();
    story.at(5000).link("server 1", LinkPhase::Suspended).at(8000).link("server 1", LinkPhase::Connected);
    story.fails(Invariant::I9, "though its link has been down", &[]);
    let mut story = Story::fleet();
    story.at(5000).link("server 1", LinkPhase::Suspended).status("server 1", A, Stated::Unconfirmed);
    story.at(8000).link("server 1", LinkPhase::Connected).registered("server 1", A);
    story.passes(Invariant::I9);
}

#[test]
fn the_znode_is_of_an_earlier_session() {
    let mut story = Story::fleet();
    story.at(5000).link("server 1", LinkPhase::Lost).status("server 1", A, Stated::Unconfirmed);
    story.at(5100).connect_anew("server 1");
    story.fails(Invariant::I5, "wants 127.0.0.1:8001 to be registered in its session", &[Invariant::I2]);
}

#[test]
fn the_znode_has_another_record_than_is_wanted() {
    let mut story = Story::fleet();
    story.at(5000).want_with("server 1", A, data(7));
    story.fails(Invariant::I5, "to have weight 7, but it has weight 100", &[]);
    let mut story = Story::fleet();
    story.at(5000).want_with("server 1", A, data(7)).at(5050).write(process("server 1"), A, data(7));
    story.at(5100).see("client 1", true, &[A, B, C]);
    story.passes(Invariant::I5);
}

#[test]
fn a_server_has_a_znode_that_it_does_not_want() {
    let mut story = Story::fleet();
    let name = "127.0.0.1:8009";
    story.at(5000).create("server 1", name).at(5010).see("client 1", true, &[A, B, C, name]);
    story.fails(Invariant::I5, "which it does not want", &[]);
}

#[test]
fn what_was_deregistered_comes_back() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).leave("server 1", A).status("server 1", A, Stated::Deregistered);
    story.at(5010).see("client 1", true, &[B, C]);
    story.at(6000).create("server 1", A).at(6010).see("client 1", true, &[A, B, C]);
    story.fails(Invariant::Leaves, "but created it again", &[Invariant::I5]);
    // It is said to be gone before it is.
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).status("server 1", A, Stated::Deregistered);
    story.at(6000).leave("server 1", A).at(6010).see("client 1", true, &[B, C]);
    story.fails(Invariant::Leaves, "its znode still stood", &[]);
}

#[test]
fn what_is_not_wanted_any_more_is_created_or_stays() {
    let mut story = Story::fleet();
    story.at(5000).fault("expire", Some("server 1")).expire("server 1", &[A]).at(5030).see(
        "client 1",
        true,
        &[B, C],
    );
    story.at(5040).status("server 1", A, Stated::Pending).unwant("server 1", A).connect_anew("server 1");
    let mut good = story.clone();
    story.at(5500).create("server 1", A).at(5510).see("client 1", true, &[A, B, C]);
    story.at(5600).leave("server 1", A).at(5610).see("client 1", true, &[B, C]);
    story.fails(Invariant::Leaves, "but created it at 5.500 s", &[]);
    // It was on its way.
    good.at(5100).create("server 1", A).at(5110).see("client 1", true, &[A, B, C]);
    good.at(5200).leave("server 1", A).at(5210).see("client 1", true, &[B, C]);
    good.passes(Invariant::Leaves);

    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(9000).leave("server 1", A);
    story.status("server 1", A, Stated::Deregistered).at(9010).see("client 1", true, &[B, C]);
    story.clone().fails(Invariant::Leaves, "its znode stood until 9.000 s", &[]);
    // Without a link nothing can be done.
    story.at(5100).link("server 1", LinkPhase::Suspended).status("server 1", A, Stated::Unconfirmed);
    story.at(8900).link("server 1", LinkPhase::Connected);
    story.passes(Invariant::Leaves);
}

#[test]
fn what_is_wanted_again_may_come_back() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).leave("server 1", A).status("server 1", A, Stated::Deregistered);
    story.at(5010).see("client 1", true, &[B, C]);
    story.at(7000).want("server 1", A).create("server 1", A).registered("server 1", A);
    story.at(7010).see("client 1", true, &[A, B, C]);
    story.passes(Invariant::Leaves);
}

#[test]
fn a_server_does_not_come_back() {
    let mut story = Story::fleet();
    story.at(5000).fault("expire", Some("server 1")).expire("server 1", &[A]);
    story.at(5010).status("server 1", A, Stated::Pending).at(5030).see("client 1", true, &[B, C]);
    story.fails(Invariant::I2, "has to be from 29.250 s on, but was not from 29.250 s to 60.000 s", &[]);
}

#[test]
fn a_server_comes_back_and_is_lost_again_when_nothing_is_broken_any_more() {
    let mut story = Story::fleet();
    story.at(40_000).expire("server 1", &[A]).at(40_050).connect_anew("server 1");
    story.at(40_100).create("server 1", A).registered("server 1", A);
    story.fails(Invariant::I2, "but was not from 40.000 s to 40.100 s", &[Invariant::I5]);
}

#[test]
fn the_dead_stay_in_zookeeper() {
    let mut story = Story::fleet();
    story.at(5000).kill("server 1").at(12_000).expire("server 1", &[A]).at(12_030).see(
        "client 1",
        true,
        &[B, C],
    );
    story.fails(Invariant::I4, "its znode 127.0.0.1:8001 has to be gone at 9.650 s", &[]);
    // An ensemble that was away gives them their whole timeout again.
    let mut story = Story::fleet();
    story.at(5000).kill("server 1").fault_until("away", None, 8000);
    story.at(12_000).expire("server 1", &[A]).at(12_030).see("client 1", true, &[B, C]);
    story.passes(Invariant::I4);
}

#[test]
fn older_data_bring_the_dead_back_for_a_timeout() {
    let mut story = Story::fleet();
    story.at(5000).kill("server 1").at(8000).expire("server 1", &[A]).at(8030).see("client 1", true, &[B, C]);
    let sessions = [1, 2, 3].map(|server| story.session(&format!("server {server}")));
    let client = story.session("client 1");
    let [one, two, three] = sessions;
    story.at(9000).fault_until("older", None, 10_000).link("client 1", LinkPhase::Suspended);
    story.see("client 1", false, &[B, C]);
    let children = [(A, 1, one), (B, 2, two), (C, 3, three)];
    story.at(10_000).restored(3, &children, &[one, two, three, client]);
    story.at(10_200).link("client 1", LinkPhase::Connected).see("client 1", true, &[A, B, C]);
    let mut ghost = story.clone();
    story.at(14_000).expire_session(one, &[A]).at(14_030).see("client 1", true, &[B, C]);
    story.passes(Invariant::I4);
    ghost.fails(Invariant::I4, "stood until 60.000 s", &[]);
}

#[test]
fn too_many_requests() {
    let mut story = Story::fleet();
    let count = |count| What::Requests { process: "server 1".into(), count };
    for second in 1..60 {
        story.at(second * 1000).say(count(if second < 20 { 10 } else { 1 }));
    }
    story.clone().passes(Invariant::I10);
    // In the end there is nothing to be done.
    for second in 40..60 {
        story.at(second * 1000 + 500).say(count(10));
    }
    story.fails(Invariant::I10, "server 1 sent", &[]);
}

#[test]
fn too_much_of_everything_else() {
    let usage = |cpu: u64, fds: u64, log_lines: u64| What::Usage {
        process: "server 1".into(),
        rss_kib: 10_000,
        fds,
        cpu: crate::story::ms(cpu),
        log_lines,
    };
    for (what, words) in [
        (usage(5000, 20, 10), "of a core"),
        (usage(100, 20, 1000), "log lines a second"),
        (usage(100, 120, 10), "file descriptors"),
    ] {
        let mut story = Story::fleet();
        story.at(20_000).say(usage(10, 20, 10)).at(25_000).say(usage(100, 20, 20));
        story.clone().passes(Invariant::I10);
        story.at(30_000).say(what);
        story.fails(Invariant::I10, words, &[]);
    }
}

#[test]
fn a_panic_and_an_exit_that_nobody_asked_for() {
    let mut story = Story::fleet();
    story.at(5000).say(What::Panicked { process: "server 1".into(), message: "boom".into() });
    story.fails(Invariant::I11, "server 1 did: boom", &[]);
    let mut story = Story::fleet();
    story.at(5000).exit("client 1", Some(1));
    story.fails(Invariant::I11, "client 1 ended with status 1", &[]);
    let mut story = Story::fleet();
    story.at(5000).exit("client 1", None);
    story.fails(Invariant::I11, "client 1 was killed", &[]);
}

#[test]
fn a_kill_and_a_stop_were_asked_for() {
    let mut story = Story::fleet();
    story.at(5000).kill("client 1");
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).status(
        "server 1",
        A,
        Stated::Deregistered,
    );
    story.at(6000).exit("server 1", Some(0));
    story.passes(Invariant::I11);
}

#[test]
fn a_leave_is_undone() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).at(5015).see(
        "client 1",
        true,
        &[B, C],
    );
    story.at(6000).create("server 1", A).at(6005).see("client 1", true, &[A, B, C]);
    story.at(6500).exit("server 1", Some(0)).expire("server 1", &[A]).at(6505).see("client 1", true, &[B, C]);
    story.fails(Invariant::Leaves, "but created it again at 6.000 s", &[]);
}

#[test]
fn what_is_wanted_again_or_by_the_next_process_undoes_no_leave() {
    let mut story = Story::fleet();
    story.at(5000).unwant("server 1", A).at(5010).leave("server 1", A).at(5015).see(
        "client 1",
        true,
        &[B, C],
    );
    story.at(6000).exit("server 1", Some(0)).start("server 1").serves("server 1", A, Answers::Well);
    story.want("server 1", A).create("server 1", A).registered("server 1", A);
    story.at(6005).see("client 1", true, &[A, B, C]);
    story.passes(Invariant::Leaves);
}
