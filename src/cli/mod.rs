//! Floor 5: one file per command. Exit codes: 0 good, 1 a problem found, 2 wrong usage.

mod board;
pub mod check;
pub mod demo;
pub mod flow;
pub mod load;
mod panics;
pub mod recording;
pub mod replay;
pub mod serve;
pub mod simulate;
mod spans;
pub mod status;

use crate::config::{self, Loaded};
use crate::model::Time;
use clap::{Parser, Subcommand};
use std::future::Future;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

/// An automatic call distributor for healthcare contact centres.
#[derive(Parser, Debug)]
#[command(name = "careline", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(serve::Args),
    Check(check::Args),
    Demo(demo::Args),
    Flow(flow::Args),
    Load(Box<load::Args>),
    Recording(recording::Args),
    Replay(replay::Args),
    Status(status::Args),
    Simulate(simulate::Args),
}

pub fn main() -> ExitCode {
    panics::withhold();
    match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Flow(args) => flow::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Recording(args) => recording::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    }
}

/// Loads a configuration, or prints all that is wrong with it. Its warnings are told by `careline check`.
pub(crate) fn load(dir: &Path) -> Result<Loaded, ExitCode> {
    load_at(dir, config::now())
}

/// As [`load`], with calendars around another time.
pub(crate) fn load_at(dir: &Path, now: Time) -> Result<Loaded, ExitCode> {
    config::load_at(dir, now).map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}");
        }
        ExitCode::FAILURE
    })
}

pub(crate) fn failed(error: &str) -> ExitCode {
    eprintln!("careline: {error}");
    ExitCode::FAILURE
}

/// Log lines on standard error, chosen by `RUST_LOG` (`info` if it is not set).
pub(crate) fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime").block_on(future)
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).expect("a process may listen for its signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
