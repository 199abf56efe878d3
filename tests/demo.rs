//! The demo as its user runs it: the program itself, on addresses of its own, with three agents, for a few seconds.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The fewest who serve every queue in both languages.
const AGENTS: [&str; 3] = ["1004", "1005", "1008"];

/// The shipped configuration on `address`, with these agents only, its data in a directory of its own.
fn centre(name: &str, address: &str, agents: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("config")).unwrap();
    let shipped = std::fs::read_to_string(root.join("config/careline.toml")).unwrap();
    let flows = root.join("ivr-flows").display().to_string();
    let moved = shipped.replace("127.0.0.1", address).replace("\"../ivr-flows", &format!("\"{flows}"));
    assert_ne!(moved, shipped);
    let mut sections: Vec<String> = format!("\n{moved}").split("\n[").map(String::from).collect();
    sections.retain(|section| {
        let agent = section.strip_prefix("agents.").and_then(|rest| rest.split(']').next());
        agent.is_none_or(|agent| agents.contains(&agent))
    });
    std::fs::write(dir.join("config/careline.toml"), sections.join("\n[")).unwrap();
    dir.join("config")
}

fn demo(config: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_careline")).arg("demo").arg("--config").arg(config).args(more).output().unwrap()
}

#[test]
fn a_short_demo_ends_with_ledgers_that_agree() {
    let config = centre("demo-agrees", "127.14.1.1", &AGENTS);
    let seed = "7";
    let ran = demo(&config, &["--for", "12s", "--calls-per-minute", "30", "--seed", seed, "--json"]);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{out}\n{err}"));
    assert_eq!(told["differences"], serde_json::json!([]), "seed {seed}");
    assert!(ran.status.success(), "seed {seed}: {told:#}\n{err}");
    let count = |name: &str| told[name].as_u64().unwrap();
    assert!(count("calls") >= 5 && count("answered") >= 2 && count("heard_each_other") >= 2, "seed {seed}: {told:#}");
}

#[test]
fn a_port_in_use_is_one_clear_error() {
    let config = centre("demo-port-in-use", "127.14.1.2", &AGENTS);
    let _taken = UdpSocket::bind("127.14.1.2:5060").unwrap();
    let ran = demo(&config, &["--for", "1s"]);
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{err}");
    assert_eq!(err.lines().filter(|line| !line.starts_with("warning: ")).count(), 1, "{err}");
    assert!(err.contains("127.14.1.2:5060") && err.contains("in use"), "{err}");
}

#[test]
fn a_wrong_option_is_wrong_usage() {
    for wrong in [&["--for", "60"][..], &["--calls-per-minute", "0"], &["--listen", "nowhere"]] {
        let ran = demo(Path::new("config"), wrong);
        assert_eq!(ran.status.code(), Some(2), "{wrong:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
