//! `careline demo`: the demo centre on this machine, with virtual callers and agents who check what it tells of them.

use super::board::{Board, Now};
use super::failed;
use super::spans::duration;
use crate::acd::agent::AgentState;
use crate::config::Loaded;
use crate::loadgen::compare::{self, Verdict};
use crate::loadgen::crowd::{Crowd, Status};
use crate::loadgen::errands;
use crate::loadgen::ledger::Ledger;
use crate::loadgen::plan::{Manners, Plan, Station};
use crate::loadgen::scrape::{self, Samples};
use crate::model::Language;
use crate::node::{self, Centre};
use crate::store::{self, MasterKey, StoredCall};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

/// At demo pace nobody writes notes for longer, or lets a telephone ring for longer.
const WRAP_UP: Duration = Duration::from_secs(1);
const RING: Duration = Duration::from_secs(4);
/// What is still going on so long after the last goodbye is stuck.
const SETTLES: Duration = Duration::from_secs(30);
/// The seat that is left free for you, where nobody set an end.
const GUEST: u64 = 1003;

/// Starts the demo centre and drives it with virtual callers and agents in two languages.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Take calls for so long (60s, 5m), then let them end and compare all ledgers; without it, until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub takes: Option<Duration>,
    /// Calls that arrive in a minute
    #[arg(long, value_name = "N", default_value_t = 90.0)]
    pub calls_per_minute: f64,
    /// The same seed gives the same callers and agents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The centre's configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Listen on this address instead of the configured ones (the ports stay)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::IpAddr>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    if !(args.calls_per_minute > 0.0 && args.calls_per_minute <= 6_000.0) {
        eprintln!("careline: --calls-per-minute {} (valid: above 0, at most 6000)", args.calls_per_minute);
        return ExitCode::from(2);
    }
    quiet_log();
    let mut loaded = match super::load(&args.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    at_demo_pace(&mut loaded, args.listen);
    let plan = match plan(&loaded, args) {
        Ok(plan) => plan,
        Err(error) => return failed(&error),
    };
    match super::block_on(demonstrate(loaded, plan, args)) {
        Ok(told) => report(&told, args.json),
        Err(error) => failed(&error),
    }
}

/// The board has the terminal: only what is wrong is logged, unless asked for.
fn quiet_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn at_demo_pace(loaded: &mut Loaded, listen: Option<std::net::IpAddr>) {
    loaded.adjust(move |loaded| {
        for queue in loaded.centre.queues.values_mut() {
            queue.wrap_up = queue.wrap_up.min(WRAP_UP);
            queue.ring_timeout = queue.ring_timeout.min(RING);
        }
        if let Some(address) = listen {
            loaded.server.listen_on(address);
        }
        // Records of invented people stay apart from a real centre's, and from those of a demo on another address.
        let records = format!("demo-{}", loaded.server.sip.listen[0].ip());
        loaded.server.data_dir.push(records);
    });
}

fn plan(loaded: &Loaded, args: &Args) -> Result<Plan, String> {
    let (server, centre) = (&loaded.server, &loaded.centre);
    let seats: BTreeMap<_, _> = server.agents.iter().filter(|(agent, _)| args.takes.is_some() || agent.0 != GUEST).collect();
    let serves = |number: &str, queue: &str, language: &str| {
        let queue = centre.queues.iter().find(|(_, config)| &*config.name == queue).map(|(id, _)| id);
        let skill = Language::new(language).and_then(|language| centre.languages.get(&language));
        let (Some(queue), Some(skill)) = (queue, skill) else { return false };
        let mut staff = centre.agents.iter().filter(|(agent, _)| seats.contains_key(agent));
        centre.numbers.contains_key(number) && staff.any(|(_, a)| a.queues.contains_key(queue) && a.skills.contains_key(skill))
    };
    let lasts = |language: &str, prompt: &str| length_of(&server.prompts_dir.join(language).join(format!("{prompt}.wav")));
    let errands = errands::riverside(serves, lasts);
    if errands.is_empty() {
        let dir = args.config.display();
        return Err(format!(
            "{dir}: the demo calls +13125550100, +13125550101, +13125550102 and +13125550110, and in this centre nobody answers them"
        ));
    }
    let agents = seats.into_iter().map(|(agent, account)| Station { agent: agent.0, password: account.password.0.clone() }).collect();
    Ok(Plan {
        server: server.sip.listen[0],
        seed: args.seed,
        calls_per_minute: args.calls_per_minute,
        arrivals_for: args.takes,
        errands,
        agents,
        manners: Manners::default(),
    })
}

/// How long a prompt sounds; nothing if there is none.
fn length_of(file: &Path) -> Duration {
    let Ok(wav) = hound::WavReader::open(file) else { return Duration::ZERO };
    Duration::from_secs_f64(f64::from(wav.duration()) / f64::from(wav.spec().sample_rate))
}

/// What the two sides told, and the last scrape.
struct Told {
    ledger: Ledger,
    records: Vec<StoredCall>,
    samples: Samples,
    agents: Vec<u64>,
    /// What had not ended when everything should have.
    stuck: Option<String>,
}

async fn demonstrate(loaded: Loaded, plan: Plan, args: &Args) -> Result<Told, String> {
    let (data_dir, token) = (loaded.server.data_dir.clone(), loaded.server.http.token.0.clone());
    let title = format!("{} · seed {}", loaded.server.name, args.seed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|_| "the clock is before 1970")?;
    let agents: Vec<u64> = plan.agents.iter().map(|station| station.agent).collect();
    let notes = how_to_join(&loaded, args);
    let centre = node::start(loaded)?;
    let (back, returning) = mpsc::unbounded_channel();
    let crowd = Crowd::start(plan, back).map_err(|error| format!("the virtual callers have no sockets: {error}"))?;
    tokio::spawn(make_ready(centre.http(), token, returning));
    let mut show =
        Show { title, notes, board: Board::new(std::io::stdout().is_terminal() && !args.json), started: Instant::now(), silent: args.json };
    if !show.silent && !std::io::stdout().is_terminal() {
        show.notes.iter().for_each(|note| println!("{note}"));
    }
    let driven = drive(&centre, crowd, &mut show).await;
    let ended = match driven {
        Ok((ledger, status)) => {
            let stuck = settle(&centre, &status, &mut show).await;
            last_scrape(centre.http()).await.map(|samples| (ledger, stuck, samples))
        }
        Err(error) => Err(error),
    };
    centre.stop().await;
    let (ledger, stuck, samples) = ended?;
    let key = MasterKey::find(None, &data_dir)?;
    let mut records = store::read(&data_dir, &key)?;
    records.retain(|record| u128::from(record.arrived_at) >= since.as_micros());
    Ok(Told { ledger, records, samples, agents, stuck })
}

/// Agents who are back at their desks, through the door that a supervisor's screen uses.
async fn make_ready(http: SocketAddr, token: String, mut returning: mpsc::UnboundedReceiver<u64>) {
    while let Some(agent) = returning.recv().await {
        let token = token.clone();
        let path = format!("/api/v1/agents/{agent}/state");
        let asked = tokio::task::spawn_blocking(move || scrape::post(http, &path, &token, "{\"state\": \"ready\"}")).await;
        if !matches!(asked, Ok(Ok(200 | 202))) {
            tracing::error!(agent, ?asked, "the API did not make the agent ready");
        }
    }
}

async fn last_scrape(http: SocketAddr) -> Result<Samples, String> {
    let text = tokio::task::spawn_blocking(move || scrape::get(http, "/metrics")).await.map_err(|error| error.to_string())?;
    text.map(|text| Samples::read(&text)).map_err(|error| format!("no last scrape: {error}"))
}

struct Show {
    title: String,
    notes: Vec<String>,
    board: Board,
    started: Instant,
    silent: bool,
}

impl Show {
    async fn draw(&mut self, centre: &Centre, crowd: &Status) {
        if self.silent {
            return;
        }
        let samples = Samples::read(&centre.metrics().await.unwrap_or_default());
        let agents = agents_by_state(centre);
        let now = Now { title: &self.title, elapsed: self.started.elapsed(), samples: &samples, crowd, agents: &agents };
        // A terminal that has gone away ends nothing.
        let _ = self.board.show(&mut std::io::stdout().lock(), &now, &self.notes);
    }
}

fn agents_by_state(centre: &Centre) -> Vec<(&'static str, usize)> {
    let view = centre.views().borrow().clone();
    let count = |label: &str| view.agents.values().filter(|agent| agent.state.label() == label).count();
    AgentState::LABELS.iter().map(|label| (*label, count(label))).collect()
}

/// Until no call comes and none is alive. The first Ctrl-C ends the arrivals, the second everything.
async fn drive(centre: &Centre, mut crowd: Crowd, show: &mut Show) -> Result<(Ledger, Status), String> {
    let mut pictures = tokio::time::interval(show.board.every());
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    let mut status = Status::default();
    let mut stopping = false;
    let mut interrupted = Box::pin(super::interrupted());
    while !crowd.done() {
        tokio::select! {
            _ = looks.tick() => status = crowd.status().clone(),
            _ = pictures.tick() => show.draw(centre, &status).await,
            () = &mut interrupted => {
                interrupted = Box::pin(super::interrupted());
                if stopping {
                    return Err("given up: the ledgers were not compared".to_string());
                }
                stopping = true;
                crowd.stop();
                show.notes.push("No new calls; those alive are ending. Ctrl-C again gives up.".to_string());
            }
        }
    }
    let last = crowd.status().clone();
    match last.trouble {
        Some(trouble) => Err(trouble),
        None => Ok((crowd.finish(), last)),
    }
}

/// Wrap-ups run out; what does not end in time is told.
async fn settle(centre: &Centre, status: &Status, show: &mut Show) -> Option<String> {
    let late = Instant::now() + SETTLES;
    loop {
        let samples = Samples::read(&centre.metrics().await.unwrap_or_default());
        let calls = samples.sum("careline_calls_in_progress", &[]);
        let busy = ["offered", "connecting", "talking", "wrap_up"];
        let agents: usize = agents_by_state(centre).iter().filter(|(state, _)| busy.contains(state)).map(|(_, count)| count).sum();
        if calls == 0.0 && agents == 0 {
            show.draw(centre, status).await;
            return None;
        }
        if Instant::now() > late {
            return Some(format!("{calls} calls and {agents} agents are still busy {SETTLES:?} after the last goodbye"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn how_to_join(loaded: &Loaded, args: &Args) -> Vec<String> {
    let (sip, http) = (loaded.server.sip.listen[0], loaded.server.http.listen);
    let mut notes = vec![
        String::new(),
        format!(
            "Call in from any softphone, without an account: sip:+13125550100@{sip} (UDP). 1 English, 2 español; then 1–4, 0; 9 = nurse."
        ),
    ];
    let seat = loaded.server.agents.iter().find(|(agent, _)| agent.0 == GUEST && args.takes.is_none());
    if let Some((agent, account)) = seat {
        let password = &account.password.0;
        notes.push(format!("Answer calls: register as {agent}, password {password}, at {sip} (UDP, PCMU). That seat is yours."));
    }
    notes.push(format!("Figures: http://{http}/metrics"));
    if args.takes.is_none() {
        notes.push("Ctrl-C ends the arrivals and compares the ledgers.".to_string());
    }
    notes
}

/// Prints what was found; success if all ledgers agree.
fn report(told: &Told, json: bool) -> ExitCode {
    let mut verdict = compare::compare(&told.ledger, &told.records, &told.agents);
    verdict.differences.extend(scrape::differences(&told.samples, &told.records));
    verdict.differences.extend(told.stuck.clone());
    match json {
        true => println!("{}", as_json(&verdict)),
        false => print_summary(&verdict),
    }
    if verdict.agree() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_summary(verdict: &Verdict) {
    for difference in &verdict.differences {
        println!("DIFFERENCE {difference}");
    }
    println!();
    println!(
        "{} calls closed: {} answered ({} of them in Spanish), {} in Spanish in all, {} left while waiting.",
        verdict.calls, verdict.answered, verdict.spanish_answered, verdict.spanish, verdict.abandoned
    );
    println!("{} times caller and agent heard each other.", verdict.heard_each_other);
    if verdict.guests > 0 {
        println!("{} calls from guests.", verdict.guests);
    }
    let crossings: Vec<String> = verdict.crossings.iter().map(|(what, times)| format!("{what} {times}")).collect();
    let crossings = if crossings.is_empty() { String::new() } else { format!(" ({})", crossings.join(", ")) };
    println!("{} crossings of messages{crossings}.", verdict.crossings_all());
    match verdict.differences.len() {
        0 => println!("Ledgers agree: clients, records and Prometheus tell the same story, call by call."),
        count => println!("LEDGERS DIFFER in {count} places."),
    }
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    serde_json::json!({
        "calls": verdict.calls,
        "answered": verdict.answered,
        "spanish": verdict.spanish,
        "spanish_answered": verdict.spanish_answered,
        "abandoned": verdict.abandoned,
        "heard_each_other": verdict.heard_each_other,
        "guests": verdict.guests,
        "crossings": verdict.crossings,
        "differences": verdict.differences,
        "agree": verdict.agree(),
    })
}
