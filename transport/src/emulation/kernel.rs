//! What the kernel says about a socket.

use std::io;
use std::net::UdpSocket;

use rustix::net::sockopt;

use crate::endpoint::SOCKET_BUFFER;

/// A socket of the kernel, by its number.
#[derive(Debug)]
pub(super) struct KernelSocket {
    inode: u64,
    /// Bytes of the receive buffer and of the send buffer that were given.
    buffers: (usize, usize),
}

impl KernelSocket {
    /// # Errors
    /// If the kernel does not answer.
    pub(super) fn new(socket: &UdpSocket) -> io::Result<KernelSocket> {
        // Linux says twice what can be used: the rest is its own keeping of books.
        let receive = sockopt::socket_recv_buffer_size(socket)? / 2;
        let send = sockopt::socket_send_buffer_size(socket)? / 2;
        Ok(KernelSocket { inode: rustix::fs::fstat(socket)?.st_ino, buffers: (receive, send) })
    }

    /// What is wrong with the buffers, if they are smaller than was asked for.
    pub(super) fn small_buffers(&self) -> Option<String> {
        let (receive, send) = self.buffers;
        (receive.min(send) < SOCKET_BUFFER).then(|| {
            format!(
                "the kernel gave {receive} bytes of receive buffer and {send} of send buffer instead \
                 of {SOCKET_BUFFER}: bursts may be lost in it, which looks like loss on a link. \
                 sysctl net.core.rmem_max and net.core.wmem_max raise the limit"
            )
        })
    }

    /// Packets that were received and dropped, because nobody read them in time; `None` where the
    /// kernel does not say.
    pub(super) fn drops(&self) -> Option<u64> {
        ["/proc/self/net/udp", "/proc/self/net/udp6"].iter().find_map(|file| {
            let table = std::fs::read_to_string(file).ok()?;
            table.lines().skip(1).find_map(|line| drops_in(line, self.inode))
        })
    }
}

/// The drops in a line of the table, if it is that of the socket. The inode is the tenth column, the
/// drops are the last.
fn drops_in(line: &str, inode: u64) -> Option<u64> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    (columns.get(9)?.parse() == Ok(inode)).then(|| columns.last()?.parse().ok())?
}
