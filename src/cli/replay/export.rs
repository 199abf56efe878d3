//! `careline replay --export`: the same journal with invented people, for whoever mends the program.
//!
//! Twice through the file. First the core is told what happened, and of every key it is asked whether it was a choice, which stays, or a digit
//! of an entry; one that was neither becomes another that is neither. Then everything is told to a second core with people exchanged; it must come to the same commands.

use super::people::{Meet, People};
use super::summary::{self, hex, line, moment};
use crate::acd::call::Contact;
use crate::acd::event::Restored;
use crate::acd::{Acd, Command, Event};
use crate::config::outside;
use crate::ivr::{Input, Session, World};
use crate::model::{CallId, LegId, Time};
use crate::node::recover::{self, Fault, Replay};
use crate::store::journal::{End, Export, Reader, Record};
use crate::store::wire::{Disguise, Invent};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// So many differences are listed.
const LISTED: usize = 20;

/// What was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Exported {
    /// Numbers and entries that were exchanged, and names.
    pub numbers: usize,
    pub names: usize,
    pub events: usize,
    /// Of the file that was made, and of the commands that came of the original.
    pub digest: String,
    pub original: String,
    /// Events of which other commands come.
    pub differences: Vec<(Time, &'static str)>,
    /// Where the original's core failed, and whether the export's fails there too.
    pub fault: Option<bool>,
    /// How the original ends.
    pub end: End,
}

/// What a key was.
#[derive(Clone, Copy)]
enum Pressed {
    /// A digit of an entry: which entry, and which digit of it.
    Digit { entry: usize, digit: usize },
    /// A choice, or none; this one leads to the same.
    Choice(char),
}

/// The keys that a session of the checkpoint holds.
#[derive(Default)]
struct Held {
    entry: Option<usize>,
    ahead: Vec<Pressed>,
}

/// What the first reading found.
struct Seen {
    people: People,
    /// What was entered, digit by digit.
    entries: Vec<String>,
    /// The entry that each caller is at.
    open: BTreeMap<LegId, usize>,
    /// By the record's place in the file.
    keys: BTreeMap<usize, Vec<Pressed>>,
    held: BTreeMap<CallId, Held>,
    /// The commands of each event.
    came: Vec<[u8; 32]>,
    all: Sha256,
    /// Records that the core could be told; what it failed at is the last.
    until: usize,
    failed: bool,
}

/// Writes `file` to `out` without people. `key`: of the inventions.
pub fn export(mut reader: Reader, out: &Path, key: [u8; 32]) -> Result<Exported, String> {
    let records: Vec<Record> = reader.by_ref().collect();
    let end = reader.end().expect("a file that was read to its end has one");
    let seen = Seen::of(&records, key)?;
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", out.display());
    let file = Export::create(out).map_err(|error| wrong(&error))?;
    let written = write(&records, seen, file).and_then(|exported| {
        let reader = Reader::open_export(out).map_err(|error| error.to_string())?.expect("an export was written");
        let digest = match exported.fault {
            // Its core fails: nothing comes of the whole.
            Some(_) => exported.original.clone(),
            None => summary::replay(reader, &mut |_, _, _| ()).map(|summary| summary.digest)?,
        };
        Ok(Exported { digest, end, ..exported })
    });
    written.map_err(|error| {
        let _ = std::fs::remove_file(out);
        wrong(&error)
    })
}

impl Exported {
    pub fn print(&self, path: &Path, out: &mut impl Write) -> std::io::Result<()> {
        let Exported { numbers, names, events, .. } = self;
        writeln!(out, "export    {}: {events} events, not sealed, no key needed", path.display())?;
        writeln!(out, "invented  {numbers} numbers and entries, {names} names")?;
        writeln!(out, "left out  addresses, accounts, passwords and tokens, registrations, the flows' tests")?;
        writeln!(
            out,
            "kept      times, languages, choices in menus, numbers of calls and agents, numbers that callers dial, the house's words"
        )?;
        if self.end == End::Altered {
            writeln!(out, "original  altered since it was written: what came before is exported")?;
        }
        match self.fault {
            Some(true) => writeln!(out, "fault     the core fails at the last event, of the export as of the original")?,
            Some(false) => writeln!(out, "fault     of the export and the original only one fails")?,
            None => {}
        }
        if self.differences.is_empty() {
            return writeln!(out, "commands  the same as of the original, digest {}", self.digest);
        }
        writeln!(out, "differs   {} events come to other commands, the first of them:", self.differences.len())?;
        self.differences.iter().take(LISTED).try_for_each(|(at, name)| writeln!(out, "  {} {name}", moment(*at)))
    }

    /// Nobody is in it in any case; but it may not show what the original shows.
    pub fn problem(&self) -> Option<String> {
        if self.fault == Some(false) {
            return Some("the fault hangs on what was exchanged: the export does not show it".into());
        }
        let same = self.differences.is_empty() && self.digest == self.original;
        (!same).then(|| "something in it hangs on what was exchanged: the export comes to other commands".into())
    }
}

impl Seen {
    fn of(records: &[Record], key: [u8; 32]) -> Result<Seen, String> {
        let (keys, held, open) = Default::default();
        let people = People::new(key);
        let mut seen = Seen {
            people,
            entries: Vec::new(),
            open,
            keys,
            held,
            came: Vec::new(),
            all: Sha256::new(),
            until: records.len(),
            failed: false,
        };
        let mut truth = Replay::begin(&mut records.iter().take(2).cloned())?;
        let (mut whole, mut commands) = (false, Vec::new());
        for (index, record) in records.iter().enumerate().skip(2) {
            whole |= *record == Record::Whole;
            seen.look(index, record, &truth);
            let (came, all) = (&mut seen.came, &mut seen.all);
            let mut heard = |at: Time, _: &Event, commands: &[Command]| came.push(digest(at, commands, all));
            let taken = recover::bear(|| truth.take(record.clone(), &mut commands, &mut heard));
            commands.clear();
            match taken {
                Err(error) if !whole => return Err(error),
                // What is told after this met a core that had not failed.
                taken if taken.is_err() || truth.fault == Some(Fault::Remains) => {
                    (seen.until, seen.failed) = (index + 1, true);
                    break;
                }
                _ => {}
            }
            if matches!(record, Record::Piece(Event::ConfigChanged(_)) | Record::Told { event: Event::ConfigChanged(_), .. }) {
                seen.people.house(truth.core.config());
            }
        }
        seen.entries.iter().for_each(|entry| Meet(&mut seen.people).phi(&mut entry.clone()));
        if whole { Ok(seen) } else { Err("its state is not whole: torn while it was begun".into()) }
    }

    /// Before the core is told.
    fn look(&mut self, index: usize, record: &Record, truth: &Replay) {
        let (Record::Piece(event) | Record::Told { event, .. }) = record else { return };
        event.clone().disguise(&mut Meet(&mut self.people));
        let core = &truth.core;
        match (event, record) {
            (Event::Restored(piece), _) => {
                if let Restored::Call(id, call) = &**piece
                    && let (Some(session), Contact::Inbound(leg)) = (&call.flow, call.contact)
                {
                    let held = self.held(session, &core_world(core), truth.head.at, leg);
                    self.held.insert(*id, held);
                }
            }
            (Event::DigitsEntered { leg, digits }, Record::Told { at, .. }) => {
                // What was due before the key came first.
                let late = core.next_deadline().is_some_and(|due| due <= *at).then(|| {
                    let mut core = core.clone();
                    let _ = recover::bear(|| {
                        core.handle(*at, Event::DeadlineReached, &mut Vec::new());
                        Ok(())
                    });
                    core
                });
                let core = late.as_ref().unwrap_or(core);
                if let Some(session) = core.session(*leg) {
                    let pressed = self.press(session.clone(), &core_world(core), *at, *leg, &digits.0);
                    self.keys.insert(index, pressed);
                }
            }
            _ => {}
        }
    }

    /// What a session of the checkpoint has of an entry, and ahead of one.
    fn held(&mut self, session: &Session, world: &World, now: Time, leg: LegId) -> Held {
        let mut session = session.clone();
        let ahead = std::mem::take(&mut session.ahead.0);
        let entry = (!session.entry.0.is_empty()).then(|| {
            self.entries.push(session.entry.0.clone());
            self.entries.len() - 1
        });
        if let Some(entry) = entry {
            self.open.insert(leg, entry);
        }
        Held { entry, ahead: self.press(session, world, now, leg, &ahead) }
    }

    /// Presses keys in a copy of a caller's session: what each of them is.
    fn press(&mut self, mut session: Session, world: &World, now: Time, leg: LegId, keys: &str) -> Vec<Pressed> {
        let mut pressed = Vec::new();
        for key in keys.chars() {
            let enters = if matches!(key, '*' | '#') { None } else { session.next_key_enters(world, now) };
            pressed.push(match enters {
                Some(before) => {
                    let open = self.open.get(&leg).copied().filter(|open| before > 0 && self.entries[*open].len() == before);
                    let entry = open.unwrap_or_else(|| {
                        self.entries.push(String::new());
                        self.entries.len() - 1
                    });
                    self.open.insert(leg, entry);
                    self.entries[entry].push(key);
                    Pressed::Digit { entry, digit: self.entries[entry].len() - 1 }
                }
                None if matches!(key, '*' | '#') => Pressed::Choice(key),
                None => Pressed::Choice(session.least_key_like(world, now, key)),
            });
            session.handle(world, now, Input::Key(key), &mut Vec::new());
        }
        pressed
    }

    /// The same record about nobody; `None`: it is left out.
    fn other(&mut self, index: usize, record: &Record) -> Option<Record> {
        Some(match record {
            Record::Head(head) => Record::Head(*head),
            Record::Whole => Record::Whole,
            Record::Unborne => Record::Unborne,
            // Where telephones are, and what came from where: addresses, and what they call themselves.
            Record::Contacts { .. } | Record::Invited(_) => return None,
            Record::Configured { at, sources } => {
                let sources = sources.as_ref().map(|sources| Box::new(outside::without_people(sources, &mut self.people)));
                Record::Configured { at: *at, sources }
            }
            Record::Piece(event) => Record::Piece(self.other_event(index, event)),
            Record::Told { at, event, facts } => Record::Told { at: *at, event: self.other_event(index, event), facts: *facts },
        })
    }

    fn other_event(&mut self, index: usize, event: &Event) -> Event {
        let mut other = event.clone();
        match &mut other {
            // Where nobody asks for a key, each is as good as another.
            Event::DigitsEntered { digits, .. } => {
                digits.0 = match self.keys.remove(&index) {
                    Some(pressed) => self.other_keys(&pressed),
                    None => "0".repeat(digits.0.chars().count()),
                }
            }
            Event::Restored(piece) => {
                let keys = if let Restored::Call(id, call) = &**piece { self.held_keys(*id, call.flow.as_ref()) } else { None };
                piece.disguise(&mut self.people);
                if let (Restored::Call(_, call), Some((entry, ahead))) = (&mut **piece, keys)
                    && let Some(session) = &mut call.flow
                {
                    (session.entry.0, session.ahead.0) = (entry, ahead);
                }
            }
            other => other.disguise(&mut self.people),
        }
        other
    }

    fn other_keys(&mut self, pressed: &[Pressed]) -> String {
        let mut other = |key: &Pressed| match key {
            Pressed::Digit { entry, digit } => self.people.other(&self.entries[*entry]).chars().nth(*digit).unwrap_or('0'),
            Pressed::Choice(key) => *key,
        };
        pressed.iter().map(&mut other).collect()
    }

    fn held_keys(&mut self, id: CallId, session: Option<&Session>) -> Option<(String, String)> {
        let (session, held) = (session?, self.held.remove(&id)?);
        let entry = held.entry.map(|entry| self.people.other(&self.entries[entry]));
        let entry = entry.map(|entry| entry.chars().take(session.entry.0.chars().count()).collect());
        Some((entry.unwrap_or_default(), self.other_keys(&held.ahead)))
    }
}

/// The second reading.
fn write(records: &[Record], mut seen: Seen, mut file: Export) -> Result<Exported, String> {
    let first: Vec<Record> = records.iter().take(2).enumerate().filter_map(|(index, record)| seen.other(index, record)).collect();
    let mut again = Replay::begin(&mut first.iter().cloned())?;
    first.iter().try_for_each(|record| file.put(record)).map_err(|error| error.to_string())?;
    let (mut commands, mut differences, mut all, mut event_number) = (Vec::new(), Vec::new(), Sha256::new(), 0);
    let mut broken = false;
    for (index, record) in records.iter().enumerate().take(seen.until).skip(2) {
        let Some(mut other) = seen.other(index, record) else { continue };
        let mut came = None;
        let mut heard = |at: Time, _: &Event, commands: &[Command]| came = Some(digest(at, commands, &mut all));
        let taken = recover::bear(|| again.take(other.clone(), &mut commands, &mut heard));
        if let Record::Told { at, event, facts } = &mut other {
            let same = came.as_ref() == seen.came.get(event_number);
            if taken.is_ok() && !same {
                *facts = commands.iter().filter(|command| matches!(command, Command::Note { .. })).count() as u64;
            }
            if !same {
                differences.push((*at, event.name()));
            }
            event_number += 1;
        }
        commands.clear();
        file.put(&other).map_err(|error| error.to_string())?;
        broken = taken.is_err() || again.fault == Some(Fault::Remains);
        if broken {
            break;
        }
    }
    file.finish().map_err(|error| error.to_string())?;
    let (numbers, names) = seen.people.counts();
    let fault = (seen.failed || broken).then_some(seen.failed && broken);
    let original = hex(seen.all);
    Ok(Exported { numbers, names, events: event_number, digest: String::new(), original, differences, fault, end: End::Closed })
}

/// Of the commands of one event, which also go into that of `all`.
fn digest(at: Time, commands: &[Command], all: &mut Sha256) -> [u8; 32] {
    let (mut sum, mut text) = (Sha256::new(), String::new());
    for command in commands {
        line(at, command, &mut text);
        sum.update(&text);
        all.update(&text);
    }
    sum.finalize().into()
}

fn core_world(core: &Acd) -> World<'_> {
    let config = core.config();
    World { flows: &config.flows, calendars: &config.calendars }
}

#[cfg(test)]
mod tests;
