//! The ways in: IPv6 beside IPv4, connections beside datagrams. Whoever comes by either reaches the same agents.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::sound;
use careline::acd::AgentState;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

const BILLING_IN_SPANISH: &str = "+13125550102";
const CALLER: f64 = 440.0;
const AGENT: f64 = 700.0;
const PATIENCE: Duration = Duration::from_secs(30);

/// The agent is rung, both hear each other, and the agent's goodbye reaches the caller.
fn talks_and_ends(centre: &Centre, mut agent: Phone, mut caller: Caller) {
    agent.rings();
    agent.accept();
    caller.ear.tone(CALLER);
    let answered = caller.ear.mark();
    caller.ear.listen_until(answered, "the agent's tone", |heard| sound::tone_ms(heard, AGENT) >= 500);
    centre.agent(1004, "talking", |state| matches!(state, AgentState::Talking(_)));
    caller.ear.listen(Duration::from_secs(1));
    agent.hang_up();
    caller.hears_the_end();
    centre.agent(1004, "ready again", |state| state == AgentState::Ready);
    assert!(sound::tone_ms(agent.heard().last().expect("the phone recorded it"), CALLER) >= 900, "the agent hears the caller");
}

#[test]
fn a_caller_over_ipv6_talks_to_an_agent_on_ipv4() {
    let network = Network::new();
    let ipv4 = SocketAddr::new(network.address(0), 5060);
    let (listen, sound) = (format!("listen = \"{ipv4}\""), format!("address = \"{}\"", ipv4.ip()));
    let centre = Centre::start(
        &network,
        &[
            (&listen, &format!("listen = [\"[::1]:0\", \"{ipv4}\"]")),
            (&sound, &format!("address = [\"{}\", \"::1\"]", ipv4.ip())),
            ("[\"127.0.0.0/8\"]", "[\"127.0.0.0/8\", \"::1\"]"),
        ],
    );
    assert!(centre.sip().is_ipv6());
    let agent = Phone::start(&network, 1, 1004, AGENT, ipv4);
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    // Any free port: the loopback of IPv6 is one address for all tests.
    let free = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("IPv6 has a loopback");
    let caller = Caller::dial_from(
        &network,
        SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), free.port()),
        centre.sip(),
        &["-s", BILLING_IN_SPANISH],
    );
    talks_and_ends(&centre, agent, caller);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!(&*record.disposition, "answered");
}

#[test]
fn a_caller_over_tcp_talks_to_an_agent_and_a_lie_about_a_length_ends_only_its_own_connection() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("realm =", "limits = { half_message = \"1s\" }\nrealm =")]);
    let agent = Phone::start(&network, 1, 1004, AGENT, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let address = SocketAddr::new(network.address(3), 5060);
    let caller = Caller::dial_from(&network, address, centre.sip(), &["-t", "t1", "-s", BILLING_IN_SPANISH]);
    let liar = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";
    for (length, code) in
        [("Content-Length: 0\r\n", "200"), ("", "400"), ("Content-Length: -1\r\n", "400"), ("Content-Length: 9\r\n", "400")]
    {
        let mut stream = TcpStream::connect(centre.sip()).expect("the centre takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time-out");
        let begun = Instant::now();
        stream.write_all(format!("{liar}{length}\r\n").as_bytes()).expect("loopback takes it");
        let mut heard = [0; 4096];
        let first = stream.read(&mut heard).expect("an answer comes");
        assert_eq!(std::str::from_utf8(&heard[8..11]), Ok(code), "{length:?}: {first} octets");
        if code == "400" {
            assert_eq!(stream.read(&mut heard).expect("then the end"), 0, "{length:?}");
            assert!(begun.elapsed() < PATIENCE, "{length:?}");
        }
    }
    talks_and_ends(&centre, agent, caller);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_sip_requests_total", &["method=\"INVITE\"", "transport=\"tcp\"", "code_class=\"2xx\""]), 1.0);
    assert_eq!(centre.stop().len(), 1);
}
