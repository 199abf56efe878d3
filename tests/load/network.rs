//! A network that loses 5 % of all SIP datagrams, doubles 2 % and delays the rest: every call completes, once. The centre and the virtual
//! callers and agents are processes of their own in a network namespace that the test makes and removes; it needs root, or sudo.

use crate::centre::{Centre, Wanted};
use careline::store::{self, MasterKey};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CALLS: usize = 1_000;
const AGENTS: usize = 20;
/// Loopback in the namespace, which nobody else sees.
const ADDRESS: &str = "127.31.2.1";

/// Faults are drawn before anything else looks at a datagram; a dropped one is not doubled, a doubled one is not drawn again.
const FAULTS: &str = "
table ip rough {
    chain fate {
        numgen random mod 100 < 5 counter drop
        numgen random mod 100 < 2 counter dup to 127.31.2.1 device lo
    }
    chain arriving {
        type filter hook prerouting priority raw
        udp dport 5060 goto fate
        udp sport 5060 goto fate
    }
}";

/// A network namespace with its own loopback, gone when dropped.
struct Network {
    name: String,
}

impl Network {
    fn new() -> Network {
        let network = Network { name: format!("careline-{}", std::process::id()) };
        must("ip", &["netns", "add", &network.name], "");
        must("ip", &["-n", &network.name, "link", "set", "lo", "up"], "");
        network.must(&["nft", "-f", "-"], FAULTS);
        // Each datagram waits for those before it: at 4 Mbit/s a usual one takes a millisecond, and a burst queues up.
        network.must(&["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "4mbit", "burst", "4000", "latency", "1s"], "");
        network
    }

    fn within(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    fn must(&self, words: &[&str], input: &str) -> String {
        let words: Vec<&str> = self.within().into_iter().chain(words.iter().copied()).collect();
        must(words[0], &words[1..], input)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Runs a program to its end and gives what it printed.
fn must(program: &str, words: &[&str], input: &str) -> String {
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    assert!(status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn root() -> bool {
    must("id", &["-u"], "").trim() == "0"
}

/// How often the rule of this verdict was applied.
fn times(ruleset: &str, verdict: &str) -> u64 {
    let rule = ruleset.lines().find(|line| line.contains("numgen") && line.contains(verdict)).unwrap_or_default();
    let mut words = rule.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1).and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no counter for {verdict} in {ruleset}"))
}

#[test]
fn every_call_completes_once_over_a_network_that_loses_doubles_and_delays() {
    if !root() {
        // The same test again, as who may make a namespace.
        let own = std::env::current_exe().unwrap();
        let status = Command::new("sudo").arg("-n").arg(own).args(["--exact", "--nocapture", TEST]).status().unwrap();
        assert!(status.success(), "as root: {status}");
        return;
    }
    let network = Network::new();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network");
    let wanted = Wanted { address: ADDRESS.parse().unwrap(), agents: AGENTS, record: false };
    // Nobody waits until it takes calls: REGISTER is repeated until then.
    let centre = Centre::start(&dir, wanted, &network.within()).unwrap();
    let mut words = vec![env!("CARGO_BIN_EXE_careline").to_string()];
    words.extend(centre.load(AGENTS));
    let calls = CALLS.to_string();
    let more = ["--sound", "none", "--callers", "40", "--calls", &calls, "--talk", "100ms-300ms", "--warm", "0s", "--for", "170s"];
    words.extend(more.map(String::from));
    let ran = Command::new("ip").args(["netns", "exec", &network.name]).args(&words).output().unwrap();
    let faults = network.must(&["nft", "list", "ruleset"], "");
    let log = centre.log();
    centre.stop().unwrap();
    let told = || format!("{}\n{}\n{faults}\n{log}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));

    let ledger: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let (lost, doubled) = (times(&faults, "drop"), times(&faults, "dup to"));
    let resent = ledger["sip"]["resent"].as_u64().unwrap();
    println!("{lost} datagrams lost, {doubled} doubled, {resent} sent again by the clients in {CALLS} calls");
    assert!(lost > CALLS as u64 / 4 && doubled > CALLS as u64 / 10 && resent > CALLS as u64 / 10, "the network was rough: {}", told());

    let count = |group: &str, name: &str| ledger[group][name].as_u64().unwrap();
    assert_eq!(count("calls", "completed"), CALLS as u64, "{}", told());
    assert_eq!(count("offers", "served"), CALLS as u64, "{}", told());
    // Nobody was rung twice: as many INVITEs at the stations, by Call-ID, as there were calls, and none to an agent who was busy.
    let rung = ["made", "repeated", "while_busy", "withdrawn"].map(|name| count("offers", name));
    assert_eq!(rung, [CALLS as u64, 0, 0, 0], "{}", told());
    assert_eq!(ledger["losses"], serde_json::json!([]), "{}", told());

    let data = dir.join("data");
    let records = store::read(&data, &MasterKey::find(None, &data).unwrap()).unwrap();
    let callers: BTreeSet<&str> = records.iter().map(|record| record.from.0.as_str()).collect();
    assert_eq!((records.len(), callers.len()), (CALLS, CALLS), "each caller has one record");
    for record in &records {
        let offers: Vec<&str> = record.visits.iter().flat_map(|visit| &visit.offers).map(|offer| offer.outcome.as_str()).collect();
        assert_eq!((&*record.disposition, &offers[..]), ("answered", &["accepted"][..]), "call {}", record.call);
    }
}

const TEST: &str = "network::every_call_completes_once_over_a_network_that_loses_doubles_and_delays";
