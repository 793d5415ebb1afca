//! How the processes of Fogbit talk: QUIC endpoints, identities and join tokens, wire messages and
//! their codec.

pub mod backoff;
pub mod cascade;
pub mod close;
pub mod codec;
pub mod compute;
pub mod emulation;
pub mod endpoint;
pub mod identity;
pub mod join;
pub mod member;
mod payload;
pub mod pipeline;
pub mod placement;
pub mod probe;
pub mod report;
pub mod steering;
pub mod timer;
mod tls;
pub mod token;
pub mod wire;

pub use backoff::Backoff;
pub use close::CloseCode;
pub use codec::{FrameReceiver, FrameSender, WireError};
pub use emulation::Links;
pub use identity::{Authority, Identity, Role};
pub use join::Joiner;
pub use member::{Member, MemberError, MemberOptions, Obstacle};
pub use payload::Payload;
pub use tls::{ALPN_JOIN, ALPN_NODE, TlsError, alpn, server_config};
pub use token::{Published, Token, TokenError, Tokens};
