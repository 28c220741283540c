//! Each endpoint in proportion to its weight.

use super::{Context, Picker};
use crate::candidates::{Candidates, WeightClass};
use crate::rng::Rng;

/// How many draws are made in a class of weights. Each is rejected with a probability below one half.
const DRAWS: usize = 64;

/// How many are drawn before all are looked at.
const PICKS: usize = 8;

/// Picks each endpoint with a probability in proportion to its [weight](crate::EndpointInfo::weight), exactly. One of the
/// weight 0 gets no calls, with any strategy.
///
/// A pick takes the same time in a set of any size, and a change of a weight that of any change: first a class of
/// nearly equal weights is drawn by its share of the total, then one of its members by rejection. (An alias table would
/// have to be made anew, N long, at every change.)
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighted;

impl<K, V> Picker<K, V> for Weighted {
    #[inline]
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize> {
        for _ in 0..PICKS {
            let index = draw(candidates, context.rng)?;
            if candidates.admits(index) {
                return Some(index);
            }
        }
        draw_admitted(candidates, context.rng)
    }
}

/// Draws one of all by weight.
#[inline]
fn draw<K, V>(candidates: &Candidates<'_, K, V>, rng: &mut Rng) -> Option<usize> {
    let mut share = rng.below_u64(candidates.total_weight());
    let is_here = |class: &WeightClass| match share.checked_sub(class.total) {
        None => true,
        Some(rest) => {
            share = rest;
            false
        }
    };
    let class = candidates.weight_classes().find(is_here)?;
    draw_of(candidates, &class, rng)
}

/// Draws one of those that may be used by weight: where most of the weight may not be.
#[cold]
fn draw_admitted<K, V>(candidates: &Candidates<'_, K, V>, rng: &mut Rng) -> Option<usize> {
    let weight = |index: &usize| candidates.get(*index).map_or(0, |entry| u64::from(entry.weight()));
    let admitted = (0..candidates.len()).filter(|index| candidates.admits(*index));
    let mut share = rng.below_u64(admitted.clone().map(|index| weight(&index)).sum());
    admitted.clone().find(|index| match share.checked_sub(weight(index)) {
        None => true,
        Some(rest) => {
            share = rest;
            false
        }
    })
}

/// Draws one of a class by weight.
#[inline]
fn draw_of<K, V>(candidates: &Candidates<'_, K, V>, class: &WeightClass, rng: &mut Rng) -> Option<usize> {
    let mut index = None;
    for _ in 0..DRAWS {
        let drawn = class.indices.start + rng.below(class.indices.len());
        let weight = u64::from(candidates.get(drawn)?.weight());
        index = Some(drawn);
        if rng.below_u64(class.below) < weight {
            break;
        }
    }
    // After 64 rejections, once in 2^64 picks or less, the last one.
    index
}
