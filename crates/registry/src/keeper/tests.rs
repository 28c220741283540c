//! The machine, walked through every arrow of its diagram, without a server and without a clock.

mod bench;
mod conflicts;
mod leaves;
mod links;
mod model;
mod random;
mod registering;
mod updates;

use bench::*;
