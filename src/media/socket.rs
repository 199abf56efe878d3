//! The media sockets and the kernel's calls on them that the standard library lacks: epoll, eventfd, the limit of open files.
//! The only `unsafe` of the media edge.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Expedited forwarding (RFC 3246), where networks look at it.
const DSCP_EF: u32 = 46 << 2;

/// Binds an even port for RTP and the odd one above it for RTCP, neither blocking.
pub fn bind_pair(address: IpAddr, port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
    assert!(port.is_multiple_of(2), "RTP lives on even ports (RFC 3550 §11)");
    let bind = |port| {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_nonblocking(true)?;
        let options = socket2::SockRef::from(&socket);
        // A network that cannot mark packets still carries them.
        let _ = if address.is_ipv4() { options.set_tos_v4(DSCP_EF) } else { options.set_tclass_v6(DSCP_EF) };
        Ok::<UdpSocket, io::Error>(socket)
    };
    Ok((bind(port)?, bind(port + 1)?))
}

/// Wakes a worker from another thread.
pub struct Waker(File);

impl Waker {
    pub fn new() -> io::Result<Waker> {
        // SAFETY: eventfd takes no pointers; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        owned(fd).map(|fd| Waker(File::from(fd)))
    }

    pub fn wake(&self) {
        // A full counter means that the worker is being woken already.
        let _ = (&self.0).write(&1u64.to_ne_bytes());
    }

    /// Makes it ready to wake again.
    pub fn clear(&self) {
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Readiness of many sockets, level-triggered: what is not read is reported again. A closed socket leaves by itself.
pub struct Poller {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

impl Poller {
    /// `batch` is the most that one `wait` reports.
    pub fn new(batch: usize) -> io::Result<Poller> {
        // SAFETY: epoll_create1 takes no pointers; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        Ok(Poller { epoll: owned(fd)?, ready: vec![libc::epoll_event { events: 0, u64: 0 }; batch] })
    }

    pub fn add(&self, source: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: both descriptors are open (borrowed from their owners) and `event` lives through the call, which copies it.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, source.as_raw_fd(), &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits until something is ready or the time is up, and gives how many are ready; `None` waits for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        let spec = timeout.map(|t| libc::timespec { tv_sec: t.as_secs() as i64, tv_nsec: i64::from(t.subsec_nanos()) });
        let spec = spec.as_ref().map_or(std::ptr::null(), |spec| spec as *const libc::timespec);
        let room = self.ready.len() as i32;
        // SAFETY: `ready` has `room` initialised entries that nobody else reads meanwhile; `spec` is null or points to a value that
        // lives through the call; a null signal mask leaves the mask as it is.
        let count = unsafe { libc::epoll_pwait2(self.epoll.as_raw_fd(), self.ready.as_mut_ptr(), room, spec, std::ptr::null()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// The token of the `index`th that the last `wait` reported.
    pub fn token(&self, index: usize) -> u64 {
        self.ready[index].u64
    }
}

/// Raises the soft limit of open files to the hard one, and gives it: each session takes two.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the call to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit that the call only reads.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both callers have just made the descriptor and keep no other copy of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_poller_reports_who_is_ready_until_it_is_read() {
        let mut poller = Poller::new(4).unwrap();
        let waker = Waker::new().unwrap();
        let socket = UdpSocket::bind("127.77.0.1:0").unwrap();
        poller.add(&waker, 1).unwrap();
        poller.add(&socket, 2).unwrap();
        assert_eq!(poller.wait(Some(Duration::ZERO)), 0);
        waker.wake();
        waker.wake();
        assert_eq!((poller.wait(None), poller.token(0)), (1, 1));
        waker.clear();
        assert_eq!(poller.wait(Some(Duration::ZERO)), 0);
        UdpSocket::bind("127.77.0.1:0").unwrap().send_to(b"x", socket.local_addr().unwrap()).unwrap();
        assert_eq!((poller.wait(None), poller.token(0)), (1, 2));
        assert_eq!(poller.wait(None), 1, "still unread");
        drop(socket);
        assert_eq!(poller.wait(Some(Duration::ZERO)), 0, "a closed socket leaves by itself");
    }

    #[test]
    fn a_wait_ends_in_time() {
        let mut poller = Poller::new(1).unwrap();
        let start = Instant::now();
        assert_eq!(poller.wait(Some(Duration::from_micros(1500))), 0);
        assert!(start.elapsed() >= Duration::from_micros(1500));
    }

    #[test]
    fn a_pair_is_an_even_port_and_the_odd_one_above() {
        let address = "127.77.0.2".parse().unwrap();
        let (rtp, rtcp) = bind_pair(address, 21_000).unwrap();
        assert_eq!((rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port()), (21_000, 21_001));
        assert_eq!(bind_pair(address, 21_000).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn the_limit_of_open_files_is_raised() {
        assert!(raise_open_files().unwrap() >= 256);
        assert_eq!(raise_open_files().unwrap(), raise_open_files().unwrap());
    }
}
