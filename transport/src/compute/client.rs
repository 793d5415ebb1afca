//! The side of the task node: a task is sent, and its result comes back.

use std::time::{Duration, Instant};

use quinn::{Connection, RecvStream, SendStream, WriteError};

use super::raw::write_error;
use super::{
    ComputeCode, ComputeReply, ComputeRequest, ComputeTimes, HEAD_LIMIT, Opening, Payload,
    read_frame, read_payload,
};
use crate::cascade::{ANSWER_BYTES, ImageRequest};
use crate::close::CloseCode;
use crate::codec::{WireError, encode};

/// A task that was done elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offloaded {
    /// The result.
    pub output: Vec<u8>,
    /// What the helper node measured.
    pub times: ComputeTimes,
    /// From the call of [`offload`] until QUIC had taken the last byte of the input.
    pub sent: Duration,
    /// Until the head of the answer was there.
    pub answered: Duration,
    /// Until the last byte of the output was there.
    pub done: Duration,
}

/// Why a task was not done elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum OffloadError {
    /// The helper node said no.
    #[error("the task was refused: {message}")]
    Refused {
        /// Why.
        code: ComputeCode,
        /// Why, in the helper node's words.
        message: String,
    },
    /// The input is not as long as the request says.
    #[error("an input of {actual} bytes, of which the request says {announced}")]
    InputLength {
        /// What the request says.
        announced: u64,
        /// What there is.
        actual: u64,
    },
    /// The output is not as long as was asked for.
    #[error("an output of {actual} bytes or more where {wanted} were wanted")]
    OutputLength {
        /// What was asked for.
        wanted: u64,
        /// What came, as far as was read.
        actual: u64,
    },
    /// The connection or the stream broke, or what came was no message.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Sends a task to the helper node at the other end of `connection` and waits for its result.
/// Dropping the future takes the task back: the stream is reset, and the helper node stops.
///
/// # Errors
/// If the task was refused, or the connection broke.
pub async fn offload(
    connection: &Connection,
    request: ComputeRequest,
    input: &[u8],
) -> Result<Offloaded, OffloadError> {
    let (announced, wanted) = (request.input_bytes, request.output_bytes);
    ask(connection, &Opening::Compute(request), (input, announced), wanted).await
}

/// As [`offload`], for an image; the output is its class.
///
/// # Errors
/// As [`offload`].
pub async fn offload_image(
    connection: &Connection,
    request: ImageRequest,
    image: &[u8],
) -> Result<Offloaded, OffloadError> {
    let announced = request.image_bytes;
    ask(connection, &Opening::Image(request), (image, announced), ANSWER_BYTES).await
}

async fn ask(
    connection: &Connection,
    opening: &Opening,
    (input, announced): (&[u8], u64),
    wanted: u64,
) -> Result<Offloaded, OffloadError> {
    let begun = Instant::now();
    let actual = input.len() as u64;
    if actual != announced {
        return Err(OffloadError::InputLength { announced, actual });
    }
    let mut head = Vec::new();
    encode(opening, &mut head, HEAD_LIMIT)?;
    let (send, receive) = connection.open_bi().await.map_err(WireError::from)?;
    let mut stream = TaskStream { send, receive };
    let TaskStream { send, receive } = &mut stream;
    let mut sent = None;
    let writing = async {
        send.write_all(&head).await?;
        send.write_all(input).await?;
        // Fails only if the stream is finished already.
        let _ = send.finish();
        Ok(begun.elapsed())
    };
    let reading = read_answer(receive, begun, wanted);
    tokio::pin!(writing, reading);
    loop {
        tokio::select! {
            biased;
            answer = &mut reading => {
                let Answer { output, times, answered } = answer?;
                // A helper node may answer before it has read everything.
                let sent = sent.unwrap_or(answered);
                return Ok(Offloaded { output, times, sent, answered, done: begun.elapsed() });
            }
            written = &mut writing, if sent.is_none() => match written {
                Ok(at) => sent = Some(at),
                // It wants no more of the input; its answer says why.
                Err(WriteError::Stopped(_)) => sent = Some(begun.elapsed()),
                Err(error) => return Err(write_error(error).into()),
            },
        }
    }
}

/// What came back.
struct Answer {
    output: Vec<u8>,
    times: ComputeTimes,
    answered: Duration,
}

async fn read_answer(
    receive: &mut RecvStream,
    begun: Instant,
    wanted: u64,
) -> Result<Answer, OffloadError> {
    let reply = read_frame::<ComputeReply>(receive, HEAD_LIMIT).await?;
    let answered = begun.elapsed();
    match reply {
        ComputeReply::Refused { code, message } => Err(OffloadError::Refused { code, message }),
        ComputeReply::Done { output_bytes: actual, .. } if actual != wanted => {
            Err(OffloadError::OutputLength { wanted, actual })
        }
        ComputeReply::Done { times, .. } => match read_payload(receive, wanted).await? {
            Payload::Whole(output) => Ok(Answer { output, times, answered }),
            Payload::Short(actual) | Payload::Long(actual) => {
                Err(OffloadError::OutputLength { wanted, actual })
            }
        },
    }
}

/// Both ends of a task's stream, reset when dropped. (By itself quinn would finish the sending end,
/// and half an input would look like a whole one.) An end that is complete is not harmed.
struct TaskStream {
    send: SendStream,
    receive: RecvStream,
}

impl Drop for TaskStream {
    fn drop(&mut self) {
        let _ = self.send.reset(CloseCode::Stopped.var_int());
        let _ = self.receive.stop(CloseCode::Stopped.var_int());
    }
}
