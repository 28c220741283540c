//! Writes and reads whether an instance is draining, as a tag.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::remarks::Remarks;
use crate::{Instance, Remark};

/// Reserved in every version of the format, so that no user's tag can have it.
pub(super) const DRAINING: &str = "owner.draining";

const YES: &str = "true";

/// The tag of an instance that is draining; none of any other, whose record has the bytes that it always had.
pub(super) fn tag(instance: &Instance) -> Option<(&'static str, Cow<'static, str>)> {
    instance.is_draining().then_some((DRAINING, Cow::Borrowed(YES)))
}

/// Takes the tag out. One with another value stays, and says nothing.
pub(super) fn take(tags: &mut BTreeMap<String, String>, remarks: &mut Remarks) -> bool {
    let draining = tags.get(DRAINING).map(|value| value == YES);
    match draining {
        Some(true) => drop(tags.remove(DRAINING)),
        Some(false) => remarks.push(Remark::OwnerFact { key: DRAINING }),
        None => {}
    }
    draining == Some(true)
}
