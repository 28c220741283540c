//! The default format: the name is the endpoint, the data is the JSON of Kitex.

mod draining;
mod owner;
mod read;
mod remarks;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{DecodeError, Decoded, EncodeError, Encoded, Format};
use crate::{Endpoint, Instance, MAX_WEIGHT};

/// The most data that is written, in bytes.
///
/// Watchers read every record of a service: a few kilobytes each are a megabyte for some hundreds.
pub const MAX_DATA: usize = 4 * 1024;

/// The most data that is read, in bytes. Of a record with more, only the name is used.
pub const MAX_READ: usize = 64 * 1024;

/// The most remarks about one record; one more counts the rest.
pub const MAX_REMARKS: usize = 16;

/// The prefix of the tags with the facts about the [`Owner`](crate::Owner), and with what it says of the instance. It is
/// reserved.
pub const OWNER_PREFIX: &str = "owner.";

/// The default format: a znode named by its endpoint, with the JSON that Kitex clients read.
///
/// The data is `{"Weight":100,"Tags":{"zone":"a"}}`: compact, weight first, tags sorted by key. The facts
/// about the owner are tags, too: `owner.incarnation`, `owner.host`, `owner.boot-id`, `owner.netns` (inode
/// number), `owner.pid`, `owner.started` (milliseconds since 1970 UTC) and `owner.bound`. An instance that is draining has
/// the tag `owner.draining` with the value `true`, which takes 24 bytes, and any other has none: readers that do not know
/// it take it for a tag.
///
/// A name is read in any spelling of an endpoint, and written in one. Data may be empty, as the servers of the
/// tutorial leave it, or anything else: an invalid part has its default and causes a [`Remark`](crate::Remark). Field
/// names match without regard to ASCII case, as they do in Go; the exact one comes first. Tags with the reserved
/// prefix that are no valid fact about an owner stay among the tags, so that nothing is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "Weight")]
    weight: u32,
    #[serde(rename = "Tags")]
    tags: BTreeMap<&'a str, Cow<'a, str>>,
}

impl Format for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn encode(&self, instance: &Instance) -> Result<Encoded, EncodeError> {
        if instance.weight() > MAX_WEIGHT {
            return Err(EncodeError::Weight { weight: instance.weight() });
        }
        let mut tags = BTreeMap::new();
        for (key, value) in instance.tags() {
            check_key(key)?;
            tags.insert(key.as_str(), Cow::Borrowed(value.as_str()));
        }
        if let Some(owner) = instance.owner() {
            for (key, fact) in owner::facts(owner) {
                tags.insert(key, fact);
            }
        }
        tags.extend(draining::tag(instance));
        let record = Record { weight: instance.weight(), tags };
        let data = serde_json::to_vec(&record).expect("a map with string keys and values is always JSON");
        if data.len() > MAX_DATA {
            let longest = record.tags.iter().max_by_key(|(key, value)| key.len() + value.len());
            let longest = longest.map(|(&key, _)| key.to_owned()).unwrap_or_default();
            return Err(EncodeError::TooLong { len: data.len(), longest });
        }
        Ok(Encoded { segment: instance.endpoint().to_string(), data })
    }

    fn decode_name(&self, segment: &str) -> Result<Option<Endpoint>, DecodeError> {
        endpoint(segment).map(Some)
    }

    fn decode(&self, segment: &str, data: &[u8]) -> Result<Decoded, DecodeError> {
        Ok(read::instance(endpoint(segment)?, data))
    }
}

fn endpoint(segment: &str) -> Result<Endpoint, DecodeError> {
    segment.parse().map_err(|reason| DecodeError::NotAnEndpoint { segment: segment.to_owned(), reason })
}

fn check_key(key: &str) -> Result<(), EncodeError> {
    if key.is_empty() {
        return Err(EncodeError::EmptyKey);
    }
    if key.chars().any(char::is_control) {
        return Err(EncodeError::ControlCharacter { key: key.to_owned() });
    }
    if key.starts_with(OWNER_PREFIX) {
        return Err(EncodeError::ReservedKey { key: key.to_owned() });
    }
    Ok(())
}
