//! Measures the embedded server and Apache ZooKeeper side by side and prints one table.
//!
//! `cargo bench -p zk-embedded --features program`, or with other than 5 rounds
//! `cargo bench -p zk-embedded --features program --bench side_by_side -- --rounds 9`. In every round both servers do the
//! same, one after the other, each round in another order; the table has the medians. Both run as processes of their own
//! beside the client, which is the same for both: it writes and counts frames and decodes nothing but headers. Where
//! Apache ZooKeeper is not installed, its column stays empty.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use zk_embedded::{Server, Shutdown};
use zk_testing::{Installation, Server as ZooKeeper};
use zk_wire::{Acl, ConnectRequest, CreateKind, ErrorCode, Framed, Reader, ReplyHeader, Request, xid};

/// Set for the copy of this program that serves.
const SERVE: &str = "ZK_EMBEDDED_BENCH_SERVE";
const CREATES: usize = 50_000;
const WATCHERS: usize = 10_000;
/// How many files this program opens at most besides the connections of the watchers.
const OTHER_FILES: usize = 200;
const KEPT_ZNODES: usize = 100_000;
const KEPT_SESSIONS: usize = 100;
const KEPT_WATCHES_EACH: usize = 1_000;
const DATA: &[u8; 10] = b"0123456789";
/// Long, so that no session ends while it has nothing to do.
const TICK: Duration = Duration::from_secs(10);
const SESSION_TIMEOUT_MS: i32 = 200_000;
const START_DEADLINE: Duration = Duration::from_secs(30);
/// Seldom enough to leave the cores to the server that starts.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(10);

/// Measures the embedded server and Apache ZooKeeper side by side.
#[derive(Debug, Parser)]
struct Flags {
    /// How often everything is measured; the table has the medians.
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,

    /// `cargo bench` passes this, and `cargo test`, which only checks that the program starts, does not.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let result = if env::var_os(SERVE).is_some() { serve() } else { measure(&Flags::parse()) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("side_by_side: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn measure(flags: &Flags) -> Outcome<()> {
    if !flags.bench {
        println!("nothing measured; run it by: cargo bench -p zk-embedded --features program");
        return Ok(());
    }
    let began = Instant::now();
    let rounds = flags.rounds.get();
    let zookeeper = match Installation::find() {
        Ok(_) => true,
        Err(missing) => {
            eprintln!("SKIPPED the column of Apache ZooKeeper: {missing}");
            false
        }
    };

    let starts = measure_starts(rounds, zookeeper).await?;
    let servers = Servers::start(zookeeper).await?;
    let creates = measure_creates(rounds, &servers).await?;
    // Those of both servers are open at a time.
    let watchers = WATCHERS.min(open_files()?.saturating_sub(OTHER_FILES) / 2);
    let events = measure_events(rounds, &servers, watchers).await?;
    drop(servers);
    let memory = measure_memory(rounds).await?;

    let table = [
        Row::new("start to first reply, in the process of the caller", "ms", [starts.within, vec![]]),
        Row::new("start to first reply, as a process", "ms", starts.processes),
        Row::new(format!("{} creates on one connection, pipelined", grouped(CREATES)), "creates/s", creates),
        Row::new(format!("{} watchers of one znode, write to last event", grouped(watchers)), "ms", events),
        Row::new(format!("memory of a znode, of {}", grouped(KEPT_ZNODES)), "bytes", [memory.znode, vec![]]),
        Row::new(
            format!("memory of a watch, of {KEPT_SESSIONS} sessions x {} paths", grouped(KEPT_WATCHES_EACH)),
            "bytes",
            [memory.watch, vec![]],
        ),
    ];
    let cores = std::thread::available_parallelism().map_or(0, NonZeroUsize::get);
    println!();
    println!("Medians of {rounds} rounds; {cores} cores, which client and server share.");
    print_table(&table);
    println!(
        "Apache ZooKeeper does not force writes to the disk here. It starts with a small heap and the fast"
    );
    println!(
        "compiler only; what follows is measured with 1 GiB, all compilers and after a round to warm up."
    );
    if watchers < WATCHERS {
        println!("Only {} watchers, as this process may open no more files (ulimit -n).", grouped(watchers));
    }
    println!("The whole run took {:.0} s.", began.elapsed().as_secs_f64());
    Ok(())
}

// === what is measured ===

/// One list of measurements for the embedded server, one for Apache ZooKeeper; empty if there are none.
type Columns = [Vec<f64>; 2];

const EMBEDDED: usize = 0;
const ZOOKEEPER: usize = 1;

#[derive(Default)]
struct Starts {
    within: Vec<f64>,
    processes: Columns,
}

/// Measures from the order to start until a client has its session.
async fn measure_starts(rounds: usize, zookeeper: bool) -> Outcome<Starts> {
    let mut java = if zookeeper { Some(ZooKeeper::start().await?) } else { None };
    let mut starts = Starts::default();
    for round in progress("start", rounds) {
        for column in order(round) {
            if column == EMBEDDED {
                let begun = Instant::now();
                let server = Server::start().await?;
                Client::connect(server.addr()).await?;
                starts.within.push(millis(begun.elapsed()));
                server.shutdown(Shutdown::DropConnections).await;

                let begun = Instant::now();
                let child = Child::start().await?;
                Client::connect(child.addr).await?;
                starts.processes[EMBEDDED].push(millis(begun.elapsed()));
            } else if let Some(java) = &mut java {
                java.kill().await;
                java.wipe()?;
                let begun = Instant::now();
                java.launch()?;
                timeout(START_DEADLINE, first_reply(java.addr())).await?;
                starts.processes[ZOOKEEPER].push(millis(begun.elapsed()));
            }
        }
    }
    Ok(starts)
}

/// Tries until a server grants a session.
///
/// The attempts overlap: ZooKeeper accepts some connections while it starts, and never replies on them.
async fn first_reply(addr: SocketAddr) {
    let mut attempts = JoinSet::new();
    loop {
        attempts.spawn(Client::connect(addr));
        let connected = async {
            while let Some(result) = attempts.join_next().await {
                if matches!(result, Ok(Ok(_))) {
                    return;
                }
            }
            std::future::pending().await
        };
        if timeout(ATTEMPT_INTERVAL, connected).await.is_ok() {
            return;
        }
    }
}

/// Creates znodes without waiting for replies, and measures until the last reply is there; znodes per second.
async fn measure_creates(rounds: usize, servers: &Servers) -> Outcome<Columns> {
    let mut columns = Columns::default();
    // Round 0 warms up.
    for round in progress("create", rounds + 1) {
        let parent = format!("/creates-{round}");
        let mut frames = Vec::new();
        for number in 0..CREATES {
            create(&mut frames, &format!("{parent}/n{number:07}"));
        }
        for (column, addr) in servers.in_order(round) {
            let mut client = Client::connect(addr).await?;
            client.call(|frames| create(frames, &parent)).await?;
            let begun = Instant::now();
            client.pipeline(&frames, CREATES).await?;
            let seconds = begun.elapsed().as_secs_f64();
            if round > 0 {
                columns[column].push(CREATES as f64 / seconds);
            }
            client.close().await?;
        }
    }
    Ok(columns)
}

/// Measures from a write until the last of many sessions has its event.
async fn measure_events(rounds: usize, servers: &Servers, watchers: usize) -> Outcome<Columns> {
    let mut crowds = [Vec::new(), Vec::new()];
    for (column, addr) in servers.in_order(0) {
        Client::connect(addr).await?.call(|frames| create(frames, "/watched")).await?;
        crowds[column] = crowd(addr, watchers).await?;
    }

    let mut columns = Columns::default();
    for round in progress("watch", rounds + 1) {
        for (column, addr) in servers.in_order(round) {
            let mut writer = Client::connect(addr).await?;
            let (armed, mut all_armed) = mpsc::unbounded_channel();
            let mut waiting = JoinSet::new();
            // Each task ends with its event, or with its connection.
            for mut client in std::mem::take(&mut crowds[column]) {
                let armed = armed.clone();
                waiting.spawn(async move {
                    client.call(|frames| get_and_watch(frames, "/watched")).await?;
                    // The receiver is there until all have sent, or one has failed.
                    let _ = armed.send(());
                    drop(armed);
                    client.event().await?;
                    io::Result::Ok((client, Instant::now()))
                });
            }
            drop(armed);
            for _ in 0..watchers {
                // A task that failed sends nothing; its result has the reason.
                if all_armed.recv().await.is_none() {
                    break;
                }
            }

            let begun = Instant::now();
            writer.call(|frames| set(frames, "/watched")).await?;
            let mut last = begun;
            while let Some(result) = waiting.join_next().await {
                let (client, time) = result??;
                last = last.max(time);
                crowds[column].push(client);
            }
            if round > 0 {
                columns[column].push(millis(last - begun));
            }
            writer.close().await?;
        }
    }
    Ok(columns)
}

/// Opens many sessions, some at a time, so that no queue of new connections overflows.
async fn crowd(addr: SocketAddr, size: usize) -> Outcome<Vec<Client>> {
    const AT_A_TIME: usize = 32;
    let mut crowd = Vec::with_capacity(size);
    let mut connecting = JoinSet::new();
    for _ in 0..size {
        if connecting.len() == AT_A_TIME
            && let Some(result) = connecting.join_next().await
        {
            crowd.push(result??);
        }
        connecting.spawn(Client::connect_with(addr, 256));
    }
    while let Some(result) = connecting.join_next().await {
        crowd.push(result??);
    }
    Ok(crowd)
}

#[derive(Default)]
struct Memory {
    znode: Vec<f64>,
    watch: Vec<f64>,
}

/// Measures by how many bytes the resident memory of a new server grows.
async fn measure_memory(rounds: usize) -> Outcome<Memory> {
    let path = |number: usize| format!("/kept/n{number:07}");
    // Few at a time: queues and buffers should not count.
    let batch = 100;
    let mut memory = Memory::default();
    for _ in progress("memory", rounds) {
        let server = Child::start().await?;
        let mut sessions = crowd(server.addr, KEPT_SESSIONS).await?;
        let mut client = Client::connect(server.addr).await?;
        client.call(|frames| create(frames, "/kept")).await?;

        let empty = server.resident()?;
        for first in (0..KEPT_ZNODES).step_by(batch) {
            let mut frames = Vec::new();
            (first..first + batch).for_each(|number| create(&mut frames, &path(number)));
            client.pipeline(&frames, batch).await?;
        }
        let with_znodes = server.resident()?;
        memory.znode.push((with_znodes - empty) / KEPT_ZNODES as f64);

        for first in (0..KEPT_WATCHES_EACH).step_by(batch) {
            let mut frames = Vec::new();
            (first..first + batch).for_each(|number| get_and_watch(&mut frames, &path(number)));
            for session in &mut sessions {
                session.pipeline(&frames, batch).await?;
            }
        }
        let with_watches = server.resident()?;
        memory.watch.push((with_watches - with_znodes) / (KEPT_SESSIONS * KEPT_WATCHES_EACH) as f64);
    }
    Ok(memory)
}

/// Returns the columns in the order of this round: each is the first in every second.
fn order(round: usize) -> [usize; 2] {
    if round.is_multiple_of(2) { [EMBEDDED, ZOOKEEPER] } else { [ZOOKEEPER, EMBEDDED] }
}

/// Counts rounds, and prints each.
fn progress(what: &str, rounds: usize) -> impl Iterator<Item = usize> {
    (0..rounds).inspect(move |round| eprintln!("{what}: round {} of {rounds}", round + 1))
}

// === the servers ===

/// The servers that stay up while their work is measured.
struct Servers {
    embedded: Child,
    zookeeper: Option<ZooKeeper>,
}

impl Servers {
    async fn start(zookeeper: bool) -> Outcome<Self> {
        let embedded = Child::start().await?;
        let settings = ZooKeeper::builder()
            .tick(TICK)
            .jvm_option("-Xmx1g")
            .jvm_option("-XX:TieredStopAtLevel=4")
            // KiB: what ZooKeeper has by default.
            .java_property("zookeeper.preAllocSize", 65_536);
        let zookeeper = if zookeeper { Some(settings.start().await?) } else { None };
        Ok(Self { embedded, zookeeper })
    }

    /// Returns the columns and addresses in the order of this round.
    fn in_order(&self, round: usize) -> impl Iterator<Item = (usize, SocketAddr)> {
        let addrs = [Some(self.embedded.addr), self.zookeeper.as_ref().map(ZooKeeper::addr)];
        order(round).into_iter().filter_map(move |column| Some((column, addrs[column]?)))
    }
}

/// This program once more, as an embedded server; dropping it kills it.
struct Child {
    addr: SocketAddr,
    process: tokio::process::Child,
}

impl Child {
    async fn start() -> io::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let addr = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { addr, process })
    }

    /// Returns its resident memory in bytes.
    fn resident(&self) -> io::Result<f64> {
        let id = self.process.id().ok_or_else(|| io::Error::other("the server has ended"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u32>().ok()
            })
            .ok_or_else(|| io::Error::other("no VmRSS in the status of the server"))?;
        Ok(f64::from(kib) * 1024.0)
    }
}

/// What the child does: serves until its parent closes its standard input, also by ending.
fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Server::builder().tick(TICK).max_connections(2 * WATCHERS).start())?;
    println!("{}", server.connect_string());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Returns how many files this process may have open.
fn open_files() -> io::Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other("no limit of open files in /proc/self/limits"))
}

// === the client ===

/// A session that sends frames made before, and looks at the headers of the replies only.
struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// The last frame received.
    frame: Vec<u8>,
}

impl Client {
    async fn connect(addr: SocketAddr) -> io::Result<Self> {
        Self::connect_with(addr, 64 << 10).await
    }

    /// Opens a session, with a buffer of so many bytes for what is received.
    async fn connect_with(addr: SocketAddr, buffer: usize) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        let (reader, writer) = socket.into_split();
        let mut client = Self { reader: BufReader::with_capacity(buffer, reader), writer, frame: Vec::new() };
        client.writer.write_all(&ConnectRequest::new(SESSION_TIMEOUT_MS).encode()).await?;
        receive(&mut client.reader, &mut client.frame).await?;
        Ok(client)
    }

    /// Sends one request and waits for its reply.
    async fn call(&mut self, request: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut frames = Vec::with_capacity(128);
        request(&mut frames);
        self.pipeline(&frames, 1).await
    }

    /// Sends frames, and meanwhile waits for so many replies.
    async fn pipeline(&mut self, frames: &[u8], count: usize) -> io::Result<()> {
        let Self { reader, writer, frame } = self;
        let replies = async {
            for _ in 0..count {
                receive(reader, frame).await?;
                let header = header(frame)?;
                if (header.xid, header.code) != (XID, ErrorCode::Ok) {
                    return Err(io::Error::other(format!("the reply to a request is {header:?}")));
                }
            }
            Ok(())
        };
        tokio::try_join!(writer.write_all(frames), replies)?;
        Ok(())
    }

    /// Waits for a watch event.
    async fn event(&mut self) -> io::Result<()> {
        receive(&mut self.reader, &mut self.frame).await?;
        match header(&self.frame)?.xid {
            xid::EVENT => Ok(()),
            xid => Err(io::Error::other(format!("xid {xid} came in place of an event"))),
        }
    }

    /// Ends the session.
    async fn close(mut self) -> io::Result<()> {
        self.call(|frames| append(frames, Request::CloseSession)).await
    }
}

async fn receive(reader: &mut BufReader<OwnedReadHalf>, frame: &mut Vec<u8>) -> io::Result<()> {
    let length = reader.read_i32().await?;
    // No reply to these requests is long.
    let length = usize::try_from(length).ok().filter(|length| *length <= 1 << 20);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    frame.resize(length, 0);
    reader.read_exact(frame).await?;
    Ok(())
}

fn header(frame: &[u8]) -> io::Result<ReplyHeader> {
    Ok(ReplyHeader::read(&mut Reader::new(frame))?)
}

// === frames ===

/// The same for all requests: replies come in their order, so none has to be looked for.
const XID: i32 = 1;

/// Appends a request to create a persistent znode that is open to all.
fn create(frames: &mut Vec<u8>, path: &str) {
    let (path, data, acl) = (path.into(), Some(DATA.to_vec()), Some(vec![Acl::open()]));
    append(frames, Request::Create { kind: CreateKind::Create, path, data, acl, flags: 0, ttl: 0 });
}

/// Appends a request for the data of a znode, and for one event when it changes.
fn get_and_watch(frames: &mut Vec<u8>, path: &str) {
    append(frames, Request::GetData { path: path.into(), watch: true });
}

/// Appends a request to write the data of a znode, whatever its version.
fn set(frames: &mut Vec<u8>, path: &str) {
    append(frames, Request::SetData { path: path.into(), data: Some(DATA.to_vec()), version: -1 });
}

fn append(frames: &mut Vec<u8>, request: Request) {
    frames.extend(Framed { xid: XID, request }.encode());
}

// === the table ===

struct Row {
    what: String,
    unit: &'static str,
    columns: Columns,
}

impl Row {
    fn new(what: impl Into<String>, unit: &'static str, columns: Columns) -> Self {
        Self { what: what.into(), unit, columns }
    }
}

fn print_table(rows: &[Row]) {
    println!("{:<56} {:>10} {:>17}  unit", "", "embedded", "Apache ZooKeeper");
    for Row { what, unit, columns } in rows {
        let [embedded, zookeeper] = columns.each_ref().map(|values| shown(values));
        println!("{what:<56} {embedded:>10} {zookeeper:>17}  {unit}");
    }
}

/// Returns the median with three digits or more, or a dash if there is none.
fn shown(values: &[f64]) -> String {
    match median(values) {
        None => "-".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => grouped(value.round() as usize),
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + upper) / 2.0 } else { upper })
}

/// Returns the number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
