//! The set as a list, in which everything is worked out anew for every question.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Value;
use crate::config::BalancerConfig;
use crate::failure::Failure;
use crate::hash::{mix, stable_hash};
use crate::members::{Health, MAX_ABSENT};
use crate::rng::Rng;
use crate::table::Standing;

/// A process that listens, or listened, at an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) id: usize,
    incarnation: Option<u128>,
    pub(super) newcomer_since: u64,
    /// The outcomes since it was ejected or came back, the last one last; true: failed.
    outcomes: Vec<bool>,
    /// How often it was ejected or came back.
    pub(super) turns: u64,
    ejections: u32,
    redeemed: u64,
    ejected_for: u64,
    pub(super) out: Option<Out>,
}

#[derive(Clone, Debug)]
pub(super) struct Out {
    until: u64,
    refused: bool,
    pub(super) due: u64,
    /// Its number and its end.
    pub(super) trial: Option<(u64, u64)>,
    /// The numbers of all trials of this ejection.
    pub(super) trials: Vec<u64>,
}

/// Why something was picked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    InService { turns: u64 },
    LastResort { turns: u64 },
    Trial { number: u64 },
}

pub(super) struct Model {
    config: BalancerConfig,
    rng: Rng,
    pub(super) listed: Vec<(u32, Value, Process)>,
    absent: Vec<(u32, u64, Process)>,
    synced: bool,
    slow_until: u64,
    processes: usize,
}

/// What readers see: the tiers with the keys and values in each, the share that spills, and the facts.
pub(super) type Seen = (Vec<(Standing, BTreeMap<u32, Value>)>, f64, (bool, usize, usize));

impl Model {
    pub(super) fn new(config: BalancerConfig, rng: Rng) -> Self {
        Self { config, rng, listed: vec![], absent: vec![], synced: false, slow_until: 0, processes: 0 }
    }

    pub(super) fn apply(&mut self, changes: Vec<(u32, Option<Value>)>, now: u64) {
        self.absent.retain(|(_, left, _)| now - left <= 60_000);
        let in_use = self.synced && !self.listed.is_empty();
        self.synced = true;
        for (key, value) in changes {
            let at = self.listed.iter().position(|(k, ..)| *k == key);
            match value {
                None => {
                    if let Some(at) = at {
                        let (_, _, process) = self.listed.remove(at);
                        self.absent.push((key, now, process));
                        if self.absent.len() > MAX_ABSENT {
                            self.absent.remove(0);
                        }
                    }
                }
                Some(value) => self.insert(key, value, at, in_use, now),
            }
        }
    }

    fn insert(&mut self, key: u32, value: Value, at: Option<usize>, in_use: bool, now: u64) {
        let old = match at {
            Some(at) => Some(self.listed.remove(at).2),
            None => {
                let at = self.absent.iter().position(|(k, ..)| *k == key);
                at.map(|at| self.absent.remove(at).2)
            }
        };
        let same = |old: &Process| {
            old.incarnation.is_none() || value.incarnation.is_none() || old.incarnation == value.incarnation
        };
        let mut process = old.filter(same).unwrap_or_else(|| {
            self.processes += 1;
            let slow = in_use && !self.config.slow_start.is_zero();
            if slow {
                self.slow_until = now + self.config.slow_start.as_millis() as u64;
            }
            let newcomer_since = if slow { now.max(1) } else { 0 };
            Process {
                id: self.processes,
                incarnation: None,
                newcomer_since,
                outcomes: vec![],
                turns: 0,
                ejections: 0,
                redeemed: 0,
                ejected_for: 0,
                out: None,
            }
        });
        if value.incarnation.is_some() {
            process.incarnation = value.incarnation;
        }
        self.listed.push((key, value, process));
    }

    pub(super) fn process(&mut self, key: u32, id: usize) -> Option<&mut Process> {
        let listed = self.listed.iter_mut().map(|(k, _, process)| (*k, process));
        let absent = self.absent.iter_mut().map(|(k, _, process)| (*k, process));
        let mut all = listed.chain(absent);
        all.find(|(k, process)| *k == key && process.id == id).map(|(_, process)| process)
    }

    pub(super) fn succeed(&mut self, key: u32, id: usize, why: Why, now: u64) {
        let Some(process) = self.process(key, id) else { return };
        let back = match (why, &process.out) {
            (Why::InService { turns }, _) => {
                if turns == process.turns {
                    process.outcomes.push(false);
                }
                false
            }
            (Why::LastResort { turns }, Some(_)) => turns == process.turns,
            (Why::Trial { number }, Some(out)) => out.trials.contains(&number),
            (_, None) => false,
        };
        if back {
            process.out = None;
            process.redeemed = now + 2 * process.ejected_for;
            process.turns += 1;
            process.outcomes.clear();
        }
    }

    /// Returns whether it is ejected for it.
    pub(super) fn fail(
        &mut self,
        key: u32,
        id: usize,
        why: Why,
        failure: Failure,
        took: Duration,
        now: u64,
    ) -> bool {
        let ejection = self.config.ejection.clone();
        let (gone, callable) = (self.tried().count(), self.callable().count());
        let Some(process) = self.process(key, id) else { return false };
        let ejects = match (why, &mut process.out) {
            (Why::InService { turns }, None) if turns == process.turns => {
                process.outcomes.push(true);
                let row = process.outcomes.iter().rev().take_while(|failed| **failed).count();
                let last = process.outcomes.iter().rev().take(32).filter(|failed| **failed).count();
                if failure.is_hard() && row >= ejection.consecutive as usize {
                    true
                } else {
                    let soft = !failure.is_hard() && row >= ejection.consecutive_soft as usize;
                    (soft || last as f64 / 32.0 >= ejection.failure_share)
                        && (gone + 1) as f64 <= ejection.max_share * callable as f64
                }
            }
            (Why::LastResort { turns }, Some(out)) if turns == process.turns => {
                out.refused = failure == Failure::Refused;
                false
            }
            (Why::Trial { number }, Some(out)) => {
                out.trials.contains(&number) && out.trial.is_none_or(|trial| trial.0 == number)
            }
            _ => false,
        };
        if !ejects {
            return false;
        }
        if process.out.is_none() {
            process.turns += 1;
            process.outcomes.clear();
            if now >= process.redeemed {
                process.ejections = 0;
            }
        }
        process.ejections += 1;
        let ejections = process.ejections;
        let mut time = ejection.base;
        for _ in 1..ejections {
            time = (time * 2).min(ejection.cap);
        }
        let waited =
            if matches!(failure, Failure::Timeout | Failure::Unreachable) { took } else { Duration::ZERO };
        let time = time.mul_f64(0.75 + self.rng.unit() / 2.0).max(waited);
        let time = time.as_nanos().div_ceil(1_000_000) as u64;
        let until = now + time;
        let process = self.process(key, id).unwrap();
        process.ejected_for = time;
        process.out = Some(Out {
            until,
            refused: failure == Failure::Refused,
            due: until,
            trial: None,
            trials: vec![],
        });
        true
    }

    pub(super) fn drop_trial(&mut self, key: u32, id: usize, number: u64, now: u64) {
        if let Some(Process { out: Some(out), .. }) = self.process(key, id)
            && out.trial.is_some_and(|trial| trial.0 == number)
        {
            out.trial = None;
            out.due = out.due.max(now);
        }
    }

    pub(super) fn expire(&mut self, now: u64) {
        let config = self.config.clone();
        for (_, value, process) in &mut self.listed {
            if let Some(out) = &mut process.out
                && callable(&config, value)
                && let Some((_, end)) = out.trial
                && end <= now
            {
                out.trial = None;
                out.due = out.due.max(end);
            }
        }
    }

    fn callable(&self) -> impl Iterator<Item = &(u32, Value, Process)> {
        self.listed.iter().filter(|(_, value, _)| callable(&self.config, value))
    }

    /// Those that may be called and are out of service.
    fn tried(&self) -> impl Iterator<Item = (u32, &Out)> {
        self.callable().filter_map(|(key, _, process)| Some((*key, process.out.as_ref()?)))
    }

    pub(super) fn running(&self) -> usize {
        self.tried().filter(|(_, out)| out.trial.is_some()).count()
    }

    /// The wanted one that has waited longest for a trial: since when.
    pub(super) fn longest_waiting(&self, wanted: impl Fn(u32) -> bool, now: u64) -> Option<u64> {
        let waiting = self.tried().filter(|(key, out)| out.trial.is_none() && wanted(*key));
        waiting.map(|(_, out)| out.due).filter(|due| *due <= now).min()
    }

    /// When a trial may start that may not start now.
    pub(super) fn next_trial(&self) -> Option<u64> {
        let ends = self.tried().filter_map(|(_, out)| Some(out.trial?.1));
        let dues = self.tried().filter(|(_, out)| out.trial.is_none()).map(|(_, out)| out.due);
        if self.running() >= 8 { ends.min() } else { ends.chain(dues).min() }
    }

    pub(super) fn out(&self) -> usize {
        self.listed.iter().filter(|(_, _, process)| process.out.is_some()).count()
    }

    pub(super) fn slow_until(&self, now: u64) -> u64 {
        if self.slow_until > now { self.slow_until } else { 0 }
    }

    pub(super) fn healths(&self, now: u64) -> BTreeMap<u32, (Health, u32)> {
        let health = |process: &Process| match &process.out {
            None => (Health::InService, 0),
            Some(out) if now < out.until => {
                (Health::Ejected { remaining: Duration::from_millis(out.until - now) }, process.ejections)
            }
            Some(out) => {
                let trial = out.trial.is_some_and(|(_, end)| now < end);
                (Health::OnProbation { trial }, process.ejections)
            }
        };
        self.listed.iter().map(|(key, _, process)| (*key, health(process))).collect()
    }

    fn in_zone(&self, value: &Value) -> bool {
        self.config.zone.is_none() || value.zone
    }

    fn subset(&self) -> Option<Vec<u32>> {
        let subset = self.config.subset.as_ref()?;
        let client = stable_hash(subset.client.as_str());
        let mut ranked: Vec<_> = self
            .callable()
            .map(|(key, value, _)| (!self.in_zone(value), mix(client, stable_hash(key)), *key))
            .collect();
        ranked.sort_unstable();
        Some(ranked.into_iter().take(subset.size).map(|(_, _, key)| key).collect())
    }

    pub(super) fn seen(&self) -> Seen {
        let subset = self.subset();
        let mut tiers: BTreeMap<Standing, BTreeMap<u32, Value>> = BTreeMap::new();
        for (key, value, process) in self.listed.iter().filter(|(_, value, _)| callable(&self.config, value))
        {
            let is_preferred = self.in_zone(value) && subset.as_ref().is_none_or(|keys| keys.contains(key));
            let standing = match &process.out {
                Some(Out { refused: true, .. }) => Standing::Refused,
                Some(_) => Standing::Suspect,
                None if value.held => Standing::Held,
                None if is_preferred => Standing::Preferred,
                None => Standing::InService,
            };
            tiers.entry(standing).or_default().insert(*key, value.clone());
        }
        let count = |standing| tiers.get(&standing).map_or(0, BTreeMap::len);
        let in_service = count(Standing::Preferred) + count(Standing::InService) + count(Standing::Held);
        let all = in_service + count(Standing::Suspect) + count(Standing::Refused);
        let panics = (in_service as f64) < self.config.panic_threshold * all as f64;
        let zone = self.listed.iter().filter(|(_, value, _)| value.zone && callable(&self.config, value));
        let (mut open, mut serving) = (0, 0);
        for (_, value, process) in zone {
            open += 1;
            serving += usize::from(process.out.is_none() && !value.held);
        }
        let can_spill = self.config.zone.is_some()
            && !panics
            && count(Standing::Preferred) > 0
            && count(Standing::InService) > 0;
        let spill = if can_spill { (1.0 - 1.4 * serving as f64 / open as f64).max(0.0) } else { 0.0 };
        if panics {
            let refused = tiers.remove(&Standing::Refused);
            let others: BTreeMap<_, _> = std::mem::take(&mut tiers).into_values().flatten().collect();
            tiers.extend((!others.is_empty()).then_some((Standing::Suspect, others)));
            tiers.extend(refused.map(|refused| (Standing::Refused, refused)));
        }
        let mismatched = self.listed.iter().filter(|(_, value, _)| !matches(&self.config, value)).count();
        (tiers.into_iter().collect(), spill, (self.synced, self.listed.len(), mismatched))
    }
}

fn matches(config: &BalancerConfig, value: &Value) -> bool {
    config.labels.is_empty() || value.label
}

fn callable(config: &BalancerConfig, value: &Value) -> bool {
    matches(config, value) && value.weight > 0 && !value.draining
}
