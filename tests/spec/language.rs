//! The language of the scenarios: one line a setting or an event, readable by a supervisor.
//!
//! ```text
//! queue nurse  ring=15s
//! agent 1007   nurse  ready
//! 09:00:00  call 1 -> nurse          => ring 1 1007
//! 09:00:05  .                        (nothing happens but time)
//! ```

use careline::model::Time;
use std::time::Duration;

/// Midnight of the scenarios' day.
const MIDNIGHT: u64 = 1_767_571_200_000_000;

#[derive(Clone, Debug)]
pub struct Line {
    pub number: usize,
    /// `None`: a setting, before the day begins.
    pub at: Option<Time>,
    /// Words; what stands in parentheses or after `=` with one is one word.
    pub words: Vec<String>,
    pub expect: Vec<String>,
    pub text: String,
}

pub fn read(scenario: &str) -> Vec<Line> {
    scenario.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()).map(|(number, text)| line(number + 1, text.trim())).collect()
}

fn line(number: usize, text: &str) -> Line {
    let (said, expect) = text.split_once("=>").unwrap_or((text, ""));
    let mut words = words(said);
    let at = words.first().and_then(|word| time(word));
    if at.is_some() {
        words.remove(0);
    }
    let expect = expect.split(',').map(|e| e.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|e| !e.is_empty()).collect();
    Line { number, at, words, expect, text: text.to_string() }
}

/// Splits at blanks outside parentheses, and drops the parentheses.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            c if c.is_whitespace() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// `09:00:10` or `09:00:10.250`.
fn time(word: &str) -> Option<Time> {
    let mut parts = word.split(':');
    let (hours, minutes, seconds) =
        (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<f64>().ok()?);
    Some(Time(MIDNIGHT + (hours * 3600 + minutes * 60) * 1_000_000 + (seconds * 1e6).round() as u64))
}

/// `15s`, `2m`, `250ms`.
pub fn span(word: &str) -> Duration {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number: f64 = digits.parse().unwrap_or_else(|_| panic!("not a span: {word}"));
    let unit = match &word[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => panic!("not a unit: {unit}"),
    };
    Duration::from_secs_f64(number * unit)
}

#[test]
fn a_line_is_read_by_its_words() {
    let lines = read("queue nurse need=(a>=1 or b) \n 09:00:10.5  1007 declines 1  => hold 1007  1 10s, ring 2 1007");
    assert_eq!(lines[0].words, ["queue", "nurse", "need=a>=1 or b"]);
    assert_eq!(lines[1].expect, ["hold 1007 1 10s", "ring 2 1007"]);
    assert_eq!(lines[1].at, Some(Time(MIDNIGHT + 32_410_500_000)));
}
