//! The life of a service, from its first registration to its leave.

mod address;
mod builder;
mod driver;
mod error;
mod leave;
mod listener;
mod listening;
mod mode;
mod presence;
mod readiness;
mod record;
mod running;
#[cfg(feature = "signals")]
mod signals;
mod start;
mod status;

pub use builder::Service;
pub use error::ServeError;
pub use listening::Listening;
pub use readiness::{Liveness, Readiness};
pub use record::ServiceRecord;
pub use running::{RunningService, ServiceLeft, ServiceUpdateError};
pub use status::{InstanceStatus, LeaveError, ServiceNotRegistered, ServiceStage, ServiceStatus};
