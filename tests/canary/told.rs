//! A call, an agent and a supervisor, and everything that was told meanwhile.

use super::birds::{DIGITS, FROM, NAME, PASSWORD, PIN, TOKEN, found};
use super::centre::{Centre, configure};
use super::line::{Caller, Station};
use careline::acd::event::LEGS_OF_THE_CORE;
use careline::acd::{Acd, Event};
use careline::model::{CallId, LegId, Phi};
use careline::store::MasterKey;
use careline::store::journal::{Checkpoint, Journal, Settings};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const BILLING_IN_SPANISH: &str = "+13125550102";

/// Waits until the view has this; the view.
fn view(centre: &Centre, what: &str) -> String {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let view = centre.ask("GET /api/v1/view", TOKEN, "");
        if view.contains(what) {
            return view;
        }
        assert!(std::time::Instant::now() < end, "the view never had {what}: {view}");
    }
}

/// What a command of the program's says, on both of its outputs.
fn says(args: &[&str], code: i32) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_careline")).args(args).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&said));
    said
}

/// What `careline status` says of a centre that runs, to who may ask it and to who may not.
fn status(centre: &Centre) -> Vec<u8> {
    let config = centre.directory.to_string_lossy().into_owned();
    let stranger = configure("canary-stranger", &[("[http]", "[http] # another token")]);
    std::fs::write(stranger.join("token"), "another-token-altogether").expect("the test's directory takes a file");
    let refused = says(&["status", "--config", &stranger.to_string_lossy()], 1);
    [says(&["status", "--config", &config], 0), says(&["status", "--config", &config, "--json"], 0), refused].concat()
}

/// The journal, told again and exported; and what is said of a call that no core bears, set aside with its caller.
fn replayed(directory: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let data = directory.join("data");
    let journal = careline::store::journal::files(&data).remove(0);
    let aside = set_aside(&data);
    let (journal, aside) = (journal.to_string_lossy().into_owned(), aside.to_string_lossy().into_owned());
    let out = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let (exported, fault) = (out("exported"), out("exported-fault"));
    let commands = says(&["replay", &journal, "--commands"], 0);
    assert!(String::from_utf8_lossy(&commands).contains("digits_entered"), "keys were pressed in it");
    let mut told =
        vec![("the journal's commands", commands), ("an export's summary", says(&["replay", &journal, "--export", &exported], 0))];
    told.push(("an export", std::fs::read(&exported).expect("it was written")));
    told.push(("an export, replayed", says(&["replay", &exported, "--commands"], 0)));
    let fails = says(&["replay", &aside, "--commands"], 1);
    assert!(String::from_utf8_lossy(&fails).contains("the shell's legs have numbers below"), "says what failed");
    told.push(("a fault, replayed", fails));
    told.push(("the export of a fault, as it is made", says(&["replay", &aside, "--export", &fault], 0)));
    told.push(("the export of a fault", std::fs::read(&fault).expect("it was written")));
    told.push(("the export of a fault, replayed", says(&["replay", &fault], 1)));
    told
}

/// A file of the quarantine with the birds' owner in it.
fn set_aside(data: &Path) -> PathBuf {
    let key = MasterKey::find(None, data).expect("the centre has a key");
    let loaded = careline::config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).expect("the shipped centre is good");
    let settings = Settings { roll: 1 << 20, keep: Duration::from_secs(3600), size: 8 << 20 };
    let elsewhere = data.join("aside");
    let mut journal = Journal::new(&elsewhere, &key, settings).expect("the test's directory takes a file");
    let (core, sources) = (Acd::new(loaded.centre.clone()), &*loaded.sources);
    let state = || Checkpoint {
        at: loaded.at,
        next_call: 1,
        sources,
        configured_at: loaded.at,
        contacts: Vec::new(),
        invited: Vec::new(),
        pieces: core.checkpoint(),
    };
    journal.begin(state());
    // The core numbers these legs itself.
    let event =
        Event::CallArrived { call: CallId(1), leg: LegId(LEGS_OF_THE_CORE), from: Phi(FROM.into()), to: Phi(BILLING_IN_SPANISH.into()) };
    journal.told(loaded.at, &event);
    let event = journal.not_taken();
    let file = journal.quarantine(state(), &event).expect("it is set aside");
    // Where a centre would have it: the key lies two above.
    let place = data.join("quarantine").join(file.file_name().expect("a file"));
    std::fs::create_dir_all(data.join("quarantine")).and_then(|()| std::fs::rename(&file, &place)).expect("it can be moved");
    place
}

/// What the birds' owner, a stranger and a supervisor are answered when they ask wrongly.
fn refusals(centre: &Centre) -> String {
    let bad = [
        ("GET /api/v1/view".to_string(), PASSWORD, String::new()),
        (format!("GET /api/v1/why-waiting/{FROM}"), TOKEN, String::new()),
        (format!("GET /api/v1/why-idle/{PIN}"), TOKEN, String::new()),
        (format!("GET /api/v1/{TOKEN}"), TOKEN, String::new()),
        ("POST /api/v1/agents/1004/state".to_string(), TOKEN, format!("{{\"state\": \"{NAME}\"}}")),
        ("POST /api/v1/agents/1004/state".to_string(), TOKEN, format!("{{\"state\": \"not_ready\", \"reason\": \"{NAME}\"}}")),
        ("POST /api/v1/agents/1004/state".to_string(), TOKEN, format!("{{\"state\": \"ready\", \"code\": \"{NAME} {FROM}\"}}")),
        ("POST /api/v1/agents/1004/state".to_string(), TOKEN, format!("{{\"state\": \"wrap_up\", \"extend\": \"{FROM}\"}}")),
        ("POST /api/v1/agents/1004/state".to_string(), TOKEN, format!("{{\"{NAME}\": \"{FROM}\"}}")),
        (format!("POST /api/v1/agents/{FROM}/state"), TOKEN, "{\"state\": \"ready\"}".to_string()),
    ];
    let answers: Vec<String> = bad.iter().map(|(line, token, body)| centre.ask(line, token, body)).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 4")), "{answers:#?}");
    answers.concat()
}

#[test]
fn nobody_is_told_who_called_what_they_pressed_or_what_opens_a_door() {
    let mut centre = Centre::start();
    let mut station = Station::start("127.14.4.3");
    // Proves who they are once more, by telephone.
    let mut desk = Caller::new("127.14.4.5", "*10");
    desk.dial_as("1004", PASSWORD);
    format!("1004#{PIN}#").chars().for_each(|key| desk.key_by_info(key));
    desk.hears_the_end();
    let ready = centre.ask("POST /api/v1/agents/1004/state", TOKEN, "{\"state\": \"ready\"}");
    assert!(ready.starts_with("HTTP/1.1 202"), "{ready}");
    let mut caller = Caller::new("127.14.4.2", BILLING_IN_SPANISH);
    caller.dial();
    DIGITS[0].chars().for_each(|key| caller.key_by_info(key));
    (0..).zip(DIGITS[1].chars()).for_each(|(index, key)| caller.key_by_event(index, key));
    let talk = station.takes_the_call();
    let during = view(&centre, "\"talking\":1");
    let mut told = vec![("the view", during.into_bytes()), ("the process", centre.process())];
    told.push(("why an agent is idle", centre.ask("GET /api/v1/why-idle/1004", TOKEN, "").into_bytes()));
    told.push(("the status", status(&centre)));
    told.push(("error answers by HTTP", refusals(&centre).into_bytes()));
    let mut stranger = Caller::new("127.14.4.4", "+13125550198");
    for (method, more, code) in [("INVITE", "", 404), ("INVITE", "Require: 100rel-not\r\n", 420), ("PUBLISH", "", 405), ("BYE", "", 481)] {
        stranger.send(method, more, "");
        assert_eq!(stranger.answer(), code, "{method} {more}");
    }
    told.push(("error answers by SIP", std::mem::take(&mut stranger.refusals).into_bytes()));
    told.push(("what a telephone is sent", std::mem::take(&mut station.received)));
    told.push(("the series while a call is alive", centre.ask("GET /metrics", "", "").into_bytes()));
    let alive = centre.kept();
    caller.hang_up();
    let _ = talk;
    view(&centre, "\"wrap_up\":0");
    told.push(("the series", centre.ask("GET /metrics", "", "").into_bytes()));
    std::fs::write(centre.directory.join("careline.toml"), "not a configuration").expect("the test's directory takes a file");
    centre.signal("-HUP");
    centre.writes("the configuration in force goes on");
    centre.signal("-TERM");
    centre.ends();
    let log = String::from_utf8_lossy(&centre.written).into_owned();
    for line in ["TRACE", "DEBUG", "told event=CallArrived", "told event=DigitsEntered", "asked command=CloseRecord"] {
        assert!(log.contains(line), "the log has everything: no {line} in {log}");
    }
    told.push(("the log", std::mem::take(&mut centre.written)));
    told.extend(replayed(&centre.directory));

    let mut leaks = Vec::new();
    for (place, bytes) in &told {
        assert!(bytes.len() > 20, "{place} has been looked at");
        leaks.extend(found(bytes).iter().map(|bird| format!("{place}: {bird}")));
    }
    let kept = centre.kept();
    let files: Vec<&str> = kept.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
    for kind in ["records.sqlite", ".sealed"] {
        assert!(files.iter().any(|name| name.ends_with(kind)), "records and recordings are kept: {files:?}");
    }
    for (path, bytes) in alive.iter().chain(&kept) {
        let name = path.to_string_lossy().into_owned();
        leaks.extend(found(&[name.as_bytes(), bytes].concat()).iter().map(|bird| format!("{name}: {bird}")));
    }
    leaks.sort();
    leaks.dedup();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// What is wrong is told by its place; what is secret is not repeated.
#[test]
fn no_error_of_a_configuration_repeats_a_secret() {
    let password = format!("password = \"{PASSWORD}\"");
    let pin = format!("pin = \"{PIN}\"");
    let token = "token_file = \"token\"";
    let cases: [(&str, &str, String); 9] = [
        ("a password without its end", &password, format!("password = \"{PASSWORD}")),
        ("a password twice", &password, format!("{password}\n{password}")),
        ("a password in a list", &password, format!("password = [\"{PASSWORD}\"]")),
        ("a password without quotes", &password, format!("password = {PASSWORD}")),
        ("a setting that is unknown", &password, format!("{password}\nsecret = \"{PASSWORD}\"")),
        ("a PIN with a letter", &pin, format!("pin = \"{PIN}x\"")),
        ("a PIN in a map", &pin, format!("pin = {{ is = \"{PIN}\" }}")),
        ("a token in a map", token, format!("token = {{ is = \"{TOKEN}\" }}")),
        ("two tokens", token, format!("token = \"{TOKEN}\"\ntoken_env = \"{TOKEN}\"")),
    ];
    for (index, (case, what, by)) in cases.iter().enumerate() {
        let directory = configure(&format!("canary-{index}"), &[(what, by)]);
        let output = Command::new(env!("CARGO_BIN_EXE_careline")).args(["check", "--config"]).arg(&directory).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), Some(1), "{case}: {text}");
        let line = Path::new(&directory).join("careline.toml").display().to_string();
        assert!(text.contains(&line), "{case}: says where: {text}");
        assert_eq!(found(&said), Vec::<String>::new(), "{case}: {text}");
    }
}
