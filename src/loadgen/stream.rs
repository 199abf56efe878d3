//! What one party sends: RTP packets (RFC 3550), and pressed keys between them (RFC 4733).

use super::tone;
use std::collections::VecDeque;

/// A key sounds for so many packets, then its end is sent three times, then so many packets of silence follow.
const KEY_PACKETS: u16 = 5;
const KEY_ENDS: u16 = 3;
const KEY_GAP: u16 = 3;

#[derive(Debug)]
pub struct Stream {
    sequence: u16,
    timestamp: u32,
    source: u32,
    keys: VecDeque<char>,
    key: Option<Key>,
}

#[derive(Debug)]
struct Key {
    event: u8,
    packet: u16,
    timestamp: u32,
}

/// What is due in one 20 ms step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Sound,
    Key {
        event: u8,
        marker: bool,
        end: bool,
        duration: u16,
        timestamp: u32,
    },
    /// The silence after a key.
    Nothing,
}

impl Stream {
    pub fn new(source: u32) -> Stream {
        Stream { sequence: source as u16, timestamp: source.rotate_left(16), source, keys: VecDeque::new(), key: None }
    }

    pub fn press(&mut self, key: char) {
        self.keys.push_back(key);
    }

    /// A key sounds or waits to.
    pub fn presses(&self) -> bool {
        self.key.is_some() || !self.keys.is_empty()
    }

    /// Starts the next key if none sounds; true if it did. A key that no telephone has is passed over.
    pub fn begin_key(&mut self) -> bool {
        if self.key.is_some() {
            return false;
        }
        let Some(event) = self.keys.pop_front().and_then(event) else { return false };
        self.key = Some(Key { event, packet: 0, timestamp: self.timestamp });
        true
    }

    /// What this step sends: of the key that sounds, else sound.
    pub fn turn(&mut self) -> Turn {
        let Some(key) = &mut self.key else { return Turn::Sound };
        key.packet += 1;
        let (event, number, timestamp) = (key.event, key.packet, key.timestamp);
        if number > KEY_PACKETS + KEY_ENDS {
            if number >= KEY_PACKETS + KEY_ENDS + KEY_GAP {
                self.key = None;
            }
            return Turn::Nothing;
        }
        let duration = number.min(KEY_PACKETS) * tone::SAMPLES as u16;
        Turn::Key { event, marker: number == 1, end: number > KEY_PACKETS, duration, timestamp }
    }

    /// The packet of this turn, and time goes on; `event_type` is the payload type of keys.
    pub fn packet(&mut self, turn: Turn, event_type: u8, sound: &[u8]) -> Option<Vec<u8>> {
        let packet = match turn {
            Turn::Nothing => None,
            Turn::Sound => Some(self.write(0, false, self.timestamp, sound)),
            Turn::Key { event, marker, end, duration, timestamp } => {
                let duration = duration.to_be_bytes();
                let body = [event, if end { 0x8a } else { 0x0a }, duration[0], duration[1]];
                Some(self.write(event_type, marker, timestamp, &body))
            }
        };
        self.timestamp = self.timestamp.wrapping_add(tone::SAMPLES as u32);
        packet
    }

    fn write(&mut self, payload_type: u8, marker: bool, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(12 + body.len());
        packet.extend([0x80, payload_type | if marker { 0x80 } else { 0 }]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.source.to_be_bytes());
        packet.extend(body);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}

/// RFC 4733 §3.2.
fn event(key: char) -> Option<u8> {
    "0123456789*#ABCD".find(key).map(|at| at as u8)
}
