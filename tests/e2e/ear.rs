//! A caller's sound: one RTP socket that hears, sounds a tone and presses keys. SIPp does the caller's signalling.

use super::sound::{self, RATE};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Samples of one packet.
const FRAME: usize = 160;
const FRAME_TIME: Duration = Duration::from_millis(20);
/// RFC 4733, as offered in the caller's SDP.
const KEYS_TYPE: u8 = 101;
/// The SSRC of every caller of a test.
pub const CALLERS_SOURCE: u32 = 0x0ca1_1e55;
/// A key sounds for so many packets, and its end is said three times.
const KEY_FRAMES: u16 = 5;
const KEY_ENDS: u16 = 3;
/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

enum Order {
    /// Sounds this tone from now on.
    Tone(f64),
    Key(char),
    Stop,
}

pub struct Ear {
    address: SocketAddr,
    orders: Sender<Order>,
    frames: Receiver<Vec<i16>>,
    heard: Vec<i16>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    pub fn open(address: IpAddr) -> Ear {
        let socket = UdpSocket::bind((address, 0)).expect("a loopback address has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a socket takes a time-out");
        let address = socket.local_addr().expect("a bound socket has its address");
        let ((orders, inbox), (out, frames)) = (channel(), channel());
        let mouth = Mouth::new();
        let thread = std::thread::spawn(move || listen(&socket, &inbox, &out, mouth));
        Ear { address, orders, frames, heard: Vec::new(), thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sounds a tone from now on.
    pub fn tone(&self, hertz: f64) {
        self.orders.send(Order::Tone(hertz)).expect("the ear listens");
    }

    /// Presses these keys, one after the other.
    pub fn press(&self, keys: &str) {
        keys.chars().for_each(|key| self.orders.send(Order::Key(key)).expect("the ear listens"));
    }

    /// Everything heard so far.
    pub fn heard(&mut self) -> &[i16] {
        self.heard.extend(self.frames.try_iter().flatten());
        &self.heard
    }

    /// Where the sound is now: what comes is heard from there.
    pub fn mark(&mut self) -> usize {
        self.heard().len()
    }

    /// Listens until what came after `mark` satisfies, looked at every 200 ms of sound, or less often where looking takes longer. Patience
    /// ends with so much sound, or when none comes.
    pub fn listen_until(&mut self, mark: usize, what: &str, satisfied: impl Fn(&[i16]) -> bool) {
        let mut looked = 0;
        while looked == 0 || !satisfied(&self.heard[mark.min(self.heard.len())..]) {
            let since = self.heard.len().saturating_sub(mark) / RATE;
            assert!(since as u64 <= PATIENCE.as_secs(), "the caller never heard {what} in {since} s of sound");
            looked = self.heard.len().max(1);
            while self.heard.len() < looked + RATE / 5 {
                match self.frames.recv_timeout(PATIENCE) {
                    Ok(frame) => self.heard.extend(frame),
                    Err(_) => panic!("the caller never heard {what} ({since} s of sound since)"),
                }
            }
            self.heard.extend(self.frames.try_iter().flatten());
        }
    }

    /// Listens for so much more sound.
    pub fn listen(&mut self, span: Duration) -> Vec<i16> {
        let mark = self.mark();
        let samples = span.as_millis() as usize * RATE / 1_000;
        self.listen_until(mark, "any sound", |since| since.len() >= samples);
        self.heard[mark..mark + samples].to_vec()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(socket: &UdpSocket, inbox: &Receiver<Order>, out: &Sender<Vec<i16>>, mut mouth: Mouth) {
    let (mut packet, mut line) = ([0; 2_048], Line::default());
    let mut peer = None;
    let mut due = Instant::now();
    loop {
        for order in inbox.try_iter() {
            match order {
                Order::Tone(hertz) => mouth.tone = Some(hertz),
                Order::Key(key) => mouth.keys.push_back(key),
                Order::Stop => return,
            }
        }
        if let Ok((length, from)) = socket.recv_from(&mut packet) {
            peer = Some(from);
            if let Some(samples) = line.take(&packet[..length]) {
                let _ = out.send(samples);
            }
        }
        // Symmetric RTP: what we hear tells where to speak.
        let Some(peer) = peer else {
            due = Instant::now();
            continue;
        };
        while due <= Instant::now() {
            let _ = socket.send_to(&mouth.next(), peer);
            due += FRAME_TIME;
        }
    }
}

/// Incoming packets, in the order and at the times that their timestamps say.
#[derive(Default)]
struct Line {
    source: Option<u32>,
    next: u32,
}

impl Line {
    /// The samples of a packet, with silence for what is missing before it.
    fn take(&mut self, packet: &[u8]) -> Option<Vec<i16>> {
        if packet.len() <= 12 || packet[1] & 0x7f != 0 {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"));
        let (timestamp, source) = (word(4), word(8));
        let gap = timestamp.wrapping_sub(self.next);
        let continues = self.source == Some(source);
        if continues && gap > u32::MAX / 2 {
            return None;
        }
        let silence = if continues && (gap as usize) < 10 * RATE { gap as usize } else { 0 };
        let payload = &packet[12..];
        (self.source, self.next) = (Some(source), timestamp.wrapping_add(payload.len() as u32));
        Some([vec![0; silence], payload.iter().map(|byte| sound::from_ulaw(*byte)).collect()].concat())
    }
}

/// Outgoing packets: a tone, silence, or the key being pressed.
struct Mouth {
    tone: Option<f64>,
    keys: VecDeque<char>,
    /// Packets of the key being pressed so far.
    pressed: u16,
    sequence: u16,
    timestamp: u32,
}

impl Mouth {
    fn new() -> Mouth {
        Mouth { tone: None, keys: VecDeque::new(), pressed: 0, sequence: 1, timestamp: 0 }
    }

    fn next(&mut self) -> Vec<u8> {
        let packet = match self.keys.front() {
            Some(key) => self.key(*key),
            None => {
                let start = self.timestamp as usize;
                let sample = |index| self.tone.map_or(0, |hertz| sound::tone(hertz, start + index));
                let payload: Vec<u8> = (0..FRAME).map(|index| sound::to_ulaw(sample(index))).collect();
                self.packet(0, self.timestamp, &payload)
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        packet
    }

    /// RFC 4733 §2.5: every packet of a key has the timestamp of its beginning and the duration so far.
    fn key(&mut self, key: char) -> Vec<u8> {
        let event = "0123456789*#ABCD".find(key).expect("a telephone has this key") as u8;
        let start = self.timestamp.wrapping_sub(u32::from(self.pressed) * FRAME as u32);
        let duration = (self.pressed + 1).min(KEY_FRAMES) * FRAME as u16;
        let end = if self.pressed >= KEY_FRAMES { 0x80 } else { 0 };
        let [high, low] = duration.to_be_bytes();
        let marker = if self.pressed == 0 { 0x80 } else { 0 };
        let packet = self.packet(marker | KEYS_TYPE, start, &[event, end | 10, high, low]);
        self.pressed += 1;
        if self.pressed == KEY_FRAMES + KEY_ENDS {
            self.pressed = 0;
            self.keys.pop_front();
        }
        packet
    }

    fn packet(&self, kind: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, kind];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(CALLERS_SOURCE.to_be_bytes());
        packet.extend(payload);
        packet
    }
}
