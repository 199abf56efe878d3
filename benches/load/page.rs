//! The page of results: one line a figure, beside the floor of the same run.

use std::fmt::Write;
use std::process::Command;

/// What is known of where a row's cost goes, a line each: `- *words of the row*: …`. It stands on the page beside a row that is missed.
const PROFILES: &str = include_str!("../../loadtest/PROFILES.md");

/// What a figure is to be.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    None,
    Most(f64),
    Least(f64),
}

/// One figure: each repeat's value, and what the machine itself costs (NaN where nothing is comparable).
pub struct Row {
    what: String,
    unit: &'static str,
    peer: &'static str,
    reach: Reach,
    values: Vec<(f64, f64)>,
    words: String,
}

impl Row {
    pub fn new(
        what: impl Into<String>,
        unit: &'static str,
        peer: &'static str,
        reach: Reach,
        values: Vec<(f64, f64)>,
        words: &[String],
    ) -> Row {
        Row { what: what.into(), unit, peer, reach, values, words: words.join(" ") }
    }

    pub fn median(&self) -> f64 {
        median(self.values.iter().map(|(value, _)| *value).collect())
    }

    /// Of the median.
    pub fn missed(&self) -> bool {
        match self.reach {
            Reach::None => false,
            Reach::Most(most) => self.median() > most || self.median().is_nan(),
            Reach::Least(least) => self.median() < least || self.median().is_nan(),
        }
    }

    fn line(&self) -> String {
        let Row { what, unit, peer, .. } = self;
        let floor = median(self.values.iter().map(|(_, floor)| *floor).collect());
        let (floor, ratio) = match floor.is_nan() {
            true => ("–".to_string(), "–".to_string()),
            false => (short(floor), format!("{:.2}", median(self.values.iter().map(|(value, floor)| value / floor).collect()))),
        };
        let reach = match self.reach {
            Reach::None => "–".to_string(),
            Reach::Most(most) => format!("≤ {}", short(most)),
            Reach::Least(least) => format!("≥ {}", short(least)),
        };
        let verdict = match (self.reach, self.missed()) {
            (Reach::None, _) => "",
            (_, false) => "yes",
            (_, true) => "**no**",
        };
        let (least, most) = self.values.iter().fold((f64::MAX, f64::MIN), |(least, most), (v, _)| (least.min(*v), most.max(*v)));
        let spread = if self.values.len() > 1 { format!(" ({}–{})", short(least), short(most)) } else { String::new() };
        format!("| {what}, {unit} | **{}**{spread} | {floor} | {ratio} | {reach} | {verdict} | {peer} |\n", short(self.median()))
            .replace(", |", " |")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == v.round() => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// What a program prints, on one line.
fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
}

/// Date, commit, machine, and how busy it is.
pub fn circumstances() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = busy.split_whitespace().next().unwrap_or_default();
    format!(
        "{}, commit {}, {cores} cores of {model}, Linux {}, {}, load average {busy} at the start.",
        said("date", &["-u", "+%-d %B %Y, %H:%M UTC"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("uname", &["-r"]),
        said("rustc", &["--version"]).split(" (").next().unwrap_or_default(),
    )
}

/// The whole page.
pub fn page(circumstances: &str, repeats: usize, rows: &[Row]) -> String {
    let mut page = format!(
        "# What a centre costs and how fast it is\n\nMade by `loadtest/run`. {circumstances}\n\n\
         Server and clients are processes of their own on one machine, and the server is fresh for each run. Its cost is utime + stime of its \
         process alone, as the difference over a steady window. A figure is the median of {repeats} runs, with the least and the most. The floor \
         is the same packets moved by a bare loop over as many sockets in the same run (for signalling: as many messages of that size \
         echoed by a bare thread; for music: `sendto`; for forwarding: wait, receive, send); the ratio is ours to that. The peers' figures were \
         measured on two such cores.\n\n\
         | what | ours | floor | ratio | reach | reached | best peer |\n|---|---|---|---|---|---|---|\n"
    );
    rows.iter().for_each(|row| page.push_str(&row.line()));
    page.push_str("\nThe clients of each run, `careline load` with these words besides address and agents:\n\n");
    let mut commands: Vec<&str> = rows.iter().map(|row| &*row.words).filter(|words| !words.is_empty()).collect();
    commands.dedup();
    for words in commands {
        let figures = rows.iter().filter(|row| row.words == words).count();
        writeln!(page, "- `{words}` ({figures} {})", if figures == 1 { "figure" } else { "figures" }).expect("a string takes all");
    }
    page.push_str(&missed(rows));
    page
}

/// The rows that are missed, each with its profile; nothing where none is.
fn missed(rows: &[Row]) -> String {
    let named = |line: &'static str| Some((line.strip_prefix("- *")?.split_once("*: ")?.0, line));
    let profiles: Vec<_> = PROFILES.lines().filter_map(named).collect();
    let mut lines: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| row.missed()) {
        let known = profiles.iter().find(|(name, _)| row.what.contains(name)).map(|(_, line)| line.to_string());
        let line = known.unwrap_or_else(|| format!("- *{}*: not looked into yet.", row.what));
        // Two rows may have one profile.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() { String::new() } else { format!("\n## Rows that are missed\n\n{}\n", lines.join("\n")) }
}
