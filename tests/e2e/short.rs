//! A centre that runs short of ports: who calls is told to come again (503), and nobody who is there notices.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::process::PATIENCE;
use super::reached::is_music;
use super::sound::RATE;
use careline::acd::AgentState;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

const BILLING: &str = "+13125550102";
/// Who logs in takes no calls yet.
const NOT_READY: (&str, &str) = ("on_register = \"ready\"", "on_register = \"not_ready\"");

/// Calls, and gives the final answer; a call that is taken is ended at once.
fn answer(network: &Network, index: u8, centre: SocketAddr) -> u16 {
    let socket = UdpSocket::bind((network.address(index), 0)).expect("a loopback address has a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time-out");
    let from = socket.local_addr().expect("a bound socket has its address");
    let (ip, port) = (from.ip(), from.port());
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n");
    let request = |method: &str, number: u8, to: &str, body: &str| {
        format!(
            "{method} sip:{BILLING}@{centre} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}{port}\r\nFrom: <sip:short@{ip}>;tag=a\r\n\
             To: {to}\r\nCall-ID: short-{port}\r\nCSeq: {number} {method}\r\nContact: <sip:short@{from}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let send = |text: String| socket.send_to(text.as_bytes(), centre).expect("loopback takes a datagram");
    send(request("INVITE", 1, &format!("<sip:{BILLING}@{centre}>"), &sdp));
    let mut bytes = [0; 4_096];
    loop {
        let length = socket.recv(&mut bytes).expect("the centre answers");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let code: u16 = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a response has a code");
        if code >= 200 {
            let to = text.lines().find_map(|line| line.strip_prefix("To: ")).expect("a response says to whom").to_string();
            send(request("ACK", 1, &to, ""));
            if code < 300 {
                send(request("BYE", 2, &to, ""));
            }
            return code;
        }
    }
}

/// Nobody's music has a hole.
fn hears_on(caller: &mut Caller) {
    let heard = caller.ear.listen(Duration::from_secs(2));
    assert!(heard.chunks(1_600).all(|part| part.iter().any(|sample| *sample != 0)), "the music has no hole");
    assert!(is_music(&heard) && caller.is_connected());
}

fn waits(network: &Network, index: u8, centre: SocketAddr) -> Caller {
    let mut caller = Caller::dial(network, index, centre, BILLING);
    caller.ear.listen_until(0, "hold music", |heard| heard.len() >= RATE && is_music(&heard[heard.len() - RATE..]));
    caller
}

#[test]
fn out_of_ports_a_caller_is_told_to_come_again_and_who_waits_waits_on() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("ports = \"20000-29999\"", "ports = \"20000-20003\""), NOT_READY]);
    // Somebody who could serve is logged in: it is worth waiting.
    let _phone = Phone::start(&network, 8, 1004, 700.0, centre.sip());
    centre.agent(1004, "logged in", |state| matches!(state, AgentState::NotReady(_)));
    let (mut one, mut other) = (waits(&network, 1, centre.sip()), waits(&network, 2, centre.sip()));
    assert_eq!(answer(&network, 3, centre.sip()), 503);
    hears_on(&mut one);
    hears_on(&mut other);
    one.hang_up();
    centre.wait("one call over", |view| view.in_queue == 1);
    assert_eq!(answer(&network, 3, centre.sip()), 200, "its ports are free again");
    other.hang_up();
}
