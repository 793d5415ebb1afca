//! Messages on a QUIC stream: a length of four bytes, little endian, then the message in bincode.
//!
//! This is the only place that knows the format; another one would be a change here alone.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::close::CloseCode;

/// The longest message between a task node and a helper node, in bytes.
pub const DATA_LIMIT: usize = 1 << 20;
/// The longest message to or from the orchestrator, in bytes; it may carry a node's part of a trace.
pub const CONTROL_LIMIT: usize = 64 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<CONTROL_LIMIT>> =
    bincode::config::standard().with_limit::<CONTROL_LIMIT>();

/// What can go wrong on a stream.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection was lost or closed; the code tells why if the other side said so.
    #[error("{}", describe(.0))]
    Connection(#[from] quinn::ConnectionError),
    /// The connection could not even be tried: an address or a name that cannot be connected to.
    #[error("cannot connect: {0}")]
    Unconnectable(#[from] quinn::ConnectError),
    /// The other side gave up this stream.
    #[error("the other side gave up the stream: {}", name(*.0))]
    Reset(u64),
    /// The stream ended in the middle of a message.
    #[error("the stream ended in the middle of a message")]
    Truncated,
    /// The stream ended where a message was due.
    #[error("the stream ended where a message was due")]
    Ended,
    /// A message is longer than this stream allows.
    #[error("a message of {length} bytes where at most {limit} are allowed")]
    TooLong {
        /// Length announced or wanted.
        length: usize,
        /// Longest allowed.
        limit: usize,
    },
    /// The bytes are no message.
    #[error("malformed message: {0}")]
    Malformed(String),
}

fn name(code: u64) -> String {
    CloseCode::from_number(code).map_or_else(|| code.to_string(), |known| known.to_string())
}

fn describe(error: &quinn::ConnectionError) -> String {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            let reason = String::from_utf8_lossy(&close.reason);
            format!("closed by the other side: {}: {reason}", name(close.error_code.into_inner()))
        }
        quinn::ConnectionError::TimedOut => "no sign of life from the other side".into(),
        other => format!("connection lost: {other}"),
    }
}

impl WireError {
    /// The code with which the other side ended the conversation, if it did.
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            WireError::Connection(error) => CloseCode::of(error),
            WireError::Reset(code) => CloseCode::from_number(*code),
            _ => None,
        }
    }
}

/// Appends `message` to `buffer` as one frame.
///
/// # Errors
/// If the message is longer than `limit`.
pub fn encode<T: Serialize>(
    message: &T,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> Result<(), WireError> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    bincode::serde::encode_into_std_write(message, buffer, CONFIG)
        .map_err(|error| WireError::Malformed(error.to_string()))?;
    let length = buffer.len() - start - 4;
    if length > limit {
        buffer.truncate(start);
        return Err(WireError::TooLong { length, limit });
    }
    let prefix = u32::try_from(length).expect("the limit is below 4 GiB");
    buffer[start..start + 4].copy_from_slice(&prefix.to_le_bytes());
    Ok(())
}

/// Reads one frame from the front of `bytes`: the message and how many bytes it took, or `None` if
/// it is not there whole.
///
/// # Errors
/// If the frame is too long or its bytes are no message of this type.
pub fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<Option<(T, usize)>, WireError> {
    let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*prefix) as usize;
    if length > limit {
        return Err(WireError::TooLong { length, limit });
    }
    let Some(body) = bytes.get(4..4 + length) else { return Ok(None) };
    let (message, used) = bincode::serde::decode_from_slice(body, CONFIG)
        .map_err(|error| WireError::Malformed(error.to_string()))?;
    if used != length {
        return Err(WireError::Malformed(format!("{} bytes too many", length - used)));
    }
    Ok(Some((message, 4 + length)))
}

/// The sending end of a stream of messages.
#[derive(Debug)]
pub struct FrameSender {
    stream: SendStream,
    buffer: Vec<u8>,
    limit: usize,
}

impl FrameSender {
    /// Sends messages of at most `limit` bytes.
    pub fn new(stream: SendStream, limit: usize) -> FrameSender {
        FrameSender { stream, buffer: Vec::new(), limit }
    }

    /// Sends one message; waits while the other side does not keep up.
    ///
    /// # Errors
    /// If the message is too long or the stream is gone.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), WireError> {
        self.buffer.clear();
        encode(message, &mut self.buffer, self.limit)?;
        self.stream.write_all(&self.buffer).await.map_err(|error| match error {
            WriteError::ConnectionLost(error) => WireError::Connection(error),
            WriteError::Stopped(code) => WireError::Reset(code.into_inner()),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => WireError::Ended,
        })
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        // Fails only if the stream is finished already.
        let _ = self.stream.finish();
    }

    /// Gives the stream up.
    pub fn reset(&mut self, code: CloseCode) {
        let _ = self.stream.reset(code.var_int());
    }

    /// Waits until the other side has everything, or wants nothing more.
    pub async fn delivered(&mut self) {
        let _ = self.stream.stopped().await;
    }
}

/// The receiving end of a stream of messages.
#[derive(Debug)]
pub struct FrameReceiver {
    stream: RecvStream,
    buffer: Vec<u8>,
    /// Where the first unread byte of `buffer` is.
    start: usize,
    limit: usize,
}

impl FrameReceiver {
    /// Receives messages of at most `limit` bytes.
    pub fn new(stream: RecvStream, limit: usize) -> FrameReceiver {
        FrameReceiver { stream, buffer: Vec::new(), start: 0, limit }
    }

    /// Receives one message, or `None` at the end of the stream. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the stream is gone, or what came is no message.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        loop {
            if let Some((message, used)) = decode(&self.buffer[self.start..], self.limit)? {
                self.start += used;
                if self.start == self.buffer.len() {
                    self.buffer.clear();
                    self.start = 0;
                }
                return Ok(Some(message));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            match self.stream.read_chunk(1 << 16, true).await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk.bytes),
                Ok(None) if self.buffer.is_empty() => return Ok(None),
                Ok(None) => return Err(WireError::Truncated),
                Err(ReadError::Reset(code)) => return Err(WireError::Reset(code.into_inner())),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                Err(_) => return Err(WireError::Ended),
            }
        }
    }

    /// Receives one message where one is due.
    ///
    /// # Errors
    /// As [`receive`](Self::receive), and if the stream ended.
    pub async fn expect<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        self.receive().await?.ok_or(WireError::Ended)
    }

    /// Tells the other side that nothing more is wanted.
    pub fn stop(&mut self, code: CloseCode) {
        let _ = self.stream.stop(code.var_int());
    }
}
