//! Streams of one framed message and raw bytes after it.

use quinn::{ReadError, ReadExactError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{WireError, decode, encode};

/// Memory for raw bytes grows by so many as they arrive, not as they are announced.
const AT_ONCE: usize = 1 << 16;

/// Reads one framed message and not a byte more, so that raw bytes, or other messages, can follow.
///
/// # Errors
/// If the stream is gone, ends in the message, or what comes is no such message.
pub async fn read_frame<T: DeserializeOwned>(
    receive: &mut RecvStream,
    limit: usize,
) -> Result<T, WireError> {
    let mut bytes = vec![0; 4];
    receive.read_exact(&mut bytes).await.map_err(read_exact_error)?;
    let length = u32::from_le_bytes(*bytes.first_chunk().expect("four bytes")) as usize;
    if length > limit {
        return Err(WireError::TooLong { length, limit });
    }
    bytes.resize(4 + length, 0);
    receive.read_exact(&mut bytes[4..]).await.map_err(read_exact_error)?;
    let (message, _) = decode(&bytes, limit)?.expect("the whole frame is there");
    Ok(message)
}

/// What came before the end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// As many bytes as announced.
    Whole(Vec<u8>),
    /// Fewer: so many.
    Short(u64),
    /// More: so many, and perhaps others that were not read.
    Long(u64),
}

/// Reads raw bytes up to the end of the stream, which must come after `announced` bytes. Memory is
/// taken for what has arrived; whoever calls it bounds `announced`.
///
/// # Errors
/// If the stream is gone.
pub async fn read_payload(receive: &mut RecvStream, announced: u64) -> Result<Payload, WireError> {
    let mut payload = Vec::new();
    while let Some(chunk) = receive.read_chunk(AT_ONCE, true).await.map_err(read_error)? {
        if (payload.len() + chunk.bytes.len()) as u64 > announced {
            return Ok(Payload::Long((payload.len() + chunk.bytes.len()) as u64));
        }
        // Never more than announced, and no more than twice what has arrived.
        if payload.capacity() - payload.len() < chunk.bytes.len() {
            let most = announced as usize - payload.len();
            payload.reserve_exact(payload.len().max(AT_ONCE).max(chunk.bytes.len()).min(most));
        }
        payload.extend_from_slice(&chunk.bytes);
    }
    match payload.len() as u64 {
        length if length == announced => Ok(Payload::Whole(payload)),
        length => Ok(Payload::Short(length)),
    }
}

/// Writes one framed message and `payload` after it, and says that nothing more will come.
///
/// # Errors
/// If the message is longer than `limit`, or the stream is gone.
pub async fn write_answer<T: Serialize>(
    send: &mut SendStream,
    message: &T,
    payload: &[u8],
    limit: usize,
) -> Result<(), WireError> {
    let mut head = Vec::new();
    encode(message, &mut head, limit)?;
    send.write_all(&head).await.map_err(write_error)?;
    send.write_all(payload).await.map_err(write_error)?;
    // Fails only if the stream is finished already.
    let _ = send.finish();
    Ok(())
}

fn read_exact_error(error: ReadExactError) -> WireError {
    match error {
        ReadExactError::FinishedEarly(0) => WireError::Ended,
        ReadExactError::FinishedEarly(_) => WireError::Truncated,
        ReadExactError::ReadError(error) => read_error(error),
    }
}

fn read_error(error: ReadError) -> WireError {
    match error {
        ReadError::Reset(code) => WireError::Reset(code.into_inner()),
        ReadError::ConnectionLost(error) => WireError::Connection(error),
        _ => WireError::Ended,
    }
}

pub(super) fn write_error(error: WriteError) -> WireError {
    match error {
        WriteError::Stopped(code) => WireError::Reset(code.into_inner()),
        WriteError::ConnectionLost(error) => WireError::Connection(error),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => WireError::Ended,
    }
}
