//! Join tokens: the digest of a run's authority and a secret for one role.

mod files;

use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;

use crate::identity::{Authority, IdentityError, Role};

pub use files::{Published, published_file, token_file};

const PREFIX: &str = "FOGBIT-1";

/// What a node needs to join: whom to trust, and how to be trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of the authority's certificate.
    pub authority: [u8; 32],
    /// The secret of the role.
    pub secret: [u8; 32],
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: it reads {PREFIX}-<64 hexadecimal digits>-<64 hexadecimal digits>")]
pub struct TokenError;

impl Token {
    /// Reads a token; white space around it does not matter.
    ///
    /// # Errors
    /// If the text is no token.
    pub fn parse(text: &str) -> Result<Token, TokenError> {
        let rest = text.trim().strip_prefix(PREFIX).ok_or(TokenError)?;
        let (authority, secret) =
            rest.strip_prefix('-').and_then(|r| r.split_once('-')).ok_or(TokenError)?;
        Ok(Token { authority: from_hex(authority)?, secret: from_hex(secret)? })
    }

    /// The token as text.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}-{}-{}", to_hex(&self.authority), to_hex(&self.secret))
    }
}

/// The secret never appears in a log.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, ..)", &to_hex(&self.authority)[..8])
    }
}

/// An authority with the secrets of its roles.
pub struct Tokens {
    /// The authority.
    pub authority: Authority,
    helper: [u8; 32],
    task_node: [u8; 32],
}

/// The secrets never appear in a log.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({}, ..)", &to_hex(&self.authority.digest())[..8])
    }
}

/// Why tokens could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// No certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What happened.
        error: std::io::Error,
    },
    /// A file that holds no token, or one of another authority.
    #[error("{path}: {reason}")]
    Content {
        /// Which.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The system gave no random numbers.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

impl Tokens {
    /// A new authority and new secrets.
    ///
    /// # Errors
    /// If the system gives no keys or random numbers.
    pub fn generate() -> Result<Tokens, TokensError> {
        let authority = Authority::generate()?;
        Ok(Tokens { authority, helper: secret()?, task_node: secret()? })
    }

    /// The token of a role; the orchestrator has none.
    pub fn token(&self, role: Role) -> Option<Token> {
        let secret = match role {
            Role::Helper => self.helper,
            Role::TaskNode => self.task_node,
            Role::Orchestrator => return None,
        };
        Some(Token { authority: self.authority.digest(), secret })
    }

    /// The role whose secret this is. Every secret is compared, in constant time.
    pub fn role_of(&self, secret: &[u8]) -> Option<Role> {
        let helper = self.helper.ct_eq(secret);
        let task_node = self.task_node.ct_eq(secret);
        if helper.into() {
            Some(Role::Helper)
        } else if task_node.into() {
            Some(Role::TaskNode)
        } else {
            None
        }
    }
}

fn secret() -> Result<[u8; 32], TokensError> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| TokensError::Random(error.to_string()))?;
    Ok(bytes)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<[u8; 32], TokenError> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(TokenError);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16).ok_or(TokenError)?;
        let low = char::from(pair[1]).to_digit(16).ok_or(TokenError)?;
        *byte = (high * 16 + low) as u8;
    }
    Ok(bytes)
}
