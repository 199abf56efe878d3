//! `careline simulate`: a realistic day in the configured centre, on a virtual clock, in seconds.

use crate::acd::figures::Figures;
use crate::config::Loaded;
use crate::model::{Language, Prompt, Time};
use crate::sim::{Day, PromptTimes, Report, Sim, Sums, day};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Simulates a Monday in the configured centre and prints its figures; the same seed gives the same day.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The centre's configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// The same seed gives the same callers and agents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Simulate so many hours from the morning's peak at 8:00 on, instead of a whole day
    #[arg(long, value_name = "H", conflicts_with = "day", value_parser = hours)]
    pub hours: Option<f64>,
    /// Simulate a day from midnight to midnight (this is what happens without --hours)
    #[arg(long)]
    pub day: bool,
    /// So many agents: the configured ones in turn, again and again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub agents: Option<u16>,
    /// Calls on a usual day, of which a Monday has 1.3 times as many [default: 60 for each agent]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub calls: Option<u32>,
    /// The number that callers dial [default: the configuration's first]
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const PEAK: Duration = Duration::from_secs(8 * 3600);
const CALLS_PER_AGENT: f64 = 60.0;
/// 2 March 2026, 00:00 in Chicago: a Monday.
const MIDNIGHT: Time = Time(1_772_431_200_000_000);
/// A prompt whose file cannot be read plays so long.
const PROMPT: Duration = Duration::from_secs(3);

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| format!("'{text}' is no number of hours"))?;
    if hours > 0.0 && hours <= 1000.0 { Ok(hours) } else { Err(format!("{text} hours are not simulated (valid: above 0, up to 1000)")) }
}

pub fn run(args: &Args) -> ExitCode {
    let loaded = match super::load_at(&args.config, MIDNIGHT) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let names = Names::of(&loaded);
    let (report, events) = match simulate(args, loaded) {
        Ok(simulated) => simulated,
        Err(error) => return super::failed(&error),
    };
    let contradictions = report.contradictions();
    if args.json {
        println!("{}", as_json(args, &report, &names, events));
    } else {
        print!("{}", as_text(args, &report, &names, events));
    }
    for contradiction in &contradictions {
        eprintln!("careline: the figures contradict what the virtual people saw: {contradiction}");
    }
    if contradictions.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn simulate(args: &Args, loaded: Loaded) -> Result<(Report, u64), String> {
    let mut config = loaded.centre;
    let agents = match args.agents {
        Some(count) => day::with_agents(&mut config, usize::from(count)),
        None => config.agents.keys().copied().collect(),
    };
    let number: Arc<str> = match &args.number {
        Some(number) => number.as_str().into(),
        None => config.numbers.keys().next().cloned().ok_or("the configuration has no number to dial")?,
    };
    let Some(first) = config.numbers.get(&number).map(|number| number.language) else {
        let valid: Vec<&str> = config.numbers.keys().map(|number| &**number).collect();
        return Err(format!("{number} is not a number of this centre (valid: {})", valid.join(", ")));
    };
    let second = config.languages.keys().copied().find(|language| *language != first).unwrap_or(first);
    let people = Day {
        number,
        languages: [first, second],
        calls: args.calls.map_or(agents.len() as f64 * CALLS_PER_AGENT, f64::from),
        midnight: MIDNIGHT,
        opens: if args.hours.is_some() { PEAK } else { Duration::ZERO },
        agents,
        prompts: prompt_times(&loaded.server.prompts_dir),
    }
    .people();
    let start = people.start;
    let target = config.queues.values().next().map_or(Duration::from_secs(20), |queue| queue.service_level);
    let mut sim = Sim::new(config, people, args.seed, target);
    sim.run_until(start + args.hours.map_or(DAY, |hours| Duration::from_secs_f64(hours * 3600.0)));
    sim.finish();
    let (now, view) = (sim.now(), sim.view());
    Ok((Report::new(start, now, &view.figures, sim.ledger()), sim.events()))
}

/// How long each recorded prompt lasts.
fn prompt_times(dir: &Path) -> PromptTimes {
    let mut known = BTreeMap::new();
    for language_dir in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Some(language) = language_dir.file_name().to_str().and_then(Language::new) else { continue };
        for file in std::fs::read_dir(language_dir.path()).into_iter().flatten().flatten() {
            let path = file.path();
            let (Some(name), Ok(sound)) = (path.file_stem().and_then(|stem| stem.to_str()), hound::WavReader::open(&path)) else {
                continue;
            };
            let length = Duration::from_secs_f64(f64::from(sound.duration()) / f64::from(sound.spec().sample_rate));
            known.insert(Prompt::new(language, name), length);
        }
    }
    PromptTimes { known, other: PROMPT }
}

/// Queues by name.
struct Names(BTreeMap<crate::model::QueueId, Arc<str>>);

impl Names {
    fn of(loaded: &Loaded) -> Names {
        Names(loaded.centre.queues.iter().map(|(id, queue)| (*id, queue.name.clone())).collect())
    }
}

/// Every line of the report, by name: all, each language, each queue.
fn lines(report: &Report, names: &Names) -> Vec<(&'static str, String, Sums)> {
    let mut lines = vec![("", "all".to_string(), report.total())];
    lines.extend(report.languages.iter().map(|(language, sums)| ("language", language.to_string(), *sums)));
    lines.extend(report.queues.iter().map(|(queue, sums)| {
        let name = names.0.get(queue).map_or_else(|| queue.to_string(), |name| name.to_string());
        ("queue", name, *sums)
    }));
    lines
}

fn as_text(args: &Args, report: &Report, names: &Names, events: u64) -> String {
    let seen = report.seen.total();
    let what = args.hours.map_or("a Monday".to_string(), |hours| format!("{hours} hours of a Monday from 8:00 on"));
    let mut text = format!("{what}, seed {}: {} calls, {events} events\n\n", args.seed, seen.dialled);
    text += &format!(
        "{:<14} {:>8} {:>9} {:>10} {:>11} {:>8} {:>14} {:>11} {:>8}\n",
        "", "offered", "answered", "abandoned", "abandonment", "ASA", "service level", "mean queue", "AHT"
    );
    for (_, name, sums) in lines(report, names) {
        text += &format!(
            "{name:<14} {:>8} {:>9} {:>10} {:>11} {:>8} {:>14} {:>11.2} {:>8}\n",
            sums.offered,
            sums.answered,
            sums.abandoned,
            share(sums.abandonment()),
            seconds(sums.asa()),
            share(sums.service_level()),
            sums.mean_queue(report.span()),
            seconds(sums.handle_time()),
        );
    }
    let total = report.total();
    text += &format!("\noccupancy {}\n", share(report.occupancy()));
    let verdict = |met: bool| if met { "met" } else { "missed" };
    let urac = total.asa() <= 30.0 && total.abandonment() <= 0.05;
    text += &format!("URAC (ASA at most 30 s, abandonment at most 5 %): {}\n", verdict(urac));
    text
}

fn share(value: f64) -> String {
    if value.is_nan() { "–".to_string() } else { format!("{:.1} %", value * 100.0) }
}

fn seconds(value: f64) -> String {
    if value.is_nan() { "–".to_string() } else { format!("{value:.1} s") }
}

fn as_json(args: &Args, report: &Report, names: &Names, events: u64) -> Value {
    let line = |sums: &Sums| {
        json!({
            "offered": sums.offered,
            "answered": sums.answered,
            "abandoned": sums.abandoned,
            "abandonment": sums.abandonment(),
            "asa_seconds": sums.asa(),
            "mean_wait_seconds": sums.mean_wait(),
            "service_level": sums.service_level(),
            "mean_queue": sums.mean_queue(report.span()),
            "handle_seconds": sums.handle_time(),
        })
    };
    let by = |kind: &str| -> serde_json::Map<String, Value> {
        lines(report, names).iter().filter(|(of, ..)| *of == kind).map(|(_, name, sums)| (name.clone(), line(sums))).collect()
    };
    let states: serde_json::Map<String, Value> = Figures::STATES
        .iter()
        .zip(&report.agent_time)
        .filter(|(_, time)| !time.is_zero())
        .map(|((state, reason), time)| {
            let name = if reason.is_empty() { state.to_string() } else { format!("{state}/{reason}") };
            (name, json!(time.as_secs_f64()))
        })
        .collect();
    json!({
        "seed": args.seed,
        "seconds": report.span().as_secs_f64(),
        "calls": report.seen.total().dialled,
        "events": events,
        "all": line(&report.total()),
        "languages": by("language"),
        "queues": by("queue"),
        "occupancy": report.occupancy(),
        "waited": report.waited(),
        "agent_seconds": states,
    })
}
