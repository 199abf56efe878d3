//! A configuration that changes while calls are alive: nobody loses their place, nothing that was counted is forgotten.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use careline::acd::AgentState;
use careline::api::wire;

const BILLING_IN_SPANISH: &str = "+13125550102";
const ENGLISH: &str = "skills = { english = 10, billing = 8, eligibility = 5 }";
const LATEST: &str = "# Licensed nurses.";

#[test]
fn who_waits_keeps_their_place_while_agents_skills_and_queues_change() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut english = Phone::start(&network, 1, 1002, 600.0, centre.sip());
    let _spanish = Phone::start(&network, 2, 1004, 700.0, centre.sip());
    centre.agent(1002, "ready", |state| state == AgentState::Ready);
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    centre.rest(1004);
    let one = Caller::dial(&network, 3, centre.sip(), BILLING_IN_SPANISH);
    centre.wait("the first caller in the queue", |view| view.in_queue == 1);
    let other = Caller::dial(&network, 4, centre.sip(), BILLING_IN_SPANISH);
    centre.wait("both callers in the queue", |view| view.in_queue == 2);

    why_they_wait(&centre);
    let wrong = centre.reload(&[(ENGLISH, "skills = { english = 10, billing = 80, esperanto = 5 }")]).expect_err("it is wrong");
    assert_eq!(wrong.len(), 2, "every error at once: {wrong:?}");
    assert!(wrong.iter().all(|line| line.contains("careline.toml:") && line.contains("esperanto") != line.contains("80")), "{wrong:?}");
    assert!(!english.has_rung());
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_config_reloads_total", &["refused"]), 1.0);
    assert_eq!(figures.sum("careline_config_last_reload_successful", &[]), 0.0);

    let speaks = "skills = { english = 10, spanish = 7, billing = 8, eligibility = 5 }";
    let done =
        centre.reload(&[("billing = 80, esperanto = 5 }", "billing = 8, eligibility = 5 }"), (ENGLISH, speaks)]).expect("it is good");
    assert_eq!(done.diff.to_string(), "changed agent 1002");
    english.rings();
    english.accept();
    centre.wait("the second caller alone in the queue", |view| view.in_queue == 1 && view.talking == 1);

    let added = "[agents.1009]\nname = \"Ines Mora\"\npassword = \"demo-1009\"\nlanguage = \"es\"\n\
                 skills = { spanish = 9, billing = 9 }\nqueues = { billing = 1 }\n# Licensed nurses.";
    let done = centre.reload(&[(LATEST, added)]).expect("it is good");
    assert_eq!(done.diff.to_string(), "added agent 1009");
    let mut new = Phone::start(&network, 5, 1009, 800.0, centre.sip());
    new.rings();
    new.accept();
    centre.agent(1009, "talking", |state| matches!(state, AgentState::Talking(_)));
    one.hang_up();
    other.hang_up();
    centre.wait("both calls over", |view| view.figures.calls_ended == 2);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_visits_answered_total", &["queue=\"billing\"", "language=\"es\""]), 2.0);
    assert_eq!(figures.sum("careline_visits_offered_total", &[]), 2.0);
    assert_eq!(figures.sum("careline_config_last_reload_successful", &[]), 1.0);
    assert_eq!(figures.sum("careline_invariant_violations_total", &[]), 0.0);
    let records = centre.stop();
    let who: Vec<(u64, usize)> = records.iter().map(|record| (record.segments[0].agent, record.visits.len())).collect();
    assert_eq!(who, [(1002, 1), (1009, 1)], "the first who came is the first who is answered, in the visit that began before");
}

/// What a supervisor reads of it: who waits, why, and why an agent who is free is not theirs.
fn why_they_wait(centre: &Centre) {
    let body = |line: &str| centre.ask(line, "").split_once("\r\n\r\n").expect("an answer has a body").1.to_string();
    let view: wire::Centre = serde_json::from_str(&body("GET /api/v1/view")).expect("a view");
    let billing = view.queues.iter().find(|queue| queue.name == "billing").expect("every queue");
    assert_eq!((billing.open, billing.first.len(), &*billing.first[0].language), (2, 2, "es"));
    let why = body(&format!("GET /api/v1/why-waiting/{}", billing.first[0].call));
    assert!(why.contains(r#"{"subject":1002,"reason":"lacks the skills"}"#), "{why}");
    assert!(why.contains(r#"{"subject":1004,"reason":"not ready: "#), "{why}");
    let idle = body("GET /api/v1/why-idle/1002");
    assert!(idle.contains("agent 1002 is ready") && idle.contains("billing: 2 waiting, 0 of them fit"), "{idle}");
}

#[test]
fn what_cannot_change_is_named_and_stays() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let ports = ("ports = \"20000-29999\"", "ports = \"21000-29999\"");
    let done = centre.reload(&[ports, ("name = \"Riverside Health\"", "name = \"Riverside\"")]).expect("it is good");
    assert_eq!((done.diff.to_string().as_str(), &done.kept[..]), ("changed [centre], [media]", &["media.ports"][..]));
    let answer = centre.ask("POST /api/v1/reload", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""changed":[],"needs_restart":["media.ports"]"#), "{answer}");
    centre.stop();
}
