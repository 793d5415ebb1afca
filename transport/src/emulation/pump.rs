//! The task that sends what is due.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use super::packet::Batch;
use super::socket::Core;

/// Batches after which other tasks have their turn.
const TURN: usize = 32;

/// Sends what is due until it is dropped.
pub(super) async fn pump(core: Arc<Core>) {
    if let Err(error) = run(&core).await {
        // Only a broken descriptor can do this. The links' counters show that nothing arrives.
        tracing::error!("the emulation of links has stopped: {error}");
    }
}

async fn run(core: &Arc<Core>) -> io::Result<()> {
    let mut writable = core.inner().clone().create_io_poller();
    let mut batch = Batch::default();
    loop {
        let mut sent = 0;
        while core.take_due(&mut batch)? {
            let Some(transmit) = batch.transmit() else { continue };
            while let Err(error) = core.inner().try_send(&transmit) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error);
                }
                core.shared.table().waits(&batch);
                poll_fn(|context| writable.as_mut().poll_writable(context)).await?;
            }
            core.delivered(&batch);
            sent += 1;
            if sent % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        core.alarm().await?;
    }
}
