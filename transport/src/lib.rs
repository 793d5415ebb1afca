//! How the processes of Fogbit talk: QUIC endpoints, identities and join tokens, wire messages and
//! their codec.

pub mod close;
pub mod codec;
pub mod endpoint;
pub mod identity;
pub mod member;
mod tls;
pub mod token;
pub mod wire;

pub use close::CloseCode;
pub use codec::{FrameReceiver, FrameSender, WireError};
pub use identity::{Authority, Identity, Role};
pub use member::{Member, MemberError, MemberOptions};
pub use tls::{ALPN_JOIN, ALPN_NODE, TlsError, alpn, server_config};
pub use token::{Token, TokenError, Tokens};
