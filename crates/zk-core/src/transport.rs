//! The seam between the supervisor and an ensemble: [`Ensemble`] connects, and a [`Transport`] is one connection with
//! the operations that this project uses.
//!
//! An implementation ([`apache`]) owns the threads and sockets; nothing above the seam depends on them, so tests can
//! use a simulated ensemble in virtual time.
//!
//! An implementation promises:
//! * Requests of one transport take effect in the order in which its methods were *called*; dropping a returned future
//!   does not recall its request.
//! * An event is in its queue before the reply to any later request is delivered.
//! * A request keeps its [`Turn`] until it has left the queues of the implementation; when the transport is dropped, all
//!   turns come back.
//! * When the transport ends, or is dropped, [`Transport::down`] has the cause first, and every event queue ends after that; outstanding
//!   replies become errors, before or after it. Then nothing of this transport reaches the ensemble any more.

pub mod apache;
pub(crate) mod connect_error;
pub(crate) mod event;
pub mod latest;
pub(crate) mod seam;
pub(crate) mod stat;
pub(crate) mod turn;
pub(crate) mod znode;

pub use connect_error::ConnectError;
pub use event::{Event, EventKind};
pub use seam::{BoxFuture, Ensemble, Reading, Reply, ResumeTicket, Transport, TransportEnd};
pub use stat::{ListVersion, Stat, Zxid};
pub use turn::Turn;
pub use znode::{Acl, CreateMode, Identity};
