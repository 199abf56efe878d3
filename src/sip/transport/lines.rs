//! All signalling sockets of a centre: each address with UDP and TCP on one port.

use super::tcp::{Said, Tcp};
use super::udp::Udp;
use crate::sip::api::{Flow, Streams, Transport};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

/// How often another port is tried where the kernel chose one that is free for UDP alone.
const CHOICES: usize = 16;

/// What comes in.
#[derive(Debug)]
pub enum Arrival {
    /// So many octets of the room that was given.
    Datagram(Flow, usize),
    Message(Flow, Vec<u8>),
    /// A connection is gone, or could not be opened.
    Closed(Flow),
    Failed(io::Error),
}

#[derive(Debug)]
pub struct Lines {
    udp: Vec<Udp>,
    /// Which of them is asked first.
    udp_first: usize,
    tcp: Tcp,
    locals: Vec<SocketAddr>,
    /// Who is asked first, in turns: neither starves the other.
    stream_first: bool,
}

impl Lines {
    /// Binds every address for every transport; an address without a port gets one that is free for all of them.
    pub fn bind(listen: &[SocketAddr], transports: &[Transport], limits: Streams) -> io::Result<Lines> {
        let mut lines = Lines { udp: Vec::new(), udp_first: 0, tcp: Tcp::new(limits), locals: Vec::new(), stream_first: false };
        for address in listen {
            let mut tries = if address.port() == 0 { CHOICES } else { 1 };
            while let Err(error) = lines.bind_one(*address, transports) {
                tries -= 1;
                if tries == 0 {
                    return Err(io::Error::new(error.kind(), format!("{address}: {error}")));
                }
            }
        }
        Ok(lines)
    }

    fn bind_one(&mut self, address: SocketAddr, transports: &[Transport]) -> io::Result<()> {
        let mut local = address;
        let udp = match transports.contains(&Transport::Udp) {
            true => Some(Udp::bind(address)?),
            false => None,
        };
        local = udp.as_ref().map_or(local, Udp::local);
        if transports.contains(&Transport::Tcp) {
            local = self.tcp.listen(local)?;
        }
        self.udp.extend(udp);
        self.locals.push(local);
        Ok(())
    }

    /// Our addresses, in the order in which they were asked for.
    pub fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    pub fn connections(&self) -> usize {
        self.tcp.connections()
    }

    /// Waits for what comes next; give it room for [`super::DATAGRAM_MAX`].
    pub async fn next(&mut self, room: &mut [u8]) -> Arrival {
        self.stream_first = !self.stream_first;
        let first = self.next_udp();
        poll_fn(|context| {
            for stream in [self.stream_first, !self.stream_first] {
                if stream {
                    match self.tcp.poll_next(context) {
                        Poll::Ready(Said::Message(flow, bytes)) => return Poll::Ready(Arrival::Message(flow, bytes)),
                        Poll::Ready(Said::Closed(flow)) => return Poll::Ready(Arrival::Closed(flow)),
                        Poll::Pending => continue,
                    }
                }
                for udp in self.udp[first..].iter().chain(&self.udp[..first]) {
                    if let Poll::Ready(received) = udp.poll_receive(context, room) {
                        return Poll::Ready(received.map_or_else(Arrival::Failed, |(flow, length)| Arrival::Datagram(flow, length)));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next datagram if one is there already: for draining a burst without a wake-up for each.
    pub fn try_receive(&mut self, room: &mut [u8]) -> Option<(Flow, usize)> {
        let first = self.next_udp();
        self.udp[first..].iter().chain(&self.udp[..first]).find_map(|udp| udp.try_receive(room))
    }

    /// The sockets take turns, too.
    fn next_udp(&mut self) -> usize {
        self.udp_first = (self.udp_first + 1) % self.udp.len().max(1);
        self.udp_first
    }

    /// Sends without waiting: a datagram is lost if the kernel cannot take it now, a connection that does not read is closed.
    pub fn send(&mut self, flow: Flow, bytes: &[u8]) {
        if flow.transport == Transport::Tcp {
            return self.tcp.send(flow, bytes);
        }
        let Some(udp) = self.udp.iter().find(|udp| udp.local() == flow.local) else { return };
        if let Err(error) = udp.send(flow, bytes) {
            tracing::debug!(%error, "a datagram was not sent; its transaction sends it again");
        }
    }

    /// Closes a connection once it has taken what is queued for it.
    pub fn close(&mut self, flow: Flow) {
        self.tcp.close(flow);
    }

    pub fn set_limits(&mut self, limits: Streams) {
        self.tcp.set_limits(limits);
    }
}

#[cfg(test)]
mod tests;
