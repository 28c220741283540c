//! Writes and reads the facts about the owner as tags.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use super::OWNER_PREFIX;
use super::draining::DRAINING;
use super::remarks::Remarks;
use crate::quoted::shorten;
use crate::{Incarnation, Owner, Remark};

const INCARNATION: &str = "owner.incarnation";
const HOST: &str = "owner.host";
const BOOT_ID: &str = "owner.boot-id";
const NETNS: &str = "owner.netns";
const PID: &str = "owner.pid";
const STARTED: &str = "owner.started";
const BOUND: &str = "owner.bound";

/// Lists the known facts about the owner as tags.
pub(super) fn facts(owner: &Owner) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    fn text<'a>(fact: impl ToString) -> Cow<'a, str> {
        Cow::Owned(fact.to_string())
    }
    [
        (INCARNATION, Some(text(owner.incarnation()))),
        (HOST, owner.host().map(Cow::Borrowed)),
        (BOOT_ID, owner.boot_id().map(Cow::Borrowed)),
        (NETNS, owner.netns().map(text)),
        (PID, owner.pid().map(text)),
        (STARTED, owner.started_ms().map(text)),
        (BOUND, owner.bound().map(text)),
    ]
    .into_iter()
    .filter_map(|(key, fact)| Some((key, fact?)))
}

/// Moves the facts out of the tags into an owner, if there is an incarnation.
pub(super) fn take(tags: &mut BTreeMap<String, String>, remarks: &mut Remarks) -> Option<Owner> {
    if !tags.keys().any(|key| key.starts_with(OWNER_PREFIX) && key != DRAINING) {
        return None;
    }
    let Some(incarnation) = take_fact::<Incarnation>(tags, INCARNATION, remarks) else {
        remarks.push(Remark::OwnerWithoutIncarnation);
        return None;
    };
    let mut owner = Owner::new(incarnation);
    if let Some(NotEmpty(host)) = take_fact(tags, HOST, remarks) {
        owner = owner.with_host(host);
    }
    if let Some(NotEmpty(boot_id)) = take_fact(tags, BOOT_ID, remarks) {
        owner = owner.with_boot_id(boot_id);
    }
    if let Some(Decimal(netns)) = take_fact(tags, NETNS, remarks) {
        owner = owner.with_netns(netns);
    }
    if let Some(Decimal(pid)) = take_fact(tags, PID, remarks) {
        owner = owner.with_pid(pid);
    }
    if let Some(Decimal(started_ms)) = take_fact(tags, STARTED, remarks) {
        owner = owner.with_started_ms(started_ms);
    }
    if let Some(bound) = take_fact(tags, BOUND, remarks) {
        owner = owner.with_bound(bound);
    }
    let known = [INCARNATION, HOST, BOOT_ID, NETNS, PID, STARTED, BOUND, DRAINING];
    for key in tags.keys().filter(|key| key.starts_with(OWNER_PREFIX)) {
        // A known key that is left has an invalid value, and its remark already.
        if !known.contains(&key.as_str()) {
            remarks.push(Remark::UnknownOwnerFact { key: shorten(key) });
        }
    }
    Some(owner)
}

/// Takes one fact out of the tags; an invalid one stays there.
fn take_fact<T: FromStr>(
    tags: &mut BTreeMap<String, String>,
    key: &'static str,
    remarks: &mut Remarks,
) -> Option<T> {
    let fact = tags.get(key)?.parse();
    match fact {
        Ok(fact) => {
            tags.remove(key);
            Some(fact)
        }
        Err(_) => {
            remarks.push(Remark::OwnerFact { key });
            None
        }
    }
}

struct NotEmpty(String);

impl FromStr for NotEmpty {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() { Err(()) } else { Ok(Self(text.to_owned())) }
    }
}

/// Digits only: the standard parser would also take a leading '+'.
struct Decimal<T>(T);

impl<T: FromStr> FromStr for Decimal<T> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        text.parse().map(Self).map_err(|_| ())
    }
}
