//! Each scripted fault: what the client sees, and what the ensemble has done.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use tokio::time::{Instant, timeout};
use zk_core::{Acl, Connection, ErrorKind, EventKind, Zk, ZnodePath};
use zk_simulated::{Fault, Match, Operator, Outcome, SimulatedEnsemble, Verb};

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

struct Bed {
    ensemble: SimulatedEnsemble,
    operator: Operator,
    zk: Zk,
    connection: Connection,
    znode: ZnodePath,
}

impl Bed {
    async fn new() -> Self {
        let ensemble = SimulatedEnsemble::new(11);
        let (operator, zk) = (ensemble.operator(), ensemble.zk());
        let connection = zk.connected().await.unwrap();
        Self { ensemble, operator, zk, connection, znode: path("/znode") }
    }

    async fn create(&self) -> Result<(), ErrorKind> {
        let created = self.connection.create_ephemeral(&self.znode, b"x", Acl::Open).await;
        created.map(|_| ()).map_err(|error| error.kind().clone())
    }

    fn exists(&self) -> bool {
        self.operator.stat(&self.znode).is_some()
    }

    fn outcome(&self) -> Outcome {
        self.ensemble.requests(Verb::Create)[0].outcome.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_not_carried_out() {
    let bed = Bed::new().await;
    let fault = bed.ensemble.fault(Verb::Create, Fault::Refuse(ErrorKind::Denied));
    assert_eq!(bed.create().await, Err(ErrorKind::Denied));
    assert!(!bed.exists());
    assert_eq!(bed.create().await, Ok(()));
    assert_eq!((bed.outcome(), fault.count()), (Outcome::Failed(ErrorKind::Denied), 1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_and_an_ignored_request_are_answered_by_the_deadline_only() {
    let bed = Bed::new().await;
    let limit = bed.connection.operation_timeout();
    for (fault, is_done) in [(Fault::Ignore, false), (Fault::LoseReply, true)] {
        bed.ensemble.fault(Match::any().path(&bed.znode), fault);
        let begun = Instant::now();
        assert_eq!(bed.create().await, Err(ErrorKind::Timeout(limit)));
        assert_eq!((begun.elapsed(), bed.exists()), (limit, is_done));
    }
    assert!(!bed.connection.has_ended());
    assert_eq!(bed.outcome(), Outcome::NotSeen);
}

#[tokio::test(start_paused = true)]
async fn a_cut_before_or_after_a_request_loses_the_connection() {
    for (fault, is_done) in [(Fault::CutBefore, false), (Fault::CutAfter, true)] {
        let bed = Bed::new().await;
        bed.ensemble.fault(Verb::Create, fault);
        assert!(matches!(bed.create().await, Err(ErrorKind::ConnectionLost(_))));
        assert_eq!(bed.exists(), is_done);
        assert!(bed.connection.has_ended());
        let next = bed.zk.connected().await.unwrap();
        assert_eq!((next.session(), next.reconnects()), (bed.connection.session(), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_or_held_request_holds_back_those_behind_it() {
    let bed = Bed::new().await;
    let second = Duration::from_secs(1);
    bed.ensemble.fault(Verb::Create, Fault::Delay(second));
    let begun = Instant::now();
    let (created, stat) = tokio::join!(biased; bed.create(), bed.connection.stat(&bed.znode));
    assert!(created.is_ok() && stat.unwrap().is_some());
    assert!((second..second + Duration::from_millis(5)).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    let held = bed.ensemble.fault(Verb::Delete, Fault::Hold);
    let delete = bed.connection.delete(&bed.znode, None);
    let look = bed.connection.stat(&bed.znode);
    let release = async {
        held.wait_fired().await;
        tokio::time::sleep(second).await;
        assert!(bed.exists());
        held.release();
        Instant::now()
    };
    let (deleted, stat, released) = tokio::join!(biased; delete, look, release);
    assert!(deleted.is_ok() && stat.unwrap().is_none());
    assert!(released.elapsed() < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_held_or_delayed_reply_does_not_hold_back_others() {
    let bed = Bed::new().await;
    let held = bed.ensemble.fault(Verb::Create, Fault::HoldReply);
    let late = bed.ensemble.fault(Verb::Stat, Fault::DelayReply(Duration::from_secs(1)));
    let create = async {
        let created = bed.create().await;
        (created, Instant::now())
    };
    let others = async {
        held.wait_fired().await;
        let begun = Instant::now();
        bed.connection.data(&bed.znode).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(5));
        bed.connection.stat(&bed.znode).await.unwrap();
        assert!(late.fired() && begun.elapsed() > Duration::from_secs(1));
        held.release();
        Instant::now()
    };
    let ((created, replied), released) = tokio::join!(biased; create, others);
    assert_eq!((created, replied), (Ok(()), released));
}

#[tokio::test(start_paused = true)]
async fn an_expiry_in_the_way_of_a_request_ends_the_session() {
    let bed = Bed::new().await;
    bed.create().await.unwrap();
    bed.ensemble.fault(Verb::SetData, Fault::Expire);
    let written = bed.connection.set_data(&bed.znode, b"y", None).await;
    assert!(matches!(written.unwrap_err().kind(), ErrorKind::ConnectionLost(_)));
    assert!(!bed.exists());
    let next = bed.zk.connected().await.unwrap();
    assert_eq!((next.epoch(), next.session() == bed.connection.session()), (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_fault_chooses_by_client_kind_and_path_and_can_be_lifted() {
    let bed = Bed::new().await;
    let other = bed.ensemble.zk().connected().await.unwrap();
    let root = ZnodePath::root();
    let busy = || Fault::Refuse(ErrorKind::Busy);
    let verbs = Match::verbs([Verb::Stat, Verb::Data]).below(&root).client(1).skip(1).always();
    let fault = bed.ensemble.fault(verbs, busy());
    assert!(other.stat(&bed.znode).await.is_err(), "its link is gone");
    assert!(bed.connection.stat(&bed.znode).await.is_ok(), "skipped");
    assert!(bed.connection.stat(&root).await.is_ok(), "not below the root");
    assert!(bed.connection.stat(&bed.znode).await.is_err());
    fault.lift();
    assert!(bed.connection.stat(&bed.znode).await.is_ok());
    assert_eq!(fault.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_swallowed_event_is_lost_and_the_next_one_is_not() {
    let bed = Bed::new().await;
    bed.operator.create("/root/a", "").unwrap();
    let (root, a) = (path("/root"), path("/root/a"));
    let mut watch = bed.connection.watch_recursive(&root).await.unwrap();
    let swallowed = bed.ensemble.swallow_event(&a, EventKind::DataChanged);
    let others = bed.ensemble.swallow_event_of(2, &a, EventKind::DataChanged);
    bed.operator.set_data(&a, "1").unwrap();
    bed.operator.create("/root/b", "").unwrap();
    bed.operator.set_data(&a, "2").unwrap();
    let told = [watch.next().await.unwrap(), watch.next().await.unwrap()];
    let told = told.map(|event| (event.kind, event.path.to_string()));
    assert_eq!(told, [(EventKind::Created, "/root/b".into()), (EventKind::DataChanged, "/root/a".into())]);
    assert!(swallowed.fired() && !others.fired());
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_queues_and_replies_and_refused_connects_keep_it_down() {
    let bed = Bed::new().await;
    let mut watch = bed.connection.watch_recursive(&path("/")).await.unwrap();
    bed.ensemble.refuse_connects(true);
    let create = bed.create();
    let cut = async { bed.ensemble.cut_client(1) };
    let (created, ()) = tokio::join!(biased; create, cut);
    assert!(matches!(created, Err(ErrorKind::ConnectionLost(_))));
    assert_eq!((watch.next().await, bed.connection.has_ended()), (None, true));
    let minute = Duration::from_secs(60);
    assert!(timeout(minute, bed.zk.connected()).await.is_err());
    bed.ensemble.refuse_connects(false);
    assert!(timeout(minute, bed.zk.connected()).await.is_ok());
    assert!(!bed.exists(), "the request was on its way when the connection broke");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_hears_everything_at_once_or_gives_its_connection_up() {
    let bed = Bed::new().await;
    let mut watch = bed.connection.watch_recursive(&path("/")).await.unwrap();
    bed.ensemble.stall(1);
    bed.operator.create("/a", "").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.operator.delete("/a").unwrap();
    let create = bed.create();
    let resume = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(watch.try_next().is_none() && !bed.exists());
        bed.ensemble.resume(1);
    };
    let (created, ()) = tokio::join!(biased; create, resume);
    assert_eq!(created, Ok(()));
    let told: Vec<_> = std::iter::from_fn(|| watch.try_next()).collect();
    assert_eq!(
        told.iter().map(|event| event.kind).collect::<Vec<_>>()[..2],
        [EventKind::Created, EventKind::Deleted]
    );
    assert_eq!(told[0].at, told[1].at);

    bed.ensemble.stall(1);
    let begun = Instant::now();
    bed.connection.ended().await;
    assert_eq!(begun.elapsed(), bed.connection.session().timeout * 2 / 5);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(!bed.exists(), "its session has expired");
    bed.ensemble.resume(1);
    assert_eq!(bed.zk.connected().await.unwrap().epoch(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_falls_silent_is_given_up_and_nothing_of_it_is_carried_out() {
    let bed = Bed::new().await;
    let mut watch = bed.connection.watch_recursive(&path("/")).await.unwrap();
    bed.ensemble.fault(Verb::Create, Fault::Silence);
    let begun = Instant::now();
    let root = path("/");
    let write = bed.connection.set_data(&root, b"y", None);
    let (created, written) = tokio::join!(biased; bed.create(), write);
    assert!(matches!(created, Err(ErrorKind::ConnectionLost(_))) && written.is_err(), "{created:?}");
    assert_eq!(begun.elapsed().as_millis() / 10, (bed.connection.session().timeout * 2 / 5).as_millis() / 10);
    assert!(watch.next().await.is_none(), "no event came");
    assert!(!bed.exists() && bed.operator.data("/") == Some(Vec::new()));
    assert!(bed.zk.connected().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_reply_holds_back_everything_behind_it() {
    let bed = Bed::new().await;
    let second = Duration::from_secs(1);
    let mut watch = bed.connection.watch_recursive(&path("/")).await.unwrap();
    bed.ensemble.fault(Verb::Create, Fault::StallReplies(second));
    let begun = Instant::now();
    let (created, stat) = tokio::join!(biased; bed.create(), bed.connection.stat(&bed.znode));
    assert!(created.is_ok() && stat.unwrap().is_some());
    assert!((second..second + Duration::from_millis(5)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    // The event of the znode itself came before its reply; that of a later change does not overtake it.
    assert_eq!(watch.try_next().unwrap().kind, EventKind::Created);

    bed.ensemble.fault(Verb::SetData, Fault::StallReplies(second));
    let begun = Instant::now();
    let write = bed.connection.set_data(&bed.znode, b"y", None);
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bed.operator.delete(&bed.znode).unwrap();
        while watch.next().await.unwrap().kind != EventKind::Deleted {}
        assert!(begun.elapsed() > second, "{:?}", begun.elapsed());
    };
    tokio::join!(biased; write, others).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_link_gives_up_a_connection_on_which_it_hears_nothing_for_long() {
    let bed = Bed::new().await;
    let patience = bed.connection.session().timeout * 2 / 5;
    let stall = |time| bed.ensemble.fault(Verb::Create, Fault::StallReplies(time));
    stall(patience - Duration::from_millis(10));
    assert!(bed.create().await.is_ok() && !bed.connection.has_ended());
    stall(Duration::from_secs(3600));
    let begun = Instant::now();
    assert!(bed.create().await.is_err());
    assert!(bed.connection.has_ended());
    let took = begun.elapsed();
    assert!(took >= patience && took < patience + Duration::from_millis(10), "{took:?}");
    assert_eq!(bed.zk.connected().await.unwrap().session(), bed.connection.session());
}
