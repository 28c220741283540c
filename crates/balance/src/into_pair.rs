//! [`IntoPair`]: what an update takes for each endpoint.

/// The key and the value of an endpoint: a pair, or references to them, which are cloned. So a map or a slice of pairs updates a
/// balancer without being given away.
///
/// ```
/// use std::collections::BTreeMap;
/// use balance::{Balancer, BalancerConfig, Strategy};
///
/// let balancer = Balancer::new(BalancerConfig::new(Strategy::Random));
/// let map = BTreeMap::from([("10.0.0.1:80".to_owned(), ())]);
/// balancer.update(&map);
/// balancer.update(&[("10.0.0.2:80".to_owned(), ())]);
/// balancer.update(map);
/// ```
#[diagnostic::on_unimplemented(
    message = "an endpoint is a pair of key and value, and `{Self}` is not one for these types"
)]
pub trait IntoPair<K, V> {
    /// Returns the key and the value.
    fn into_pair(self) -> (K, V);
}

impl<K, V> IntoPair<K, V> for (K, V) {
    fn into_pair(self) -> (K, V) {
        self
    }
}

impl<K: Clone, V: Clone> IntoPair<K, V> for (&K, &V) {
    fn into_pair(self) -> (K, V) {
        (self.0.clone(), self.1.clone())
    }
}

impl<K: Clone, V: Clone> IntoPair<K, V> for &(K, V) {
    fn into_pair(self) -> (K, V) {
        self.clone()
    }
}
