//! The state out of the journal: at a start, after a fault of the core's, and for `careline replay`.

use super::clock::Clock;
use super::journal::{Book, forget};
use crate::acd::{Acd, AgentState, CallRecord, Command, Config, Event};
use crate::config::{self, Loaded};
use crate::model::{AgentId, CallId, EdgeId, Sources, Time};
use crate::store::journal::{self, Contact, End, Head, Invited, Journal, Reader, Record};
use crate::store::wire::VERSION;
use crate::store::{MasterKey, Sounds, Store};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// A restart looks at so many files of the journal, the newest first, for one that begins with a whole state: a crash that comes again
/// and again leaves one a start that was torn while it was begun.
const FILES: usize = 16;

/// What a file of the journal came to.
pub struct Replay {
    pub head: Head,
    pub core: Acd,
    /// The time of the last event, or of the checkpoint.
    pub last: Time,
    pub next_call: u64,
    pub contacts: BTreeMap<String, Vec<Contact>>,
    /// The INVITEs that became calls of late.
    pub invited: VecDeque<Invited>,
    pub sources: Arc<Sources>,
    pub configured_at: Time,
    pub events: u64,
    /// Events of which other facts came than the journal says.
    pub disagreements: u64,
    /// What became of an event that the core which wrote this could not bear.
    pub fault: Option<Fault>,
    pub end: End,
    /// The state that the file begins with is there.
    whole: bool,
    /// The next event is one that the core which wrote this could not bear.
    unborne: bool,
}

/// An event that was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This core takes it.
    Mended,
    /// This one cannot bear it either: the core is not to be used any more.
    Remains,
}

/// Builds the state of a file's checkpoint and applies every event after it; `heard` is told each, with the commands that came of it. The
/// error says why there is no state to be had.
pub fn replay(path: &Path, key: &MasterKey, heard: &mut dyn FnMut(Time, &Event, &[Command])) -> Result<Replay, String> {
    let reader = Reader::open(path, key).map_err(|error| format!("{}: {error}", path.display()))?;
    replay_from(reader, heard).map_err(|error| format!("{}: {error}", path.display()))
}

/// As [`replay`], of a file that is open.
pub fn replay_from(mut reader: Reader, heard: &mut dyn FnMut(Time, &Event, &[Command])) -> Result<Replay, String> {
    let (mut replay, mut commands) = (Replay::begin(&mut reader)?, Vec::new());
    for record in reader.by_ref() {
        replay.take(record, &mut commands, heard)?;
        commands.clear();
    }
    replay.finish(reader.end().expect("a file that was read to its end has one"))
}

const NOT_WHOLE: &str = "its state is not whole: torn while it was begun";

impl Replay {
    /// Before anything happened, by the first records of a file.
    pub fn begin(records: &mut impl Iterator<Item = Record>) -> Result<Replay, String> {
        let head = match records.next() {
            Some(Record::Head(head)) if head.version == VERSION => head,
            Some(Record::Head(head)) => return Err(format!("written in version {} of the form, and this is {VERSION}", head.version)),
            _ => return Err("not a journal".into()),
        };
        let Some(Record::Configured { at: configured_at, sources: Some(sources) }) = records.next() else {
            return Err(NOT_WHOLE.into());
        };
        Ok(Replay {
            head,
            core: Acd::new(Config::default()),
            last: head.at,
            next_call: head.next_call,
            contacts: BTreeMap::new(),
            invited: VecDeque::new(),
            sources: Arc::from(sources),
            configured_at,
            events: 0,
            disagreements: 0,
            fault: None,
            end: End::Torn,
            whole: false,
            unborne: false,
        })
    }

    /// After the last record.
    pub fn finish(mut self, end: End) -> Result<Replay, String> {
        self.end = end;
        if self.whole { Ok(self) } else { Err(NOT_WHOLE.into()) }
    }

    /// One record more; `commands` are those that came of it.
    pub fn take(
        &mut self,
        record: Record,
        commands: &mut Vec<Command>,
        heard: &mut dyn FnMut(Time, &Event, &[Command]),
    ) -> Result<(), String> {
        match record {
            Record::Head(_) => {}
            Record::Whole => self.whole = true,
            Record::Unborne => self.unborne = true,
            Record::Configured { at, sources } => {
                self.configured_at = at;
                if let Some(sources) = sources {
                    self.sources = Arc::from(sources);
                }
            }
            Record::Contacts { user, contacts } => drop(self.contacts.insert(user, contacts)),
            Record::Invited(invited) => {
                forget(&mut self.invited, invited.at);
                self.invited.push_back(invited);
            }
            Record::Piece(piece) => {
                let piece = self.complete(piece)?;
                self.core.handle(self.head.at, piece, commands);
                commands.clear();
            }
            Record::Told { at, event, facts } => {
                let event = self.complete(event)?;
                if let Event::CallArrived { call, .. } | Event::CallPlaced { call, .. } = event {
                    self.next_call = self.next_call.max(call.0 + 1);
                }
                (self.last, self.events) = (at, self.events + 1);
                if std::mem::take(&mut self.unborne) {
                    self.try_again(at, event.clone(), commands);
                } else {
                    self.core.handle(at, event.clone(), commands);
                    let noted = commands.iter().filter(|command| matches!(command, Command::Note { .. })).count() as u64;
                    self.disagreements += u64::from(noted != facts);
                }
                heard(at, &event, commands);
            }
        }
        Ok(())
    }

    /// What the core that wrote this could not bear.
    fn try_again(&mut self, at: Time, event: Event, commands: &mut Vec<Command>) {
        let taken = bear(|| {
            self.core.handle(at, event, commands);
            Ok(())
        });
        if taken.is_err() {
            commands.clear();
        }
        self.fault = Some(if taken.is_ok() { Fault::Mended } else { Fault::Remains });
    }

    /// A configuration comes without flows and calendars: those are what the sources say.
    fn complete(&self, event: Event) -> Result<Event, String> {
        let Event::ConfigChanged(mut config) = event else { return Ok(event) };
        let whole = config::load_sources(&self.sources, self.configured_at)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        (config.flows, config.calendars) = (whole.flows, whole.calendars);
        Ok(Event::ConfigChanged(config))
    }

    fn is_reachable(&self, agent: AgentId, now: Time) -> bool {
        let contacts = self.contacts.get(&agent.to_string());
        contacts.is_some_and(|contacts| contacts.iter().any(|contact| contact.expires > now))
    }
}

/// What a centre starts with.
pub struct Start {
    pub core: Acd,
    pub clock: Clock,
    pub next_call: u64,
    pub contacts: BTreeMap<String, Vec<Contact>>,
    /// Of the calls whose record is still to come: an agent is at after-call work for them.
    pub sounds: BTreeMap<CallId, Sounds>,
    /// The INVITEs of late: whose calls are closed, and must not begin again.
    pub invited: Vec<Invited>,
    pub book: Book,
}

/// Takes up where the journal in the data directory ends: agents, queues and figures as they were, and every call that was alive closed as
/// cut by us. Without a journal that can be read the centre starts empty, and says why. The configuration comes back numbered as before.
pub fn resume(loaded: Loaded, key: &MasterKey, store: &mut Store) -> Result<(Loaded, Start), String> {
    let (data_dir, settings) = (loaded.server.data_dir.clone(), super::settings::journal(&loaded.server));
    let journal = Journal::new(&data_dir, key, settings)?;
    let Some((mut replay, mut records)) = newest(&data_dir, key) else {
        let book = Book::new(journal, (loaded.sources.clone(), loaded.at), VecDeque::new());
        let core = Acd::new(loaded.centre.clone());
        let (next_call, contacts, sounds) = (store.next_call().0, BTreeMap::new(), BTreeMap::new());
        let start = Start { core, clock: Clock::start(), next_call, contacts, sounds, invited: Vec::new(), book };
        return Ok((loaded, start));
    };
    let clock = Clock::start_after(replay.last);
    let now = clock.now();
    let told = |problems: Vec<crate::model::Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let loaded = loaded.after(now, &replay.sources, replay.core.config()).map_err(told)?;
    let cut = replay.core.calls_alive();
    let mut commands = Vec::new();
    // At the time at which the centre was last known to be alive: nobody has waited, talked or been ready since.
    replay.core.handle(replay.last, Event::EdgeResumed { edge: EdgeId(0), legs: Vec::new() }, &mut commands);
    let agents = replay.core.config().agents.keys().copied();
    let silent: Vec<AgentId> = agents.filter(|agent| !replay.is_reachable(*agent, now)).collect();
    for agent in silent {
        let at_work = replay.core.agent_state(agent).is_some_and(|state| state != AgentState::LoggedOut);
        if at_work && replay.core.is_reachable(agent) {
            replay.core.handle(replay.last, Event::StationLost { agent }, &mut commands);
        }
    }
    replay.core.handle(now, Event::ConfigChanged(Box::new(loaded.centre.clone())), &mut commands);
    records.extend(commands.into_iter().filter_map(closed));
    store.rename(&loaded.centre);
    let restored = store.restore(&records)?;
    tracing::info!(events = replay.events, calls = cut, records = restored, "the centre goes on where its journal ends");
    forget(&mut replay.invited, now);
    let invited = replay.invited.iter().cloned().collect();
    let book = Book::new(journal, (loaded.sources.clone(), loaded.at), replay.invited);
    let next_call = replay.next_call.max(store.next_call().0);
    let sounds = replay.core.calls().into_iter().map(|call| (call, store.left_of(call))).collect();
    Ok((loaded, Start { core: replay.core, clock, next_call, contacts: replay.contacts, sounds, invited, book }))
}

/// The newest file with a whole state, and the records of the calls that closed in it.
fn newest(data_dir: &Path, key: &MasterKey) -> Option<(Replay, Vec<CallRecord>)> {
    for path in journal::files(data_dir).iter().take(FILES) {
        let mut records = Vec::new();
        let read = &mut |_: Time, _: &Event, commands: &[Command]| records.extend(commands.iter().cloned().filter_map(closed));
        match bear(|| replay(path, key, read)) {
            Ok(replay) => {
                if replay.disagreements > 0 || replay.end == End::Altered {
                    let (file, disagreements) = (path.display(), replay.disagreements);
                    tracing::error!(%file, disagreements, end = ?replay.end, "the journal is not what was written");
                }
                return Some((replay, records));
            }
            Err(error) => tracing::error!(error, "a journal cannot be taken up"),
        }
    }
    None
}

/// The state before an event that the core could not bear.
pub fn rebuild(path: &Path, key: &MasterKey) -> Result<Acd, String> {
    bear(|| replay(path, key, &mut |_, _, _| ())).map(|replay| replay.core)
}

/// An assertion that fails in a replay is one more reason why there is no state to be had.
pub fn bear<T>(replay: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(replay)).unwrap_or_else(|_| Err("an assertion failed in the replay".to_string()))
}

fn closed(command: Command) -> Option<CallRecord> {
    if let Command::CloseRecord(record) = command { Some(*record) } else { None }
}
