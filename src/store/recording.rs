//! Recordings on disk: one sealed file each, written chunk by chunk by one thread beside the calls and never in their path.
//!
//! A file's first chunk says whose it is; each that follows is sound in its giver's own form, written as soon as it is given, so that a
//! crash costs what was not given yet. A disk that is full or slow makes a recording incomplete, and that is all that it does.

use super::seal::{self, MasterKey, Reader, SealError, Writer};
use crate::model::{CallId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// The recordings' directory in the data directory.
pub const DIRECTORY: &str = "recordings";
const ENDING: &str = "sealed";
/// Most sound that may wait for the disk, in bytes: half an hour of one conversation.
const WAITING_MAX: usize = 32 << 20;

/// Whose a recording is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    pub call: u64,
    /// A call that is transferred has several parts, from 1.
    pub part: u32,
    /// Microseconds since the Unix epoch.
    pub began_at: u64,
}

/// What became of the recordings so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub complete: u64,
    /// The disk was full or too slow: some sound is missing.
    pub incomplete: u64,
    /// Not even begun.
    pub failed: u64,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    complete: AtomicU64,
    incomplete: AtomicU64,
    failed: AtomicU64,
}

enum Job {
    Begin { id: u64, title: Title },
    Chunk { id: u64, bytes: Vec<u8> },
    End { id: u64, whole: bool },
    Stop,
}

/// Writes recordings. Dropped, it writes what it was given, and ends its thread.
pub struct Recorder {
    jobs: Sender<Job>,
    counts: Arc<Counts>,
    next: u64,
    thread: Option<JoinHandle<()>>,
}

/// One recording that goes on. Dropped, it is over.
pub struct Recording {
    id: u64,
    jobs: Sender<Job>,
    counts: Arc<Counts>,
    whole: bool,
}

impl Recorder {
    /// Starts its thread; the directory is made with the first recording.
    pub fn start(data_dir: &Path, key: &MasterKey) -> Result<Recorder, String> {
        let (jobs, inbox) = channel();
        let counts = Arc::new(Counts::default());
        let thread = Thread { directory: data_dir.join(DIRECTORY), key: key.clone(), counts: counts.clone(), open: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || thread.run(&inbox));
        Ok(Recorder { jobs, counts, next: 0, thread: Some(thread.map_err(|error| format!("thread recorder: {error}"))?) })
    }

    /// Begins a part of a call's recording, and gives its file's name.
    pub fn begin(&mut self, call: CallId, part: u32, now: Time) -> (Recording, String) {
        self.next += 1;
        let title = Title { call: call.0, part, began_at: now.0 };
        let name = title.file();
        let _ = self.jobs.send(Job::Begin { id: self.next, title });
        (Recording { id: self.next, jobs: self.jobs.clone(), counts: self.counts.clone(), whole: true }, name)
    }

    pub fn outcomes(&self) -> Outcomes {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Outcomes { complete: read(&self.counts.complete), incomplete: read(&self.counts.incomplete), failed: read(&self.counts.failed) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Recording {
    /// Takes a piece of sound. Never waits: where the disk does not keep up it is lost, and the recording incomplete.
    pub fn write(&mut self, bytes: Vec<u8>) {
        let length = bytes.len();
        if self.counts.waiting.fetch_add(length, Ordering::Relaxed) + length > WAITING_MAX {
            self.counts.waiting.fetch_sub(length, Ordering::Relaxed);
            self.whole = false;
            return;
        }
        let _ = self.jobs.send(Job::Chunk { id: self.id, bytes });
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::End { id: self.id, whole: self.whole });
    }
}

struct Thread {
    directory: PathBuf,
    key: MasterKey,
    counts: Arc<Counts>,
    /// `None`: the disk took no more of it.
    open: BTreeMap<u64, (Title, Option<Writer<File>>)>,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Job>) {
        for job in inbox {
            match job {
                Job::Begin { id, title } => self.begin(id, title),
                Job::Chunk { id, bytes } => {
                    self.counts.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    self.chunk(id, &bytes);
                }
                Job::End { id, whole } => self.end(id, whole),
                Job::Stop => return,
            }
        }
    }

    fn begin(&mut self, id: u64, title: Title) {
        let path = self.directory.join(title.file());
        let make = || -> Result<Writer<File>, String> {
            seal::make_directory(&self.directory)?;
            self.set_aside(&path, &title)?;
            let file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(|error| error.to_string())?;
            let mut writer = Writer::new(file, &self.key).map_err(|error| error.to_string())?;
            let title = serde_json::to_vec(&title).expect("a title is plain data");
            writer.chunk(&title).map_err(|error| error.to_string())?;
            Ok(writer)
        };
        match make() {
            Ok(writer) => drop(self.open.insert(id, (title, Some(writer)))),
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(call = title.call, error, "a call is not recorded");
            }
        }
    }

    /// A crash while the journal could not be written forgets a call: its number is given again, and its sound must not pass for this call's.
    fn set_aside(&self, path: &Path, title: &Title) -> Result<(), String> {
        if !path.exists() {
            return Ok(());
        }
        let aside = self.directory.join(format!("{}-{}-before-{}.{ENDING}", title.call, title.part, title.began_at));
        tracing::error!(call = title.call, file = %aside.display(), "a recording of a call that nothing else is known of is set aside");
        fs::rename(path, aside).map_err(|error| error.to_string())
    }

    fn chunk(&mut self, id: u64, bytes: &[u8]) {
        let Some((title, writer)) = self.open.get_mut(&id) else { return };
        if let Some(Err(error)) = writer.as_mut().map(|writer| writer.chunk(bytes)) {
            tracing::error!(call = title.call, %error, "a recording ends before its call: look at the disk");
            // What is written can be read; a torn chunk after it could not.
            *writer = None;
        }
    }

    fn end(&mut self, id: u64, whole: bool) {
        let Some((title, writer)) = self.open.remove(&id) else { return };
        let complete = writer.is_some_and(|writer| writer.finish().is_ok()) && whole;
        if complete {
            self.counts.complete.fetch_add(1, Ordering::Relaxed);
        } else {
            self.counts.incomplete.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(call = title.call, part = title.part, "a recording is incomplete");
        }
    }
}

impl Title {
    /// The file's name: a call's number says nothing of anybody.
    fn file(&self) -> String {
        format!("{}-{}.{ENDING}", self.call, self.part)
    }
}

/// The files of a call's recording, in the order of its parts.
pub fn files(data_dir: &Path, call: u64) -> Vec<PathBuf> {
    let part = |path: &PathBuf| {
        let (of, part) = path.file_stem()?.to_str()?.split_once('-')?;
        (of.parse() == Ok(call) && path.extension()? == ENDING).then(|| part.parse::<u32>().ok())?
    };
    let entries = fs::read_dir(data_dir.join(DIRECTORY)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<(u32, PathBuf)> = entries.filter_map(|path| Some((part(&path)?, path))).collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

/// The names of the files that a call has and that can be opened: for a record that a crash kept from being written.
pub fn names(data_dir: &Path, key: &MasterKey, call: CallId) -> Vec<String> {
    let name = |part| Title { call: call.0, part, began_at: 0 }.file();
    let opens = |name: &String| open(&data_dir.join(DIRECTORY).join(name), key).is_ok_and(|(title, _)| title.call == call.0);
    (1..).map(name).take_while(opens).collect()
}

/// A recording as it is read back.
#[derive(Debug)]
pub struct Read {
    pub title: Title,
    /// Up to the last whole one.
    pub chunks: Vec<Vec<u8>>,
    /// What keeps the rest from being read.
    pub error: Option<SealError>,
}

fn open(path: &Path, key: &MasterKey) -> Result<(Title, Reader<BufReader<File>>), SealError> {
    let mut reader = Reader::new(BufReader::new(File::open(path)?), key)?;
    let title = reader.chunk()?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(SealError::Altered)?;
    Ok((title, reader))
}

pub fn read(path: &Path, key: &MasterKey) -> Result<Read, SealError> {
    let (title, mut reader) = open(path, key)?;
    let mut chunks = Vec::new();
    loop {
        match reader.chunk() {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => return Ok(Read { title, chunks, error: None }),
            Err(error) => return Ok(Read { title, chunks, error: Some(error) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("careline-recording-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn record(data: &Path, key: &MasterKey, parts: &[&[&[u8]]]) -> Outcomes {
        let mut recorder = Recorder::start(data, key).unwrap();
        for (part, chunks) in (1..).zip(parts) {
            let (mut recording, name) = recorder.begin(CallId(7), part, Time(5));
            assert_eq!(name, format!("7-{part}.sealed"));
            chunks.iter().for_each(|chunk| recording.write(chunk.to_vec()));
        }
        let counts = recorder.counts.clone();
        drop(recorder);
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Outcomes { complete: read(&counts.complete), incomplete: read(&counts.incomplete), failed: read(&counts.failed) }
    }

    #[test]
    fn what_is_recorded_is_sealed_for_its_owner_alone_and_read_back() {
        let (data, key) = (folder("whole"), MasterKey::random());
        let outcomes = record(&data, &key, &[&[b"some words", b"and more"], &[b"after a transfer"]]);
        assert_eq!(outcomes, Outcomes { complete: 2, ..Outcomes::default() });
        let files = files(&data, 7);
        assert_eq!(files.len(), 2);
        assert_eq!(names(&data, &key, CallId(7)), ["7-1.sealed", "7-2.sealed"]);
        assert_eq!(names(&data, &key, CallId(70)), [""; 0]);
        let Read { title, chunks, error } = read(&files[0], &key).unwrap();
        assert_eq!(title, Title { call: 7, part: 1, began_at: 5 });
        assert!(chunks == [&b"some words"[..], b"and more"] && error.is_none());
        assert!(matches!(read(&files[0], &MasterKey::random()), Err(SealError::WrongKey)));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data.join(DIRECTORY)), mode(&files[0])), (0o700, 0o600));
        let bytes = fs::read(&files[0]).unwrap();
        assert!(!bytes.windows(5).any(|window| window == b"words"));
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_torn_file_is_read_up_to_its_last_whole_chunk() {
        let (data, key) = (folder("torn"), MasterKey::random());
        record(&data, &key, &[&[&[1; 100], &[2; 100], &[3; 100]]]);
        let file = &files(&data, 7)[0];
        let bytes = fs::read(file).unwrap();
        // The last chunk is 4 + 16 bytes: 30 less tears the one before it.
        fs::write(file, &bytes[..bytes.len() - 30]).unwrap();
        let Read { chunks, error, .. } = read(file, &key).unwrap();
        assert_eq!(chunks, [[1; 100], [2; 100]]);
        assert!(matches!(error, Some(SealError::Torn)));
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_number_that_is_given_again_does_not_lend_its_sound() {
        let (data, key) = (folder("again"), MasterKey::random());
        record(&data, &key, &[&[b"of a call that a crash forgot"]]);
        assert_eq!(record(&data, &key, &[&[b"of the next"]]), Outcomes { complete: 1, ..Outcomes::default() });
        assert_eq!(names(&data, &key, CallId(7)), ["7-1.sealed"]);
        assert_eq!(read(&files(&data, 7)[0], &key).unwrap().chunks, [b"of the next"]);
        assert_eq!(read(&data.join(DIRECTORY).join("7-1-before-5.sealed"), &key).unwrap().chunks, [b"of a call that a crash forgot"]);
        // One that was torn while it was begun is nobody's.
        fs::write(data.join(DIRECTORY).join("7-1.sealed"), "CARE").unwrap();
        assert_eq!(names(&data, &key, CallId(7)), [""; 0]);
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn where_nothing_can_be_written_a_recording_fails_and_the_next_may_not() {
        let (data, key) = (folder("failed"), MasterKey::random());
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join(DIRECTORY), "in the way").unwrap();
        assert_eq!(record(&data, &key, &[&[b"x"]]), Outcomes { failed: 1, ..Outcomes::default() });
        fs::remove_file(data.join(DIRECTORY)).unwrap();
        assert_eq!(record(&data, &key, &[&[b"x"]]), Outcomes { complete: 1, ..Outcomes::default() });
        fs::remove_dir_all(data).unwrap();
    }

    /// A device that is always full takes the place of a disk that is.
    #[test]
    fn a_full_disk_makes_a_recording_incomplete() {
        let (data, key) = (folder("full"), MasterKey::random());
        let mut thread = Thread { directory: data.join(DIRECTORY), key: key.clone(), counts: Arc::default(), open: BTreeMap::new() };
        thread.begin(1, Title { call: 7, part: 1, began_at: 5 });
        thread.chunk(1, b"before");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let kept = thread.open.get_mut(&1).unwrap().1.as_mut().unwrap().redirect(full);
        thread.chunk(1, b"lost");
        thread.chunk(1, b"lost, too");
        thread.end(1, true);
        drop(kept);
        assert_eq!(thread.counts.incomplete.load(Ordering::Relaxed), 1);
        let Read { chunks, error, .. } = read(&files(&data, 7)[0], &key).unwrap();
        assert!(chunks == [b"before"] && error.is_some());
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_disk_that_does_not_keep_up_loses_sound_and_says_so() {
        let (data, key) = (folder("slow"), MasterKey::random());
        let mut recorder = Recorder::start(&data, &key).unwrap();
        let (mut recording, _) = recorder.begin(CallId(7), 1, Time(5));
        let counts = recorder.counts.clone();
        counts.waiting.fetch_add(WAITING_MAX, Ordering::Relaxed);
        recording.write(vec![1; 10]);
        counts.waiting.fetch_sub(WAITING_MAX, Ordering::Relaxed);
        recording.write(vec![2; 10]);
        drop((recording, recorder));
        assert_eq!(counts.incomplete.load(Ordering::Relaxed), 1);
        assert_eq!(read(&files(&data, 7)[0], &key).unwrap().chunks, [[2; 10]]);
        fs::remove_dir_all(data).unwrap();
    }
}
