//! Each rule finds what it is for, and is silent about what looks like it and is promised.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod registrations;
mod story;
mod text;
mod views;
