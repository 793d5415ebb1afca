//! The socket that QUIC is given.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, UdpPoller};
use tokio::task::AbortHandle;

use super::CAPACITY;
use super::kernel::KernelSocket;
use super::links::{Links, RawHandler};
use super::packet::Batch;
use super::pump::pump;
use super::raw::take_out;
use super::stats::Traffic;
use super::table::{Table, canonical};

use crate::timer::Timer;

/// What handles and the socket share.
pub(super) struct Shared {
    table: Mutex<Table>,
    /// Whether there are links; without any, nothing needs to be looked up.
    has_links: AtomicBool,
    handler: Mutex<Option<RawHandler>>,
    kernel: KernelSocket,
    warned: AtomicBool,
    /// Whether the socket is gone; its pump may still be about to end.
    closed: AtomicBool,
}

/// The kernel's socket and what drives the links.
pub(super) struct Core {
    inner: Arc<dyn AsyncUdpSocket>,
    pub(super) shared: Arc<Shared>,
    timer: Timer,
    epoch: Instant,
    is_ipv6: bool,
}

/// A socket whose packets pass emulated links.
pub(crate) struct EmulatedSocket {
    core: Arc<Core>,
    pump: AbortHandle,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can leave things half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// Changes which links there are.
    pub(super) fn edit<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.table();
        let result = change(&mut table);
        self.has_links.store(!table.is_empty(), Ordering::Release);
        result
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn set_handler(&self, handler: Option<RawHandler>) {
        *lock(&self.handler) = handler;
    }

    pub(super) fn kernel_drops(&self) -> Option<u64> {
        self.kernel.drops()
    }

    pub(super) fn warn_of_small_buffers(&self) {
        if let Some(complaint) = self.kernel.small_buffers()
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{complaint}");
        }
    }

    /// Counts what has come and takes raw packets out of it.
    fn look_at(&self, buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) {
        let mut raw: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        let mut table = self.table();
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            if !table.has(meta.addr) {
                continue;
            }
            table.has_come(meta.addr, Traffic::of_batch(meta.len, meta.stride));
            let peer = canonical(meta.addr);
            take_out(buffer, meta, |payload| raw.push((peer, payload.to_vec())));
        }
        drop(table);
        if raw.is_empty() {
            return;
        }
        let now = Instant::now();
        let handler = lock(&self.handler).clone();
        for (peer, payload) in raw {
            if let Some(handler) = &handler {
                handler(peer, &payload, now);
            }
        }
    }
}

impl Core {
    pub(super) fn inner(&self) -> &Arc<dyn AsyncUdpSocket> {
        &self.inner
    }

    fn now_ns(&self) -> u64 {
        // Enough for 584 years.
        self.epoch.elapsed().as_nanos() as u64
    }

    /// `peer` as this socket can send to it.
    pub(super) fn reachable(&self, peer: SocketAddr) -> SocketAddr {
        match peer.ip() {
            IpAddr::V4(ip) if self.is_ipv6 => {
                SocketAddrV6::new(ip.to_ipv6_mapped(), peer.port(), 0, 0).into()
            }
            _ => peer,
        }
    }

    /// Sends a batch directly, or over its link.
    ///
    /// # Errors
    /// Only the kernel's, and only directly.
    pub(super) fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if !self.shared.has_links.load(Ordering::Acquire) {
            return self.inner.try_send(transmit);
        }
        let peer = transmit.destination;
        let mut table = self.shared.table();
        if table.is_bypassed(peer) {
            // Not under the lock: other threads may want to send as well.
            drop(table);
            self.inner.try_send(transmit)?;
            let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
            let traffic = Traffic::of_batch(transmit.contents.len(), segment);
            self.shared.table().bypassed(peer, traffic);
            return Ok(());
        }
        table.send(self.now_ns(), transmit);
        self.arm(&mut table)
    }

    /// Sets the timer if it has to ring earlier than it would.
    fn arm(&self, table: &mut Table) -> io::Result<()> {
        match table.alarm_ns() {
            Some(at_ns) => {
                self.timer.arm(Duration::from_nanos(at_ns.saturating_sub(self.now_ns())))
            }
            None => Ok(()),
        }
    }

    /// Moves what is due into `batch`; if nothing is, sets the timer and gives `false`.
    pub(super) fn take_due(&self, batch: &mut Batch) -> io::Result<bool> {
        let mut table = self.shared.table();
        if table.take_due(self.now_ns(), self.inner.max_transmit_segments(), batch) {
            return Ok(true);
        }
        self.arm(&mut table)?;
        Ok(false)
    }

    pub(super) fn delivered(&self, batch: &Batch) {
        let now_ns = self.now_ns();
        self.shared.table().delivered(batch, now_ns);
    }

    /// Waits until the timer rings.
    pub(super) async fn alarm(&self) -> io::Result<()> {
        self.timer.fired().await
    }
}

impl EmulatedSocket {
    /// Wraps `socket`. Must be made within a tokio runtime.
    ///
    /// # Errors
    /// If the process may not have another file descriptor.
    pub(crate) fn new(
        socket: UdpSocket,
        runtime: &dyn Runtime,
    ) -> io::Result<(EmulatedSocket, Links)> {
        let kernel = KernelSocket::new(&socket)?;
        EmulatedSocket::around(runtime.wrap_udp_socket(socket)?, kernel, CAPACITY)
    }

    pub(super) fn around(
        inner: Arc<dyn AsyncUdpSocket>,
        kernel: KernelSocket,
        capacity: usize,
    ) -> io::Result<(EmulatedSocket, Links)> {
        let shared = Arc::new(Shared {
            table: Mutex::new(Table::new(capacity)),
            has_links: AtomicBool::new(false),
            handler: Mutex::new(None),
            kernel,
            warned: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let core = Arc::new(Core {
            is_ipv6: inner.local_addr()?.is_ipv6(),
            inner,
            shared: shared.clone(),
            timer: Timer::new()?,
            epoch: Instant::now(),
        });
        let links = Links { shared, core: Arc::downgrade(&core) };
        let pump = tokio::spawn(pump(core.clone())).abort_handle();
        Ok((EmulatedSocket { core, pump }, links))
    }
}

impl Drop for EmulatedSocket {
    fn drop(&mut self) {
        self.core.shared.closed.store(true, Ordering::Release);
        self.pump.abort();
        self.core.shared.table().clear();
    }
}

impl AsyncUdpSocket for EmulatedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.core.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.core.send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.core.inner.poll_recv(context, buffers, metas))?;
        if self.core.shared.has_links.load(Ordering::Acquire) {
            self.core.shared.look_at(&mut buffers[..count], &mut metas[..count]);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.core.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.core.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.core.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.core.inner.may_fragment()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EmulatedSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulatedSocket").field("core", &self.core).finish_non_exhaustive()
    }
}
