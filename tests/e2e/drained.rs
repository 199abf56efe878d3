//! `careline serve` and its signals: SIGHUP reads the configuration again, SIGTERM lets the calls alive end, a second one ends them.

use super::caller::Caller;
use super::centre::{ask, configure};
use super::network::Network;
use super::phone::Phone;
use super::process::{PATIENCE, Process};
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Instant;

const BILLING_IN_SPANISH: &str = "+13125550102";
const DANIELA_IS_READY: &str = r#""name":"Daniela Ortiz","state":"ready""#;

/// The program itself, at the test's first address.
struct Server {
    process: Process,
    sip: SocketAddr,
    http: SocketAddr,
}

impl Server {
    fn start(network: &Network) -> Server {
        let directory = configure(network, &[]);
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_careline");
        let process = Process::start(command.args(["-c", "exec \"$0\" serve --config \"$1\" 2>&1", program]).arg(directory));
        process.says("taking calls");
        let at = |port| SocketAddr::new(network.address(0), port);
        Server { process, sip: at(5060), http: at(8080) }
    }

    /// Waits until its view contains this.
    fn view(&self, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !ask(self.http, "GET /api/v1/view", "").contains(what) {
            assert!(Instant::now() < end, "the view never had {what}");
        }
    }

    /// The answer to a request of the trunk's, from the test's address `index`.
    fn answers(&self, network: &Network, index: u8, method: &str) -> String {
        let socket = UdpSocket::bind((network.address(index), 0)).expect("a loopback address has a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a span above zero");
        let (from, to) = (socket.local_addr().expect("bound"), self.sip);
        let message = format!(
            "{method} sip:{BILLING_IN_SPANISH}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{method}{index}\r\nMax-Forwards: 70\r\n\
             From: <sip:trunk@{from}>;tag=1\r\nTo: <sip:{BILLING_IN_SPANISH}@{to}>\r\nCall-ID: {method}@{from}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:trunk@{from}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(message.as_bytes(), to).expect("loopback takes a datagram");
        let mut room = [0; 2_048];
        let length = socket.recv(&mut room).expect("an answer");
        String::from_utf8_lossy(&room[..length]).into_owned()
    }
}

#[test]
fn a_drain_takes_no_new_calls_and_ends_with_the_last_one() {
    let network = Network::new();
    let mut server = Server::start(&network);
    assert!(server.answers(&network, 9, "OPTIONS").starts_with("SIP/2.0 200"));
    assert!(ask(server.http, "GET /readyz", "").starts_with("HTTP/1.1 200"));
    let mut phone = Phone::start(&network, 1, 1004, 700.0, server.sip);
    server.view(DANIELA_IS_READY);
    server.process.signal("-HUP");
    server.process.says("configuration reloaded diff=nothing changed");
    let talking = Caller::dial(&network, 3, server.sip, BILLING_IN_SPANISH);
    phone.rings();
    let waiting = Caller::dial(&network, 4, server.sip, BILLING_IN_SPANISH);
    server.view("\"queue\":2");
    phone.accept();

    server.process.terminate();
    server.process.says("draining");
    for (index, method) in [(9, "OPTIONS"), (10, "INVITE")] {
        let answer = server.answers(&network, index, method);
        assert!(answer.starts_with("SIP/2.0 503") && answer.contains("Retry-After: "), "{answer}");
    }
    assert!(ask(server.http, "GET /readyz", "").starts_with("HTTP/1.1 503"));
    assert!(ask(server.http, "GET /healthz", "").starts_with("HTTP/1.1 200"));
    assert!(ask(server.http, "GET /metrics", "").contains("careline_calls_total{did=\"other\",disposition=\"refused\"} 1\n"));
    talking.hang_up();
    phone.call_ends();
    // Who waited when the drain began is served in it.
    phone.rings();
    phone.accept();
    waiting.hang_up();
    server.process.succeeds();
}

#[test]
fn a_second_signal_ends_the_calls_at_once() {
    let network = Network::new();
    let mut server = Server::start(&network);
    let mut phone = Phone::start(&network, 1, 1004, 700.0, server.sip);
    server.view(DANIELA_IS_READY);
    let caller = Caller::dial(&network, 3, server.sip, BILLING_IN_SPANISH);
    phone.rings();
    phone.accept();
    server.process.terminate();
    server.process.says("draining");
    server.process.terminate();
    server.process.says("told again");
    caller.hears_the_end();
    phone.call_ends();
    server.process.succeeds();
}
