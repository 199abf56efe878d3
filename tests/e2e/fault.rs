//! A fault of the core's while calls are alive: nobody is cut off, and nothing that was counted is forgotten.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use careline::acd::event::LEGS_OF_THE_CORE;
use careline::acd::{AgentState, Event};
use careline::model::{CallId, LegId, Phi};

const BILLING_IN_SPANISH: &str = "+13125550102";

#[test]
fn calls_go_on_over_a_fault_of_the_core() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Phone::start(&network, 1, 1004, 700.0, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut talking = Caller::dial(&network, 2, centre.sip(), BILLING_IN_SPANISH);
    phone.rings();
    phone.accept();
    centre.agent(1004, "talking", |state| matches!(state, AgentState::Talking(_)));
    let mut waiting = Caller::dial(&network, 3, centre.sip(), BILLING_IN_SPANISH);
    centre.wait("the second caller in the queue", |view| view.in_queue == 1);
    let before = centre.metrics().sum("careline_flow_steps_total", &[]);

    // A leg that the core numbers itself cannot bring a caller: an assertion of the core's says so.
    let (from, to) = (Phi("+13125550199".to_string()), Phi(BILLING_IN_SPANISH.to_string()));
    centre.tell(Event::CallArrived { call: CallId(1_000_000), leg: LegId(LEGS_OF_THE_CORE), from, to });
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_core_recoveries_total", &[]), 1.0);
    assert_eq!(figures.sum("careline_flow_steps_total", &[]), before);
    assert_eq!(figures.sum("careline_late_events_total", &[]), 0.0);
    centre.agent(1004, "talking still", |state| matches!(state, AgentState::Talking(_)));
    let sound = talking.ear.mark();
    talking.ear.listen_until(sound, "the agent's tone after the fault", |heard| super::sound::tone_ms(heard, 700.0) >= 500);
    assert!(talking.is_connected() && waiting.is_connected());

    talking.hang_up();
    phone.call_ends();
    centre.ask_agent(1004, r#"{"state": "ready"}"#);
    phone.rings();
    phone.accept();
    centre.agent(1004, "talking to the second", |state| matches!(state, AgentState::Talking(_)));
    waiting.hang_up();
    centre.wait("no call", |view| view.figures.calls_arrived == 2 && view.in_queue == 0 && view.talking == 0);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_visits_offered_total", &[]), 2.0);
    assert_eq!(figures.sum("careline_visits_answered_total", &[]), 2.0);
    assert_eq!(figures.sum("careline_invariant_violations_total", &[]), 0.0);
    let quarantine = network.directory().join("data/quarantine");
    assert_eq!(std::fs::read_dir(quarantine).expect("what failed is set aside").count(), 1);
    let records = centre.stop();
    let said: Vec<(&str, usize)> = records.iter().map(|record| (record.disposition.as_str(), record.segments.len())).collect();
    assert_eq!(said, [("answered", 1), ("answered", 1)]);
}
