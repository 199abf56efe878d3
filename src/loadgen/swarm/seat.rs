//! One virtual agent's seat: a telephone on a socket of its own, the call that is there, and how the agent's time goes by.

use super::tally::Traffic;
use crate::loadgen::phone::{DialogId, Output, Phone};
use crate::model::Time;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// A SIP socket and the phone on it.
pub struct Wire {
    pub socket: UdpSocket,
    pub phone: Phone,
    server: SocketAddr,
}

impl Wire {
    pub fn open(user: &str, at: IpAddr, server: SocketAddr, seed: u64) -> io::Result<Wire> {
        let socket = UdpSocket::bind((at, 0))?;
        socket.set_nonblocking(true)?;
        // Thousands of calls share one socket; a kernel that grants less still works.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let phone = Phone::new(user, socket.local_addr()?, server, seed);
        Ok(Wire { socket, phone, server })
    }

    pub fn flush(&self, out: &mut Output, traffic: &mut Traffic) {
        for bytes in out.send.drain(..) {
            traffic.sent += 1;
            traffic.bytes += bytes.len() as u64;
            // A full socket loses a datagram, as a network does: the transactions repeat it.
            let _ = self.socket.send_to(&bytes, self.server);
        }
    }
}

/// The call that an agent has.
#[derive(Debug)]
pub struct Current {
    pub dialog: DialogId,
    pub offer: Vec<u8>,
    pub answered: bool,
    pub talking: bool,
    since: Time,
}

pub struct Seat {
    pub wire: Wire,
    pub password: String,
    pub registered: bool,
    pub refused: Option<u16>,
    pub current: Option<Current>,
    /// The end of the call before, until the next one rings.
    pub free_since: Option<Time>,
    /// Time with a call in the window.
    busy: Duration,
}

impl Seat {
    pub fn new(wire: Wire, password: &str) -> Seat {
        Seat {
            wire,
            password: password.to_string(),
            registered: false,
            refused: None,
            current: None,
            free_since: None,
            busy: Duration::ZERO,
        }
    }

    /// The call there, if it is this one.
    pub fn on(&mut self, dialog: DialogId) -> Option<&mut Current> {
        self.current.as_mut().filter(|current| current.dialog == dialog)
    }

    /// A call rings here; gives how long the agent had none.
    pub fn rings(&mut self, now: Time, dialog: DialogId, offer: Vec<u8>) -> Option<Duration> {
        self.current = Some(Current { dialog, offer, answered: false, talking: false, since: now });
        self.free_since.take().map(|free| now.since(free))
    }

    /// The agent is free of this call; `window` is when counting began, if it has.
    pub fn frees(&mut self, now: Time, dialog: DialogId, window: Option<Time>) -> Option<Current> {
        let current = self.current.take_if(|current| current.dialog == dialog)?;
        self.busy += within(current.since, now, window);
        self.free_since = Some(now);
        Some(current)
    }

    /// Time with a call since `window` began.
    pub fn busy(&self, now: Time, window: Time) -> Duration {
        self.busy + self.current.as_ref().map_or(Duration::ZERO, |current| within(current.since, now, Some(window)))
    }

    /// Counting begins.
    pub fn reset(&mut self) {
        self.busy = Duration::ZERO;
    }
}

/// The part of a span that lies in the window.
fn within(from: Time, to: Time, window: Option<Time>) -> Duration {
    window.map_or(Duration::ZERO, |began| to.since(from.max(began)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_time_is_counted_in_the_window_alone() {
        let at = |ms: u64| Time(1_000_000 + ms * 1_000);
        let ip = "127.31.0.2".parse().unwrap();
        let mut seat = Seat::new(Wire::open("1001", ip, "127.31.0.2:5060".parse().unwrap(), 1).unwrap(), "x");
        assert_eq!(seat.rings(at(0), DialogId(1), Vec::new()), None);
        seat.reset();
        // The window begins at 500.
        assert!(seat.frees(at(900), DialogId(1), Some(at(500))).is_some());
        assert!(seat.frees(at(901), DialogId(1), Some(at(500))).is_none(), "already free");
        assert_eq!(seat.rings(at(905), DialogId(2), Vec::new()), Some(Duration::from_millis(5)));
        assert_eq!(seat.busy(at(1_005), at(500)), Duration::from_millis(500));
    }
}
