//! The report: one line for each step, and at the end a hint for the first failure.

use std::fmt;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::error::Error;
use crate::output::line;

/// A finished step.
#[derive(Debug)]
pub(super) struct Step {
    /// The kind of step.
    pub(super) name: &'static str,
    /// The host, address or path that was checked.
    pub(super) subject: String,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

/// The outcome of a step.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The step succeeded, with this detail.
    Fine(String),
    /// The step failed, and the hint may help.
    Failed { what: String, hint: String },
}

/// Measures a step that begins now.
#[derive(Debug)]
pub(super) struct Begun {
    name: &'static str,
    subject: String,
    at: Instant,
}

impl Begun {
    pub(super) fn new(name: &'static str, subject: impl fmt::Display) -> Self {
        Self { name, subject: subject.to_string(), at: Instant::now() }
    }

    pub(super) fn fine(self, detail: impl Into<String>) -> Step {
        self.end(Outcome::Fine(detail.into()))
    }

    pub(super) fn failed(self, what: impl Into<String>, hint: impl Into<String>) -> Step {
        self.end(Outcome::Failed { what: what.into(), hint: hint.into() })
    }

    fn end(self, outcome: Outcome) -> Step {
        Step { name: self.name, subject: self.subject, took: self.at.elapsed(), outcome }
    }
}

/// Prints steps as they end, and keeps the hint of the first failure.
#[derive(Debug)]
pub(super) struct Report {
    began: Instant,
    as_json: bool,
    steps: usize,
    failed: usize,
    hint: Option<String>,
}

impl Report {
    pub(super) fn new(as_json: bool) -> Self {
        Self { began: Instant::now(), as_json, steps: 0, failed: 0, hint: None }
    }

    /// Prints a step.
    pub(super) fn add(&mut self, step: Step) -> Result<(), Error> {
        let at = self.began.elapsed();
        self.steps += 1;
        if self.as_json {
            line(step.to_json(at))?
        } else {
            line(step.to_text(at))?
        }
        if let Outcome::Failed { hint, .. } = step.outcome {
            self.failed += 1;
            self.hint.get_or_insert(hint);
        }
        Ok(())
    }

    /// Prints the hint of the first failure.
    pub(super) fn end(self) -> Result<(), Error> {
        let Some(hint) = self.hint else { return Ok(()) };
        if self.as_json {
            line(json!({ "hint": hint }))?
        } else {
            line(format_args!("hint: {hint}"))?
        }
        Err(Error::StepsFailed { failed: self.failed, steps: self.steps })
    }
}

impl Step {
    fn to_text(&self, at: Duration) -> String {
        let (word, detail) = match &self.outcome {
            Outcome::Fine(detail) => ("ok", detail),
            Outcome::Failed { what, .. } => ("FAILED", what),
        };
        let Self { name, subject, took, .. } = self;
        format!("{:>7.3}s  {word:<6}  {name:<9}  {subject}: {detail} ({took:.1?})", at.as_secs_f64())
    }

    fn to_json(&self, at: Duration) -> serde_json::Value {
        let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
        let (ok, detail, hint) = match &self.outcome {
            Outcome::Fine(detail) => (true, detail, None),
            Outcome::Failed { what, hint } => (false, what, Some(hint)),
        };
        json!({
            "step": self.name, "subject": self.subject, "ok": ok, "detail": detail, "hint": hint,
            "at_ms": ms(at), "took_ms": ms(self.took),
        })
    }
}
