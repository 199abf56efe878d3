//! Our registration at a trunk, and whether its peers are there.

use crate::wire::{START, Wire, at, hand, ms, open_settings, request, settings};
use careline::sip::{Account, Credentials, Endpoint, Flow, Health, Peer, Random, Registration, Report, Settings, Transport, Trunk};
use std::net::SocketAddr;
use std::time::Duration;

const CENTRE: &str = "127.0.0.1:5060";
const CARRIER: &str = "127.0.1.1:5060";
const OTHER: &str = "127.0.1.2:5060";

fn peer(address: &str) -> Peer {
    Peer { address: at(address), transport: Transport::Udp }
}

fn with(trunk: Trunk) -> Settings {
    let account = Some(Account { user: "clinic".to_string(), password: "demo-trunk".to_string() });
    Settings { trunks: vec![Trunk { name: "carrier".into(), account, ..trunk }], ..settings() }
}

fn registering() -> Settings {
    let register = Some(Registration { registrar: peer(CARRIER), domain: "carrier.example".to_string(), seconds: 100 });
    with(Trunk { register, ..Trunk::default() })
}

/// A registrar of our own make: its other tests hold it to the RFC.
fn registrar() -> Settings {
    Settings { users: [("clinic".to_string(), Credentials::new("clinic", "care", "demo-trunk"))].into(), ..open_settings() }
}

fn house(settings: Settings) -> (Wire, SocketAddr) {
    let mut wire = Wire::new(1);
    let centre = wire.join(CENTRE, settings);
    wire.act(centre, |party, _, _| party.listen(vec![centre]));
    (wire, centre)
}

fn state(up: bool) -> Report {
    Report::TrunkState { name: "carrier".into(), up }
}

#[test]
fn we_register_with_proof_and_stay_registered() {
    let (mut wire, centre) = house(registering());
    let carrier = wire.join(CARRIER, registrar());
    wire.run_for(ms(100));
    assert_eq!(wire.take_reports(centre), [state(true)]);
    let flow = Flow::udp(carrier, centre);
    assert_eq!(wire.take_reports(carrier), [Report::Registered { user: "clinic".to_string(), fresh: true, flow }]);
    wire.run_for(Duration::from_secs(400));
    assert!(wire.take_reports(centre).is_empty() && wire.parties[&carrier].is_registered("clinic"));
    // Five times, each asked, challenged and proved.
    assert_eq!(wire.sent_by(centre, "REGISTER sip:carrier.example SIP/2.0").len(), 10);
    let trunks: Vec<_> = wire.parties[&centre].trunks().map(|(name, up)| (name.to_string(), up)).collect();
    assert_eq!(trunks, [("carrier".to_string(), true)]);
}

#[test]
fn a_registrar_that_is_gone_or_does_not_know_us_is_asked_later_and_later() {
    let (mut wire, centre) = house(registering());
    wire.run_for(Duration::from_secs(32 + 30 + 32 + 60));
    assert_eq!(wire.parties[&centre].trunks().map(|(_, up)| up).collect::<Vec<_>>(), [false]);
    wire.join(CARRIER, registrar());
    wire.run_for(Duration::from_secs(60));
    assert_eq!(wire.take_reports(centre), [state(true)]);
    let (mut wire, centre) = house(registering());
    wire.join(CARRIER, Settings { users: Default::default(), ..registrar() });
    wire.run_for(Duration::from_secs(29));
    assert_eq!(wire.sent_by(centre, "REGISTER").len(), 2, "asked, and asked with proof; then it waits");
    wire.run_for(Duration::from_secs(200));
    assert_eq!(wire.sent_by(centre, "REGISTER").len(), 8);
    assert!(wire.take_reports(centre).is_empty(), "it was never up");
}

#[test]
fn a_trunk_that_registers_us_is_known_by_its_registrar_and_may_aim_at_our_contact() {
    let mut endpoint = Endpoint::new(registering(), Random::seeded(1));
    let contact = "Contact: <sip:x@127.0.1.1>\r\n";
    let mut called = |from: &str, uri: &str, id: &str| {
        let text = request("INVITE", uri, at(from), id, 1, contact).replace("To: <sip:1001@", "To: <sip:+13125550100@");
        let (sent, reports) = hand(&mut endpoint, START, Flow::udp(at(CENTRE), at(from)), &text);
        (sent[0][8..11].to_string(), reports.len())
    };
    assert_eq!(called("127.0.1.1:5060", "sip:clinic@127.0.0.1", "a"), ("100".to_string(), 1));
    assert_eq!(called("127.0.1.1:5060", "sip:+13125550100@127.0.0.1", "b"), ("100".to_string(), 1));
    assert_eq!(called("127.0.1.1:5060", "sip:other@127.0.0.1", "c"), ("404".to_string(), 0));
    assert_eq!(called("127.0.1.9:5060", "sip:+13125550100@127.0.0.1", "d"), ("403".to_string(), 0));
}

#[test]
fn a_peer_that_is_gone_is_noticed_and_one_that_is_back_too() {
    let health = Some(Health { every: Duration::from_secs(10), misses: 2 });
    let (mut wire, centre) = house(with(Trunk { peers: vec![peer(CARRIER), peer(OTHER)], health, ..Trunk::default() }));
    wire.join(CARRIER, open_settings());
    wire.run_for(Duration::from_secs(100));
    assert!(wire.take_reports(centre).is_empty(), "one of two is enough");
    wire.parties.remove(&at(CARRIER));
    wire.run_for(Duration::from_secs(35));
    assert_eq!(wire.take_reports(centre), [state(false)]);
    wire.join(OTHER, open_settings());
    wire.run_for(Duration::from_secs(10));
    assert_eq!(wire.take_reports(centre), [state(true)]);
    assert!(wire.parties[&centre].transactions() < 20, "questions that nobody answers are forgotten");
}
