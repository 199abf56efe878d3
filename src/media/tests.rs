//! The sound of whole calls, over real sockets on loopback. Nothing sleeps: every wait is for a packet or an event.

mod keys;

use super::codec::{self, FRAME};
use super::rtp::{HEADER, Header};
use super::*;
use crate::leg::sdp::Direction;
use crate::model::{Language, hearing};
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

const CALL: CallId = CallId(1);
const CALLER: LegId = LegId(10);
const AGENT: LegId = LegId(11);
const THIRD: LegId = LegId(12);
const PATIENCE: Duration = Duration::from_secs(10);

fn prompt(name: &str) -> Prompt {
    Prompt::new(Language::new("en").unwrap(), name)
}

/// A sawtooth of its own for each name, so that every frame can be told from every other.
fn samples(seed: i16, count: usize) -> Vec<i16> {
    (0..count).map(|n| (n as i16).wrapping_mul(97).wrapping_add(seed * 1009)).collect()
}

fn library() -> Library {
    let mut library = Library::default();
    library.add_prompt(prompt("one"), &samples(1, 5 * FRAME - 30));
    library.add_prompt(prompt("two"), &samples(2, 3 * FRAME));
    library.add_track("hold-music", &samples(3, 4 * FRAME + 50));
    library.add_track("other", &samples(4, 10 * FRAME));
    library
}

/// A centre of its own address.
struct Centre {
    media: Media,
    library: Arc<Library>,
    events: Receiver<Event>,
    host: u8,
}

impl Centre {
    fn new(host: u8) -> Centre {
        Centre::with_ports(host, 20_000..=20_099)
    }

    fn with_ports(host: u8, ports: RangeInclusive<u16>) -> Centre {
        let (sender, events) = mpsc::channel();
        let library = Arc::new(library());
        let settings = Settings { addresses: vec![IpAddr::from([127, 78, host, 1])], ports, workers: 1, silence: Duration::from_secs(10) };
        let media = Media::start(settings, library.clone(), move |event| sender.send(event).unwrap_or_default()).unwrap();
        Centre { media, library, events, host }
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    /// A party of the call, agreed both ways with telephone-event 101.
    fn party(&mut self, leg: LegId, codec: Codec) -> Party {
        self.party_with(leg, |agreed| Negotiated { codec, payload_type: codec.payload_type(), ..agreed })
    }

    fn party_with(&mut self, leg: LegId, change: impl Fn(Negotiated) -> Negotiated) -> Party {
        let address = self.media.open(CALL, leg).unwrap();
        let socket = UdpSocket::bind((IpAddr::from([127, 78, self.host, 2]), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let party = Party { socket, address, ssrc: leg.0 as u32, sequence: 65_530, timestamp: 7 };
        self.media.negotiate(leg, change(party.agreed()), party.ip());
        party
    }

    /// What the library holds, frame by frame.
    fn frames(&self, name: &str, codec: Codec) -> Vec<Vec<u8>> {
        let sound = self.library.prompt(&prompt(name)).unwrap();
        (0..sound.length()).step_by(FRAME).map(|at| sound.frame(codec, at).to_vec()).collect()
    }

    fn music(&self, track: &str, from: usize, count: usize) -> Vec<Vec<u8>> {
        let sound = self.library.track(track).unwrap();
        (from..from + count).map(|n| sound.frame(Codec::Pcmu, n * FRAME % sound.length()).to_vec()).collect()
    }
}

struct Party {
    socket: UdpSocket,
    /// Where the centre receives.
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Party {
    fn ip(&self) -> IpAddr {
        self.agreed().remote.ip()
    }

    fn agreed(&self) -> Negotiated {
        let remote = self.socket.local_addr().unwrap();
        Negotiated {
            remote,
            rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: Some(101),
            telephone_event_in: Some(101),
            direction: Direction::SendRecv,
            hold: false,
        }
    }

    fn receive(&self) -> (Header, Vec<u8>) {
        let mut buffer = [0; 1500];
        let (length, from) = self.socket.recv_from(&mut buffer).expect("a packet in time");
        assert_eq!(from, self.address, "symmetric RTP");
        let (header, payload) = Header::read(&buffer[..length]).unwrap();
        (header, buffer[payload].to_vec())
    }

    fn receive_frames(&self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.receive().1).collect()
    }

    /// Receives until a payload comes that is wanted.
    fn receive_until(&self, wanted: &[u8]) {
        for _ in 0..500 {
            if self.receive().1 == wanted {
                return;
            }
        }
        panic!("never came");
    }

    fn send_as(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let header = Header { marker: false, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.socket.send_to(&packet(&header, payload), self.address).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn send(&mut self, payload_type: u8, payload: &[u8]) {
        self.timestamp = self.timestamp.wrapping_add(160);
        self.send_as(payload_type, self.timestamp, payload);
    }

    /// One packet of a key that began now.
    fn event(&mut self, payload_type: u8, key: u8, end: bool) {
        self.send_as(payload_type, self.timestamp, &[key, u8::from(end) << 7 | 10, 1, 64]);
    }

    fn press(&mut self, payload_type: u8, key: u8) {
        self.timestamp = self.timestamp.wrapping_add(8000);
        for (flags, duration) in [(10, 160u16), (10, 320), (0x8A, 400), (0x8A, 400), (0x8A, 400)] {
            let [high, low] = duration.to_be_bytes();
            self.send_as(payload_type, self.timestamp, &[key, flags, high, low]);
        }
    }
}

fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    header.write(packet.first_chunk_mut().unwrap());
    packet.extend(payload);
    packet
}

#[test]
fn prompts_are_heard_bit_by_bit_in_their_order_and_then_done() {
    for (host, codec) in [(1, Codec::Pcmu), (2, Codec::Pcma)] {
        let mut centre = Centre::new(host);
        let caller = centre.party(CALLER, codec);
        centre.media.play(CALLER, PlayId(5), vec![prompt("one"), prompt("no such prompt"), prompt("two")]);
        let wanted = [centre.frames("one", codec), centre.frames("two", codec)].concat();
        let (mut heard, mut last) = (Vec::new(), None::<Header>);
        for _ in 0..wanted.len() {
            let (header, payload) = caller.receive();
            assert_eq!((header.payload_type, header.marker), (codec.payload_type(), last.is_none()));
            if let Some(last) = last {
                assert_eq!((header.ssrc, header.sequence), (last.ssrc, last.sequence.wrapping_add(1)));
                assert_eq!(header.timestamp, last.timestamp.wrapping_add(160));
            }
            (last, _) = (Some(header), heard.push(payload));
        }
        assert_eq!(heard, wanted);
        assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(5) });
    }
}

#[test]
fn a_play_of_nothing_is_done_at_once_and_one_to_a_holding_party_in_its_time() {
    let mut centre = Centre::new(3);
    let caller = centre.party_with(CALLER, |agreed| Negotiated { direction: Direction::RecvOnly, hold: true, ..agreed });
    centre.media.play(CALLER, PlayId(1), vec![prompt("no such prompt")]);
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(1) });
    centre.media.play(CALLER, PlayId(2), vec![prompt("two")]);
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(2) });
    caller.socket.set_nonblocking(true).unwrap();
    assert!(caller.socket.recv(&mut [0; 9]).is_err(), "who holds is sent nothing");
}

#[test]
fn music_goes_round_gives_way_to_a_play_and_goes_on_where_it_was() {
    let mut centre = Centre::new(4);
    let caller = centre.party(CALLER, Codec::Pcmu);
    centre.media.start_music(CALLER, "hold-music");
    assert_eq!(caller.receive_frames(9), centre.music("hold-music", 0, 9));
    centre.media.play(CALLER, PlayId(1), vec![prompt("two")]);
    let (announcement, mut heard) = (centre.frames("two", Codec::Pcmu), 9);
    let mut payload = caller.receive().1;
    while payload != announcement[0] {
        assert_eq!(payload, centre.music("hold-music", heard, 1)[0]);
        (heard, payload) = (heard + 1, caller.receive().1);
    }
    assert_eq!(caller.receive_frames(2), announcement[1..]);
    assert_eq!(caller.receive_frames(5), centre.music("hold-music", heard, 5));
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(1) });
    centre.media.start_music(CALLER, "a track that nobody made");
    caller.receive_until(&centre.music("hold-music", 0, 1)[0]);
    centre.media.start_music(CALLER, "other");
    caller.receive_until(&centre.music("other", 0, 1)[0]);
    assert_eq!(caller.receive_frames(3), centre.music("other", 1, 3));
}

#[test]
fn a_play_that_is_stopped_or_replaced_is_not_done() {
    let mut centre = Centre::new(5);
    let caller = centre.party(CALLER, Codec::Pcmu);
    centre.media.play(CALLER, PlayId(1), vec![prompt("one")]);
    caller.receive();
    centre.media.play(CALLER, PlayId(2), vec![prompt("two")]);
    centre.media.stop_play(CALLER, PlayId(1));
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(2) });
    centre.media.play(CALLER, PlayId(3), vec![prompt("one")]);
    caller.receive_until(&centre.frames("one", Codec::Pcmu)[0]);
    centre.media.stop_play(CALLER, PlayId(3));
    centre.media.play(CALLER, PlayId(4), vec![prompt("two")]);
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(4) });
}

#[test]
fn a_bridge_passes_payloads_untouched_and_ends_the_music() {
    let mut centre = Centre::new(6);
    let (mut caller, mut agent) = (centre.party(CALLER, Codec::Pcmu), centre.party(AGENT, Codec::Pcmu));
    centre.media.start_music(CALLER, "hold-music");
    caller.receive();
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    assert_eq!(centre.event(), Event::Joined { offer: OfferId(9) });
    for turn in 0..20u8 {
        let (to_agent, to_caller): (Vec<u8>, Vec<u8>) = ((0..160).map(|n| n ^ turn).collect(), (0..80).map(|n| n + turn).collect());
        caller.send(0, &to_agent);
        agent.send(0, &to_caller);
        let (header, payload) = agent.receive();
        assert_eq!((payload, header.marker), (to_agent, turn == 0));
        assert_ne!(header.ssrc, caller.ssrc);
        if turn == 0 {
            caller.receive_until(&to_caller);
        } else {
            assert_eq!(caller.receive().1, to_caller, "no music between");
        }
    }
    centre.media.hear(CALL, Hearing::new(), None);
    caller.receive_until(&centre.music("hold-music", 0, 1)[0]);
}

#[test]
fn between_the_two_laws_sound_is_transcoded() {
    let mut centre = Centre::new(7);
    let (mut caller, mut agent) = (centre.party(CALLER, Codec::Pcmu), centre.party(AGENT, Codec::Pcma));
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    let all: Vec<u8> = (0..=255).collect();
    caller.send(0, &all);
    let (header, payload) = agent.receive();
    assert_eq!((header.payload_type, payload), (8, codec::ULAW_TO_ALAW.to_vec()));
    agent.send(8, &all);
    let (header, payload) = caller.receive();
    assert_eq!((header.payload_type, payload), (0, codec::ALAW_TO_ULAW.to_vec()));
}

/// A text telephone's Baudot code (TIA-825: 1,400 and 1,800 Hz, 45.45 bits a second) is spoilt by any change to the sound.
#[test]
fn strangers_are_neither_heard_nor_sent_to() {
    let mut centre = Centre::new(11);
    let (mut caller, agent) = (centre.party(CALLER, Codec::Pcmu), centre.party(AGENT, Codec::Pcmu));
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    caller.send(0, &[1; 160]);
    assert_eq!(agent.receive().1, [1; 160]);
    let strangers = ["127.78.11.2:0", "127.78.11.99:0"].map(|address| UdpSocket::bind(address).unwrap());
    for sequence in 0..20 {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: caller.ssrc };
        for stranger in &strangers {
            stranger.send_to(&packet(&header, &[6; 160]), caller.address).unwrap();
        }
    }
    caller.socket.send_to(b"no RTP at all, but long enough", caller.address).unwrap();
    caller.send(0, &[2; 160]);
    assert_eq!(agent.receive().1, [2; 160], "the victim's sound is unchanged");
    centre.media.hear(CALL, Hearing::new(), None);
    centre.media.play(CALLER, PlayId(1), vec![prompt("two")]);
    assert_eq!(centre.event(), Event::PlayDone { leg: CALLER, play: PlayId(1) });
    assert_eq!(caller.receive_frames(3), centre.frames("two", Codec::Pcmu));
    for stranger in strangers {
        stranger.set_nonblocking(true).unwrap();
        assert!(stranger.recv(&mut [0; 9]).is_err());
    }
    centre.media.close(CALLER);
    let Event::Closed { leg: CALLER, stats } = centre.event() else { panic!("closed") };
    assert_eq!((stats.received, stats.strangers, stats.discarded, stats.sent, stats.lost), (2, 40, 1, 3, 0));
}

/// Every process of the machine shares the party's address on loopback: who comes first is no more the party than who comes later.
#[test]
fn a_stranger_who_comes_before_the_party_gets_nothing() {
    let mut centre = Centre::new(22);
    let mut caller = centre.party(CALLER, Codec::Pcmu);
    let strangers = ["127.78.22.2:0", "127.78.22.99:0", "127.0.0.1:0"].map(|address| UdpSocket::bind(address).unwrap());
    let reports = SocketAddr::new(caller.address.ip(), caller.address.port() + 1);
    let bye = [0x81, 203, 0, 1, 0, 0, 0, CALLER.0 as u8];
    for sequence in 1..20 {
        let header = Header { marker: false, payload_type: 101, sequence, timestamp: 9, ssrc: caller.ssrc };
        for stranger in &strangers {
            stranger.send_to(&packet(&header, &[7, 10, 0, 160]), caller.address).unwrap();
            stranger.send_to(&bye, reports).unwrap();
        }
    }
    centre.media.start_music(CALLER, "other");
    assert_eq!(caller.receive_frames(5), centre.music("other", 0, 5));
    caller.press(101, 8);
    assert_eq!(centre.event(), Event::Key { leg: CALLER, key: '8' }, "and no key of a stranger before");
    for stranger in strangers {
        stranger.set_nonblocking(true).unwrap();
        assert!(stranger.recv(&mut [0; 9]).is_err());
    }
    assert!(centre.media.totals().strangers() >= 3 * 19);
}

#[test]
fn while_one_holds_the_other_hears_music() {
    let mut centre = Centre::new(12);
    let (mut caller, mut agent) = (centre.party(CALLER, Codec::Pcmu), centre.party(AGENT, Codec::Pcmu));
    centre.media.start_music(CALLER, "other");
    centre.media.stop_music(CALLER);
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    let bridged = agent.agreed();
    centre.media.negotiate(AGENT, Negotiated { direction: Direction::RecvOnly, hold: true, ..bridged }, agent.ip());
    caller.receive_until(&centre.music("other", 0, 1)[0]);
    agent.send(0, &[9; 160]);
    assert_eq!(caller.receive_frames(4), centre.music("other", 1, 4), "what the holding phone sends is not heard");
    caller.send(0, &[1; 160]);
    centre.media.negotiate(AGENT, bridged, agent.ip());
    agent.send(0, &[8; 160]);
    caller.receive_until(&[8; 160]);
    caller.send(0, &[3; 160]);
    agent.receive_until(&[3; 160]);
}

#[test]
fn three_parties_hear_the_sum_of_the_others() {
    let mut centre = Centre::new(13);
    let legs = [CALLER, AGENT, THIRD];
    let mut parties = legs.map(|leg| centre.party(leg, Codec::Pcmu));
    let others = |leg| legs.into_iter().filter(|other| *other != leg).collect::<BTreeSet<_>>();
    centre.media.hear(CALL, legs.into_iter().map(|leg| (leg, others(leg))).collect(), Some(OfferId(9)));
    centre.event();
    let values = [400i16, 2000, 8000];
    for _ in 0..3 {
        for (party, value) in parties.iter_mut().zip(values) {
            party.send(0, &[codec::encode(Codec::Pcmu, value); FRAME]);
        }
    }
    let decoded = values.map(|v| codec::ULAW_TO_LINEAR[usize::from(codec::encode(Codec::Pcmu, v))]);
    for (index, party) in parties.iter().enumerate() {
        let sum = decoded.iter().sum::<i16>() - decoded[index];
        party.receive_until(&[codec::encode(Codec::Pcmu, sum); FRAME]);
    }
}

#[test]
fn ports_run_out_cleanly_and_come_back() {
    let mut centre = Centre::with_ports(14, 20_001..=20_006);
    let taken = UdpSocket::bind("127.78.14.1:20003").unwrap();
    let address = centre.media.open(CALL, CALLER).unwrap();
    assert_eq!(address.port(), 20_004, "the pair with a port that another has is passed over");
    assert!(matches!(centre.media.open(CALL, AGENT), Err(OpenError::OutOfPorts)));
    drop(taken);
    assert_eq!(centre.media.open(CALL, AGENT).unwrap().port(), 20_002);
    assert!(matches!(centre.media.open(CALL, THIRD), Err(OpenError::OutOfPorts)));
    centre.media.close(CALLER);
    assert!(matches!(centre.event(), Event::Closed { leg: CALLER, .. }));
    assert_eq!(centre.media.open(CALL, THIRD).unwrap().port(), 20_004);
    assert_eq!(centre.media.sessions(), 2);
}

#[test]
fn a_panic_ends_one_leg_and_no_other() {
    let mut centre = Centre::new(15);
    let (_broken, caller) = (centre.party(AGENT, Codec::Pcmu), centre.party(CALLER, Codec::Pcmu));
    centre.media.start_music(CALLER, "other");
    caller.receive();
    centre.media.workers[0].send(Command::Break { leg: AGENT });
    assert!(matches!(centre.event(), Event::Closed { leg: AGENT, .. }));
    caller.receive_until(&centre.music("other", 9, 1)[0]);
    assert_eq!(caller.receive_frames(3), centre.music("other", 10, 3));
    centre.media.negotiate(AGENT, caller.agreed(), caller.ip());
    centre.media.close(AGENT);
    centre.media.close(AGENT);
    centre.media.close(CALLER);
    assert!(matches!(centre.event(), Event::Closed { leg: CALLER, .. }));
}

#[test]
fn a_bridge_to_a_leg_that_is_gone_is_not_joined() {
    let mut centre = Centre::new(16);
    let _caller = centre.party(CALLER, Codec::Pcmu);
    let _other = centre.media.open(CallId(2), AGENT).unwrap();
    centre.media.hear(CALL, hearing::bridge(CALLER, THIRD), Some(OfferId(1)));
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(2)));
    centre.media.close(CALLER);
    assert!(matches!(centre.event(), Event::Closed { leg: CALLER, .. }), "no Joined before");
}

#[test]
fn their_reports_tell_what_arrived_there() {
    let mut centre = Centre::new(17);
    let caller = centre.party(CALLER, Codec::Pcmu);
    centre.media.play(CALLER, PlayId(1), vec![prompt("one")]);
    let ssrc = caller.receive().0.ssrc;
    let mut report = [0; rtcp::LONGEST];
    let block = reception::Report { ssrc, fraction: 1, lost: 3, highest: 9, jitter: 40 };
    let length = rtcp::write(&mut report, 5, None, Some((block, rtcp::Heard::default())));
    let rtcp_address = SocketAddr::new(caller.address.ip(), caller.address.port() + 1);
    UdpSocket::bind("127.78.17.66:0").unwrap().send_to(&report[..length], rtcp_address).unwrap();
    caller.socket.send_to(&report[..length], rtcp_address).unwrap();
    UdpSocket::bind(caller.agreed().rtcp).unwrap().send_to(&report[..length], rtcp_address).unwrap();
    centre.event();
    centre.media.close(CALLER);
    let Event::Closed { stats, .. } = centre.event() else { panic!("closed") };
    assert_eq!((stats.lost_there, stats.jitter_there, stats.strangers), (3, Duration::from_millis(5), 2));
}

/// The limit of open files belongs to a whole process, so this test runs itself again in a process with a low one.
#[test]
fn files_run_out_cleanly_and_who_is_open_goes_on() {
    if std::env::var_os("CARELINE_FEW_FILES").is_some() {
        return with_few_files();
    }
    let again = "ulimit -n 40 && CARELINE_FEW_FILES=1 exec \"$0\" --exact media::tests::files_run_out_cleanly_and_who_is_open_goes_on";
    let output = std::process::Command::new("sh").args(["-c", again]).arg(std::env::current_exe().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn with_few_files() {
    let mut centre = Centre::new(18);
    let caller = centre.party(CALLER, Codec::Pcmu);
    centre.media.start_music(CALLER, "other");
    caller.receive();
    let open = (100..).find(|leg| match centre.media.open(CallId(2), LegId(*leg)) {
        Ok(_) => false,
        Err(error) => matches!(error, OpenError::OutOfFiles) || panic!("{error}"),
    });
    assert!((105..120).contains(&open.unwrap()), "{open:?}");
    caller.receive_until(&centre.music("other", 9, 1)[0]);
    centre.media.close(LegId(100));
    while !matches!(centre.event(), Event::Closed { .. }) {}
    centre.media.open(CallId(2), LegId(1000)).unwrap();
}
