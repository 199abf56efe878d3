//! A real Prometheus of the test's own: the shipped configuration with the test's target, on loopback, ended by its id.

use super::shipped;
use careline::loadgen::scrape;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Scrapes `target` and applies the shipped rules, each every second.
    pub fn start(directory: &Path, target: SocketAddr) -> Prometheus {
        let shipped_config = std::fs::read_to_string(shipped().join("prometheus.yml")).expect("the configuration is shipped");
        let config = shipped_config.replace("127.0.0.1:8080", &target.to_string()).replace("interval: 15s", "interval: 1s");
        assert!(
            config.contains("scrape_interval: 1s") && config.contains("evaluation_interval: 1s") && config.contains(&target.to_string())
        );
        for rules in ["rules.yml", "alerts.yml"] {
            std::fs::copy(shipped().join(rules), directory.join(rules)).expect("the test's directory takes a file");
        }
        std::fs::write(directory.join("prometheus.yml"), config).expect("the test's directory takes a file");
        // Free a moment ago, on an address that is the test's alone.
        let free = TcpListener::bind((target.ip(), 0)).and_then(|listener| listener.local_addr()).expect("loopback has a free port");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", directory.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display())).arg(format!("--web.listen-address={free}"));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("prometheus runs; tests/run installs it");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let ready = lines.by_ref().any(|line| line.contains("Server is ready"));
        // Read on, or it would wait for somebody to.
        std::thread::spawn(move || lines.for_each(drop));
        let prometheus = Prometheus { child, address: free };
        assert!(ready, "Prometheus never was ready");
        prometheus
    }

    /// One value a series, as of now.
    pub fn now(&self, expression: &str) -> Vec<f64> {
        let result = self.ask("query", &[("query", expression)]);
        result.iter().filter_map(|series| series["value"][1].as_str()?.parse().ok()).collect()
    }

    /// The only value of an expression that has one.
    pub fn value(&self, expression: &str) -> f64 {
        let values = self.now(expression);
        assert_eq!(values.len(), 1, "{expression}: {values:?}");
        values[0]
    }

    /// Every value of every series between two moments (seconds since 1970), second by second.
    pub fn between(&self, from: u64, to: u64, expression: &str) -> Vec<f64> {
        let (from, to) = (from.to_string(), to.to_string());
        let result = self.ask("query_range", &[("query", expression), ("start", &from), ("end", &to), ("step", "1")]);
        let values = result.iter().flat_map(|series| series["values"].as_array().cloned().unwrap_or_default());
        values.filter_map(|pair| pair[1].as_str()?.parse().ok()).collect()
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let text = scrape::get(self.address, &format!("/api/v1/{what}?{}", query.join("&"))).expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{parameters:?}: {text}")).clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a query string.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
