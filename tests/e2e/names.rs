//! A trunk that is known by name: found, registered at, and left when the centre stops.

use super::centre::Centre;
use super::network::Network;
use super::process::PATIENCE;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

/// A carrier's registrar that takes everybody.
struct Registrar(UdpSocket);

impl Registrar {
    fn start() -> Registrar {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time-out");
        Registrar(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }

    fn centre(&self, network: &Network) -> Centre {
        let trunk = format!("register = \"localhost:{}\"\nuser = \"clinic\"\npassword = \"demo\"\n", self.port());
        Centre::start(network, &[("addresses = [\"127.0.0.0/8\"]", &trunk)])
    }

    /// The next request, and from where.
    fn asked(&self) -> (String, SocketAddr) {
        let mut room = [0; 65_536];
        let (length, from) = self.0.recv_from(&mut room).expect("a REGISTER comes");
        (String::from_utf8_lossy(&room[..length]).into_owned(), from)
    }

    fn grant(&self, (request, from): &(String, SocketAddr)) {
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:", "Expires:"];
        let lines = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let answer = format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines.map(|line| format!("{line}\r\n")).collect::<String>());
        self.0.send_to(answer.as_bytes(), from).expect("loopback takes a datagram");
    }
}

fn is_up(centre: &Centre) {
    let begun = Instant::now();
    while centre.metrics().sum("careline_trunk_up", &["trunk=\"loopback\""]) != 1.0 {
        assert!(begun.elapsed() < PATIENCE, "the trunk never came up");
    }
}

#[test]
fn a_registrar_is_found_by_its_name_and_left_at_the_end() {
    let network = Network::new();
    let registrar = Registrar::start();
    let centre = registrar.centre(&network);
    let asked = registrar.asked();
    let first = format!("REGISTER sip:localhost:{} SIP/2.0", registrar.port());
    assert!(asked.0.starts_with(&first) && asked.0.contains("\r\nExpires: 600\r\n"), "{}", asked.0);
    registrar.grant(&asked);
    is_up(&centre);
    let last = std::thread::spawn(move || {
        loop {
            let asked = registrar.asked();
            registrar.grant(&asked);
            if asked.0.contains("\r\nExpires: 0\r\n") {
                return asked.0;
            }
        }
    });
    centre.stop();
    let last = last.join().expect("the carrier is told that we go");
    assert!(last.starts_with(&first), "{last}");
}

/// Who is not answered does not wait for ever.
#[test]
fn a_registrar_that_is_gone_holds_nobody_up() {
    let network = Network::new();
    let registrar = Registrar::start();
    let centre = registrar.centre(&network);
    registrar.grant(&registrar.asked());
    is_up(&centre);
    let begun = Instant::now();
    centre.stop();
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}
