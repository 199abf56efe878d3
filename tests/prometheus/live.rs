//! A centre at work under a real Prometheus: every panel has data, no alert cries wolf, and all who count say the same.

use super::server::Prometheus;
use super::{dashboards, is_ours, series_in};
use careline::acd::View;
use careline::api::wire;
use careline::config::{self, Loaded};
use careline::loadgen::crowd::Crowd;
use careline::loadgen::errands::riverside;
use careline::loadgen::plan::{Manners, Plan, Station};
use careline::loadgen::scrape;
use careline::node::{self, Centre};
use careline::store::{self, MasterKey, StoredCall};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

const ADDRESS: &str = "127.14.3.1";
const SEED: u64 = 11;
const CALLS_FOR: Duration = Duration::from_secs(20);
/// Queues hold nobody up.
const SPANS: [(&str, &str); 5] = [
    ("wrap_up = \"2s\"", "wrap_up = \"1s\""),
    ("wrap_up = \"3s\"", "wrap_up = \"1s\""),
    ("wrap_up = \"5s\"", "wrap_up = \"1s\""),
    ("ring_timeout = \"12s\"", "ring_timeout = \"4s\""),
    ("data = \"../data\"", "data = \"data\""),
];

fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the target directory takes a directory");
    directory
}

/// The shipped centre on an address of its own.
fn loaded(directory: &Path) -> Loaded {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut text = std::fs::read_to_string(Path::new(root).join("config/careline.toml")).expect("the centre is shipped");
    let flows = format!("\"{root}/ivr-flows");
    for (what, by) in SPANS.iter().chain(&[("127.0.0.1", ADDRESS), ("\"../ivr-flows", flows.as_str())]) {
        assert!(text.contains(what), "the shipped configuration has {what}");
        text = text.replace(what, by);
    }
    std::fs::write(directory.join("careline.toml"), text).expect("the test's directory takes a file");
    config::load(directory).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// People who ring the lines without a menu, in two languages, some of whom lose patience at once.
fn plan(loaded: &Loaded) -> Plan {
    let serves = |number: &str, _: &str, _: &str| number != "+13125550100";
    let agents = loaded.server.agents.iter().map(|(agent, account)| Station { agent: agent.0, password: account.password.0.clone() });
    Plan {
        server: loaded.server.sip.listen[0],
        seed: SEED,
        calls_per_minute: 150.0,
        arrivals_for: Some(CALLS_FOR),
        errands: riverside(serves, |_, _| Duration::from_secs(3)),
        agents: agents.collect(),
        manners: Manners { hang_up_at_once: 15, ..Manners::default() },
    }
}

/// Runs the crowd to its last goodbye and the centre to its last wrap-up.
async fn work(centre: &Centre, plan: Plan) {
    // Who let the telephone ring stays away.
    let (back, _) = mpsc::unbounded_channel();
    let mut crowd = Crowd::start(plan, back).expect("the test's addresses are free");
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    while !crowd.done() {
        looks.tick().await;
        assert_eq!(crowd.status().trouble, None);
    }
    let over = |view: &View| view.in_flow + view.in_queue + view.talking + view.wrapping == 0 && view.figures.calls_ended > 0;
    let mut views = centre.views();
    let settled = tokio::time::timeout(Duration::from_secs(30), views.wait_for(|view| over(view))).await;
    assert!(settled.is_ok(), "seed {SEED}: {} calls never ended", crowd.finish().callers.len());
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn a_centre_at_work_fills_every_panel_and_all_who_count_agree() {
    let directory = directory();
    let loaded = loaded(&directory);
    let (plan, data, token) = (plan(&loaded), loaded.server.data_dir.clone(), loaded.server.http.token.0.clone());
    let queues = loaded.centre.queues.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let centre = runtime.block_on(async { node::start(loaded) }).expect("the test's addresses are free");
    let prometheus = Prometheus::start(&directory, centre.http());
    let begun = seconds_now();
    runtime.block_on(work(&centre, plan));
    // Whatever is scraped from now on is the last word.
    let settled = seconds_now() + 1;
    let scraped = || prometheus.now("timestamp(careline_build_info)").first().is_some_and(|at| *at > settled as f64);
    while !scraped() {
        assert!(seconds_now() < settled + 30, "Prometheus scrapes no more");
    }

    let mut wrong = Vec::new();
    for (panel, expression) in dashboards::queries() {
        wrong.extend(series_in(&expression).iter().filter(|series| !is_ours(series)).map(|series| format!("{panel}: no series {series}")));
        let values = prometheus.between(begun, seconds_now(), &expression);
        if !values.iter().any(|value| value.is_finite()) {
            wrong.push(format!("{panel}: no data from {expression}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let pages = prometheus.between(begun, seconds_now(), r#"ALERTS{alertstate="firing",severity="page"}"#);
    assert!(pages.is_empty(), "nobody is woken by a good day");

    let view = scrape_view(centre.http(), &token);
    runtime.block_on(centre.stop());
    let key = MasterKey::find(None, &data).expect("the centre made its key");
    let records = store::read(&data, &key).expect("the centre keeps records");
    assert!(records.len() >= 20, "seed {SEED}: only {} calls", records.len());
    let kinds: Vec<f64> =
        ["answered", "abandoned"].iter().map(|kind| prometheus.value(&format!("sum(careline_visits_{kind}_total)"))).collect();
    assert!(kinds.iter().all(|count| *count > 0.0), "seed {SEED}: answered and abandoned {kinds:?}");
    for (id, queue) in &queues {
        for language in ["en", "es"] {
            let short = (queue.service_level.as_micros() as u64, queue.short_abandon.as_micros() as u64);
            let told = [
                of_prometheus(&prometheus, &queue.name, language),
                of_records(&records, &queue.name, language, short),
                of_view(&view, &queue.name, language),
            ];
            told[0].agrees(&told[1], &format!("seed {SEED}: {} in {language}, Prometheus and records", queue.name));
            told[0].agrees(&told[2], &format!("seed {SEED}: queue {id} in {language}, Prometheus and the view"));
        }
    }
}

/// Counts, and the figures that they make.
#[derive(Debug, Default)]
struct Told {
    /// Offered, answered, answered in target, abandoned, short, handled.
    counts: [u64; 6],
    /// Speed of answer, abandonment, service level, handle time.
    figures: [Option<f64>; 4],
}

impl Told {
    /// From counts, withdrawn visits, and the seconds of wait and of handling.
    fn new(counts: [u64; 6], withdrawn: u64, wait: f64, handle: f64) -> Told {
        let [offered, answered, in_target, abandoned, short, handled] = counts;
        let ratio = |over: f64, under: u64| (under > 0).then(|| over / under as f64);
        let abandonment = ratio((abandoned - short) as f64, offered - withdrawn - short);
        let level = ratio(in_target as f64, answered + abandoned - short);
        Told { counts, figures: [ratio(wait, answered), abandonment, level, ratio(handle, handled)] }
    }

    fn agrees(&self, other: &Told, who: &str) {
        assert_eq!(self.counts, other.counts, "{who}: offered, answered, in target, abandoned, short, handled");
        let near = |one: &Option<f64>, other: &Option<f64>| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() < 1e-6 * (1.0 + one.abs()),
            _ => one == other,
        };
        let all = self.figures.iter().zip(&other.figures).all(|(one, other)| near(one, other));
        assert!(all, "{who}: speed, abandonment, level, handle: {:?} {:?}", self.figures, other.figures);
    }
}

/// Counters, sums and counts of the last scrape: nothing that extrapolates.
fn of_prometheus(prometheus: &Prometheus, queue: &str, language: &str) -> Told {
    let sum =
        |series: &str, more: &str| prometheus.value(&format!("sum(careline_{series}{{queue=\"{queue}\",language=\"{language}\"{more}}})"));
    let count = |series: &str, more: &str| sum(series, more) as u64;
    let counts = [
        count("visits_offered_total", ""),
        count("visits_answered_total", ""),
        count("visits_answered_in_target_total", ""),
        count("visits_abandoned_total", ""),
        count("visits_abandoned_total", ",short=\"true\""),
        count("handle_seconds_count", ""),
    ];
    let wait = sum("wait_seconds_sum", ",outcome=\"answered\"");
    Told::new(counts, count("visits_withdrawn_total", ""), wait, sum("handle_seconds_sum", ""))
}

fn of_records(records: &[StoredCall], queue: &str, language: &str, (target, short): (u64, u64)) -> Told {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let visits: Vec<_> = records.iter().flat_map(|call| &call.visits).filter(|v| v.queue == queue && v.language == language).collect();
    let of = |outcome: &str| visits.iter().filter(|v| v.outcome == outcome).map(|v| v.left_at - v.entered_at).collect::<Vec<u64>>();
    let (answered, abandoned) = (of("answered"), of("abandoned"));
    let segments = records.iter().filter(|call| call.language == language).flat_map(|call| &call.segments);
    let handled: Vec<u64> = segments
        .filter(|segment| segment.queue.as_deref() == Some(queue))
        .filter_map(|segment| Some(segment.to? - segment.from + segment.wrap_up.unwrap_or(0)))
        .collect();
    let within = |waits: &[u64], most: u64| waits.iter().filter(|wait| **wait <= most).count() as u64;
    let counts = [
        visits.len() as u64,
        answered.len() as u64,
        within(&answered, target),
        abandoned.len() as u64,
        within(&abandoned, short),
        handled.len() as u64,
    ];
    Told::new(counts, of("withdrawn").len() as u64, seconds(answered.iter().sum()), seconds(handled.iter().sum()))
}

fn of_view(view: &wire::Centre, queue: &str, language: &str) -> Told {
    let queue = view.queues.iter().find(|known| known.name == queue).expect("every queue is in the view");
    let told = queue.figures.iter().find(|figures| figures.language == language).expect("in every language");
    let counts = [told.offered, told.answered, told.answered_in_target, told.abandoned, told.abandoned_short, told.handled];
    Told { counts, figures: [told.speed_of_answer_seconds, told.abandonment_ratio, told.service_level_ratio, told.handle_seconds] }
}

fn scrape_view(http: std::net::SocketAddr, token: &str) -> wire::Centre {
    let text = scrape::get_with(http, "/api/v1/view", token).expect("the centre answers HTTP");
    serde_json::from_str(&text).expect("a view")
}
