//! The journal: everything that the core was told, sealed, in files that each begin with the whole state.
//!
//! A record is written, though not yet brought to the disk, before the commands that came of it leave: a killed process loses nothing that
//! anybody outside has seen. A file is sealed by [`seal`](super::seal): a key of its own, a number for each chunk, so that what is
//! changed, swapped or cut out is noticed and what a crash tore off at the end is not missed. Writing never stops a call: what cannot be
//! written is counted and reported, and the next file begins with all of it.

mod export;
mod keeper;
mod reader;
mod record;

pub use export::Export;
pub use reader::{Reader, files};
pub use record::{Contact, End, Head, Invited, Record};

use super::seal::{CHUNK_MAX, MasterKey, SealError, Writer, make_directory};
use super::wire::{VERSION, Wire};
use crate::acd::Event;
use crate::model::{Sources, Time};
use keeper::Keeper;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The journal's directory in the data directory.
pub const DIRECTORY: &str = "journal";
/// Where an event goes that the core could not bear, with the state that it met.
pub const QUARANTINE: &str = "quarantine";
/// A file is followed by the next after so many events, however small: a restart reads them all again, and must be quick.
const EVENTS_MAX: u64 = 100_000;
/// …and after so long, so that old files can go.
const FILE_AGE: Duration = Duration::from_secs(24 * 3600);
/// After a failure a new file is tried so often.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes at which a file is followed by the next.
    pub roll: u64,
    pub keep: Duration,
    /// Bytes of all files together.
    pub size: u64,
}

/// How the journal fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStatus {
    pub failures: u64,
    pub lag: Duration,
}

/// The state with which a file begins.
pub struct Checkpoint<'a> {
    pub at: Time,
    pub next_call: u64,
    /// The configuration's sources, and the time around which its calendars are.
    pub sources: &'a Sources,
    pub configured_at: Time,
    pub contacts: Vec<(String, Vec<Contact>)>,
    pub invited: Vec<Invited>,
    pub pieces: Vec<Event>,
}

struct Open {
    writer: Writer<Arc<File>>,
    file: Arc<File>,
    path: PathBuf,
    size: u64,
    events: u64,
    begun: Instant,
}

pub struct Journal {
    data_dir: PathBuf,
    key: MasterKey,
    settings: Settings,
    /// Of the newest file.
    number: u64,
    open: Option<Open>,
    /// When a file could not be written.
    failed: Option<Instant>,
    /// The records of one chunk, after the byte that says whether more belongs to them.
    buffer: Vec<u8>,
    keeper: Keeper,
}

impl Journal {
    /// A journal without a file: [`Journal::begin`] makes the first.
    pub fn new(data_dir: &Path, key: &MasterKey, settings: Settings) -> Result<Journal, String> {
        make_directory(&data_dir.join(DIRECTORY))?;
        let number = files(data_dir).first().and_then(|path| reader::number(path)).unwrap_or(0);
        let keeper = Keeper::start()?;
        Ok(Journal { data_dir: data_dir.into(), key: key.clone(), settings, number, open: None, failed: None, buffer: vec![0], keeper })
    }

    /// Whether the next file should begin: this one is full or old, or there is none.
    pub fn is_due(&self) -> bool {
        if self.keeper.shared.refused.load(Ordering::Relaxed) {
            return true;
        }
        match &self.open {
            None => self.failed.is_none_or(|at| at.elapsed() >= RETRY),
            Some(open) => open.size >= self.settings.roll || open.events >= EVENTS_MAX || open.begun.elapsed() >= FILE_AGE,
        }
    }

    /// Whether the next file must begin, whatever else would have to wait for it.
    pub fn is_overdue(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.size >= 2 * self.settings.roll || open.events >= 2 * EVENTS_MAX)
    }

    /// Ends the file and begins the next with `checkpoint`. A failure is counted and told: the next try is a second away.
    pub fn begin(&mut self, checkpoint: Checkpoint) {
        self.end();
        self.keeper.shared.refused.store(false, Ordering::Relaxed);
        self.number += 1;
        let path = self.data_dir.join(DIRECTORY).join(format!("{:010}.journal", self.number));
        match write_checkpoint(&path, &self.key, self.number, checkpoint) {
            Ok(open) => {
                if self.failed.take().is_some() {
                    tracing::info!("the journal is written again");
                }
                self.keeper.shared.works();
                self.keeper.written(&open.file);
                self.open = Some(open);
                self.keeper.clean(&self.data_dir, self.settings);
            }
            Err(error) => {
                let _ = std::fs::remove_file(&path);
                self.fail(&path, &error);
            }
        }
    }

    /// The core is about to be told something.
    pub fn told(&mut self, at: Time, event: &Event) {
        record::put_told(at, event, &mut self.buffer);
    }

    /// The core has taken it; `facts` came of it. It is written when this returns.
    pub fn taken(&mut self, facts: u64) {
        facts.put(&mut self.buffer);
        if let Some(open) = &mut self.open {
            open.events += 1;
        }
        self.write();
    }

    /// The core could not bear what it was told: it did not happen, and is given back.
    pub fn not_taken(&mut self) -> Vec<u8> {
        let event = self.buffer.split_off(1);
        self.buffer.truncate(1);
        event
    }

    /// What the core is about to be told is a configuration of these sources (`None`: of those before) with calendars around `at`.
    pub fn configured(&mut self, at: Time, sources: Option<&Sources>) {
        Record::Configured { at, sources: sources.map(|sources| Box::new(sources.clone())) }.put(&mut self.buffer);
    }

    /// What the core is about to be told is a call that this INVITE began.
    pub fn invited(&mut self, invited: Invited) {
        Record::Invited(invited).put(&mut self.buffer);
    }

    pub fn contacts(&mut self, user: &str, contacts: Vec<Contact>) {
        Record::Contacts { user: user.into(), contacts }.put(&mut self.buffer);
        self.write();
    }

    /// The file being written.
    pub fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    pub fn status(&self) -> JournalStatus {
        let shared = &self.keeper.shared;
        JournalStatus { failures: shared.failures.load(Ordering::SeqCst), lag: shared.lag() }
    }

    /// Writes what the core could not bear to a file of its own, after the state that it met: a journal that `careline replay` reads.
    pub fn quarantine(&self, checkpoint: Checkpoint, event: &[u8]) -> Result<PathBuf, String> {
        let directory = self.data_dir.join(QUARANTINE);
        make_directory(&directory)?;
        let path = directory.join(format!("{}.journal", checkpoint.at.0));
        let wrong = |error: SealError| format!("{}: {error}", path.display());
        let mut open = write_checkpoint(&path, &self.key, self.number, checkpoint).map_err(wrong)?;
        let mut bytes = vec![0];
        Record::Unborne.put(&mut bytes);
        bytes.extend_from_slice(event);
        0_u64.put(&mut bytes);
        put(&mut open, &bytes).map_err(wrong)?;
        open.writer.finish().map_err(wrong)?;
        open.file.sync_all().map_err(|error| wrong(error.into()))?;
        Ok(path)
    }

    /// Ends the file for good.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(open) = self.open.take() else { return };
        if let Err(error) = open.writer.finish().and_then(|file| Ok(file.sync_data()?)) {
            self.fail(&open.path, &error);
        }
    }

    fn write(&mut self) {
        let Some(open) = &mut self.open else { return self.buffer.truncate(1) };
        let written = put(open, &self.buffer);
        self.buffer.truncate(1);
        match written {
            Ok(()) => self.keeper.written(&open.file),
            Err(error) => {
                let path = open.path.clone();
                self.open = None;
                self.fail(&path, &error);
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &SealError) {
        self.keeper.shared.failed();
        if self.failed.replace(Instant::now()).is_none() {
            tracing::error!(file = %path.display(), %error, "the journal cannot be written: calls go on, a crash now would lose their records");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

fn write_checkpoint(path: &Path, key: &MasterKey, number: u64, checkpoint: Checkpoint) -> Result<Open, SealError> {
    let file = Arc::new(File::options().write(true).create_new(true).mode(0o600).open(path)?);
    let writer = Writer::new(file.clone(), key)?;
    let mut open = Open { writer, file, path: path.into(), size: 0, events: 0, begun: Instant::now() };
    let mut bytes = vec![0];
    let head = Head { version: VERSION, number, at: checkpoint.at, next_call: checkpoint.next_call };
    Record::Head(head).put(&mut bytes);
    Record::Configured { at: checkpoint.configured_at, sources: Some(Box::new(checkpoint.sources.clone())) }.put(&mut bytes);
    for (user, contacts) in checkpoint.contacts {
        Record::Contacts { user, contacts }.put(&mut bytes);
    }
    for invited in checkpoint.invited {
        Record::Invited(invited).put(&mut bytes);
    }
    for piece in checkpoint.pieces {
        Record::Piece(piece).put(&mut bytes);
        if bytes.len() > CHUNK_MAX / 2 {
            put(&mut open, &bytes)?;
            bytes.truncate(1);
        }
    }
    Record::Whole.put(&mut bytes);
    put(&mut open, &bytes)?;
    Ok(open)
}

/// Writes records as one chunk, or as several if they are too long; the first byte of `bytes` is for that.
fn put(open: &mut Open, bytes: &[u8]) -> Result<(), SealError> {
    open.size += bytes.len() as u64;
    if bytes.len() <= CHUNK_MAX {
        return open.writer.chunk(bytes);
    }
    let mut parts = bytes[1..].chunks(CHUNK_MAX - 1).peekable();
    while let Some(part) = parts.next() {
        let more = u8::from(parts.peek().is_some());
        open.writer.chunk(&[&[more], part].concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
