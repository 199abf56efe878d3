//! One leg's sound: its sockets, its party, what it is made to hear and what was heard of it.

use super::codec::{self, Codec, FRAME};
use super::event::{Stats, Totals};
use super::keys::Keys;
use super::library::Sound;
use super::mix::Mix;
use super::outbox::Outbox;
use super::player::{Music, Play};
use super::reception::Reception;
use super::rtcp::{self, Heard, Sent};
use super::rtp::{HEADER, Header};
use super::sender::{Sender, samples};
use super::source::Source;
use super::tape::Side;
use super::tones::Detector;
use crate::leg::negotiate::Agreed;
use crate::model::{CallId, LegId, PlayId};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A frame and its header.
pub const PACKET: usize = HEADER + FRAME;
/// Between reports, in µs.
const REPORT_EVERY: u64 = 5_000_000;

/// A leg's two sockets.
#[derive(Debug)]
pub struct Sockets {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

/// What a worker's sessions have in common.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What a leg without a track of its own hears while the other side of its bridge holds.
    pub hold_music: Option<Arc<Sound>>,
    /// The sound of each key.
    pub tones: BTreeMap<char, Arc<Sound>>,
    pub totals: Arc<Totals>,
    /// So long without a packet is a silence worth telling, in µs.
    pub silence: u64,
}

/// One leg.
#[derive(Debug)]
pub struct Session {
    pub call: CallId,
    pub leg: LegId,
    /// Its place among its worker's sessions.
    pub index: u32,
    sockets: Sockets,
    party: Option<Party>,
    sender: Sender,
    reception: Reception,
    keys: Keys,
    play: Option<Play>,
    music: Option<Music>,
    /// Tones of the keys that the party that is heard has pressed, for a party that does not speak telephone-event.
    tones: Option<Play>,
    /// The begin of the last key before the present hearing: what still comes of it is nobody else's.
    old_key: Option<u32>,
    /// Music for while the party that is heard holds, at its place.
    hold_music: Option<Music>,
    /// The sessions that it hears, and those that hear it.
    pub hears: Vec<u32>,
    pub heard_by: Vec<u32>,
    /// Its side of its call's tape, while there is one.
    pub side: Option<Side>,
    /// Where those are summed, if they are several.
    pub mix: Option<Mix>,
    stats: Stats,
    shared: Arc<Shared>,
    next_report: u64,
    last_heard: u64,
    /// When its silence was last told.
    told_silent: u64,
    /// Their last sender report, and when it came.
    their_report: Option<(u32, u64)>,
}

/// Who is at the other end.
#[derive(Debug)]
struct Party {
    agreed: Agreed,
    source: Source,
    /// Listens for the tones of keys where telephone-event was not agreed.
    tones: Option<Detector>,
}

/// What came in a valid packet.
pub struct Received {
    pub header: Header,
    pub payload: Range<usize>,
    pub kind: Kind,
    pub key: Option<char>,
    /// Of a key that was pressed before the present hearing.
    pub old: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sound(Codec),
    Event,
}

/// What a tick reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    pub done: Option<PlayId>,
    pub silent: bool,
}

impl Session {
    /// `random` numbers its stream.
    pub fn new(call: CallId, leg: LegId, sockets: Sockets, random: [u64; 2], now: u64, shared: Arc<Shared>) -> Session {
        Session {
            call,
            leg,
            index: 0,
            sockets,
            party: None,
            sender: Sender::new(random[0], random[1] as u32),
            reception: Reception::default(),
            keys: Keys::default(),
            play: None,
            music: None,
            tones: None,
            old_key: None,
            hold_music: shared.hold_music.clone().map(Music::new),
            hears: Vec::new(),
            heard_by: Vec::new(),
            side: None,
            mix: None,
            stats: Stats::default(),
            shared,
            next_report: now + REPORT_EVERY,
            last_heard: now,
            told_silent: 0,
            their_report: None,
        }
    }

    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// `signalled` is where the party's signalling comes from.
    pub fn negotiate(&mut self, now: u64, agreed: Agreed, signalled: IpAddr) {
        let tones = agreed.telephone_event.is_none().then(Detector::default);
        match &mut self.party {
            Some(party) => {
                party.source.renew(now, agreed.remote, signalled);
                (party.agreed, party.tones) = (agreed, tones);
            }
            None => self.party = Some(Party { agreed, source: Source::new(now, agreed.remote, signalled), tones }),
        }
        self.last_heard = now;
    }

    /// Begins a play in place of the one that goes on; gives it back if it is over already, having nothing to play.
    pub fn play(&mut self, id: PlayId, sounds: Vec<Arc<Sound>>) -> Option<PlayId> {
        self.play = Play::new(id, sounds);
        if self.play.is_none() { Some(id) } else { None }
    }

    pub fn stop_play(&mut self, id: PlayId) {
        self.play.take_if(|play| play.id == id);
    }

    pub fn start_music(&mut self, track: Arc<Sound>) {
        self.hold_music = Some(Music::new(track.clone()));
        self.music = Some(Music::new(track));
    }

    pub fn stop_music(&mut self) {
        self.music = None;
    }

    /// Who hears it has changed: a key that is down was meant for those before.
    pub fn forget_key(&mut self) {
        self.old_key = self.keys.last();
    }

    /// The party wants to hear nothing of us.
    pub fn holds(&self) -> bool {
        self.party.as_ref().is_some_and(|party| party.agreed.hold)
    }

    /// The law that was agreed on.
    pub fn law(&self) -> Codec {
        self.party.as_ref().map_or(Codec::Pcmu, |party| party.agreed.codec)
    }

    /// Takes a packet from the socket, if it is the party's.
    pub fn receive(&mut self, now: u64, packet: &[u8], from: SocketAddr) -> Option<Received> {
        let party = self.party.as_mut()?;
        let Some((header, payload)) = Header::read(packet) else {
            self.stats.discarded += 1;
            return None;
        };
        let Some(kind) = kind(&party.agreed, header.payload_type) else {
            self.stats.discarded += 1;
            // It is not heard, but its number is not missing either.
            if from == party.source.destination() && self.reception.passes(samples(now), &header) {
                self.last_heard = now;
            }
            return None;
        };
        if !party.source.accept(now, from, &header) {
            self.stats.strangers += 1;
            self.shared.totals.count_stranger();
            return None;
        }
        self.shared.totals.count_received();
        self.last_heard = now;
        if self.reception.receive(samples(now), &header, kind == Kind::Event) {
            self.keys = Keys::default();
        }
        if !party.agreed.direction.receives() {
            return None;
        }
        let key = match kind {
            Kind::Event => self.keys.receive(header.timestamp, &packet[payload.clone()]),
            Kind::Sound(codec) => party.tones.as_mut().and_then(|tones| {
                let table = codec::decoding(codec);
                tones.hear(packet[payload.clone()].iter().map(|code| table[usize::from(*code)]))
            }),
        };
        let old = kind == Kind::Event && self.old_key == Some(header.timestamp);
        Some(Received { header, payload, kind, key, old })
    }

    /// Passes a packet of the one party that is heard on to this one's. `packet` is rewritten in place where it can be: what lies before
    /// the payload is overwritten with our header.
    pub fn forward(&mut self, now: u64, packet: &mut [u8], received: &Received, out: &mut Outbox) {
        let Some(party) = self.party.as_ref().filter(|party| can_send(party)) else { return };
        let sound = matches!(received.kind, Kind::Sound(_));
        if self.play.is_some() || (sound && self.tones.is_some()) {
            return;
        }
        if received.old {
            return self.sender.skip(&received.header);
        }
        let agreed = party.agreed;
        let destination = party.source.destination();
        let payload_type = match received.kind {
            Kind::Sound(_) => agreed.payload_type,
            Kind::Event => match agreed.telephone_event {
                Some(number) => number,
                None => {
                    if let Some(tone) = received.key.and_then(|key| self.shared.tones.get(&key)) {
                        self.tones = Play::after(self.tones.take(), tone);
                    }
                    return self.sender.skip(&received.header);
                }
            },
        };
        let header = self.sender.other(now, &received.header, payload_type);
        let start = received.payload.start - HEADER;
        let whole = &mut packet[start..received.payload.end];
        header.write(whole.first_chunk_mut().expect("a packet has a header before its payload"));
        let table = match received.kind {
            Kind::Sound(theirs) => codec::transcoder(theirs, agreed.codec),
            Kind::Event => None,
        };
        match table {
            None => self.send(whole, destination, out),
            Some(table) => {
                // The packet may go to others in its own law: this one gets a copy.
                let mut copy = [0; 1500];
                let copy = &mut copy[..whole.len()];
                copy.copy_from_slice(whole);
                copy[HEADER..].iter_mut().for_each(|code| *code = table[usize::from(*code)]);
                self.send(copy, destination, out);
            }
        }
    }

    /// What the clock brings each 20 ms: a frame, a report, a silence noticed. `held` says that the one party that is heard holds.
    pub fn tick(&mut self, now: u64, held: bool, out: &mut Outbox) -> Ticked {
        let mut ticked = Ticked::default();
        let codec = self.law();
        if let Some(mut play) = self.play.take() {
            self.send_frame(now, play.frame(codec), out);
            if play.advance() { ticked.done = Some(play.id) } else { self.play = Some(play) }
        } else if let Some(mut tones) = self.tones.take() {
            self.send_frame(now, tones.frame(codec), out);
            self.tones = if tones.advance() { None } else { Some(tones) };
        } else if self.hears.is_empty() || held {
            let slot = if self.hears.is_empty() { &mut self.music } else { &mut self.hold_music };
            match slot.take() {
                Some(mut music) => {
                    self.send_frame(now, music.frame(codec), out);
                    music.advance();
                    *if self.hears.is_empty() { &mut self.music } else { &mut self.hold_music } = Some(music);
                }
                None => self.sender.pause(),
            }
        } else if let Some(mut mix) = self.mix.take() {
            let mut frame = [0; FRAME];
            if mix.frame(&mut frame) {
                self.send_frame(now, &frame.map(|sample| codec::encode(codec, sample)), out);
            } else {
                self.sender.pause();
            }
            self.mix = Some(mix);
        }
        if now >= self.next_report {
            self.next_report = now + REPORT_EVERY;
            self.report(now);
        }
        let expects = self.party.as_ref().is_some_and(|party| party.agreed.direction.receives());
        if expects && now.saturating_sub(self.last_heard.max(self.told_silent)) >= self.shared.silence {
            (self.told_silent, ticked.silent) = (now, true);
        }
        ticked
    }

    /// Whether the next tick may send something of our own, or end it. What is not sent (the party hears nothing) need not be in time.
    pub fn may_send(&self, held: bool) -> bool {
        let music = if self.hears.is_empty() { self.music.is_some() } else { held && self.hold_music.is_some() };
        self.play.is_some() || self.tones.is_some() || self.mix.is_some() || music && self.party.as_ref().is_some_and(can_send)
    }

    fn send_frame(&mut self, now: u64, frame: &[u8; FRAME], out: &mut Outbox) {
        let Some(party) = self.party.as_ref().filter(|party| can_send(party)) else { return self.sender.pause() };
        let (payload_type, destination) = (party.agreed.payload_type, party.source.destination());
        let mut packet = [0; PACKET];
        let header = self.sender.own(now, payload_type);
        header.write(packet.first_chunk_mut().expect("a packet has room for its header"));
        packet[HEADER..].copy_from_slice(frame);
        self.send(&packet, destination, out);
    }

    fn send(&mut self, packet: &[u8], destination: SocketAddr, out: &mut Outbox) {
        out.send(self.index, &self.sockets.rtp, packet, destination);
        self.stats.sent += 1;
        self.shared.totals.count_sent();
        self.sender.octets += (packet.len() - HEADER) as u64;
    }

    /// The kernel did not take a packet that was counted as sent.
    pub fn refused(&mut self) {
        self.stats.sent -= 1;
        self.stats.unsent += 1;
    }

    fn report(&mut self, now: u64) {
        let Some(party) = &self.party else { return };
        let source = &party.source;
        let to = if source.moved() {
            let found = source.destination();
            SocketAddr::new(found.ip(), found.port().wrapping_add(1))
        } else {
            party.agreed.rtcp
        };
        if to.ip().is_unspecified() || to.port() == 0 {
            return;
        }
        let sent = (self.sender.packets > 0).then(|| Sent {
            ntp: ntp(now),
            timestamp: self.sender.timestamp_at(now),
            packets: self.sender.packets as u32,
            octets: self.sender.octets as u32,
        });
        let heard = self.their_report.map_or(Heard::default(), |(last, at)| Heard { last, delay: (ntp(now - at) >> 16) as u32 });
        let mut packet = [0; rtcp::LONGEST];
        let report = self.reception.report().map(|report| (report, heard));
        let length = rtcp::write(&mut packet, self.sender.ssrc, sent, report);
        let _ = self.sockets.rtcp.send_to(&packet[..length], to);
    }

    /// Takes a packet from the RTCP socket.
    pub fn receive_report(&mut self, now: u64, packet: &[u8], from: SocketAddr) {
        let Some(party) = &self.party else { return };
        if !party.source.accept_report(from, party.agreed.rtcp) {
            self.stats.strangers += 1;
            self.shared.totals.count_stranger();
            return;
        }
        let Some(said) = rtcp::read(packet, self.sender.ssrc) else {
            self.stats.discarded += 1;
            return;
        };
        self.last_heard = now;
        if let Some(ntp) = said.ntp {
            self.their_report = Some((ntp, now));
        }
        if let Some((report, heard)) = said.of_us {
            self.stats.reported = true;
            self.stats.lost_there = u64::from(report.lost);
            self.stats.jitter_there = Duration::from_micros(u64::from(report.jitter) * 125);
            let middle = (ntp(now) >> 16) as u32;
            let trip = middle.wrapping_sub(heard.last).wrapping_sub(heard.delay);
            // A trip of minutes is a wrong clock, not a trip.
            if heard.last != 0 && trip < 60 << 16 {
                self.stats.round_trip = Some(Duration::from_micros((u64::from(trip) * 1_000_000) >> 16));
            }
        }
    }

    pub fn stats(&self) -> Stats {
        Stats { received: self.reception.received, lost: self.reception.lost(), jitter: self.reception.jitter(), ..self.stats }
    }
}

fn kind(agreed: &Agreed, payload_type: u8) -> Option<Kind> {
    let event = [agreed.telephone_event_in, agreed.telephone_event].contains(&Some(payload_type));
    match payload_type {
        _ if event => Some(Kind::Event),
        number if number == agreed.payload_type => Some(Kind::Sound(agreed.codec)),
        // The other law may come too, where the party was offered both.
        0 => Some(Kind::Sound(Codec::Pcmu)),
        8 => Some(Kind::Sound(Codec::Pcma)),
        _ => None,
    }
}

fn can_send(party: &Party) -> bool {
    let to = party.source.destination();
    party.agreed.direction.sends() && !to.ip().is_unspecified() && to.port() != 0
}

/// µs as NTP's 32.32 bits. The origin is this worker's own, which is all that round trips need.
fn ntp(micros: u64) -> u64 {
    (u128::from(micros) * (1 << 32) / 1_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leg::sdp::Direction;

    const SECOND: u64 = 1_000_000;

    /// A session on a clock of the test's own, and its party's two sockets.
    fn session(host: u8) -> (Session, Sockets) {
        let pair = |last: u8| {
            let (rtp, rtcp) = super::super::socket::bind_pair([127, 80, host, last].into(), 22_000).unwrap();
            Sockets { rtp, rtcp }
        };
        let (ours, theirs) = (pair(1), pair(2));
        let shared = Arc::new(Shared { hold_music: None, tones: BTreeMap::new(), totals: Arc::default(), silence: 10 * SECOND });
        let mut session = Session::new(CallId(1), LegId(1), ours, [1, 1], 0, shared);
        session.negotiate(0, agreed(&theirs), [127, 80, host, 2].into());
        (session, theirs)
    }

    fn agreed(theirs: &Sockets) -> Agreed {
        Agreed {
            remote: theirs.rtp.local_addr().unwrap(),
            rtcp: theirs.rtcp.local_addr().unwrap(),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: Some(101),
            telephone_event_in: Some(101),
            direction: Direction::SendRecv,
            hold: false,
        }
    }

    fn packet(sequence: u16) -> [u8; PACKET] {
        let mut packet = [0xFF; PACKET];
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc: 5 };
        header.write(packet.first_chunk_mut().unwrap());
        packet
    }

    #[test]
    fn a_silence_is_told_every_ten_seconds_until_sound_comes_again() {
        let (mut session, theirs) = session(1);
        let from = theirs.rtp.local_addr().unwrap();
        let told = |session: &mut Session, at: u64| session.tick(at, false, &mut Outbox::direct()).silent;
        assert!(!told(&mut session, 9 * SECOND));
        assert!(told(&mut session, 10 * SECOND));
        assert!(!told(&mut session, 19 * SECOND));
        assert!(told(&mut session, 20 * SECOND));
        assert!(session.receive(21 * SECOND, &packet(1), from).is_some());
        assert!(!told(&mut session, 30 * SECOND));
        assert!(told(&mut session, 31 * SECOND));
        session.negotiate(42 * SECOND, Agreed { direction: Direction::SendOnly, ..agreed(&theirs) }, from.ip());
        assert!(!told(&mut session, 99 * SECOND), "nothing is expected of who only listens");
    }

    /// Comfort noise (RFC 3389) takes a number, too.
    #[test]
    fn what_was_not_agreed_is_not_heard_but_not_lost_either() {
        let (mut session, theirs) = session(3);
        let from = theirs.rtp.local_addr().unwrap();
        for sequence in 1..=10 {
            let mut packet = packet(sequence);
            packet[1] = if sequence % 3 == 0 { 13 } else { 0 };
            assert_eq!(session.receive(u64::from(sequence) * 20_000, &packet, from).is_some(), sequence % 3 != 0);
        }
        let stats = session.stats();
        assert_eq!((stats.received, stats.discarded, stats.lost), (10, 3, 0));
        assert!(!session.tick(10 * SECOND + 100_000, false, &mut Outbox::direct()).silent, "a sign of life");
    }

    #[test]
    fn reports_go_out_each_five_seconds_and_theirs_give_loss_and_round_trip() {
        let (mut session, theirs) = session(2);
        let from = theirs.rtp.local_addr().unwrap();
        for sequence in [1, 2, 3, 5, 6] {
            session.receive(u64::from(sequence) * 20_000, &packet(sequence), from);
        }
        session.start_music(Arc::new(Sound::track(&[1000; 400])));
        let due: Vec<u64> = (0..=12 * 50)
            .filter(|n| {
                session.tick(n * 20_000, false, &mut Outbox::direct());
                theirs.rtcp.recv(&mut [0; 100]).is_ok()
            })
            .collect();
        assert_eq!(due, [250, 500], "in ticks of 20 ms");

        let mut bytes = [0; 100];
        session.next_report = 0;
        session.tick(12 * SECOND, false, &mut Outbox::direct());
        let length = theirs.rtcp.recv(&mut bytes).unwrap();
        let (ours, block) = (session.sender.ssrc, rtcp::read(&bytes[..length], 5).unwrap());
        let (report, _) = block.of_us.unwrap();
        assert_eq!((report.lost, report.highest as u16), (1, 6));

        // They heard that report 40 ms later, waited half a second, and their answer took 40 ms.
        let theirs_of_us = super::super::reception::Report { ssrc: ours, fraction: 0, lost: 7, highest: 1, jitter: 16 };
        let mut answer = [0; rtcp::LONGEST];
        let length = rtcp::write(&mut answer, 5, None, Some((theirs_of_us, Heard { last: block.ntp.unwrap(), delay: 65_536 / 2 })));
        session.receive_report(12 * SECOND + 580_000, &answer[..length], theirs.rtcp.local_addr().unwrap());
        let stats = session.stats();
        assert_eq!((stats.lost, stats.lost_there, stats.jitter_there), (1, 7, Duration::from_millis(2)));
        let trip = stats.round_trip.unwrap().as_millis();
        assert!((79..=80).contains(&trip), "{trip} ms");
        assert!(stats.mos().unwrap() < 3.0 && stats.mos_there().unwrap() > 4.0, "one of six is heard, seven of five hundred hardly");
        assert_eq!((session.shared.totals.received(), session.shared.totals.sent()), (5, stats.sent));
    }
}
