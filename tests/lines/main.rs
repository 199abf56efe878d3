//! The line, feature by feature: SIPp speaks to a whole centre, and the records and figures must agree with what it saw.

#[path = "../e2e/centre.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod centre;
#[path = "../e2e/network.rs"]
mod network;
#[path = "../e2e/process.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod process;
mod script;
mod station;

use careline::acd::AgentState;
use careline::store::StoredCall;
use centre::Centre;
use network::Network;
use process::Process;
use std::net::UdpSocket;
use std::path::Path;

const BILLING: &str = "+13125550102";

/// A centre where callers of billing wait at once, without a greeting, agents hear no whisper, and sessions may be short.
fn centre(network: &Network, changes: &[(&str, &str)]) -> Centre {
    let (shipped, own) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("ivr-flows"), network.directory().join("flows"));
    std::fs::create_dir_all(&own).expect("the test's directory takes a directory");
    for entry in std::fs::read_dir(&shipped).expect("flows are shipped") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(&path, own.join(path.file_name().expect("a name"))).expect("the test's directory takes a file");
        }
    }
    let billing = std::fs::read_to_string(shipped.join("billing.yaml")).expect("it is shipped");
    let (steps, _) = billing.split_once("\ntests:").expect("a flow has tests");
    let greeting = "  welcome: {say: {prompt: please_hold}, next: billing}\n";
    assert!(steps.contains(greeting));
    let silent = steps.replace(greeting, "").replace("start: welcome", "start: billing");
    std::fs::write(own.join("billing.yaml"), silent).expect("the test's directory takes a file");
    let (from, to) = (format!("flows = \"{}\"", shipped.display()), format!("flows = \"{}\"", own.display()));
    let own = [(&*from, &*to), ("whisper = true", "whisper = false"), ("[sip]", "[sip]\nsession_min = \"1s\"")];
    Centre::start(network, &[&own, changes].concat())
}

fn caller(network: &Network, centre: &Centre, index: u8, name: &str) -> Process {
    script::start(network, index, centre.sip(), &format!("callers/{name}"), &["-s", BILLING])
}

/// Calls by all these scenarios at once, from the test's addresses from the third on, until each has seen what it wants.
fn call(network: &Network, centre: &Centre, names: &[&str]) {
    let callers = names.iter().zip(3..).map(|(name, index)| caller(network, centre, index, name));
    callers.collect::<Vec<_>>().into_iter().for_each(|mut caller| caller.succeeds());
}

/// A centre where somebody is logged in and nobody is ready, so that callers wait.
fn waiting_room(network: &Network, changes: &[(&str, &str)]) -> Centre {
    let centre = centre(network, &[&[("on_register = \"ready\"", "on_register = \"not_ready\"")], changes].concat());
    for (index, agent) in [(1, 1004), (2, 1008)] {
        station::register(network, index, agent, centre.sip());
        centre.agent(agent, "logged in", |state| matches!(state, AgentState::NotReady(_)));
    }
    centre
}

/// Stops a centre whose calls have ended in these ways, so many in each; its records.
fn ended(centre: Centre, ways: &[(&str, u64)]) -> Vec<StoredCall> {
    let calls = ways.iter().map(|(_, calls)| calls).sum::<u64>();
    centre.wait("every call over", |view| view.figures.calls_ended == calls);
    let figures = centre.metrics();
    for (way, calls) in ways {
        assert_eq!(figures.sum("careline_calls_total", &[&format!("disposition=\"{way}\"")]), *calls as f64, "{way}");
    }
    assert_eq!(figures.sum("careline_calls_total", &[]), calls as f64);
    assert_eq!(figures.sum("careline_invariant_violations_total", &[]), 0.0);
    assert_eq!((figures.sum("careline_media_sessions", &[]), figures.sum("careline_calls_in_progress", &[])), (0.0, 0.0));
    let records = centre.stop();
    assert_eq!(records.len() as u64, calls, "one record a call");
    records
}

#[test]
fn offers_late_and_new() {
    let network = Network::new();
    let centre = waiting_room(&network, &[]);
    call(&network, &centre, &["plain", "late_offer", "hold", "prack", "update", "cancelled"]);
    ended(centre, &[("abandoned", 6)]);
}

/// Our own offer is a refresh, to a caller who knows no session timers.
#[test]
fn offers_that_cross() {
    let network = Network::new();
    let centre = waiting_room(&network, &[("[sip]", "[sip]\nsession_expires = \"13s\"")]);
    call(&network, &centre, &["glare"]);
    ended(centre, &[("abandoned", 1)]);
}

#[test]
fn sessions_are_refreshed_or_end() {
    let network = Network::new();
    let centre = waiting_room(&network, &[]);
    call(&network, &centre, &["refreshed", "expired"]);
    ended(centre, &[("abandoned", 1), ("failed", 1)]);
}

#[test]
fn keys_by_info_and_questions_within_a_call() {
    let network = Network::new();
    let centre = waiting_room(&network, &[]);
    call(&network, &centre, &["info", "options"]);
    let records = ended(centre, &[("abandoned", 2)]);
    let mut queues: Vec<Vec<&str>> = records.iter().map(|record| record.visits.iter().map(|visit| &*visit.queue).collect()).collect();
    queues.sort();
    assert_eq!(queues, [vec!["billing"], vec!["billing", "nurse", "operator"]]);
}

#[test]
fn who_calls_is_whom_the_trunk_names_or_nobody() {
    let network = Network::new();
    let centre = waiting_room(&network, &[]);
    call(&network, &centre, &["asserted", "withheld", "plain"]);
    let records = ended(centre, &[("abandoned", 3)]);
    let mut numbers: Vec<&str> = records.iter().map(|record| record.from.0.as_str()).collect();
    numbers.sort();
    assert_eq!(numbers, ["", "+13125550123", "+13125550177"]);
}

#[test]
fn what_cannot_be_is_refused_and_is_no_call() {
    let network = Network::new();
    let centre = waiting_room(&network, &[]);
    call(&network, &centre, &["require", "hops", "brief"]);
    let refused = centre.metrics().sum("careline_sip_requests_total", &["method=\"INVITE\"", "code_class=\"4xx\""]);
    assert_eq!(refused, 3.0);
    assert!(centre.stop().is_empty());
}

/// A centre with these agents ready, each the SIPp scenario of that name.
fn house(network: &Network, changes: &[(&str, &str)], stations: &[(u64, &str, &[&str])]) -> (Centre, Vec<Process>) {
    let centre = centre(network, changes);
    let start = |((agent, name, arguments), index): (&(u64, &str, &[&str]), u8)| {
        station::register(network, index, *agent, centre.sip());
        centre.agent(*agent, "ready", |state| state == AgentState::Ready);
        script::start(network, index, centre.sip(), &format!("stations/{name}"), arguments)
    };
    let stations = stations.iter().zip(1..).map(start).collect();
    (centre, stations)
}

#[test]
fn a_station_that_sends_a_call_elsewhere_refuses_it() {
    let network = Network::new();
    let elsewhere = UdpSocket::bind((network.address(9), 5060)).expect("the test's addresses are free");
    elsewhere.set_nonblocking(true).expect("a socket can be told not to wait");
    let address = network.address(9).to_string();
    let (centre, mut stations) = house(&network, &[], &[(1004, "redirects", &["-key", "elsewhere", &address])]);
    let mut caller = caller(&network, &centre, 3, "patient");
    stations[0].succeeds();
    caller.succeeds();
    assert!(elsewhere.recv(&mut [0; 16]).is_err(), "nobody follows a redirection");
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    assert_eq!(centre.metrics().sum("careline_offers_total", &["outcome=\"declined\""]), 1.0);
    ended(centre, &[("abandoned", 1)]);
}

#[test]
fn of_two_answers_the_second_is_hung_up() {
    let network = Network::new();
    let (centre, mut stations) = house(&network, &[], &[(1004, "answers_twice", &[])]);
    let mut caller = caller(&network, &centre, 3, "patient");
    caller.succeeds();
    stations[0].succeeds();
    one_answered(centre, 1004);
}

#[test]
fn an_answer_that_crosses_our_cancel_leaves_nobody_stuck() {
    let network = Network::new();
    let (centre, mut stations) = house(&network, &[], &[(1004, "crosses", &[])]);
    let mut caller = caller(&network, &centre, 3, "plain");
    caller.succeeds();
    stations[0].succeeds();
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    ended(centre, &[("abandoned", 1)]);
}

#[test]
fn of_all_that_ring_the_others_hear_that_somebody_answered() {
    let network = Network::new();
    let ring_all = [("strategy = \"most_proficient\"", "strategy = \"ring_all\"")];
    let (centre, mut stations) = house(&network, &ring_all, &[(1005, "loses", &[]), (1004, "answers", &[])]);
    let mut caller = caller(&network, &centre, 3, "patient");
    caller.succeeds();
    stations.iter_mut().for_each(Process::succeeds);
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    assert_eq!(centre.metrics().sum("careline_offers_total", &["outcome=\"answered_elsewhere\""]), 1.0);
    one_answered(centre, 1004);
}

#[test]
fn a_station_holds_asks_and_retrieves() {
    let network = Network::new();
    let (centre, mut stations) = house(&network, &[], &[(1004, "works", &[])]);
    let mut caller = caller(&network, &centre, 3, "until_the_end");
    stations[0].succeeds();
    caller.succeeds();
    let record = one_answered(centre, 1004);
    assert!(record.segments[0].held > 0, "{record:?}");
}

/// Stops a centre whose one call this agent answered; its record.
fn one_answered(centre: Centre, agent: u64) -> StoredCall {
    centre.agent(agent, "ready", |state| state == AgentState::Ready);
    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    assert_eq!(centre.metrics().sum("careline_visits_answered_total", &["queue=\"billing\""]), 1.0);
    let mut records = centre.stop();
    assert_eq!(records.len(), 1, "one record a call");
    assert_eq!((&*records[0].disposition, records[0].segments[0].agent), ("answered", agent));
    records.remove(0)
}

#[test]
fn a_trunk_wants_us_registered_and_another_is_asked_whether_it_is_there() {
    let network = Network::new();
    let (registrar, peer) = (network.address(3).to_string(), network.address(4).to_string());
    let mut first = script::start(&network, 3, (network.address(0), 5060).into(), "trunks/registrar", &[]);
    let mut second = script::start(&network, 4, (network.address(0), 5060).into(), "trunks/peer", &["-m", "2"]);
    let trunks = format!(
        "[sip.trunks.carrier]\nregister = \"{registrar}\"\nuser = \"clinic\"\npassword = \"demo-trunk\"\n\
         [sip.trunks.backup]\npeers = [\"{peer}\"]\noptions = \"1s\"\n\n[http]"
    );
    let centre = centre(&network, &[("[http]", &trunks)]);
    first.succeeds();
    let up = |name: &str| centre.metrics().sum("careline_trunk_up", &[&format!("trunk=\"{name}\"")]);
    second.succeeds();
    assert_eq!((up("carrier"), up("backup")), (1.0, 1.0));
    // Nobody answers any more.
    let end = std::time::Instant::now() + process::PATIENCE;
    while up("backup") == 1.0 {
        assert!(std::time::Instant::now() < end, "a peer that is gone is noticed");
        std::thread::yield_now();
    }
    assert_eq!(up("carrier"), 1.0);
    centre.stop();
}

/// An emergency, so that the station is not asked for a password of its own.
#[test]
fn a_call_of_ours_proves_itself_and_is_heard_before_the_answer() {
    let network = Network::new();
    let address = network.address(3).to_string();
    let trunk =
        format!("[sip.trunks.carrier]\npeers = [\"{address}\"]\nuser = \"clinic\"\npassword = \"demo-trunk\"\nemergency = true\n\n[http]");
    let centre = centre(&network, &[("[http]", &trunk)]);
    let mut carrier = script::start(&network, 3, centre.sip(), "trunks/carrier", &[]);
    station::register(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut station = script::start(&network, 1, centre.sip(), "stations/dials", &["-s", "911"]);
    station.succeeds();
    carrier.succeeds();
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    assert_eq!(centre.metrics().sum("careline_calls_placed_total", &["kind=\"emergency\"", "disposition=\"reached\""]), 1.0);
    centre.stop();
}
