//! `careline load`: virtual callers and agents in a process of their own, against a server that runs.

use super::failed;
use super::spans::{duration, span, spans};
use crate::loadgen::plan::Station;
use crate::loadgen::swarm::{self, Order, Report, Sound};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

/// Loads a running centre with virtual callers and agents, and tells what they saw; exit code 1 if any call was lost.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server's SIP address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5060")]
    pub server: SocketAddr,
    /// The number that callers dial
    #[arg(long, value_name = "NUMBER", default_value = "+13125550100")]
    pub number: String,
    /// The keys that lead from there to a queue
    #[arg(long, value_name = "KEYS", default_value = "")]
    pub keys: String,
    /// Calls a second; without it a new call follows each that ends, so that there are always as many as --callers
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// At most so many callers at once; 0: agents only, for callers from elsewhere
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub callers: usize,
    /// End after so many calls, each served to its end; --for is then the most
    #[arg(long, value_name = "N")]
    pub calls: Option<u64>,
    /// Once all callers are there, so long until counting begins
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub warm: Duration,
    /// Count for so long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub takes: Duration,
    /// The agents whose stations are ours: their numbers
    #[arg(long, value_name = "FIRST-LAST", value_parser = numbers)]
    pub agents: Option<RangeInclusive<u64>>,
    /// Their password; {} stands for the agent's number
    #[arg(long, value_name = "TEXT", default_value = "demo-{}")]
    pub password: String,
    /// An agent answers after so long
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "0ms")]
    pub ring: Duration,
    /// An agent hangs up after so long, or evenly between two such times (1s-2s)
    #[arg(long, value_name = "DURATION", value_parser = spans, default_value = "1s-2s")]
    pub talk: (Duration, Duration),
    /// A caller hangs up after so long
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub patience: Option<Duration>,
    /// none: no sound is agreed on; silent: callers and agents only hear; aloud: all send too
    #[arg(long, value_name = "none|silent|aloud", value_parser = sound, default_value = "silent")]
    pub sound: Sound,
    /// The server's process, to read its processor time, memory, files and threads
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Tell how it goes, and look at the server's process, so often
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5s")]
    pub every: Duration,
    /// The same seed gives the same callers and agents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print everything as one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    if args.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 10_000.0)) {
        eprintln!("careline: --rate is above 0 and at most 10000");
        return ExitCode::from(2);
    }
    let mut report = match swarm::run(order(args), &mut |line| eprintln!("{line}")) {
        Ok(report) => report,
        Err(error) => return failed(&format!("the swarm cannot begin: {error}")),
    };
    match args.json {
        true => println!("{}", report.json()),
        false => print(&mut report),
    }
    let losses = report.losses();
    for loss in &losses {
        eprintln!("LOST: {loss}");
    }
    if losses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn order(args: &Args) -> Order {
    let agents = args.agents.clone().into_iter().flatten();
    let station = |agent: u64| Station { agent, password: args.password.replace("{}", &agent.to_string()) };
    Order {
        server: args.server,
        number: args.number.clone(),
        keys: args.keys.clone(),
        seed: args.seed,
        rate: args.rate,
        callers: args.callers,
        calls: args.calls,
        warm: args.warm,
        window: args.takes,
        agents: agents.map(station).collect(),
        ring: args.ring,
        talk: args.talk,
        patience: args.patience,
        sound: args.sound,
        server_process: args.pid,
        sample_every: args.every,
    }
}

fn print(report: &mut Report) {
    let (calls, window, heard) = (&report.calls, &mut report.window, &mut report.heard);
    println!(
        "calls: {} dialled, {} answered by the centre, {} served, {} abandoned, {} dismissed at the end, {} lost",
        calls.dialled, calls.established, calls.completed, calls.abandoned, calls.dismissed, calls.lost
    );
    println!("offers: {} made, {} served, {} withdrawn, {} lost", calls.offers, calls.served, calls.offers_withdrawn, calls.offers_lost);
    println!("SIP: {} sent again by us, {} by the server, {} probes", calls.resent, calls.repeated, calls.probed);
    println!("in {:.1} s: {} calls completed, {} offers", window.seconds, window.completed, window.offers);
    let spread = |what: &str, spread: &mut swarm::tally::Spread| {
        if spread.count() > 0 {
            let [p50, p95, p99] = [50.0, 95.0, 99.0].map(|percent| spread.percentile(percent));
            println!("{what}: p50 {p50:.2} ms, p95 {p95:.2}, p99 {p99:.2} (of {})", spread.count());
        }
    };
    spread("INVITE to 200", &mut window.answer);
    spread("agent free to the next INVITE", &mut window.dispatch);
    spread("a forwarded packet's way", &mut heard.delay);
    spread("music and speech late", &mut heard.late);
    if window.agents_busy.is_finite() {
        println!("agents busy: {:.2} % of their time", window.agents_busy * 100.0);
    }
    if let Some((before, after)) = window.server {
        let cpu = after.cpu_ms - before.cpu_ms;
        let per = |count: u64| if count == 0 { f64::NAN } else { cpu * 1000.0 / count as f64 };
        println!(
            "server: {cpu:.0} ms processor ({:.1} % of a core), {:.0} µs a call, {:.2} µs an RTP packet; {} KiB, {} files, {} threads",
            cpu / window.seconds / 10.0,
            per(window.completed),
            per(heard.packets),
            after.rss_kib,
            after.files,
            after.threads
        );
    }
}

fn numbers(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("'{text}' is no range of agents (valid: 2001-2020)")),
    }
}

fn sound(text: &str) -> Result<Sound, String> {
    match text {
        "none" => Ok(Sound::None),
        "silent" => Ok(Sound::Silent),
        "aloud" => Ok(Sound::Aloud),
        _ => Err(format!("'{text}' is none of none, silent and aloud")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(numbers("2001-2020"), Ok(2001..=2020));
        assert_eq!(numbers("7"), Ok(7..=7));
        assert!(numbers("9-1").is_err() && sound("loud").is_err());
    }
}
