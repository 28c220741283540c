//! What tests of distributions share.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

use balance::{BalancerConfig, EndpointInfo, Strategy};
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF};

/// Of a thousand sets of picks that follow their law, one is taken for wrong. Seeds are fixed: which one does not change.
pub const SIGNIFICANCE: f64 = 0.001;

/// Cells that expect fewer are counted together, or their few counts would not be normal enough for the test.
const FEW: f64 = 5.0;

/// A value with a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(pub u32);

impl EndpointInfo for Weight {
    fn weight(&self) -> u32 {
        self.0
    }
}

pub fn config(strategy: Strategy) -> BalancerConfig {
    BalancerConfig::new(strategy).with_seed(20_240_229)
}

/// The probability that counts differ from the expected ones as much as these, or more, although the law is right: by Pearson's
/// test, for many small differences, and by the tails of the cell that differs most, for one that is large.
pub fn p_value(observed: &[u64], expected: &[f64]) -> f64 {
    assert_eq!(observed.len(), expected.len());
    let cells = || observed.iter().map(|observed| *observed as f64).zip(expected.iter().copied());
    if cells().any(|(observed, expected)| observed > 0.0 && expected <= 0.0) {
        return 0.0;
    }
    let few = cells().filter(|(_, expected)| *expected < FEW).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    let cells = cells().filter(|(_, expected)| *expected >= FEW).chain([few]);
    let cells: Vec<_> = cells.filter(|(_, expected)| *expected > 0.0).collect();
    let square = |(observed, expected): &(f64, f64)| (observed - expected).powi(2) / expected;
    let together = upper_tail(cells.iter().map(square).sum(), cells.len() as f64 - 1.0);
    let most = cells.iter().max_by(|a, b| square(a).total_cmp(&square(b)));
    let alone = most.map_or(1.0, |(observed, expected)| {
        let draws: f64 = cells.iter().map(|(observed, _)| observed).sum();
        2.0 * cells.len() as f64 * tail(*observed, *expected, draws)
    });
    (2.0 * together.min(alone)).min(1.0)
}

/// The probability that so many of `draws` draws, or more where that is more than expected, or else fewer, fall into a cell.
fn tail(observed: f64, expected: f64, draws: f64) -> f64 {
    let Ok(counts) = Binomial::new((expected / draws).min(1.0), draws as u64) else { return 1.0 };
    match observed as u64 {
        above if observed > expected => counts.sf(above - 1),
        below => counts.cdf(below),
    }
}

/// The probability that a number with the chi-square distribution is as large as this or larger.
pub fn upper_tail(statistic: f64, freedom: f64) -> f64 {
    match ChiSquared::new(freedom) {
        Ok(distribution) => distribution.sf(statistic),
        // One cell: the count is what it has to be, or not.
        Err(_) => f64::from(statistic < 1e-9),
    }
}

/// Asserts that picks follow a law, which is given as shares or anything in proportion to them.
#[track_caller]
pub fn assert_law(what: impl std::fmt::Debug, observed: &[u64], shares: &[f64]) {
    let p = p_value(observed, &expected(observed, shares));
    assert!(p > SIGNIFICANCE, "{what:?}: p = {p:e}");
}

/// Asserts that picks do not follow a law.
#[track_caller]
pub fn assert_other_law(what: impl std::fmt::Debug, observed: &[u64], shares: &[f64]) {
    let p = p_value(observed, &expected(observed, shares));
    assert!(p < SIGNIFICANCE, "{what:?}: p = {p:e}");
}

fn expected(observed: &[u64], shares: &[f64]) -> Vec<f64> {
    let (draws, total) = (observed.iter().sum::<u64>() as f64, shares.iter().sum::<f64>());
    shares.iter().map(|share| share * draws / total).collect()
}

/// Counts what is drawn.
pub fn count(cells: usize, draws: usize, mut draw: impl FnMut() -> usize) -> Vec<u64> {
    let mut counts = vec![0; cells];
    for _ in 0..draws {
        counts[draw()] += 1;
    }
    counts
}
