//! The centre of loadtest/ as a process of its own: its configuration moved to an address, with as many agents as are wanted.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The first agent's number.
pub const FIRST_AGENT: usize = 2001;
/// A centre that takes no calls after so long will not.
const START_MAX: Duration = Duration::from_secs(60);

pub struct Centre {
    child: Child,
    pub sip: SocketAddr,
    pub http: SocketAddr,
    pub dir: PathBuf,
}

/// What differs from the centre as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub address: IpAddr,
    pub agents: usize,
    /// Records every conversation, behind the notice that this takes.
    pub record: bool,
}

impl Centre {
    /// Writes the configuration into `dir`, which is emptied, starts `careline serve` (behind `before`, if anything is to run it), and waits
    /// until it takes calls.
    pub fn start(dir: &Path, wanted: Wanted, before: &[&str]) -> io::Result<Centre> {
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(dir);
        std::fs::create_dir_all(dir.join("config"))?;
        std::fs::write(dir.join("config/careline.toml"), configuration(wanted)?)?;
        let log = std::fs::File::create(dir.join("serve.log"))?;
        let words: Vec<&str> = before.iter().copied().chain([env!("CARGO_BIN_EXE_careline"), "serve", "--config"]).collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(dir.join("config"))
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let (sip, http) = (SocketAddr::new(wanted.address, 5060), SocketAddr::new(wanted.address, 8080));
        Ok(Centre { child, sip, http, dir: dir.to_path_buf() })
    }

    /// Waits until the centre's HTTP answers; it opens after SIP.
    pub fn ready(mut self) -> io::Result<Centre> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the centre ended at its start ({status}):\n{}", self.log())));
            }
            if TcpStream::connect_timeout(&self.http, Duration::from_millis(100)).is_ok() {
                return Ok(self);
            }
            if begun.elapsed() > START_MAX {
                return Err(io::Error::other(format!("the centre takes no calls after {START_MAX:?}:\n{}", self.log())));
            }
            std::thread::yield_now();
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("serve.log")).unwrap_or_default()
    }

    /// The words of `careline load` for this centre, with so many of its agents.
    pub fn load(&self, agents: usize) -> Vec<String> {
        let mut words: Vec<String> = ["load", "--json", "--server"].map(String::from).into();
        words.push(self.sip.to_string());
        if agents > 0 {
            words.extend(["--agents".to_string(), format!("{FIRST_AGENT}-{}", FIRST_AGENT + agents - 1)]);
            words.extend(["--password", "load-{}"].map(String::from));
        }
        words
    }

    /// Ends it as an operator would, so that every record is written.
    pub fn stop(mut self) -> io::Result<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration of loadtest/ with its paths made absolute, its address changed and its agents written.
fn configuration(wanted: Wanted) -> io::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(root.join("loadtest/centre/config/careline.toml"))?;
    let (flows, prompts) = (root.join("loadtest/centre/flows"), root.join("ivr-flows/prompts"));
    let mut text = written
        .replace("\"../flows\"", &format!("{flows:?}"))
        .replace("\"../../../ivr-flows/prompts\"", &format!("{prompts:?}"))
        .replace("127.0.0.1", &wanted.address.to_string());
    if wanted.record {
        text = text.replace("wrap_up = \"0s\"\n", "wrap_up = \"0s\"\nrecord = true\n").replace("flow = \"line\"", "flow = \"recorded\"");
    }
    for agent in FIRST_AGENT..FIRST_AGENT + wanted.agents {
        text.push_str(&format!(
            "\n[agents.{agent}]\nname = \"Agent {agent}\"\npassword = \"load-{agent}\"\npin = \"{agent}\"\nlanguage = \"en\"\n\
             skills = {{ english = 10 }}\nqueues = {{ line = 1 }}\n"
        ));
    }
    Ok(text)
}
