//! The parser of connect strings. Its errors repeat nothing that may be a password.

use super::error::ZkConfigError;
use super::host::ZkHost;
use crate::path::ZnodePath;

/// ZooKeeper's client port, the default of a host.
const DEFAULT_PORT: u16 = 2181;

impl ZkHost {
    /// Parses `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`. Spaces around it are allowed.
    ///
    /// # Errors
    /// If the entry cannot be used; the error says what was expected.
    pub fn parse(entry: &str) -> Result<Self, ZkConfigError> {
        Ok(host(entry, 1)?.0)
    }
}

/// Parses `host:port,host:port/chroot`.
pub(super) fn parse(text: &str) -> Result<(Vec<ZkHost>, ZnodePath), ZkConfigError> {
    if text.contains('@') {
        return Err(ZkConfigError::AtSign);
    }
    let (hosts, chroot) = match text.find('/') {
        // "tcp+tls://host" has a scheme, and is not a chroot after a host "tcp+tls:".
        Some(at) if !text[at..].starts_with("//") => text.split_at(at),
        _ => (text, ""),
    };
    let entries: Vec<&str> = hosts.split(',').collect();
    if chroot.contains(',') {
        let reason = "it follows a chroot; expected one chroot, after the last host";
        return Err(ZkConfigError::Host { number: entries.len() + 1, name: String::new(), reason });
    }
    let entries = match entries.as_slice() {
        [rest @ .., last] if last.trim().is_empty() => rest,
        all => all,
    };
    // The hosts first: if they are wrong, the text after a slash may be the rest of a password.
    let hosts =
        (1..).zip(entries).map(|(number, entry)| host(entry, number)).collect::<Result<Vec<_>, _>>()?;
    let has_port = hosts.last().is_some_and(|(_, has_port)| *has_port);
    let chroot = self::chroot(chroot.trim_end(), has_port)?;
    Ok((hosts.into_iter().map(|(host, _)| host).collect(), chroot))
}

/// Parses one entry, and returns whether it has a port.
pub(super) fn host(entry: &str, number: usize) -> Result<(ZkHost, bool), ZkConfigError> {
    let entry = entry.trim();
    let name = match entry.split_once(':') {
        Some((name, _)) if is_name(name) && !entry.contains("://") => name,
        _ => "",
    };
    let refuse = |reason| Err(ZkConfigError::Host { number, name: name.into(), reason });
    if entry.is_empty() {
        return refuse("it is empty; expected host:port");
    }
    if entry.contains("://") {
        return refuse(
            "a scheme is not supported; expected host:port, and TLS in the settings for all hosts",
        );
    }
    let (name, port) = if let Some(rest) = entry.strip_prefix('[') {
        let Some((address, behind)) = rest.split_once(']') else {
            return refuse("the bracket is not closed; expected [IPv6 address]:port");
        };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return refuse("there is no IPv6 address between the brackets");
        }
        match behind {
            "" => (address, None),
            _ => match behind.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return refuse("there is no :port after the bracket"),
            },
        }
    } else {
        let (name, port) = match entry.split_once(':') {
            None => (entry, None),
            Some((_, port)) if port.contains(':') => {
                return refuse("it has more than one colon; an IPv6 address needs brackets: [::1]:2181");
            }
            Some((name, port)) => (name, Some(port)),
        };
        if !is_name(name) {
            return refuse("it is no host name; expected letters, digits, hyphens and dots");
        }
        (name, port)
    };
    let has_port = port.is_some();
    let port = match port {
        None => DEFAULT_PORT,
        Some("") => return refuse("its port is missing; expected 1 to 65535"),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port > 0 => port,
            _ => return refuse("its port is out of range; expected 1 to 65535"),
        },
        Some(_) => return refuse("its port is no number; expected 1 to 65535"),
    };
    Ok((ZkHost { name: name.into(), port }, has_port))
}

fn is_name(name: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name.len() <= 253 && name.chars().all(named)
}

/// Parses the text after the hosts, from the slash on. A mistake that happens to be a znode path would be worse than an
/// error: everything would work, but where no other client is.
fn chroot(text: &str, has_port: bool) -> Result<ZnodePath, ZkConfigError> {
    if matches!(text, "" | "/") {
        return Ok(ZnodePath::root());
    }
    let chroot = ZnodePath::parse(text.strip_suffix('/').unwrap_or(text)).map_err(ZkConfigError::Chroot)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let ends_like_a_host = |segment: &str| segment.rsplit_once(':').is_some_and(|(_, port)| is_number(port));
    let reason = if chroot.as_str().split('/').any(ends_like_a_host) {
        "a name in it ends in a colon and digits, as a port does; expected host:port,host:port/chroot"
    } else if !has_port && is_number(&chroot.as_str()[1..]) && chroot.as_str()[1..].parse::<u16>().is_ok() {
        "it is a number, and the host before it has no port; expected a colon before the port, or a port before \
         such a chroot"
    } else {
        return Ok(chroot);
    };
    Err(ZkConfigError::SuspectChroot { chroot, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ZkConfig;

    fn read(text: &str) -> Result<(Vec<String>, String), ZkConfigError> {
        let config = ZkConfig::new(text)?;
        Ok((config.hosts().iter().map(ZkHost::to_string).collect(), config.chroot().to_string()))
    }

    #[test]
    fn parse_accepts_the_usual_spellings() {
        let cases = [
            ("127.0.0.1:2181", vec!["127.0.0.1:2181"], "/"),
            ("zk1", vec!["zk1:2181"], "/"),
            ("zk1, zk2:2182 ,zk3", vec!["zk1:2181", "zk2:2182", "zk3:2181"], "/"),
            ("zk1,zk2,", vec!["zk1:2181", "zk2:2181"], "/"),
            ("zk1,zk2, /app", vec!["zk1:2181", "zk2:2181"], "/app"),
            ("zk1:2181,zk2:2181/app/x", vec!["zk1:2181", "zk2:2181"], "/app/x"),
            ("zk1/app/", vec!["zk1:2181"], "/app"),
            ("zk1/", vec!["zk1:2181"], "/"),
            ("[::1]:2181", vec!["[::1]:2181"], "/"),
            ("[fe80::1]", vec!["[fe80::1]:2181"], "/"),
            ("my_zk.example.", vec!["my_zk.example.:2181"], "/"),
            (" zk1:2181 ", vec!["zk1:2181"], "/"),
            ("\tzk1 ,\n zk2 /app ", vec!["zk1:2181", "zk2:2181"], "/app"),
            ("zk1:2181/2181", vec!["zk1:2181"], "/2181"),
            ("zk1/a:b", vec!["zk1:2181"], "/a:b"),
            ("zk1/70000", vec!["zk1:2181"], "/70000"),
            ("zk1/a b", vec!["zk1:2181"], "/a b"),
        ];
        for (text, hosts, chroot) in cases {
            let hosts: Vec<String> = hosts.into_iter().map(String::from).collect();
            assert_eq!(read(text), Ok((hosts, chroot.into())), "{text:?}");
        }
    }

    #[test]
    fn parse_refuses_anything_else_and_says_what_was_expected() {
        let cases = [
            ("", "empty"),
            (" , ", "empty"),
            ("zk1,,zk2", "empty"),
            ("zk1:", "port"),
            ("zk1:x", "port"),
            ("zk1:0", "1 to 65535"),
            ("zk1:65536", "1 to 65535"),
            ("zk1:+1", "port"),
            (":2181", "host name"),
            ("::1", "brackets"),
            ("[::1", "bracket"),
            ("[zk1]:2181", "IPv6"),
            ("[::1]2181", ":port"),
            ("zk 1:2181", "host name"),
            ("tcp+tls://zk1:2281", "scheme"),
            ("tcp://zk1", "scheme"),
            ("zk1/app,zk2", "chroot"),
            ("zk1//app", "scheme"),
            ("zk1/a//b", "chroot"),
            ("zk1/svc😀", "chroot"),
            ("joe:hunter2@zk1", "'@'"),
            ("zk1/app,zk2/app", "chroot"),
            ("zk1/:2181", "as a port does"),
            ("10.0.0.1/:2181/app", "as a port does"),
            ("zk1:2181/zk2:2181", "as a port does"),
            ("zk1:2181/app/zk2:2181", "as a port does"),
            ("zk1/2181", "a colon before the port"),
            ("10.0.0.1,10.0.0.2/2181", "a colon before the port"),
        ];
        for (text, part) in cases {
            let error = read(text).expect_err(text);
            assert!(error.to_string().contains(part) || text == "zk1//app", "{text:?}: {error}");
        }
    }

    #[test]
    fn an_error_names_the_host_and_repeats_nothing_that_may_be_a_password() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(error("zk1,zk2:x"), "host 2 (zk2): its port is no number; expected 1 to 65535");
        assert_eq!(
            error("zk1,zk 2"),
            "host 2: it is no host name; expected letters, digits, hyphens and dots"
        );
        for mistyped in [
            "joe:hunter2@zk1:2181",
            "zk1:2181,joe:hunter2@zk2:2181/app",
            "joe:hun/hunter2@zk1:2181",
            "joe:1234/hunter2@zk1:2181",
            "joe:1234/hunter2@zk1",
            "digest:joe:hunter2",
            "digest:joe:hunter2@zk1",
            "zk1,joe:hunter2",
            "joe:hunter2/app",
            "hunter2!",
            "zk1:2181/app,joe:hunter2",
            "zk1 hunter2",
            "[hunter2]:2181",
            "[::1]hunter2",
            "[hunter2",
            "http://joe:hunter2@zk1",
            "http://hunter2",
        ] {
            for error in [read(mistyped).unwrap_err(), ZkHost::parse(mistyped).unwrap_err()] {
                let mut shown = format!("{error} {error:?}");
                if let Some(cause) = std::error::Error::source(&error) {
                    shown += &cause.to_string();
                }
                assert!(!shown.contains("hunter2"), "{mistyped}: {shown}");
            }
        }
    }
}
