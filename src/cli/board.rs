//! The demo's board: the centre's figures in a terminal, read off its own /metrics.

use crate::loadgen::crowd::Status;
use crate::loadgen::scrape::Samples;
use std::io::Write;
use std::time::Duration;

/// Redraws in place on a terminal; elsewhere writes one line at a time.
pub struct Board {
    terminal: bool,
    drawn: usize,
}

impl Board {
    pub fn new(terminal: bool) -> Board {
        Board { terminal, drawn: 0 }
    }

    /// How long one picture stands.
    pub fn every(&self) -> Duration {
        if self.terminal { Duration::from_millis(500) } else { Duration::from_secs(5) }
    }

    /// Shows how things stand; `notes` are lines below the board.
    pub fn show(&mut self, out: &mut dyn Write, now: &Now, notes: &[String]) -> std::io::Result<()> {
        if !self.terminal {
            return writeln!(out, "{}", now.line());
        }
        let mut lines = now.lines();
        lines.extend_from_slice(notes);
        // Up to where the last picture began, and each line cleared to its end.
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        write!(out, "{up}")?;
        for line in &lines {
            writeln!(out, "\r{line}\x1b[K")?;
        }
        write!(out, "\x1b[J")?;
        self.drawn = lines.len();
        out.flush()
    }
}

/// How things stand.
pub struct Now<'a> {
    pub title: &'a str,
    pub elapsed: Duration,
    pub samples: &'a Samples,
    pub crowd: &'a Status,
    /// Agents by state: its label, how many.
    pub agents: &'a [(&'static str, usize)],
}

impl Now<'_> {
    fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.samples.sum(name, labels) as u64
    }

    fn by_disposition(&self, disposition: &str) -> u64 {
        self.count("careline_calls_total", &[("disposition", disposition)])
    }

    fn agents_line(&self) -> String {
        let words: Vec<String> = self.agents.iter().map(|(state, count)| format!("{} {count}", state.replace('_', " "))).collect();
        words.join(" · ")
    }

    fn line(&self) -> String {
        let waiting: u64 = ["waiting", "ringing", "connecting"].iter().map(|s| self.count(&format!("careline_visits_{s}"), &[])).sum();
        let abandoned = self.by_disposition("abandoned") + self.by_disposition("abandoned_in_flow");
        format!(
            "{}  dialled {}, closed {}, answered {}, abandoned {abandoned}; in the flow {}, in queues {waiting}, talking {}; agents: {}",
            clock(self.elapsed),
            self.crowd.dialled,
            self.count("careline_calls_total", &[]),
            self.by_disposition("answered"),
            self.count("careline_calls_in_progress", &[("state", "flow")]),
            self.count("careline_calls_in_progress", &[("state", "talking")]),
            self.agents_line(),
        )
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("\x1b[1m{}\x1b[0m   {}", self.title, clock(self.elapsed)),
            String::new(),
            "queue          waiting ringing longest  answered abandoned     ASA  service level".to_string(),
        ];
        for queue in self.samples.values("careline_longest_wait_seconds", "queue") {
            lines.push(self.queue(queue));
        }
        lines.push(String::new());
        lines.push(format!("agents   {}", self.agents_line()));
        lines.push(format!(
            "calls    dialled {} · closed {} · answered {} · left while waiting {} · left in the flow {} · now in the flow {}, talking {}",
            self.crowd.dialled,
            self.count("careline_calls_total", &[]),
            self.by_disposition("answered"),
            self.by_disposition("abandoned"),
            self.by_disposition("abandoned_in_flow"),
            self.count("careline_calls_in_progress", &[("state", "flow")]),
            self.count("careline_calls_in_progress", &[("state", "talking")]),
        ));
        lines
    }

    fn queue(&self, queue: &str) -> String {
        let labels = [("queue", queue)];
        let day = [("queue", queue), ("window", "day")];
        let level = [("queue", queue), ("window", "day"), ("definition", "default")];
        format!(
            "{queue:<14} {:>7} {:>7} {:>6}s {:>9} {:>9} {:>7} {:>14}",
            self.count("careline_visits_waiting", &labels),
            self.count("careline_visits_ringing", &labels) + self.count("careline_visits_connecting", &labels),
            self.count("careline_longest_wait_seconds", &labels),
            self.count("careline_visits_answered_total", &labels),
            self.count("careline_visits_abandoned_total", &labels),
            or_dash(self.samples.sum("careline_speed_of_answer_seconds", &day), |v| format!("{v:.1}s")),
            or_dash(self.samples.sum("careline_service_level_ratio", &level), |v| format!("{:.0} %", v * 100.0)),
        )
    }
}

/// A ratio with nothing under it is not a number.
fn or_dash(value: f64, show: impl Fn(f64) -> String) -> String {
    if value.is_finite() { show(value) } else { "–".to_string() }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = "\
careline_longest_wait_seconds{queue=\"billing\"} 7.4
careline_visits_waiting{queue=\"billing\",language=\"en\"} 2
careline_visits_waiting{queue=\"billing\",language=\"es\"} 1
careline_visits_ringing{queue=\"billing\",language=\"es\"} 1
careline_visits_answered_total{queue=\"billing\",language=\"es\"} 12
careline_visits_abandoned_total{queue=\"billing\",language=\"es\",phase=\"waiting\",short=\"true\"} 3
careline_speed_of_answer_seconds{queue=\"billing\",window=\"day\"} 3.26
careline_speed_of_answer_seconds{queue=\"billing\",window=\"5m\"} 9
careline_service_level_ratio{queue=\"billing\",window=\"day\",definition=\"default\"} NaN
careline_calls_total{did=\"+13125550100\",disposition=\"answered\"} 12
careline_calls_total{did=\"+13125550100\",disposition=\"abandoned\"} 3
careline_calls_in_progress{state=\"flow\"} 5
";

    fn shown(terminal: bool, times: usize) -> String {
        let samples = Samples::read(SCRAPE);
        let crowd = Status { dialled: 24, ..Status::default() };
        let agents = [("ready", 3), ("wrap_up", 1)];
        let elapsed = Duration::from_secs(65);
        let now = Now { title: "Riverside Health", elapsed, samples: &samples, crowd: &crowd, agents: &agents };
        let (mut board, mut out) = (Board::new(terminal), Vec::new());
        for _ in 0..times {
            board.show(&mut out, &now, &["join in".to_string()]).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_sees_every_queue() {
        let text = shown(true, 1);
        assert!(text.contains("billing              3       1      7s        12         3    3.3s              –"), "{text}");
        assert!(text.contains("ready 3 · wrap up 1") && text.contains("01:05") && text.contains("join in"), "{text}");
    }

    #[test]
    fn the_second_picture_covers_the_first() {
        let lines = shown(true, 1).matches('\n').count();
        assert!(shown(true, 2).contains(&format!("\x1b[{lines}A")));
    }

    #[test]
    fn a_file_gets_lines_without_colours() {
        let text = shown(false, 2);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\x1b') && text.contains("dialled 24, closed 15, answered 12, abandoned 3"), "{text}");
    }
}
