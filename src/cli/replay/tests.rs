//! A run of the core, written down as a centre does, comes to the same commands when it is replayed.

use super::*;
use crate::acd::{Acd, LegEnd, Purpose};
use crate::config::{self, Loaded};
use crate::model::{AgentId, CallId, LegId, Phi};
use crate::store::journal::{Checkpoint, Journal, Settings};
use crate::store::tests::Directory;
use std::collections::VecDeque;
use std::time::Duration;

/// A Wednesday, ten in the morning in Chicago.
const BEGIN: Time = Time(1_750_863_600_000_000);
const CALLERS: u64 = 6;

/// A centre that writes down what its core is told.
struct Run {
    core: Acd,
    journal: Journal,
    now: Time,
    said: Vec<(Time, String)>,
    deadlines: u64,
}

impl Run {
    fn new(directory: &Directory, key: &MasterKey, loaded: &Loaded) -> Run {
        let settings = Settings { roll: 16 << 20, keep: Duration::from_secs(3600), size: 64 << 20 };
        let (core, mut journal) = (Acd::new(loaded.centre.clone()), Journal::new(directory.path(), key, settings).unwrap());
        let (sources, pieces) = (&loaded.sources, core.checkpoint());
        journal.begin(Checkpoint { at: BEGIN, next_call: 1, sources, configured_at: loaded.at, contacts: Vec::new(), pieces });
        Run { core, journal, now: BEGIN, said: Vec::new(), deadlines: 0 }
    }

    /// Tells the core an event, and all that follows from it outside: what is asked for is done at once.
    fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.now = self.now + Duration::from_millis(3);
            let mut commands = Vec::new();
            self.journal.told(self.now, &event);
            self.core.handle(self.now, event, &mut commands);
            self.journal.taken(commands.iter().filter(|command| matches!(command, Command::Note { .. })).count() as u64);
            for command in commands {
                self.said.push((self.now, format!("{command:?}")));
                events.extend(outside(command));
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
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
    let mut run = Run::new(directory, key, &loaded);
    for agent in [AgentId(1001), AgentId(1004)] {
        run.tell(Event::AgentLoggedIn { agent });
        run.tell(Event::AgentReady { agent });
    }
    let numbers: Vec<String> = loaded.centre.numbers.keys().map(ToString::to_string).collect();
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
    let key = key(None, &file).unwrap();
    let mut again = Vec::new();
    let summary = replay(&file, &key, &mut |at, _, command| again.push((at, format!("{command:?}")))).unwrap();
    assert!(again == said, "{} commands, and {} again", said.len(), again.len());
    assert_eq!((summary.end, summary.disagreements, summary.problem()), (End::Closed, 0, None));
    assert_eq!((summary.commands as usize, summary.alive), (said.len(), 0));
    assert_eq!(summary.events["call_arrived"], CALLERS);
    assert_eq!(summary.closed.values().sum::<u64>(), CALLERS);
    assert!(summary.closed.contains_key("answered"), "{:?}", summary.closed);
    assert_eq!(replay(&file, &key, &mut |_, _, _| ()).unwrap(), summary, "the same a second time");
    let mut printed = Vec::new();
    summary.print(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.contains(&summary.digest) && printed.contains("time      2025-06-25T15:00:00Z to 2025-06-25T15:"), "{printed}");
    assert!(again.iter().all(|(_, command)| !command.contains("+1312555019")), "nobody's number is printed");
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
    let summary = replay(&file, &key, &mut |_, _, _| ()).unwrap();
    assert_eq!((summary.end, summary.problem().as_deref()), (End::Altered, Some("altered since it was written")));
    assert!(summary.commands < said.len() as u64);
    std::fs::write(&file, &whole[..place]).unwrap();
    let summary = replay(&file, &key, &mut |_, _, _| ()).unwrap();
    assert_eq!((summary.end, summary.problem()), (End::Torn, None));
    std::fs::write(&file, &whole[..200]).unwrap();
    assert!(replay(&file, &key, &mut |_, _, _| ()).unwrap_err().contains("not a journal"));
    std::fs::write(&file, &whole).unwrap();
    let error = replay(&file, &MasterKey::random(), &mut |_, _, _| ()).unwrap_err();
    assert!(error.contains("sealed with another master key"), "{error}");
    assert!(super::key(None, &file).unwrap_err().contains("master.key"), "no key is made");
    assert!(!directory.path().join("master.key").exists());
}
