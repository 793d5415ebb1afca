//! How the user ends a command before its time: the first signal asks for an end, a second one does
//! not wait for it.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::exit::{Exit, Failure};

/// A runtime on this thread alone: one process, one core.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))
}

/// Where a file may not grow any further, from now on the error of writing says which: this process is
/// not killed for it (SIGXFSZ).
pub(crate) fn heed_full_files() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = runtime()?;
    let _within = runtime.enter();
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    Ok(())
}

/// Completes when the user or the system asks this process to end.
pub(crate) fn signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    // Who is listened to does not end the process: where a file may not grow any further, the error of
    // writing says which.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let mut signals: Vec<_> =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .into_iter()
            .filter_map(|kind| signal(kind).ok())
            .collect();
    std::future::poll_fn(move |context| {
        if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
}

/// Waits for `work`. The first signal calls `stop`, which asks for its end; after a second one
/// nobody wants to wait, and there is nothing.
pub(super) async fn until_asked_twice<T>(
    work: impl Future<Output = T>,
    stop: impl FnOnce(),
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Some(done),
        () = signal() => stop(),
    }
    tokio::select! {
        biased;
        done = &mut work => Some(done),
        () = signal() => None,
    }
}

/// Does `work`, which blocks, in a thread of its own. The first signal calls `stop`, which asks for
/// its end; a second one ends the process, and so does work that is still there after `grace`. What
/// is written by then is there whole or not at all.
pub(super) fn work_until_stopped<T: Send>(
    work: impl FnOnce() -> T + Send,
    stop: impl FnOnce(),
    grace: Option<Duration>,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let done = std::thread::scope(|scope| {
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        let work = scope.spawn(move || {
            let done = work();
            let _ = ended.send(());
            done
        });
        let asked = || {
            stop();
            if let Some(grace) = grace {
                tokio::spawn(async move {
                    tokio::time::sleep(grace).await;
                    std::process::exit(Exit::Interrupted as i32);
                });
            }
        };
        if runtime.block_on(until_asked_twice(end, asked)).is_none() {
            std::process::exit(Exit::Interrupted as i32);
        }
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    Ok(done)
}
