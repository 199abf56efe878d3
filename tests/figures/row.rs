//! One row of a table: a centre, thirty simulated runs, and the judgement on each figure.

use careline::acd::Config;
use careline::acd::figures::Figures;
use careline::model::{AgentId, Language, QueueId, Time};
use careline::sim::{Callers, Habits, Law, Patience, People, PromptTimes, Rate, Report, Sim, centre};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

const SEEDS: RangeInclusive<u64> = 1..=30;
const ARRIVALS: u64 = 200_000;
/// In service times.
const WARM_UP: f64 = 20.0;
/// Student's t, 29 degrees of freedom, two-sided 1 % shared by all figures of the tables.
const STANDARD_ERRORS: f64 = 4.12;
const QUEUE: QueueId = QueueId(1);
/// 2 March 2026, 06:00 UTC.
const START: Time = Time(1_772_431_200_000_000);

/// Pairs are (English-only, bilingual) and (English, Spanish); rates a second, spans in seconds.
pub struct Row {
    pub agents: (u32, u32),
    pub arrivals: (f64, f64),
    pub handle: f64,
    pub patience: Option<f64>,
    pub target: f64,
}

/// How narrow the half-width has to be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Waits and queue lengths: 10 % of the figure.
    Wait,
    /// The rest: 5 %.
    Share,
}

pub type Figure = (&'static str, Kind, f64, fn(&Report) -> f64);

pub fn english() -> Language {
    Language::new("en").expect("a tag")
}

pub fn spanish() -> Language {
    Language::new("es").expect("a tag")
}

/// Share of the time that these agents spent talking, by the people's own watches.
pub fn talking_share(run: &Report, agents: RangeInclusive<u64>) -> f64 {
    let count = agents.clone().count() as f64;
    let talking: f64 = agents.map(|agent| run.seen.talking[&AgentId(agent)].sum.as_secs_f64()).sum();
    talking / count / run.span().as_secs_f64()
}

/// Lets the row live thirty times and compares each figure with theory.
pub fn check(row: &Row, figures: &[Figure]) {
    let runs: Vec<Report> = SEEDS.map(|seed| run(row, seed)).collect();
    let mut wrong = Vec::new();
    for (name, kind, theory, figure) in figures {
        let values: Vec<f64> = runs.iter().map(figure).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half_width = STANDARD_ERRORS * (variance / count).sqrt();
        let widest = match kind {
            Kind::Wait => 0.10 * theory,
            Kind::Share => 0.05 * theory,
        };
        let line = format!("{name}: {mean:.6} ± {half_width:.6}, theory {theory:.6}");
        println!("{line}");
        // Written so that what is not a number fails.
        if !((mean - theory).abs() <= half_width && half_width <= widest) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "seeds {SEEDS:?}: {wrong:#?}");
}

/// The measured part of one run; the identities have been seen to hold in it.
fn run(row: &Row, seed: u64) -> Report {
    let (config, people) = row.build();
    let agents = people.agents.len() as u32;
    let mut sim = Sim::new(config, people, seed, Duration::from_secs_f64(row.target));
    sim.run_until(START + Duration::from_secs_f64(WARM_UP * row.handle));
    let before = report(&mut sim);
    sim.run_arrivals(ARRIVALS);
    let after = report(&mut sim);
    identities(&mut sim, &after, agents, seed);
    let measured = after.since(&before);
    assert_eq!(measured.seen.total().dialled, ARRIVALS, "seed {seed}");

    sim.finish();
    let end = report(&mut sim);
    identities(&mut sim, &end, agents, seed);
    assert_eq!(end.seen.records, sim.dialled(), "seed {seed}: every call leaves one record");
    assert_eq!(end.total().offered, sim.dialled(), "seed {seed}: every call was offered once");
    measured
}

fn report(sim: &mut Sim) -> Report {
    let (now, figures) = (sim.now(), sim.view().figures);
    conserved(&figures);
    Report::new(START, now, &figures, sim.ledger())
}

fn conserved(figures: &Figures) {
    for (key, queue) in &figures.queues {
        let (offered, accounted) = queue.conservation();
        assert_eq!(offered, accounted, "{key:?}: offered = answered + abandoned + … + waiting + ringing + connecting");
    }
}

/// To the microsecond: the core and the people agree, Little's law, and the agents' time.
fn identities(sim: &mut Sim, whole: &Report, agents: u32, seed: u64) {
    assert_eq!(whole.contradictions_in_time(), Vec::<String>::new(), "seed {seed}");
    let total = whole.total();
    assert_eq!(total.integral, total.visit_time + sim.time_of_those_in_line(), "seed {seed}: Little's law");
    assert_eq!(whole.logged_in(), whole.span() * agents, "seed {seed}: agents' time by state");
}

impl Row {
    fn build(&self) -> (Config, People) {
        let mut config = Config::default();
        config.queues.insert(QUEUE, centre::plain_queue("desk", Duration::from_secs_f64(self.target)));
        let (english, english_skill, english_class) = centre::language(&mut config, "en", false);
        let (spanish, spanish_skill, spanish_class) = centre::language(&mut config, "es", true);
        let (english_only, bilingual) = (u64::from(self.agents.0), u64::from(self.agents.1));
        for id in 1..=english_only + bilingual {
            let skills = if id <= english_only { &[english_skill][..] } else { &[english_skill, spanish_skill] };
            centre::agent(&mut config, id, skills, &[QUEUE]);
        }
        let callers = [(english, english_class, self.arrivals.0), (spanish, spanish_class, self.arrivals.1)]
            .into_iter()
            .filter(|(.., rate)| *rate > 0.0)
            .map(|(language, class, rate)| {
                let to = centre::straight_to(&mut config, language.as_str(), language, QUEUE, class);
                self.callers(to, language, rate)
            })
            .collect();
        let agents = config.agents.keys().copied().collect();
        (config, People { start: START, callers, agents, habits: Habits::PROMPT, prompts: PromptTimes::default() })
    }

    fn callers(&self, to: std::sync::Arc<str>, language: Language, rate: f64) -> Callers {
        Callers {
            to,
            language,
            rate: Rate::Steady(rate),
            connects: Law::ZERO,
            keys: BTreeMap::new(),
            key_delay: Law::Never,
            patience: Patience::of(self.patience.map_or(Law::Never, |mean| Law::Exponential { mean })),
            talk: Law::Exponential { mean: self.handle },
            again: (0.0, Law::Never),
            shown: false,
        }
    }
}
