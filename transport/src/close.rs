//! Why a connection or a stream was closed: the codes that travel in QUIC's application close.

use quinn::{ConnectionError, VarInt};

/// A reason to close. The numbers are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// Everything is done.
    Done = 0,
    /// The run was stopped.
    Stopped = 1,
    /// A message could not be understood.
    BadMessage = 2,
    /// The token's secret is not one of this run.
    BadToken = 3,
    /// The token or certificate is for another role.
    WrongRole = 4,
    /// No certificate of this run was shown.
    NoCertificate = 5,
    /// The name is unknown, or somebody else has it.
    NameTaken = 6,
    /// Every place is taken.
    NoPlace = 7,
    /// A message that was understood asks for something impossible.
    BadRequest = 8,
    /// The trial is not one that is being run.
    UnknownTrial = 9,
    /// Something failed on the side that closed.
    Failed = 10,
}

impl CloseCode {
    /// All codes.
    pub const ALL: [CloseCode; 11] = [
        CloseCode::Done,
        CloseCode::Stopped,
        CloseCode::BadMessage,
        CloseCode::BadToken,
        CloseCode::WrongRole,
        CloseCode::NoCertificate,
        CloseCode::NameTaken,
        CloseCode::NoPlace,
        CloseCode::BadRequest,
        CloseCode::UnknownTrial,
        CloseCode::Failed,
    ];

    /// The number that travels.
    pub fn var_int(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// The code of a number.
    pub fn from_number(number: u64) -> Option<CloseCode> {
        CloseCode::ALL.into_iter().find(|code| *code as u64 == number)
    }

    /// The code with which the other side closed the connection, if it did.
    pub fn of(error: &ConnectionError) -> Option<CloseCode> {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                CloseCode::from_number(close.error_code.into_inner())
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?} ({})", *self as u32)
    }
}
