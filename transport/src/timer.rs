//! A timer of the kernel's own precision: tokio's counts in whole milliseconds, and a slot may be a
//! few of them.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer (timerfd) for one task.
#[derive(Debug)]
pub struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// A timer that is not set. Must be made within a tokio runtime.
    ///
    /// # Errors
    /// If the process may not have another file descriptor.
    #[expect(
        deprecated,
        reason = "an owned descriptor is what the safe way asks for; the other is unsafe"
    )]
    pub fn new() -> io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Timer(AsyncFd::new(timer)?))
    }

    /// Waits until `deadline`; not at all if that is past. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the kernel refuses to set the timer.
    pub async fn until(&mut self, deadline: Instant) -> io::Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.arm(left)?;
            self.fired().await?;
        }
    }

    /// Makes it fire once `after` this moment, in place of when it was to fire before.
    ///
    /// # Errors
    /// If the kernel refuses to set the timer.
    pub(crate) fn arm(&self, after: Duration) -> io::Result<()> {
        // A time of zero would stop it.
        let after = after.max(Duration::from_nanos(1));
        let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(after) };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Waits until it has fired since the last time that this was waited for. One task at a time.
    ///
    /// # Errors
    /// If the kernel's side of it is broken.
    pub(crate) async fn fired(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            // The count of expirations is of no use, but reading it makes the timer wait again.
            let read = rustix::io::read(self.0.get_ref(), &mut [0; 8]);
            // Should it fire again before this line, its event is one more, and is not cleared.
            ready.clear_ready();
            match read {
                Err(rustix::io::Errno::AGAIN) => {}
                read => return read.map(|_| ()).map_err(io::Error::from),
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
