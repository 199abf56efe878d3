//! One party's sound: a UDP socket that sends its tone, stamped with the time, or a pressed key every 20 ms (RFC 3550, RFC 4733), and
//! listens for others' tones.

use super::sdp::{Remote, TELEPHONE_EVENT};
use super::stream::Stream;
use super::{stamp, tone};
use crate::model::Time;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Every so-manieth packet received is analysed; a tone counts when it is found so many times in a row.
const LISTEN_EVERY: u64 = 4;
const CERTAIN: u32 = 3;

#[derive(Debug)]
pub struct Voice {
    socket: UdpSocket,
    remote: Option<Remote>,
    payload: [u8; tone::SAMPLES],
    stream: Stream,
    received: u64,
    sent: u64,
    hearing: Option<(usize, u32)>,
    /// Packets from anybody but the agreed address.
    strangers: u64,
}

impl Voice {
    /// A socket on any free port of `address`.
    pub fn open(address: IpAddr, tone: usize, source: u32) -> io::Result<Voice> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        Ok(Voice {
            socket,
            remote: None,
            payload: tone::payload(tone),
            stream: Stream::new(source),
            received: 0,
            sent: 0,
            hearing: None,
            strangers: 0,
        })
    }

    pub fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }
    pub fn talk_to(&mut self, remote: Remote) {
        self.remote = Some(remote);
    }
    pub fn press(&mut self, key: char) {
        self.stream.press(key);
    }
    pub fn packets(&self) -> (u64, u64, u64) {
        (self.sent, self.received, self.strangers)
    }

    /// The tone that is heard with certainty now.
    pub fn heard(&self) -> Option<usize> {
        self.hearing.filter(|(_, times)| *times >= CERTAIN).map(|(tone, _)| tone)
    }

    /// One 20 ms step: everything that has come is listened to, one packet is sent. True if a key began to sound.
    pub fn step(&mut self, now: Time) -> bool {
        self.listen();
        let Some(remote) = self.remote else { return false };
        if remote.deaf {
            return false;
        }
        let begins = remote.telephone_event.is_some() && self.stream.begin_key();
        let turn = self.stream.turn();
        stamp::put(&mut self.payload, now);
        if let Some(packet) = self.stream.packet(turn, remote.telephone_event.unwrap_or(TELEPHONE_EVENT), &self.payload) {
            // A full or refused socket loses a packet, as a network does.
            self.sent += u64::from(self.socket.send_to(&packet, remote.address).is_ok());
        }
        begins
    }

    fn listen(&mut self) {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            if self.remote.is_some_and(|remote| remote.address != from) {
                self.strangers += 1;
                continue;
            }
            self.received += 1;
            let is_sound = length > 12 && buffer[0] >> 6 == 2 && buffer[1] & 0x7f == 0;
            if !is_sound || !self.received.is_multiple_of(LISTEN_EVERY) {
                continue;
            }
            self.hearing = match (tone::recognise(&buffer[12..length]), self.hearing) {
                (Some(tone), Some((before, times))) if tone == before => Some((tone, times.saturating_add(1))),
                (found, _) => found.map(|tone| (tone, 1)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Voice, Voice) {
        let address = "127.0.0.1".parse().unwrap();
        let (mut one, mut other) = (Voice::open(address, 3, 77).unwrap(), Voice::open(address, 104, 78).unwrap());
        let at = |address| Remote { address, telephone_event: Some(101), deaf: false };
        one.talk_to(at(other.local()));
        other.talk_to(at(one.local()));
        (one, other)
    }

    #[test]
    fn two_parties_hear_each_other() {
        let (mut one, mut other) = pair();
        for _ in 0..30 {
            one.step(Time(5));
            other.step(Time(5));
        }
        assert_eq!((one.heard(), other.heard()), (Some(104), Some(3)));
    }

    #[test]
    fn a_key_is_one_event_with_its_end_three_times() {
        let (mut one, other) = pair();
        one.press('9');
        one.press('2');
        let mut begun = 0;
        let mut got = Vec::new();
        let mut buffer = [0; 1500];
        for _ in 0..30 {
            begun += u32::from(one.step(Time(5)));
            while let Ok((length, _)) = other.socket.recv_from(&mut buffer) {
                if buffer[1] & 0x7f == 101 {
                    got.push((buffer[12], buffer[1] & 0x80 != 0, buffer[13] & 0x80 != 0, u16::from_be_bytes([buffer[14], buffer[15]])));
                    assert_eq!(length, 16);
                }
            }
        }
        assert_eq!(begun, 2);
        let nine: Vec<_> = got.iter().filter(|(event, ..)| *event == 9).collect();
        assert_eq!(nine.len(), 8);
        assert_eq!(nine.iter().filter(|(_, marker, ..)| *marker).count(), 1);
        assert_eq!(nine.iter().filter(|(_, _, end, duration)| *end && *duration == 800).count(), 3);
        assert_eq!(got.iter().filter(|(event, ..)| *event == 2).count(), 8);
    }

    #[test]
    fn a_stranger_is_not_listened_to() {
        let (mut one, _other) = pair();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        packet.extend(tone::payload(9));
        for _ in 0..30 {
            stranger.send_to(&packet, one.local()).unwrap();
            one.step(Time(5));
        }
        assert_eq!(one.heard(), None);
        assert_eq!(one.packets().2, 30);
    }
}
