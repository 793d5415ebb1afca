//! Ports, UDP buffers and the loopback interface.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

use fogbit_transport::endpoint::SOCKET_BUFFER;

use super::check::Check;
use crate::exporter::DEFAULT_PORT;

/// A datagram to oneself takes microseconds.
const LOOPBACK_TIME: Duration = Duration::from_secs(1);

pub(super) fn checks() -> Vec<Check> {
    let mut checks: Vec<Check> =
        PORTS.iter().map(|port| judge_port(port, port.try_bind().err())).collect();
    checks.push(judge_loopback(loopback()));
    checks.extend(BUFFERS.map(|buffer| {
        let path = format!("/proc/sys/{}", buffer.setting.replace('.', "/"));
        let most = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        judge_buffer(&buffer, most)
    }));
    checks
}

enum Protocol {
    Tcp,
    Udp,
}

/// A port that something is served on unless it is told otherwise.
struct Port {
    check: &'static str,
    protocol: Protocol,
    number: u16,
    /// What cannot be served while somebody else has the port.
    what: &'static str,
    /// What moves it to another port.
    mover: &'static str,
}

const PORTS: [Port; 4] = [
    Port {
        check: "port-grafana",
        protocol: Protocol::Tcp,
        number: 3000,
        what: "Grafana in Docker Compose",
        mover: "GRAFANA_PORT=3001 moves it",
    },
    Port {
        check: "port-prometheus",
        protocol: Protocol::Tcp,
        number: 9090,
        what: "Prometheus in Docker Compose",
        mover: "PROMETHEUS_PORT=9091 moves it",
    },
    Port {
        check: "port-metrics",
        protocol: Protocol::Tcp,
        number: DEFAULT_PORT,
        what: "a process with --metrics on this port",
        mover: "--metrics IP:PORT (FOGBIT_METRICS) takes another one",
    },
    Port {
        check: "port-join",
        protocol: Protocol::Udp,
        number: 7700,
        what: "an orchestrator with --listen on this port",
        mover: "--listen IP:PORT (FOGBIT_LISTEN) takes another one",
    },
];

impl Port {
    /// Takes the port of every IPv4 address for a moment, which works if nobody has it of any.
    fn try_bind(&self) -> io::Result<()> {
        let address = (Ipv4Addr::UNSPECIFIED, self.number);
        match self.protocol {
            Protocol::Tcp => TcpListener::bind(address).map(drop),
            Protocol::Udp => UdpSocket::bind(address).map(drop),
        }
    }

    fn name(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        format!("{protocol} port {}", self.number)
    }
}

/// `error` is why the port could not be taken, if so.
fn judge_port(port: &Port, error: Option<io::Error>) -> Check {
    let name = port.name();
    let Some(error) = error else {
        return Check::well(port.check, format!("{name} is free"));
    };
    let found = match error.kind() {
        io::ErrorKind::AddrInUse => format!("{name} is in use"),
        _ => format!("{name} cannot be taken: {error}"),
    };
    let advice = format!(
        "unless it is Fogbit itself that runs there, {} cannot start; {}",
        port.what, port.mover
    );
    Check::warning(port.check, found, advice)
}

/// A limit of the kernel on the buffers of a socket.
struct Buffer {
    check: &'static str,
    setting: &'static str,
}

const BUFFERS: [Buffer; 2] = [
    Buffer { check: "udp-receive-buffer", setting: "net.core.rmem_max" },
    Buffer { check: "udp-send-buffer", setting: "net.core.wmem_max" },
];

/// `most` is the setting in bytes, if it could be read.
fn judge_buffer(buffer: &Buffer, most: Option<usize>) -> Check {
    let Buffer { check, setting } = *buffer;
    match most {
        Some(most) if most >= SOCKET_BUFFER => Check::well(
            check,
            format!("{setting} is {most}, at least the {SOCKET_BUFFER} asked for"),
        ),
        Some(most) => Check::warning(
            check,
            format!("{setting} is {most}, less than the {SOCKET_BUFFER} asked for"),
            format!(
                "packets may be lost when many nodes send at once, which costs time: \
                 sudo sysctl -w {setting}={SOCKET_BUFFER}"
            ),
        ),
        None => Check::warning(
            check,
            format!("{setting} cannot be read here"),
            format!(
                "in a container it is a setting of the host: sudo sysctl -w \
                 {setting}={SOCKET_BUFFER} there"
            ),
        ),
    }
}

/// Sends a datagram to itself.
fn loopback() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LOOPBACK_TIME))?;
    socket.connect(socket.local_addr()?)?;
    let sent = b"fogbit doctor";
    socket.send(sent)?;
    let mut received = [0; 64];
    let length = socket.recv(&mut received)?;
    if received[..length] == sent[..] {
        Ok(())
    } else {
        Err(io::Error::other("another datagram came back"))
    }
}

fn judge_loopback(sent: io::Result<()>) -> Check {
    let check = "loopback";
    match sent {
        Ok(()) => Check::well(check, "a UDP datagram to 127.0.0.1 arrives"),
        Err(error) => Check::failed(
            check,
            format!("a UDP datagram to 127.0.0.1 does not arrive: {error}"),
            "processes on this host cannot talk to each other: `sudo ip link set lo up`, and see \
             that no firewall drops UDP on the interface lo",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Verdict;

    #[test]
    fn a_port_in_use_is_a_warning_that_says_what_moves_it() {
        for port in &PORTS {
            assert_eq!(judge_port(port, None).verdict, Verdict::Well);
            for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied] {
                let check = judge_port(port, Some(kind.into()));
                assert_eq!(check.verdict, Verdict::Warning);
                assert!(check.found.contains(&port.number.to_string()), "{check:?}");
                assert!(check.advice.unwrap().contains(port.mover));
            }
        }
    }

    #[test]
    fn a_port_that_somebody_has_cannot_be_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tcp = (Protocol::Tcp, listener.local_addr().unwrap());
        let udp = (Protocol::Udp, socket.local_addr().unwrap());
        for (protocol, address) in [tcp, udp] {
            let port =
                Port { check: "port", protocol, number: address.port(), what: "", mover: "" };
            assert_eq!(port.try_bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn buffers_smaller_than_asked_for_are_a_warning_with_the_command() {
        let [receive, send] = &BUFFERS;
        assert_eq!(judge_buffer(receive, Some(4 << 20)).verdict, Verdict::Well);
        assert_eq!(judge_buffer(receive, Some(8 << 20)).verdict, Verdict::Well);
        let check = judge_buffer(receive, Some(212_992));
        assert_eq!(check.verdict, Verdict::Warning);
        assert!(check.advice.unwrap().ends_with("sudo sysctl -w net.core.rmem_max=4194304"));
        let check = judge_buffer(send, None);
        assert_eq!(check.verdict, Verdict::Warning);
        assert!(check.advice.unwrap().contains("net.core.wmem_max=4194304"));
    }

    #[test]
    fn a_broken_loopback_fails() {
        loopback().unwrap();
        assert_eq!(judge_loopback(Ok(())).verdict, Verdict::Well);
        let broken = judge_loopback(Err(io::ErrorKind::NetworkUnreachable.into()));
        assert_eq!(broken.verdict, Verdict::Failed);
    }
}
