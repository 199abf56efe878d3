//! What the process uses of the machine, under the names that Prometheus' own libraries give it, read from Linux' /proc at each scrape.

use super::series::{self, Series};
use super::{Metrics, text};
use std::fs;

/// Ticks in a second as /proc counts them (USER_HZ): part of Linux' interface to programs, the same on every processor.
const TICKS: f64 = 100.0;

/// `None` where the machine does not tell.
struct Process {
    cpu_seconds: f64,
    start: f64,
    resident: u64,
    files: u64,
    files_max: Option<u64>,
}

impl Metrics {
    pub(super) fn process(&self, text: &mut String) {
        let Some(process) = Process::read() else { return };
        text::open(text, series::PROCESS_CPU, "counter");
        text::sample(text, series::PROCESS_CPU.0, &[], process.cpu_seconds);
        let set = |series: Series, value: f64| self.gauge(series, &[], value);
        set(series::PROCESS_START, process.start);
        set(series::PROCESS_MEMORY, process.resident as f64);
        set(series::PROCESS_FILES, process.files as f64);
        set(series::PROCESS_FILES_MAX, process.files_max.map_or(f64::INFINITY, |most| most as f64));
    }
}

impl Process {
    fn read() -> Option<Process> {
        let read = |file: &str| fs::read_to_string(file).ok();
        let (stat, status) = (read("/proc/self/stat")?, read("/proc/self/status")?);
        let (cpu, started) = times(&stat)?;
        let booted = number_after(&read("/proc/stat")?, "btime ")?;
        Some(Process {
            cpu_seconds: cpu as f64 / TICKS,
            start: booted as f64 + started as f64 / TICKS,
            resident: number_after(&status, "VmRSS:")? << 10,
            // One of them is the directory that is being read.
            files: (fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1),
            files_max: number_after(&read("/proc/self/limits")?, "Max open files"),
        })
    }
}

/// Of `stat`, in ticks: processor time in user and system mode, and when the process began, after the machine did. The name stands in
/// parentheses and may hold anything.
fn times(stat: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number)?.parse::<u64>().ok();
    Some((field(11)? + field(12)?, field(19)?))
}

/// The first number on the line that begins so.
fn number_after(text: &str, begins: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(begins))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let stat = "42 (a) b (c) S 1 2 3 0 -1 4194560 10 0 0 0 150 25 7 8 20 0 9 0 77000 1000 200 18446744073709551615";
        assert_eq!(times(stat), Some((175, 77_000)));
        assert_eq!(number_after("Name:\tx\nVmRSS:\t   1234 kB\n", "VmRSS:"), Some(1234));
        assert_eq!(number_after("Max open files            unlimited            unlimited", "Max open files"), None);
        assert_eq!(times("42 (x"), None);
    }

    #[test]
    fn this_process_uses_something_and_began_before_now() {
        let process = Process::read().expect("Linux tells");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        assert!(process.start > now - 86_400.0 && process.start <= now + 1.0, "{} {now}", process.start);
        assert!(process.resident > 1 << 20 && process.files >= 3 && process.cpu_seconds < 86_400.0);
    }
}
