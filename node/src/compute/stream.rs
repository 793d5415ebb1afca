//! Tasks of task nodes: one stream each, which harms no other whatever comes on it.

use bytes::Bytes;
use fogbit_scenario::work::Work;
use fogbit_transport::cascade::{ANSWER_BYTES, ImageRequest};
use fogbit_transport::compute::{
    ComputeCode, ComputeReply, ComputeRequest, HEAD_LIMIT, Opening, Payload, read_frame,
    read_payload, write_answer,
};
use fogbit_transport::wire::TrialId;
use fogbit_transport::{CloseCode, WireError};
use quinn::{RecvStream, SendStream};

use super::clock::{nanoseconds, now};
use super::error::ComputeError;
use super::service::{ComputeService, ComputeTask, Finished};

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComputeEnd {
    /// The result was sent.
    Done,
    /// The task was refused, or not done.
    Refused(ComputeError),
    /// The other side is gone, or does not want the result any more.
    Gone,
}

/// Serves one stream from its first message on. `find` gives the service of a trial, if this peer
/// may use it.
///
/// Every stream is answered but one whose other side is gone. Memory is bounded by twice the payload
/// limit of the service for each stream.
pub async fn serve_compute_stream(
    send: SendStream,
    mut receive: RecvStream,
    find: impl FnOnce(TrialId) -> Option<ComputeService>,
) -> ComputeEnd {
    match read_frame::<Opening>(&mut receive, HEAD_LIMIT).await {
        Ok(Opening::Compute(request)) => {
            let service = find(request.trial);
            serve_compute(request, send, receive, service).await
        }
        Ok(Opening::Image(request)) => {
            let service = find(request.trial);
            serve_image(request, send, receive, service).await
        }
        Ok(Opening::Session(_) | Opening::Steering(_) | Opening::Pipeline(_) | Opening::Way(_)) => {
            refuse(send, receive, ComputeError::BadRequest("there are no sessions here".into()))
                .await
        }
        Err(error) if is_gone(&error) => ComputeEnd::Gone,
        Err(error) => refuse(send, receive, ComputeError::BadRequest(error.to_string())).await,
    }
}

/// Serves one stream of which the request has been read. Without a `service` it is refused.
pub async fn serve_compute(
    request: ComputeRequest,
    send: SendStream,
    receive: RecvStream,
    service: Option<ComputeService>,
) -> ComputeEnd {
    let wanted = |service: &ComputeService| {
        if service.images().is_some() {
            return Err(ComputeError::BadRequest("images are classified here, no more".into()));
        }
        let ComputeRequest { input_bytes, output_bytes, deadline_ns, .. } = request;
        Ok(Wanted { work: request.work()?, input_bytes, output_bytes, deadline_ns })
    };
    serve(request.trial, wanted, send, receive, service).await
}

/// As [`serve_compute`], for an image.
pub async fn serve_image(
    request: ImageRequest,
    send: SendStream,
    receive: RecvStream,
    service: Option<ComputeService>,
) -> ComputeEnd {
    let wanted = |service: &ComputeService| {
        let none = || ComputeError::BadRequest("no images are classified here".into());
        let images = service.images().ok_or_else(none)?;
        images.check(&request)?;
        let ImageRequest { image_bytes: input_bytes, deadline_ns, .. } = request;
        Ok(Wanted { work: images.work(), input_bytes, output_bytes: ANSWER_BYTES, deadline_ns })
    };
    serve(request.trial, wanted, send, receive, service).await
}

/// What is asked of a service.
struct Wanted {
    work: Work,
    input_bytes: u64,
    output_bytes: u64,
    deadline_ns: Option<u64>,
}

async fn serve(
    trial: TrialId,
    wanted: impl FnOnce(&ComputeService) -> Result<Wanted, ComputeError>,
    mut send: SendStream,
    mut receive: RecvStream,
    service: Option<ComputeService>,
) -> ComputeEnd {
    let Some(service) = service else {
        let unknown = format!("{trial:?} is not a trial of this task node");
        return refuse(send, receive, ComputeError::BadRequest(unknown)).await;
    };
    let task = match wanted(&service) {
        Ok(wanted) => read_task(wanted, &mut receive, &service).await,
        Err(error) => Err(error.into()),
    };
    let task = match task {
        Ok(task) => task,
        Err(Unread::Gone) => return ComputeEnd::Gone,
        Err(Unread::Refused(error)) => {
            service.note_refused(error.code());
            return refuse(send, receive, error).await;
        }
    };
    let submitted = service.submit(task);
    let end = tokio::select! {
        biased;
        end = submitted => end,
        // The other side has reset the stream, or the connection is lost.
        _ = send.stopped() => return ComputeEnd::Gone,
    };
    let Finished { output, times } = match end {
        Ok(finished) => finished,
        Err(error) => return refuse(send, receive, error).await,
    };
    let head = ComputeReply::Done { times, output_bytes: output.len() as u64 };
    match write_answer(&mut send, &head, &output, HEAD_LIMIT).await {
        Ok(()) => ComputeEnd::Done,
        Err(_) => {
            let _ = send.reset(CloseCode::Failed.var_int());
            ComputeEnd::Gone
        }
    }
}

/// Why there is no task.
enum Unread {
    Gone,
    Refused(ComputeError),
}

impl From<ComputeError> for Unread {
    fn from(error: ComputeError) -> Unread {
        Unread::Refused(error)
    }
}

/// Reads the input, once everything else about the request is in order.
async fn read_task(
    Wanted { work, input_bytes: announced, output_bytes, deadline_ns }: Wanted,
    receive: &mut RecvStream,
    service: &ComputeService,
) -> Result<ComputeTask, Unread> {
    let asked = now();
    service.check_payload(announced, output_bytes)?;
    let read = read_payload(receive, announced);
    let read = match deadline_ns {
        None => read.await,
        Some(ns) => tokio::time::timeout(std::time::Duration::from_nanos(ns), read)
            .await
            .map_err(|_| ComputeError::DeadlineMissed)?,
    };
    let input = match read {
        Ok(Payload::Whole(input)) => Bytes::from(input),
        Ok(Payload::Short(actual) | Payload::Long(actual)) => {
            let message = format!("{announced} bytes of input announced, {actual} came");
            return Err(ComputeError::BadRequest(message).into());
        }
        Err(_) => return Err(Unread::Gone),
    };
    // What the input took on its way is gone.
    let deadline_ns = deadline_ns.map(|ns| ns.saturating_sub(nanoseconds(asked.elapsed())));
    Ok(ComputeTask { work, input, output_bytes, deadline_ns })
}

/// Says no, and that no more is read.
async fn refuse(mut send: SendStream, mut receive: RecvStream, error: ComputeError) -> ComputeEnd {
    let code: ComputeCode = error.code();
    let _ = receive.stop(CloseCode::BadRequest.var_int());
    let reply = ComputeReply::Refused { code, message: shortened(error.to_string()) };
    match write_answer(&mut send, &reply, &[], HEAD_LIMIT).await {
        Ok(()) => ComputeEnd::Refused(error),
        Err(_) => ComputeEnd::Gone,
    }
}

/// A message may repeat what a peer has sent, which may be as long as a whole head.
fn shortened(message: String) -> String {
    const MOST: usize = 400;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}

/// Whether nobody is there to hear an answer.
fn is_gone(error: &WireError) -> bool {
    matches!(error, WireError::Connection(_) | WireError::Reset(_))
}
