//! A centre that is told to stop: everybody hears it, and nothing of what happened is lost.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use careline::acd::AgentState;

#[test]
fn a_centre_that_stops_ends_every_call_and_writes_it_down() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut agent = Phone::start(&network, 1, 1004, 700.0, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let talking = Caller::dial(&network, 3, centre.sip(), "+13125550102");
    agent.rings();
    agent.accept();
    centre.agent(1004, "talking", |state| matches!(state, AgentState::Talking(_)));
    let waiting = Caller::dial(&network, 4, centre.sip(), "+13125550102");
    centre.wait("the second caller to wait", |view| view.in_queue == 1);

    let records = centre.stop();
    talking.hears_the_end();
    waiting.hears_the_end();
    agent.call_ends();
    let dispositions: Vec<&str> = records.iter().map(|record| &*record.disposition).collect();
    assert_eq!(dispositions, ["answered", "failed"]);
    assert_eq!(records[0].segments[0].agent, 1004);
}
