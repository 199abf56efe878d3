//! Stations that behave as telephones sometimes do: slow to answer, out of order for a moment, quiet after a log-out.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone as Baresip;
use super::process::PATIENCE;
use super::reached::says;
use careline::acd::{AgentState, NotReadyReason};
use careline::loadgen::phone::{Output, Phone, Seen};
use careline::model::{AgentId, Time};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const BILLING_IN_SPANISH: &str = "+13125550102";

/// One telephone that acts only when it is told to: until then the kernel keeps what comes.
struct Station {
    socket: UdpSocket,
    server: SocketAddr,
    phone: Phone,
    seen: VecDeque<Seen>,
    started: Instant,
}

impl Station {
    fn start(network: &Network, index: u8, agent: u64, server: SocketAddr) -> Station {
        let socket = UdpSocket::bind((network.address(index), 5060)).expect("the test's addresses are free");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a span above zero");
        let phone = Phone::new(&agent.to_string(), socket.local_addr().expect("bound"), server, agent);
        let mut station = Station { socket, server, phone, seen: VecDeque::new(), started: Instant::now() };
        station.register(agent);
        station
    }

    fn register(&mut self, agent: u64) {
        self.act(|phone, now, out| phone.register(now, &format!("demo-{agent}"), out));
        self.sees("its registration", |seen| *seen == Seen::Registered);
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Phone, Time, &mut Output) -> T) -> T {
        let now = Time(1) + self.started.elapsed();
        let mut out = Output::default();
        let result = act(&mut self.phone, now, &mut out);
        for bytes in out.send {
            self.socket.send_to(&bytes, self.server).expect("loopback takes a datagram");
        }
        self.seen.extend(out.seen);
        result
    }

    /// What happens next at this telephone, if anything.
    fn listen(&mut self) -> Option<Seen> {
        let mut room = [0; 65_536];
        if self.seen.is_empty() {
            if let Ok(length) = self.socket.recv(&mut room) {
                self.act(|phone, now, out| phone.receive(now, &room[..length], out));
            }
            self.act(|phone, now, out| phone.handle_timer(now, out));
        }
        self.seen.pop_front()
    }

    /// Goes on until it has seen this; all that it saw on the way.
    fn sees(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let begun = Instant::now();
        let mut all = Vec::new();
        while begun.elapsed() < PATIENCE {
            all.extend(self.listen());
            if all.last().is_some_and(&wanted) {
                return all;
            }
        }
        panic!("the telephone never saw {what}: {all:?}");
    }
}

fn incoming(seen: &Seen) -> bool {
    matches!(seen, Seen::Incoming { .. })
}

fn dialog(seen: &[Seen]) -> careline::loadgen::phone::DialogId {
    let Some(Seen::Incoming { dialog, .. }) = seen.last() else { panic!("no call in {seen:?}") };
    *dialog
}

#[test]
fn a_station_is_rung_again_only_when_it_is_done_with_the_offer_before() {
    let network = Network::new();
    // However slow this goes, nobody loses patience with the telephone.
    let realm = "realm = \"riverside.example\"";
    let patient = format!("{realm}\nprobe_timeout = \"5m\"");
    let centre = Centre::start(&network, &[(realm, &patient), ("ring_timeout = \"12s\"", "ring_timeout = \"5m\"")]);
    let mut station = Station::start(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let first = Caller::dial(&network, 2, centre.sip(), BILLING_IN_SPANISH);
    centre.agent(1004, "offered the first call", |state| matches!(state, AgentState::Offered(_)));
    // The telephone has said nothing yet: our CANCEL must wait (RFC 3261 §9.1), and so must the next INVITE.
    first.hang_up();
    centre.agent(1004, "free again", |state| state == AgentState::Ready);
    let _second = Caller::dial(&network, 3, centre.sip(), BILLING_IN_SPANISH);
    centre.agent(1004, "offered the second call", |state| matches!(state, AgentState::Offered(_)));

    let seen = station.sees("the first call", incoming);
    let rung = dialog(&seen);
    station.act(|phone, now, out| phone.ring(now, rung, out));
    let seen = station.sees("the second call", incoming);
    assert!(seen.contains(&Seen::Cancelled { dialog: rung }), "the first call ends before the second comes: {seen:?}");
}

#[test]
fn a_station_that_was_out_of_order_is_rung_again_when_it_registers() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut station = Station::start(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let _caller = Caller::dial(&network, 2, centre.sip(), BILLING_IN_SPANISH);
    let rung = dialog(&station.sees("the call", incoming));
    station.act(|phone, now, out| phone.refuse(now, rung, 503, out));
    centre.agent(1004, "not to be reached", |state| state == AgentState::NotReady(NotReadyReason::StationLost));
    station.register(1004);
    station.sees("the call again", incoming);
}

#[test]
fn an_agent_who_logged_out_stays_out_while_the_telephone_keeps_its_registration() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut station = Station::start(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    centre.set_agent(1004, "logged_out");
    centre.agent(1004, "logged out", |state| state == AgentState::LoggedOut);
    station.register(1004);
    // Another agent who comes after that shows that the view is newer.
    let _other = Station::start(&network, 2, 1005, centre.sip());
    let ready = |view: &careline::acd::View| view.agents[&AgentId(1005)].state == AgentState::Ready;
    let view = centre.wait("agent 1005 ready", ready);
    assert_eq!(view.agents[&AgentId(1004)].state, AgentState::LoggedOut);
}

/// A telephone of theirs registers, which logs them in: within its call it is rung by nobody.
#[test]
fn who_is_taken_off_the_list_and_put_back_within_a_call_is_busy() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Baresip::start(&network, 1, 1002, 700.0, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.dial("*14", centre.sip());
    phone.call_ends();
    centre.agent(1002, "logged out", |state| state == AgentState::LoggedOut);
    phone.dial("*43", centre.sip());
    phone.hears("what the test is", |heard| says(heard, "en/echo_test"));
    let known = "[agents.1002]\nname = ";
    let other = "[agents.1009]\nname = ";
    assert_eq!(centre.reload(&[(known, other)]).expect("it is good").diff.removed, ["agent 1002"]);
    assert_eq!(centre.reload(&[(other, known)]).expect("it is good").diff.added, ["agent 1002"]);
    Station::start(&network, 2, 1002, centre.sip());
    centre.agent(1002, "busy with the test", |state| state == AgentState::OwnCall);
    phone.hang_up();
    phone.call_ends();
    centre.agent(1002, "ready when it is over", |state| state == AgentState::Ready);
}

/// The telephone of the old password is out at the reload; in the meantime nobody is sent to it.
#[test]
fn another_password_puts_the_telephone_out() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut station = Station::start(&network, 1, 1002, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    centre.reload(&[("password = \"demo-1002\"", "password = \"another-1002\"")]).expect("it is good");
    centre.agent(1002, "without a telephone", |state| state == AgentState::NotReady(NotReadyReason::StationLost));
    station.act(|phone, now, out| phone.register(now, "another-1002", out));
    station.sees("its registration", |seen| *seen == Seen::Registered);
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
}
