//! The store's two threads: one has the database, one the spool.

use super::Counts;
use super::record::StoredCall;
use super::seal::MasterKey;
use super::spool::{self, Spool};
use super::sqlite::Database;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// At most so many records in one transaction.
const BATCH: usize = 256;
/// A record waits so long for others, since a transaction costs more than many records.
const GATHER: Duration = Duration::from_millis(50);
/// How often a database or a spool that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// A spool file is closed after so long without another record, so that it can be read back.
const SETTLED: Duration = Duration::from_millis(100);

pub enum WriteJob {
    Call(Box<StoredCall>),
    /// Answers when all that came before is written or spooled, and the spool was tried.
    Flush(SyncSender<()>),
}

pub enum SpoolJob {
    Call(Box<StoredCall>),
    /// Answers when all that came before can be read back.
    Close(SyncSender<()>),
}

pub struct Writer {
    database: Database,
    spool: PathBuf,
    key: MasterKey,
    inbox: Receiver<WriteJob>,
    spooler: SyncSender<SpoolJob>,
    counts: Arc<Counts>,
    /// The last transaction failed: said once, not for each.
    failing: bool,
}

impl Writer {
    pub fn new(
        database: Database,
        spool: PathBuf,
        key: MasterKey,
        inbox: Receiver<WriteJob>,
        spooler: SyncSender<SpoolJob>,
        counts: Arc<Counts>,
    ) -> Writer {
        Writer { database, spool, key, inbox, spooler, counts, failing: false }
    }

    pub fn last_call(&self) -> rusqlite::Result<Option<u64>> {
        self.database.last_call()
    }

    /// Writes what comes until nobody can send any more.
    pub fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = self.next() {
            let mut flushes = Vec::new();
            let until = Instant::now() + GATHER;
            let mut job = first;
            while let Some(next) = job {
                match next {
                    WriteJob::Call(call) => batch.push(*call),
                    WriteJob::Flush(done) => flushes.push(done),
                }
                // Who waits for a flush is not kept waiting.
                let patience = if flushes.is_empty() { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
                job = if batch.len() < BATCH { self.another(patience) } else { None };
            }
            self.write(&mut batch);
            if !flushes.is_empty() {
                self.close_spool();
                self.drain_spool();
            }
            for done in flushes {
                let _ = done.send(());
            }
        }
        self.drain_spool();
    }

    /// Waits for a job: `Some(None)` when the spool was tried instead, `None` at the end.
    fn next(&mut self) -> Option<Option<WriteJob>> {
        if self.counts.spooled.load(Ordering::SeqCst) == 0 {
            return self.inbox.recv().ok().map(Some);
        }
        match self.inbox.recv_timeout(RETRY) {
            Ok(job) => Some(Some(job)),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.drain_spool();
                Some(None)
            }
        }
    }

    /// One more job, or what has come when the time is up: asleep and not at the door, so that nobody has to wake us for each record. Who
    /// cannot wait unparks us.
    fn another(&self, patience: Duration) -> Option<WriteJob> {
        self.inbox.try_recv().ok().or_else(|| {
            std::thread::park_timeout(patience);
            self.inbox.try_recv().ok()
        })
    }

    fn write(&mut self, batch: &mut Vec<StoredCall>) {
        if batch.is_empty() || self.insert(batch) {
            self.counts.settled.fetch_add(batch.len() as u64, Ordering::SeqCst);
            return batch.clear();
        }
        for call in batch.drain(..) {
            let number = call.call;
            self.counts.spooled.fetch_add(1, Ordering::SeqCst);
            if self.spooler.send(SpoolJob::Call(Box::new(call))).is_err() {
                self.counts.lost(number, "the spool has ended");
            }
        }
    }

    fn insert(&mut self, calls: &[StoredCall]) -> bool {
        match self.database.insert(calls) {
            Ok(new) => {
                self.counts.written.fetch_add(new, Ordering::SeqCst);
                self.counts.doubled.fetch_add(calls.len() as u64 - new, Ordering::SeqCst);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the records' database takes records again");
                }
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the records' database fails: records go to the spool");
                }
                false
            }
        }
    }

    fn close_spool(&self) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        if self.spooler.send(SpoolJob::Close(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Moves the spool's closed files into the database, oldest first, until one cannot be.
    pub fn drain_spool(&mut self) {
        for path in spool::closed(&self.spool) {
            let (calls, error) = spool::read(&path, &self.key);
            if let Some(error) = error {
                tracing::warn!(file = %path.display(), whole = calls.len(), %error, "a spool file cannot be read to its end");
            }
            if !calls.is_empty() && !self.insert(&calls) {
                return;
            }
            // Not ours to read: kept for whoever has its key.
            let removed =
                if calls.is_empty() { std::fs::rename(&path, path.with_extension("unread")) } else { std::fs::remove_file(&path) };
            if let Err(error) = removed {
                tracing::error!(file = %path.display(), %error, "a spool file that was read cannot be removed");
                return;
            }
            // Files of an earlier run were never counted as spooled by this one.
            let read = calls.len() as u64;
            let _ = self.counts.spooled.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |spooled| Some(spooled.saturating_sub(read)));
        }
    }
}

pub struct Spooler {
    spool: Spool,
    inbox: Receiver<SpoolJob>,
    counts: Arc<Counts>,
    /// What the disk does not take, the oldest first, and how much of it is held until it does.
    held: VecDeque<StoredCall>,
    held_max: usize,
    /// The last record was not taken: said once, not for each.
    failing: bool,
}

impl Spooler {
    pub fn new(spool: Spool, inbox: Receiver<SpoolJob>, counts: Arc<Counts>, held_max: usize) -> Spooler {
        Spooler { spool, inbox, counts, held: VecDeque::new(), held_max, failing: false }
    }

    /// Keeps what comes until nobody can send any more.
    pub fn run(mut self) {
        let mut open = false;
        loop {
            let job = match (open, self.held.is_empty()) {
                (true, _) => self.inbox.recv_timeout(SETTLED),
                (false, false) => self.inbox.recv_timeout(RETRY),
                (false, true) => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            open = matches!(job, Ok(SpoolJob::Call(_)));
            match job {
                Ok(SpoolJob::Call(call)) => {
                    self.held.push_back(*call);
                    self.push(self.held_max);
                }
                Ok(SpoolJob::Close(done)) => {
                    self.push(self.held_max);
                    self.close();
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.push(self.held_max);
                    self.close();
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.push(0);
                    return self.close();
                }
            }
        }
    }

    /// Keeps what is held, as far as the disk takes it; of the rest so many are held on, and the oldest are lost.
    fn push(&mut self, held_max: usize) {
        while let Some(call) = self.held.front() {
            match self.spool.push(call) {
                Ok(()) => {
                    self.counts.settled.fetch_add(1, Ordering::SeqCst);
                    self.held.pop_front();
                    self.failing = false;
                }
                Err(why) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(why, "the spool fails, too: records are held in memory");
                    }
                    let lost = self.held.len().saturating_sub(held_max);
                    return self.held.drain(..lost).for_each(|call| self.counts.lost(call.call, &why));
                }
            }
        }
    }

    fn close(&mut self) {
        if let Err(error) = self.spool.close() {
            tracing::error!(error, "a spool file cannot be closed");
        }
    }
}
