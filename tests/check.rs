//! What `careline check` says of broken configurations: each case in tests/broken changes one thing of a good centre.
//!
//! A case is a list of changes and the lines that are expected, all of them and no others:
//! `in FILE`, then `- text` that stands there once, `+ text` in its place; `= line` is expected.

use std::fs;
use std::path::{Path, PathBuf};

struct Case {
    changes: Vec<(String, String, String)>,
    expected: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap();
    let mut case = Case { changes: Vec::new(), expected: Vec::new() };
    let mut file = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (sign, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
        let rest = rest.strip_prefix(' ').unwrap_or(rest).replace("\\n", "\n");
        match sign {
            "in" => file = rest,
            "-" => case.changes.push((file.clone(), rest, String::new())),
            "+" => case.changes.last_mut().expect("a `+` follows a `-`").2 = rest,
            "=" => case.expected.push(rest),
            "#" => {}
            other => panic!("{}: what is `{other}`?", path.display()),
        }
    }
    case
}

/// Builds the changed centre in a directory of its own and returns what loading it says.
fn said(name: &str, case: &Case) -> Vec<String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("flows")).unwrap();
    let base = root().join("tests/broken/base");
    let prompts = root().join("ivr-flows/prompts");
    for file in ["careline.toml", "flows/main.yaml", "flows/evening.yaml"] {
        let mut text = fs::read_to_string(base.join(file)).unwrap();
        for (_, from, to) in case.changes.iter().filter(|(changed, _, _)| changed == file) {
            assert_eq!(text.matches(from.as_str()).count(), 1, "{name}: `{from}` stands once in {file}");
            text = text.replace(from.as_str(), to);
        }
        fs::write(dir.join(file), text.replace("@PROMPTS@", prompts.to_str().unwrap())).unwrap();
    }
    let here = format!("{}/", dir.display());
    let clean = |line: String| line.replace(&here, "").replace(prompts.to_str().unwrap(), "PROMPTS");
    match careline::config::load(&dir) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(|warning| clean(format!("warning: {warning}")));
            let (_, failures) = loaded.run_tests(None);
            warnings.chain(failures.iter().map(|failure| clean(failure.to_string()))).collect()
        }
        Err(problems) => problems.iter().map(|problem| clean(problem.to_string())).collect(),
    }
}

#[test]
fn the_centre_that_the_cases_break_is_good() {
    assert_eq!(said("good", &Case { changes: Vec::new(), expected: Vec::new() }), [""; 0]);
}

/// A queue records where every caller has heard so, to its end.
#[test]
fn a_queue_that_records_behind_its_notice_is_good() {
    let changes = [
        ("careline.toml", "needs = \"language >= 5 and billing >= 1\"", "needs = \"language >= 5 and billing >= 1\"\nrecord = true"),
        (
            "flows/main.yaml",
            "barge_in: false}, next: language}",
            "barge_in: false}, next: notice}\n  notice: {say: {prompt: recording_notice, barge_in: false}, next: language}",
        ),
        ("flows/main.yaml", "expect: [emergency, language", "expect: [emergency, notice, language"),
    ];
    let changes = changes.map(|(file, from, to)| (file.to_string(), from.to_string(), to.to_string())).to_vec();
    assert_eq!(said("recorded", &Case { changes, expected: Vec::new() }), [""; 0]);
}

/// Two queues may send callers to each other for as long as they like: in each they wait. An agent needs no PIN.
#[test]
fn what_is_unusual_may_be_good() {
    let changes = [
        ("careline.toml", "pin = \"1111\"\n", ""),
        ("flows/main.yaml", "urgent, otherwise: goodbye}", "urgent, max_wait: 1s, on_timeout: billing, otherwise: goodbye}"),
        ("flows/main.yaml", "on_timeout: second", "max_wait: 1s\n      on_timeout: nurse"),
        ("flows/main.yaml", "  second: {transfer: {to: agent 2, on_fail: goodbye}}\n", ""),
    ];
    let changes = changes.map(|(file, from, to)| (file.to_string(), from.to_string(), to.to_string())).to_vec();
    assert_eq!(said("unusual", &Case { changes, expected: Vec::new() }), [""; 0]);
}

/// Calls alive know their queue and its skills by number: a new queue before it must not push it on, and none takes the number of one
/// that is gone.
#[test]
fn a_configuration_that_is_read_again_keeps_numbers_and_says_what_changed() {
    let root = root();
    let now = careline::config::now();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reload");
    fs::create_dir_all(&dir).unwrap();
    let shipped = fs::read_to_string(root.join("config/careline.toml")).unwrap().replace("\"../", &format!("\"{}/", root.display()));
    fs::write(dir.join("careline.toml"), &shipped).unwrap();
    let mut before = careline::config::load_at(&dir, now).unwrap();
    before.adjust(|loaded| loaded.server.listen_on("127.14.2.1".parse().unwrap()));
    let same = before.again(now).unwrap();
    assert_eq!(before.parts.until(&same.parts).to_string(), "nothing changed");
    assert_eq!(same.server.sip.listen, ["127.14.2.1:5060".parse().unwrap()], "what the command line said goes on");

    let more = shipped
        .replace("[skills.english]", "[skills.refills]\n[skills.english]")
        .replace("[queues.scheduling]", "[queues.refills]\n\n[queues.scheduling]")
        .replace("queues = { nurse = 1 }", "queues = { nurse = 1, refills = 2 }")
        .replace("127.0.0.1:5060", "127.0.0.1:5066");
    fs::write(dir.join("careline.toml"), more).unwrap();
    let mut after = same.again(now).unwrap();
    for (id, queue) in &before.centre.queues {
        assert_eq!(after.centre.queues[id].name, queue.name);
    }
    for (id, skill) in &before.centre.skills {
        assert_eq!(after.centre.skills[id].name, skill.name);
    }
    assert_eq!((after.centre.queues.len(), after.centre.skills.len()), (6, 7));
    let diff = before.parts.until(&after.parts);
    assert_eq!(diff.to_string(), "added queue refills, skill refills; changed [sip], agent 1007, agent 1008");
    assert!(!diff.prompts());
    assert_eq!(after.server.keep_what_needs_a_restart(&same.server), ["sip.listen"]);
    assert_eq!(after.server.sip.listen, same.server.sip.listen);

    let other = shipped.replace("[queues.scheduling]", "[queues.labs]\n\n[queues.scheduling]");
    fs::write(dir.join("careline.toml"), other.replace("queues = { nurse = 1 }", "queues = { nurse = 1, labs = 2 }")).unwrap();
    let last = after.again(now).unwrap();
    let number =
        |loaded: &careline::config::Loaded, name: &str| loaded.centre.queues.iter().find(|(_, q)| &*q.name == name).map(|(id, _)| *id);
    assert_eq!((number(&last, "refills"), number(&after, "labs")), (None, None));
    assert!(number(&last, "labs") > number(&after, "refills"), "the number of a queue that is gone is nobody's");
}

#[test]
fn each_broken_centre_is_told_what_is_wrong_and_where() {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("tests/broken")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    paths.sort();
    assert!(paths.len() >= 25, "only {} cases", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let case = read(&path);
        let said = said(&name, &case);
        if said != case.expected || case.expected.is_empty() {
            wrong.push(format!("{name}:\n  said     {}\n  expected {}", said.join("\n           "), case.expected.join("\n           ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The manuals are printed from the tables by which files are read. To print them anew: `WRITE_MANUALS=1 cargo test --test check`.
#[test]
fn the_manuals_are_those_of_the_code() {
    for (file, text) in [
        ("ivr-flows/REFERENCE.md", careline::ivr::manual::markdown()),
        ("config/REFERENCE.md", careline::config::manual::markdown()),
        ("config/prometheus/SERIES.md", careline::metrics::series::markdown()),
    ] {
        let path = root().join(file);
        if std::env::var_os("WRITE_MANUALS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == text,
            "{file} is not what the code says: print it anew with WRITE_MANUALS=1"
        );
    }
}
