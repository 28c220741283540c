//! Registrations on an ensemble in virtual time: round trips are counted, and faults are scripted.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod in_virtual_time;

use std::time::Duration;

use futures_util::future::join_all;
use in_virtual_time::*;
use instance::Instance;
use registry::{RegisterError, Registration, RegistrationStatus, TroubleKind};
use tokio::time::{Instant, sleep, timeout};
use zk_core::{ErrorKind, EventKind};
use zk_simulated::{Fault, Match, Verb, Version};

/// Deregisters, and returns how long that takes.
async fn deregister(registration: &Registration) -> Duration {
    let started = Instant::now();
    registration.deregister(SOON).await.unwrap();
    started.elapsed()
}

/// Registrations of both kinds: a few with a watch each, many that share one.
const KINDS: [usize; 2] = [1, MANY];

// === Updates ===

#[tokio::test(start_paused = true)]
async fn two_hundred_updates_leave_the_last_one_on_the_znode_within_two_round_trips() {
    for count in KINDS {
        // All at once, one after another, and about as fast as round trips.
        for gap in [0, 1, 9, 11] {
            let service = Service::on(even());
            let registrations = service.registered(0..count).await;
            let (one, mark) = (&registrations[count - 1], service.mark());
            for weight in 1..=200 {
                one.update(instance(count - 1).with_weight(weight)).unwrap();
                if weight < 200 {
                    sleep(Duration::from_millis(gap)).await;
                }
            }
            let made = Instant::now();
            while service.weight(one) != Some(200) {
                sleep(Duration::from_millis(1)).await;
            }
            let late = made.elapsed();
            assert!(late <= 2 * ROUND_TRIP, "{count} registrations, every {gap} ms: {late:?}");
            sleep(Duration::from_secs(1)).await;
            // Writes alone, as fast as round trips; then one look that sets the own watch again.
            let seen = service.about(one, mark);
            let writes = seen.iter().filter(|verb| **verb == Verb::SetData).count();
            assert!(writes <= 2 + 200 * gap as usize / 10, "{writes} writes");
            if gap < 10 {
                assert_eq!(seen.len() - writes, usize::from(count == 1), "{seen:?}");
            }
            assert!(one.status().is_registered());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_another_client_overwrites_between_our_updates_is_restored_within_a_second() {
    for count in KINDS {
        let service = Service::on(even());
        let registrations = service.registered(0..count).await;
        let operator = service.ensemble.operator();
        let one = &registrations[0];
        for weight in 1..=100 {
            // The weight of data that cannot be read is 100.
            one.update(instance(0).with_weight(1_000 + weight)).unwrap();
            if weight % 7 == 0 {
                operator.set_data(one.path(), "theirs").unwrap();
            }
            sleep(Duration::from_millis(u64::from(weight) * 11 % 25)).await;
        }
        let healed = Instant::now();
        service.all_true(&registrations[..1], 1_100).await;
        assert!(healed.elapsed() <= Duration::from_secs(1) + 4 * ROUND_TRIP, "{:?}", healed.elapsed());
        // And the events of our own writes, whenever they come, cost nothing.
        sleep(Duration::from_secs(1)).await;
        let mark = service.mark();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(service.about(one, mark), []);
    }
}

/// The events of our writes come before their replies.
#[tokio::test(start_paused = true)]
async fn an_update_costs_a_write_where_events_overtake_replies() {
    let lag = Duration::from_millis(20)..=Duration::from_millis(50);
    let service = Service::on(even().reply_lag(lag));
    let registrations = service.registered(0..MANY).await;
    let mark = service.mark();
    for (i, registration) in registrations.iter().enumerate() {
        registration.update(instance(i).with_weight(7)).unwrap();
    }
    service.all_true(&registrations, 7).await;
    sleep(Duration::from_secs(5)).await;
    for registration in &registrations {
        assert_eq!(service.about(registration, mark), [Verb::SetData]);
    }
}

#[tokio::test(start_paused = true)]
async fn updates_of_all_are_pipelined_and_awaited_for_a_round_trip() {
    for count in KINDS {
        let service = Service::on(even());
        let registrations = service.registered(0..count).await;
        let mark = service.mark();
        let started = Instant::now();
        for (i, registration) in registrations.iter().enumerate() {
            registration.update(instance(i).with_weight(7)).unwrap();
        }
        for registration in &registrations {
            registration.updated().await.unwrap();
            assert_eq!(service.weight(registration), Some(7));
        }
        // 256 at a time.
        let turns = if count == 1 { 1 } else { 2 };
        assert_eq!(started.elapsed(), turns * ROUND_TRIP, "{count}");
        for registration in &registrations {
            let seen = service.about(registration, mark);
            assert_eq!(seen.iter().filter(|verb| **verb == Verb::SetData).count(), 1, "{seen:?}");
            timeout(Duration::from_millis(1), registration.updated()).await.expect("at once").unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_is_awaited_through_whatever_delays_it() {
    for count in KINDS {
        let service = Service::on(even());
        let registrations = service.registered(0..count).await;
        let one = &registrations[0];
        let waits = Duration::from_secs(30);

        service.ensemble.refuse_connects(true);
        service.ensemble.cut();
        one.update(instance(0).with_weight(7)).unwrap();
        timeout(waits, one.updated()).await.expect_err("there is no link");
        service.ensemble.refuse_connects(false);
        timeout(SOON, one.updated()).await.unwrap().unwrap();
        assert_eq!((service.weight(one), one.status().is_registered()), (Some(7), true));

        // While an update is on its way nothing is the latest, though the one before is on the znode.
        let held = service.ensemble.fault(Verb::SetData, Fault::Hold);
        one.update(instance(0).with_weight(8)).unwrap();
        held.wait_fired().await;
        one.update(instance(0).with_weight(7)).unwrap();
        timeout(ROUND_TRIP, one.updated()).await.expect_err("the other one has no reply");
        held.release();
        timeout(SOON, one.updated()).await.unwrap().unwrap();
        assert_eq!(service.weight(one), Some(7));
    }
}

#[tokio::test(start_paused = true)]
async fn who_awaits_an_update_that_is_taken_back_at_once_waits_for_nothing() {
    let service = Service::on(even());
    let one = service.registered(0..1).await.remove(0);
    let mark = service.mark();
    one.update(instance(0).with_weight(7)).unwrap();
    let waits = async {
        tokio::join!(one.updated(), async {
            // The wait has begun, and the keeper has not been woken yet.
            one.update(instance(0)).unwrap();
        })
        .0
    };
    timeout(ROUND_TRIP, waits).await.expect("at once").unwrap();
    assert_eq!(service.about(&one, mark), []);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_an_update_ends_with_the_registration() {
    let service = Service::on(even());
    let one = service.registered(0..1).await.remove(0);
    let stuck = service.ensemble.fault(Match::verb(Verb::SetData).always(), Fault::Refuse(ErrorKind::Busy));
    one.update(instance(0).with_weight(7)).unwrap();
    let (updated, left) = tokio::join!(one.updated(), async {
        stuck.wait_fired().await;
        one.deregister(SOON).await
    });
    left.unwrap();
    assert!(matches!(updated, Err(RegisterError::Deregistered(_))), "{updated:?}");
    assert!(matches!(one.updated().await, Err(RegisterError::Deregistered(_))));
}

// === Leaving ===

#[tokio::test(start_paused = true)]
async fn a_deregistration_costs_one_round_trip_and_is_told() {
    for count in KINDS {
        let service = Service::on(even());
        let registrations = service.registered(0..count).await;
        let watcher = service.ensemble.zk();
        let watching = watcher.connected().await.unwrap();
        let mut events = watching.watch_recursive(&path(ROOT)).await.unwrap();
        let mark = service.mark();
        assert_eq!(deregister(&registrations[0]).await, ROUND_TRIP);
        assert_eq!(service.about(&registrations[0], mark), [Verb::WriteAndDelete]);
        let (written, deleted) = (events.next().await.unwrap(), events.next().await.unwrap());
        assert_eq!((written.kind, deleted.kind), (EventKind::DataChanged, EventKind::Deleted));
        assert_eq!((&written.path, written.at), (&deleted.path, deleted.at));
        assert_eq!(written.path, *registrations[0].path());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_cannot_be_told_is_a_plain_deletion() {
    let denied = Some(ErrorKind::Denied);
    let refused = Some(ErrorKind::Refused("quota".into()));
    for (version, refusal) in [(Version::V3_8, denied), (Version::V3_8, refused), (Version::V3_4, None)] {
        let service = Service::on(even().version(version));
        let registration = service.registered(0..1).await.remove(0);
        let told = usize::from(refusal.is_some());
        if let Some(refusal) = refusal {
            service.ensemble.fault(Verb::WriteAndDelete, Fault::Refuse(refusal));
        }
        let mark = service.mark();
        let took = deregister(&registration).await;
        let trips = service.about(&registration, mark);
        assert_eq!(trips[told..], [Verb::Delete]);
        assert_eq!(took, ROUND_TRIP * trips.len() as u32);
        assert!(!service.exists(&registration));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_whose_reply_is_lost_is_looked_into() {
    for (fault, was_done) in
        [(Fault::LoseReply, true), (Fault::CutAfter, true), (Fault::Ignore, false), (Fault::CutBefore, false)]
    {
        let service = Service::on(even());
        let registration = service.registered(0..1).await.remove(0);
        let lost = service.ensemble.fault(Verb::WriteAndDelete, fault.clone());
        let mark = service.mark();
        registration.deregister(SOON).await.unwrap();
        assert!(lost.fired());
        assert!(!service.exists(&registration));
        let after: &[Verb] = if was_done { &[Verb::Stat] } else { &[Verb::Stat, Verb::Delete] };
        let seen = service.about(&registration, mark);
        assert_eq!(seen[1..], *after, "{fault:?}");
        assert_eq!(registration.status(), RegistrationStatus::Deregistered);
    }
}

/// As far as data versions tell: the documented window is that of two znodes that were never written again.
#[tokio::test(start_paused = true)]
async fn fault_26_a_rival_that_comes_right_before_the_deletion_is_left_alone() {
    for count in KINDS {
        let service = Service::on(even());
        let registrations = service.registered(0..count).await;
        let one = &registrations[0];
        one.update(instance(0).with_weight(7)).unwrap();
        sleep(Duration::from_secs(1)).await;
        let held = service.ensemble.fault(Verb::WriteAndDelete, Fault::Hold);
        let mark = service.mark();
        let operator = service.ensemble.operator();
        let (ended, theirs) = tokio::join!(one.deregister(SOON), async {
            held.wait_fired().await;
            // The keeper could not know.
            operator.delete(one.path()).unwrap();
            let theirs = operator.create_ephemeral(one.path(), "theirs").unwrap();
            held.release();
            theirs
        });
        ended.unwrap();
        assert_eq!(operator.stat(one.path()), Some(theirs));
        assert_eq!(service.about(one, mark), [Verb::WriteAndDelete, Verb::Stat, Verb::Data]);
    }
}

/// Whatever the others wait for.
#[tokio::test(start_paused = true)]
async fn a_deregistration_is_done_within_its_round_trips_while_other_requests_are_refused_or_unanswered() {
    for count in KINDS {
        for fault in [Fault::Ignore, Fault::LoseReply, Fault::Refuse(ErrorKind::Busy)] {
            let service = Service::on(even());
            let registrations = service.registered(0..count).await;
            // As many steps as may be taken at one time, and more that wait.
            let stuck = service.ensemble.fault(
                Match::verbs([Verb::Create, Verb::SetData, Verb::WatchRecursive, Verb::Sync]).always(),
                fault.clone(),
            );
            let _others: Vec<_> = (1_000..1_600).map(|i| service.register(i)).collect();
            for (i, registration) in registrations.iter().enumerate().skip(1) {
                registration.update(instance(i).with_weight(7)).unwrap();
            }
            sleep(Duration::from_millis(50)).await;
            assert!(stuck.fired());
            assert_eq!(deregister(&registrations[0]).await, ROUND_TRIP, "{count} registered, {fault:?}");
            // Those whose own update has no reply wait for it for half a second, then look.
            if let Some(own) = registrations.get(1) {
                let took = deregister(own).await;
                assert!(took <= Duration::from_millis(500) + 3 * ROUND_TRIP, "{fault:?}: {took:?}");
            }
        }
    }
}

/// After a reconnect the shared watch cannot be set, and a connection that is not prepared is good enough.
#[tokio::test(start_paused = true)]
async fn a_deregistration_needs_no_root_watch() {
    for fault in [Fault::Ignore, Fault::Refuse(ErrorKind::Busy)] {
        let service = Service::on(even());
        let registrations = service.registered(0..MANY).await;
        let root_watch = Match::verb(Verb::WatchRecursive).always();
        let stuck = service.ensemble.fault(root_watch, fault.clone());
        service.ensemble.cut();
        stuck.wait_fired().await;
        sleep(ROUND_TRIP).await;
        let mark = service.mark();
        assert!(!registrations[0].status().is_registered());
        // A look behind a sync of its own, and the deletion.
        assert_eq!(deregister(&registrations[0]).await, 2 * ROUND_TRIP, "{fault:?}");
        assert_eq!(service.about(&registrations[0], mark), [Verb::Stat, Verb::WriteAndDelete]);
        // While the link is down already: as soon as there is a connection.
        service.ensemble.refuse_connects(true);
        service.ensemble.cut();
        sleep(Duration::from_secs(1)).await;
        let (ended, ()) = tokio::join!(registrations[1].deregister(SOON), async {
            sleep(Duration::from_secs(1)).await;
            service.ensemble.refuse_connects(false);
        });
        ended.unwrap();
        assert!(!service.exists(&registrations[1]));
    }
}

/// A step of the keeper itself waits for a `sync` or for the root that others have asked for.
#[tokio::test(start_paused = true)]
async fn a_deregistration_waits_for_no_request_that_serves_all_keepers() {
    // Another owner's znode is in the way, and the sync before the look has no reply.
    let service = Service::on(even());
    let rival = service.ensemble.operator();
    rival.create(ROOT, "").unwrap();
    rival.create_ephemeral(format!("{ROOT}/10.0.0.0:80"), "theirs").unwrap();
    service.zk.connected().await.unwrap();
    let stuck = service.ensemble.fault(Match::verb(Verb::Sync).skip(1), Fault::Ignore);
    let registration = service.register(0);
    stuck.wait_fired().await;
    let took = deregister(&registration).await;
    assert!(took <= 3 * ROUND_TRIP, "{took:?}");
    assert_eq!(rival.children(ROOT), ["10.0.0.0:80"]);

    // The root is missing, and its creation has no reply.
    let service = Service::on(even());
    service.zk.connected().await.unwrap();
    let stuck = service.ensemble.fault(Match::verb(Verb::Create).path(&path(ROOT)), Fault::Ignore);
    let registration = service.register(0);
    stuck.wait_fired().await;
    let took = deregister(&registration).await;
    assert!(took <= 2 * ROUND_TRIP, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_deregisters_everything_and_ends_every_task() {
    let service = Service::on(even());
    let mut registrations = service.registered(0..MANY).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let with_all = tasks();
    // One handle was dropped before.
    registrations.truncate(MANY - 1);
    let clone = service.registrar.clone();
    clone.shutdown(SOON).await.unwrap();
    assert_eq!(service.ensemble.operator().children(ROOT), [""; 0]);
    assert!(
        registrations.iter().all(|registration| registration.status() == RegistrationStatus::Deregistered)
    );
    assert_eq!(with_all - tasks(), MANY + 1, "the keepers, and the registrar's task");
    let refused = service.registrar.register(instance(1)).unwrap_err();
    assert!(matches!(refused, registry::RegisterError::ShutDown), "{refused}");
    service.registrar.shutdown(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_says_how_many_are_left_and_goes_on() {
    let service = Service::on(even());
    let registrations = service.registered(0..3).await;
    service.ensemble.refuse_connects(true);
    service.ensemble.cut();
    let error = service.registrar.shutdown(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!((error.left, error.waited), (3, Duration::from_secs(1)));
    service.ensemble.refuse_connects(false);
    service.registrar.shutdown(SOON).await.unwrap();
    assert!(!registrations.iter().any(|registration| service.exists(registration)));
}

// === RegistrationStatus ===

#[tokio::test(start_paused = true)]
async fn registrations_are_unconfirmed_while_the_shared_watch_cannot_be_set_again() {
    let service = Service::on(even().event_capacity(100));
    let registrations = service.registered(0..MANY).await;
    let stuck =
        service.ensemble.fault(Match::verb(Verb::WatchRecursive).always(), Fault::Refuse(ErrorKind::Busy));
    // More events than the queue of the watch holds: it ends, and the connection does not.
    let operator = service.ensemble.operator();
    for i in 0..500 {
        operator.create(format!("{ROOT}/stranger{i}"), "").unwrap();
    }
    let reconnects = service.zk.state().reconnects;
    let mut status = registrations[MANY - 1].statuses();
    timeout(SOON, status.wait_for(|status| *status == RegistrationStatus::Unconfirmed))
        .await
        .unwrap()
        .unwrap();
    assert!(stuck.fired());
    stuck.lift();
    all_registered(&registrations).await;
    assert_eq!(service.zk.state().reconnects, reconnects);
}

#[tokio::test(start_paused = true)]
async fn a_denied_update_is_reported_and_the_leave_of_that_znode_is_a_plain_deletion() {
    let service = Service::on(even());
    let registration = service.registered(0..1).await.remove(0);
    let operator = service.ensemble.operator();
    let read_only = zk_simulated::Acl::new(zk_wire::permission::READ, "world", "anyone");
    operator.set_acl(registration.path(), [read_only]).unwrap();
    registration.update(instance(0).with_weight(7)).unwrap();
    let is_denied = |status: &RegistrationStatus| matches!(status, RegistrationStatus::Pending { trouble: Some(trouble) } if trouble.kind() == TroubleKind::Denied);
    timeout(SOON, registration.statuses().wait_for(is_denied)).await.unwrap().unwrap();
    let mark = service.mark();
    registration.deregister(SOON).await.unwrap();
    let seen = service.about(&registration, mark);
    assert_eq!(seen[seen.len() - 2..], [Verb::WriteAndDelete, Verb::Delete], "{seen:?}");
}

// === Faults ===

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_any_request_ends_in_one_znode_and_a_true_status() {
    let verbs =
        [Verb::Create, Verb::SetData, Verb::Stat, Verb::WatchExists, Verb::Data, Verb::TakeOver, Verb::Sync];
    for verb in verbs {
        for fault in [Fault::LoseReply, Fault::Ignore, Fault::CutBefore, Fault::CutAfter, Fault::Expire] {
            for count in KINDS {
                let service = Service::on(even());
                let lost = service.ensemble.fault(Match::verb(verb).times(3), fault.clone());
                let mut registrations: Vec<_> = (0..count).map(|i| service.register(i)).collect();
                all_registered(&registrations).await;
                // A take-over: the link is another one.
                if verb == Verb::TakeOver && count == 1 {
                    let (i, bound) = (900, "10.0.3.132:80".parse().unwrap());
                    let other = service.ensemble.zk();
                    let before = registrar(&other).register_bound(instance(i), bound).unwrap();
                    all_registered(std::slice::from_ref(&before)).await;
                    service.ensemble.refuse_connects_of(2, true);
                    service.ensemble.cut_client(2);
                    registrations.push(service.registrar.register_bound(instance(i), bound).unwrap());
                    all_registered(&registrations).await;
                    assert!(lost.fired());
                }
                // Somebody overwrites and deletes.
                let operator = service.ensemble.operator();
                let _ = operator.set_data(registrations[0].path(), "theirs");
                sleep(Duration::from_millis(35)).await;
                let _ = operator.delete(registrations[0].path());
                for registration in &registrations {
                    let endpoint = registration.path().name().parse().unwrap();
                    registration.update(Instance::new(endpoint).with_weight(9)).unwrap();
                }
                service.all_true(&registrations, 9).await;
                let ends = join_all(registrations.iter().map(|one| one.deregister(SOON))).await;
                assert!(ends.into_iter().all(|end| end.is_ok()), "{verb}: {fault:?}");
                assert!(!registrations.iter().any(|one| service.exists(one)), "{verb}: {fault:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_at_any_moment_of_an_update_or_a_leave_leaves_nothing_wrong() {
    for after in (0..30).map(Duration::from_millis) {
        let service = Service::on(even());
        let registrations = service.registered(0..2).await;
        let session = service.zk.state().session.unwrap().id;
        registrations[0].update(instance(0).with_weight(5)).unwrap();
        let (ended, ()) = tokio::join!(registrations[1].deregister(SOON), async {
            sleep(after).await;
            service.ensemble.expire(session);
        });
        ended.unwrap();
        service.all_true(&registrations[..1], 5).await;
        assert!(!service.exists(&registrations[1]));
    }
}
