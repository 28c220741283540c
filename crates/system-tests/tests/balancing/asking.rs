//! A client that asks, and what each of its rounds came to, as its log says.

use std::time::Duration;

use system_tests::{Process, TestBed, Verdict, require_that};
use tokio::time::Instant;
use zk_testing::{SOON, holds_within};

/// Every strategy that `daytime-client` knows.
pub(crate) const STRATEGIES: [&str; 7] =
    ["random", "round-robin", "weighted", "least-loaded", "peak-ewma", "rendezvous", "sticky"];
/// Those of the default run: by chance, in turn, and the one that always wants the same server first.
pub(crate) const QUICK_STRATEGIES: &[&str] = &["random", "round-robin", "rendezvous"];

/// The time limits of a client's rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of a whole round.
    pub(crate) round: Duration,
    /// Of an attempt.
    pub(crate) attempt: Duration,
    /// Of connecting.
    pub(crate) connect: Duration,
}

impl Limits {
    /// The defaults of the program.
    pub(crate) const DEFAULT: Self = Self {
        round: Duration::from_secs(5),
        attempt: Duration::from_secs(1),
        connect: Duration::from_millis(300),
    };

    /// Shorter ones in the same proportions.
    pub(crate) const SHORT: Self = Self {
        round: Duration::from_millis(1500),
        attempt: Duration::from_millis(300),
        connect: Duration::from_millis(90),
    };

    /// The arguments of a client with these limits. The file is not written for the defaults: they are the program's.
    pub(crate) fn arguments(self, bed: &TestBed) -> Vec<String> {
        let millis = |limit: Duration| format!("{}ms", limit.as_millis());
        let mut arguments = vec!["--timeout".to_owned(), millis(self.round)];
        if (self.attempt, self.connect) != (Self::DEFAULT.attempt, Self::DEFAULT.connect) {
            let file = format!("limits-{}.toml", self.attempt.as_millis());
            let (attempt, connect) = (millis(self.attempt), millis(self.connect));
            bed.write(
                &file,
                &format!("[client]\nattempt_timeout = \"{attempt}\"\nconnect_timeout = \"{connect}\"\n"),
            );
            arguments.extend(["--config".to_owned(), file]);
        }
        arguments
    }
}

/// What a round came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered {
        attempts: usize,
    },
    /// With the line that says so.
    Lost(String),
}

/// A round that is over.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) outcome: Outcome,
    /// Since the end of the round before: this includes what is left of the interval.
    pub(crate) took: Duration,
}

impl Round {
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.outcome, Outcome::Lost(_))
    }

    /// How many attempts failed before the answer; none of a lost round, which is counted by itself.
    pub(crate) fn failed_attempts(&self) -> usize {
        match self.outcome {
            Outcome::Answered { attempts } => attempts - 1,
            Outcome::Lost(_) => 0,
        }
    }
}

/// A client that asks round after round. `Drop` kills it.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) strategy: &'static str,
    process: Process,
    rounds: Vec<Round>,
    /// How many lines of its log were read.
    read: usize,
    last_end: Instant,
}

impl Asking {
    pub(crate) fn new(strategy: &'static str, process: Process) -> Self {
        Self { strategy, process, rounds: Vec::new(), read: 0, last_end: Instant::now() }
    }

    /// The rounds that are over.
    pub(crate) fn rounds(&mut self) -> &[Round] {
        let lines = self.process.log_from(self.read);
        self.read += lines.len();
        for (at, line) in lines {
            let Some(outcome) = outcome(&line) else { continue };
            self.rounds.push(Round { outcome, took: at.saturating_duration_since(self.last_end) });
            self.last_end = at;
        }
        &self.rounds
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Follows so many rounds, and judges what is over again and again: the first violation ends it, and so the client.
    pub(crate) async fn follow(
        mut self,
        count: usize,
        within: Duration,
        judge: impl Fn(&[Round]) -> Verdict,
    ) -> Result<Vec<Round>, String> {
        let claim = format!("{count} rounds are over");
        let over = holds_within(&claim, within, async || {
            let ended = self.process.has_ended();
            let rounds = self.rounds();
            ended || rounds.len() >= count || judge(rounds).is_err()
        });
        over.await?;
        judge(self.rounds())?;
        let exit = self.process.exit(SOON).await?;
        let (lost, log) = (self.rounds.iter().filter(|round| round.is_lost()).count(), &exit.err);
        require_that!(self.rounds.len() == count, "{} rounds:\n{log}", self.rounds.len());
        let code = Some(i32::from(lost > 0));
        require_that!(exit.code == code, "ended with {:?}, {lost} lost:\n{log}", exit.code);
        Ok(self.rounds)
    }
}

/// The outcome that a line of the log reports.
fn outcome(line: &str) -> Option<Outcome> {
    if line.starts_with("round ") {
        return Some(Outcome::Lost(line.to_owned()));
    }
    let (_, fields) = line.split_once("round answered ")?;
    let attempts = fields.split_whitespace().find_map(|field| field.strip_prefix("attempts="));
    let attempts = attempts.and_then(|count| count.parse().ok());
    Some(Outcome::Answered { attempts: attempts.unwrap_or_else(|| panic!("no attempts: {line}")) })
}

#[test]
fn rounds_are_read_from_the_log() {
    let answered = "2026-01-01T00:00:00Z DEBUG daytime_client::ask: round answered endpoint=a:1 attempts=3";
    assert_eq!(outcome(answered), Some(Outcome::Answered { attempts: 3 }));
    let lost = "round 7: out of time after 5s";
    assert_eq!(outcome(lost), Some(Outcome::Lost(lost.into())));
    assert_eq!(outcome("DEBUG daytime_client::ask: attempt failed endpoint=a:1"), None);
}
