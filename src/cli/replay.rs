//! `careline replay`: what the core was told, told again, and what came of it; or the same without people, to be sent away.

mod export;
mod people;
mod summary;

use super::{failed, panics};
use crate::acd::{Command, Event};
use crate::model::Time;
use crate::store::MasterKey;
use crate::store::journal::Reader;
use export::export;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use summary::{moment, replay};

/// Tells the core again what a file of the journal says that it was told, and says what came of it: nothing is called, and nothing written.
///
/// With --export it writes the same journal with invented people: numbers, names and whatever callers entered are others, one and the same
/// wherever they stand; addresses, accounts, passwords and the flows' tests are left out; it is not sealed, needs no key, and replays to the
/// same commands. What stays: times, the numbers of calls and agents, languages, choices in menus, the numbers that callers dial, and the
/// names and words of queues, flows and prompts. Look through it before you send it.
///
/// Exit codes: 0 the same came of it (an event that the core could not bear when it was set aside, and takes now, is told as mended since),
/// 1 it did not, or the file cannot be read, 2 wrong usage.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A file of the journal or of the quarantine, or an export
    file: PathBuf,
    /// The master key; else systemd's credential, else that of the data directory in which the file lies
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Prints every command with the time and the event of which it came; what is about a caller prints as [phi]
    #[arg(long)]
    commands: bool,
    /// Writes the journal without people to this file, which must not exist
    #[arg(long, value_name = "OUT", conflicts_with = "commands")]
    export: Option<PathBuf>,
}

pub fn run(args: &Args) -> ExitCode {
    let done = open(args.key.as_deref(), &args.file).and_then(|reader| match &args.export {
        Some(out) => export_to(reader, out),
        None => tell_again(reader, args.commands),
    });
    match done {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(problem)) | Err(problem) => failed(&format!("{}: {problem}", args.file.display())),
    }
}

/// The problem with it, if there is one.
fn tell_again(reader: Reader, commands: bool) -> Result<Option<String>, String> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    // Whoever reads no further (`| head`) has seen enough.
    let mut print = |at: Time, event: &Event, command: &Command| {
        if commands {
            let _ = writeln!(out, "{} {} {command:?}", moment(at), event.name());
        }
    };
    let summary = replay(reader, &mut print);
    let _ = summary.as_ref().map_or(Ok(()), |summary| summary.print(&mut out)).and_then(|()| out.flush());
    summary.map(|summary| summary.problem())
}

fn export_to(reader: Reader, out: &Path) -> Result<Option<String>, String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| format!("no random numbers: {error}"))?;
    let exported = export(reader, out, key)?;
    let _ = exported.print(out, &mut std::io::stdout().lock());
    Ok(exported.problem())
}

/// An export, or a sealed file with the key that is named, or with that of the data directory two above it. No key is ever made: it could
/// open nothing.
fn open(key: Option<&Path>, file: &Path) -> Result<Reader, String> {
    if let Some(reader) = Reader::open_export(file).map_err(|error| error.to_string())? {
        panics::tell_all();
        return Ok(reader);
    }
    let file = std::path::absolute(file).map_err(|error| error.to_string())?;
    let data_dir = file.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let key = MasterKey::existing(key, data_dir)?;
    Reader::open(&file, &key).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
