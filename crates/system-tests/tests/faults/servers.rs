//! Rows in which a daytime server is killed, frozen, stopped or started.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use system_tests::{
    Node, PROPAGATION, Process, Programs, SESSION, TestBed, Verdict, free_port, free_ports, os_message,
    require_that,
};
use test_zookeeper::Server;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::*;

// === 1: kill -9 of one server of three, under load ===

pub(crate) async fn row_01(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs, vec![zk.addr()]);
    let (ports, mut servers, _) = three_servers(&bed).await?;
    let client = bed.client(&["--rounds", "400", "--interval", "10ms"]);
    until_answers(&client, 50).await?;
    servers.remove(0).kill().await;
    bed.observer.until("I4: the dead one is gone", gone_within(), all_of(&ports[1..])).await?;
    let exit = all_answered(client, 400).await?;
    let gap = longest_gap(&exit);
    require_that!(gap < Duration::from_millis(500), "{gap:?} without an answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_01_a_server_killed_under_load_costs_no_request() {
    let Some(_) = test_zookeeper::require() else { return };
    row_01(real()).await.unwrap();
}

// === 2: kill -9 of all servers ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_02_with_all_servers_killed_each_request_fails_in_time_and_the_next_server_is_used_at_once() {
    /// How long a request may take here.
    const DEADLINE: Duration = Duration::from_millis(300);
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (mut ports, servers, _) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = bed.client(&["--rounds", "100000", "--interval", "20ms", "--timeout", "300ms"]);
    until_answers(&client, 20).await.unwrap();
    let killed = Instant::now();
    for server in servers {
        server.kill().await;
    }
    let dead = Instant::now();
    bed.observer.until("I4: none is left", gone_within(), all_of(&[])).await.unwrap();
    // The asking client finds that they refuse, and believes at once that they are gone.
    let empty = "there are no endpoints";
    until("I4: the asking client knows", PROPAGATION + 2 * DEADLINE, || client.err().contains(empty))
        .await
        .unwrap();
    // The watching client holds a mass disappearance before it believes it.
    let within = SESSION + Duration::from_secs(2) + PROPAGATION;
    until("I4: the watching client knows", within, || changes(&watch).len() == 6).await.unwrap();

    let port = free_port();
    ports.push(port);
    let _server = bed.server(&[port]);
    bed.observer.until("the first new server", SOON, all_of(&ports[3..])).await.unwrap();
    let registered = Instant::now();
    // A request that has found no endpoint may pause before it looks again.
    let used = || client.out().iter().any(|(_, line)| line.starts_with(&name(port)));
    until("the new server is used", PROPAGATION + DEADLINE, used).await.unwrap();
    until("the new server is printed", PROPAGATION, || changes(&watch).len() == 7).await.unwrap();

    // Answers and errors in one sequence: one for each request, none later than the deadline allows.
    let failures: Vec<_> = client.log().into_iter().filter(|(_, line)| line.starts_with("round ")).collect();
    assert!(failures.len() >= 10, "the fault did not take effect: {failures:?}");
    for (_, line) in &failures {
        let clear = line.contains("refused") || line.contains(empty);
        assert!(clear, "the cause is missing: {line}");
    }
    let ended = client.out().into_iter().chain(failures).map(|(at, _)| at);
    let mut ended: Vec<_> = ended.filter(|at| *at >= killed && *at <= registered).collect();
    ended.extend([dead, registered]);
    ended.sort();
    let gap = ended.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(
        gap < DEADLINE + PROPAGATION,
        "{gap:?} without an answer or an error, with a deadline of {DEADLINE:?}"
    );
}

// === 3 and 4: a server is frozen ===

const ATTEMPT: Duration = Duration::from_millis(500);

/// A client that asks every 10 ms, with half a second for each attempt.
async fn impatient(bed: &TestBed, rounds: usize) -> Result<Process, String> {
    bed.write("impatient.toml", "[client]\nattempt_timeout = \"500ms\"\nstrategy = \"round-robin\"\n");
    let rounds = rounds.to_string();
    let arguments = ["--config", "impatient.toml", "--rounds", &rounds, "--interval", "10ms"];
    let client = bed.client(&arguments);
    until_answers(&client, 50).await?;
    Ok(client)
}

fn answered_by(client: &Process, port: u16) -> Vec<Instant> {
    let by = name(port) + ":";
    client.out().into_iter().filter(|(_, line)| line.starts_with(&by)).map(|(at, _)| at).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_03_a_server_frozen_for_half_the_timeout_stays_registered_and_costs_no_request() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (ports, servers, before) = three_servers(&bed).await.unwrap();
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 3).await.unwrap();
    let client = impatient(&bed, 500).await.unwrap();
    servers[0].signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    // Its last ping was up to 3/8 T ago: after more than 5/8 T it may lose its session.
    sleep_until(stopped + SESSION / 2).await;
    let during = answered_by(&client, ports[0]).into_iter().filter(|at| *at > stopped + PROPAGATION);
    assert_eq!(during.count(), 0, "the fault did not take effect");
    servers[0].signal(Signal::SIGCONT);
    let going = Instant::now();
    // At most the second trial has failed meanwhile: the third comes within 400 ms and a quarter, after an attempt that
    // may be under way.
    let back = || answered_by(&client, ports[0]).last().is_some_and(|at| *at > going);
    until("it is used again", Duration::from_millis(1000) + PROPAGATION, back).await.unwrap();
    let gap = longest_gap(&all_answered(client, 500).await.unwrap());
    assert!(gap < ATTEMPT + PROPAGATION, "I3: {gap:?} without an answer");
    sleep_until(going + gone_within()).await;
    let after = bed.observer.until("all three", PROPAGATION, all_of(&ports)).await.unwrap();
    assert_eq!(after, before, "I7: the same znodes of the same sessions");
    assert_eq!(changes(&watch).len(), 3, "I7: {:?}", changes(&watch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_04_a_server_frozen_beyond_the_timeout_registers_again_once_and_answers_nobody_before() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let (ports, servers, before) = three_servers(&bed).await.unwrap();
    let client = impatient(&bed, 800).await.unwrap();
    servers[0].signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    bed.observer.until("I4: it is gone", gone_within(), all_of(&ports[1..])).await.unwrap();
    let gone = Instant::now();
    sleep_until(stopped + 3 * SESSION).await;
    let still = bed.observer.until("two", PROPAGATION, all_of(&ports[1..])).await.unwrap();
    let logged_before = servers[0].log().len();
    servers[0].signal(Signal::SIGCONT);
    let within = BACKOFF + Duration::from_secs(1);
    let after = bed.observer.until("registered again", within, all_of(&ports)).await.unwrap();
    let registered = Instant::now();

    owned(&after).unwrap();
    assert_ne!(after[&name(ports[0])].owner, before[&name(ports[0])].owner, "by a new session");
    for (name, node) in still {
        assert_eq!((after.get(&name), before.get(&name)), (Some(&node), Some(&node)), "I7: the others");
    }
    // It is asked again; while it was not listed, no request got an answer from it.
    until("it is used again", SOON, || answered_by(&client, ports[0]).last() > Some(&registered))
        .await
        .unwrap();
    let unlisted = |at: &Instant| *at > gone + PROPAGATION && *at < registered - PROPAGATION;
    let answers = answered_by(&client, ports[0]);
    assert_eq!(answers.iter().filter(|at| unlisted(at)).count(), 0, "I9: answers of an unlisted server");
    all_answered(client, 800).await.unwrap();
    // I9: the server logs once that it is registered, with the znode and the session that the observer sees.
    let log: Vec<_> = servers[0].log().split_off(logged_before).into_iter().map(|(_, line)| line).collect();
    let registered: Vec<_> = log.iter().filter(|line| line.contains(" registered ")).collect();
    assert_eq!(registered.len(), 1, "{log:#?}");
    let znode = &after[&name(ports[0])];
    let identity = format!("czxid={:#x} session={:#x}", znode.czxid, znode.owner);
    assert!(registered[0].contains(&identity), "{identity}: {log:#?}");
    // I5: the end of the old session does not take the new znode away.
    sleep(gone_within()).await;
    let later = bed.observer.until("all three", PROPAGATION, all_of(&ports)).await.unwrap();
    assert_eq!(later, after);
}

// === 5: graceful stops under load ===

pub(crate) async fn row_05(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs, vec![zk.addr()]);
    let (ports, servers, _) = three_servers(&bed).await?;
    let client = bed.client(&["--rounds", "1200", "--interval", "5ms", "--strategy", "round-robin"]);
    until_answers(&client, 50).await?;
    let mut again = Vec::new();
    for (port, server) in ports.iter().zip(servers) {
        let others: Vec<_> = ports.iter().copied().filter(|other| other != port).collect();
        server.signal(Signal::SIGTERM);
        bed.observer.until("it is gone", 2 * PROPAGATION, all_of(&others)).await?;
        let exit = server.exit(Duration::from_secs(5)).await?;
        require_that!(exit.code == Some(0), "exit code {:?}:\n{}", exit.code, exit.err);
        again.push(bed.server(&[*port]));
        bed.observer.until("it is back", SOON, all_of(&ports)).await?;
    }
    let exit = all_answered(client, 1200).await?;
    let failed: Vec<_> = exit.err.lines().filter(|line| line.contains("attempt failed")).collect();
    require_that!(failed.is_empty(), "attempts failed, although each server deregistered first: {failed:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_05_graceful_stops_under_load_cost_not_even_an_attempt() {
    let Some(_) = test_zookeeper::require() else { return };
    row_05(real()).await.unwrap();
}

// === 6: SIGTERM while ZooKeeper is down ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_06_sigterm_without_zookeeper_ends_the_server_in_time() {
    let Some(_) = test_zookeeper::require() else { return };
    let mut zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = free_ports(2);
    let server = bed.server(&ports);
    bed.observer.until("both ports", SOON, all_of(&ports)).await.unwrap();
    zk.kill().await;
    server.signal(Signal::SIGTERM);
    let exit = server.exit(Duration::from_secs(5)).await.unwrap();
    assert_eq!(exit.code, Some(0), "{}", exit.err);
    zk.start_again().await.unwrap();
    bed.observer.until("nothing is left", gone_within(), all_of(&[])).await.unwrap();
}

// === 23: killed and restarted within the session timeout ===

pub(crate) async fn row_23(programs: Programs) -> Verdict {
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(programs, vec![zk.addr()]);
    let ports = free_ports(2);
    let server = bed.server(&ports);
    let before = bed.observer.until("the server", SOON, all_of(&ports)).await?;
    let watch = bed.client(&["watch", "--json"]);
    until_changes(&watch, 2).await?;
    let killed = Instant::now();
    server.kill().await;
    sleep(Duration::from_millis(200)).await;
    let _server = bed.server(&ports);
    let names: Vec<_> = ports.iter().copied().map(name).collect();
    let other = |nodes: &BTreeMap<String, Node>| {
        names.iter().all(|name| nodes.get(name).is_some_and(|node| node.owner != before[name].owner))
    };
    let after = bed.observer.until("the new session owns it", Duration::from_secs(1), other).await?;
    owned(&after)?;
    sleep_until(killed + 3 * SESSION).await;
    let later = bed.observer.until("still there", PROPAGATION, all_of(&ports)).await?;
    require_that!(later == after, "I7: {after:?} became {later:?}");
    never_missing(&bed.observer.since(killed), &names)?;
    require_that!(changes(&watch).len() == 2, "a client saw a gap: {:?}", changes(&watch));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_23_a_restarted_server_is_never_missing() {
    let Some(_) = test_zookeeper::require() else { return };
    row_23(real()).await.unwrap();
}

// === 42: the configuration is wrong ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_42_a_wrong_configuration_ends_both_programs_before_they_listen_or_register() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let port = free_port();
    let good = format!("[zookeeper]\nhosts = ['{}']\n[server]\nports = [{port}]\n", bed.hosts());
    bed.write("value.toml", &format!("{good}grace = 'soon'\n"));
    bed.write("key.toml", &format!("{good}prots = [1]\n"));
    bed.write("syntax.toml", &format!("{good}host = \n"));
    bed.write("twice.toml", &format!("{good}[server]\n"));
    bed.write("large.toml", &"#".repeat(2 << 20));
    bed.write("folder.toml/file", "");
    let cases = [
        ("value.toml", "value.toml:5:9: server.grace: expected a duration"),
        ("key.toml", "key.toml:5:1: server.prots: unknown key; did you mean ports?"),
        ("syntax.toml", "syntax.toml:5:"),
        ("twice.toml", "twice.toml:5:"),
        ("large.toml", "large.toml: "),
        ("folder.toml", "folder.toml: "),
        ("missing.toml", "missing.toml: no such file"),
    ];
    let started = Instant::now();
    for (file, expected) in cases {
        let arguments = ["--config", file];
        for process in [bed.server_with(&arguments), bed.client_with(&arguments)] {
            let exit = process.exit(Duration::from_secs(2)).await.unwrap();
            assert!(exit.code == Some(2) && exit.out.is_empty(), "{file}: {exit:?}");
            assert!(exit.err.starts_with(expected), "no {expected:?} in {:?}", exit.err);
            assert_eq!(exit.err.lines().count(), 1, "{file}: {}", exit.err);
        }
    }
    let seen = bed.observer.since(started);
    assert!(seen.iter().all(|sighting| sighting.nodes == Some(BTreeMap::new())), "{seen:?}");
}

// === 43: a port is in use ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_43_a_port_in_use_ends_the_server_with_1_and_without_a_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    let ports = free_ports(3);
    let _holder = std::net::TcpListener::bind(("127.0.0.1", ports[1])).unwrap();
    let started = Instant::now();
    let exit = bed.server(&ports).exit(Duration::from_secs(1)).await.unwrap();
    assert_eq!(exit.code, Some(1));
    let error = exit.err.lines().last().unwrap_or_default();
    let in_use = os_message(Errno::EADDRINUSE);
    assert!(error.contains(&name(ports[1])) && error.contains(&in_use), "{}", exit.err);
    sleep(gone_within()).await;
    let seen = bed.observer.since(started);
    assert!(seen.iter().all(|sighting| sighting.nodes == Some(BTreeMap::new())), "{seen:?}");
}

// === 44: SIGTERM at any moment of the start ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_44_sigterm_at_any_moment_of_the_start_leaves_no_znode() {
    let Some(_) = test_zookeeper::require() else { return };
    let zk = Server::start().await.unwrap();
    let bed = TestBed::new(real(), vec![zk.addr()]);
    for round in 0..50u64 {
        let port = free_port();
        let server = bed.server(&[port]);
        let end = Instant::now() + Duration::from_millis(round * 10);
        let mut seen = false;
        while Instant::now() < end {
            if !seen && bed.observer.now().is_some_and(|nodes| nodes.contains_key(&name(port))) {
                seen = true;
                let connected = TcpStream::connect(("127.0.0.1", port)).await;
                assert!(connected.is_ok(), "round {round}: a znode without a listener: {connected:?}");
            }
            sleep(Duration::from_millis(1)).await;
        }
        server.signal(Signal::SIGTERM);
        let exit = server.exit(Duration::from_secs(2)).await.unwrap_or_else(|e| panic!("round {round}: {e}"));
        // Before the program handles signals, SIGTERM ends it by default.
        assert!(exit.code == Some(0) || (exit.code.is_none() && !seen), "round {round}: {exit:?}");
        bed.observer.until("nothing is left", PROPAGATION, all_of(&[])).await.unwrap();
    }
}
