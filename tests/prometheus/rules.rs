//! The shipped rules: `promtool` finds nothing to say of them, and each alert is shown to fire and not to.

use super::{is_ours, series_in, shipped};
use careline::config::read::yaml;
use careline::model::tree::Node;
use std::path::PathBuf;
use std::process::Command;

fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let output = Command::new("promtool").args(arguments).args(files).output().expect("promtool runs; tests/run installs it");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

fn read(path: &PathBuf) -> Node {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    yaml(&path.display().to_string().into(), &text).unwrap_or_else(|problem| panic!("{problem}"))
}

fn tests() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(shipped().join("tests")).expect("alerts have their tests");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn list<'a>(node: &'a Node, name: &str) -> &'a [Node] {
    node.get(name).and_then(Node::list).unwrap_or(&[])
}

fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).and_then(Node::scalar).unwrap_or_default()
}

/// Every rule of a file.
fn rules(file: &str) -> Vec<Node> {
    let groups = read(&shipped().join(file));
    list(&groups, "groups").iter().flat_map(|group| list(group, "rules").to_vec()).collect()
}

#[test]
fn promtool_finds_nothing_to_say_and_every_alert_fires_when_it_must_and_only_then() {
    promtool(&["check", "config"], &[shipped().join("prometheus.yml")]);
    promtool(&["check", "rules"], &[shipped().join("rules.yml"), shipped().join("alerts.yml")]);
    promtool(&["test", "rules"], &tests());
}

#[test]
fn every_alert_says_what_it_means_and_is_shown_to_fire_and_not_to() {
    let files: Vec<Node> = tests().iter().map(read).collect();
    let cases: Vec<&Node> = files.iter().flat_map(|file| list(file, "tests")).flat_map(|test| list(test, "alert_rule_test")).collect();
    let alerts = rules("alerts.yml");
    assert!(alerts.len() >= 30, "only {} alerts", alerts.len());
    for alert in &alerts {
        let name = text(alert, "alert");
        let labels = alert.get("labels").expect("labels");
        assert!(["page", "ticket"].contains(&text(labels, "severity")), "{name}: severity");
        let said = alert.get("annotations").expect("annotations");
        assert!(!text(said, "summary").is_empty() && text(said, "description").len() > 60, "{name}: what it means");
        let mut expected = cases.iter().filter(|case| text(case, "alertname") == name).map(|case| list(case, "exp_alerts").len());
        let (silent, fires) = (expected.clone().any(|count| count == 0), expected.any(|count| count > 0));
        assert!(silent && fires, "{name}: a test in which it does not fire ({silent}), and one in which it does ({fires})");
    }
}

#[test]
fn no_rule_waits_for_a_series_that_nobody_writes() {
    let recorded = rules("rules.yml");
    let records: Vec<&str> = recorded.iter().map(|rule| text(rule, "record")).collect();
    let all = [recorded.clone(), rules("alerts.yml")].concat();
    for rule in &all {
        let expression = text(rule, "expr");
        for series in series_in(expression) {
            assert!(is_ours(&series), "{series} in {expression}");
        }
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| word.starts_with("careline:")) {
            assert!(records.contains(&word), "{word} in {expression}");
        }
    }
}
