//! The bytes of a saved list.
//!
//! ```text
//! zk-roster-saved 1 6c0f…                          format, checksum of the rest
//! {"hosts":["zk1:2181"],"service":"/services/web","saved_at_ms":1764…,"instances":[
//!   {"endpoint":"10.0.0.7:80","weight":50,"tags":{"zone":"a"},"incarnation":"0001…"}]}
//! ```
//!
//! The first line has one spelling only, so that a changed bit shows there, too. JSON, as an operator may want to read it; fields
//! that are not known are ignored, so that a later version may add some without another format.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instance::{DEFAULT_WEIGHT, Endpoint, Incarnation, Instance, Owner};
use serde::{Deserialize, Serialize};
use siphasher::sip128::SipHasher13;

use super::list::SavedList;
use super::place::SavedPlace;
use super::unusable::Unusable;

/// The format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// The longest file that is written or read. A set of 100,000 instances with a few tags each has about as much.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// How far the clock may have been set back since the file was written: corrections of a clock that is in order are smaller.
const MAX_AHEAD: Duration = Duration::from_secs(60);

const MAGIC: &str = "zk-roster-saved";

#[derive(Serialize)]
struct Written<'a> {
    hosts: &'a [String],
    service: &'a str,
    saved_at_ms: u64,
    instances: Vec<WrittenInstance<'a>>,
}

#[derive(Serialize)]
struct WrittenInstance<'a> {
    endpoint: &'a Endpoint,
    weight: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<String>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    hosts: Vec<String>,
    service: String,
    saved_at_ms: u64,
    instances: Vec<ReadInstance>,
}

#[derive(Deserialize)]
struct ReadInstance {
    endpoint: String,
    #[serde(default = "default_weight")]
    weight: u32,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    incarnation: Option<String>,
}

fn default_weight() -> u32 {
    DEFAULT_WEIGHT
}

/// Writes a list. What is draining is left out: it will be gone by the next start.
pub(super) fn encode<'a>(
    place: &SavedPlace,
    instances: impl IntoIterator<Item = &'a Instance>,
    now: SystemTime,
) -> Vec<u8> {
    let instance = |instance: &'a Instance| WrittenInstance {
        endpoint: instance.endpoint(),
        weight: instance.weight(),
        tags: instance.tags(),
        incarnation: instance.owner().map(|owner| owner.incarnation().to_string()),
    };
    let calling = instances.into_iter().filter(|instance| !instance.is_draining());
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let written = Written {
        hosts: &place.hosts,
        service: &place.service,
        saved_at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        instances: calling.map(instance).collect(),
    };
    let mut body =
        serde_json::to_vec(&written).expect("maps have texts as keys, and a vector takes every byte");
    body.push(b'\n');
    let mut bytes = head(&body).into_bytes();
    bytes.extend(body);
    bytes
}

/// Reads what `encode` wrote, and checks that it may be used.
///
/// # Errors
/// If it is damaged, another format, of another service, too old, or from the future.
pub(super) fn decode(bytes: &[u8], place: &SavedPlace, now: SystemTime) -> Result<SavedList, Unusable> {
    let body = checked(bytes)?;
    let content = |error: &dyn std::fmt::Display| Unusable::Content(error.to_string());
    let read: Read = serde_json::from_slice(body).map_err(|error| content(&error))?;
    if read.service != place.service {
        return Err(Unusable::Service { found: read.service });
    }
    // Hosts come and go; those of another ensemble are all others.
    let are_known = !read.hosts.is_empty() && !place.hosts.is_empty();
    if are_known && !read.hosts.iter().any(|host| place.hosts.contains(host)) {
        return Err(Unusable::Ensemble { found: read.hosts });
    }
    let saved_at = UNIX_EPOCH
        .checked_add(Duration::from_millis(read.saved_at_ms))
        .ok_or_else(|| content(&"its time is out of range"))?;
    match now.duration_since(saved_at) {
        Ok(age) if age > place.max_age => return Err(Unusable::TooOld { age, max: place.max_age }),
        Err(ahead) if ahead.duration() > MAX_AHEAD => {
            return Err(Unusable::FromTheFuture { ahead: ahead.duration() });
        }
        Ok(_) | Err(_) => {}
    }
    let instances = read.instances.into_iter().map(|one| {
        let endpoint: Endpoint = one.endpoint.parse().map_err(|error| content(&error))?;
        let instance = Instance::new(endpoint).with_weight(one.weight).with_tags(one.tags);
        Ok(match one.incarnation {
            None => instance,
            Some(text) => {
                let incarnation: Incarnation = text.parse().map_err(|error| content(&error))?;
                instance.with_owner(Owner::new(incarnation))
            }
        })
    });
    let instances = instances.collect::<Result<Vec<_>, Unusable>>()?;
    if instances.is_empty() {
        return Err(content(&"it has no instances"));
    }
    Ok(SavedList::new(instances, saved_at))
}

/// The body, if the first line fits it.
fn checked(bytes: &[u8]) -> Result<&[u8], Unusable> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Unusable::NoSavedList)?;
    let (line, body) = bytes.split_at(end + 1);
    if line == head(body).as_bytes() {
        return Ok(body);
    }
    let text = str::from_utf8(line).unwrap_or_default();
    match text
        .strip_prefix(MAGIC)
        .map(|rest| rest.split_ascii_whitespace().next().unwrap_or_default().parse())
    {
        Some(Ok(VERSION)) => Err(Unusable::Checksum),
        Some(Ok(found)) => Err(Unusable::Version { found }),
        Some(Err(_)) | None => Err(Unusable::NoSavedList),
    }
}

/// The first line. The checksum finds damage, not forgery: who can write the file can write a checksum.
fn head(body: &[u8]) -> String {
    format!("{MAGIC} {VERSION} {:032x}\n", SipHasher13::new().hash(body).as_u128())
}

#[cfg(test)]
mod tests;
