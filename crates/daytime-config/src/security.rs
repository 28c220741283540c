//! `[zookeeper.auth]` and `[zookeeper.tls]`: the identity that the link authenticates with, and TLS; and what the
//! ACL of a registration needs of them.

use std::path::{Path, PathBuf};

use crate::check;
use crate::diagnostics::{Diagnostics, Origin};
use crate::environment::PASSWORD;
use crate::error_chain;
use crate::file::{self, ReadError};
use crate::secret::Secret;
use crate::settings::{Auth, Registry, Scheme, Sourced, Tls, Zookeeper};

const AUTH: &str = "zookeeper.auth";
#[cfg(not(feature = "tls"))]
const TLS: &str = "zookeeper.tls";

/// The authentication and the encryption of a link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    identity: Option<Identity>,
    #[cfg(feature = "tls")]
    tls: Option<zk_core::Tls>,
}

/// The user, and how the link authenticates it.
#[derive(Clone, Debug)]
enum Identity {
    Digest(zk_core::Auth),
    #[cfg(feature = "sasl")]
    Sasl(zk_core::Sasl),
}

impl Security {
    pub(crate) fn apply(&self, config: zk_core::ZkConfig) -> zk_core::ZkConfig {
        let config = match self.identity.clone() {
            None => config,
            Some(Identity::Digest(auth)) => config.with_auth(auth),
            #[cfg(feature = "sasl")]
            Some(Identity::Sasl(sasl)) => config.with_sasl(sasl),
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            return config.with_tls(tls);
        }
        config
    }
}

/// Reads the named files, and reports settings that contradict each other.
pub(crate) fn check(zookeeper: &Zookeeper, registry: &Registry, diagnostics: &mut Diagnostics) -> Security {
    let security = Security {
        identity: authentication(&zookeeper.auth, diagnostics),
        #[cfg(feature = "tls")]
        tls: encryption(&zookeeper.tls, diagnostics),
    };
    #[cfg(not(feature = "tls"))]
    if let Some(at) = zookeeper.tls.section {
        diagnostics.add(Origin::File(at), TLS, "this build has no TLS (cargo feature `tls`)");
        // Report the other mistakes of the section, too.
        encryption(&zookeeper.tls, diagnostics);
    }
    if let Some((zk_core::Acl::Creator, origin)) = registry.acl.get()
        && zookeeper.auth.section.is_none()
    {
        let message = "\"creator\" is for a client that authenticates: expected a section [zookeeper.auth]";
        diagnostics.add(origin, "registry.acl", message);
    }
    security
}

/// The configured identity; `None` if there is none, or if it is wrong.
fn authentication(auth: &Auth, diagnostics: &mut Diagnostics) -> Option<Identity> {
    let Some(at) = auth.section else {
        if let Some((Some(_), origin)) = auth.password.get() {
            let message =
                "expected a section [zookeeper.auth] in the file, with scheme and user for the password";
            diagnostics.add(origin, AUTH, message);
        }
        return None;
    };
    let scheme = required(&auth.scheme, at, "zookeeper.auth.scheme", check::SCHEME, diagnostics).copied();
    let user = required(&auth.user, at, "zookeeper.auth.user", check::USER, diagnostics);
    let password = password(auth, at, diagnostics);
    let identity = match scheme? {
        Scheme::Digest => {
            let auth = zk_core::Auth::digest(user?, password?.reveal());
            auth.map(Identity::Digest).map_err(|error| error_chain(&error))
        }
        #[cfg(feature = "sasl")]
        Scheme::Sasl => {
            let sasl = zk_core::Sasl::digest_md5(user?, password?.reveal());
            sasl.map(Identity::Sasl).map_err(|error| error_chain(&error))
        }
        #[cfg(not(feature = "sasl"))]
        Scheme::Sasl => {
            let (_, origin) = auth.scheme.get()?;
            diagnostics.add(origin, "zookeeper.auth.scheme", "this build has no SASL (cargo feature `sasl`)");
            return None;
        }
    };
    identity.map_err(|message| diagnostics.add(Origin::File(at), AUTH, message)).ok()
}

/// The password of the environment, or else of the password file.
fn password(auth: &Auth, at: usize, diagnostics: &mut Diagnostics) -> Option<Secret> {
    if let (Some(secret), _) = auth.password.get()? {
        return Some(secret.clone());
    }
    let (Some(path), origin) = auth.password_file.get()? else {
        let message = format!("expected a password in the variable {PASSWORD}, or a password_file");
        diagnostics.add(Origin::File(at), AUTH, message);
        return None;
    };
    let key = "zookeeper.auth.password_file";
    if std::fs::symlink_metadata(path).is_err() {
        let message = "no such file, relative to the folder of this one; the name is not shown, as it may be the \
                       password itself";
        diagnostics.add(origin, key, message);
        return None;
    }
    let text = read(path, origin, key, diagnostics)?;
    warn_if_others_can_read(path, origin, key, diagnostics);
    Secret::read(&text).map_err(|message| refuse(path, origin, key, &message, diagnostics)).ok()
}

/// The PEM files of `[zookeeper.tls]`: their texts, paths and origins.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "this build only checks them"))]
struct Pems<'a> {
    ca: Pem<'a>,
    /// Certificate and key.
    identity: Option<(Pem<'a>, Pem<'a>)>,
}

#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "this build only checks them"))]
struct Pem<'a> {
    text: String,
    path: &'a Path,
    origin: Origin,
}

/// Reads the files of the section; `None` if there is no section, or if it is wrong.
fn pems<'a>(tls: &'a Tls, diagnostics: &mut Diagnostics) -> Option<Pems<'a>> {
    let at = tls.section?;
    let ca = match tls.ca.get() {
        Some((Some(path), origin)) => pem(path, origin, "zookeeper.tls.ca", diagnostics),
        Some((None, _)) => {
            let message = "expected the path of a PEM file with the certificates to trust";
            diagnostics.add(Origin::File(at), "zookeeper.tls.ca", message);
            None
        }
        None => None,
    };
    let mut one = |sourced: &'a Sourced<Option<PathBuf>>,
                   name,
                   other: &Sourced<Option<PathBuf>>,
                   other_name| {
        let (path, origin) = named(sourced)?;
        if matches!(other.get(), Some((None, _))) {
            diagnostics.add(
                origin,
                name,
                format!("expected {other_name}, too: a certificate needs its key, and a key its certificate"),
            );
        }
        pem(path, origin, name, diagnostics)
    };
    let (certificate_name, key_name) = ("zookeeper.tls.certificate", "zookeeper.tls.key");
    let certificate = one(&tls.certificate, certificate_name, &tls.key, key_name);
    let key = one(&tls.key, key_name, &tls.certificate, certificate_name);
    if let Some((path, origin)) = named(&tls.key) {
        warn_if_others_can_read(path, origin, key_name, diagnostics);
    }
    Some(Pems { ca: ca?, identity: certificate.zip(key) })
}

#[cfg(not(feature = "tls"))]
fn encryption(tls: &Tls, diagnostics: &mut Diagnostics) {
    pems(tls, diagnostics);
}

#[cfg(feature = "tls")]
fn encryption(tls: &Tls, diagnostics: &mut Diagnostics) -> Option<zk_core::Tls> {
    let Pems { ca, identity } = pems(tls, diagnostics)?;
    let mut refused = |pem: &Pem<'_>, key: &str, error: &dyn std::error::Error| {
        refuse(pem.path, pem.origin, key, &error_chain(error), diagnostics);
    };
    let trusting = zk_core::Tls::from_pem(&ca.text);
    let trusting = trusting.map_err(|error| refused(&ca, "zookeeper.tls.ca", &error)).ok()?;
    let Some((certificate, key)) = identity else { return Some(trusting) };
    let complete = trusting.with_identity(&certificate.text, &key.text);
    complete.map_err(|error| refused(&certificate, "zookeeper.tls.certificate", &error)).ok()
}

fn named<T>(sourced: &Sourced<Option<T>>) -> Option<(&T, Origin)> {
    sourced.get().and_then(|(value, origin)| value.as_ref().map(|value| (value, origin)))
}

fn required<'a, T>(
    sourced: &'a Sourced<Option<T>>,
    section: usize,
    key: &str,
    expected: &str,
    diagnostics: &mut Diagnostics,
) -> Option<&'a T> {
    let (value, _) = sourced.get()?;
    if value.is_none() {
        diagnostics.add(Origin::File(section), key, format!("expected {expected}, found nothing"));
    }
    value.as_ref()
}

/// Reads a file that looks like PEM.
fn pem<'a>(path: &'a Path, origin: Origin, key: &str, diagnostics: &mut Diagnostics) -> Option<Pem<'a>> {
    let text = read(path, origin, key, diagnostics)?;
    if text.contains("-----BEGIN ") {
        return Some(Pem { text, path, origin });
    }
    refuse(path, origin, key, "expected a PEM file, found no -----BEGIN in it", diagnostics);
    None
}

fn read(path: &Path, origin: Origin, key: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    let message = match file::read(path) {
        Ok(text) => return Some(text),
        Err(ReadError::Missing) => "no such file".into(),
        Err(ReadError::Unusable(message)) => message,
        Err(ReadError::NotUtf8 { .. }) => "expected text in UTF-8".into(),
    };
    refuse(path, origin, key, &message, diagnostics);
    None
}

fn refuse(path: &Path, origin: Origin, key: &str, message: &str, diagnostics: &mut Diagnostics) {
    diagnostics.add(origin, key, format!("{}: {message}", check::quote(&path.display().to_string())));
}

/// Warns of a secret that other users can read or change.
fn warn_if_others_can_read(path: &Path, origin: Origin, key: &str, diagnostics: &mut Diagnostics) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(metadata) = std::fs::metadata(path) else { return };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = check::quote(&path.display().to_string());
            let message =
                format!("{path}: other users have access to this secret (mode {mode:03o}); run chmod 600");
            diagnostics.warn(origin, key, message);
        }
    }
}
