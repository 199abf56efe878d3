//! `careline replay`: what the core was told, told again, and what came of it.

use super::failed;
use crate::acd::{CallRecord, Command, Event};
use crate::model::Time;
use crate::node::recover;
use crate::store::MasterKey;
use crate::store::journal::End;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Tells the core again what a file of the journal says that it was told, and says what came of it: nothing is called, and nothing written.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A file of the journal, or of the quarantine
    file: PathBuf,
    /// The master key; else systemd's credential, else that of the data directory in which the file lies
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Prints every command with the time and the event of which it came; what is about a caller prints as [phi]
    #[arg(long)]
    commands: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let mut out = BufWriter::new(std::io::stdout().lock());
    // Whoever reads no further (`| head`) has seen enough.
    let mut print = |at: Time, event: &Event, command: &Command| {
        if args.commands {
            let _ = writeln!(out, "{} {} {command:?}", moment(at), event.name());
        }
    };
    let summary = match key(args.key.as_deref(), &args.file).and_then(|key| replay(&args.file, &key, &mut print)) {
        Ok(summary) => summary,
        Err(error) => {
            let _ = out.flush();
            return failed(&error);
        }
    };
    let _ = summary.print(&mut out).and_then(|()| out.flush());
    match summary.problem() {
        Some(problem) => failed(&format!("{}: {problem}", args.file.display())),
        None => ExitCode::SUCCESS,
    }
}

/// The key that is named, or that of the data directory two above the file. None is ever made: it could open nothing.
fn key(named: Option<&Path>, file: &Path) -> Result<MasterKey, String> {
    let file = std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let data_dir = file.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    MasterKey::existing(named, data_dir)
}

/// What a file comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// Of the checkpoint, and of the last event.
    pub from: Time,
    pub until: Time,
    pub events: BTreeMap<&'static str, u64>,
    pub commands: u64,
    /// Calls that closed, by how they ended.
    pub closed: BTreeMap<&'static str, u64>,
    /// Calls alive at the end.
    pub alive: usize,
    /// SHA-256 of every command with its time, as `--commands` prints them: of equal files it is equal.
    pub digest: String,
    /// Events of which other facts came than the journal says.
    pub disagreements: u64,
    pub end: End,
}

/// Builds the core of the file's checkpoint and tells it every event at its time, a deadline's among them; `heard` is told each command.
pub fn replay(file: &Path, key: &MasterKey, heard: &mut dyn FnMut(Time, &Event, &Command)) -> Result<Summary, String> {
    let (mut events, mut closed, mut count) = (BTreeMap::new(), BTreeMap::new(), 0);
    let (mut sum, mut text) = (Sha256::new(), String::new());
    let mut last = None;
    let read = &mut |at: Time, event: &Event, commands: &[Command]| {
        *events.entry(event.name()).or_insert(0) += 1;
        last = Some(at);
        for command in commands {
            count += 1;
            if let Command::CloseRecord(record) = command {
                let CallRecord { disposition, .. } = &**record;
                *closed.entry(disposition.label()).or_insert(0) += 1;
            }
            text.clear();
            writeln!(text, "{} {command:?}", at.0).expect("a string takes everything");
            sum.update(&text);
            heard(at, event, command);
        }
    };
    let replay = recover::bear(|| recover::replay(file, key, read)).map_err(|error| match last {
        Some(at) => format!("{error}, after the event of {}", moment(at)),
        None => error,
    })?;
    let digest = sum.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok(Summary {
        from: replay.head.at,
        until: replay.last,
        events,
        commands: count,
        closed,
        alive: replay.core.calls_alive(),
        digest,
        disagreements: replay.disagreements,
        end: replay.end,
    })
}

impl Summary {
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "time      {} to {}", moment(self.from), moment(self.until))?;
        writeln!(out, "events    {}", self.events.values().sum::<u64>())?;
        self.events.iter().try_for_each(|(name, count)| writeln!(out, "  {name:<20} {count:>8}"))?;
        writeln!(out, "commands  {}", self.commands)?;
        writeln!(out, "calls     {} closed, {} alive at the end", self.closed.values().sum::<u64>(), self.alive)?;
        self.closed.iter().try_for_each(|(name, count)| writeln!(out, "  {name:<20} {count:>8}"))?;
        writeln!(out, "digest    {}", self.digest)?;
        match self.end {
            End::Closed => writeln!(out, "end       closed"),
            End::Torn => writeln!(out, "end       torn, or still being written: what came before is whole"),
            End::Altered => writeln!(out, "end       altered: what came before is whole"),
        }
    }

    /// Why the file is not to be believed. A torn end is none: a crash and a centre that runs leave it so.
    fn problem(&self) -> Option<String> {
        if self.end == End::Altered {
            return Some("altered since it was written".to_string());
        }
        let Summary { disagreements, .. } = self;
        (*disagreements > 0).then(|| format!("of {disagreements} events came other facts than were written down"))
    }
}

fn moment(at: Time) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests;
