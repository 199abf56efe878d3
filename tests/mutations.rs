//! Seeded mistakes: each patch in tests/mutations breaks a pure floor, and the specification, or else the floors' own tests, must notice.
//!
//! Everything is compiled with bare `rustc`. A patch that no longer applies, or no longer compiles, fails too. `MUTATION=name` runs one.

mod rustc;

use rustc::{Scratch, compile_floors, rustc, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

const FLOORS: [&str; 4] = ["model", "ivr", "acd", "leg"];
/// Those whose own tests need no crate.
const TESTED: [&str; 3] = ["model", "ivr", "acd"];
const FLAGS: [&str; 2] = ["-C", "debuginfo=0"];
const MUTATIONS_MIN: usize = 15;
/// A mutation may make the core go round in circles.
const SECONDS_MAX: &str = "240";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_mutation_is_caught() {
    let scratch = Scratch::new("mutations");
    let caught_by = judge(&scratch.0.join("none"), None).expect("the floors compile");
    assert_eq!(caught_by, None, "the floors pass before they are mutated");
    let mut patches: Vec<PathBuf> =
        std::fs::read_dir(root().join("tests/mutations")).expect("the folder").map(|e| e.expect("a file").path()).collect();
    patches.retain(|path| path.extension().is_some_and(|e| e == "patch"));
    patches.sort();
    assert!(patches.len() >= MUTATIONS_MIN, "{} mutations, at least {MUTATIONS_MIN}", patches.len());
    if let Ok(only) = std::env::var("MUTATION") {
        patches.retain(|path| path.file_stem().is_some_and(|stem| stem == only.as_str()));
    }
    let next = AtomicUsize::new(0);
    let survivors = || -> Vec<String> {
        let mine = std::iter::from_fn(|| patches.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.filter_map(|patch| survives(&scratch, patch)).collect()
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let survived: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(survivors)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker judges to the end")).collect()
    });
    assert!(survived.is_empty(), "{}", survived.join("\n"));
}

/// What is wrong with a patch, unless it is caught.
fn survives(scratch: &Scratch, patch: &Path) -> Option<String> {
    let name = patch.file_stem().expect("a name").to_string_lossy().into_owned();
    match judge(&scratch.0.join(&name), Some(patch)) {
        Ok(Some(test)) => {
            println!("{name}: caught by {test}");
            None
        }
        Ok(None) => Some(format!("{name}: nobody notices")),
        Err(why) => Some(format!("{name}: {why}")),
    }
}

/// Which test fails with this patch applied; `Ok(None)`: none. An error where the patch does not apply or compile.
fn judge(folder: &Path, patch: Option<&Path>) -> Result<Option<String>, String> {
    let src = folder.join("src");
    for floor in FLOORS {
        copy(&root().join("src").join(floor), &src.join(floor));
    }
    if let Some(patch) = patch {
        let output = run(Command::new("git").args(["apply", "-p1"]).arg(patch).current_dir(folder));
        if !output.status.success() {
            return Err(format!("the patch does not apply any more: {}", text(&output)));
        }
    }
    compiled(compile_floors(&src, &FLOORS, folder, &FLAGS))?;
    let spec = folder.join("spec");
    let library = format!("careline={}", folder.join("libcareline.rlib").display());
    let main = root().join("tests/spec/main.rs");
    compiled(run(rustc(&FLAGS).args(["--test", "--extern", &library]).arg("-o").arg(&spec).arg(main)))?;
    let mut failed = failing_test(&spec);
    if failed.is_none() {
        let (units, root) = (folder.join("units"), folder.join("units.rs"));
        std::fs::write(&root, rustc::root(&src, &TESTED)).map_err(|e| e.to_string())?;
        compiled(run(rustc(&FLAGS).arg("--test").arg("-o").arg(&units).arg(root)))?;
        failed = failing_test(&units);
    }
    std::fs::remove_dir_all(folder).map_err(|e| e.to_string())?;
    Ok(failed)
}

fn compiled(output: Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(format!("the floors do not compile: {}", text(&output))) }
}

/// The first test that fails, or what else ended the run.
fn failing_test(binary: &Path) -> Option<String> {
    let output = run(Command::new("timeout").arg(SECONDS_MAX).arg(binary).env("STORM_SEEDS", "4").env("RUST_BACKTRACE", "0"));
    if output.status.success() {
        return None;
    }
    let said = text(&output);
    let name = said.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    Some(name.map_or_else(|| output.status.to_string(), String::from))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let path = entry.expect("readable").path();
        let target = to.join(path.file_name().expect("has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}
