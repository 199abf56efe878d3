//! What comes of a file of the journal when the core is told it again.

use crate::acd::{CallRecord, Command, Event};
use crate::model::Time;
use crate::node::recover::{self, Fault};
use crate::store::journal::{End, Reader};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

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
    /// Of an event that was set aside because the core could not bear it.
    pub fault: Option<Fault>,
    pub end: End,
}

/// Builds the core of the file's checkpoint and tells it every event at its time, a deadline's among them; `heard` is told each command.
pub fn replay(reader: Reader, heard: &mut dyn FnMut(Time, &Event, &Command)) -> Result<Summary, String> {
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
            line(at, command, &mut text);
            sum.update(&text);
            heard(at, event, command);
        }
    };
    let replay = recover::bear(|| recover::replay_from(reader, read)).map_err(|error| match last {
        Some(at) => format!("{error}, after the event of {}", moment(at)),
        None => error,
    })?;
    Ok(Summary {
        from: replay.head.at,
        until: replay.last,
        events,
        commands: count,
        closed,
        alive: replay.core.calls_alive(),
        digest: hex(sum),
        disagreements: replay.disagreements,
        fault: replay.fault,
        end: replay.end,
    })
}

/// A command as digests take it.
pub fn line(at: Time, command: &Command, text: &mut String) {
    text.clear();
    writeln!(text, "{} {command:?}", at.0).expect("a string takes everything");
}

pub fn hex(sum: Sha256) -> String {
    sum.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl Summary {
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "time      {} to {}", moment(self.from), moment(self.until))?;
        writeln!(out, "events    {}", self.events.values().sum::<u64>())?;
        self.events.iter().try_for_each(|(name, count)| writeln!(out, "  {name:<20} {count:>8}"))?;
        writeln!(out, "commands  {}", self.commands)?;
        writeln!(out, "calls     {} closed, {} alive at the end", self.closed.values().sum::<u64>(), self.alive)?;
        self.closed.iter().try_for_each(|(name, count)| writeln!(out, "  {name:<20} {count:>8}"))?;
        writeln!(out, "digest    {}", self.digest)?;
        match self.fault {
            Some(Fault::Mended) => {
                writeln!(out, "fault     mended since: the core takes the event that was set aside when it could not bear it")?
            }
            Some(Fault::Remains) => writeln!(out, "fault     still there: the core cannot bear the event that was set aside")?,
            None => {}
        }
        match self.end {
            End::Closed => writeln!(out, "end       closed"),
            End::Torn => writeln!(out, "end       torn, or still being written: what came before is whole"),
            End::Altered => writeln!(out, "end       altered: what came before is whole"),
        }
    }

    /// Why the file is not to be believed. A torn end is none: a crash and a centre that runs leave it so.
    pub fn problem(&self) -> Option<String> {
        if self.end == End::Altered {
            return Some("altered since it was written".to_string());
        }
        if self.fault == Some(Fault::Remains) {
            return Some("the core cannot bear the event that was set aside".to_string());
        }
        let Summary { disagreements, .. } = self;
        (*disagreements > 0).then(|| format!("of {disagreements} events came other facts than were written down"))
    }
}

pub fn moment(at: Time) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX).to_string()
}
