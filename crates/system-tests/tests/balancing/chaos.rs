//! Calls every 5 ms over five servers, to which everything happens: no round fails.
//!
//! A client makes one call at a time, so one that waits for a hung server makes no others meanwhile.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::{Process, TICK, TestBed, Verdict, all_of, free_ports, heavy, name, require_that};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zk_testing::raw::{Client, CreateMode};
use zk_testing::{Ensemble, SESSION, SOON, holds_within};

use crate::asking::{Asking, Limits, Outcome, QUICK_STRATEGIES, Round, STRATEGIES};

const SERVERS: usize = 5;
/// More rounds than a scene takes.
const FOR_EVER: &str = "1000000";
/// Of a server that has failed again and again: 10 s and a quarter.
const LONGEST_EJECTION: Duration = Duration::from_millis(12_500);
/// The client whose log paces the scene: it meets every server within five rounds.
const PACE: &str = "round-robin";

/// What happens to a server while it is called.
#[derive(Clone, Copy, Debug)]
enum Incident {
    /// And started again.
    Killed,
    /// For as long as it takes a call to notice.
    Stopped,
    /// By somebody else; it registers again.
    Deregistered,
    /// What is slow has its port, and the server is gone afterwards.
    Slow,
    /// What resets every second connection has its port, and the server is gone afterwards.
    Resetting,
    /// Whether it runs or is gone.
    Restarted,
}

use Incident::{Deregistered, Killed, Resetting, Restarted, Slow, Stopped};

/// Everything happens once: incidents in a row at one server are ejections in a row, which take longer each time.
const EACH_ONCE: [&[Incident]; 3] = [&[Killed, Stopped], &[Deregistered, Slow], &[Resetting, Restarted]];
/// Everything happens to each server. The one restart is a slow one: bad servers take the place meanwhile.
const EACH_EVERYWHERE: [&[Incident]; SERVERS] =
    [&[Killed, Stopped, Deregistered, Slow, Resetting, Restarted]; SERVERS];

/// Five servers, and the clients that ask them.
struct Scene {
    bed: TestBed,
    /// For znodes by hand.
    zookeeper: Client,
    ports: Vec<u16>,
    servers: Vec<Option<Process>>,
    pace: Asking,
    others: Vec<Asking>,
}

impl Scene {
    async fn start(
        bed: TestBed,
        zookeeper: SocketAddr,
        limits: Limits,
        strategies: &[&'static str],
    ) -> Result<Self, String> {
        let ports = free_ports(SERVERS);
        let servers: Vec<_> = ports.iter().map(|port| Some(bed.server(&[*port]))).collect();
        bed.observer.until("five servers", SOON, all_of(&ports)).await?;
        let limits = limits.arguments(&bed);
        let ask = |strategy| {
            let mut arguments: Vec<_> = limits.iter().map(String::as_str).collect();
            arguments.extend(["--strategy", strategy, "--rounds", FOR_EVER, "--interval", "5ms"]);
            Asking::new(strategy, bed.client(&arguments))
        };
        let others = strategies.iter().copied().filter(|strategy| *strategy != PACE);
        let (pace, others) = (ask(PACE), others.map(ask).collect());
        let zookeeper = Client::connect(zookeeper, 2 * SESSION).await.map_err(|error| error.to_string())?;
        let mut scene = Self { bed, zookeeper, ports, servers, pace, others };
        for server in 0..SERVERS {
            scene.is_used(server).await?;
        }
        Ok(scene)
    }

    /// Has something happen to a server.
    async fn meet(&mut self, incident: Incident, server: usize) -> Verdict {
        match incident {
            Incident::Killed => self.kill(server).await,
            Incident::Stopped => self.stop(server).await,
            Incident::Deregistered => self.deregister(server).await,
            Incident::Slow => self.replace(server, Bad::Slow).await,
            Incident::Resetting => self.replace(server, Bad::Resets).await,
            Incident::Restarted => {
                self.end(server).await?;
                self.start_again(server).await
            }
        }
    }

    async fn kill(&mut self, server: usize) -> Verdict {
        let process = self.take(server)?;
        let retried = self.retried();
        process.kill().await;
        self.is_met(retried).await?;
        self.start_again(server).await
    }

    async fn stop(&mut self, server: usize) -> Verdict {
        let retried = self.retried();
        self.signal(server, Signal::SIGSTOP)?;
        let met = self.is_met(retried).await;
        self.signal(server, Signal::SIGCONT)?;
        met?;
        self.is_used(server).await
    }

    async fn deregister(&mut self, server: usize) -> Verdict {
        let (endpoint, znode) = (name(self.ports[server]), self.znode(server));
        let before = self.bed.observer.now().and_then(|nodes| nodes.get(&endpoint).cloned());
        self.zookeeper.delete(&znode, None).await.map_err(|error| format!("{znode}: {error}"))?;
        let anew = |nodes: &BTreeMap<String, _>| {
            nodes.get(&endpoint).is_some_and(|node| Some(node) != before.as_ref())
        };
        self.bed.observer.until("it is registered again", SOON, anew).await?;
        self.is_used(server).await
    }

    /// Ends a server as a deployment does, if it runs.
    async fn end(&mut self, server: usize) -> Verdict {
        let Some(process) = self.servers[server].take() else { return Ok(()) };
        process.signal(Signal::SIGTERM);
        process.exit(SOON).await.map(drop)
    }

    /// Has a bad server take a server's place, until that has taken effect. Afterwards nobody is there.
    async fn replace(&mut self, server: usize, bad: Bad) -> Verdict {
        self.end(server).await?;
        let impostor = Impostor::start(self.ports[server], bad).await.map_err(|error| error.to_string())?;
        let (znode, retried) = (self.znode(server), self.retried());
        let created = self.zookeeper.create(&znode, b"", CreateMode::Ephemeral).await;
        created.map_err(|error| format!("{znode}: {error}"))?;
        self.is_met(retried).await?;
        // Beyond the first failure: it is tried again, and again is no good.
        let harmed = impostor.harmed();
        let enough = async || impostor.harmed() >= harmed + 2;
        holds_within(&format!("{bad:?} harms two more calls"), SOON + 2 * LONGEST_EJECTION, enough).await?;
        self.zookeeper.delete(&znode, None).await.map_err(|error| format!("{znode}: {error}"))?;
        impostor.end().await;
        Ok(())
    }

    async fn start_again(&mut self, server: usize) -> Verdict {
        self.servers[server] = Some(self.bed.server(&[self.ports[server]]));
        self.is_used(server).await?;
        let running = self.ports.iter().zip(&self.servers).filter(|(_, process)| process.is_some());
        let running: Vec<_> = running.map(|(port, _)| *port).collect();
        self.bed.observer.until("those that run are registered", SOON, all_of(&running)).await.map(drop)
    }

    fn take(&mut self, server: usize) -> Result<Process, String> {
        self.servers[server].take().ok_or_else(|| format!("server {server} does not run"))
    }

    fn signal(&self, server: usize, signal: Signal) -> Verdict {
        let process = self.servers[server].as_ref();
        process.ok_or_else(|| format!("server {server} does not run"))?.signal(signal);
        Ok(())
    }

    fn znode(&self, server: usize) -> String {
        format!("/go_servers/{}", name(self.ports[server]))
    }

    /// How many rounds took more than one attempt.
    fn retried(&mut self) -> usize {
        let retried = |round: &&Round| round.outcome != Outcome::Answered { attempts: 1 };
        self.pace.rounds().iter().filter(retried).count()
    }

    /// Waits until a call has met the fault: its first attempt failed.
    async fn is_met(&mut self, before: usize) -> Verdict {
        holds_within("a call meets the fault", SOON, async || self.retried() > before).await
    }

    /// Waits until a server answers again.
    async fn is_used(&mut self, server: usize) -> Verdict {
        let answer = name(self.ports[server]) + ":";
        let client = self.pace.process();
        let mut read = client.out_from(0).len();
        let used = async || {
            let lines = client.out_from(read);
            read += lines.len();
            lines.iter().any(|(_, line)| line.starts_with(&answer))
        };
        let used = holds_within(&format!("{answer} answers"), SOON + LONGEST_EJECTION, used).await;
        used.map_err(|late| format!("{late}; servers: {:?}", self.bed.observer.now()))
    }

    /// No client has lost a round so far.
    fn passed(&mut self, incident: Incident, server: usize) -> Verdict {
        for client in self.others.iter_mut().chain([&mut self.pace]) {
            let strategy = client.strategy;
            let rounds = client.rounds();
            let lost: Vec<_> = rounds.iter().filter(|round| round.is_lost()).collect();
            require_that!(lost.is_empty(), "server {server}, {incident:?}, {strategy}: {lost:#?}");
        }
        Ok(())
    }

    async fn play(mut self, plot: &[&[Incident]]) -> Verdict {
        let began = Instant::now();
        for (server, incidents) in plot.iter().enumerate() {
            for incident in *incidents {
                let met = self.meet(*incident, server).await;
                met.map_err(|violation| {
                    format!("server {server} does not become {incident:?}: {violation}")
                })?;
                self.passed(*incident, server)?;
            }
        }
        let took = began.elapsed();
        for client in self.others.iter_mut().chain([&mut self.pace]) {
            let strategy = client.strategy;
            require_that!(!client.process().has_ended(), "{strategy}: {}", client.process().err());
            let rounds = client.rounds();
            let retried = rounds.iter().filter(|round| round.failed_attempts() > 0).count();
            let longest = rounds.iter().skip(1).map(|round| round.took).max().unwrap_or_default();
            println!(
                "{strategy}: {} rounds in {took:.1?}, {retried} retried, the longest {longest:.0?}",
                rounds.len()
            );
        }
        Ok(())
    }
}

/// What is wrong with a server that takes another one's place.
#[derive(Clone, Copy, Debug)]
enum Bad {
    /// Answers after a second.
    Slow,
    /// Resets every second connection, beginning with the first.
    Resets,
}

/// A bad server. `Drop` ends it.
struct Impostor {
    harmed: Arc<AtomicUsize>,
    serving: JoinSet<()>,
}

impl Impostor {
    async fn start(port: u16, bad: Bad) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let harmed: Arc<AtomicUsize> = Arc::default();
        let counted = harmed.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Ended with this task.
            let mut connections = JoinSet::new();
            for number in 0_usize.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                connections.spawn(bad.answer(number, stream, counted.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { harmed, serving })
    }

    /// How many calls met the fault.
    fn harmed(&self) -> usize {
        self.harmed.load(Ordering::Relaxed)
    }

    /// Closes its sockets, so that another program can take the port.
    async fn end(mut self) {
        self.serving.shutdown().await;
    }
}

impl Bad {
    async fn answer(self, number: usize, mut stream: TcpStream, harmed: Arc<AtomicUsize>) {
        match self {
            Self::Slow => {
                harmed.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
            }
            Self::Resets if number.is_multiple_of(2) => {
                harmed.fetch_add(1, Ordering::Relaxed);
                let _ = stream.set_zero_linger();
                return;
            }
            Self::Resets => {}
        }
        // The caller may have left.
        let _ = stream.write_all(b"an impostor's time\n").await;
    }
}

async fn on_the_embedded_server(
    limits: Limits,
    strategies: &[&'static str],
    plot: &[&[Incident]],
) -> Verdict {
    let zookeeper = zk_embedded::Server::builder().tick(TICK).start().await.unwrap();
    let bed = TestBed::new(system_tests::programs!(), vec![zookeeper.addr()]);
    Scene::start(bed, zookeeper.addr(), limits, strategies).await?.play(plot).await
}

/// Short attempts, and the time of a round is the default.
const SHORT_ATTEMPTS: Limits = Limits { round: Limits::DEFAULT.round, ..Limits::SHORT };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_round_is_lost_whatever_happens_to_one_of_five_servers() {
    let played = on_the_embedded_server(SHORT_ATTEMPTS, QUICK_STRATEGIES, &EACH_ONCE).await;
    played.unwrap_or_else(|violation| panic!("{violation}"));
}

/// The negative control: a round that has time for one attempt is lost when it meets a stopped server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_round_without_time_for_a_second_attempt_is_found_to_be_lost() {
    let limits = Limits { round: Limits::SHORT.attempt, ..Limits::SHORT };
    let violation = on_the_embedded_server(limits, &[], &[&[Killed, Stopped]]).await.unwrap_err();
    assert!(violation.starts_with(&format!("server 0, Stopped, {PACE}: ")), "{violation}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_round_is_lost_whatever_happens_to_each_of_five_servers_in_turn() {
    let Some(()) = heavy("servers that fail in turn, for minutes") else { return };
    let played = on_the_embedded_server(SHORT_ATTEMPTS, &STRATEGIES, &EACH_EVERYWHERE).await;
    played.unwrap_or_else(|violation| panic!("{violation}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_round_is_lost_whatever_happens_to_each_of_five_servers_on_an_ensemble() {
    let Some(()) = heavy("servers that fail in turn, on an ensemble, at the default timeouts") else {
        return;
    };
    let Some(()) = test_zookeeper::require_apache() else { return };
    let ensemble = Ensemble::start(3).await.unwrap();
    let addresses: Vec<_> = ensemble.servers().iter().map(zk_testing::Server::addr).collect();
    let first = addresses[0];
    // A server is stopped for longer than an attempt, and keeps its session.
    let bed = TestBed::new(system_tests::programs!(), addresses).with_session(2 * SESSION);
    let scene = Scene::start(bed, first, Limits::DEFAULT, &STRATEGIES).await.unwrap();
    scene.play(&EACH_EVERYWHERE).await.unwrap_or_else(|violation| panic!("{violation}"));
}
