//! The names under which one endpoint is listed.

use std::fmt::{self, Write};

use instance::Endpoint;

/// One name or several, of which the endpoint's own form takes no memory: it is nearly always the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spellings {
    own: bool,
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
        if is_form_of(endpoint, name) {
            self.own = true;
        } else if let Err(place) = self.others.binary_search_by(|other| other.as_str().cmp(name)) {
            self.others.insert(place, name.to_owned());
        }
    }

    /// Takes a name out; returns whether none is left.
    pub(super) fn remove(&mut self, endpoint: &Endpoint, name: &str) -> bool {
        if is_form_of(endpoint, name) {
            self.own = false;
        } else {
            self.others.retain(|other| other != name);
        }
        !self.own && self.others.is_empty()
    }

    pub(super) fn are_several(&self) -> bool {
        usize::from(self.own) + self.others.len() > 1
    }

    pub(super) fn names(&self, endpoint: &Endpoint) -> impl Iterator<Item = String> {
        self.own.then(|| endpoint.to_string()).into_iter().chain(self.others.iter().cloned())
    }
}

/// Whether a name is what the endpoint shows as, found out without memory for it: there are many.
fn is_form_of(endpoint: &Endpoint, name: &str) -> bool {
    struct Rest<'a>(&'a str);
    impl Write for Rest<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(name);
    write!(rest, "{endpoint}").is_ok() && rest.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_that_goes_says_so_in_any_order() {
        let endpoint: Endpoint = "host-a:80".parse().unwrap();
        let names = ["host-a:80", "Host-A:80", "HOST-A.:80"];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut spellings = Spellings::of(&endpoint, names[0]);
            assert!(!spellings.are_several());
            for name in [names[2], names[1], names[0], names[1]] {
                spellings.add(&endpoint, name);
            }
            assert_eq!(spellings.names(&endpoint).count(), 3);
            assert!(!spellings.remove(&endpoint, "host-A:80"), "it never was there");
            let gone: Vec<_> = order.map(|index| spellings.remove(&endpoint, names[index])).into();
            assert_eq!(gone, [false, false, true]);
        }
    }

    #[test]
    fn only_the_very_form_is_the_form() {
        let endpoint: Endpoint = "[::1]:80".parse().unwrap();
        for (name, is) in
            [("[::1]:80", true), ("[::1]:8", false), ("[::1]:800", false), ("[0::1]:80", false), ("", false)]
        {
            assert_eq!(is_form_of(&endpoint, name), is, "{name}");
        }
    }
}
