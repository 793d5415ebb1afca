//! The helper node of Fogbit: a [state machine](Helper) without I/O, the [session](Session) that
//! looks ahead with it, and the service that offers both over QUIC.

pub mod compute;
mod helper;
mod live;
mod metrics;
pub mod pipeline;
mod queue;
mod service;
mod session;

pub use helper::Helper;
pub use live::{LiveSession, Taken};
pub use metrics::HelperMetrics;
pub use queue::{FifoQueue, QueueCounts};
pub use service::{ServeError, serve};
pub use session::{Answer, MAX_LOOKAHEAD, Session, SessionError};
