//! A run of the core, written down as a centre does, comes to the same commands when it is replayed.

use super::summary::Summary;
use super::*;
use crate::acd::{Acd, LegEnd, Purpose};
use crate::config::{self, Loaded};
use crate::model::{AgentId, CallId, LegId, Phi};
use crate::node::recover::Fault;
use crate::store::journal::{Checkpoint, Contact, End, Journal, Settings};
use crate::store::tests::Directory;
use std::collections::VecDeque;
use std::time::Duration;

/// A Wednesday, ten in the morning in Chicago.
const BEGIN: Time = Time(1_750_863_600_000_000);
const CALLERS: u64 = 6;

/// A centre that writes down what its core is told.
pub struct Run {
    pub core: Acd,
    pub journal: Journal,
    pub now: Time,
    pub said: Vec<(Time, String)>,
    deadlines: u64,
    loaded: Loaded,
    /// What is played lasts until it is let end.
    pub plays_last: bool,
    playing: Vec<Event>,
}

impl Run {
    pub fn new(directory: &Directory, key: &MasterKey, loaded: Loaded) -> Run {
        let settings = Settings { roll: 16 << 20, keep: Duration::from_secs(3600), size: 64 << 20 };
        let (core, journal) = (Acd::new(loaded.centre.clone()), Journal::new(directory.path(), key, settings).unwrap());
        let (said, playing) = Default::default();
        let mut run = Run { core, journal, now: BEGIN, said, deadlines: 0, loaded, plays_last: false, playing };
        run.turn(Vec::new());
        run
    }

    /// Begins the next file; the path of the one before.
    pub fn turn(&mut self, contacts: Vec<(String, Vec<Contact>)>) -> Option<PathBuf> {
        let before = self.journal.path().map(Path::to_path_buf);
        let (sources, configured_at, pieces) = (&*self.loaded.sources, self.loaded.at, self.core.checkpoint());
        let at = self.core.time().max(BEGIN);
        self.journal.begin(Checkpoint { at, next_call: 1, sources, configured_at, contacts, invited: Vec::new(), pieces });
        self.said.clear();
        before
    }

    /// Sets an event aside as one that the core could not bear; its file.
    fn set_aside(&mut self, at: Time, event: &Event) -> PathBuf {
        self.journal.told(at, event);
        let event = self.journal.not_taken();
        let (sources, configured_at, pieces) = (&*self.loaded.sources, self.loaded.at, self.core.checkpoint());
        let at = self.core.time().max(BEGIN);
        let state = Checkpoint { at, next_call: 1, sources, configured_at, contacts: Vec::new(), invited: Vec::new(), pieces };
        self.journal.quarantine(state, &event).unwrap()
    }

    /// What is played has been heard.
    pub fn plays_end(&mut self) {
        for event in std::mem::take(&mut self.playing) {
            self.tell(event);
        }
    }

    /// Tells the core an event, and all that follows from it outside: what is asked for is done at once.
    pub fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.now = self.now + Duration::from_millis(3);
            let mut commands = Vec::new();
            self.journal.told(self.now, &event);
            self.core.handle(self.now, event, &mut commands);
            self.journal.taken(commands.iter().filter(|command| matches!(command, Command::Note { .. })).count() as u64);
            for command in commands {
                self.said.push((self.now, format!("{command:?}")));
                match outside(command) {
                    Some(done @ Event::PlayDone { .. }) if self.plays_last => self.playing.push(done),
                    done => events.extend(done),
                }
            }
        }
    }

    pub fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.core.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.deadlines += 1;
            self.tell(Event::DeadlineReached);
        }
        self.now = self.now.max(until);
    }
}

/// What a world that works answers.
fn outside(command: Command) -> Option<Event> {
    match command {
        Command::Answer { leg } => Some(Event::LegEstablished { leg }),
        Command::Play { leg, play, .. } => Some(Event::PlayDone { leg, play }),
        Command::Dial { purpose: Purpose::Offer(offer), .. } => Some(Event::OfferAccepted { offer }),
        Command::Hear { bridged: Some(offer), .. } => Some(Event::Bridged { offer }),
        _ => None,
    }
}

/// A morning: agents log in, callers press a key, some talk, one waits too long for their liking. Returns the file and what was said.
fn morning(directory: &Directory, key: &MasterKey) -> (PathBuf, Vec<(Time, String)>) {
    let loaded = config::load_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), BEGIN).unwrap();
    let mut run = Run::new(directory, key, loaded);
    for agent in [AgentId(1001), AgentId(1004)] {
        run.tell(Event::AgentLoggedIn { agent });
        run.tell(Event::AgentReady { agent });
    }
    let numbers: Vec<String> = run.loaded.centre.numbers.keys().map(ToString::to_string).collect();
    for number in 1..=CALLERS {
        let to = Phi(numbers[number as usize % numbers.len()].clone());
        let from = Phi(format!("+1312555019{number}"));
        run.tell(Event::CallArrived { call: CallId(number), leg: LegId(number), from, to });
        run.pass(2);
        run.tell(Event::DigitsEntered { leg: LegId(number), digits: Phi("1".to_string()) });
        run.pass(20);
    }
    for number in 1..=CALLERS {
        if run.core.knows(LegId(number)) {
            run.tell(Event::LegEnded { leg: LegId(number), cause: LegEnd::HungUp });
        }
        run.pass(15);
    }
    run.pass(120);
    assert_eq!(run.core.calls_alive(), 0);
    assert!(run.deadlines > 5, "time passes in it: {} deadlines", run.deadlines);
    let path = run.journal.path().unwrap().to_path_buf();
    run.journal.close();
    (path, run.said)
}

#[test]
fn a_replay_comes_to_the_same_commands() {
    let directory = Directory::new("replay");
    let made = MasterKey::find(None, directory.path()).unwrap();
    let (file, said) = morning(&directory, &made);
    let mut again = Vec::new();
    let summary = replay(open(None, &file).unwrap(), &mut |at, _, command| again.push((at, format!("{command:?}")))).unwrap();
    assert!(again == said, "{} commands, and {} again", said.len(), again.len());
    assert_eq!((summary.end, summary.disagreements, summary.problem()), (End::Closed, 0, None));
    assert_eq!((summary.commands as usize, summary.alive), (said.len(), 0));
    assert_eq!(summary.events["call_arrived"], CALLERS);
    assert_eq!(summary.closed.values().sum::<u64>(), CALLERS);
    assert!(summary.closed.contains_key("answered"), "{:?}", summary.closed);
    assert_eq!(replay(open(None, &file).unwrap(), &mut |_, _, _| ()).unwrap(), summary, "the same a second time");
    let mut printed = Vec::new();
    summary.print(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains(&summary.digest) && printed.contains("time      2025-06-25T15:00:00Z to 2025-06-25T15:"), "{printed}");
    assert!(again.iter().all(|(_, command)| !command.contains("+1312555019")), "nobody's number is printed");
}

fn again(file: &Path, key: &MasterKey) -> Result<Summary, String> {
    replay(Reader::open(file, key).map_err(|error| error.to_string())?, &mut |_, _, _| ())
}

#[test]
fn a_broken_file_is_told() {
    let directory = Directory::new("replay-broken");
    let key = MasterKey::random();
    let (file, said) = morning(&directory, &key);
    let whole = std::fs::read(&file).unwrap();
    let mut altered = whole.clone();
    let place = whole.len() - 100;
    altered[place] ^= 1;
    std::fs::write(&file, &altered).unwrap();
    let summary = again(&file, &key).unwrap();
    assert_eq!((summary.end, summary.problem().as_deref()), (End::Altered, Some("altered since it was written")));
    assert!(summary.commands < said.len() as u64);
    std::fs::write(&file, &whole[..place]).unwrap();
    let summary = again(&file, &key).unwrap();
    assert_eq!((summary.end, summary.problem()), (End::Torn, None));
    std::fs::write(&file, &whole[..200]).unwrap();
    assert!(again(&file, &key).unwrap_err().contains("not a journal"));
    std::fs::write(&file, &whole).unwrap();
    let error = again(&file, &MasterKey::random()).unwrap_err();
    assert!(error.contains("sealed with another master key"), "{error}");
    assert!(super::open(None, &file).err().unwrap().contains("master.key"), "no key is made");
    assert!(!directory.path().join("master.key").exists());
}

/// What was set aside when a core could not bear it, and is borne now.
#[test]
fn what_was_mended_since_is_told_as_mended() {
    let directory = Directory::new("replay-mended");
    let key = MasterKey::find(None, directory.path()).unwrap();
    let loaded = config::load_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), BEGIN).unwrap();
    let mut run = Run::new(&directory, &key, loaded);
    let file = run.set_aside(BEGIN + Duration::from_secs(1), &Event::AgentLoggedIn { agent: AgentId(1001) });
    let summary = replay(open(None, &file).unwrap(), &mut |_, _, _| ()).unwrap();
    assert_eq!((summary.fault, summary.disagreements, summary.problem()), (Some(Fault::Mended), 0, None));
    assert!(summary.commands > 0, "it is told what comes of it now");
    let mut printed = Vec::new();
    summary.print(&mut printed).unwrap();
    assert!(String::from_utf8(printed).unwrap().contains("mended since"));
}

/// No later core bears an event from before its time.
#[test]
fn a_fault_that_remains_is_told_and_exported() {
    let directory = Directory::new("replay-fault");
    let key = MasterKey::find(None, directory.path()).unwrap();
    let loaded = config::load_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), BEGIN).unwrap();
    let mut run = Run::new(&directory, &key, loaded);
    run.tell(Event::AgentLoggedIn { agent: AgentId(1001) });
    let file = run.set_aside(Time(1), &Event::AgentReady { agent: AgentId(1001) });
    let out = directory.path().join("out");
    let exported = export(open(None, &file).unwrap(), &out, [7; 32]).unwrap();
    assert_eq!((exported.fault, exported.problem()), (Some(true), None));
    for file in [&file, &out] {
        let summary = replay(open(None, file).unwrap(), &mut |_, _, _| ()).unwrap();
        assert_eq!(summary.fault, Some(Fault::Remains));
        assert!(summary.problem().unwrap().contains("cannot bear"));
    }
}
