//! Strangers who send sound, keys and reports to every media port: nobody hears them, and they hear nobody.

use super::caller::Caller;
use super::centre::Centre;
use super::ear::CALLERS_SOURCE;
use super::network::Network;
use super::phone::Phone;
use super::reached::{ends_in_music, says};
use super::sound::{self, RATE};
use careline::acd::AgentState;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const CALLER: f64 = 440.0;
const AGENT: f64 = 700.0;
const STRANGER: f64 = 1_000.0;
const PORTS: RangeInclusive<u16> = 20_000..=20_011;

/// Sends to every port of the centre until told to stop, and counts what comes back.
struct Stranger {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Stranger {
    fn attack(from: IpAddr, centre: IpAddr) -> Stranger {
        let socket = UdpSocket::bind((from, 0)).expect("a loopback address has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a socket takes a time-out");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let send = move || {
            let mut heard = 0;
            for turn in 0u16.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                for port in PORTS {
                    for packet in packets(turn) {
                        let _ = socket.send_to(&packet, SocketAddr::new(centre, port));
                    }
                }
                heard += usize::from(socket.recv(&mut [0; 2_048]).is_ok());
            }
            heard
        };
        Stranger { stop, thread: std::thread::spawn(send) }
    }

    /// How many packets it was sent.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a stranger ends when told to")
    }
}

/// A tone and a key under the caller's own source, each with the next number and with one that the caller is near; then reports that
/// say goodbye for the caller and that all was lost.
fn packets(turn: u16) -> Vec<Vec<u8>> {
    let start = usize::from(turn) * 160;
    let tone: Vec<u8> = (start..start + 160).map(|index| sound::to_ulaw(sound::tone(STRANGER, index))).collect();
    let rtp = |kind: u8, sequence: u16, payload: &[u8]| {
        let mut packet = vec![0x80, kind];
        packet.extend(sequence.to_be_bytes());
        packet.extend((u32::from(turn) * 160).to_be_bytes());
        packet.extend(CALLERS_SOURCE.to_be_bytes());
        packet.extend(payload);
        packet
    };
    let key = [1, 0x80 | 10, 3, 32];
    let source = CALLERS_SOURCE.to_be_bytes();
    let goodbye = [&[0x80, 201, 0, 1][..], &source, &[0x81, 203, 0, 1], &source].concat();
    let lost = [&[0x81, 201, 0, 7][..], &source, &source, &[255; 20]].concat();
    vec![rtp(0, turn, &tone), rtp(0, turn / 4, &tone), rtp(101, turn, &key), rtp(101, turn / 4, &key), goodbye, lost]
}

#[test]
fn strangers_at_every_port_change_nothing_and_hear_nothing() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("ports = \"20000-29999\"", "ports = \"20000-20011\"")]);
    // From elsewhere, from the address of every unbound socket, and from the caller's own host: before anybody calls.
    let addresses = [network.address(9), IpAddr::from([127, 0, 0, 1]), network.address(3), network.address(2)];
    let strangers = addresses.map(|from| Stranger::attack(from, centre.sip().ip()));
    let mut phone = Phone::start(&network, 2, 1004, AGENT, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);

    let mut caller = Caller::dial(&network, 3, centre.sip(), "+13125550100");
    caller.ear.listen_until(0, "the language question", |heard| says(heard, "es/language_es"));
    let menu = caller.ear.mark();
    caller.ear.press("2");
    caller.ear.listen_until(menu, "the menu in Spanish, though strangers press 1", |heard| says(heard, "es/main_menu"));
    caller.ear.press("2");
    phone.rings();
    let waiting = caller.ear.mark();
    caller.ear.listen_until(waiting, "hold music", ends_in_music);
    phone.accept();
    caller.ear.tone(CALLER);
    let answered = caller.ear.mark();
    caller.ear.listen_until(answered, "the agent's tone", |heard| sound::tone_ms(heard, AGENT) >= 500);
    let talk = caller.ear.listen(Duration::from_secs(3));
    assert_eq!(sound::other_ms(&talk, AGENT), 0, "the caller hears the agent alone, without a gap");
    assert!(sound::tone_ms(&talk, AGENT) >= 2_900, "{} ms of 3 s", sound::tone_ms(&talk, AGENT));
    caller.hang_up();
    phone.call_ends();
    let sent_to_strangers: usize = strangers.into_iter().map(Stranger::stop).sum();
    assert_eq!(sent_to_strangers, 0);

    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    let figures = centre.metrics();
    assert!(figures.sum("careline_rtp_strangers_total", &[]) > 1_000.0, "they were noticed");
    assert_eq!(figures.sum("careline_mos_score_bucket", &["le=\"4\""]), 0.0, "and spoilt nobody's sound");
    let recordings = phone.heard();
    let heard = recordings[0].rchunks(RATE * 3).next().expect("the agent heard something");
    assert!(sound::tone_ms(heard, CALLER) >= 2_500, "the agent hears the caller");
    assert_eq!(sound::tone_ms(&recordings[0], STRANGER), 0, "and no stranger");
}
