//! A random walk with the real thing: the programs as processes, on an ensemble of three Apache ZooKeeper servers, with a proxy
//! that knows ZooKeeper's messages between each process and each server. `docs/reliability.md` has its figures.
//!
//! Every process records what it says, sees and does; the walk records what it breaks and how callers fare; ZooKeeper's own
//! logs say what was registered. The oracle judges the history of them all.

mod attempt;
mod callees;
mod child;
mod client;
mod clock;
mod daytime;
mod faults;
mod flags;
mod fleet;
mod history;
mod kinds;
mod links;
mod member;
mod nemesis;
mod once;
mod operator;
mod proc;
mod recorder;
mod report;
mod run;
mod server;
mod settings;
mod truth;
mod txn_log;
mod views;
mod walk;
mod watched;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use oracle::Verdict;
use zk_program::Signals;

use crate::child::{Child, Failed};
use crate::flags::Flags;
use crate::kinds::Kind;
use crate::member::Place;
use crate::walk::Plan;

const HELP: &str = "\
Walks at random through the faults of the matrix with real processes, and judges what they have recorded.

Usage: real-walk [--minutes N] [--seed N] [--server KIND] [--faults KIND,KIND,...] [--record FOLDER]
       real-walk judge FILE, for a history that was kept
  --minutes N      how long it takes, 1 by default; the last half minute is without faults
  --seed N         what happens in which order; a random one by default
  --server KIND    the servers: ours; once-ephemeral, once-persistent: controls that have to fail
  --faults KINDS   only these kinds of faults, instead of all
  --record FOLDER  where the history is kept; by default only that of a walk that does not pass is

Exit codes: 0 the verdict is pass, 1 fail, 2 unknown, 3 the walk could not be made.";

/// The kinds of servers.
const SERVERS: [&str; 3] = ["ours", "once-ephemeral", "once-persistent"];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let command = arguments.next_if(|argument| !argument.starts_with('-'));
    let outcome = match command.as_deref() {
        Some("run") => Err(run::run(arguments).into()),
        Some(role @ ("server" | "client")) => record(role, arguments).map(|()| ExitCode::SUCCESS),
        Some("judge") => arguments
            .next()
            .ok_or_else(|| "judge needs a file".into())
            .and_then(|file| report::judge_again(Path::new(&file)))
            .map(exit_code),
        Some(other) => Err(format!("unknown command {other}; see --help").into()),
        None if arguments.peek().is_some_and(|argument| argument == "--help" || argument == "-h") => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        None => walk(arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("real-walk: {error}");
        ExitCode::from(3)
    })
}

/// A recording process of a walk.
fn record(role: &str, arguments: impl Iterator<Item = String>) -> Result<(), Failed> {
    zk_program::log::init("info");
    let own: &[&str] = if role == "server" { &server::FLAGS } else { &client::FLAGS };
    let flags = Flags::parse(arguments, &[&child::FLAGS, own].concat())?;
    let child = Child::new(&flags)?;
    zk_program::runtime()?.block_on(async {
        match role {
            "server" => server::run(child, &flags).await,
            _ => client::run(child, &flags).await,
        }
    })
}

fn walk(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failed> {
    let flags = Flags::parse(arguments, &["--minutes", "--seed", "--server", "--faults", "--record"])?;
    let kept: Option<PathBuf> = flags.get("--record")?;
    let folder = tempfile::Builder::new().prefix("real-walk-").tempdir()?;
    if let Some(kept) = &kept {
        std::fs::create_dir_all(kept)?;
    }
    let plan = plan(&flags, folder.path())?;
    if zk_testing::require().is_none() {
        return Err("Apache ZooKeeper is not installed".into());
    }
    println!("seed {}, {:.1} min, servers: {}", plan.seed, plan.lasts.as_secs_f64() / 60.0, plan.server);
    let walked = zk_program::runtime()?.block_on(async {
        let mut stop = Signals::install(&[])?;
        tokio::select! {
            // Whatever was started ends with the walk.
            signal = stop.stop() => Err(Failed::from(format!("stopped by {signal}"))),
            walked = walk::walk(&plan) => Ok(walked),
        }
    });
    let judged = walked?.map_err(Failed::from).and_then(|(remains, tally)| {
        report::judge(remains, &tally, kept.as_deref().unwrap_or(folder.path()))
    });
    if kept.is_none() && !matches!(judged, Ok(Verdict::Pass)) {
        println!("the records are kept in {}", folder.keep().display());
    }
    judged.map(exit_code)
}

fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        Verdict::Unknown => ExitCode::from(2),
    }
}

fn plan(flags: &Flags, folder: &Path) -> Result<Plan, Failed> {
    let minutes: f64 = flags.get("--minutes")?.unwrap_or(1.0);
    if !(0.7..=1440.0).contains(&minutes) {
        return Err("--minutes has to be 0.7 to 1440: the end of a walk alone takes half a minute".into());
    }
    let server = flags.get::<String>("--server")?.unwrap_or_else(|| SERVERS[0].to_owned());
    let server = SERVERS.into_iter().find(|known| *known == server);
    let faults = flags.get::<String>("--faults")?;
    let kinds: Result<Vec<Kind>, String> = match &faults {
        Some(names) => names.split(',').map(str::parse).collect(),
        None => Ok(Kind::ALL.to_vec()),
    };
    let walk = std::env::current_exe()?;
    let beside = |name: &str| walk.with_file_name(name);
    Ok(Plan {
        lasts: Duration::from_secs_f64(minutes * 60.0),
        seed: flags.get("--seed")?.unwrap_or_else(rand::random),
        server: server.ok_or("--server has to be one of ours, once-ephemeral, once-persistent")?,
        kinds: kinds?,
        place: Place {
            daytime_server: beside("system-daytime-server"),
            daytime_client: beside("system-daytime-client"),
            walk,
            folder: folder.to_path_buf(),
        },
    })
}
