//! What a failure says: what is wrong, a small plan that shows it, what happened, and how to see it again.

mod acts;
mod files;

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::fleet;
use crate::generate;
use crate::plan::Plan;
use crate::runner::{Cause, Tally, judge_plan};
use crate::shrink::{Limits, shrink};

/// So many lines of the history are shown before the failure, and so many after it.
const BEFORE: usize = 60;
const AFTER: usize = 4;

/// How often the progress of shrinking is shown.
const PROGRESS: Duration = Duration::from_secs(5);

/// What to say about a plan that fails: shrunk, and its history as far as it matters. All of it is written to files, which it
/// names.
pub fn report(plan: &Plan, name: &str) -> String {
    let Some((cause, text)) = judge_plan(plan).failure else { return format!("{name} passes\n") };
    let mut out = format!("FAIL {name}: {cause}\n");
    out.push_str(&indented(&text));
    let small = smaller(plan, &cause, &mut out);
    _ = writeln!(out, "\n{small}");
    let story = match (cause, judge_plan(&small).failure) {
        (Cause::Panicked, _) | (_, None) => Vec::new(),
        (_, Some((_, text))) => {
            out.push_str(&indented(&text));
            around(&small, &mut out)
        }
    };
    match files::write(name, plan, &small, &story) {
        Ok(files) => out.push_str(&advice(plan, &files)),
        // What was found is worth more than where it is kept.
        Err(error) => _ = writeln!(out, "\nno files were written: {error}"),
    }
    out
}

/// Of so many causes [`report_failures`] shows the history.
const SHOWN: usize = 3;

/// What to say about many seeds some of which failed: of the first causes each what the first failure shows, and where all
/// failures are listed.
pub fn report_failures(tally: &Tally) -> String {
    let mut out = String::new();
    let told = tally.by_cause().into_values().filter(|(failure, _)| failure.cause != Cause::Stuck);
    for (failure, _) in told.take(SHOWN) {
        out.push_str(&report(&generate(failure.seed), &format!("seed {}", failure.seed)));
        out.push('\n');
    }
    if !tally.failures.is_empty() {
        _ = match files::write_failures(tally) {
            Ok(path) => writeln!(out, "all failures: {}", path.display()),
            Err(error) => writeln!(out, "the list of all failures was not written: {error}"),
        };
    }
    out
}

/// The smallest plan that fails alike.
fn smaller(plan: &Plan, cause: &Cause, out: &mut String) -> Plan {
    let mut shown = Instant::now();
    let mut tries = 0;
    let shrunk = shrink(plan, cause, Limits::default(), |plan| {
        tries += 1;
        if shown.elapsed() >= PROGRESS || (tries == 1 && std::io::stderr().is_terminal()) {
            shown = Instant::now();
            eprintln!("shrinking: {} steps, {tries} plans tried", plan.steps.len());
        }
        judge_plan(plan).failure.map(|(cause, _)| cause)
    });
    let (before, after) = (plan.steps.len(), shrunk.plan.steps.len());
    _ = writeln!(out, "\nshrunk from {before} steps to {after}, {} plans tried:", shrunk.tries);
    shrunk.plan
}

/// Shows the history around the first violation, and returns the whole.
fn around(plan: &Plan, out: &mut String) -> Vec<String> {
    let run = fleet::run(plan);
    let judgement = oracle::judge(&run.history);
    let story = run.story();
    let end = judgement.violations.first().map_or(story.len(), |first| place(&story, first.at));
    let begin = end.saturating_sub(BEFORE);
    let last = (end + AFTER).min(story.len());
    _ = writeln!(out, "\nhistory, {} lines of {}:", last - begin, story.len());
    out.push_str(&indented(&story[begin..last].join("\n")));
    story
}

/// The first line that is later.
fn place(story: &[String], at: Duration) -> usize {
    let time = |line: &String| line.split_whitespace().next().and_then(|time| time.parse::<u128>().ok());
    story.iter().position(|line| time(line).is_some_and(|time| time > at.as_millis())).unwrap_or(story.len())
}

fn advice(plan: &Plan, files: &files::Files) -> String {
    let seed = plan.seed;
    let show = |path: &Path| path.display().to_string();
    format!(
        "\nthe whole history: {}\n\
         again:             SEED={seed} cargo test -p simulation --test bad_days -- --nocapture\n\
         shrunk:            cargo run -p simulation -- --plan {}\n\
         to keep it:        cp {} crates/simulation/regressions/NAME.json\n",
        show(&files.story),
        show(&files.shrunk),
        show(&files.shrunk),
    )
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        _ = writeln!(out, "  {line}");
        out
    })
}
