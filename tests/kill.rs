//! A centre that is killed under load, at instants drawn by seed, and started again: nobody's call is forgotten, none is written twice.
//!
//! The callers and agents live in this process and go on; the server is the program itself. At the end three stories must be one: what
//! the callers saw, what the journal replays to, and the records. What was said to an agent is recorded, to within a second of the kill.

#[path = "kill/place.rs"]
mod place;
#[path = "kill/recorded.rs"]
mod recorded;

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
use recorded::Story;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Serving again within this, from the start of the program to the first answer, without the time for which a busy machine did not let it run.
const SERVING: Duration = Duration::from_secs(2);
const KILLS: u64 = 30;

fn crowd(place: &Place, loaded: &Loaded, seed: u64) -> Crowd {
    let ms = Duration::from_millis;
    let agents = loaded.server.agents.iter().map(|(agent, account)| Station { agent: agent.0, password: account.password.0.clone() });
    let manners = Manners {
        patience: (ms(2_000), ms(8_000)),
        talk: (ms(200), ms(4_000)),
        caller_talk: (ms(200), ms(5_000)),
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
    let agents: Vec<u64> = loaded.server.agents.keys().map(|agent| agent.0).collect();
    let mut server = Server::start(&place);
    println!("first start: serving after {:?}", server.served_after);
    let crowd = crowd(&place, &loaded, seed);
    let mut state = seed | 1;
    let (mut slowest, mut instants) = (Duration::ZERO, Vec::new());
    for kill in 1..=kills {
        let instant = Duration::from_millis(1_000 + draw(&mut state, 9_000));
        server.lives_for(instant);
        instants.push(server.kill());
        server = Server::start(&place);
        slowest = slowest.max(server.served_after.saturating_sub(server.starved));
        let samples = server.samples();
        println!(
            "kill {kill} after {instant:?}: serving again after {:?}, {:?} of it without a processor",
            server.served_after, server.starved
        );
        assert_eq!(
            samples.sum("careline_registrations", &[]),
            agents.len() as f64,
            "seed {seed}, kill {kill}: stations are known without registering"
        );
        let staffed = samples.sum("careline_agents", &[("queue", "operator"), ("state", "logged_out")]);
        assert_eq!(staffed, 0.0, "seed {seed}, kill {kill}: agents are logged in as they were");
    }
    println!("{kills} restarts, the slowest served after {slowest:?}");
    let ledger = crowd.finish();
    let samples = server.settles();
    server.stops();

    let key = MasterKey::find(None, &place.data()).expect("the centre made its key");
    let records = store::read(&place.data(), &key).expect("the centre keeps records");
    as_the_callers_saw(&ledger, &records, seed);
    as_the_journal_says(&place, &key, &Names::of(&loaded.centre), &records, seed);
    Story { place: &place, ledger: &ledger, records: &records, kills: &instants, agents: &agents, seed }.is_recorded();
    assert_eq!(scrape::differences(&samples, &records), Vec::<String>::new(), "seed {seed}: figures and records");
    let cut = records.iter().filter(|record| record.detail.as_deref() == Some("node_lost")).count();
    let answered = records.iter().filter(|record| record.disposition == "answered").count();
    println!("{} calls, {answered} answered, {cut} cut by a kill", records.len());
    assert!(cut as u64 >= kills && answered as u64 >= kills / 2, "seed {seed}: the centre was under load");
    assert!(slowest <= SERVING, "seed {seed}: a restart took {slowest:?}");
}

/// Every call that its caller saw established has one record.
fn as_the_callers_saw(ledger: &Ledger, records: &[StoredCall], seed: u64) {
    let mut by_number: BTreeMap<&str, Vec<&StoredCall>> = BTreeMap::new();
    for record in records {
        by_number.entry(&record.from.0).or_default().push(record);
    }
    for caller in &ledger.callers {
        let own = by_number.remove(caller.from.as_str()).unwrap_or_default();
        let established = caller.when(CallerStep::Established).is_some();
        assert!(own.len() <= 1, "seed {seed}: {} has {} records", caller.from, own.len());
        assert!(!established || own.len() == 1, "seed {seed}: {} was established and has no record", caller.from);
    }
    assert!(by_number.is_empty(), "seed {seed}: records of calls that nobody made: {:?}", by_number.keys());
    println!("{} calls of the callers'", ledger.callers.len());
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

/// The one answer to an INVITE that is sent again as it was.
fn answer(socket: &UdpSocket, server: SocketAddr, number: &str) -> String {
    let here = socket.local_addr().expect("it is bound");
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", here.ip());
    let invite = format!(
        "INVITE sip:+13125550101@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:+12175550{number}@{here}>;tag={number}\r\nTo: <sip:+13125550101@{server}>\r\nCall-ID: {number}@{here}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:{here}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let mut bytes = [0; 4_096];
    loop {
        socket.send_to(invite.as_bytes(), server).expect("loopback takes a datagram");
        while let Ok(length) = socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]);
            let (code, own) = (text.get(8..11).unwrap_or_default(), text.contains(&format!("Call-ID: {number}@")));
            if own && text.starts_with("SIP/2.0 ") && code >= "200" {
                return code.to_string();
            }
        }
    }
}

#[test]
fn an_invite_that_comes_again_after_a_kill_stays_one_call() {
    let place = Place::new();
    let key = || MasterKey::find(None, &place.data()).expect("the centre made its key");
    let socket = UdpSocket::bind((place.sip().ip(), 0)).expect("loopback has a free port");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket takes a time-out");
    let mut server = Server::start(&place);
    let first = Instant::now();
    assert_eq!(answer(&socket, place.sip(), "101"), "200");
    for life in 2..=3 {
        server.kill();
        server = Server::start(&place);
        // Nobody sends it for longer than half a minute.
        if first.elapsed() < Duration::from_secs(25) {
            assert_eq!(answer(&socket, place.sip(), "101"), "500", "its call is closed");
        }
        assert_eq!(journal::files(&place.data()).len(), life, "what comes before the first event is written, too");
    }
    server.kill();
    // Each a start that was killed while its file was begun.
    let newest = journal::files(&place.data())[0].clone();
    let begun = std::fs::read(&newest).expect("the journal can be read");
    for number in 4..=6 {
        std::fs::write(newest.with_file_name(format!("{number:010}.journal")), &begun[..100 * number]).expect("a file can be written");
    }
    let server = Server::start(&place);
    assert_eq!(server.samples().sum("careline_calls_total", &[]), 1.0, "what was known is known");
    assert_eq!(answer(&socket, place.sip(), "102"), "200", "who calls is answered");
    server.stops();
    let records = store::read(&place.data(), &key()).expect("the centre keeps records");
    let calls: Vec<_> = records.iter().map(|record| (record.from.0.as_str(), record.detail.as_deref())).collect();
    assert_eq!(calls, [("+12175550101", Some("node_lost")), ("+12175550102", calls[1].1)]);
}
