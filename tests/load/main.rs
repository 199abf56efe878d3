//! `careline load` against a centre of its own: what it counts, and that it says so when calls are lost.

mod centre;
mod network;

use centre::{Centre, Wanted};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn start(name: &str, address: &str, agents: usize) -> Centre {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let wanted = Wanted { address: address.parse().unwrap(), agents, record: false };
    Centre::start(&dir, wanted, &[]).and_then(Centre::ready).unwrap()
}

/// The exit code and the JSON of a run.
fn load(centre: &Centre, agents: usize, more: &[&str]) -> (Option<i32>, Value) {
    let ran = Command::new(env!("CARGO_BIN_EXE_careline")).args(centre.load(agents)).args(more).output().unwrap();
    let told = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| {
        panic!("{error}\n{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    });
    (ran.status.code(), told)
}

#[test]
fn each_call_is_dialled_offered_once_and_served() {
    let centre = start("load-served", "127.31.1.1", 3);
    let pid = centre.pid().to_string();
    let words =
        ["--calls", "40", "--callers", "10", "--talk", "50ms-150ms", "--warm", "0s", "--for", "60s", "--sound", "aloud", "--pid", &pid];
    let (code, told) = load(&centre, 3, &words);
    assert_eq!((code, &told["losses"]), (Some(0), &serde_json::json!([])), "{told:#}\n{}", centre.log());
    let calls = &told["calls"];
    assert_eq!((&calls["dialled"], &calls["completed"], &calls["lost"]), (&40.into(), &40.into(), &0.into()), "{told:#}");
    let offers = &told["offers"];
    assert_eq!((&offers["made"], &offers["served"], &offers["repeated"]), (&40.into(), &40.into(), &0.into()), "{told:#}");
    assert!(told["rtp"]["forwarded"].as_u64() > Some(40), "callers and agents hear each other: {told:#}");
    let memory = |sample: &Value| sample[2]["rss_kib"].as_u64();
    assert!(memory(&told["samples"][0]) > Some(1_000), "{told:#}");
    centre.stop().unwrap();
}

#[test]
fn who_is_not_let_in_is_told_at_once() {
    // Our words name no password, so that the agent's is what a demo's would be.
    let centre = start("load-refused", "127.31.1.2", 1);
    let (code, told) = load(&centre, 0, &["--agents", "2001"]);
    assert_eq!(code, Some(1), "{told:#}");
    let why = told["losses"][0].as_str().unwrap();
    assert!(why.starts_with("an agent could not register: the server says 40"), "{why}");
}

#[test]
fn a_call_that_is_refused_is_a_loss() {
    let centre = start("load-lost", "127.31.1.3", 1);
    let words = ["--number", "+13125550199", "--calls", "3", "--callers", "1", "--rate", "20", "--warm", "0s", "--for", "30s"];
    let (code, told) = load(&centre, 0, &words);
    assert_eq!((code, &told["calls"]["refused"]), (Some(1), &serde_json::json!({"404": 3})), "{told:#}");
}
