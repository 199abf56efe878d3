//! `careline flow`: tests of a flow, its picture, and the words of its language.

use crate::config::{self, Problem};
use crate::ivr::{FlowFile, graph};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Tries out, or draws, the flows.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Checks flows against the configuration, and runs the tests that they carry.
    Test {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Directory of the configuration whose queues, agents and prompts the flows use.
        #[arg(long, value_name = "DIR", default_value = "config")]
        config: PathBuf,
        /// One JSON object on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Draws a flow as a Mermaid flowchart on standard output.
    Graph {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Directory of the configuration whose queues, agents and prompts the flow uses.
        #[arg(long, value_name = "DIR", default_value = "config")]
        config: PathBuf,
    },
}

pub fn run(args: &Args) -> ExitCode {
    match &args.command {
        Command::Test { files, config, json } => test(files, config, *json),
        Command::Graph { file, config } => draw(file, config),
    }
}

fn test(files: &[PathBuf], config: &Path, json: bool) -> ExitCode {
    let (mut passed, mut problems) = (0, Vec::new());
    for file in files {
        match read(file, config) {
            Ok((loaded, name)) => {
                let (count, failures) = loaded.run_tests(Some(&name));
                if count == 0 && !json {
                    eprintln!("{}: the flow carries no tests", file.display());
                }
                passed += count - failures.len();
                problems.extend(failures);
            }
            Err(found) => problems.extend(found),
        }
    }
    problems.sort();
    problems.dedup();
    if json {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        println!("{}", serde_json::json!({"passed": passed, "problems": lines}));
    } else {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        println!("{passed} passed, {} failed", problems.len());
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn draw(file: &Path, config: &Path) -> ExitCode {
    let drawn = read(file, config).map(|(loaded, name)| {
        let flow: &FlowFile = loaded.files.iter().find(|flow| *flow.name == *name).expect("the file's flow has been read");
        graph::mermaid(flow)
    });
    match drawn {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            ExitCode::FAILURE
        }
    }
}

/// The configuration with this file's flow in it, and the flow's name.
fn read(file: &Path, config: &Path) -> Result<(config::Loaded, String), Vec<Problem>> {
    let loaded = config::load_with(config, config::now(), Some(file))?;
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_string();
    Ok((loaded, name))
}
