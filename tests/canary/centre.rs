//! The program at trace level, on addresses of its own, with what it writes kept.

use super::birds::{PASSWORD, PIN, TOKEN};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PATIENCE: Duration = Duration::from_secs(60);
pub const ADDRESS: &str = "127.14.4.1";

/// Says that it records, asks for eight digits, and queues.
const BILLING: &str = "flow: billing
languages: [es, en]
start: notice
steps:
  notice: {say: {prompt: recording_notice, barge_in: false}, next: account}
  account:
    gather: {say: {prompt: please_hold}, digits: 8, into: account, tries: 2}
    next: private
    otherwise: nobody
  private:
    queue: {name: private, need: language >= 5 and billing >= 3, otherwise: nobody}
  nobody: {hangup: {say: {prompt: goodbye}}}
";

pub struct Centre {
    child: Child,
    log: Receiver<Vec<u8>>,
    pub written: Vec<u8>,
    pub directory: PathBuf,
}

/// The shipped centre with the birds in it; its directory.
pub fn configure(name: &str, more: &[(&str, &str)]) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("flows")).expect("the target directory takes a directory");
    for entry in std::fs::read_dir(Path::new(ROOT).join("ivr-flows")).expect("flows are shipped") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(&path, directory.join("flows").join(path.file_name().expect("a file"))).expect("it can be copied");
        }
    }
    std::fs::write(directory.join("flows/billing.yaml"), BILLING).expect("the test's directory takes a file");
    std::fs::write(directory.join("token"), TOKEN).expect("the test's directory takes a file");
    let mut text = std::fs::read_to_string(Path::new(ROOT).join("config/careline.toml")).expect("the centre is shipped");
    let prompts = format!("\"{ROOT}/ivr-flows/prompts\"");
    let changes = [
        ("127.0.0.1", ADDRESS),
        ("\"../ivr-flows/prompts\"", prompts.as_str()),
        ("\"../ivr-flows\"", "\"flows\""),
        ("\"../data\"", "\"data\""),
        ("token = \"demo-token-not-secret\"", "token_file = \"token\""),
        ("\"demo-1004\"\npin = \"1004\"", &format!("\"{PASSWORD}\"\npin = \"{PIN}\"")),
        (
            "[queues.billing]",
            "[queues.private]\nneeds = \"language >= 5 and billing >= 3\"\nmax_wait = \"30m\"\nrecord = true\n\n[queues.billing]",
        ),
        ("queues = { scheduling = 1, billing = 1, operator = 3 }", "queues = { private = 1 }"),
    ];
    for (what, by) in changes.iter().chain(more) {
        assert!(text.contains(what), "the shipped configuration has {what}");
        text = text.replace(what, by);
    }
    std::fs::write(directory.join("careline.toml"), text).expect("the test's directory takes a file");
    directory
}

impl Centre {
    pub fn start() -> Centre {
        let directory = configure("canary", &[]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_careline"));
        command.args(["serve", "--config"]).arg(&directory).env("RUST_LOG", "trace").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (say, log) = channel();
        let mut stderr = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || {
            let mut room = [0; 65_536];
            while let Ok(length @ 1..) = stderr.read(&mut room) {
                if say.send(room[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut centre = Centre { child, log, written: Vec::new(), directory };
        centre.writes("taking calls");
        centre
    }

    /// Waits until its log has this.
    pub fn writes(&mut self, what: &str) {
        while !self.written.windows(what.len()).any(|window| window == what.as_bytes()) {
            let Ok(more) = self.log.recv_timeout(PATIENCE) else {
                panic!("the centre never wrote {what:?}: {}", String::from_utf8_lossy(&self.written))
            };
            self.written.extend(more);
        }
    }

    /// Arguments and environment.
    pub fn process(&self) -> Vec<u8> {
        let read = |what| std::fs::read(format!("/proc/{}/{what}", self.child.id())).expect("the process runs");
        [read("cmdline"), read("environ")].concat()
    }

    /// The answer to a request: head and body.
    pub fn ask(&self, line: &str, token: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((ADDRESS, 8080)).expect("the centre answers HTTP");
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        write!(stream, "{head}Authorization: Bearer {token}\r\n\r\n{body}").expect("the centre answers HTTP");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the centre answers HTTP");
        answer
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the process takes a signal");
    }

    /// Every file that it keeps: name and bytes.
    pub fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.directory.join("data"))
    }

    /// Waits until it has ended, with the rest of its log.
    pub fn ends(&mut self) {
        while let Ok(more) = self.log.recv_timeout(PATIENCE) {
            self.written.extend(more);
        }
        assert!(self.child.wait().is_ok_and(|status| status.success()), "the centre ends well");
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the centre keeps a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            // One that is gone by now was a temporary one.
            false => found.extend(std::fs::read(&path).ok().map(|bytes| (path.clone(), bytes))),
        }
    }
    found
}

pub fn http(port: u16) -> SocketAddr {
    SocketAddr::new(ADDRESS.parse().expect("an address"), port)
}
