//! The strategies, one file each.

mod least_loaded;
mod peak_ewma;
mod random;
mod rendezvous;
mod round_robin;
mod sticky;
mod two_choices;
mod weighted;

use crate::candidates::Candidates;
use crate::rng::Rng;

pub use least_loaded::LeastLoaded;
pub use peak_ewma::PeakEwma;
pub use random::Random;
pub use rendezvous::Rendezvous;
pub use round_robin::RoundRobin;
pub use sticky::Sticky;
pub use weighted::Weighted;

/// Chooses one of several endpoints. Each reader has one of its own, which may keep what it likes from pick to pick.
///
/// ```
/// use balance::{Candidates, Context, Picker};
///
/// /// Takes the endpoint with the fewest calls in flight, of all.
/// #[derive(Clone, Debug)]
/// struct Least;
///
/// impl<K, V> Picker<K, V> for Least {
///     fn pick(&mut self, candidates: &Candidates<'_, K, V>, _: &mut Context<'_>) -> Option<usize> {
///         (0..candidates.len()).min_by_key(|index| candidates.get(*index).map(|entry| entry.in_flight()))
///     }
/// }
/// ```
pub trait Picker<K, V> {
    /// Chooses one of the candidates by its number, or `None` to let the reader choose at random.
    ///
    /// A number out of range counts as `None`. It is asked up to eight times for one pick, if it chooses one that is not admitted
    /// ([`Candidates::admits`]) or that has no full share yet (slow start).
    fn pick(&mut self, candidates: &Candidates<'_, K, V>, context: &mut Context<'_>) -> Option<usize>;

    /// Returns whether it looks at latencies: then a guarded pick reads the clock.
    fn measures_latency(&self) -> bool {
        false
    }

    /// Returns whether each key has its own endpoint: then slow start does not move it.
    fn is_by_key(&self) -> bool {
        false
    }
}

/// What a picker has besides the candidates.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Random numbers.
    pub rng: &'a mut Rng,
    /// The [`stable_hash`](crate::stable_hash) of the caller's key, if the caller gave one.
    pub key: Option<u64>,
    /// The balancer's clock, in milliseconds; 0 unless the picker
    /// [measures latency](Picker::measures_latency).
    pub now_ms: u64,
}
