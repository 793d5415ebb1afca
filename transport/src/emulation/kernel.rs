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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_from_the_line_of_the_socket() {
        // From a kernel; the last column is made up.
        let line = " 3029: 0100007F:A2B7 00000000:0000 07 00000000:00000300 00:00000000 00000000  \
                    1000        0 48213 2 0000000000000000 17";
        assert_eq!(drops_in(line, 48_213), Some(17));
        assert_eq!(drops_in(line, 48_214), None);
        assert_eq!(drops_in("", 0), None);
    }

    #[test]
    fn buffers_that_are_too_small_are_complained_of() {
        let kernel = |receive, send| KernelSocket { inode: 0, buffers: (receive, send) };
        assert_eq!(kernel(SOCKET_BUFFER, SOCKET_BUFFER).small_buffers(), None);
        let complaint = kernel(212_992, SOCKET_BUFFER).small_buffers().unwrap();
        assert!(complaint.contains("212992 bytes of receive buffer"), "{complaint}");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        sockopt::set_socket_recv_buffer_size(&socket, 50_000).unwrap();
        assert_eq!(KernelSocket::new(&socket).unwrap().buffers.0, 50_000);
    }
}
