//! What the recorder has no form for, in Prometheus' text format: histograms that were counted elsewhere, and counters of seconds.

use super::series::Series;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub type Label<'a> = (&'static str, &'a str);

/// Opens a series: HELP and TYPE.
pub fn open(out: &mut String, (name, help): Series, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// One line.
pub fn sample(out: &mut String, name: &str, labels: &[Label], value: impl std::fmt::Display) {
    out.push_str(name);
    for (number, (label, value)) in labels.iter().enumerate() {
        out.push(if number == 0 { '{' } else { ',' });
        let _ = write!(out, "{label}=\"");
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {value}");
}

/// One histogram: `counts` by bucket, not cumulative, the last above every bound.
pub fn histogram(out: &mut String, name: &str, labels: &[Label], bounds: impl Iterator<Item = f64>, counts: &[u64], sum: Duration) {
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (bound, count) in bounds.map(|bound| bound.to_string()).chain(["+Inf".to_string()]).zip(counts) {
        below += count;
        sample(out, &bucket, &[labels, &[("le", &*bound)]].concat(), below);
    }
    sample(out, &format!("{name}_sum"), labels, sum.as_secs_f64());
    sample(out, &format!("{name}_count"), labels, below);
}

/// Spans measured in the path of a call: counted without a lock, without memory of their own.
pub struct Timings<const N: usize> {
    /// Upper bounds, inclusive.
    bounds: [Duration; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum_ns: AtomicU64,
}

impl<const N: usize> Timings<N> {
    pub fn new(bounds_us: [u64; N]) -> Timings<N> {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Timings { bounds: bounds_us.map(Duration::from_micros), counts, above: AtomicU64::new(0), sum_ns: AtomicU64::new(0) }
    }

    pub fn observe(&self, span: Duration) {
        let bucket = self.bounds.iter().position(|bound| span <= *bound);
        bucket.map_or(&self.above, |bucket| &self.counts[bucket]).fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn write(&self, out: &mut String, series: Series) {
        let mut counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        counts.push(self.above.load(Ordering::Relaxed));
        let sum = Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed));
        open(out, series, "histogram");
        histogram(out, series.0, &[], self.bounds.iter().map(Duration::as_secs_f64), &counts, sum);
    }
}
