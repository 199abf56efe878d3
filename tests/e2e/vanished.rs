//! Parties who vanish: no BYE, no more sound. What is left of the call goes on without them.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::reached::{ends_in_music, says};
use super::sound;
use careline::acd::{AgentState, NotReadyReason};

/// Straight to billing in Spanish: 1005 is asked first, then 1004.
const BILLING: &str = "+13125550102";
const FIRST: f64 = 600.0;
const SECOND: f64 = 700.0;
/// As shipped it is ten seconds and four.
pub const SOON: [(&str, &str); 2] = [
    ("ports = \"20000-29999\"", "ports = \"20000-29999\"\nsilence = \"3s\""),
    ("realm = \"riverside.example\"", "realm = \"riverside.example\"\nprobe_timeout = \"3s\""),
];

#[test]
fn who_talks_with_an_agent_whose_telephone_dies_waits_again_before_all_who_came_later() {
    let network = Network::new();
    let centre = Centre::start(&network, &SOON);
    let mut first = Phone::start(&network, 1, 1005, FIRST, centre.sip());
    let mut second = Phone::start(&network, 2, 1004, SECOND, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    centre.rest(1004);
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    let mut one = Caller::dial(&network, 3, centre.sip(), BILLING);
    first.rings();
    first.accept();
    one.ear.listen_until(0, "1005's tone", |heard| sound::tone_ms(heard, FIRST) >= 500);
    let other = Caller::dial(&network, 4, centre.sip(), BILLING);
    centre.wait("the second caller in the queue", |view| view.in_queue == 1);

    let talked = one.ear.mark();
    first.dies();
    centre.wait("both callers in the queue", |view| view.in_queue == 2);
    one.ear.listen_until(talked, "the apology", |heard| says(heard, "es/apology"));
    one.ear.listen_until(talked, "hold music", ends_in_music);
    // Their after-call work over, they are not to be reached until the telephone registers again.
    let lost = AgentState::NotReady(NotReadyReason::StationLost);
    centre.agent(1005, "not to be reached", |state| state == lost);
    centre.set_agent(1004, "ready");
    second.rings();
    second.accept();
    let answered = one.ear.mark();
    one.ear.listen_until(answered, "1004's tone", |heard| sound::tone_ms(heard, SECOND) >= 500);
    let mut again = Phone::start(&network, 5, 1005, FIRST, centre.sip());
    again.rings();
    other.hang_up();
    one.hang_up();
    centre.wait("both calls over", |view| view.figures.calls_ended == 2);

    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_visits_answered_total", &["queue=\"billing\""]), 2.0);
    assert_eq!(figures.sum("careline_visits_offered_total", &["queue=\"billing\""]), 3.0, "the caller's second visit is a new one");
    assert_eq!(figures.sum("careline_calls_total", &["disposition=\"answered\""]), 1.0);
    let records = centre.stop();
    let record = &records[0];
    assert_eq!((&*record.disposition, record.visits.len()), ("answered", 2));
    assert_eq!(record.segments.iter().map(|segment| segment.agent).collect::<Vec<_>>(), [1005, 1004]);
}

#[test]
fn a_caller_who_vanishes_frees_the_agent() {
    let network = Network::new();
    let centre = Centre::start(&network, &SOON);
    let mut phone = Phone::start(&network, 1, 1005, FIRST, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    phone.accept();
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, FIRST) >= 500);
    caller.vanish();
    phone.call_ends();
    centre.agent(1005, "ready again", |state| state == AgentState::Ready);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!(&*record.disposition, "answered");
}

#[test]
fn a_caller_who_vanishes_from_the_queue_is_waited_for_no_longer() {
    let network = Network::new();
    let centre = Centre::start(&network, &SOON);
    let _phone = Phone::start(&network, 1, 1005, FIRST, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    centre.rest(1005);
    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    centre.wait("a waiting call", |view| view.in_queue == 1);
    caller.ear.listen_until(0, "any sound", |heard| heard.len() > sound::RATE);
    caller.vanish();
    centre.wait("nobody in the queue", |view| view.in_queue == 0 && view.figures.calls_ended == 1);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, &*record.visits[0].outcome), ("failed", "failed"));
}
