//! SIP over UDP: one socket of one address, read by the driver, written without waiting.

use crate::sip::api::Flow;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Octets that the kernel may hold for us while we are busy: thousands of messages.
const BUFFER: usize = 8 << 20;

/// The largest datagram there is, so that a message over the limit is seen as such and not cut.
pub const DATAGRAM_MAX: usize = 65_535;

#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Udp {
    /// Binds `local` alone: a port that is taken is an error. Wants a tokio runtime.
    pub fn bind(local: SocketAddr) -> io::Result<Udp> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        // The kernel grants what its limits allow.
        let _ = (socket.set_recv_buffer_size(BUFFER), socket.set_send_buffer_size(BUFFER));
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Udp { socket, local })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next datagram; give it room for [`DATAGRAM_MAX`]. Errors that a peer's ICMP causes are passed over.
    pub fn poll_receive(&self, context: &mut Context, room: &mut [u8]) -> Poll<io::Result<(Flow, usize)>> {
        loop {
            let mut buffer = ReadBuf::new(room);
            match ready!(self.socket.poll_recv_from(context, &mut buffer)) {
                Ok(remote) => return Poll::Ready(Ok((Flow::udp(self.local, remote), buffer.filled().len()))),
                Err(error) if transient(error.kind()) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The next datagram if one is there already: for draining a burst without a wake-up for each.
    pub fn try_receive(&self, room: &mut [u8]) -> Option<(Flow, usize)> {
        let (length, remote) = self.socket.try_recv_from(room).ok()?;
        Some((Flow::udp(self.local, remote), length))
    }

    /// Sends at once or not at all: what the kernel cannot take now is lost like any datagram, and retransmitted by its transaction.
    pub fn send(&self, flow: Flow, bytes: &[u8]) -> io::Result<()> {
        self.socket.try_send_to(bytes, flow.remote).map(drop)
    }
}

fn transient(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::HostUnreachable | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_datagram_comes_with_its_flow() {
        let one = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let other = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut room = vec![0; DATAGRAM_MAX];
        other.socket.writable().await.unwrap();
        other.send(Flow::udp(other.local(), one.local()), b"hello").unwrap();
        let (flow, length) = std::future::poll_fn(|context| one.poll_receive(context, &mut room)).await.unwrap();
        assert_eq!((flow, &room[..length]), (Flow::udp(one.local(), other.local()), &b"hello"[..]));
        assert!(one.try_receive(&mut room).is_none());
        assert_eq!(Udp::bind(one.local()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
