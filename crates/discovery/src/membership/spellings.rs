//! The names under which one endpoint is listed.

use std::fmt::{self, Write};

use instance::Endpoint;

/// The names of one endpoint. Its canonical name takes no memory, as it is nearly always the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spellings {
    /// Whether the canonical name is listed: what the endpoint displays as.
    canonical: bool,
    /// Sorted.
    others: Vec<String>,
}

impl Spellings {
    pub(super) fn of(endpoint: &Endpoint, name: &str) -> Self {
        let mut spellings = Self::default();
        spellings.add(endpoint, name);
        spellings
    }

    pub(super) fn add(&mut self, endpoint: &Endpoint, name: &str) {
        if is_canonical(endpoint, name) {
            self.canonical = true;
        } else if let Err(index) = self.others.binary_search_by(|other| other.as_str().cmp(name)) {
            self.others.insert(index, name.to_owned());
        }
    }

    /// Removes a name; returns whether none is left.
    pub(super) fn remove(&mut self, endpoint: &Endpoint, name: &str) -> bool {
        if is_canonical(endpoint, name) {
            self.canonical = false;
        } else {
            self.others.retain(|other| other != name);
        }
        !self.canonical && self.others.is_empty()
    }

    pub(super) fn are_several(&self) -> bool {
        usize::from(self.canonical) + self.others.len() > 1
    }

    pub(super) fn names(&self, endpoint: &Endpoint) -> impl Iterator<Item = String> {
        self.canonical.then(|| endpoint.to_string()).into_iter().chain(self.others.iter().cloned())
    }
}

/// Returns whether a name is what the endpoint displays as. Allocates nothing, as there are many names.
fn is_canonical(endpoint: &Endpoint, name: &str) -> bool {
    struct Unmatched<'a>(&'a str);
    impl Write for Unmatched<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut unmatched = Unmatched(name);
    write!(unmatched, "{endpoint}").is_ok() && unmatched.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_last_name_returns_true_in_any_order() {
        let endpoint: Endpoint = "host-a:80".parse().unwrap();
        let names = ["host-a:80", "Host-A:80", "HOST-A.:80"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut spellings = Spellings::of(&endpoint, names[0]);
            assert!(!spellings.are_several());
            for name in [names[2], names[1], names[0], names[1]] {
                spellings.add(&endpoint, name);
            }
            assert_eq!(spellings.names(&endpoint).count(), 3);
            assert!(!spellings.remove(&endpoint, "host-A:80"), "this name was never added");
            let gone: Vec<_> = order.map(|index| spellings.remove(&endpoint, names[index])).into();
            assert_eq!(gone, [false, false, true]);
        }
    }

    #[test]
    fn only_the_exact_form_is_canonical() {
        let endpoint: Endpoint = "[::1]:80".parse().unwrap();
        for (name, expected) in
            [("[::1]:80", true), ("[::1]:8", false), ("[::1]:800", false), ("[0::1]:80", false), ("", false)]
        {
            assert_eq!(is_canonical(&endpoint, name), expected, "{name}");
        }
    }
}
