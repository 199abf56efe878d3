//! The core's costs: events a second, the time of a decision, instructions an event. `cargo bench --bench core [storm|decision|journal|instructions]`.
//!
//! The events come from the simulator, written down beforehand; what is timed is `Acd::handle` alone, or the journal's writing of them.

use careline::acd::config::{ClassConfig, SkillConfig};
use careline::acd::{Acd, Command, Config, Event};
use careline::model::sources::{Numbers, PromptNames};
use careline::model::tree::{Node, Value};
use careline::model::{Language, Proficiency, QueueId, Requirement, RequirementClass, SkillId, Sources, Spot, Term, Time};
use careline::sim::{Callers, Habits, Law, Patience, People, PromptTimes, Rate, Sim, centre};
use careline::store::MasterKey;
use careline::store::journal::{self, Checkpoint, Journal};
use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const QUEUES: u64 = 10;
const HANDLE: f64 = 180.0;
const PATIENCE: f64 = 120.0;
const SEED: u64 = 1;
/// 2 March 2026, 14:00 UTC.
const START: Time = Time(1_772_460_000_000_000);
const REPEATS: usize = 7;
/// Events whose instructions are counted.
const COUNTED: u64 = 50_000;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let asked = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    // Under callgrind: only the events whose instructions are counted.
    if chosen.iter().any(|chosen| chosen == "replay-once") {
        replay(&live(1_000, 100, PATIENCE, COUNTED));
        return;
    }
    println!("{}", machine());
    if asked("storm") {
        storm_rate();
    }
    if asked("decision") {
        decision_time();
    }
    if asked("journal") {
        journal_cost();
    }
    if asked("instructions") {
        instructions();
    }
}

/// What happened: the part that fills the centre, then the part that is measured.
struct List {
    config: Config,
    warm_up: Vec<(Time, Event)>,
    measured: Vec<(Time, Event)>,
    waiting: f64,
}

/// Events a second with 10 queues, about 100 waiting and 1,000 agents.
fn storm_rate() {
    let list = live(1_000, 100, PATIENCE, 1_000_000);
    let rates: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let (events, spent) = replay(&list);
            events as f64 / spent.as_secs_f64()
        })
        .collect();
    let (agents, waiting) = (list.config.agents.len(), list.waiting);
    println!("storm: {QUEUES} queues, {agents} agents, {waiting:.0} waiting: {} million events a second", spread(&rates, 1e6));
}

/// An agent becomes free, or a call arrives, with 10,000 waiting and 5,000 agents: until the commands are out.
fn decision_time() {
    let list = live(5_000, 10_000, 600.0, 300_000);
    let mut by_repeat = [const { Vec::new() }; 3];
    // The same decisions in the same order each time: the least of each is without whatever took the processor from us meanwhile.
    let mut least: Vec<f64> = Vec::new();
    for _ in 0..REPEATS {
        let mut acd = Acd::new(list.config.clone());
        let mut out = Vec::new();
        fill(&mut acd, &list);
        let mut spans = Vec::new();
        for (at, event) in list.measured.clone() {
            let before = Instant::now();
            acd.handle(at, event, &mut out);
            let spent = before.elapsed();
            if out.iter().any(|command| matches!(command, Command::Dial { .. })) {
                spans.push(spent.as_nanos() as f64 / 1e3);
            }
            out.clear();
        }
        least.resize(spans.len(), f64::MAX);
        least.iter_mut().zip(&spans).for_each(|(least, span)| *least = least.min(*span));
        spans.sort_by(f64::total_cmp);
        for (values, share) in by_repeat.iter_mut().zip([0.5, 0.99, 1.0]) {
            values.push(spans[((spans.len() - 1) as f64 * share) as usize]);
        }
    }
    println!("decision: {} agents, {:.0} waiting, microseconds:", list.config.agents.len(), list.waiting);
    for (values, name) in by_repeat.iter().zip(["p50", "p99", "max"]) {
        println!("  {name} {}", spread(values, 1.0));
    }
    let longest = least.iter().copied().fold(0.0, f64::max);
    println!("  longest of the {} decisions, each at its least of {REPEATS} repeats: {longest:.2}", least.len());
}

/// Writing an event down before the core is told: in its wire form, sealed, given to the kernel. Beside it as many bytes in as many bare
/// writes to a file of the same directory.
fn journal_cost() {
    let list = live(1_000, 100, PATIENCE, 200_000);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal-bench");
    let settings = journal::Settings { roll: u64::MAX, keep: Duration::from_secs(3600), size: u64::MAX };
    let sources = Sources {
        root: Node { at: Spot::new(&"centre".into(), 1, 1), value: Value::Map(Vec::new()) },
        flows: Vec::new(),
        prompts: PromptNames::new(),
        numbers: Numbers::default(),
    };
    let (mut ours, mut bare, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REPEATS {
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&directory);
        let mut journal = Journal::new(&directory, &MasterKey::random(), settings).expect("a journal in the target directory");
        let pieces = Acd::new(list.config.clone()).checkpoint();
        journal.begin(Checkpoint {
            at: START,
            next_call: 1,
            sources: &sources,
            configured_at: START,
            contacts: Vec::new(),
            invited: Vec::new(),
            pieces,
        });
        let path = journal.path().expect("a file is open").to_path_buf();
        let size = || path.metadata().expect("the file is there").len() as usize;
        let (empty, before) = (size(), Instant::now());
        for (at, event) in &list.measured {
            journal.told(*at, event);
            journal.taken(3);
        }
        ours.push(before.elapsed().as_nanos() as f64 / list.measured.len() as f64);
        bytes = (size() - empty) / list.measured.len();
        let mut file = File::create(directory.join("bare")).expect("a file in the target directory");
        let (line, before) = (vec![b'x'; bytes], Instant::now());
        for _ in &list.measured {
            file.write_all(&line).expect("the disk has room");
        }
        bare.push(before.elapsed().as_nanos() as f64 / list.measured.len() as f64);
    }
    let (ours, bare) = (spread(&ours, 1e3), spread(&bare, 1e3));
    println!("journal: microseconds an event {ours}, {bytes} bytes each; as many bare writes {bare}");
}

/// Instructions an event of the storm, counted by callgrind (which has to be installed): the same on every machine of a kind.
fn instructions() {
    let this = std::env::current_exe().expect("this program has a path");
    let output = std::process::Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_handle*", "--callgrind-out-file=target/callgrind.core.out"])
        .arg(this)
        .arg("replay-once")
        .output();
    let Ok(output) = output else {
        println!("instructions: not counted, valgrind is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse::<f64>().ok());
    match collected {
        Some(collected) => {
            println!("instructions: {:.0} an event of the storm; target/callgrind.core.out says where", collected / COUNTED as f64)
        }
        None => println!("instructions: not counted: {}", text.lines().last().unwrap_or_default()),
    }
}

/// Gives a fresh core the whole list; how many events were measured, and the time that they took.
fn replay(list: &List) -> (usize, Duration) {
    let mut acd = Acd::new(list.config.clone());
    let mut out = Vec::new();
    fill(&mut acd, list);
    let measured = list.measured.clone();
    let count = measured.len();
    let before = Instant::now();
    for (at, event) in measured {
        measured_handle(&mut acd, at, event, &mut out);
        black_box(&out);
        out.clear();
    }
    (count, before.elapsed())
}

/// Callgrind collects inside of this, and nowhere else.
#[inline(never)]
fn measured_handle(acd: &mut Acd, at: Time, event: Event, out: &mut Vec<Command>) {
    acd.handle(at, event, out);
}

fn fill(acd: &mut Acd, list: &List) {
    let mut out = Vec::new();
    for (at, event) in list.warm_up.clone() {
        acd.handle(at, event, &mut out);
        out.clear();
    }
}

/// Lets people live in a centre of so many agents with about so many waiting, and writes down what they do.
fn live(agents: u64, waiting: u64, patience: f64, events: u64) -> List {
    let config = config(agents);
    // A twentieth of all calls rings out or is declined, which costs agents time beside ringing and talk.
    let busy = HANDLE + 6.0;
    let rate = agents as f64 / busy + waiting as f64 / patience;
    let people = people(&config, rate, patience);
    let mut sim = Sim::new(config.clone(), people, SEED, Duration::from_secs(20));
    sim.write_down();
    sim.run_until(START + Duration::from_secs_f64(4.0 * patience.max(HANDLE)));
    let warm_up = sim.take_written();
    let (from, before) = (sim.now(), sim.ledger().total().waiting.sum);
    sim.run_events(events);
    let line = sim.ledger().total().waiting.sum - before;
    let waiting = line.as_secs_f64() / sim.now().since(from).as_secs_f64();
    List { config, warm_up, measured: sim.take_written(), waiting }
}

fn config(agents: u64) -> Config {
    let mut config = Config::default();
    config.rules.calls_max = 100_000;
    config.rules.no_answers_max = 2;
    let (english, english_skill, _) = centre::language(&mut config, "en", false);
    let (spanish, spanish_skill, _) = centre::language(&mut config, "es", true);
    let least = |skill, level| Term::AtLeast(skill, Proficiency::new(level).expect("a proficiency"));
    for queue in 1..=QUEUES {
        config.queues.insert(QueueId(queue), centre::plain_queue(&format!("queue{queue}"), Duration::from_secs(20)));
        let subject = SkillId(100 + queue);
        config.skills.insert(subject, SkillConfig { name: format!("subject{queue}").into(), scarce: false, licence: false });
        for (language, skill) in [(english, english_skill), (spanish, spanish_skill)] {
            let class = RequirementClass(config.classes.len() as u16);
            let needs = Requirement { any_of: vec![vec![least(skill, 5), least(subject, 3)]] };
            config.classes.push(ClassConfig { text: format!("{language} {queue}").into(), needs, prefers: None });
            centre::straight_to(&mut config, &number(queue, language), language, QueueId(queue), class);
        }
    }
    for id in 1..=agents {
        // Each serves three queues; a quarter speaks both languages.
        let queues = [0, 1, 3].map(|step| (id + step) % QUEUES + 1);
        let mut skills: Vec<SkillId> = queues.iter().map(|queue| SkillId(100 + queue)).collect();
        skills.push(english_skill);
        if id % 4 == 0 {
            skills.push(spanish_skill);
        }
        centre::agent(&mut config, id, &skills, &queues.map(QueueId));
    }
    config
}

fn number(queue: u64, language: Language) -> String {
    format!("{language}{queue}")
}

fn people(config: &Config, rate: f64, patience: f64) -> People {
    let kind = |queue, language, share: f64| Callers {
        to: number(queue, language).into(),
        language,
        rate: Rate::Steady(rate * share / QUEUES as f64),
        connects: Law::ZERO,
        keys: BTreeMap::new(),
        key_delay: Law::Never,
        patience: Patience::of(Law::Exponential { mean: patience }),
        talk: Law::LogNormal { mean: HANDLE, sigma: 0.9 },
        again: (0.0, Law::Never),
        shown: true,
    };
    let tag = |tag| Language::new(tag).expect("a tag");
    let callers = (1..=QUEUES).flat_map(|queue| [kind(queue, tag("en"), 0.8), kind(queue, tag("es"), 0.2)]).collect();
    let habits = Habits {
        ring: Law::LogNormal { mean: 4.0, sigma: 0.4 },
        ring_out: 0.02,
        decline: 0.03,
        wrap_up: Law::Never,
        back: Law::Uniform { from: Duration::from_secs(1), to: Duration::from_secs(20) },
        agent_ends: 0.2,
    };
    People { start: START, callers, agents: config.agents.keys().copied().collect(), habits, prompts: PromptTimes::default() }
}

/// Median, least and most.
fn spread(values: &[f64], unit: f64) -> String {
    let mut sorted: Vec<f64> = values.iter().map(|value| value / unit).collect();
    sorted.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2}–{:.2}, {} repeats)", sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1], sorted.len())
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or(" unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Other work on the machine makes every time longer: the reader must see it.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    format!("machine: {cores} x{model}, load average {load}")
}
