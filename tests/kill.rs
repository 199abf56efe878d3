//! A centre that is killed under load, at instants drawn by seed, and started again: nobody's call is forgotten, none is written twice.
//!
//! The callers and agents live in this process and go on; the server is the program itself. At the end three stories must be one: what
//! the callers saw, what the journal replays to, and the records.

#[path = "kill/place.rs"]
mod place;

use careline::acd::event::Restored;
use careline::acd::{Command, Event};
use careline::config::Loaded;
use careline::loadgen::crowd::Crowd;
use careline::loadgen::errands;
use careline::loadgen::ledger::{CallerStep, Ledger};
use careline::loadgen::plan::{Manners, Plan, Station};
use careline::loadgen::scrape;
use careline::node::recover;
use careline::store::journal::{self, End};
use careline::store::{self, MasterKey, Names, Sounds, StoredCall};
use place::{Place, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Serving again within this, from the start of the program to the first answer.
const SERVING: Duration = Duration::from_secs(2);
const KILLS: u64 = 30;

fn crowd(place: &Place, loaded: &Loaded, seed: u64) -> Crowd {
    let ms = Duration::from_millis;
    let agents = loaded.server.agents.iter().map(|(agent, account)| Station { agent: agent.0, password: account.password.0.clone() });
    let manners = Manners {
        patience: (ms(2_000), ms(8_000)),
        talk: (ms(200), ms(1_200)),
        caller_talk: (ms(200), ms(1_500)),
        ring: (ms(50), ms(400)),
        no_answer: 0,
        ..Manners::default()
    };
    let plan = Plan {
        server: place.sip(),
        seed,
        calls_per_minute: 480.0,
        arrivals_for: None,
        // Straight lines only: a life of the server is shorter than a walk through the menus.
        errands: errands::riverside(|_, _, _| true, |_, _| Duration::ZERO).into_iter().filter(|errand| errand.keys.is_empty()).collect(),
        agents: agents.collect(),
        manners,
    };
    // Nobody lets the telephone ring out, so nobody comes back to be made ready.
    Crowd::start(plan, tokio::sync::mpsc::unbounded_channel().0).expect("loopback has sockets")
}

/// The next of a sequence that a seed determines (xorshift).
fn draw(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) % below
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a restart is judged by its time: run it in release")]
fn a_killed_centre_comes_back_with_every_call_written_once() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, kills) = (number("KILL_SEED", 20_261_124), number("KILLS", KILLS));
    println!("seed {seed}, {kills} kills");
    let place = Place::new();
    let loaded = careline::config::load(&place.config()).expect("the shipped centre is good");
    let agents = loaded.server.agents.len() as f64;
    let mut server = Server::start(&place);
    println!("first start: serving after {:?}", server.served_after);
    let crowd = crowd(&place, &loaded, seed);
    let mut state = seed | 1;
    let mut slowest = Duration::ZERO;
    for kill in 1..=kills {
        let instant = Duration::from_millis(1_000 + draw(&mut state, 9_000));
        server.lives_for(instant);
        server.kill();
        server = Server::start(&place);
        slowest = slowest.max(server.served_after);
        let samples = server.samples();
        println!("kill {kill} after {instant:?}: serving again after {:?}", server.served_after);
        assert_eq!(samples.sum("careline_registrations", &[]), agents, "seed {seed}, kill {kill}: stations are known without registering");
        let staffed = samples.sum("careline_agents", &[("queue", "operator"), ("state", "logged_out")]);
        assert_eq!(staffed, 0.0, "seed {seed}, kill {kill}: agents are logged in as they were");
    }
    println!("{kills} restarts, the slowest served after {slowest:?}");
    assert!(slowest <= SERVING, "seed {seed}: a restart took {slowest:?}");
    let ledger = crowd.finish();
    let samples = server.settles();
    server.stops();

    let key = MasterKey::find(None, &place.data()).expect("the centre made its key");
    let records = store::read(&place.data(), &key).expect("the centre keeps records");
    as_the_callers_saw(&ledger, &records, seed);
    as_the_journal_says(&place, &key, &Names::of(&loaded.centre), &records, seed);
    assert_eq!(scrape::differences(&samples, &records), Vec::<String>::new(), "seed {seed}: figures and records");
    let cut = records.iter().filter(|record| record.detail.as_deref() == Some("node_lost")).count();
    let answered = records.iter().filter(|record| record.disposition == "answered").count();
    println!("{} calls, {answered} answered, {cut} cut by a kill", records.len());
    assert!(cut as u64 >= kills && answered as u64 >= kills / 2, "seed {seed}: the centre was under load");
}

/// Every call that its caller saw established has one record.
fn as_the_callers_saw(ledger: &Ledger, records: &[StoredCall], seed: u64) {
    let mut by_number: BTreeMap<&str, Vec<&StoredCall>> = BTreeMap::new();
    for record in records {
        by_number.entry(&record.from.0).or_default().push(record);
    }
    let mut twice = 0;
    for caller in &ledger.callers {
        let mut own = by_number.remove(caller.from.as_str()).unwrap_or_default();
        let established = caller.when(CallerStep::Established).is_some();
        // Killed between the journal and the 200: the caller, who saw nothing, sent the INVITE again, to the next process, as a new call.
        if own.len() == 2 && own[0].answered_at.is_none() && own[0].detail.as_deref() == Some("node_lost") {
            own.remove(0);
            twice += 1;
        }
        assert!(own.len() <= 1, "seed {seed}: {} has {} records", caller.from, own.len());
        assert!(!established || own.len() == 1, "seed {seed}: {} was established and has no record", caller.from);
    }
    assert!(by_number.is_empty(), "seed {seed}: records of calls that nobody made: {:?}", by_number.keys());
    println!("{} calls of the callers', {twice} of them arrived at two processes", ledger.callers.len());
}

/// The records are those that the journal replays to: the calls that closed, and those that were alive when the process was killed.
fn as_the_journal_says(place: &Place, key: &MasterKey, names: &Names, records: &[StoredCall], seed: u64) {
    let mut closed: BTreeMap<u64, StoredCall> = BTreeMap::new();
    // Calls that had ended, or were cut, while an agent was at after-call work for them: it ends by itself, if need be during the restart.
    let mut wrapped: BTreeSet<u64> = BTreeSet::new();
    let mut files = journal::files(&place.data());
    files.reverse();
    for file in &files {
        let close = &mut |_, _: &Event, commands: &[Command]| {
            for command in commands {
                if let Command::CloseRecord(record) = command {
                    let before = closed.insert(record.call.0, StoredCall::new(record, names, Sounds::default()));
                    assert!(before.is_none(), "seed {seed}: call {} closed twice", record.call);
                }
            }
        };
        let mut replay = recover::replay(file, key, close).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!((replay.disagreements, replay.end == End::Altered), (0, false), "seed {seed}: {}", file.display());
        replay.core.check_invariants();
        let mut commands = Vec::new();
        replay.core.handle(replay.last, Event::EdgeResumed { edge: careline::model::EdgeId(0), legs: Vec::new() }, &mut commands);
        let pieces = replay.core.checkpoint();
        let wrapping = pieces.iter().filter_map(|piece| match piece {
            Event::Restored(piece) => {
                if let Restored::Call(id, _) = &**piece {
                    Some(id.0)
                } else {
                    None
                }
            }
            _ => None,
        });
        wrapped.extend(wrapping);
        let cut = commands.iter().filter_map(|command| if let Command::CloseRecord(record) = command { Some(record) } else { None });
        for record in cut {
            closed.insert(record.call.0, StoredCall::new(record, names, Sounds::default()));
        }
        if file == files.last().expect("there are files") {
            assert_eq!((replay.core.calls_alive(), replay.end), (0, End::Closed), "seed {seed}: the last was stopped, not killed");
        }
    }
    println!("{} files of the journal, {} calls closed", files.len(), closed.len());
    let stored: BTreeMap<u64, StoredCall> =
        records.iter().map(|record| (record.call, StoredCall { sounds: Sounds::default(), ..record.clone() })).collect();
    let differing = closed.iter().filter(|(call, record)| stored.get(call) != Some(record)).map(|(call, _)| *call);
    assert_eq!(differing.collect::<Vec<u64>>(), Vec::<u64>::new(), "seed {seed}: calls of the journal's whose record says otherwise");
    let untold = stored.keys().filter(|call| !closed.contains_key(call) && !wrapped.contains(call));
    assert_eq!(untold.collect::<Vec<&u64>>(), Vec::<&u64>::new(), "seed {seed}: records that the journal does not tell");
}
