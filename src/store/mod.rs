//! What is kept on disk: one record a call, sealed, written beside the calls and never in their path.
//!
//! A record goes by a bounded channel to the database's thread, which writes what has come in one transaction. Where that thread does not
//! keep up, or the database fails, records go to the spool's thread and its bounded files, and from there to the database later. Where even
//! that fails records wait in memory, bounded too, until the disk takes them. What is more than that is counted as lost and reported: a
//! disk never stops a call.

pub mod journal;
pub mod record;
pub mod recording;
pub mod seal;
mod spool;
mod sqlite;
pub mod wire;
mod writer;

pub use record::{Names, Sounds, StoredCall, StoredOffer, StoredSegment, StoredSound, StoredVisit};
pub use recording::{Recorder, Recording};
pub use seal::MasterKey;

use crate::acd::{CallRecord, Config};
use crate::model::CallId;
use sqlite::Database;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use writer::{SpoolJob, Spooler, WriteJob, Writer};

/// The store's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records on their way to either thread.
    pub channel: usize,
    /// Bytes of the spool's files together.
    pub spool_bytes: u64,
    /// Records that are held in memory while the disk takes nothing: about a kilobyte each.
    pub held: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { channel: 4_096, spool_bytes: 256 << 20, held: 20_000 }
    }
}

/// What became of the records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// In the database.
    pub written: u64,
    /// Came twice: kept once.
    pub doubled: u64,
    /// On their way to the database by the spool, or held until that takes them.
    pub spooled: u64,
    /// Neither the database nor the spool took them. Every one is in the log, by its call.
    pub lost: u64,
}

#[derive(Default)]
struct Counts {
    /// Records that came, and those of them that are on disk or lost.
    given: AtomicU64,
    settled: AtomicU64,
    written: AtomicU64,
    doubled: AtomicU64,
    spooled: AtomicU64,
    lost: AtomicU64,
}

/// The directory for this process alone, until the file is dropped or the process ends, however it ends.
fn lock(directory: &Path) -> Result<File, String> {
    let path = directory.join("lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!("{}: another centre uses this directory", directory.display())),
        Err(TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
    }
}

/// The records' store of one centre. Dropped, it writes what it was given and ends its threads.
pub struct Store {
    /// Held for as long as the store is open: two centres on one directory would mix their records.
    _lock: File,
    directory: PathBuf,
    key: MasterKey,
    names: Names,
    next_call: CallId,
    counts: Arc<Counts>,
    writer: Option<(SyncSender<WriteJob>, JoinHandle<()>)>,
    spooler: Option<(SyncSender<SpoolJob>, JoinHandle<()>)>,
}

impl Store {
    /// Opens the store in `directory`, made now if there is none. What a crash left in the spool is in the database when this returns.
    pub fn open(directory: &Path, key: &MasterKey, config: &Config) -> Result<Store, String> {
        Store::open_with(directory, key, config, Limits::default())
    }

    pub fn open_with(directory: &Path, key: &MasterKey, config: &Config, limits: Limits) -> Result<Store, String> {
        seal::make_directory(directory)?;
        let lock = lock(directory)?;
        let spool = spool::Spool::open(directory, key, limits.spool_bytes)?;
        let database = Database::open(directory, key)?;
        let counts = Arc::new(Counts::default());
        let (spool_jobs, spool_inbox) = sync_channel(limits.channel);
        let (write_jobs, write_inbox) = sync_channel(limits.channel);
        let mut writer =
            Writer::new(database, directory.join(spool::DIRECTORY), key.clone(), write_inbox, spool_jobs.clone(), counts.clone());
        writer.drain_spool();
        let last = writer.last_call().map_err(|error| format!("{}: {error}", directory.display()))?;
        let spooler = Spooler::new(spool, spool_inbox, counts.clone(), limits.held);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run).map_err(|error| format!("thread {name}: {error}"))
        };
        let writer = spawn("records", Box::new(move || writer.run()))?;
        let spooler = spawn("spool", Box::new(move || spooler.run()))?;
        Ok(Store {
            _lock: lock,
            directory: directory.into(),
            key: key.clone(),
            names: Names::of(config),
            next_call: CallId(last.map_or(1, |last| last + 1)),
            counts,
            writer: Some((write_jobs, writer)),
            spooler: Some((spool_jobs, spooler)),
        })
    }

    /// The least call number that no record had when the store was opened: a node numbers its calls from here.
    pub fn next_call(&self) -> CallId {
        self.next_call
    }

    /// After a reload: what queues are called from now on.
    pub fn rename(&mut self, config: &Config) {
        self.names.add(config);
    }

    /// Takes one record. Never waits: for no lock, no thread and no disk.
    pub fn write(&self, record: &CallRecord) {
        self.write_with(record, Sounds::default());
    }

    /// The same with what the call sounded like, and where it is recorded.
    pub fn write_with(&self, record: &CallRecord, sounds: Sounds) {
        let call = StoredCall::new(record, &self.names, sounds);
        self.counts.given.fetch_add(1, Ordering::SeqCst);
        let (jobs, _) = self.writer.as_ref().expect("an open store has its writer");
        let Err(refused) = jobs.try_send(WriteJob::Call(Box::new(call))) else { return };
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = refused;
        let WriteJob::Call(call) = job else { unreachable!("what comes back is what was sent") };
        let number = call.call;
        // Counted before it is sent: the writer looks at the count to know that the spool will have something for it.
        self.counts.spooled.fetch_add(1, Ordering::SeqCst);
        let (jobs, _) = self.spooler.as_ref().expect("an open store has its spool");
        if jobs.try_send(SpoolJob::Call(call)).is_err() {
            self.counts.lost(number, "neither the database nor the spool keeps up: look at the disk");
        }
    }

    /// Whether every record so far is on disk, or lost: nothing is on its way that a crash would take.
    pub fn is_settled(&self) -> bool {
        self.counts.settled.load(Ordering::SeqCst) == self.counts.given.load(Ordering::SeqCst)
    }

    /// Writes those of a journal's records that the database lacks, with what was recorded of them, and waits until they are there.
    pub fn restore(&self, records: &[CallRecord]) -> Result<usize, String> {
        let lacking = Database::open_to_read(&self.directory, &self.key)?.lacking(records.iter().map(|record| record.call.0))?;
        for record in records.iter().filter(|record| lacking.contains(&record.call.0)) {
            self.write_with(record, self.left_of(record.call));
        }
        self.flush();
        Ok(lacking.len())
    }

    /// What is left of the sound of a call that a crash has cut: the files that were being written. Asks the disk.
    pub fn left_of(&self, call: CallId) -> Sounds {
        Sounds { legs: Vec::new(), recordings: recording::names(&self.directory, &self.key, call) }
    }

    pub fn status(&self) -> Status {
        self.counts.status()
    }

    /// Waits until what was given so far is in the database, or cannot be now.
    pub fn flush(&self) {
        let (jobs, _) = self.spooler.as_ref().expect("an open store has its spool");
        let (done, wait) = sync_channel(1);
        if jobs.send(SpoolJob::Close(done)).is_ok() {
            let _ = wait.recv();
        }
        let (jobs, thread) = self.writer.as_ref().expect("an open store has its writer");
        let (done, wait) = sync_channel(1);
        if jobs.send(WriteJob::Flush(done)).is_ok() {
            thread.thread().unpark();
            let _ = wait.recv();
        }
    }

    /// Every record in the database, by call. Reads beside the writer; `flush` first to see what was just given.
    pub fn records(&self) -> Result<Vec<StoredCall>, String> {
        read(&self.directory, &self.key)
    }

    /// Writes what was given, ends both threads and says what became of the records.
    pub fn close(mut self) -> Status {
        self.end();
        self.counts.status()
    }

    fn end(&mut self) {
        // The writer first: what it cannot write it gives to the spool.
        if let Some((jobs, thread)) = self.writer.take() {
            drop(jobs);
            thread.thread().unpark();
            let _ = thread.join();
        }
        if let Some((jobs, thread)) = self.spooler.take() {
            drop(jobs);
            let _ = thread.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

impl Counts {
    fn status(&self) -> Status {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Status { written: read(&self.written), doubled: read(&self.doubled), spooled: read(&self.spooled), lost: read(&self.lost) }
    }

    /// A record that was counted as spooled is lost.
    fn lost(&self, call: u64, why: &str) {
        self.spooled.fetch_sub(1, Ordering::SeqCst);
        self.lost.fetch_add(1, Ordering::SeqCst);
        self.settled.fetch_add(1, Ordering::SeqCst);
        tracing::error!(call, why, "a call's record is lost");
    }
}

/// Every record in `directory`, by call, beside a server that may be writing.
pub fn read(directory: &Path, key: &MasterKey) -> Result<Vec<StoredCall>, String> {
    Database::open_to_read(directory, key)?.calls()
}

/// The records of the calls from one number, oldest first.
pub fn read_from(directory: &Path, key: &MasterKey, number: &str) -> Result<Vec<StoredCall>, String> {
    Database::open_to_read(directory, key)?.calls_from(number)
}

#[cfg(test)]
pub(crate) mod tests;
