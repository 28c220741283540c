//! Who we are to the ensemble, and how the way there is kept secret: `[zookeeper.auth]`, `[zookeeper.tls]`
//! and what the ACL of a registration needs of them.

use std::path::Path;

use crate::check;
use crate::environment::PASSWORD;
use crate::file::{self, ReadError};
use crate::findings::{Findings, Origin};
use crate::secret::Secret;
use crate::settings::{Auth, Given, Registry, Scheme, Tls, Zookeeper};

const AUTH: &str = "zookeeper.auth";
const TLS: &str = "zookeeper.tls";

/// What a link needs beyond its addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    auth: Option<zk_core::Auth>,
}

impl Security {
    pub(crate) fn apply(&self, config: zk_core::Config) -> zk_core::Config {
        match &self.auth {
            Some(auth) => config.with_auth(auth.clone()),
            None => config,
        }
    }
}

/// Reads the files that are named, and notes what does not fit together.
pub(crate) fn check(zookeeper: &Zookeeper, registry: &Registry, findings: &mut Findings) -> Security {
    let mut security = Security::default();
    if let Some((Scheme::Digest, user, password)) = authentication(&zookeeper.auth, findings) {
        match zk_core::Auth::digest(user, password.reveal()) {
            Ok(auth) => security.auth = Some(auth),
            Err(error) => findings.add(section(zookeeper.auth.section), AUTH, error.to_string()),
        }
    }
    encryption(&zookeeper.tls, findings);
    if let Some((zk_core::Acl::Creator, origin)) = registry.acl.get()
        && zookeeper.auth.section.is_none()
    {
        let message = "\"creator\" gives the rights to whoever is authenticated, and nobody is: expected a \
                       section [zookeeper.auth]";
        findings.add(origin, "registry.acl", message);
    }
    security
}

fn section(at: Option<usize>) -> Origin {
    at.map_or(Origin::Default, Origin::File)
}

/// Scheme, user and password; `None` if there are none, or something is wrong with one.
fn authentication<'a>(auth: &'a Auth, findings: &mut Findings) -> Option<(Scheme, &'a str, Secret)> {
    let Some(at) = auth.section else {
        if let Some((Some(_), origin)) = auth.password.get() {
            let message =
                "expected a section [zookeeper.auth] in the file, with scheme and user for the password";
            findings.add(origin, AUTH, message);
        }
        return None;
    };
    let scheme = required(&auth.scheme, at, "zookeeper.auth.scheme", check::SCHEME, findings).copied();
    let user = required(&auth.user, at, "zookeeper.auth.user", check::USER, findings);
    let password = password(auth, at, findings);
    if scheme == Some(Scheme::Sasl) {
        let (_, origin) = auth.scheme.get()?;
        findings.add(origin, "zookeeper.auth.scheme", "this build has no SASL (cargo feature `sasl`)");
        return None;
    }
    Some((scheme?, user?, password?))
}

/// The environment's, or else the file's.
fn password(auth: &Auth, at: usize, findings: &mut Findings) -> Option<Secret> {
    if let (Some(secret), _) = auth.password.get()? {
        return Some(secret.clone());
    }
    let (Some(path), origin) = auth.password_file.get()? else {
        let message = format!("expected a password in the variable {PASSWORD}, or a password_file");
        findings.add(Origin::File(at), AUTH, message);
        return None;
    };
    let key = "zookeeper.auth.password_file";
    let text = read(path, origin, key, findings)?;
    warn_if_others_can_read(path, origin, key, findings);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => refuse(path, origin, key, "expected a password, found nothing", findings),
        _ if line.contains('\n') => {
            refuse(path, origin, key, "expected a password on one line, found several lines", findings);
        }
        _ => return Some(Secret::new(line)),
    }
    None
}

fn encryption(tls: &Tls, findings: &mut Findings) {
    let Some(at) = tls.section else { return };
    findings.add(Origin::File(at), TLS, "this build has no TLS (cargo feature `tls`)");
    if let Some((path, origin)) = named(&tls.ca) {
        pem(path, origin, "zookeeper.tls.ca", findings);
    } else if tls.ca.get().is_some() {
        let message = "expected the path of a file with the certificates that servers are trusted by";
        findings.add(Origin::File(at), "zookeeper.tls.ca", message);
    }
    let (certificate, key) = (named(&tls.certificate), named(&tls.key));
    let pair = [
        ("zookeeper.tls.certificate", certificate, "zookeeper.tls.key", &tls.key),
        ("zookeeper.tls.key", key, "zookeeper.tls.certificate", &tls.certificate),
    ];
    for (name, given, other_name, other) in pair {
        let Some((path, origin)) = given else { continue };
        pem(path, origin, name, findings);
        if matches!(other.get(), Some((None, _))) {
            findings.add(origin, name, format!("expected {other_name} beside it: neither is of use alone"));
        }
    }
    if let Some((path, origin)) = key {
        warn_if_others_can_read(path, origin, "zookeeper.tls.key", findings);
    }
}

fn named<T>(given: &Given<Option<T>>) -> Option<(&T, Origin)> {
    given.get().and_then(|(value, origin)| value.as_ref().map(|value| (value, origin)))
}

fn required<'a, T>(
    given: &'a Given<Option<T>>,
    section: usize,
    key: &str,
    expected: &str,
    findings: &mut Findings,
) -> Option<&'a T> {
    let (value, _) = given.get()?;
    if value.is_none() {
        findings.add(Origin::File(section), key, format!("expected {expected}, found nothing"));
    }
    value.as_ref()
}

/// Reads a file in PEM form, as far as one can tell.
fn pem(path: &Path, origin: Origin, key: &str, findings: &mut Findings) -> Option<String> {
    let text = read(path, origin, key, findings)?;
    if text.contains("-----BEGIN ") {
        return Some(text);
    }
    refuse(path, origin, key, "expected a PEM file, found no -----BEGIN in it", findings);
    None
}

fn read(path: &Path, origin: Origin, key: &str, findings: &mut Findings) -> Option<String> {
    let message = match file::read(path) {
        Ok(text) => return Some(text),
        Err(ReadError::Missing) => "no such file".into(),
        Err(ReadError::Unusable(message)) => message,
        Err(ReadError::NotUtf8 { .. }) => "expected text in UTF-8".into(),
    };
    refuse(path, origin, key, &message, findings);
    None
}

fn refuse(path: &Path, origin: Origin, key: &str, message: &str, findings: &mut Findings) {
    findings.add(origin, key, format!("{}: {message}", check::quote(&path.display().to_string())));
}

/// Warns of a secret that more people can read than need to.
fn warn_if_others_can_read(path: &Path, origin: Origin, key: &str, findings: &mut Findings) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(metadata) = std::fs::metadata(path) else { return };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = check::quote(&path.display().to_string());
            let message =
                format!("{path}: others than its owner may use it (mode {mode:03o}); chmod 600 ends that");
            findings.warn(origin, key, message);
        }
    }
}
