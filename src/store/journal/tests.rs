//! What the journal keeps, over tears, changes, full disks and faults of the core.

use super::*;
use crate::acd::{Acd, Config, storm};
use crate::model::tree::{Node, Value};
use crate::model::{AgentId, Phi};
use crate::model::{Spot, sources::Numbers, sources::PromptNames};
use crate::store::tests::Directory;

const SETTINGS: Settings = Settings { roll: 1 << 20, keep: Duration::from_secs(3600), size: 8 << 20 };

fn sources() -> Sources {
    let at = Spot::new(&"careline.toml".into(), 1, 1);
    Sources {
        root: Node { at, value: Value::Map(Vec::new()) },
        flows: Vec::new(),
        prompts: PromptNames::new(),
        numbers: Numbers::default(),
    }
}

fn checkpoint(sources: &Sources, pieces: Vec<Event>) -> Checkpoint<'_> {
    Checkpoint { at: Time(7), next_call: 3, sources, configured_at: Time(5), contacts: Vec::new(), invited: Vec::new(), pieces }
}

fn journal(directory: &Directory, key: &MasterKey) -> Journal {
    let mut journal = Journal::new(directory.path(), key, SETTINGS).unwrap();
    assert!(journal.is_due(), "a journal without a file wants one");
    journal.begin(checkpoint(&sources(), Acd::new(Config::default()).checkpoint()));
    assert!(!journal.is_due());
    journal
}

fn ready(agent: u64) -> Event {
    Event::AgentReady { agent: AgentId(agent) }
}

fn tell(journal: &mut Journal, at: u64, event: &Event) {
    journal.told(Time(at), event);
    journal.taken(at % 3);
}

/// Every record of a file, and how it ends.
fn read(path: &Path, key: &MasterKey) -> (Vec<Record>, End) {
    let mut reader = Reader::open(path, key).unwrap();
    let records = reader.by_ref().collect();
    (records, reader.end().unwrap())
}

fn told(records: &[Record]) -> Vec<u64> {
    records.iter().filter_map(|record| if let Record::Told { at, .. } = record { Some(at.0) } else { None }).collect()
}

#[test]
fn what_was_told_reads_back_before_the_file_is_closed_and_after() {
    let (directory, key) = (Directory::new("journal"), MasterKey::random());
    let mut journal = journal(&directory, &key);
    let events: Vec<Event> = (1..=5).map(ready).collect();
    events.iter().zip(10..).for_each(|(event, at)| tell(&mut journal, at, event));
    let path = journal.path().unwrap().to_path_buf();
    let (records, end) = read(&path, &key);
    assert_eq!(end, End::Torn, "it is still being written");
    let head = Head { version: VERSION, number: 1, at: Time(7), next_call: 3 };
    assert_eq!(records[0], Record::Head(head));
    assert_eq!(records[1], Record::Configured { at: Time(5), sources: Some(Box::new(sources())) });
    let whole = records.iter().position(|record| *record == Record::Whole).unwrap();
    let expected = events.iter().zip(10..).map(|(event, at)| Record::Told { at: Time(at), event: event.clone(), facts: at % 3 });
    assert_eq!(records[whole + 1..], expected.collect::<Vec<_>>());
    journal.close();
    assert_eq!(read(&path, &key), (records, End::Closed));
    assert_eq!(journal_files(&directory), ["0000000001.journal"]);
}

fn journal_files(directory: &Directory) -> Vec<String> {
    files(directory.path()).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_string()).collect()
}

#[test]
fn a_torn_tail_costs_what_was_torn_and_what_was_changed_is_noticed() {
    let (directory, key) = (Directory::new("journal-torn"), MasterKey::random());
    let mut journal = journal(&directory, &key);
    let path = journal.path().unwrap().to_path_buf();
    let mut lengths = Vec::new();
    for at in 10..15 {
        tell(&mut journal, at, &ready(at));
        lengths.push(std::fs::metadata(&path).unwrap().len() as usize);
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for length in lengths[0]..=lengths[4] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let (records, end) = read(&path, &key);
        let expected = lengths.iter().filter(|end| **end <= length).count();
        assert_eq!((told(&records).len(), end), (expected, End::Torn), "cut to {length} bytes");
    }
    let mut changed = whole.clone();
    changed[lengths[1] + 8] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    assert_eq!(read(&path, &key).1, End::Altered);
    let swapped = [&whole[..lengths[0]], &whole[lengths[1]..lengths[2]], &whole[lengths[0]..lengths[1]], &whole[lengths[2]..]].concat();
    std::fs::write(&path, swapped).unwrap();
    let (records, end) = read(&path, &key);
    assert_eq!((told(&records), end), (vec![10], End::Altered));
    assert!(matches!(Reader::open(&path, &MasterKey::random()), Err(SealError::WrongKey)));
}

#[test]
fn what_the_core_could_not_bear_did_not_happen() {
    let (directory, key) = (Directory::new("journal-quarantine"), MasterKey::random());
    let mut journal = journal(&directory, &key);
    tell(&mut journal, 10, &ready(1));
    journal.told(Time(11), &ready(2));
    let event = journal.not_taken();
    tell(&mut journal, 12, &ready(3));
    assert_eq!(told(&read(journal.path().unwrap(), &key).0), [10, 12]);
    let path = journal.quarantine(checkpoint(&sources(), Vec::new()), &event).unwrap();
    let (records, end) = read(&path, &key);
    let last = [Record::Unborne, Record::Told { at: Time(11), event: ready(2), facts: 0 }];
    assert_eq!((&records[records.len() - 2..], end), (&last[..], End::Closed));
}

#[test]
fn a_state_of_many_chunks_is_one_state() {
    let (directory, key) = (Directory::new("journal-large"), MasterKey::random());
    let mut journal = Journal::new(directory.path(), &key, SETTINGS).unwrap();
    let large = "x".repeat(3 * CHUNK_MAX);
    let event = Event::WrapUpDone { agent: AgentId(1), code: Some(Phi(large)) };
    journal.begin(checkpoint(&sources(), vec![event.clone(), event.clone()]));
    tell(&mut journal, 10, &event);
    let (records, _) = read(journal.path().unwrap(), &key);
    assert_eq!(
        records[2..],
        [Record::Piece(event.clone()), Record::Piece(event.clone()), Record::Whole, Record::Told { at: Time(10), event, facts: 1 }]
    );
    assert!(journal.is_due(), "it is full");
}

#[test]
fn files_go_by_size_and_the_newest_two_stay() {
    let (directory, key) = (Directory::new("journal-clean"), MasterKey::random());
    let mut journal = journal(&directory, &key);
    for _ in 0..4 {
        journal.begin(checkpoint(&sources(), vec![ready(1)]));
    }
    journal.close();
    assert_eq!(journal_files(&directory).len(), 5);
    let each = std::fs::metadata(&files(directory.path())[0]).unwrap().len();
    keeper::clean(directory.path(), Settings { size: 3 * each + each / 2, ..SETTINGS });
    assert_eq!(journal_files(&directory), ["0000000005.journal", "0000000004.journal", "0000000003.journal"]);
    keeper::clean(directory.path(), Settings { size: 1, keep: Duration::ZERO, ..SETTINGS });
    assert_eq!(journal_files(&directory), ["0000000005.journal", "0000000004.journal"]);
}

#[test]
fn a_disk_that_takes_nothing_is_counted_and_tried_again() {
    let (directory, key) = (Directory::new("journal-full"), MasterKey::random());
    let mut journal = Journal::new(directory.path(), &key, SETTINGS).unwrap();
    let place = directory.path().join(DIRECTORY);
    std::fs::remove_dir(&place).unwrap();
    journal.begin(checkpoint(&sources(), Vec::new()));
    assert_eq!(journal.status().failures, 1);
    assert!(journal.path().is_none() && !journal.is_due(), "not tried again at once");
    tell(&mut journal, 10, &ready(1));
    assert!(journal.status().lag > Duration::ZERO);
    std::fs::create_dir(&place).unwrap();
    journal.failed = Some(Instant::now() - RETRY);
    assert!(journal.is_due());
    journal.begin(checkpoint(&sources(), vec![ready(1)]));
    tell(&mut journal, 11, &ready(2));
    assert_eq!(told(&read(journal.path().unwrap(), &key).0), [11]);
    assert_eq!(journal.keeper.shared.failures.load(Ordering::SeqCst), 1);
}

/// Prints what an event costs; `cargo bench --bench journal` says it of a release build.
#[test]
fn an_event_costs_little() {
    let (directory, key) = (Directory::new("journal-cost"), MasterKey::random());
    let mut events = Vec::new();
    storm::watched(1, 500, false, &mut |event, _| events.push(event.clone()));
    let mut journal = journal(&directory, &key);
    let begun = Instant::now();
    events.iter().for_each(|event| tell(&mut journal, 10, event));
    let cost = begun.elapsed() / events.len() as u32;
    println!("{cost:?} an event, {} bytes", std::fs::metadata(journal.path().unwrap()).unwrap().len() / events.len() as u64);
    assert_eq!(told(&read(journal.path().unwrap(), &key).0).len(), events.len());
}
