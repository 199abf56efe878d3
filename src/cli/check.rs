//! `careline check`: every error of the configuration and of its flows, at once.

use crate::config::{self, Problem};
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks the configuration and its flows, and runs the tests that the flows carry.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Directory of the configuration.
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let (problems, warnings, tests) = match config::load(&args.config) {
        Ok(loaded) => {
            let (tests, failures) = loaded.run_tests(None);
            (failures, loaded.warnings, tests)
        }
        Err(problems) => (problems, Vec::new(), 0),
    };
    if args.json {
        let json = serde_json::json!({
            "problems": problems.iter().map(wire).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(wire).collect::<Vec<_>>(),
            "flow_tests": tests,
        });
        println!("{json}");
    } else {
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        match problems.len() {
            0 => println!("{}: good; {tests} flow tests passed", args.config.display()),
            1 => eprintln!("1 problem"),
            count => eprintln!("{count} problems"),
        }
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn wire(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": &*problem.file, "line": problem.line, "column": problem.column, "cause": problem.cause, "valid": problem.choices,
    })
}
