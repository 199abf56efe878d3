//! What the figures' text promises.

use super::*;
use crate::acd::agent::AgentState;
use crate::acd::call::{Disposition, Place, Segment, Stage, VisitOutcome};
use crate::acd::config::{NumberConfig, QueueConfig, Strategy};
use crate::acd::view::QueueView;
use crate::acd::{Fact, Figures};
use crate::ivr::Flow;
use crate::model::{AgentId, CallId, Class, Language, QueueId, RequirementClass, SkillId};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

const DID: &str = "+13125550100";
const NURSE: QueueId = QueueId(1);

fn at(seconds: u64) -> Time {
    Time(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn language(tag: &str) -> Language {
    Language::new(tag).unwrap()
}

fn config() -> Config {
    let seconds = Duration::from_secs;
    let queue = QueueConfig {
        name: "nurse \"line\"".into(),
        needs: [].into(),
        strategy: Strategy::LongestIdle,
        ring_timeout: seconds(15),
        wrap_up: seconds(30),
        wrap_up_extension_max: seconds(0),
        service_level: seconds(20),
        short_abandon: seconds(5),
        escalation: Vec::new(),
        comfort: None,
        max_wait: None,
        calls_max: 100,
        reserve: None,
        last_agent: None,
        progressive_step: seconds(5),
        whisper: false,
        record: false,
        closed: false,
    };
    Config {
        queues: [(NURSE, queue)].into(),
        languages: [(language("en"), SkillId(1)), (language("es"), SkillId(2))].into(),
        flows: [("main".into(), Arc::new(Flow::straight_to("main", NURSE, Class::Normal, [].into())))].into(),
        numbers: [(DID.into(), NumberConfig { flow: "main".into(), language: language("en") })].into(),
        ..Config::default()
    }
}

/// One call in Spanish, answered after 12 s, 100 s of talk of which 10 on hold, 30 s of wrap-up; one abandoned after 3 s; one open.
fn facts() -> Vec<(u64, Fact)> {
    let (queue, spanish) = (NURSE, language("es"));
    let arrived = |call| Fact::CallArrived { call: CallId(call), did: DID.into() };
    let ended = |call, did: &str, disposition| Fact::CallEnded { call: CallId(call), did: did.into(), disposition, arrived_at: at(0) };
    let entered = |call| {
        let (needs, class, place) = (RequirementClass(0), Class::Normal, Place(0));
        Fact::VisitEntered { call: CallId(call), queue, language: spanish, needs, class, place }
    };
    let left = |call, stage, outcome, entered| Fact::VisitEnded {
        call: CallId(call),
        queue,
        language: spanish,
        stage,
        outcome,
        entered_at: at(entered),
        arrived_at: at(0),
    };
    let rings = Fact::VisitStage { call: CallId(1), queue, language: spanish, from: Stage::Waiting, to: Stage::Ringing };
    let agent = |from, to, since| Fact::Agent { agent: AgentId(1007), from, to, since: at(since) };
    let segment = Segment {
        agent: AgentId(1007),
        queue: Some(queue),
        from: at(13),
        to: Some(at(113)),
        held: Duration::from_secs(10),
        wrap_up: Some(Duration::from_secs(30)),
        transferred: false,
    };
    vec![
        (0, arrived(1)),
        (1, agent(AgentState::LoggedOut, AgentState::Ready, 0)),
        (1, entered(1)),
        (2, rings),
        (13, left(1, Stage::Ringing, VisitOutcome::Answered, 1)),
        (13, agent(AgentState::Ready, AgentState::Talking(CallId(1)), 1)),
        (20, arrived(2)),
        (21, entered(2)),
        (24, left(2, Stage::Waiting, VisitOutcome::Abandoned(Stage::Waiting), 21)),
        (24, ended(2, DID, Disposition::Abandoned)),
        (25, arrived(3)),
        (25, ended(3, "+13125550199", Disposition::Refused)),
        (140, arrived(4)),
        (140, entered(4)),
        (143, Fact::SegmentEnded { call: CallId(1), language: spanish, segment }),
        (143, ended(1, DID, Disposition::Answered)),
    ]
}

fn view(now: u64) -> View {
    let mut figures = Figures::new(&config());
    for (second, fact) in facts() {
        figures.apply(at(second), &fact);
    }
    let queue = QueueView { open: 1, longest_since: Some(at(140)), agents: [0, 0, 0, 0, 0, 1, 0, 0], ..QueueView::default() };
    View { at: at(now), queues: [(NURSE, queue)].into(), in_queue: 1, figures: figures.snapshot(at(now)), ..View::default() }
}

fn promtool(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
}

#[test]
fn what_is_configured_stands_at_zero_from_the_start() {
    let config = config();
    let text = Metrics::new(&config).render(&config, &View::default(), at(0), &Edges::default());
    promtool(&text);
    for line in [
        r#"careline_calls_total{did="+13125550100",disposition="answered"} 0"#,
        r#"careline_calls_total{did="other",disposition="refused"} 0"#,
        r#"careline_visits_abandoned_total{queue="nurse \"line\"",language="en",phase="ringing",short="true"} 0"#,
        r#"careline_wait_seconds_bucket{queue="nurse \"line\"",language="es",outcome="answered",le="+Inf"} 0"#,
        r#"careline_wait_seconds_count{queue="nurse \"line\"",language="en",outcome="withdrawn"} 0"#,
        r#"careline_handle_seconds_sum{queue="nurse \"line\"",language="es"} 0"#,
        r#"careline_offers_total{queue="nurse \"line\"",outcome="no_answer"} 0"#,
        r#"careline_agents{queue="nurse \"line\"",state="wrap_up"} 0"#,
        r#"careline_agent_state_seconds_total{state="not_ready",reason="meal"} 0"#,
        r#"careline_speed_of_answer_seconds{queue="nurse \"line\"",window="5m"} NaN"#,
        r#"careline_service_level_ratio{queue="nurse \"line\"",window="day",definition="of_offered"} NaN"#,
        r#"careline_flow_steps_total{flow="main",step="wait",outcome="no_input"} 0"#,
        "careline_dispatch_seconds_count 0",
        r#"careline_transfers_total{queue="nurse \"line\"",kind="blind",outcome="failed"} 0"#,
        r#"careline_invariant_violations_total{rule="no lost caller"} 0"#,
        r#"careline_sip_guard_total{what="overloaded"} 0"#,
        r#"careline_records_total{outcome="lost"} 0"#,
    ] {
        has(&text, line);
    }
}

#[test]
fn the_figures_are_the_cores_own() {
    let config = config();
    let text = Metrics::new(&config).render(&config, &view(150), at(160), &Edges::default());
    promtool(&text);
    for line in [
        r#"careline_calls_total{did="+13125550100",disposition="answered"} 1"#,
        r#"careline_calls_total{did="other",disposition="refused"} 1"#,
        r#"careline_visits_offered_total{queue="nurse \"line\"",language="es"} 3"#,
        r#"careline_visits_abandoned_total{queue="nurse \"line\"",language="es",phase="waiting",short="true"} 1"#,
        r#"careline_visits_answered_in_target_total{queue="nurse \"line\"",language="es"} 1"#,
        r#"careline_visits_waiting{queue="nurse \"line\"",language="es"} 1"#,
        r#"careline_longest_wait_seconds{queue="nurse \"line\""} 20"#,
        r#"careline_wait_seconds_bucket{queue="nurse \"line\"",language="es",outcome="answered",le="10"} 0"#,
        r#"careline_wait_seconds_bucket{queue="nurse \"line\"",language="es",outcome="answered",le="15"} 1"#,
        r#"careline_wait_seconds_sum{queue="nurse \"line\"",language="es",outcome="answered"} 12"#,
        r#"careline_handle_seconds_sum{queue="nurse \"line\"",language="es"} 130"#,
        r#"careline_talk_seconds_sum{queue="nurse \"line\"",language="es"} 90"#,
        r#"careline_hold_seconds_sum{queue="nurse \"line\"",language="es"} 10"#,
        r#"careline_agents{queue="nurse \"line\"",state="talking"} 1"#,
        r#"careline_agent_state_seconds_total{state="talking",reason=""} 147"#,
        r#"careline_speed_of_answer_seconds{queue="nurse \"line\"",window="5m"} 12"#,
        r#"careline_service_level_ratio{queue="nurse \"line\"",window="day",definition="default"} 1"#,
        r#"careline_service_level_ratio{queue="nurse \"line\"",window="5m",definition="of_offered"} 0.5"#,
        r#"careline_calls_in_progress{state="queue"} 1"#,
    ] {
        has(&text, line);
    }
}

#[test]
fn the_edges_count_their_own() {
    let config = config();
    let metrics = Metrics::new(&config);
    metrics.core_handled("call_arrived", Duration::from_micros(3));
    metrics.core_handled("call_arrived", Duration::from_micros(700));
    metrics.dispatched(Duration::from_millis(4));
    metrics.violation("conservation");
    metrics.media_closed(1, Some((Duration::from_millis(3), 4.25)), Some(Duration::from_millis(42)));
    metrics.media_closed(0, None, None);
    let sip_requests = vec![("INVITE", 2, "udp", 7), ("INVITE", 4, "udp", 1)];
    let edges = Edges {
        core_inbox: 3,
        sip_transactions: 4,
        registrations: 8,
        media_sessions: 2,
        records_written: 9,
        sip_requests,
        trunks: vec![("carrier".into(), true), ("other".into(), false)],
        sip_guards: [1, 2, 3, 4, 5, 6],
        rtp_received: 50,
        rtp_sent: 49,
        rtp_strangers: 6,
        recordings: [3, 1, 0],
        ..Edges::default()
    };
    let text = metrics.render(&config, &View::default(), at(0), &edges);
    promtool(&text);
    for line in [
        r#"careline_trunk_up{trunk="carrier"} 1"#,
        r#"careline_trunk_up{trunk="other"} 0"#,
        r#"careline_sip_requests_total{method="INVITE",code_class="4xx",transport="udp"} 1"#,
        r#"careline_sip_requests_total{method="INVITE",code_class="2xx",transport="udp"} 7"#,
        r#"careline_core_events_total{event="call_arrived"} 2"#,
        r#"careline_core_handle_seconds_bucket{le="0.000005"} 1"#,
        "careline_core_handle_seconds_count 2",
        r#"careline_dispatch_seconds_bucket{le="0.005"} 1"#,
        r#"careline_invariant_violations_total{rule="conservation"} 1"#,
        r#"careline_rtp_packets_total{direction="in"} 50"#,
        r#"careline_rtp_packets_total{direction="out"} 49"#,
        "careline_rtp_lost_total 1",
        "careline_rtp_strangers_total 6",
        r#"careline_recordings_total{outcome="complete"} 3"#,
        r#"careline_recordings_total{outcome="failed"} 0"#,
        r#"careline_rtp_round_trip_seconds_bucket{le="0.05"} 1"#,
        "careline_rtp_round_trip_seconds_count 1",
        r#"careline_rtp_jitter_seconds_bucket{le="0.002"} 0"#,
        r#"careline_rtp_jitter_seconds_bucket{le="0.005"} 1"#,
        r#"careline_mos_score_bucket{le="4"} 0"#,
        r#"careline_mos_score_bucket{le="4.3"} 1"#,
        "careline_mos_score_sum 4.25",
        "careline_mos_score_count 1",
        r#"careline_sip_guard_total{what="forbidden"} 1"#,
        r#"careline_sip_guard_total{what="retransmitted"} 6"#,
        "careline_core_inbox_depth 3",
        "careline_registrations 8",
        r#"careline_records_total{outcome="written"} 9"#,
    ] {
        has(&text, line);
    }
}

#[test]
fn every_series_says_what_it_means_once() {
    let config = config();
    let text = Metrics::new(&config).render(&config, &view(150), at(150), &Edges::default());
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let all = names.len();
    for name in &names {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no definition");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// After a reload: counts go on under their names, gauges say that nobody is there.
#[test]
fn what_was_removed_is_counted_once_and_is_empty() {
    let (config, gone) = (config(), Config { queues: [].into(), numbers: [].into(), ..config() });
    let metrics = Metrics::new(&config);
    metrics.render(&config, &view(150), at(160), &Edges::default());
    metrics.reloaded(true, at(155));
    metrics.reloaded(false, at(158));
    let view = View { queues: [].into(), ..view(150) };
    let edges = Edges { calls_refused: 2, ..Edges::default() };
    let text = metrics.render(&gone, &view, at(160), &edges);
    promtool(&text);
    for line in [
        r#"careline_calls_total{did="+13125550100",disposition="answered"} 1"#,
        r#"careline_calls_total{did="other",disposition="refused"} 3"#,
        r#"careline_visits_offered_total{queue="nurse \"line\"",language="es"} 3"#,
        r#"careline_longest_wait_seconds{queue="nurse \"line\""} 0"#,
        r#"careline_agents{queue="nurse \"line\"",state="talking"} 0"#,
        r#"careline_config_reloads_total{outcome="refused"} 1"#,
        "careline_config_last_reload_successful 0",
        "careline_config_last_reload_success_timestamp_seconds 1700000155",
    ] {
        has(&text, line);
    }
    assert!(!text.contains("queue-1"), "{text}");
}

/// The centre's figures as they were designed: each series with its labels. What a later version brings is marked with a question mark.
const DESIGNED: &str = "calls_total{did,disposition} calls_in_progress{state} visits_offered_total{queue,language} \
    visits_answered_total{queue,language} visits_abandoned_total{queue,language,phase,short} visits_overflowed_total{queue,language} \
    visits_failed_total{queue,language} visits_deflected_total{queue,language,to} visits_withdrawn_total{queue,language,why} \
    visits_answered_in_target_total{queue,language} visits_waiting{queue,language} visits_ringing{queue,language} \
    visits_connecting{queue,language} longest_wait_seconds{queue} wait_seconds{queue,language,outcome} handle_seconds{queue,language} \
    talk_seconds{queue,language} hold_seconds{queue,language} wrap_up_seconds{queue,language} agents{queue,state} \
    agent_state_seconds_total{state,reason} offers_total{queue,outcome} speed_of_answer_seconds{queue,window} \
    abandonment_ratio{queue,window} service_level_ratio{queue,window,definition} transfers_total{queue,kind,outcome} \
    ?callbacks_total{queue,outcome} ?voicemails_total{queue,outcome} ?survey_answers_total{queue,language,question,answer} \
    ?estimated_wait_error_seconds{queue} dispatch_seconds{} invariant_violations_total{rule} \
    sip_requests_total{method,code_class,transport} sip_transactions{} registrations{} media_sessions{} rtp_packets_total{direction} \
    rtp_lost_total{} rtp_jitter_seconds{} mos_score{} recordings_total{outcome} flow_steps_total{flow,step,outcome} core_events_total{event} \
    core_handle_seconds{} core_inbox_depth{} journal_lag_seconds{} \
    spool_records{} ?certificate_expiry_seconds{} build_info{version}";

#[test]
fn every_figure_of_the_design_is_there_from_the_start() {
    let config = config();
    let metrics = Metrics::new(&config);
    metrics.configured(at(0));
    let edges = Edges { trunks: vec![("carrier".into(), false)], ..Edges::default() };
    let text = metrics.render(&config, &View::default(), at(0), &edges);
    let mut seen = 0;
    for (name, labels) in DESIGNED.split_whitespace().filter_map(|series| series.strip_suffix('}')?.split_once('{')) {
        let found = |name: &str| {
            let lines = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
            lines.map(String::from).collect::<Vec<_>>()
        };
        if let Some(later) = name.strip_prefix('?') {
            assert!(found(&format!("careline_{later}")).is_empty(), "{later} is no longer for later");
            continue;
        }
        let lines = ["", "_count"].map(|end| found(&format!("careline_{name}{end}"))).concat();
        let has = |line: &String| labels.split(',').all(|label| label.is_empty() || line.contains(&format!("{label}=\"")));
        assert!(!lines.is_empty() && lines.iter().all(has), "careline_{name} with {labels}: {lines:?}");
        let value = |line: &String| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        assert!(name == "build_info" || lines.iter().all(|line| value(line) == 0.0 || value(line).is_nan()), "{lines:?}");
        seen += 1;
    }
    assert_eq!(seen, 44);
    let every = [series::COUNTERS, series::SECONDS, series::GAUGES, series::HISTOGRAMS].concat();
    let mut written: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut tabled: Vec<&str> = every.iter().map(|(name, _)| *name).collect();
    written.sort_unstable();
    tabled.sort_unstable();
    assert_eq!(written, tabled, "the table is what is written, from the start");
}
