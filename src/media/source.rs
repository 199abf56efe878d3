//! Whose packets a leg hears: the party's address, learnt once after each negotiation and then enforced, so that a stranger can neither
//! be heard nor draw the sound to itself (RTP bleed).

use super::rtp::Header;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// For so long after a negotiation another address than the one in the SDP can be learnt, in µs.
const WINDOW: u64 = 5_000_000;

/// The party's address, as it is told and as it is learnt.
#[derive(Debug)]
pub struct Source {
    declared: SocketAddr,
    current: SocketAddr,
    /// The address in the SDP has been heard: nobody else can be.
    spoken: bool,
    window_ends: u64,
    /// Somebody else's last packet: the next in sequence from there would be learnt (RFC 3550 §A.1 asks for two, too).
    candidate: Option<(SocketAddr, u32, u16)>,
}

impl Source {
    /// After the first negotiation.
    pub fn new(now: u64, declared: SocketAddr) -> Source {
        Source { declared, current: declared, spoken: false, window_ends: now + WINDOW, candidate: None }
    }

    /// After another one. A party that stays where it said it was is sent to where it was found, until it is found elsewhere.
    pub fn renew(&mut self, now: u64, declared: SocketAddr) {
        let current = if declared == self.declared { self.current } else { declared };
        *self = Source { current, ..Source::new(now, declared) };
    }

    /// Where our packets go.
    pub fn destination(&self) -> SocketAddr {
        self.current
    }

    /// The address that the party was found at is another than the one it declared.
    pub fn moved(&self) -> bool {
        self.current != self.declared
    }

    /// Whether a valid packet is the party's. The address in the SDP goes before any other, even after another was learnt.
    pub fn accept(&mut self, now: u64, from: SocketAddr, header: &Header) -> bool {
        let open = now < self.window_ends;
        if from == self.declared && (open || !self.moved()) {
            (self.current, self.spoken) = (from, true);
            return true;
        }
        if from == self.current {
            return true;
        }
        if !open || self.spoken || self.moved() || !plausible(self.declared, from) {
            return false;
        }
        let follows = self.candidate == Some((from, header.ssrc, header.sequence.wrapping_sub(1)));
        self.candidate = Some((from, header.ssrc, header.sequence));
        if follows {
            self.current = from;
        }
        follows
    }
}

/// Whether a party that declared one address can be heard from another: the port may differ (an asymmetric phone), the address only
/// behind a translator, so where a private one was declared, or within this machine: a socket that is bound to every address speaks from
/// 127.0.0.1, by its own port, whichever loopback address was declared.
fn plausible(declared: SocketAddr, from: SocketAddr) -> bool {
    let unique_local = |ip: Ipv6Addr| ip.segments()[0] & 0xFE00 == 0xFC00 || ip.segments()[0] & 0xFFC0 == 0xFE80;
    let translated = match declared.ip() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64),
        IpAddr::V6(ip) => unique_local(ip),
    };
    let unbound = declared.ip().is_loopback() && from == SocketAddr::new(Ipv4Addr::LOCALHOST.into(), declared.port());
    declared.ip() == from.ip() || translated || unbound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn packet(sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1 }
    }

    #[test]
    fn the_declared_address_is_learnt_at_once_and_shuts_all_others_out() {
        let mut source = Source::new(0, at("10.0.0.1:4000"));
        assert!(source.accept(1, at("10.0.0.1:4000"), &packet(1)));
        for sequence in 1..9 {
            assert!(!source.accept(2, at("10.0.0.1:4002"), &packet(sequence)));
            assert!(!source.accept(2, at("203.0.113.5:4000"), &packet(sequence)));
        }
        assert_eq!((source.destination(), source.moved()), (at("10.0.0.1:4000"), false));
    }

    #[test]
    fn a_loopback_address_may_be_found_at_another() {
        let (declared, found) = (at("127.0.0.5:4000"), at("127.0.0.1:4000"));
        let mut source = Source::new(0, declared);
        assert!(!source.accept(1, found, &packet(1)));
        assert!(!source.accept(1, at("127.0.0.2:4000"), &packet(2)) && !source.accept(1, at("127.0.0.1:4002"), &packet(2)));
        assert!(source.accept(1, found, &packet(2)), "the second in sequence");
    }

    #[test]
    fn behind_a_translator_two_packets_in_sequence_are_learnt() {
        let (declared, found, stranger) = (at("192.168.1.5:4000"), at("203.0.113.5:61000"), at("203.0.113.9:1"));
        let mut source = Source::new(0, declared);
        assert!(!source.accept(1, found, &packet(10)));
        assert!(!source.accept(1, stranger, &packet(11)), "another's next is not its next");
        assert!(!source.accept(1, found, &packet(11)));
        assert!(source.accept(1, found, &packet(12)));
        assert_eq!(source.destination(), found);
        for sequence in 0..9 {
            assert!(!source.accept(2, stranger, &packet(sequence)));
        }
        assert!(source.accept(WINDOW + 1, found, &packet(13)));
        assert!(!source.accept(WINDOW + 1, declared, &packet(14)), "learnt once is learnt");
    }

    #[test]
    fn the_declared_address_wins_within_the_window() {
        let (declared, other) = (at("127.0.0.1:4000"), at("127.0.0.1:4002"));
        let mut source = Source::new(0, declared);
        assert!(!source.accept(1, other, &packet(1)));
        assert!(source.accept(1, other, &packet(2)));
        assert!(source.accept(2, declared, &packet(7)));
        assert!(!source.accept(3, other, &packet(3)));
        assert_eq!(source.destination(), declared);
    }

    #[test]
    fn nobody_else_is_learnt_after_the_window_or_across_public_addresses() {
        let mut late = Source::new(0, at("10.0.0.1:4000"));
        let mut public = Source::new(0, at("198.51.100.1:4000"));
        let mut local = Source::new(0, at("127.0.0.1:4000"));
        for sequence in 0..9 {
            assert!(!late.accept(WINDOW, at("10.0.0.2:4000"), &packet(sequence)));
            assert!(!public.accept(1, at("203.0.113.5:4000"), &packet(sequence)));
            assert!(!local.accept(1, at("127.0.0.2:4000"), &packet(sequence)));
        }
        assert!(late.accept(WINDOW, at("10.0.0.1:4000"), &packet(0)));
    }

    #[test]
    fn a_renewal_learns_again_and_keeps_who_stays() {
        let (declared, found) = (at("10.0.0.1:4000"), at("203.0.113.5:61000"));
        let mut source = Source::new(0, declared);
        source.accept(1, found, &packet(1));
        source.accept(1, found, &packet(2));
        source.renew(10, declared);
        assert_eq!(source.destination(), found);
        assert!(source.accept(11, found, &packet(3)));
        source.renew(20, at("10.0.0.7:5000"));
        assert_eq!(source.destination(), at("10.0.0.7:5000"));
        assert!(!source.accept(21, found, &packet(4)));
    }
}
