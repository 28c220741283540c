//! Reads the names and the records of children, and keeps those that make no sense.

use std::sync::Arc;

use instance::{Decoded, Endpoint, Format, Instance, Remark};

use super::logged_names::LoggedNames;

#[derive(Debug)]
pub(super) struct Decoder {
    format: Arc<dyn Format>,
    /// Names of children that are no instances.
    skipped: LoggedNames,
    /// Names of instances whose records cannot be read, or make no sense.
    unreadable: LoggedNames,
}

impl Decoder {
    pub(super) fn new(format: Arc<dyn Format>) -> Self {
        Self {
            format,
            skipped: LoggedNames::new("child skipped: not an instance"),
            unreadable: LoggedNames::new("record unreadable"),
        }
    }

    /// Reads the name of a child: `None` if it is no instance, `Some(None)` if only the record has the endpoint.
    pub(super) fn name(&mut self, name: &str) -> Option<Option<Endpoint>> {
        self.format.decode_name(name).inspect_err(|error| self.skipped.add(name, error)).ok()
    }

    /// The endpoint that a name tells.
    pub(super) fn endpoint(&self, name: &str) -> Option<Endpoint> {
        self.format.decode_name(name).ok().flatten()
    }

    /// Reads a record. `None` if it has no endpoint, though its name does not tell one: an instance whose endpoint was
    /// `known` before keeps it, any other child is skipped.
    pub(super) fn record(&mut self, name: &str, data: &[u8], known: bool) -> Option<Instance> {
        match self.format.decode(name, data) {
            Ok(Decoded { instance, remarks }) => {
                self.skipped.remove(name);
                match remarks.iter().find(|remark| is_unusable(remark)) {
                    Some(remark) => self.unreadable.add(name, remark),
                    None => {
                        self.unreadable.remove(name);
                        for remark in &remarks {
                            tracing::debug!(child = name, %remark, "record is partly invalid");
                        }
                    }
                }
                Some(instance)
            }
            Err(error) => {
                let names = if known { &mut self.unreadable } else { &mut self.skipped };
                names.add(name, &error);
                None
            }
        }
    }

    /// A record may not be read.
    pub(super) fn denied(&mut self, name: &str) {
        self.unreadable.add(name, &"access denied");
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.skipped.remove(name);
        self.unreadable.remove(name);
    }

    /// Forgets all names but these, which are sorted.
    pub(super) fn retain(&mut self, sorted: &[&str]) {
        self.skipped.retain(sorted);
        self.unreadable.retain(sorted);
    }

    pub(super) fn skipped(&self) -> usize {
        self.skipped.len()
    }

    pub(super) fn unreadable(&self) -> usize {
        self.unreadable.len()
    }
}

/// Whether the whole record is invalid, rather than a part of it.
fn is_unusable(remark: &Remark) -> bool {
    matches!(
        remark,
        Remark::Oversized { .. } | Remark::NotUtf8 | Remark::NotJson { .. } | Remark::NotAnObject { .. }
    )
}
