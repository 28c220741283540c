//! How reliable a fleet was, in numbers.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::timeline::Timeline;

/// Times that were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples(Vec<Duration>);

/// How reliable a fleet was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {}

pub(crate) fn measure(_: &Timeline<'_>) -> Figures {
    Figures::default()
}
