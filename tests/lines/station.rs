//! Registers a station by hand, so that SIPp can be it: its flow is the address from which it registered.

use crate::network::Network;
use careline::sip::Credentials;
use careline::sip::auth::{Algorithm, Answer};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Registers `agent` at the test's address `index`, port 5060.
pub fn register(network: &Network, index: u8, agent: u64, centre: SocketAddr) {
    let local = SocketAddr::new(network.address(index), 5060);
    let socket = UdpSocket::bind(local).expect("the test's addresses are free");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a time-out");
    let uri = format!("sip:{centre}");
    let ask = |cseq: u32, proof: &str| {
        let text = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{agent}{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{agent}@{centre}>;tag=r\r\nTo: <sip:{agent}@{centre}>\r\nCall-ID: {agent}@{local}\r\nCSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{agent}@{local}>\r\nExpires: 300\r\n{proof}Content-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), centre).expect("loopback takes a datagram");
        let mut room = [0; 4096];
        let length = socket.recv(&mut room).expect("the centre answers a REGISTER");
        String::from_utf8_lossy(&room[..length]).into_owned()
    };
    let challenge = ask(1, "");
    let field =
        |name: &str| challenge.split(&format!("{name}=\"")).nth(1).unwrap_or_default().split('"').next().unwrap_or_default().to_string();
    let (realm, nonce) = (field("realm"), field("nonce"));
    let answer = Answer { algorithm: Algorithm::Sha256, method: "REGISTER", uri: &uri, nonce: &nonce, nc: "00000001", cnonce: "c" };
    let response = answer.response(&Credentials::new(&agent.to_string(), &realm, &format!("demo-{agent}")));
    let proof = format!(
        "Authorization: Digest username=\"{agent}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm=SHA-256, qop=auth, cnonce=\"c\", nc=00000001\r\n"
    );
    let ok = ask(2, &proof);
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
}
