//! The swarm's sound: one thread with every party's RTP socket, which sends what is to be sent every 20 ms and times what it hears.

use super::tally::Heard;
use crate::loadgen::sdp::{Remote, TELEPHONE_EVENT};
use crate::loadgen::stream::{Stream, Turn};
use crate::media::socket::Poller;
use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SLOT: Duration = Duration::from_millis(1);
/// Slots in the time of one packet: parties are spread over them.
const SLOTS: u64 = 20;
const PACKET: Duration = Duration::from_millis(20);
/// Sound of a party of ours begins with this; the time of its departure follows.
const STAMP: [u8; 8] = *b"careload";
const SAMPLES: usize = 160;
/// µ-law silence.
const SILENCE: u8 = 0xff;
/// Datagrams taken from one socket before the others have their turn.
const BURST: usize = 8;

/// What the thread is told.
enum Word {
    Enter {
        party: u64,
        socket: UdpSocket,
    },
    Talk {
        party: u64,
        to: Remote,
        keys: String,
        aloud: bool,
    },
    Leave {
        party: u64,
    },
    /// Counting begins or ends.
    Window(bool),
}

/// The thread, from outside.
pub struct SoundThread {
    words: Sender<Word>,
    thread: JoinHandle<Heard>,
}

impl SoundThread {
    pub fn start() -> io::Result<SoundThread> {
        let (words, told) = channel();
        let room =
            Room { poller: Poller::new(512)?, parties: HashMap::new(), turns: Default::default(), began: Instant::now(), counting: None };
        let thread = std::thread::Builder::new().name("swarm-sound".into()).spawn(move || room.live(&told))?;
        Ok(SoundThread { words, thread })
    }

    fn say(&self, word: Word) {
        self.words.send(word).expect("the sound thread lives until its sender is dropped");
    }

    /// A party listens on this socket from now on.
    pub fn enter(&self, party: u64, socket: UdpSocket) {
        self.say(Word::Enter { party, socket });
    }

    /// The party knows where to send: its keys, and sound if `aloud`.
    pub fn talk(&self, party: u64, to: Remote, keys: &str, aloud: bool) {
        self.say(Word::Talk { party, to, keys: keys.to_string(), aloud });
    }

    pub fn leave(&self, party: u64) {
        self.say(Word::Leave { party });
    }

    pub fn window(&self, open: bool) {
        self.say(Word::Window(open));
    }

    pub fn finish(self) -> Heard {
        drop(self.words);
        self.thread.join().expect("the sound thread does not panic")
    }
}

struct Party {
    socket: UdpSocket,
    stream: Stream,
    to: Option<Remote>,
    aloud: bool,
    heard_at: Option<Instant>,
}

struct Room {
    poller: Poller,
    parties: HashMap<u64, Party>,
    /// Who sends in which slot.
    turns: [Vec<u64>; SLOTS as usize],
    began: Instant,
    counting: Option<Heard>,
}

impl Room {
    fn live(mut self, told: &Receiver<Word>) -> Heard {
        let mut total = Heard::default();
        for slot in 0u64.. {
            loop {
                match told.try_recv() {
                    Ok(Word::Window(true)) => self.counting = Some(Heard::default()),
                    Ok(Word::Window(false)) => total = self.counting.take().unwrap_or_default(),
                    Ok(word) => self.obey(word),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return total,
                }
            }
            self.send(slot % SLOTS);
            let end = SLOT * (slot as u32 + 1);
            // Once at least in each slot, however late we are.
            loop {
                let left = end.saturating_sub(self.began.elapsed());
                let ready = self.poller.wait(Some(left));
                self.listen(ready);
                if self.began.elapsed() >= end {
                    break;
                }
            }
        }
        unreachable!("slots do not end")
    }

    fn obey(&mut self, word: Word) {
        match word {
            Word::Enter { party, socket } => {
                // A socket that cannot be watched hears nothing, and the figures say so.
                let _ = self.poller.add(&socket, party);
                let stream = Stream::new((party as u32).wrapping_mul(0x9e37_79b9));
                self.parties.insert(party, Party { socket, stream, to: None, aloud: false, heard_at: None });
            }
            Word::Talk { party, to, keys, aloud } => {
                let Some(known) = self.parties.get_mut(&party) else { return };
                known.to = Some(to);
                known.aloud = aloud;
                keys.chars().for_each(|key| known.stream.press(key));
                let turns = &mut self.turns[(party % SLOTS) as usize];
                if (aloud || known.stream.presses()) && !turns.contains(&party) {
                    turns.push(party);
                }
            }
            Word::Leave { party } => {
                self.parties.remove(&party);
                self.turns[(party % SLOTS) as usize].retain(|other| *other != party);
            }
            Word::Window(_) => unreachable!("obeyed by the loop"),
        }
    }

    fn send(&mut self, slot: u64) {
        let parties = &mut self.parties;
        let (began, mut sent) = (self.began, 0);
        self.turns[slot as usize].retain(|party| {
            let Some(party) = parties.get_mut(party) else { return false };
            let Some(to) = party.to else { return false };
            let _ = to.telephone_event.is_some() && party.stream.begin_key();
            let turn = party.stream.turn();
            if turn == Turn::Sound && !party.aloud {
                return party.stream.presses() && to.telephone_event.is_some();
            }
            let mut sound = [SILENCE; SAMPLES];
            sound[..8].copy_from_slice(&STAMP);
            sound[8..16].copy_from_slice(&(began.elapsed().as_nanos() as u64).to_be_bytes());
            if let Some(packet) = party.stream.packet(turn, to.telephone_event.unwrap_or(TELEPHONE_EVENT), &sound) {
                // A full socket loses a packet, as a network does; the counts tell.
                sent += u64::from(party.socket.send_to(&packet, to.address).is_ok());
            }
            true
        });
        if let Some(heard) = &mut self.counting {
            heard.sent += sent;
        }
    }

    fn listen(&mut self, ready: usize) {
        let mut buffer = [0; 1500];
        for index in 0..ready {
            let Some(party) = self.parties.get_mut(&self.poller.token(index)) else { continue };
            for _ in 0..BURST {
                let Ok(length) = party.socket.recv(&mut buffer) else { break };
                let now = Instant::now();
                let before = party.heard_at.replace(now);
                let Some(heard) = &mut self.counting else { continue };
                heard.packets += 1;
                if length == 12 + SAMPLES && buffer[12..20] == STAMP {
                    let sent = u64::from_be_bytes(buffer[20..28].try_into().expect("eight bytes"));
                    heard.forwarded += 1;
                    heard.delay.add((now - self.began).saturating_sub(Duration::from_nanos(sent)));
                } else if let Some(before) = before {
                    heard.late.add((now - before).saturating_sub(PACKET));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn one_party_hears_the_other_and_how_old_its_sound_is() {
        let socket = || UdpSocket::bind("127.31.0.1:0").unwrap();
        let (one, other) = (socket(), socket());
        let at = |address: SocketAddr| Remote { address, telephone_event: Some(101), deaf: false };
        let (first, second) = (at(one.local_addr().unwrap()), at(other.local_addr().unwrap()));
        for socket in [&one, &other] {
            socket.set_nonblocking(true).unwrap();
        }
        let echo = socket();
        let sound = SoundThread::start().unwrap();
        sound.window(true);
        sound.enter(1, one);
        sound.enter(2, other);
        sound.talk(1, second, "", true);
        sound.talk(2, at(echo.local_addr().unwrap()), "9", false);
        // The key, its end three times; then nothing more of a party that is not aloud.
        let mut buffer = [0; 1500];
        for _ in 0..8 {
            let (length, _) = echo.recv_from(&mut buffer).unwrap();
            assert_eq!((length, buffer[12]), (16, 9));
        }
        sound.talk(2, first, "", false);
        sound.window(false);
        let mut heard = sound.finish();
        assert!(heard.forwarded >= 5 && heard.forwarded == heard.packets, "{heard:?}");
        assert!(heard.delay.percentile(50.0) < 1_000.0, "{heard:?}");
    }
}
