//! What the store promises.

use super::*;
use crate::acd::call::{Disposition, Failure, Refusal, Segment, Stage, VisitOutcome, WithdrawWhy, Withdrawal};
use crate::acd::fact::OfferOutcome;
use crate::acd::record::{OfferRecord, VisitRecord};
use crate::model::{AgentId, Language, Phi, QueueId, Time};
use std::time::Duration;

/// A new directory under the system's temporary one, removed when dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("careline-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CALLER: &str = "+13125550123";
const CALLED: &str = "+13125550100";

/// A caller who was heard and who reported, and an agent of whom nothing came.
fn sounds() -> Sounds {
    let caller = StoredSound {
        agent: None,
        received: 100,
        lost: 2,
        jitter: 3_000,
        score: Some(4.25),
        sent: 99,
        lost_there: Some(1),
        jitter_there: Some(4_000),
        score_there: Some(4.125),
        round_trip: Some(40_000),
    };
    let agent = StoredSound { agent: Some(1004), sent: 7, ..StoredSound::default() };
    Sounds { legs: vec![caller, agent], recordings: vec!["1-1.sealed".into(), "1-2.sealed".into()] }
}

fn record(call: u64) -> CallRecord {
    let (start, second) = (Time(1_700_000_000_000_000 + call), Duration::from_secs(1));
    let spanish = Language::new("es").unwrap();
    let visit = |queue, outcome, offers| VisitRecord {
        queue: QueueId(queue),
        language: spanish,
        entered_at: start + second,
        left_at: start + 9 * second,
        stage: Stage::Ringing,
        outcome,
        offers,
    };
    let offer = |agent, outcome| OfferRecord { agent: AgentId(agent), rung_at: start + 2 * second, ended_at: start + 3 * second, outcome };
    CallRecord {
        call: CallId(call),
        from: Phi(CALLER.into()),
        to: Phi(CALLED.into()),
        did: CALLED.into(),
        language: spanish,
        arrived_at: start,
        answered_at: Some(start + second),
        ended_at: start + 60 * second,
        visits: vec![
            visit(1, VisitOutcome::Withdrawn(Withdrawal::Elsewhere), vec![offer(1004, OfferOutcome::Refused(Refusal::Declined))]),
            visit(
                2,
                VisitOutcome::Answered,
                vec![offer(1005, OfferOutcome::Withdrawn(WithdrawWhy::NoAnswer)), offer(1006, OfferOutcome::Accepted)],
            ),
        ],
        segments: vec![Segment {
            agent: AgentId(1006),
            queue: Some(QueueId(2)),
            from: start + 9 * second,
            to: Some(start + 60 * second),
            held: 4 * second,
            wrap_up: Some(second),
            transferred: false,
        }],
        disposition: if call.is_multiple_of(2) { Disposition::Answered } else { Disposition::Failed(Failure::LegLost) },
        wrap_up_code: Some(Phi("refill".into())),
    }
}

fn open(directory: &Directory, key: &MasterKey, limits: Limits) -> Store {
    Store::open_with(directory.path(), key, &Config::default(), limits).unwrap()
}

/// Holds the database's write lock, as a back-up or a failing disk would.
struct Locked(rusqlite::Connection);

impl Locked {
    fn new(directory: &Directory) -> Locked {
        let connection = rusqlite::Connection::open(directory.path().join(sqlite::FILE)).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Locked(connection)
    }

    fn release(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

#[test]
fn a_record_reads_back_whole_and_once() {
    let (directory, key) = (Directory::new("store-once"), MasterKey::random());
    let store = open(&directory, &key, Limits::default());
    assert_eq!(store.next_call(), CallId(1));
    for call in [1, 2, 2, 3, 1] {
        store.write_with(&record(call), sounds());
    }
    store.flush();
    let expected: Vec<StoredCall> = (1..=3).map(|call| StoredCall::new(&record(call), &Names::default(), sounds())).collect();
    assert_eq!(store.records().unwrap(), expected);
    assert_eq!(store.close(), Status { written: 3, doubled: 2, spooled: 0, lost: 0 });
    assert_eq!(read_from(directory.path(), &key, CALLER).unwrap().len(), 3);
    assert_eq!(read_from(directory.path(), &key, CALLED).unwrap().len(), 0);
    assert_eq!(open(&directory, &key, Limits::default()).next_call(), CallId(4));
}

#[test]
fn no_number_stands_in_any_file() {
    let (directory, key) = (Directory::new("store-sealed"), MasterKey::random());
    let store = open(&directory, &key, Limits::default());
    let locked = Locked::new(&directory);
    store.write(&record(1));
    store.flush();
    assert_eq!(store.status().spooled, 1);
    locked.release();
    store.write(&record(2));
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(spool::closed(&directory.path().join(spool::DIRECTORY)));
    files.retain(|path| path.is_file());
    assert!(files.len() > 2, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(CALLER.len()).any(|window| window == CALLER.as_bytes()), "{}", path.display());
    }
    store.close();
}

#[test]
fn a_locked_database_sends_records_through_the_spool() {
    let (directory, key) = (Directory::new("store-spool"), MasterKey::random());
    let store = open(&directory, &key, Limits::default());
    let locked = Locked::new(&directory);
    for call in 1..=20 {
        store.write(&record(call));
    }
    store.flush();
    assert_eq!(store.status(), Status { spooled: 20, ..Status::default() });
    locked.release();
    store.flush();
    assert_eq!(store.status(), Status { written: 20, ..Status::default() });
    assert_eq!(store.records().unwrap().len(), 20);
}

#[test]
fn what_a_stopped_centre_left_in_the_spool_is_written_at_the_next_start() {
    let (directory, key) = (Directory::new("store-restart"), MasterKey::random());
    let store = open(&directory, &key, Limits::default());
    let locked = Locked::new(&directory);
    store.write(&record(7));
    assert_eq!(store.close().spooled, 1);
    locked.release();
    // A crash would have left the file in parts.
    let left = spool::closed(&directory.path().join(spool::DIRECTORY)).pop().unwrap();
    let bytes = std::fs::read(&left).unwrap();
    std::fs::write(left.with_extension("part"), &bytes[..bytes.len() - 1]).unwrap();
    std::fs::remove_file(left).unwrap();
    let store = open(&directory, &key, Limits::default());
    assert_eq!(store.records().unwrap(), [StoredCall::new(&record(7), &Names::default(), Sounds::default())]);
    assert_eq!(store.next_call(), CallId(8));
}

#[test]
fn every_record_is_written_spooled_or_counted_as_lost() {
    let (directory, key) = (Directory::new("store-lost"), MasterKey::random());
    let store = open(&directory, &key, Limits { channel: 4, spool_bytes: 4_000, held: 0 });
    let locked = Locked::new(&directory);
    for call in 1..=500 {
        store.write(&record(call));
    }
    store.flush();
    let status = store.status();
    assert!(status.spooled > 0 && status.lost > 0, "{status:?}");
    assert_eq!(status.written + status.spooled + status.lost, 500, "{status:?}");
    locked.release();
    store.flush();
    assert_eq!(store.records().unwrap().len() as u64, status.written + status.spooled);
    assert_eq!(store.status().lost, status.lost);
}

/// A file in the place of the spool's directory takes the place of a disk that is full.
#[test]
fn a_disk_that_takes_nothing_costs_no_record_once_it_does_again() {
    let (directory, key) = (Directory::new("store-full"), MasterKey::random());
    let store = open(&directory, &key, Limits { held: 15, ..Limits::default() });
    let (locked, spool) = (Locked::new(&directory), directory.path().join(spool::DIRECTORY));
    std::fs::remove_dir(&spool).unwrap();
    std::fs::write(&spool, "in the way").unwrap();
    for call in 1..=20 {
        store.write(&record(call));
    }
    // The first time they come to the spool's thread, the second time it has tried them.
    store.flush();
    store.flush();
    assert_eq!(store.status(), Status { spooled: 15, lost: 5, ..Status::default() });
    assert!(!store.is_settled(), "a crash now would take them: the journal must not turn");
    std::fs::remove_file(&spool).unwrap();
    std::fs::create_dir(&spool).unwrap();
    locked.release();
    store.flush();
    assert_eq!(store.status(), Status { written: 15, lost: 5, ..Status::default() });
    assert!(store.is_settled());
    assert_eq!(store.records().unwrap().iter().map(|call| call.call).collect::<Vec<_>>(), (6..=20).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0);
}

#[test]
fn another_key_is_one_clear_error() {
    let directory = Directory::new("store-key");
    open(&directory, &MasterKey::random(), Limits::default()).close();
    let error = Store::open(directory.path(), &MasterKey::random(), &Config::default()).err().unwrap();
    assert!(error.contains(sqlite::FILE) && error.contains("another master key"), "{error}");
}
