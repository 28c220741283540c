//! Fleets on bad days, seed after seed.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use simulation::{Plan, Seeds, judge_plan, report, report_failures, run_seeds};

/// So many seeds are run if nothing says how many.
const SEEDS: u64 = 2_000;

/// Runs simulated fleets on which everything goes wrong, one for each seed, and judges what they did.
///
/// Exits with 0 if all passed, with 1 if something failed, and with 2 if it was not used properly. A seed that fails is shrunk
/// and shown with its history.
#[derive(Debug, Parser)]
#[command(name = "bad-days")]
struct Options {
    /// How many seeds; 2000 unless --minutes or --until-failure says when to stop
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed; the others follow it [default: 1; with --minutes drawn from the clock]
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// For so many minutes
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// This plan instead of seeds: a JSON file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "from", "minutes", "until_failure"])]
    plan: Option<PathBuf>,
    /// On so many threads [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Stop at the first failure
    #[arg(long)]
    until_failure: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(file) = &options.plan {
        return run_plan(file);
    }
    let seeds = seeds(&options);
    println!("seeds from {}", seeds.first);
    let tally = run_seeds(seeds);
    print!("{tally}");
    print!("{}", report_failures(&tally));
    if tally.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seeds(options: &Options) -> Seeds {
    let is_endless = options.minutes.is_some() || options.until_failure;
    // In a night others are wanted than in every other night.
    let by_clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    Seeds {
        first: options.from.unwrap_or(if options.minutes.is_some() { by_clock } else { 1 }),
        count: options.seeds.or((!is_endless).then_some(SEEDS)),
        time: options.minutes.map(|minutes| Duration::from_secs(60 * minutes)),
        threads: options.threads,
        until_failure: options.until_failure,
    }
}

fn run_plan(file: &Path) -> ExitCode {
    let plan = fs::read_to_string(file).map_err(|error| error.to_string());
    let plan = plan.and_then(|json| serde_json::from_str::<Plan>(&json).map_err(|error| error.to_string()));
    match plan {
        Ok(plan) if judge_plan(&plan).failure.is_none() => {
            println!("{plan}{} passes", file.display());
            ExitCode::SUCCESS
        }
        Ok(plan) => {
            print!("{}", report(&plan, &file.display().to_string()));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bad-days: {}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}
