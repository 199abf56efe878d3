//! Codes that a telephone dials: each does what it says, and says so in the agent's language.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::reached::says;
use super::sound;
use careline::acd::{AgentState, NotReadyReason};
use careline::model::AgentId;

/// Straight to billing in Spanish: 1005 is asked first.
const BILLING: &str = "+13125550102";
const TONE: f64 = 700.0;

/// Dials a code and hears these prompts to their end.
fn dial(phone: &mut Phone, centre: &Centre, code: &str, prompts: &[&str]) {
    phone.dial(code, centre.sip());
    for prompt in prompts {
        phone.hears(prompt, |heard| says(heard, prompt));
    }
    phone.call_ends();
}

#[test]
fn an_agent_logs_in_at_another_telephone_and_is_rung_there() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    // An English speaker's telephone, and an agent who speaks Spanish.
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.dial("*10", centre.sip());
    phone.hears("the question for the number", |heard| says(heard, "en/agent_number"));
    phone.press("1005#");
    phone.hears("the question for the PIN", |heard| says(heard, "en/agent_pin"));
    phone.press("1002#");
    phone.hears("the refusal", |heard| says(heard, "en/login_refused"));
    phone.press("1005#1005#");
    phone.hears("the welcome", |heard| says(heard, "es/logged_in"));
    phone.call_ends();
    centre.agent(1002, "logged out by who came", |state| state == AgentState::LoggedOut);
    centre.agent(1005, "logged in", |state| state == AgentState::NotReady(NotReadyReason::LoggedIn));
    dial(&mut phone, &centre, "*11", &["es/missed_calls", "es/ready"]);
    let view = centre.wait("1005 ready", |view| view.agents[&AgentId(1005)].state == AgentState::Ready);
    assert_eq!(view.agents[&AgentId(1005)].station, AgentId(1002));

    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    assert_eq!(phone.rings_for(), "Billing · ES");
    phone.accept();
    caller.ear.listen_until(0, "the tone of 1002's telephone", |heard| sound::tone_ms(heard, TONE) >= 500);
    centre.agent(1005, "talking", |state| matches!(state, AgentState::Talking(_)));
    caller.hang_up();
    phone.call_ends();
    centre.agent(1005, "ready again", |state| state == AgentState::Ready);
    dial(&mut phone, &centre, "*14", &["es/logged_out"]);
    centre.agent(1005, "logged out", |state| state == AgentState::LoggedOut);
    dial(&mut phone, &centre, "*11", &["en/nobody_here", "en/how_to_log_in"]);
    let [record] = &centre.stop()[..] else { panic!("codes leave no record") };
    assert_eq!(record.segments[0].agent, 1005);
}

#[test]
fn a_missed_call_is_listed_and_told() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("ring_timeout = \"12s\"", "ring_timeout = \"2s\"")]);
    let mut phone = Phone::start(&network, 1, 1005, TONE, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    let caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    phone.call_ends();
    centre.agent(1005, "not ready, having missed it", |state| state == AgentState::NotReady(NotReadyReason::RingNoAnswer));
    caller.hang_up();
    let shown = centre.ask("GET /api/v1/view", "");
    assert!(shown.contains(r#""missed":[{"at":"#) && shown.contains(r#""queue":"billing"}]"#), "{shown}");
    assert!(!shown.contains("5550123"), "whose call it was is not listed");
    dial(&mut phone, &centre, "*11", &["es/missed_calls", "es/n1", "es/ready"]);
    let view = centre.wait("1005 ready", |view| view.agents[&AgentId(1005)].state == AgentState::Ready);
    assert_eq!(view.agents[&AgentId(1005)].missed, []);
}

#[test]
fn what_is_asked_in_a_call_begins_when_it_ends() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("wrap_up = \"3s\"", "wrap_up = \"5m\"")]);
    let mut phone = Phone::start_with_two_lines(&network, 1, 1005, TONE, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    dial(&mut phone, &centre, "*13", &["es/no_wrap_up"]);
    let caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    phone.accept();
    centre.agent(1005, "talking", |state| matches!(state, AgentState::Talking(_)));
    dial(&mut phone, &centre, "*121", &["es/on_break", "es/after_call"]);
    centre.agent(1005, "talking still", |state| matches!(state, AgentState::Talking(_)));
    caller.hang_up();
    centre.agent(1005, "in after-call work", |state| matches!(state, AgentState::WrapUp { .. }));
    dial(&mut phone, &centre, "*122", &["es/on_meal", "es/after_wrap_up"]);
    dial(&mut phone, &centre, "*13", &["es/wrap_up_ended"]);
    centre.agent(1005, "at their meal", |state| state == AgentState::NotReady(NotReadyReason::Meal));
    phone.dial("*12", centre.sip());
    phone.hears("the question why", |heard| says(heard, "es/why_not_ready"));
    phone.press("3");
    phone.hears("the confirmation", |heard| says(heard, "es/on_training"));
    centre.agent(1005, "in training", |state| state == AgentState::NotReady(NotReadyReason::Training));
}

#[test]
fn each_reason_is_a_key_and_ready_forgets_it() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    for (code, said, reason) in [
        ("*121", "en/on_break", NotReadyReason::Break),
        ("*122", "en/on_meal", NotReadyReason::Meal),
        ("*123", "en/on_training", NotReadyReason::Training),
        ("*124", "en/not_ready", NotReadyReason::Other),
    ] {
        dial(&mut phone, &centre, code, &[said]);
        centre.agent(1002, said, |state| state == AgentState::NotReady(reason));
    }
    dial(&mut phone, &centre, "*11", &["en/missed_calls", "en/n0", "en/ready"]);
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
}

/// The last word counts: first ready once more, then home.
#[test]
fn who_logs_out_in_a_call_is_logged_out_when_it_ends() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("wrap_up = \"3s\"", "wrap_up = \"0s\"")]);
    let mut phone = Phone::start_with_two_lines(&network, 1, 1005, TONE, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    let caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    phone.accept();
    centre.agent(1005, "talking", |state| matches!(state, AgentState::Talking(_)));
    dial(&mut phone, &centre, "*11", &["es/missed_calls", "es/n0", "es/ready", "es/after_call"]);
    dial(&mut phone, &centre, "*14", &["es/logged_out", "es/after_call"]);
    centre.agent(1005, "talking still", |state| matches!(state, AgentState::Talking(_)));
    caller.hang_up();
    centre.agent(1005, "logged out", |state| state == AgentState::LoggedOut);
}

/// Some telephones keep `*1x` to themselves: a centre may have other codes, which a reload takes too.
#[test]
fn a_centre_has_codes_of_its_own() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("[http]", "[codes]\nlog_out = \"714\"\nready = \"711\"\n\n[http]")]);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.is_refused("*14", centre.sip(), "en/number_refused");
    dial(&mut phone, &centre, "714", &["en/logged_out"]);
    centre.agent(1002, "logged out", |state| state == AgentState::LoggedOut);
    centre.reload(&[("log_out = \"714\"", "log_out = \"*14\"\nlog_in = \"710\"")]).expect("it is good");
    phone.is_refused("714", centre.sip(), "en/number_refused");
    // How to log in would be told wrong.
    dial(&mut phone, &centre, "711", &["en/nobody_here"]);
    let heard = phone.heard();
    assert!(!heard.iter().any(|call| says(call, "en/how_to_log_in")), "the code is another here");
}

#[test]
fn an_echo_test_gives_back_what_is_said() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Phone::start(&network, 1, 1002, TONE, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    phone.dial("*43", centre.sip());
    phone.hears("what the test is", |heard| says(heard, "en/echo_test"));
    centre.agent(1002, "busy with it", |state| state == AgentState::OwnCall);
    phone.hears("its own tone", |heard| sound::tone_ms(heard, TONE) >= 1_000);
    phone.hang_up();
    phone.call_ends();
    centre.agent(1002, "ready again", |state| state == AgentState::Ready);
    assert_eq!(centre.stop().len(), 0);
}
