//! The main job: a caller reaches the right agent by skill, in their language, with sound both ways.

use super::caller::Caller;
use super::centre::{Centre, prompt};
use super::network::Network;
use super::phone::Phone;
use super::sound::{self, SAME, find};
use careline::acd::AgentState;
use careline::model::AgentId;
use std::sync::OnceLock;
use std::time::Duration;

const CALLER: f64 = 440.0;
const ENGLISH: f64 = 600.0;
const SPANISH: f64 = 700.0;

/// Whether the prompt is heard anywhere in this.
pub fn says(heard: &[i16], name: &str) -> bool {
    find(&sound::read(&prompt(name)), heard).0 > SAME
}

/// Whether this is hold music: its loudest quarter of a second is found in the loop.
pub fn is_music(heard: &[i16]) -> bool {
    static MUSIC: OnceLock<Vec<i16>> = OnceLock::new();
    let part = sound::loudest(heard, sound::RATE / 4);
    sound::loudness(part) > 50.0 && find(part, MUSIC.get_or_init(|| sound::read(&prompt("hold-music")))).0 > SAME
}

/// Whether the last two seconds are hold music, whatever came before.
pub fn ends_in_music(heard: &[i16]) -> bool {
    heard.len() > 2 * sound::RATE && is_music(&heard[heard.len() - 2 * sound::RATE..])
}

#[test]
fn who_presses_two_and_two_reaches_a_spanish_speaking_billing_agent() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut english = Phone::start(&network, 1, 1002, ENGLISH, centre.sip());
    let mut spanish = Phone::start(&network, 2, 1004, SPANISH, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    centre.agent(1004, "ready", |state| state == AgentState::Ready);

    let mut caller = Caller::dial(&network, 3, centre.sip(), "+13125550100");
    let ear = &mut caller.ear;
    ear.listen_until(0, "the language question", |heard| says(heard, "es/language_es"));
    for said in ["en/emergency", "es/emergency", "en/language_en"] {
        assert!(says(ear.heard(), said), "the caller hears {said}");
    }
    let menu = ear.mark();
    ear.press("2");
    ear.listen_until(menu, "the menu in Spanish", |heard| says(heard, "es/main_menu"));
    ear.press("2");

    spanish.rings();
    let waiting = ear.mark();
    ear.listen_until(waiting, "hold music", ends_in_music);
    assert!(!says(&ear.heard()[menu..], "en/main_menu"), "the menu is in Spanish only");
    spanish.accept();
    ear.tone(CALLER);
    let answered = ear.mark();
    ear.listen_until(answered, "the agent's tone", |heard| sound::tone_ms(heard, SPANISH) >= 500);
    centre.agent(1004, "talking", |state| matches!(state, AgentState::Talking(_)));
    let talk = ear.listen(Duration::from_secs(2));
    assert_eq!(sound::other_ms(&talk, SPANISH), 0, "the caller hears the agent alone: the music has stopped");
    assert!(sound::tone_ms(&talk, SPANISH) >= 1_900, "{} ms of 2 s", sound::tone_ms(&talk, SPANISH));
    assert!(!english.has_rung(), "who speaks no Spanish is not rung");
    caller.hang_up();
    spanish.call_ends();
    centre.agent(1004, "ready again", |state| state == AgentState::Ready);

    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_visits_answered_total", &["queue=\"billing\"", "language=\"es\""]), 1.0);
    assert_eq!(figures.sum("careline_visits_offered_total", &[]), 1.0);
    assert_eq!(figures.sum("careline_calls_total", &["did=\"+13125550100\"", "disposition=\"answered\""]), 1.0);
    let recordings = spanish.heard();
    assert_eq!(recordings.len(), 1);
    assert!(sound::tone_ms(&recordings[0], CALLER) >= 1_900, "the agent hears the caller");
    assert!(says(&recordings[0], "es/whisper_billing_es"), "the agent hears whose call it is, in their language");
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, &*record.language, &*record.visits[0].queue), ("answered", "es", "billing"));
    assert_eq!(record.segments[0].agent, 1004);
}

#[test]
fn who_waits_hears_music_and_an_agent_without_the_skill_changes_nothing() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut spanish = Phone::start(&network, 1, 1004, SPANISH, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    centre.rest(1004);

    let mut caller = Caller::dial(&network, 3, centre.sip(), "+13125550102");
    centre.wait("a waiting call", |view| view.in_queue == 1);
    caller.ear.listen_until(0, "the greeting in Spanish", |heard| says(heard, "es/please_hold"));
    let waiting = caller.ear.mark();
    caller.ear.listen_until(waiting, "hold music", ends_in_music);

    let mut english = Phone::start(&network, 2, 1002, ENGLISH, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    let meanwhile = caller.ear.listen(Duration::from_secs(2));
    assert!(is_music(&meanwhile), "the music goes on");
    assert!(!english.has_rung() && caller.is_connected());
    centre.wait("the call still waiting", |view| view.in_queue == 1);

    centre.set_agent(1004, "ready");
    spanish.rings();
    spanish.accept();
    let answered = caller.ear.mark();
    caller.ear.listen_until(answered, "the agent's tone", |heard| sound::tone_ms(heard, SPANISH) >= 500);
    spanish.hang_up();
    caller.hears_the_end();
    assert!(!english.has_rung());
    centre.agent(1004, "ready again", |state| state == AgentState::Ready);
    assert_eq!(centre.metrics().sum("careline_visits_answered_total", &["queue=\"billing\"", "language=\"es\""]), 1.0);
    assert_eq!(centre.stop().len(), 1);
}

#[test]
fn after_call_work_goes_on_and_ends_as_the_agent_says() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("wrap_up = \"3s\"", "wrap_up = \"5m\"")]);
    let mut phone = Phone::start(&network, 1, 1004, SPANISH, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut caller = Caller::dial(&network, 3, centre.sip(), "+13125550102");
    phone.rings();
    phone.accept();
    caller.ear.tone(CALLER);
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, SPANISH) >= 500);
    let open = centre.metrics();
    assert!(open.sum("careline_rtp_packets_total", &["direction=\"in\""]) > 25.0, "packets count while the call goes on");
    caller.hang_up();
    phone.call_ends();

    let until = |centre: &Centre| {
        let view = centre.wait("after-call work", |view| view.wrapping == 1);
        let AgentState::WrapUp { until, .. } = view.agents[&AgentId(1004)].state else { panic!("{view:?}") };
        until
    };
    let before = until(&centre);
    centre.ask_agent(1004, r#"{"state": "wrap_up", "extend": 60}"#);
    centre.agent(
        1004,
        "in longer after-call work",
        |state| matches!(state, AgentState::WrapUp { until, .. } if until == before + Duration::from_secs(60)),
    );
    centre.ask_agent(1004, r#"{"state": "ready", "code": "refill"}"#);
    centre.agent(1004, "ready again", |state| state == AgentState::Ready);
    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    let closed = centre.metrics();
    assert_eq!(closed.sum("careline_mos_score_count", &[]), 2.0, "the caller's sound and the agent's");
    assert_eq!(closed.sum("careline_mos_score_bucket", &["le=\"3\""]), 0.0, "on one machine sound is good");
    assert_eq!(closed.sum("careline_rtp_jitter_seconds_count", &[]), 2.0);
    assert!(closed.sum("careline_sip_guard_total", &["what=\"challenged\""]) >= 1.0, "the station was asked for its password");
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!(record.wrap_up_code.as_deref(), Some("refill"));
}
