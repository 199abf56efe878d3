//! A caller: SIPp's signalling and an [`Ear`].

use super::ear::Ear;
use super::network::Network;
use super::process::Process;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sipp/caller.xml");

pub struct Caller {
    pub ear: Ear,
    sipp: Process,
    address: SocketAddr,
}

impl Caller {
    /// Calls `number` at `server` from the test's address `index`.
    pub fn dial(network: &Network, index: u8, server: SocketAddr, number: &str) -> Caller {
        Caller::dial_from(network, SocketAddr::new(network.address(index), 5060), server, &["-s", number])
    }

    /// The same from any address, with further arguments for SIPp.
    pub fn dial_from(network: &Network, address: SocketAddr, server: SocketAddr, arguments: &[&str]) -> Caller {
        let ear = Ear::open(address.ip());
        let port = ear.port().to_string();
        let sipp = sipp(network, address, server, &[&["-sf", SCENARIO, "-m", "1", "-key", "rtp_port", &port], arguments].concat());
        Caller { ear, sipp, address }
    }

    /// Hangs up and waits until that is acknowledged.
    pub fn hang_up(mut self) {
        let call = format!("1-{}@{}", self.sipp.id, self.address.ip());
        let message = format!(
            "MESSAGE sip:caller@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKhangup\r\nFrom: <sip:test@{from}>;tag=test\r\n\
             To: <sip:caller@{to}>;tag=1\r\nCall-ID: {call}\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
            to = self.address,
            from = self.address.ip(),
        );
        let socket = UdpSocket::bind((self.address.ip(), 0)).expect("a loopback address has a free port");
        socket.send_to(message.as_bytes(), self.address).expect("loopback takes a datagram");
        self.sipp.succeeds();
    }

    /// The power fails: nobody is told, and nothing is sent any more.
    pub fn vanish(mut self) {
        self.sipp.kill();
    }

    /// Waits until the centre has ended the call.
    pub fn hears_the_end(mut self) {
        self.sipp.succeeds();
    }

    /// Whether the call goes on.
    pub fn is_connected(&mut self) -> bool {
        self.sipp.is_running()
    }
}

/// Starts SIPp at `local`, calling `remote`; its messages are written to the test's directory.
pub fn sipp(network: &Network, local: SocketAddr, remote: SocketAddr, arguments: &[&str]) -> Process {
    let (address, port) = (local.ip().to_string(), local.port().to_string());
    let log = network.directory().join(format!("sipp-{address}.log"));
    let errors = std::fs::File::create(log.with_extension("errors")).expect("the test's directory takes a file");
    let mut command = Command::new("sipp");
    command.arg(remote.to_string()).args(["-i", &address, "-mi", &address, "-ci", &address, "-p", &port]).args(arguments);
    command.args(["-nostdin", "-trace_msg", "-message_file"]).arg(&log).current_dir(network.directory()).stderr(errors);
    Process::start(&mut command)
}
