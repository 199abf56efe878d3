//! The house rules, read off the sources: floors, limits, locks, words. Every violation is printed at once; nothing is exempt.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/source.rs"]
mod source;

use imports::{Crate, imports};
use source::{Source, rust_sources, walk};
use std::path::Path;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

/// The floors from the ground up. A module imports from the floors below its own, and nobody on its own floor.
const FLOORS: [&[&str]; 6] =
    [&["model"], &["ivr"], &["acd", "leg"], &["sip", "media", "api", "store", "metrics", "config"], &["node", "sim", "loadgen"], &["cli"]];

/// These know no clock, no lock, no thread, no I/O and no crate.
const PURE: [&str; 5] = ["model", "ivr", "acd", "leg", "sim"];
const IMPURE_WORDS: [&str; 20] = [
    "tokio",
    "async",
    "await",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "rand",
    "Mutex",
    "RwLock",
    "Condvar",
    "unsafe",
    "println",
    "eprintln",
    "print",
    "eprint",
    "thread",
    "File",
    "TcpStream",
    "UdpSocket",
];

/// State that threads share: allowed where the inventory of ARCHITECTURE.md names it.
const LOCKS: [&str; 8] = ["Mutex", "RwLock", "Condvar", "Semaphore", "DashMap", "ArcSwap", "watch", "unsafe"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_house_is_tidy() {
    let sources = rust_sources(root(), &["src", "tests", "benches", "fuzz"]);
    assert!(sources.len() > 30, "the sources are found");
    let mut violations = Vec::new();
    for source in &sources {
        limits(source, &mut violations);
        floors(source, &mut violations);
        purity(source, &mut violations);
        unfinished(source, &mut violations);
        sleeps(source, &mut violations);
    }
    locks(&sources, &mut violations);
    violations.extend(Crate::new(&sources).cycles());
    other_files(&mut violations);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn limits(source: &Source, violations: &mut Vec<String>) {
    let path = &source.path;
    if !source.text.starts_with("//! ") {
        violations.push(format!("{path}:1: the first line does not say what the file is (`//! …`)"));
    }
    let lines = source.production_code().trim_end().lines().count();
    if lines > FILE_LINES_MAX {
        violations.push(format!("{path}: {lines} lines before its tests, at most {FILE_LINES_MAX}"));
    }
    for function in source.functions().iter().filter(|f| f.lines > FUNCTION_LINES_MAX) {
        let (name, line, lines) = (&function.name, function.line, function.lines);
        violations.push(format!("{path}:{line}: fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}"));
    }
}

/// The module of the top level that a file belongs to.
fn top(source: &Source) -> Option<String> {
    source.path.starts_with("src/").then(|| source.module().into_iter().next()).flatten()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

fn floors(source: &Source, violations: &mut Vec<String>) {
    let Some(own) = top(source).filter(|own| own != "main") else { return };
    let Some(own_floor) = floor(&own) else {
        violations.push(format!("{}: `{own}` has no floor", source.path));
        return;
    };
    for import in imports(source, &source.code) {
        let Some(other) = import.path.first().filter(|other| **other != own) else { continue };
        if floor(other).is_some_and(|other_floor| other_floor >= own_floor) {
            violations.push(format!("{}:{}: `{own}` imports `{other}`, which is not below it", source.path, import.line));
        }
    }
}

fn purity(source: &Source, violations: &mut Vec<String>) {
    if !top(source).is_some_and(|own| PURE.contains(&own.as_str())) {
        return;
    }
    if source.path.matches('/').count() == 2
        && source.path.ends_with("/mod.rs")
        && !source.text.contains("#![deny(clippy::disallowed_types")
    {
        violations.push(format!("{}: a pure floor opens with #![deny(clippy::disallowed_types, clippy::disallowed_methods)]", source.path));
    }
    let crates = dependencies();
    for (at, word) in Source::words(&source.code) {
        let names_crate = crates.iter().any(|name| name == word) && source.code[at + word.len()..].starts_with("::") && {
            let before = source.code[..at].trim_end();
            !before.ends_with("::") || before.ends_with("use ::")
        };
        if IMPURE_WORDS.contains(&word) || names_crate && at < source.production {
            violations.push(format!("{}:{}: `{word}` in a pure floor", source.path, source.line_of(at)));
        }
    }
}

/// The crates of Cargo.toml, as the code names them.
fn dependencies() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .take_while(|line| !line.starts_with("[profile"))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name.replace('-', "_")))
        .collect()
}

fn unfinished(source: &Source, violations: &mut Vec<String>) {
    for (at, word) in Source::words(&source.code) {
        let after = &source.code[at + word.len()..];
        let macro_left = ["todo", "unimplemented", "dbg"].contains(&word) && after.starts_with('!');
        let ignored = word == "ignore" && source.code[..at].ends_with("#[");
        if macro_left || ignored {
            violations.push(format!("{}:{}: `{word}` is left", source.path, source.line_of(at)));
        }
    }
}

fn sleeps(source: &Source, violations: &mut Vec<String>) {
    let code = source.test_code();
    let start = source.code.len() - code.len();
    for (at, word) in Source::words(code) {
        if ["sleep", "sleep_until", "sleep_ms"].contains(&word) && code[at + word.len()..].trim_start().starts_with('(') {
            violations.push(format!("{}:{}: a test sleeps; wait on an event or move a clock", source.path, source.line_of(start + at)));
        }
    }
}

/// The rows `| where | what |` below the words "Lock inventory": a path in backticks, then the words that may stand there.
fn inventory() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap_or_default();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    page.lines()
        .skip_while(|line| !line.to_lowercase().contains("lock inventory"))
        .skip(1)
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .flat_map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').splitn(2, '|').collect();
            let what = cells.get(1).map(|cell| quoted(cell)).unwrap_or_default();
            quoted(cells[0]).into_iter().map(move |place| (place, what.clone()))
        })
        .collect()
}

fn locks(sources: &[Source], violations: &mut Vec<String>) {
    let inventory = inventory();
    let mut used = vec![false; inventory.len()];
    for source in sources.iter().filter(|s| s.path.starts_with("src/")) {
        for (at, word) in Source::words(source.production_code()) {
            let code = source.production_code();
            let forbids_unsafe = word == "unsafe" && code[..at].ends_with("(");
            let other_watch = word == "watch" && !code[at + word.len()..].starts_with("::");
            if !LOCKS.contains(&word) || forbids_unsafe || other_watch {
                continue;
            }
            let row =
                inventory.iter().position(|(place, what)| source.path.starts_with(place.as_str()) && what.iter().any(|w| w.contains(word)));
            match row {
                Some(row) => used[row] = true,
                None => violations.push(format!(
                    "{}:{}: `{word}` is not in the lock inventory of ARCHITECTURE.md",
                    source.path,
                    source.line_of(at)
                )),
            }
        }
    }
    for ((place, what), _) in inventory.iter().zip(used).filter(|(_, used)| !used) {
        violations.push(format!("ARCHITECTURE.md: the lock inventory names {what:?} in {place}, where there is none"));
    }
}

/// What holds for every text file: no path of somebody's machine, no note to self, no sleeping script.
fn other_files(violations: &mut Vec<String>) {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    let machine = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let path = path.strip_prefix(root()).expect("under the root").display().to_string();
        if path == ".git" || path.starts_with("tests/torture/") && !path.ends_with(".rs") {
            continue;
        }
        let script = path.starts_with("tests/") && (path.ends_with(".sh") || text.starts_with("#!"));
        for (number, line) in text.lines().enumerate() {
            let mut say = |what: &str| violations.push(format!("{path}:{}: {what}", number + 1));
            if machine.iter().any(|m| line.contains(m)) {
                say("a path of somebody's machine");
            }
            if notes.iter().any(|n| line.contains(n)) {
                say("a note to self");
            }
            if script && line.split(|c: char| !c.is_alphanumeric()).any(|w| w == "sleep") {
                say("a test sleeps");
            }
        }
    }
}
