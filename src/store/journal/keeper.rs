//! The journal's other thread: it brings what was written to the disk, and lets go of what is too old.

use super::{Settings, reader};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// What was written is on the disk after so long: a loss of power loses no more. (A killed process loses nothing.)
const SYNC_EVERY: Duration = Duration::from_millis(50);

/// What both threads know. Times are microseconds since `base`, plus one: zero is none.
pub struct Shared {
    base: Instant,
    /// Since when something written waits to be brought to the disk.
    dirty: AtomicU64,
    /// Since when that which is being brought there has waited.
    syncing: AtomicU64,
    /// Since when nothing can be written.
    failing: AtomicU64,
    pub failures: AtomicU64,
    /// The disk refused what had been written: the file cannot be trusted any more.
    pub refused: AtomicBool,
}

impl Shared {
    fn now(&self) -> u64 {
        self.base.elapsed().as_micros() as u64 + 1
    }

    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::SeqCst);
        let _ = self.failing.compare_exchange(0, self.now(), Ordering::SeqCst, Ordering::SeqCst);
    }

    pub fn works(&self) {
        self.failing.store(0, Ordering::SeqCst);
    }

    /// How far what is on the disk lags behind what happened.
    pub fn lag(&self) -> Duration {
        let since = [&self.failing, &self.syncing, &self.dirty].map(|at| at.load(Ordering::SeqCst));
        let oldest = since.into_iter().filter(|at| *at > 0).min();
        oldest.map_or(Duration::ZERO, |at| Duration::from_micros(self.now().saturating_sub(at)))
    }
}

enum Job {
    Sync(Arc<File>),
    Clean(PathBuf, Settings),
}

/// Ends its thread when it is dropped.
pub struct Keeper {
    pub shared: Arc<Shared>,
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub fn start() -> Result<Keeper, String> {
        let shared = Arc::new(Shared {
            base: Instant::now(),
            dirty: AtomicU64::new(0),
            syncing: AtomicU64::new(0),
            failing: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            refused: AtomicBool::new(false),
        });
        let (jobs, inbox) = sync_channel(16);
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || run(&inbox, &of_thread));
        let thread = thread.map_err(|error| format!("thread journal: {error}"))?;
        Ok(Keeper { shared, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Something has been written to `file`. Never waits.
    pub fn written(&self, file: &Arc<File>) {
        if self.shared.dirty.load(Ordering::SeqCst) != 0 {
            return;
        }
        self.shared.dirty.store(self.shared.now(), Ordering::SeqCst);
        self.send(Job::Sync(file.clone()));
    }

    /// Lets go of old files. Never waits: what is not done now is done with the next file.
    pub fn clean(&self, data_dir: &Path, settings: Settings) {
        self.send(Job::Clean(data_dir.to_path_buf(), settings));
    }

    fn send(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("a keeper has its thread");
        if let Err(TrySendError::Full(Job::Sync(_))) = jobs.try_send(job) {
            // Said again with the next write.
            self.shared.dirty.store(0, Ordering::SeqCst);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(inbox: &Receiver<Job>, shared: &Shared) {
    while let Ok(job) = inbox.recv() {
        match job {
            Job::Sync(file) => {
                std::thread::sleep(SYNC_EVERY);
                // What is written from here on is for the next time.
                shared.syncing.store(shared.dirty.swap(0, Ordering::SeqCst), Ordering::SeqCst);
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "the disk refuses the journal: the next file is begun");
                    shared.failed();
                    shared.refused.store(true, Ordering::SeqCst);
                }
                shared.syncing.store(0, Ordering::SeqCst);
            }
            Job::Clean(data_dir, settings) => clean(&data_dir, settings),
        }
    }
}

/// Removes what is older than it may be, and the oldest while all together are too big; never the newest two.
pub fn clean(data_dir: &Path, settings: Settings) {
    let now = SystemTime::now();
    let mut total = 0;
    for (index, path) in reader::files(data_dir).into_iter().enumerate() {
        let Ok(meta) = path.metadata() else { continue };
        total += meta.len();
        let age = meta.modified().ok().and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
        if index >= 2
            && (age > settings.keep || total > settings.size)
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::error!(file = %path.display(), %error, "an old file of the journal cannot be removed");
        }
    }
}
