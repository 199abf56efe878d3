//! The shipped dashboards: classic JSON, each panel with its definition.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What Grafana would put for its variables.
const VARIABLES: [(&str, &str); 4] = [("$__rate_interval", "10s"), ("$__range", "1m"), ("$queue", ".*"), ("$language", ".*")];

fn dashboards() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/grafana/dashboards");
    let entries = std::fs::read_dir(directory).expect("dashboards are shipped");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a dashboard can be read");
        let dashboard: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (dashboard["title"].as_str().expect("a title").to_string(), dashboard)
    };
    files.iter().map(read).collect()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Every query of every panel, with the variables filled in.
pub fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (title, dashboard) in &dashboards() {
        for panel in list(dashboard, "panels") {
            for target in list(panel, "targets") {
                let expression = target["expr"].as_str().expect("a query").to_string();
                let filled = VARIABLES.iter().fold(expression, |text, (name, value)| text.replace(name, value));
                assert!(!filled.contains('$'), "{title}: a variable that is not known in {filled}");
                found.push((format!("{title}, {}", panel["title"]), filled));
            }
        }
    }
    found
}

#[test]
fn every_panel_states_its_definition_and_asks_the_provisioned_source() {
    let all = dashboards();
    let titles: Vec<&str> = all.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles, ["Careline: Agents", "Careline: Service", "Careline: SIP and media"]);
    let source =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/grafana/provisioning/datasources/careline.yml"));
    assert!(source.expect("it is shipped").contains("uid: careline\n"));
    for (title, dashboard) in &all {
        let panels = list(dashboard, "panels");
        let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(ids.len(), panels.len(), "{title}: each panel has a number of its own");
        for panel in panels {
            let name = panel["title"].as_str().unwrap_or_default();
            assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{title}, {name}: what it means");
            assert!(!name.is_empty() && !list(panel, "targets").is_empty(), "{title}, {name}");
            assert!(list(panel, "targets").iter().all(|target| target["datasource"]["uid"] == "careline"), "{title}, {name}: its source");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}, {name}: its unit");
        }
    }
}
