//! What stations dial: help at once, a number by rule, and nothing else.

use super::caller::sipp;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::process::Process;
use super::reached::says;
use super::sound;
use careline::acd::AgentState;
use std::net::SocketAddr;

const TONE: f64 = 700.0;
const FAR: f64 = 500.0;
/// Where the carrier's far side is.
const CARRIER: u8 = 8;
const OUTSIDE: u64 = 3_125_550_123;

/// A centre whose trunk takes calls, with what its agents may dial.
fn centre(network: &Network, emergency: bool) -> Centre {
    let peer = SocketAddr::new(network.address(CARRIER), 5060);
    let trunk = format!("addresses = [\"127.0.0.0/8\"]\npeers = [\"{peer}\"]\nemergency = {emergency}");
    let rules = "[outward.local]\nnumbers = [\"9NXXNXXXXXX\"]\ntrunk = \"loopback\"\nstrip = 1\ncaller = \"+13125550100\"\nagents = [\"1002\"]\n\n\
                 [locations.front]\ncountry = \"US\"\nstate = \"IL\"\nfloor = \"3\"\ncallback = \"+13125550100\"\n\n[agents.1002]\nlocation = \"front\"";
    Centre::start(network, &[("addresses = [\"127.0.0.0/8\"]", &trunk), ("[agents.1002]", rules)])
}

fn carrier(network: &Network) -> Process {
    carrier_who(network, "carrier", &["-rtp_echo"])
}

fn carrier_who(network: &Network, scenario: &str, arguments: &[&str]) -> Process {
    let scenario = format!("{}/tests/e2e/sipp/{scenario}.xml", env!("CARGO_MANIFEST_DIR"));
    let address = SocketAddr::new(network.address(CARRIER), 5060);
    sipp(network, address, address, &[&["-sf", &scenario, "-m", "1"], arguments].concat())
}

#[test]
fn who_dials_911_is_connected_at_once_with_their_location() {
    let network = Network::new();
    let centre = centre(&network, true);
    let mut far = carrier(&network);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.dial("9911", centre.sip());
    phone.hears("its own tone from the far side", |heard| sound::tone_ms(heard, TONE) >= 1_000);
    centre.agent(1002, "busy", |state| state == AgentState::OwnCall);
    phone.hang_up();
    far.succeeds();
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
    assert_eq!(centre.metrics().sum("careline_calls_placed_total", &["kind=\"emergency\"", "disposition=\"reached\""]), 1.0);
    let said = std::fs::read_to_string(network.directory().join(format!("sipp-{}.log", network.address(CARRIER)))).expect("SIPp logs");
    for part in
        ["INVITE sip:911@", "From: <sip:+13125550100@", "Geolocation: <cid:location@careline>", "<ca:A1>IL</ca:A1><ca:FLR>3</ca:FLR>"]
    {
        assert!(said.contains(part), "the carrier is told {part}: {said}");
    }
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, record.segments[0].agent), ("reached", 1002));
}

#[test]
fn who_dials_911_where_it_cannot_go_out_is_told_so() {
    let network = Network::new();
    let centre = centre(&network, false);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.dial("911", centre.sip());
    phone.hears("what else to do", |heard| says(heard, "en/use_another_telephone"));
    phone.call_ends();
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_calls_placed_total", &["kind=\"emergency\"", "disposition=\"not_reached\""]), 1.0);
    let busy = figures.sum("careline_agent_state_seconds_total", &["state=\"own_call\""]);
    assert!(busy >= 10.0, "who is told twice is called by nobody meanwhile: busy for {busy} s");
}

#[test]
fn an_agent_dials_out_by_rule_and_nobody_dials_otherwise() {
    let network = Network::new();
    let centre = centre(&network, false);
    let mut far = Phone::start_alone(&network, CARRIER, OUTSIDE, FAR);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    let mut other = Phone::start(&network, 2, 1004, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let dialled = format!("9{OUTSIDE}");
    other.is_refused(&dialled, centre.sip(), "es/number_refused");
    phone.is_refused("0114420", centre.sip(), "en/number_refused");
    phone.is_refused(&OUTSIDE.to_string(), centre.sip(), "en/number_refused");
    assert!(!far.has_rung(), "what no rule lets out goes nowhere");

    phone.start_to_dial(&dialled, centre.sip());
    far.rings();
    centre.agent(1002, "busy", |state| state == AgentState::OwnCall);
    far.accept();
    phone.is_answered();
    phone.hears("the far side's tone", |heard| sound::tone_ms(heard, FAR) >= 500);
    far.hears("the agent's tone", |heard| sound::tone_ms(heard, TONE) >= 500);
    far.hang_up();
    phone.call_ends();
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_sip_guard_total", &["what=\"forbidden\""]), 3.0);
    assert_eq!(figures.sum("careline_calls_placed_total", &["kind=\"outward\"", "disposition=\"reached\""]), 1.0);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, record.segments[0].agent), ("reached", 1002));
}

/// What a network says instead of ringing is for the agent's ears: nothing is answered, and nothing costs.
#[test]
fn an_agent_hears_what_the_trunk_plays_before_any_answer() {
    let network = Network::new();
    let second: Vec<u8> = (0..sound::RATE).map(|index| sound::to_ulaw(sound::tone(FAR, index))).collect();
    std::fs::write(network.directory().join("announcement.ulaw"), second).expect("the test's directory takes a file");
    let centre = centre(&network, false);
    let mut far = carrier_who(&network, "announces", &[]);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.start_to_dial(&format!("9{OUTSIDE}"), centre.sip());
    phone.hears("the announcement", |heard| sound::tone_ms(heard, FAR) >= 1_000);
    centre.agent(1002, "busy", |state| state == AgentState::OwnCall);
    phone.hang_up();
    far.succeeds();
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_calls_placed_total", &["kind=\"outward\"", "disposition=\"not_reached\""]), 1.0);
    assert_eq!(figures.sum("careline_calls_placed_total", &[]), 1.0);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, record.answered_at), ("not_reached", None));
}
