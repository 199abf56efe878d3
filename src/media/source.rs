//! Whose packets a leg hears: the party's address, learnt once after each negotiation and then enforced, so that a stranger can neither
//! be heard nor draw the sound to itself (RTP bleed).

use super::rtp::Header;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// For so long after a negotiation another address than the one in the SDP can be learnt, in µs.
const WINDOW: u64 = 5_000_000;

/// The party's address, as it is told and as it is learnt.
#[derive(Debug)]
pub struct Source {
    declared: SocketAddr,
    /// Where the party's signalling comes from: behind a translator its sound comes from there, too.
    signalled: IpAddr,
    current: SocketAddr,
    /// The party has been heard since the negotiation: nobody else can be.
    heard: bool,
    window_ends: u64,
    /// Somebody else's last packet: the next in sequence from there would be learnt (RFC 3550 §A.1 asks for two, too).
    candidate: Option<(SocketAddr, u32, u16)>,
}

impl Source {
    /// After the first negotiation.
    pub fn new(now: u64, declared: SocketAddr, signalled: IpAddr) -> Source {
        Source { declared, signalled, current: declared, heard: false, window_ends: now + WINDOW, candidate: None }
    }

    /// After another one. A party that stays where it said it was is sent to where it was found, until it is found elsewhere.
    pub fn renew(&mut self, now: u64, declared: SocketAddr, signalled: IpAddr) {
        let current = if declared == self.declared { self.current } else { declared };
        *self = Source { current, ..Source::new(now, declared, signalled) };
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
            (self.current, self.heard) = (from, true);
            return true;
        }
        if from == self.current {
            self.heard = true;
            return true;
        }
        if !open || self.heard || !self.plausible(from) {
            return false;
        }
        let follows = self.candidate == Some((from, header.ssrc, header.sequence.wrapping_sub(1)));
        self.candidate = Some((from, header.ssrc, header.sequence));
        if follows {
            (self.current, self.heard) = (from, true);
        }
        follows
    }

    /// Whether a report is the party's: from where it said that it would report, or from the host where it was found. One host of the
    /// loopback is every process of this machine, so there the port must be right.
    pub fn accept_report(&self, from: SocketAddr, declared: SocketAddr) -> bool {
        from == declared || (from.ip() == self.current.ip() && !from.ip().is_loopback())
    }

    /// Whether a party that declared one address can be heard from another: by another port of the same host (an asymmetric phone), or
    /// behind a translator from where its signalling comes. On loopback every stranger shares the party's host: there only a socket that
    /// is bound to every address is believed, which speaks from 127.0.0.1 by its own port, whichever loopback address was declared.
    fn plausible(&self, from: SocketAddr) -> bool {
        if self.declared.ip().is_loopback() || from.ip().is_loopback() {
            return self.declared.ip().is_loopback() && from == SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.declared.port());
        }
        from.ip() == self.declared.ip() || from.ip() == self.signalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    /// A party whose signalling comes from the address of its SDP.
    fn direct(declared: SocketAddr) -> Source {
        Source::new(0, declared, declared.ip())
    }

    fn packet(sequence: u16) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1 }
    }

    #[test]
    fn the_declared_address_is_learnt_at_once_and_shuts_all_others_out() {
        let mut source = direct(at("10.0.0.1:4000"));
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
        let mut source = direct(declared);
        assert!(!source.accept(1, found, &packet(1)));
        assert!(!source.accept(1, at("127.0.0.2:4000"), &packet(2)) && !source.accept(1, at("127.0.0.1:4002"), &packet(2)));
        assert!(source.accept(1, found, &packet(2)), "the second in sequence");
    }

    #[test]
    fn behind_a_translator_two_packets_in_sequence_are_learnt() {
        let (declared, found, stranger) = (at("192.168.1.5:4000"), at("203.0.113.5:61000"), at("203.0.113.5:1"));
        let mut source = Source::new(0, declared, found.ip());
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
        let (declared, other) = (at("198.51.100.1:4000"), at("198.51.100.1:4002"));
        let mut source = direct(declared);
        assert!(!source.accept(1, other, &packet(1)));
        assert!(source.accept(1, other, &packet(2)));
        assert!(source.accept(2, declared, &packet(7)));
        assert!(!source.accept(3, other, &packet(3)));
        assert_eq!(source.destination(), declared);
    }

    #[test]
    fn nobody_else_is_learnt_after_the_window_or_across_public_addresses() {
        let mut late = direct(at("10.0.0.1:4000"));
        let mut public = direct(at("198.51.100.1:4000"));
        let mut local = direct(at("127.0.0.1:4000"));
        for sequence in 0..9 {
            assert!(!late.accept(WINDOW, at("10.0.0.2:4000"), &packet(sequence)));
            assert!(!public.accept(1, at("203.0.113.5:4000"), &packet(sequence)));
            assert!(!local.accept(1, at("127.0.0.2:4000"), &packet(sequence)));
            assert!(!local.accept(1, at("127.0.0.1:4002"), &packet(sequence)), "any process of this machine could be that");
            assert!(!direct(at("10.0.0.1:4000")).accept(1, at("203.0.113.5:4000"), &packet(sequence)), "no translator is between");
        }
        assert!(late.accept(WINDOW, at("10.0.0.1:4000"), &packet(0)));
    }

    #[test]
    fn a_renewal_learns_again_and_keeps_who_stays() {
        let (declared, found) = (at("10.0.0.1:4000"), at("203.0.113.5:61000"));
        let mut source = Source::new(0, declared, found.ip());
        source.accept(1, found, &packet(1));
        source.accept(1, found, &packet(2));
        source.renew(10, declared, found.ip());
        assert_eq!(source.destination(), found);
        assert!(source.accept(11, found, &packet(3)));
        source.renew(20, at("10.0.0.7:5000"), at("10.0.0.7:0").ip());
        assert_eq!(source.destination(), at("10.0.0.7:5000"));
        assert!(!source.accept(21, found, &packet(4)));
    }

    #[test]
    fn a_translator_that_chooses_another_port_is_followed_after_a_renewal() {
        let (declared, found, again) = (at("192.168.1.5:4000"), at("203.0.113.5:61000"), at("203.0.113.5:61007"));
        let mut source = Source::new(0, declared, found.ip());
        assert!(!source.accept(1, found, &packet(1)) && source.accept(1, found, &packet(2)));
        source.renew(10, declared, found.ip());
        assert!(!source.accept(11, again, &packet(3)) && source.accept(11, again, &packet(4)));
        assert!(!source.accept(12, found, &packet(5)), "learnt once is learnt");
        assert_eq!(source.destination(), again);
        source.renew(20, declared, found.ip());
        assert!(source.accept(21, again, &packet(6)));
        assert!(!source.accept(22, found, &packet(7)) && !source.accept(22, found, &packet(8)), "who is there is lost to nobody");
    }

    #[test]
    fn a_report_is_believed_from_the_partys_host_and_on_loopback_from_its_port() {
        let (party, lan) = (direct(at("127.0.0.1:4000")), direct(at("10.0.0.1:4000")));
        assert!(party.accept_report(at("127.0.0.1:4001"), at("127.0.0.1:4001")));
        assert!(!party.accept_report(at("127.0.0.1:4003"), at("127.0.0.1:4001")));
        assert!(lan.accept_report(at("10.0.0.1:9"), at("10.0.0.1:4001")) && !lan.accept_report(at("10.0.0.2:4001"), at("10.0.0.1:4001")));
    }
}
