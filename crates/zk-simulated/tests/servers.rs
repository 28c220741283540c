//! Several servers: what a client sees at a follower, and what it is promised.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep, timeout};
use zk_core::{Acl, ConnectError, Connection, EventKind, Zk, ZnodePath};
use zk_simulated::{Chaos, Operator, Restart, SimulatedEnsemble, Version, builder};

const LAG: Duration = Duration::from_millis(700);
const MINUTE: Duration = Duration::from_secs(60);

fn path(text: &str) -> ZnodePath {
    ZnodePath::parse(text).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Three servers, with a client at a follower that is 700 ms behind.
struct Bed {
    ensemble: SimulatedEnsemble,
    operator: Operator,
    zk: Zk,
    connection: Connection,
    at: usize,
}

impl Bed {
    async fn new() -> Self {
        Self::of(builder(1).servers(3).round_trip(ms(2)..=ms(2)).build()).await
    }

    async fn of(ensemble: SimulatedEnsemble) -> Self {
        let operator = ensemble.operator();
        operator.create("/root", "").unwrap();
        let zk = ensemble.zk();
        let connection = at_follower(&ensemble, &zk).await;
        let at = ensemble.server_of(1).unwrap();
        ensemble.set_follower_lag(at, LAG..=LAG);
        Self { ensemble, operator, zk, connection, at }
    }
}

/// The first client, connected to a follower.
async fn at_follower(ensemble: &SimulatedEnsemble, zk: &Zk) -> Connection {
    loop {
        let connection = zk.connected().await.unwrap();
        if ensemble.server_of(1) != ensemble.leader() {
            return connection;
        }
        ensemble.cut_client(1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_at_a_follower_is_stale_until_it_has_caught_up_or_sync_has() {
    let Bed { ensemble: _ensemble, operator, zk: _zk, connection, .. } = Bed::new().await;
    let a = path("/root/a");
    operator.create(&a, "1").unwrap();
    let created = Instant::now();
    assert!(connection.stat(&a).await.unwrap().is_none(), "the follower does not have it yet");
    sleep(LAG).await;
    assert_eq!(connection.data(&a).await.unwrap().0, b"1");

    operator.set_data(&a, "2").unwrap();
    let (stale, begun) = (connection.data(&a).await.unwrap().0, Instant::now());
    connection.sync(&a).await.unwrap();
    let synced = begun.elapsed();
    assert_eq!((stale, connection.data(&a).await.unwrap().0), (b"1".to_vec(), b"2".to_vec()));
    assert!(synced > LAG - ms(10) && synced < LAG + ms(10), "{synced:?}");
    assert!(created.elapsed() > 2 * LAG);
    let begun = Instant::now();
    connection.sync(&a).await.unwrap();
    assert!(begun.elapsed() < ms(10), "nothing to wait for");
}

#[tokio::test(start_paused = true)]
async fn a_client_reads_what_it_has_written_and_hears_of_it_first() {
    let Bed { ensemble: _ensemble, operator, zk: _zk, connection, .. } = Bed::new().await;
    let a = path("/root/a");
    let mut watch = connection.watch_recursive(&path("/root")).await.unwrap();
    let begun = Instant::now();
    let create = connection.create_ephemeral(&a, b"1", Acl::Open);
    let write = connection.set_data(&a, b"2", Some(0));
    let read = connection.data(&a);
    let (created, written, read) = tokio::join!(biased; create, write, read);
    let took = begun.elapsed();
    assert_eq!(created.unwrap().ephemeral_owner, Some(connection.session().id));
    assert_eq!(written.unwrap().version, 1);
    assert_eq!(read.unwrap().0, b"2");
    assert!(took >= LAG && took < LAG + ms(20), "writes do not wait for one another: {took:?}");
    let told = [watch.try_next().unwrap().kind, watch.try_next().unwrap().kind];
    assert_eq!(told, [EventKind::Created, EventKind::DataChanged]);
    assert_eq!(operator.data(&a).unwrap(), b"2");
}

#[tokio::test(start_paused = true)]
async fn a_watch_fires_when_the_follower_applies_the_change() {
    let Bed { ensemble: _ensemble, operator, zk: _zk, connection, .. } = Bed::new().await;
    let root = path("/root");
    let mut watch = connection.watch_recursive(&root).await.unwrap();
    let begun = Instant::now();
    operator.create("/root/a", "").unwrap();
    assert_eq!(watch.next().await.unwrap().kind, EventKind::Created);
    assert!(begun.elapsed() >= LAG, "{:?}", begun.elapsed());
    // A watch that is set at a follower behind a change fires for it, and what was read with it was older.
    operator.create("/root/b", "").unwrap();
    let (names, _, mut fired) = connection.watch_children(&root).await.unwrap();
    assert_eq!(names, ["a"]);
    assert_eq!(fired.fired().await, Some(EventKind::ChildrenChanged));
    assert_eq!(connection.children(&root).await.unwrap().0.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_follower_closes_the_connection_of_an_expired_session_when_it_learns_of_it() {
    let Bed { ensemble, operator, zk, connection, .. } = Bed::new().await;
    let a = path("/root/a");
    connection.create_ephemeral(&a, b"", Acl::Open).await.unwrap();
    ensemble.expire(connection.session().id);
    assert!(operator.stat(&a).is_none());
    assert!(connection.stat(&a).await.unwrap().is_some(), "the follower does not know yet");
    assert!(!connection.has_ended());
    let written = connection.set_data(&a, b"", None).await.unwrap_err();
    assert!(connection.has_ended(), "{written}");
    assert_eq!(zk.connected().await.unwrap().epoch(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_at_a_follower_keep_the_session() {
    let Bed { ensemble, connection, zk: _zk, .. } = Bed::new().await;
    sleep(30 * MINUTE).await;
    assert!(!connection.has_ended());
    assert_eq!(ensemble.session_of(1), Some(connection.session().id));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_what_it_has_seen_is_refused_by_a_server_that_is_behind() {
    for presents in [false, true] {
        let ensemble = builder(2).servers(3).present_zxids(presents).build();
        let bed = Bed::of(ensemble).await;
        for server in 0..3 {
            bed.ensemble.set_follower_lag(server, 10 * MINUTE..=10 * MINUTE);
        }
        // Through the leader it sees what no follower has.
        let mut connection = bed.connection;
        while bed.ensemble.server_of(1) != bed.ensemble.leader() {
            bed.ensemble.cut_client(1);
            connection = bed.zk.connected().await.unwrap();
        }
        let a = path("/root/a");
        connection.create_ephemeral(&a, b"", Acl::Open).await.unwrap();
        let mut refused = 0;
        let mut stale = 0;
        for _ in 0..20 {
            bed.ensemble.cut_client(1);
            let mut states = bed.zk.states();
            let connection = loop {
                tokio::select! {
                    biased;
                    connection = bed.zk.connected() => break connection.unwrap(),
                    _ = states.changed() => {
                        if let Some(ConnectError::Handshake { wanted, .. }) = &states.latest().trouble {
                            assert_eq!(*wanted, "resume the session");
                            refused += 1;
                        }
                    }
                }
            };
            stale += usize::from(connection.stat(&a).await.unwrap().is_none());
        }
        assert_eq!((refused > 0, stale > 0), (presents, !presents), "{refused} {stale}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_session_is_granted_when_the_follower_knows_it_and_waited_for_5_seconds() {
    let ensemble = builder(4).servers(3).round_trip(ms(2)..=ms(2)).build();
    let leader = ensemble.leader().unwrap();
    for (lag, longest) in [(ms(900), ms(910)), (MINUTE, ms(5_100) * 4)] {
        for server in (0..3).filter(|server| *server != leader) {
            ensemble.set_follower_lag(server, lag..=lag);
        }
        let mut slowest = ms(0);
        for _ in 0..20 {
            let begun = Instant::now();
            let client = ensemble.client();
            let number = client.number();
            let zk = ensemble.start_link(client);
            zk.connected().await.unwrap();
            let is_at_leader = ensemble.server_of(number) == Some(leader);
            assert!(is_at_leader || (lag < MINUTE && begun.elapsed() >= lag));
            slowest = slowest.max(begun.elapsed());
        }
        assert!(slowest >= lag.min(ms(5_000)) && slowest < longest, "{slowest:?}");
    }
    assert!(ensemble.log().iter().any(|line| line.contains("no reply")));
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_goes_down_cuts_its_clients_and_comes_back_with_everything() {
    let bed = Bed::new().await;
    let leader = bed.ensemble.leader();
    let other = bed.ensemble.zk();
    other.connected().await.unwrap();
    while bed.ensemble.server_of(2) == Some(bed.at) {
        bed.ensemble.cut_client(2);
        other.connected().await.unwrap();
    }
    let reconnects = other.state().reconnects;
    bed.ensemble.server_down(bed.at, true);
    assert!(bed.connection.has_ended());
    let next = bed.zk.connected().await.unwrap();
    assert_eq!(next.session(), bed.connection.session());
    assert_ne!(bed.ensemble.server_of(1), Some(bed.at));
    assert_eq!((bed.ensemble.leader(), other.state().reconnects), (leader, reconnects));
    bed.operator.create("/root/a", "").unwrap();
    bed.ensemble.server_down(bed.at, false);
    while bed.ensemble.server_of(1) != Some(bed.at) {
        bed.ensemble.cut_client(1);
        bed.zk.connected().await.unwrap();
    }
    let back = bed.zk.connected().await.unwrap();
    assert!(back.stat(&path("/root/a")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn another_server_leads_when_the_leader_goes_down_and_nothing_is_lost() {
    let bed = Bed::new().await;
    let leader = bed.ensemble.leader().unwrap();
    bed.connection.create_ephemeral(&path("/root/a"), b"", Acl::Open).await.unwrap();
    // No follower has this one yet.
    let newest = bed.operator.create("/root/b", "").unwrap();
    bed.ensemble.server_down(leader, true);
    assert!(bed.connection.has_ended(), "without a leader no server serves anybody");
    assert_eq!((bed.ensemble.leader(), bed.operator.stat("/root/b")), (None, None));
    let next = bed.zk.connected().await.unwrap();
    let elected = bed.ensemble.leader().unwrap();
    assert_ne!(elected, leader);
    assert_eq!(next.session(), bed.connection.session());
    assert_eq!(next.children(&path("/root")).await.unwrap().0.len(), 2);
    let created = bed.operator.create("/root/c", "").unwrap();
    assert_eq!(created.czxid.0 >> 32, (newest.czxid.0 >> 32) + 1, "another epoch");

    // One of three is no majority.
    let last = (0..3).find(|server| *server != leader && *server != elected).unwrap();
    bed.ensemble.server_down(last, true);
    assert!(timeout(MINUTE, bed.zk.connected()).await.is_err());
    assert!(matches!(bed.zk.state().trouble, Some(ConnectError::Handshake { .. })));
    bed.ensemble.server_down(leader, false);
    let again = bed.zk.connected().await.unwrap();
    assert_eq!(again.session(), bed.connection.session(), "nothing expires without a leader");
    assert_eq!(again.children(&path("/root")).await.unwrap().0.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn sessions_of_clients_at_followers_expire_in_time_and_in_order() {
    let bed = Bed::new().await;
    bed.connection.create_ephemeral(&path("/root/a"), b"", Acl::Open).await.unwrap();
    bed.ensemble.kill(1);
    let begun = Instant::now();
    while bed.operator.stat("/root/a").is_some() {
        sleep(ms(100)).await;
    }
    let took = begun.elapsed();
    assert!((ms(6_000)..ms(12_200)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn several_servers_come_back_with_older_data() {
    let bed = Bed::new().await;
    sleep(ms(2_000)).await;
    bed.operator.create("/root/a", "").unwrap();
    bed.ensemble.stop();
    sleep(ms(500)).await;
    bed.ensemble.start(Restart::Before(ms(1_000)));
    let next = bed.zk.connected().await.unwrap();
    assert_eq!(next.session(), bed.connection.session());
    assert!(next.children(&path("/root")).await.unwrap().0.is_empty());
    bed.operator.create("/root/b", "").unwrap();
    next.sync(&path("/root")).await.unwrap();
    assert_eq!(next.children(&path("/root")).await.unwrap().0, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_close_at_a_follower_is_confirmed_before_the_connection_ends() {
    for version in [Version::V3_4, Version::V3_8] {
        let ensemble = builder(3).servers(3).version(version).build();
        let bed = Bed::of(ensemble).await;
        let created = bed.connection.create_ephemeral(&path("/root/a"), b"1", Acl::Open).await.unwrap();
        assert_eq!(created.ephemeral_owner, Some(bed.connection.session().id));
        let begun = Instant::now();
        assert!(bed.zk.close(MINUTE).await.is_ok());
        assert!(begun.elapsed() >= LAG && begun.elapsed() < LAG + ms(20));
        assert_eq!(bed.operator.stat("/root/a"), None);
    }
}

/// Reads and writes at random for a minute, whatever fails.
async fn wander(zk: Zk) {
    let mut rng = zk.sources().rng();
    let root = path("/root");
    let work = async {
        while let Ok(connection) = zk.connected().await {
            let znode = root.join(&rng.random_range(0..5).to_string()).unwrap();
            let data = rng.random_range(0..100).to_string();
            let _ = match rng.random_range(0..6) {
                0 => connection.create_ephemeral(&znode, data.as_bytes(), Acl::Open).await.map(drop),
                1 => connection.set_data(&znode, data.as_bytes(), None).await.map(drop),
                2 => connection.delete(&znode, None).await,
                3 => connection.sync(&root).await,
                4 => connection.children(&root).await.map(drop),
                _ => match connection.watch_recursive(&root).await {
                    Ok(mut watch) => {
                        let _ = timeout(ms(50), watch.next()).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
            };
            sleep(ms(rng.random_range(0..20))).await;
        }
    };
    let _ = timeout(MINUTE, work).await;
}

/// Nobody writes any more: all servers show the same.
async fn all_servers_are_the_same(ensemble: &SimulatedEnsemble, operator: &Operator) {
    let (client, root) = (ensemble.client(), path("/root"));
    let number = client.number();
    let zk = ensemble.start_link(client);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let connection = zk.connected().await.unwrap();
        seen.insert(ensemble.server_of(number).unwrap());
        let (mut names, stat) = connection.children(&root).await.unwrap();
        names.sort();
        assert_eq!((names.clone(), Some(stat)), (operator.children("/root"), operator.stat("/root")));
        for name in names {
            let znode = root.join(&name).unwrap();
            let (data, stat) = connection.data(&znode).await.unwrap();
            assert_eq!((Some(data), Some(stat)), (operator.data(&znode), operator.stat(&znode)));
        }
        ensemble.cut_client(number);
    }
}

fn run(seed: u64) -> Vec<String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let ensemble = builder(seed).servers(3).follower_lag(ms(0)..=ms(200)).event_zxids(true).build();
        let operator = ensemble.operator();
        operator.create("/root", "").unwrap();
        ensemble.random_faults(Chaos::bad_day());
        let others: Vec<_> = (0..3).map(|_| tokio::spawn(wander(ensemble.zk()))).collect();
        let mut rng = ensemble.sources(99).rng();
        for round in 0..20 {
            sleep(ms(rng.random_range(0..3_000))).await;
            let server = rng.random_range(0..3);
            match round % 4 {
                0 | 2 => {
                    ensemble.server_down(server, true);
                    sleep(ms(rng.random_range(0..3_000))).await;
                    ensemble.server_down(server, false);
                }
                1 => ensemble.start(Restart::Before(ms(rng.random_range(0..5_000)))),
                _ => ensemble.set_follower_lag(server, ms(0)..=ms(rng.random_range(0..1_000))),
            }
        }
        for other in others {
            other.await.unwrap();
        }
        ensemble.random_faults(Chaos::default());
        for server in 0..3 {
            ensemble.set_follower_lag(server, ms(0)..=ms(0));
        }
        sleep(ms(20_000)).await;
        all_servers_are_the_same(&ensemble, &operator).await;
        ensemble.log()
    })
}

#[test]
fn the_same_seed_gives_the_same_log_with_several_servers() {
    let mut all = Vec::new();
    for seed in 0..5 {
        let (first, second) = (run(seed), run(seed));
        let difference = first.iter().zip(&second).position(|(one, other)| one != other);
        assert_eq!(difference.map(|at| (&first[at], &second[at])), None);
        assert_eq!(first.len(), second.len());
        all.push(first);
    }
    assert_ne!(all[0], all[1]);
    let all = all.concat();
    let happened = [
        "leads",
        "goes down",
        "comes back",
        "starts: Before",
        "at zookeeper 0",
        "at zookeeper 2",
        "no leader",
    ];
    for happened in happened {
        assert!(all.iter().any(|line| line.contains(happened)), "{happened}");
    }
}
