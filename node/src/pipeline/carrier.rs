//! What travels on one way: flows, each a head and as many bytes as it says.

use bytes::Bytes;
use fogbit_transport::WireError;
use fogbit_transport::codec::encode;
use fogbit_transport::compute::{HEAD_LIMIT, Opening, read_frame};
use fogbit_transport::pipeline::{FLOW_HEAD_LIMIT, FlowHead, OpenWay, WayOpened};
use quinn::{Connection, ReadError, RecvStream, SendStream, WriteError};
use tokio::sync::mpsc;

use super::ways::Heard;
use crate::compute::clock::now;

/// What flows consist of.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Opens a way on a connection of its own.
pub(super) async fn begin(
    connection: &Connection,
    open: OpenWay,
) -> Result<(SendStream, RecvStream), WireError> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let mut frame = Vec::new();
    encode(&Opening::Way(open), &mut frame, HEAD_LIMIT)?;
    send.write_all(&frame).await.map_err(write_error)?;
    let WayOpened = read_frame(&mut receive, FLOW_HEAD_LIMIT).await?;
    Ok((send, receive))
}

/// Writes flows in the order in which they come, until there will be no more.
pub(super) async fn write(
    mut send: SendStream,
    mut flows: mpsc::UnboundedReceiver<FlowHead>,
) -> Result<(), WireError> {
    let mut frame = Vec::new();
    while let Some(head) = flows.recv().await {
        frame.clear();
        encode(&head, &mut frame, FLOW_HEAD_LIMIT)?;
        send.write_all(&frame).await.map_err(write_error)?;
        let mut left = head.bytes;
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            let chunk = Bytes::from_static(&ZEROS[..now as usize]);
            send.write_chunk(chunk).await.map_err(write_error)?;
            left -= now;
        }
    }
    Ok(())
}

/// Reads flows until there are no more, and gives the reason.
pub(super) async fn read(
    mut receive: RecvStream,
    site: u32,
    tell: &mpsc::Sender<(u32, Heard)>,
) -> WireError {
    loop {
        let head = match read_flow(&mut receive).await {
            Ok(head) => head,
            Err(error) => return error,
        };
        if tell.send((site, Heard::Flow(head, now()))).await.is_err() {
            return WireError::Ended;
        }
    }
}

/// Reads one flow and forgets what it consists of.
async fn read_flow(receive: &mut RecvStream) -> Result<FlowHead, WireError> {
    let head: FlowHead = read_frame(receive, FLOW_HEAD_LIMIT).await?;
    let mut left = head.bytes;
    while left > 0 {
        let most = left.min(ZEROS.len() as u64) as usize;
        let chunk = receive.read_chunk(most, true).await.map_err(|error| match error {
            ReadError::Reset(code) => WireError::Reset(code.into_inner()),
            ReadError::ConnectionLost(error) => WireError::Connection(error),
            _ => WireError::Ended,
        })?;
        left -= chunk.ok_or(WireError::Truncated)?.bytes.len() as u64;
    }
    Ok(head)
}

pub(super) fn write_error(error: WriteError) -> WireError {
    match error {
        WriteError::Stopped(code) => WireError::Reset(code.into_inner()),
        WriteError::ConnectionLost(error) => WireError::Connection(error),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => WireError::Ended,
    }
}
