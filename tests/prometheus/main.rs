//! What the shop sends to Prometheus and Grafana, tried with the real Prometheus: rules, alerts, dashboards, and figures that agree.

mod dashboards;
mod live;
mod rules;
mod server;

use std::path::{Path, PathBuf};

/// The directory of the shipped rules.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus")
}

/// The series of Careline and of its process that an expression names, histograms by the name of the whole.
fn series_in(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = words.filter(|word| word.starts_with("careline_") || word.starts_with("process_"));
    let histograms = careline::metrics::series::HISTOGRAMS;
    ours.map(|word| {
        let whole = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        whole.filter(|whole| histograms.iter().any(|(name, _)| name == whole)).unwrap_or(word).to_string()
    })
    .collect()
}

/// Whether `/metrics` has a series of this name from the start.
fn is_ours(series: &str) -> bool {
    use careline::metrics::series::{COUNTERS, GAUGES, HISTOGRAMS, SECONDS};
    [COUNTERS, SECONDS, GAUGES, HISTOGRAMS].into_iter().flatten().any(|(name, _)| *name == series)
}
