//! Packets on their way out of a worker: gathered, and handed to the kernel many at once (io_uring). Where the kernel has no io_uring, or
//! lets nobody use it, each goes by a call of its own: more expensive, and as good.
#![allow(unsafe_code)]

use io_uring::{IoUring, opcode, types};
use socket2::SockAddr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// Packets that wait at most.
const ROOM: usize = 256;
/// Longest packet that waits; longer ones go at once.
const LONGEST: usize = 512;

pub struct Outbox {
    ring: Option<IoUring>,
    /// `ROOM` places, of which the first `count` are taken.
    waiting: Box<[Outgoing]>,
    count: usize,
    refused: Vec<u32>,
}

struct Outgoing {
    owner: u32,
    to: SockAddr,
    bytes: [u8; LONGEST],
}

impl Outbox {
    /// Each packet goes by a call of its own.
    pub fn direct() -> Outbox {
        Outbox { ring: None, waiting: Box::default(), count: 0, refused: Vec::new() }
    }

    /// For the calling thread alone.
    pub fn new() -> Outbox {
        match Outbox::ringed() {
            Ok(outbox) => outbox,
            Err(error) => {
                tracing::info!(%error, "no io_uring here: each packet costs a call of its own");
                Outbox::direct()
            }
        }
    }

    /// A ring that has shown that it delivers to an address, which kernels before 6.1 do not.
    fn ringed() -> io::Result<Outbox> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
        let ring = builder.build(ROOM as u32)?;
        let nowhere = SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let place = || Outgoing { owner: 0, to: nowhere.clone(), bytes: [0; LONGEST] };
        let waiting = std::iter::repeat_with(place).take(ROOM).collect();
        let mut outbox = Outbox { ring: Some(ring), waiting, count: 0, refused: Vec::with_capacity(ROOM) };
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        outbox.send(0, &socket, b"proof", socket.local_addr()?);
        outbox.flush();
        let mut proof = [0; 8];
        match socket.recv(&mut proof) {
            Ok(5) if outbox.refused.is_empty() => Ok(outbox),
            _ => Err(io::Error::other("it delivers nothing")),
        }
    }

    /// Takes a packet of a session. It leaves with the next `flush`, until which the socket must stay open; whether the kernel took it is
    /// told by `refused`.
    pub fn send(&mut self, owner: u32, socket: &UdpSocket, packet: &[u8], to: SocketAddr) {
        if self.ring.is_none() || packet.len() > LONGEST {
            if socket.send_to(packet, to).is_err() {
                self.refused.push(owner);
            }
            return;
        }
        if self.count == ROOM {
            self.flush();
        }
        let place = &mut self.waiting[self.count];
        (place.owner, place.to) = (owner, SockAddr::from(to));
        place.bytes[..packet.len()].copy_from_slice(packet);
        // Never a wait: a full socket refuses.
        let entry = opcode::Send::new(types::Fd(socket.as_raw_fd()), place.bytes.as_ptr(), packet.len() as u32)
            .flags(libc::MSG_DONTWAIT)
            .dest_addr(place.to.as_ptr().cast())
            .dest_addr_len(place.to.len())
            .build()
            .user_data(self.count as u64);
        self.count += 1;
        let ring = self.ring.as_mut().expect("looked at a moment ago");
        // SAFETY: bytes and address lie in `waiting`, which does not move and is not written again before `flush` has seen the entry
        // completed; the socket is open until then.
        let pushed = unsafe { ring.submission().push(&entry) };
        pushed.expect("the ring has as many places as `waiting`");
    }

    /// Hands all that waits to the kernel, and returns when it has taken or refused each.
    pub fn flush(&mut self) {
        let Some(ring) = self.ring.as_mut().filter(|_| self.count > 0) else { return };
        let mut seen = 0;
        while seen < self.count {
            if let Err(error) = ring.submit_and_wait(self.count - seen)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "io_uring ends: from now on each packet costs a call of its own");
                self.refused.extend(self.waiting[seen..self.count].iter().map(|packet| packet.owner));
                self.ring = None;
                break;
            }
            for completed in ring.completion() {
                seen += 1;
                if completed.result() < 0 {
                    self.refused.push(self.waiting[completed.user_data() as usize].owner);
                }
            }
        }
        self.count = 0;
    }

    /// Whose packets were refused since this was asked last, one each.
    pub fn refused(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.refused)
    }

    pub fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let bind = || UdpSocket::bind("127.77.1.1:0").unwrap();
        let (one, other) = (bind(), bind());
        one.set_nonblocking(true).unwrap();
        other.set_nonblocking(true).unwrap();
        (one, other)
    }

    #[test]
    fn packets_leave_with_the_flush_in_their_order_and_a_refused_one_is_told() {
        let mut ways = vec![Outbox::direct()];
        ways.extend(Outbox::ringed());
        for mut outbox in ways {
            let ((from, to), mut bytes) = (pair(), [0; 2000]);
            let address = to.local_addr().unwrap();
            for number in 0..600u16 {
                outbox.send(7, &from, &number.to_be_bytes(), address);
                if number % 100 == 99 {
                    outbox.flush();
                    for earlier in number - 99..=number {
                        assert_eq!((to.recv(&mut bytes).unwrap(), &bytes[..2]), (2, &earlier.to_be_bytes()[..]));
                    }
                }
            }
            outbox.send(8, &from, &[1; 1400], address);
            assert_eq!(to.recv(&mut bytes).unwrap(), 1400);
            // Port 0 is nobody's.
            outbox.send(9, &from, b"x", SocketAddr::new(address.ip(), 0));
            outbox.send(7, &from, b"y", address);
            outbox.flush();
            assert_eq!((outbox.refused(), to.recv(&mut bytes).unwrap(), outbox.has_refused()), (vec![9], 1, false));
        }
    }

    #[test]
    fn more_than_there_is_room_for_leaves_by_itself() {
        let Ok(mut outbox) = Outbox::ringed() else { return };
        let (from, to) = pair();
        for _ in 0..=ROOM {
            outbox.send(1, &from, b"x", to.local_addr().unwrap());
        }
        let arrived = std::iter::repeat_with(|| to.recv(&mut [0; 9])).take_while(Result::is_ok).count();
        assert!(arrived >= ROOM / 2, "{arrived} came: the rest did not fit into the socket, or waits");
    }
}
