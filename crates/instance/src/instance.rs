//! [`Instance`]: the record that is registered.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quoted::Word;
use crate::{Endpoint, Owner};

/// The weight of an instance whose record has none.
pub const DEFAULT_WEIGHT: u32 = 100;

/// The largest weight that is written; reading takes any `u32`.
pub const MAX_WEIGHT: u32 = 1_000_000;

/// One registered instance: its endpoint, its weight, its tags, whether it is draining, and the owner that wrote it.
///
/// Nothing is checked here beyond the endpoint: a [`Format`](crate::Format) refuses what it cannot write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance {
    endpoint: Endpoint,
    #[serde(default = "default_weight")]
    weight: u32,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    draining: bool,
    /// Boxed, as it is large and many instances have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Box<Owner>>,
}

fn default_weight() -> u32 {
    DEFAULT_WEIGHT
}

impl Instance {
    /// Describes an instance with [`DEFAULT_WEIGHT`], no tags and no known owner, and that is not draining.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, weight: DEFAULT_WEIGHT, tags: BTreeMap::new(), draining: false, owner: None }
    }

    /// Sets the weight: its share of the calls relative to the weights of the others, 0 to [`MAX_WEIGHT`].
    ///
    /// 0 asks callers that go by weight to send nothing.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Adds a tag, or replaces its value.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Replaces all tags by those of a map, an array of pairs or any other iterator; of a repeated key the last value
    /// counts.
    #[must_use]
    pub fn with_tags(
        mut self,
        tags: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        self.tags = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Says whether it is draining: about to leave. It still answers, and asks callers to send nothing new.
    #[must_use]
    pub fn with_draining(mut self, draining: bool) -> Self {
        self.draining = draining;
        self
    }

    /// Sets the owner that writes it.
    #[must_use]
    pub fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = Some(Box::new(owner));
        self
    }

    /// Returns the endpoint at which it is called.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns its share of the calls relative to the weights of the others; sum them as `u64`.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Returns the tags of its user, sorted by key.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// Returns the value of one tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Returns whether it is draining: about to leave, so that nothing new should be sent to it.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Returns the owner that wrote it; `None` if the record names none, or an invalid one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_deref()
    }
}

/// One line for an operator: `10.0.0.7:80 weight=100 draining zone=a version="2 beta"`. What is no plain word is quoted, and
/// cut short; the owner has a form of its own.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weight={}", self.endpoint, self.weight)?;
        if self.draining {
            f.write_str(" draining")?;
        }
        for (key, value) in &self.tags {
            write!(f, " {}={}", Word(key), Word(value))?;
        }
        Ok(())
    }
}
