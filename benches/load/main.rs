//! What a whole centre costs, from outside: `cargo bench --bench load -- table` measures each row and writes loadtest/RESULTS.md,
//! `-- soak` runs half an hour and writes loadtest/SOAK.md. `loadtest/run` and `loadtest/soak` say so in one word.

#[path = "../../tests/load/centre.rs"]
mod centre;
mod floor;
mod page;
mod rows;
mod soak;

use std::path::Path;
use std::process::ExitCode;

const REPEATS: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let done = match words.first().map(String::as_str) {
        Some("table") => table(words.get(1).map(String::as_str)),
        Some("soak") => match soak::soak(words.get(1).map_or("30m", String::as_str)) {
            Ok(page) => write("SOAK.md", &page),
            Err(page) => write("SOAK.md", &page).and(Err("the soak is not flat".to_string())),
        },
        _ => {
            println!("say `table`, `table NAME` (dispatch, signalling, music, bridged, recorded, leftovers) or `soak [DURATION]`");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// All rows, written to the page; or one group of them, printed.
fn table(only: Option<&str>) -> Result<(), String> {
    let circumstances = page::circumstances();
    type Group = (&'static str, fn() -> Result<Vec<page::Row>, String>);
    let groups: [Group; 6] = [
        ("dispatch", || rows::dispatch(REPEATS)),
        ("signalling", || rows::signalling_rows(REPEATS)),
        ("music", || rows::music(REPEATS)),
        ("bridged", || rows::bridged(REPEATS, false)),
        ("recorded", || rows::bridged(REPEATS, true)),
        ("leftovers", rows::leftovers),
    ];
    let mut measured = Vec::new();
    for (_, rows) in groups.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        measured.extend(rows()?);
    }
    let page = page::page(&circumstances, REPEATS, &measured);
    match only {
        Some(_) => println!("{page}"),
        None => write("RESULTS.md", &page)?,
    }
    match measured.iter().filter(|row| row.missed()).count() {
        0 => Ok(()),
        missed => Err(format!("{missed} rows are missed")),
    }
}

fn write(name: &str, page: &str) -> Result<(), String> {
    println!("{page}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest").join(name);
    std::fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()))
}
