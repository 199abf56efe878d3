//! The runs behind the table: each against a fresh centre, each beside what the machine itself costs.

use crate::centre::{Centre, Wanted};
use crate::floor;
use crate::page::{Reach, Row};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const ADDRESS: &str = "127.61.1.1";
const NAME: &str = "loadtest";
/// How long bare loops are measured.
const BARE: Duration = Duration::from_secs(3);

/// A centre with so many agents, and the words for `careline load`.
struct Case {
    agents: usize,
    words: Vec<String>,
    record: bool,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// Starts a centre with its data in a directory of this name.
pub fn centre(name: &str, address: &str, agents: usize, record: bool) -> Result<Centre, String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let wanted = Wanted { address: address.parse().expect("an address"), agents: agents.max(1), record };
    Centre::start(&dir, wanted, &[]).and_then(Centre::ready).map_err(|error| error.to_string())
}

/// One run of `careline load`: what it counted. A run that lost anything is no measurement.
pub fn load(centre: &Centre, agents: usize, more: &[String]) -> Result<Value, String> {
    let pid = centre.pid().to_string();
    let all = centre.load(agents);
    let output = Command::new(env!("CARGO_BIN_EXE_careline"))
        .args(all)
        .args(["--pid", &pid])
        .args(more)
        .output()
        .map_err(|error| format!("careline load: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("careline load: {error}\n{said}"))?;
    match told["losses"].as_array() {
        Some(losses) if losses.is_empty() => Ok(told),
        _ => Err(format!("careline load {}: {}\n{}", more.join(" "), told["losses"], centre.log())),
    }
}

fn run(case: &Case) -> Result<Value, String> {
    let centre = centre(NAME, ADDRESS, case.agents, case.record)?;
    let told = load(&centre, case.agents, &case.words)?;
    centre.stop().map_err(|error| error.to_string())?;
    Ok(told)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Processor time of the server in the window, in microseconds.
fn cpu(told: &Value) -> f64 {
    let server = &told["window"]["server"];
    (number(&server[1]["cpu_ms"]) - number(&server[0]["cpu_ms"])) * 1000.0
}

/// What each of so many calls takes, in KiB, from when the agents were registered to the end of the window.
fn memory(told: &Value, calls: f64) -> f64 {
    (number(&told["window"]["server"][1]["rss_kib"]) - number(&told["samples"][0][2]["rss_kib"])) / calls
}

/// Each repeat's values, by row.
fn repeat<const N: usize>(
    repeats: usize,
    what: &str,
    mut once: impl FnMut() -> Result<[(f64, f64); N], String>,
) -> Result<[Vec<(f64, f64)>; N], String> {
    let mut rows = [const { Vec::new() }; N];
    for number in 1..=repeats {
        eprintln!("{what}: {number} of {repeats}");
        for (row, value) in rows.iter_mut().zip(once()?) {
            row.push(value);
        }
    }
    Ok(rows)
}

/// Agents under a backlog, with music: how fast they are given the next call, and how they spend their time.
pub fn dispatch(repeats: usize) -> Result<Vec<Row>, String> {
    let case = Case { agents: 20, words: words("--callers 50 --talk 1s-2s --for 12s"), record: false };
    let [p50, p95, p99, busy] = repeat(repeats, "20 agents, 30 waiting", || {
        let told = run(&case)?;
        let at = |name: &str| (number(&told["window"]["dispatch_ms"][name]), f64::NAN);
        Ok([at("p50"), at("p95"), at("p99"), (number(&told["window"]["agents_busy"]) * 100.0, f64::NAN)])
    })?;
    let what = "agent free → next INVITE on the wire, 20 agents, 30 waiting";
    Ok(vec![
        Row::new(format!("{what}, p50"), "ms", "Asterisk 336–450", Reach::None, p50, &case.words),
        Row::new(format!("{what}, p95"), "ms", "Asterisk 1,000–1,200", Reach::None, p95, &case.words),
        Row::new(format!("{what}, p99"), "ms", "–", Reach::Most(5.0), p99, &case.words),
        Row::new("agents' use of their time under that backlog", "%", "Asterisk 80–84", Reach::Least(99.0), busy, &case.words),
    ])
}

/// Signalling alone, set-up to hang-up, with so many waiting.
fn per_call(waiting: usize) -> Result<(f64, f64), String> {
    let told = run(&signalling(waiting))?;
    let (window, completed) = (&told["window"], number(&told["window"]["completed"]));
    let messages = number(&window["sip"]["sent"]) + number(&window["sip"]["received"]);
    let bytes = number(&window["sip"]["bytes"]) / messages;
    let floor = floor::exchange(bytes as usize, 20_000) * messages / 2.0 / completed;
    Ok((cpu(&told) / completed / 1000.0, floor / 1000.0))
}

fn signalling(waiting: usize) -> Case {
    Case { agents: 20, words: words(&format!("--sound none --callers {} --talk 100ms --for 6s", waiting + 20)), record: false }
}

pub fn signalling_rows(repeats: usize) -> Result<Vec<Row>, String> {
    let [few] = repeat(repeats, "signalling, 30 waiting", || Ok([per_call(30)?]))?;
    let what = "server CPU per call through the queue, signalling, set-up to hang-up";
    let mut rows = vec![Row::new(what, "ms", "Asterisk 8.7–12.6", Reach::Most(0.6), few, &signalling(30).words)];
    let mut medians = Vec::new();
    for (waiting, peer) in [(100, "Asterisk 10.4"), (1_000, "Asterisk 18.8"), (3_000, "Asterisk 41.4")] {
        let [values] = repeat(repeats, &format!("signalling, {waiting} waiting"), || Ok([per_call(waiting)?]))?;
        let row =
            Row::new(format!("the same per dispatch, {waiting} waiting"), "ms", peer, Reach::None, values, &signalling(waiting).words);
        medians.push(row.median());
        rows.push(row);
    }
    let flat = vec![(medians[2] / medians[0], f64::NAN)];
    rows.push(Row::new("per dispatch, 3,000 waiting against 100", "×", "Asterisk 4.0", Reach::Most(1.25), flat, &[]));
    Ok(rows)
}

/// Music to callers who send nothing.
pub fn music(repeats: usize) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (waiting, peer, late_peer) in
        [(250, "RustPBX 19–20, Asterisk 42–46", "–"), (1_000, "RustPBX 19–20, Asterisk 42–46", "Asterisk a third of all")]
    {
        // One agent is there, and in a long talk: a queue that nobody serves keeps nobody.
        let clients = format!("--sound silent --callers {} --talk 1h --for 8s", waiting + 1);
        let case = Case { agents: 1, words: words(&clients), record: false };
        let [cost, late, kib] = repeat(repeats, &format!("music, {waiting} waiting"), || {
            let told = run(&case)?;
            let rtp = &told["rtp"];
            let cost = (cpu(&told) / number(&rtp["heard"]), floor::music(waiting, BARE));
            Ok([cost, (number(&rtp["late_over_20_ms"]), f64::NAN), (memory(&told, waiting as f64), f64::NAN)])
        })?;
        let who = format!("{waiting} waiting callers who send nothing");
        rows.push(Row::new(format!("server CPU per music packet, {who}"), "µs", peer, Reach::Most(5.5), cost, &case.words));
        rows.push(Row::new(format!("music packets over 20 ms late, {who}"), "", late_peer, Reach::Most(0.0), late, &case.words));
        if waiting == 1_000 {
            rows.push(Row::new("memory per waiting call", "KiB", "Asterisk 143–157", Reach::Most(16.0), kib, &case.words));
        }
    }
    Ok(rows)
}

/// Two parties a call who send and hear.
pub fn bridged(repeats: usize, record: bool) -> Result<Vec<Row>, String> {
    let calls = 100;
    // Who is recorded hears the notice before.
    let warm = if record { "12s" } else { "4s" };
    let case = Case { agents: calls, words: words(&format!("--sound aloud --callers {calls} --talk 1h --warm {warm} --for 8s")), record };
    let what = if record { "recorded" } else { "forwarded" };
    let [cost, p50, p95, kib] = repeat(repeats, &format!("{what}, {calls} calls"), || {
        let told = run(&case)?;
        let rtp = &told["rtp"];
        let delay = |name: &str| (number(&rtp["delay_ms"][name]), f64::NAN);
        let cost = (cpu(&told) / number(&rtp["forwarded"]), floor::forward(calls, BARE));
        Ok([cost, delay("p50"), delay("p95"), (memory(&told, calls as f64), f64::NAN)])
    })?;
    if record {
        let what = "server CPU per bridged packet, 100 calls both ways, recorded";
        return Ok(vec![Row::new(what, "µs", "Asterisk 65–92", Reach::Most(11.0), cost, &case.words)]);
    }
    let what = "server CPU per bridged packet forwarded, 100 calls both ways";
    Ok(vec![
        Row::new(what, "µs", "RustPBX 21–22", Reach::Most(9.0), cost, &case.words),
        Row::new("forwarding delay, 100 bridged calls, p50", "ms", "RustPBX 0.18–0.20", Reach::Most(0.20), p50, &case.words),
        Row::new("forwarding delay, 100 bridged calls, p95", "ms", "RustPBX 0.30–0.34", Reach::Most(0.34), p95, &case.words),
        Row::new("memory per bridged call", "KiB", "Asterisk 490", Reach::Most(48.0), kib, &case.words),
    ])
}

/// What 10,000 short calls leave behind, against what 1,000 do, at one steady rate: a server remembers each call's last answers for half a
/// minute, and keeps what the busiest half minute took.
pub fn leftovers() -> Result<Vec<Row>, String> {
    let rest = || {
        let (_keep, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_secs(36));
    };
    let centre = centre(NAME, ADDRESS, 20, false)?;
    let short = |calls: usize| words(&format!("--sound none --rate 40 --callers 200 --talk 100ms --warm 0s --for 5m --calls {calls}"));
    let resident = |pid: u32| careline::loadgen::swarm::process::Sample::take(pid).map(|sample| sample.rss_kib as f64 / 1024.0);
    let mut after = Vec::new();
    for calls in [1_000, 9_000] {
        eprintln!("{calls} short calls, 40 a second, and half a minute of rest");
        load(&centre, 20, &short(calls))?;
        rest();
        after.push(resident(centre.pid()).map_err(|error| error.to_string())?);
    }
    centre.stop().map_err(|error| error.to_string())?;
    let growth = vec![((after[1] / after[0] - 1.0) * 100.0, f64::NAN)];
    let what = format!("memory after 10,000 short calls ({:.1} MiB) against after 1,000 ({:.1} MiB)", after[1], after[0]);
    Ok(vec![Row::new(what, "%", "–", Reach::Most(5.0), growth, &short(9_000))])
}
