//! A centre of a test's own: the shipped demo centre on the test's addresses, the real node in this process.

use super::network::Network;
use super::process::PATIENCE;
use careline::acd::view::AgentView;
use careline::acd::{AgentState, Event, View};
use careline::model::AgentId;
use careline::store::{self, MasterKey, StoredCall};
use careline::{config, node};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::runtime::Runtime;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TOKEN: &str = "demo-token-not-secret";

pub struct Centre {
    node: node::Centre,
    directory: PathBuf,
    data: PathBuf,
    runtime: Runtime,
}

impl Centre {
    /// Starts it at the test's first address, after these replacements in its configuration.
    pub fn start(network: &Network, changes: &[(&str, &str)]) -> Centre {
        let directory = configure(network, changes);
        let loaded = config::load(&directory).unwrap_or_else(|problems| panic!("{problems:?}"));
        let data = loaded.server.data_dir.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let node = node::start(loaded).expect("the test's addresses are free");
        Centre { node, directory, data, runtime }
    }

    pub fn sip(&self) -> SocketAddr {
        self.node.sip()
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Waits until the view satisfies.
    pub fn wait(&self, what: &str, satisfied: impl Fn(&View) -> bool) -> Arc<View> {
        let mut views = self.node.views();
        let found = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, views.wait_for(|view| satisfied(view))).await.map(drop) });
        let view = self.node.views().borrow().clone();
        assert!(found.is_ok(), "the centre never saw {what}: {view:?}");
        view
    }

    /// Tells its core something.
    pub fn tell(&self, event: Event) {
        self.node.send(event).expect("the centre takes events");
    }

    /// Waits until this agent is so.
    pub fn agent(&self, agent: u64, what: &str, satisfied: impl Fn(AgentState) -> bool) {
        let state = |view: &View| view.agents.get(&AgentId(agent)).map(|AgentView { state, .. }| *state);
        self.wait(&format!("agent {agent} {what}"), |view| state(view).is_some_and(&satisfied));
    }

    /// Asks for an agent's state as a supervisor would.
    pub fn set_agent(&self, agent: u64, state: &str) {
        self.ask_agent(agent, &format!(r#"{{"state": "{state}"}}"#));
    }

    /// The same in the API's own words.
    pub fn ask_agent(&self, agent: u64, body: &str) {
        let answer = self.ask(&format!("POST /api/v1/agents/{agent}/state"), body);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }

    /// Takes an agent's calls away, and waits until it is so.
    pub fn rest(&self, agent: u64) {
        self.set_agent(agent, "not_ready");
        self.agent(agent, "not ready", |state| matches!(state, AgentState::NotReady(_)));
    }

    /// The figures as Prometheus reads them; `promtool` must find nothing to say of them.
    pub fn metrics(&self) -> Figures {
        let answer = self.ask("GET /metrics", "");
        let (head, text) = answer.split_once("\r\n\r\n").expect("an answer has a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        promtool(text);
        Figures(text.to_string())
    }

    /// Makes these replacements in its configuration and has it read again.
    pub fn reload(&self, changes: &[(&str, &str)]) -> Result<node::Reloaded, Vec<String>> {
        rewrite(&self.directory.join("careline.toml"), changes);
        self.runtime.block_on(self.node.reload())
    }

    /// Stops it and reads its records.
    pub fn stop(self) -> Vec<StoredCall> {
        self.runtime.block_on(self.node.stop());
        let key = MasterKey::find(None, &self.data).expect("the centre made its key");
        store::read(&self.data, &key).expect("the centre keeps records")
    }

    pub fn ask(&self, line: &str, body: &str) -> String {
        ask(self.node.http(), line, body)
    }
}

/// The answer to one request, head and body.
pub fn ask(http: SocketAddr, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(http).expect("the centre answers HTTP");
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\nContent-Length: {length}");
    write!(stream, "{head}\r\n\r\n{body}").expect("the centre answers HTTP");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the centre answers HTTP");
    answer
}

/// One scrape.
pub struct Figures(String);

impl Figures {
    /// The sum over the series of this name that have all these labels.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.0.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let chosen = of_name.filter(|line| labels.iter().all(|label| line.contains(label)));
        chosen.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a line ends in its value")).sum()
    }
}

/// As shipped it is twelve and twenty seconds: too soon for a telephone, or for music, on a machine that is busy with other tests.
const CALM: [(&str, &str); 2] = [("ring_timeout = \"12s\"", "ring_timeout = \"5m\""), ("first = \"20s\"", "first = \"20m\"")];

/// Writes the shipped centre's configuration with the test's addresses and these replacements; its directory.
pub fn configure(network: &Network, changes: &[(&str, &str)]) -> PathBuf {
    let directory = network.directory().join("config");
    std::fs::create_dir_all(&directory).expect("the test's directory takes a directory");
    let file = directory.join("careline.toml");
    std::fs::copy(Path::new(ROOT).join("config/careline.toml"), &file).expect("the centre is shipped, and the directory takes a file");
    let flows = format!("\"{ROOT}/ivr-flows");
    let address = network.address(0).to_string();
    rewrite(&file, &[("127.0.0.1", &address), ("\"../ivr-flows", &flows)]);
    rewrite(&file, changes);
    let text = std::fs::read_to_string(&file).expect("the configuration is there");
    let calm = CALM.iter().fold(text, |text, (what, by)| text.replace(what, by));
    std::fs::write(&file, calm).expect("the test's directory takes a file");
    directory
}

fn rewrite(file: &Path, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(file).expect("the configuration is there");
    for (what, by) in changes {
        assert!(text.contains(what), "the configuration has {what}");
        text = text.replace(what, by);
    }
    std::fs::write(file, text).expect("the test's directory takes a file");
}

/// The prompt that callers hear.
pub fn prompt(name: &str) -> PathBuf {
    Path::new(ROOT).join("ivr-flows/prompts").join(name).with_extension("wav")
}

fn promtool(text: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().expect("promtool runs; tests/run installs it");
    promtool.stdin.take().expect("its input is piped").write_all(text.as_bytes()).expect("it reads all");
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "promtool: {}", String::from_utf8_lossy(&said));
}
