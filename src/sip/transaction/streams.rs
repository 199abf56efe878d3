//! Which requests of ours are too big for a datagram (RFC 3261 §18.1.1).

use crate::model::Time;
use crate::sip::api::{Flow, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A longer request goes by TCP where the peer takes that: the path's smallest packet is not known.
const DATAGRAM_FIT: usize = 1300;
/// A peer that took no connection is not asked for one again for so long.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Such peers remembered.
const REFUSED_MAX: usize = 1000;

#[derive(Debug, Default)]
pub struct Choice {
    /// Whether there is TCP here at all.
    pub enabled: bool,
    refused: BTreeMap<SocketAddr, Time>,
}

impl Choice {
    /// How a request goes that was meant for a datagram.
    pub fn of(&self, now: Time, flow: Flow, request: &Arc<[u8]>) -> (Flow, Arc<[u8]>) {
        let fits = request.len() <= DATAGRAM_FIT || flow.transport == Transport::Tcp;
        let refused = self.refused.get(&flow.remote).is_some_and(|at| now.since(*at) < REFUSED_FOR);
        if fits || refused || !self.enabled {
            return (flow, request.clone());
        }
        (Flow { transport: Transport::Tcp, ..flow }, relabelled(request, b"/UDP ", b"/TCP "))
    }

    /// The peer took no connection, or ended it before it answered: the request as a datagram after all.
    pub fn fall_back(&mut self, now: Time, home: Flow, request: &Arc<[u8]>) -> Arc<[u8]> {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_first();
        }
        self.refused.insert(home.remote, now);
        relabelled(request, b"/TCP ", b"/UDP ")
    }
}

/// The request with another transport in its topmost Via, which is the first line of ours after the request line.
fn relabelled(request: &[u8], from: &[u8; 5], to: &[u8; 5]) -> Arc<[u8]> {
    let mut bytes = request.to_vec();
    if let Some(at) = bytes.windows(5).position(|window| window == from) {
        bytes[at..at + 5].copy_from_slice(to);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_request_goes_by_tcp_until_the_peer_refuses() {
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
        let head = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060\r\n";
        let small: Arc<[u8]> = head.as_bytes().into();
        let big: Arc<[u8]> = format!("{head}{:1300}", "").into_bytes().into();
        let mut choice = Choice { enabled: true, ..Choice::default() };
        assert_eq!(choice.of(Time(0), flow, &small), (flow, small.clone()));
        let (by, bytes) = choice.of(Time(0), flow, &big);
        assert_eq!((by.transport, by.remote), (Transport::Tcp, flow.remote));
        assert!(bytes.starts_with(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060\r\n") && bytes.len() == big.len());
        assert_eq!(choice.fall_back(Time(0), flow, &bytes), big);
        assert_eq!(choice.of(Time(599_000_000), flow, &big), (flow, big.clone()), "not asked again so soon");
        assert_eq!(choice.of(Time(600_000_000), flow, &big).0, by);
    }
}
