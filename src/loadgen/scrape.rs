//! What the server tells of itself over HTTP: a scrape of /metrics, read as Prometheus reads it, held against the records.

use crate::store::StoredCall;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// `GET path`: the body of a 200.
pub fn get(server: SocketAddr, path: &str) -> io::Result<String> {
    get_with(server, path, "")
}

/// The same with a bearer token.
pub fn get_with(server: SocketAddr, path: &str, token: &str) -> io::Result<String> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    let (status, body) = exchange(server, &head)?;
    if status == 200 { Ok(body) } else { Err(io::Error::other(format!("GET {path}: {status}"))) }
}

/// `POST path` with a JSON body and a bearer token: the status.
pub fn post(server: SocketAddr, path: &str, token: &str, json: &str) -> io::Result<u16> {
    let length = json.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n");
    exchange(server, &format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}")).map(|(status, _)| status)
}

fn exchange(server: SocketAddr, request: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read_answer(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::other(format!("{server} does not speak HTTP")))
}

fn read_answer(text: &str) -> Option<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.lines().any(|line| line.to_ascii_lowercase().replace(' ', "") == "transfer-encoding:chunked");
    Some((status, if chunked { join_chunks(body)? } else { body.to_string() }))
}

fn join_chunks(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..length)?);
        body = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}

/// The samples of one scrape, by name and labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Samples {
    /// Reads Prometheus' text format; what is no sample is left out.
    pub fn read(text: &str) -> Samples {
        Samples(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The sum of all samples of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |has: &BTreeMap<String, String>| labels.iter().all(|(label, value)| has.get(*label).is_some_and(|has| has == value));
        self.0.iter().filter(|((n, has), _)| n == name && fits(has)).map(|(_, value)| value).sum()
    }

    /// The values of this label among the samples of this name.
    pub fn values(&self, name: &str, label: &str) -> Vec<&str> {
        let mut values: Vec<&str> = self.0.keys().filter(|(n, _)| n == name).filter_map(|(_, has)| has.get(label)).map(|v| &**v).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// A series by its name and labels.
type Series = (String, BTreeMap<String, String>);

fn sample(line: &str) -> Option<(Series, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let mut read = BTreeMap::new();
    let mut rest = labels;
    while let Some((label, after)) = rest.split_once("=\"") {
        // The labels of this centre come from its configuration: names without quotes.
        let (value, after) = after.split_once('"')?;
        read.insert(label.trim_start_matches(',').to_string(), value.to_string());
        rest = after;
    }
    Some(((name.to_string(), read), value.parse().ok()?))
}

/// A counter by its name and labels.
type Counter = (&'static str, Vec<(&'static str, String)>);

/// What the records say the counters must be.
#[derive(Default)]
struct Expected(BTreeMap<Counter, f64>);

impl Expected {
    fn add(&mut self, name: &'static str, labels: &[(&'static str, &str)], more: f64) {
        let labels = labels.iter().map(|(label, value)| (*label, value.to_string())).collect();
        *self.0.entry((name, labels)).or_default() += more;
    }

    fn of(records: &[StoredCall]) -> Expected {
        let mut expected = Expected::default();
        for record in records {
            expected.add("careline_calls_total", &[("did", &record.did), ("disposition", &record.disposition)], 1.0);
            expected.visits(record);
            for segment in &record.segments {
                let (Some(queue), Some(to)) = (&segment.queue, segment.to) else { continue };
                let labels = [("queue", queue.as_str()), ("language", record.language.as_str())];
                let (held, wrap_up) = (seconds(segment.held), seconds(segment.wrap_up.unwrap_or(0)));
                let talk = seconds(to - segment.from) - held;
                for (count, sum, value) in [
                    ("careline_talk_seconds_count", "careline_talk_seconds_sum", talk),
                    ("careline_hold_seconds_count", "careline_hold_seconds_sum", held),
                    ("careline_handle_seconds_count", "careline_handle_seconds_sum", talk + held + wrap_up),
                ] {
                    expected.add(count, &labels, 1.0);
                    expected.add(sum, &labels, value);
                }
                expected.add("careline_wrap_up_seconds_sum", &labels, wrap_up);
            }
        }
        expected
    }

    fn visits(&mut self, record: &StoredCall) {
        for visit in &record.visits {
            let labels = [("queue", visit.queue.as_str()), ("language", visit.language.as_str())];
            let [queue, language] = labels;
            self.add("careline_visits_offered_total", &labels, 1.0);
            match visit.outcome.as_str() {
                "answered" => self.add("careline_visits_answered_total", &labels, 1.0),
                "abandoned" => self.add("careline_visits_abandoned_total", &[queue, language, ("phase", &visit.stage)], 1.0),
                "overflowed" => self.add("careline_visits_overflowed_total", &labels, 1.0),
                "deflected" => self.add("careline_visits_deflected_total", &labels, 1.0),
                "failed" => self.add("careline_visits_failed_total", &labels, 1.0),
                _ => self.add("careline_visits_withdrawn_total", &labels, 1.0),
            }
            let by_outcome = [queue, language, ("outcome", visit.outcome.as_str())];
            self.add("careline_wait_seconds_count", &by_outcome, 1.0);
            self.add("careline_wait_seconds_sum", &by_outcome, seconds(visit.left_at - visit.entered_at));
            for offer in &visit.offers {
                self.add("careline_offers_total", &[queue, ("outcome", &offer.outcome)], 1.0);
            }
        }
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// The series whose whole is compared, so that a count under a label that no record has is found as well.
const WHOLE: [&str; 10] = [
    "careline_calls_total",
    "careline_visits_offered_total",
    "careline_visits_answered_total",
    "careline_visits_abandoned_total",
    "careline_visits_overflowed_total",
    "careline_visits_deflected_total",
    "careline_visits_failed_total",
    "careline_visits_withdrawn_total",
    "careline_offers_total",
    "careline_wait_seconds_count",
];

const CALLS: &str = "careline_calls_total";
/// Who was turned away before they were a call has no record.
const AT_THE_DOOR: [(&str, &str); 2] = [("did", "other"), ("disposition", "refused")];

/// Every difference between the counters of the last scrape and the records: counts exactly, sums but for rounding.
pub fn differences(samples: &Samples, records: &[StoredCall]) -> Vec<String> {
    let mut found = Vec::new();
    let expected = Expected::of(records);
    for ((name, labels), wanted) in &expected.0 {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
        let got = samples.sum(name, &labels);
        let room = if name.ends_with("_sum") { 1e-6 * (1.0 + wanted.abs()) } else { 0.0 };
        if (got - wanted).abs() > room {
            let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
            found.push(format!("{name}{{{}}}: Prometheus {got}, records {wanted}", labels.join(",")));
        }
    }
    for name in WHOLE {
        let wanted: f64 = expected.0.iter().filter(|((n, _), _)| *n == name).map(|(_, value)| value).sum();
        let got = samples.sum(name, &[]) - if name == CALLS { samples.sum(CALLS, &AT_THE_DOOR) } else { 0.0 };
        if got != wanted {
            found.push(format!("{name} in all: Prometheus {got}, records {wanted}"));
        }
    }
    let broken = samples.sum("careline_invariant_violations_total", &[]);
    if broken > 0.0 {
        found.push(format!("careline_invariant_violations_total: {broken}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::compare::example;

    const TEXT: &str = "# HELP x y\n# TYPE x counter\nx{queue=\"billing\",language=\"es\"} 3\nx{queue=\"billing\",language=\"en\"} 4\nup 1\n\
                        ratio{queue=\"nurse\"} NaN\n";

    #[test]
    fn samples_are_read_and_summed() {
        let samples = Samples::read(TEXT);
        assert_eq!(samples.sum("x", &[("queue", "billing")]), 7.0);
        assert_eq!(samples.sum("x", &[("language", "es")]), 3.0);
        assert_eq!(samples.sum("up", &[]), 1.0);
        assert!(samples.sum("ratio", &[]).is_nan());
        assert_eq!(samples.values("x", "language"), ["en", "es"]);
    }

    #[test]
    fn an_answer_is_read_whole_or_in_chunks() {
        assert_eq!(read_answer("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello"), Some((200, "hello".into())));
        let chunked = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(read_answer(chunked), Some((202, "hello".into())));
        assert_eq!(read_answer("SSH-2.0"), None);
    }

    fn scrape_of(records: &[StoredCall]) -> Samples {
        let mut text = String::new();
        for ((name, labels), value) in &Expected::of(records).0 {
            let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
            text += &format!("{name}{{{}}} {value}\n", labels.join(","));
        }
        Samples::read(&text)
    }

    #[test]
    fn counters_that_agree_and_counters_that_do_not() {
        let records = [example::answered().1];
        let samples = scrape_of(&records);
        assert_eq!(differences(&samples, &records), Vec::<String>::new());
        // Any one series that counts once too often, or under a label of its own, is found.
        for (key, value) in &samples.0 {
            let mut wrong = samples.clone();
            wrong.0.insert(key.clone(), value + 1.0);
            assert!(!differences(&wrong, &records).is_empty(), "{key:?}");
        }
        let mut stray = samples.clone();
        stray.0.insert(("careline_offers_total".into(), BTreeMap::from([("queue".into(), "operator".into())])), 1.0);
        assert_eq!(differences(&stray, &records), ["careline_offers_total in all: Prometheus 2, records 1"]);
        assert!(!differences(&samples, &[]).is_empty());
    }
}
