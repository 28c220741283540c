//! The addresses of this machine, and the choice among them.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::callable;
use super::error::AdvertiseError;
use super::lifetimes::{self, Lifetime};

/// How long the system may take. It answers within microseconds where there are not many thousands of addresses.
const LIMIT: Duration = Duration::from_secs(2);

/// How many addresses an error names.
const NAMED: usize = 16;

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Local {
    pub(super) interface: String,
    /// Never an IPv4 address that is mapped into IPv6.
    pub(super) ip: IpAddr,
    /// Whether the interface is up, and has a carrier where it needs one.
    pub(super) is_up: bool,
    pub(super) lifetime: Lifetime,
}

impl Local {
    /// Whether it belongs to the interface of this name. Linux lists an address that has a label under that: `eth0:1`.
    pub(super) fn is_of(&self, interface: &str) -> bool {
        match self.interface.strip_prefix(interface) {
            Some(rest) => rest.is_empty() || rest.starts_with(':'),
            None => false,
        }
    }
}

/// The address of this machine that callers reach at a socket on `bound`, of those that are wanted.
///
/// # Cancel safety
/// Safe.
pub(super) async fn find(
    bound: IpAddr,
    origin: String,
    is_wanted: impl Fn(&Local) -> bool,
) -> Result<IpAddr, AdvertiseError> {
    // Where there are thousands of addresses the system call takes its time.
    let all = match timeout(LIMIT, tokio::task::spawn_blocking(list)).await {
        Ok(Ok(Ok(all))) => all,
        Ok(Ok(Err(error))) => return Err(AdvertiseError::Unlisted { origin, cause: error.to_string() }),
        Ok(Err(error)) => return Err(AdvertiseError::Unlisted { origin, cause: error.to_string() }),
        Err(_) => return Err(AdvertiseError::TimedOut { origin, limit: LIMIT }),
    };
    choose(&all, bound, &is_wanted)
        .ok_or_else(|| AdvertiseError::NoAddress { origin, found: describe(&all, bound, &is_wanted) })
}

fn list() -> std::io::Result<Vec<Local>> {
    let lifetimes = lifetimes::read();
    let local = |one: if_addrs::Interface| {
        let (ip, is_up, interface) = (one.ip().to_canonical(), one.is_oper_up(), one.name);
        let lifetime = match ip {
            IpAddr::V6(v6) => lifetimes.get(&(interface.clone(), v6)).copied().unwrap_or_default(),
            IpAddr::V4(_) => Lifetime::default(),
        };
        Local { interface, ip, is_up, lifetime }
    };
    Ok(if_addrs::get_if_addrs()?.into_iter().map(local).collect())
}

/// The first address that is wanted and usable: the one on which the socket listens; then those that last, by number, IPv4
/// before IPv6; those that only this machine can call last. The order of `all`, which is the kernel's, does not matter.
fn choose(all: &[Local], bound: IpAddr, is_wanted: impl Fn(&Local) -> bool) -> Option<IpAddr> {
    let usable = all.iter().filter(|local| is_wanted(local) && reason_against(local, bound).is_none());
    let first = usable.min_by_key(|local| {
        let Local { ip, lifetime, .. } = local;
        (*ip != bound, ip.is_loopback(), *lifetime, *ip)
    });
    first.map(|local| local.ip)
}

/// Why callers cannot use an address, if so.
fn reason_against(local: &Local, bound: IpAddr) -> Option<&'static str> {
    if !local.is_up {
        return Some("down");
    }
    if local.lifetime == Lifetime::Tentative {
        return Some("not known to be unique");
    }
    let is_link_local = match local.ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if is_link_local {
        return Some("link-local");
    }
    match (bound, local.ip) {
        (IpAddr::V4(_), IpAddr::V6(_)) => return Some("the socket listens on IPv4"),
        (IpAddr::V6(bound), IpAddr::V4(_)) if !bound.is_unspecified() => {
            return Some("the socket listens on IPv6");
        }
        _ => {}
    }
    callable::reason_against(local.ip)
}

/// The addresses of this machine, those that are wanted first, with what is wrong with them. In an order of its own: the log
/// shows equal texts once.
fn describe(all: &[Local], bound: IpAddr, is_wanted: impl Fn(&Local) -> bool) -> String {
    let mut all: Vec<_> = all.iter().map(|local| (!is_wanted(local), local)).collect();
    all.sort_unstable();
    let mut text = match all.len() {
        0 => "this machine has none".to_owned(),
        _ => "this machine has ".to_owned(),
    };
    for (index, (is_other, local)) in all.iter().take(NAMED).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let reason = reason_against(local, bound).filter(|_| !is_other);
        let (open, reason, close) = reason.map_or(("", "", ""), |reason| (" (", reason, ")"));
        let written = write!(text, "{separator}{} {}{open}{reason}{close}", local.interface, local.ip);
        written.expect("a String takes any text");
    }
    if all.len() > NAMED {
        let _ = write!(text, " and {} others", all.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::network::Network;
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// `eth0 10.0.0.7`, and ` down` or a lifetime behind that.
    fn local(text: &str) -> Local {
        let mut words = text.split(' ');
        let (interface, address) = (words.next().unwrap().to_owned(), words.next().unwrap());
        let more = words.next();
        let lifetime = match more {
            None | Some("down") => Lifetime::Lasting,
            Some("temporary") => Lifetime::Temporary,
            Some("deprecated") => Lifetime::Deprecated,
            Some("tentative") => Lifetime::Tentative,
            Some(other) => panic!("{other}"),
        };
        Local { interface, ip: ip(address), is_up: more != Some("down"), lifetime }
    }

    fn machine(addresses: &[&str]) -> Vec<Local> {
        addresses.iter().map(|text| local(text)).collect()
    }

    fn of_interface(all: &[Local], name: &str, bound: &str) -> Option<IpAddr> {
        choose(all, ip(bound), |local| local.is_of(name))
    }

    fn in_network(all: &[Local], network: &str, bound: &str) -> Option<IpAddr> {
        let network: Network = network.parse().unwrap();
        choose(all, ip(bound), |local| network.contains(local.ip))
    }

    const ANY: &str = "::";

    #[test]
    fn the_lowest_usable_address_of_the_interface_is_chosen() {
        let all = machine(&[
            "lo 127.0.0.1",
            "eth1 10.0.0.1",
            "eth0 169.254.0.1",
            "eth0 2001:db8::7",
            "eth0 10.0.0.20",
            "eth0 10.0.0.9",
        ]);
        assert_eq!(of_interface(&all, "eth0", "0.0.0.0"), Some(ip("10.0.0.9")));
        assert_eq!(of_interface(&all, "eth0", ANY), Some(ip("10.0.0.9")), "IPv4 before IPv6");
        assert_eq!(of_interface(&all, "eth0", "2001:db8::1"), Some(ip("2001:db8::7")));
        assert_eq!(of_interface(&all, "eth", ANY), None, "no part of a name");
        assert_eq!(of_interface(&all, "eth2", ANY), None);
    }

    #[test]
    fn an_interface_has_the_addresses_with_its_labels() {
        let all = machine(&["eth0:1 10.0.0.9", "eth0 10.0.0.20", "eth01 10.0.0.1"]);
        assert_eq!(of_interface(&all, "eth0", ANY), Some(ip("10.0.0.9")));
        assert_eq!(of_interface(&all, "eth0:1", ANY), Some(ip("10.0.0.9")));
    }

    #[test]
    fn an_interface_that_is_down_and_a_link_local_address_are_not_used() {
        let all = machine(&["eth0 10.0.0.7 down", "eth1 169.254.7.7", "eth2 fe80::1", "eth2 febf::1"]);
        for name in ["eth0", "eth1", "eth2"] {
            assert_eq!(of_interface(&all, name, ANY), None, "{name}");
        }
        assert_eq!(in_network(&all, "0.0.0.0/0", ANY), None);
        assert_eq!(in_network(&all, "::/0", ANY), None);
    }

    /// After the network has another prefix, the old addresses stay for hours.
    #[test]
    fn an_address_that_lasts_comes_before_one_that_does_not() {
        let all = machine(&[
            "eth0 2001:db8::1 tentative",
            "eth0 2001:db8::2 deprecated",
            "eth0 2001:db8::3 temporary",
            "eth0 2001:db8::9",
        ]);
        for (count, expected) in
            [(4, Some("2001:db8::9")), (3, Some("2001:db8::3")), (2, Some("2001:db8::2")), (1, None)]
        {
            assert_eq!(of_interface(&all[..count], "eth0", ANY), expected.map(ip));
        }
        assert_eq!(of_interface(&all, "eth0", "2001:db8::2"), Some(ip("2001:db8::2")), "the socket's own");
    }

    #[test]
    fn a_loopback_address_is_used_only_where_there_is_no_other() {
        let all = machine(&["lo 127.0.0.1", "lo ::1", "eth0 203.0.113.7"]);
        assert_eq!(in_network(&all, "0.0.0.0/0", ANY), Some(ip("203.0.113.7")));
        assert_eq!(of_interface(&all, "lo", ANY), Some(ip("127.0.0.1")));
        assert_eq!(in_network(&all, "127.0.0.0/8", ANY), Some(ip("127.0.0.1")));
        // An address that is meant for callers, on the interface that is always up.
        let all = machine(&["lo 127.0.0.1", "lo 203.0.113.9"]);
        assert_eq!(of_interface(&all, "lo", ANY), Some(ip("203.0.113.9")));
    }

    #[test]
    fn the_address_on_which_the_socket_listens_comes_first() {
        let all = machine(&["lo 127.0.0.1", "eth0 10.0.0.7", "eth0 10.0.0.9"]);
        assert_eq!(of_interface(&all, "eth0", "10.0.0.9"), Some(ip("10.0.0.9")));
        assert_eq!(in_network(&all, "0.0.0.0/0", "127.0.0.1"), Some(ip("127.0.0.1")));
        assert_eq!(of_interface(&all, "eth0", "10.9.9.9"), Some(ip("10.0.0.7")), "a port that is forwarded");
    }

    #[test]
    fn an_error_names_the_addresses_that_there_are_and_what_is_wrong_with_those_that_are_meant() {
        let all = machine(&["lo 127.0.0.1", "eth1 10.0.0.9", "eth0 fe80::1", "eth0 10.0.0.7 down"]);
        let text = describe(&all, ip(ANY), |local| local.is_of("eth0"));
        assert_eq!(
            text,
            "this machine has eth0 10.0.0.7 (down), eth0 fe80::1 (link-local), eth1 10.0.0.9, lo 127.0.0.1"
        );
        assert_eq!(describe(&[], ip(ANY), |_| true), "this machine has none");
        let many: Vec<_> = (0..NAMED + 3).map(|i| local(&format!("eth0 10.0.0.{i}"))).collect();
        assert!(describe(&many, ip(ANY), |_| false).ends_with(" and 3 others"));
    }

    #[tokio::test]
    async fn this_machine_has_a_loopback_address() {
        let found = find(ip("0.0.0.0"), "here".into(), |local| local.ip.is_loopback()).await;
        assert_eq!(found, Ok(ip("127.0.0.1")));
        let missing = find(ip("0.0.0.0"), "interface eth-none".into(), |local| local.is_of("eth-none")).await;
        let text = missing.unwrap_err().to_string();
        assert!(text.starts_with("interface eth-none: ") && text.contains("127.0.0.1"), "{text}");
    }

    fn addresses() -> impl Strategy<Value = Vec<Local>> {
        // Few bits, so that equal addresses, loopback and link-local ones are frequent.
        let v4 = (prop::sample::select(vec![[10, 0], [127, 0], [169, 254], [172, 16], [224, 0]]), 0u8..4)
            .prop_map(|([a, b], last)| IpAddr::from([a, b, 0, last]));
        let v6 = (prop::sample::select(vec![0x2001u16, 0xfe80, 0xfebf, 0xfd00, 0xff02, 0]), 0u16..3)
            .prop_map(|(first, last)| IpAddr::from([first, 0, 0, 0, 0, 0, 0, last]));
        let name = prop::sample::select(vec!["lo", "eth0", "eth0:1", "eth1"]);
        let lifetimes = [Lifetime::Lasting, Lifetime::Temporary, Lifetime::Deprecated, Lifetime::Tentative];
        let one = (name, prop_oneof![v4, v6], any::<bool>(), prop::sample::select(lifetimes.to_vec()));
        let local =
            one.prop_map(|(name, ip, is_up, lifetime)| Local { interface: name.into(), ip, is_up, lifetime });
        prop::collection::vec(local, 0..12)
    }

    fn bound() -> impl Strategy<Value = IpAddr> {
        prop::sample::select(vec!["0.0.0.0", "::", "10.0.0.1", "127.0.0.1", "2001::1", "::1"])
            .prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn the_order_in_which_the_kernel_lists_addresses_does_not_matter(
            all in addresses(),
            bound in bound(),
            swaps in prop::collection::vec(any::<(Index, Index)>(), 0..12),
        ) {
            let mut others = all.clone();
            if !others.is_empty() {
                for (a, b) in swaps {
                    let (a, b) = (a.index(others.len()), b.index(others.len()));
                    others.swap(a, b);
                }
            }
            let is_wanted = |local: &Local| local.is_of("eth0");
            prop_assert_eq!(choose(&all, bound, is_wanted), choose(&others, bound, is_wanted));
            prop_assert_eq!(describe(&all, bound, is_wanted), describe(&others, bound, is_wanted));
        }

        #[test]
        fn what_is_chosen_is_wanted_and_can_be_called(all in addresses(), bound in bound()) {
            let is_wanted = |local: &Local| local.interface == "eth0" || local.interface == "lo";
            let usable = |local: &&Local| {
                let link_local = match local.ip {
                    IpAddr::V4(ip) => ip.is_link_local(),
                    IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
                };
                let family = bound == ip(ANY) || bound.is_ipv4() == local.ip.is_ipv4();
                let nobody = local.ip.is_unspecified() || local.ip.is_multicast();
                let is_tentative = local.lifetime == Lifetime::Tentative;
                is_wanted(local) && local.is_up && !is_tentative && !link_local && family && !nobody
            };
            let usable: Vec<_> = all.iter().filter(usable).collect();
            let chosen = choose(&all, bound, is_wanted);
            prop_assert_eq!(chosen.is_some(), !usable.is_empty());
            if let Some(chosen) = chosen {
                prop_assert!(usable.iter().any(|local| local.ip == chosen));
                let has_other = usable.iter().any(|local| !local.ip.is_loopback());
                prop_assert!(!chosen.is_loopback() || !has_other || chosen == bound);
                prop_assert!(chosen == bound || usable.iter().all(|local| local.ip != bound));
            }
        }

        /// Further addresses of other interfaces, or higher ones, move no registration.
        #[test]
        fn only_a_lower_usable_address_replaces_the_chosen_one(all in addresses(), more in addresses()) {
            let any = ip(ANY);
            let before = choose(&all, any, |_| true);
            let both: Vec<_> = all.iter().chain(&more).cloned().collect();
            let after = choose(&both, any, |_| true);
            if after != before {
                prop_assert_eq!(after, choose(&more, any, |_| true));
            }
        }
    }
}
