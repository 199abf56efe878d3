//! The server's process as the kernel sees it: processor time, memory, files, threads.

use std::fs;
use std::io;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// utime + stime, in milliseconds.
    pub cpu_ms: f64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    pub files: u64,
    pub threads: u64,
}

/// The kernel counts processor time in hundredths of a second (`USER_HZ`), on every architecture that Linux has.
const TICK_MS: f64 = 10.0;

impl Sample {
    pub fn take(pid: u32) -> io::Result<Sample> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let files = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        let wrong = || io::Error::other("the kernel tells processes otherwise than we read them");
        Sample::read(&stat, &status, files).ok_or_else(wrong)
    }

    fn read(stat: &str, status: &str, files: u64) -> Option<Sample> {
        // The name in parentheses may hold anything; fields are counted from behind it, the state being the third.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        Some(Sample { cpu_ms: ticks as f64 * TICK_MS, rss_kib: line("VmRSS:")?, files, threads: line("Threads:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_wicked_name_is_read() {
        let stat = "77 (a) R 1) S 1 77 77 0 -1 4194560 1200 0 3 0 250 40 0 0 20 0 9 0 1000 1 2 3";
        let status = "Name:\ta) R 1\nVmRSS:\t   51200 kB\nThreads:\t9\n";
        let sample = Sample::read(stat, status, 12).unwrap();
        assert_eq!(sample, Sample { cpu_ms: 2_900.0, rss_kib: 51_200, files: 12, threads: 9 });
    }

    #[test]
    fn our_own_process_has_memory_and_files() {
        let sample = Sample::take(std::process::id()).unwrap();
        assert!(sample.rss_kib > 1_000 && sample.files >= 3 && sample.threads >= 1, "{sample:?}");
        assert!(Sample::take(u32::MAX).is_err());
    }
}
