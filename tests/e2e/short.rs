//! A centre that runs short of ports, files or memory: who calls is told to come again (503), and nobody who is there notices.

use super::caller::Caller;
use super::centre::{Centre, ask, configure};
use super::network::Network;
use super::phone::Phone;
use super::process::{PATIENCE, Process};
use super::reached::is_music;
use super::sound::RATE;
use careline::acd::AgentState;
use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

const BILLING: &str = "+13125550102";
/// Who logs in takes no calls yet.
const NOT_READY: (&str, &str) = ("on_register = \"ready\"", "on_register = \"not_ready\"");
const PORTS: (&str, &str) = ("ports = \"20000-29999\"", "ports = \"20000-20003\"");

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
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("caller {index} is not answered: {error}"));
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

/// The caller's music goes on: no second of it is silent.
fn hears_on(caller: &mut Caller) {
    let heard = caller.ear.listen(Duration::from_secs(3));
    assert!(heard.chunks(RATE).all(|second| second.iter().any(|sample| *sample != 0)), "the music has no hole");
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
    let centre = Centre::start(&network, &[NOT_READY, PORTS]);
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

/// The program itself, whose limits can be set while it runs.
struct Server {
    process: Process,
    sip: SocketAddr,
    http: SocketAddr,
}

impl Server {
    /// Starts it with a soft limit of open files that its own files fill.
    fn start(network: &Network) -> Server {
        let directory = configure(network, &[NOT_READY]);
        let script = "ulimit -Sn 64; exec \"$0\" serve --config \"$1\" 2>&1";
        let process = Process::start(Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_careline")]).arg(directory));
        process.says("taking calls");
        let at = |port| SocketAddr::new(network.address(0), port);
        Server { process, sip: at(5060), http: at(8080) }
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id)).expect("it runs")
    }

    /// Soft and hard limit of open files.
    fn files(&self) -> [String; 2] {
        let limits = self.proc("limits");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit that every system has");
        let mut words = line.split_whitespace().map(String::from);
        [words.next().expect("soft"), words.next().expect("hard")]
    }

    /// Bytes of address space in use.
    fn size(&self) -> u64 {
        4_096 * self.proc("statm").split(' ').next().and_then(|pages| pages.parse::<u64>().ok()).expect("its size in pages")
    }

    /// Seconds of a processor that it has used.
    fn worked(&self) -> f64 {
        let stat = self.proc("stat");
        let fields = stat.rsplit(") ").next().expect("a name in brackets").split(' ');
        fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a count of ticks")).sum::<f64>() / 100.0
    }

    fn limit(&self, what: &str) {
        let status = Command::new("prlimit").args(["--pid", &self.process.id.to_string(), what]).status();
        assert!(status.is_ok_and(|status| status.success()), "prlimit {what}; tests/run installs it");
    }

    /// Calls that it has refused.
    fn refused(&self) -> usize {
        let figures = ask(self.http, "GET /metrics", "");
        let line = figures.lines().find(|line| line.starts_with("careline_calls_total{did=\"other\",disposition=\"refused\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("the count of refused calls")
    }
}

#[test]
fn out_of_files_a_caller_is_told_to_come_again_and_who_waits_waits_on() {
    let network = Network::new();
    let server = Server::start(&network);
    let [soft, hard] = server.files();
    assert_eq!(soft, hard, "it raises the soft limit itself");
    let mut phone = Phone::start(&network, 8, 1004, 700.0, server.sip);
    phone.registers();
    let mut caller = waits(&network, 1, server.sip);

    // What it has open it keeps; nothing more is to be had, and who knocks by TCP has to wait.
    server.limit(&format!("--nofile=1:{hard}"));
    let knocks = [server.sip, server.http].map(|door| TcpStream::connect(door).expect("the kernel takes it"));
    let before = server.worked();
    assert_eq!(answer(&network, 3, server.sip), 503);
    hears_on(&mut caller);
    let worked = server.worked() - before;
    assert!(worked < 1.5, "it waits for files, and does not ask for them all the time: {worked} s of work in 3 s");
    assert_eq!(answer(&network, 4, server.sip), 503);

    server.limit(&format!("--nofile={hard}:{hard}"));
    assert_eq!(answer(&network, 5, server.sip), 200, "it has files again");
    assert_eq!(server.refused(), 2);
    hears_on(&mut caller);
    drop(knocks);
    caller.hang_up();
}

#[test]
fn short_of_memory_a_caller_is_told_to_come_again_and_who_waits_waits_on() {
    let network = Network::new();
    let server = Server::start(&network);
    let mut phone = Phone::start(&network, 8, 1004, 700.0, server.sip);
    phone.registers();
    let mut caller = waits(&network, 1, server.sip);

    // Less than the reserve of 64 MiB is left.
    server.limit(&format!("--as={}:unlimited", server.size() + (48 << 20)));
    // What it last saw may be a tenth of a second old: longer has been heard when this returns.
    hears_on(&mut caller);
    assert_eq!(answer(&network, 3, server.sip), 503);
    assert_eq!(server.refused(), 1);
    hears_on(&mut caller);
    server.limit("--as=unlimited:unlimited");
    hears_on(&mut caller);
    assert_eq!(answer(&network, 4, server.sip), 200, "there is memory again");
    hears_on(&mut caller);
    caller.hang_up();
}
