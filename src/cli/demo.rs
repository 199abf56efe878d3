//! `careline demo`: the demo centre on this machine, with virtual callers and agents who check what it tells of them.

use std::path::PathBuf;
use std::time::Duration;

/// Starts the demo centre and drives it with virtual callers and agents in two languages.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Take calls for so long (60s, 5m), then let them end and compare all ledgers; without it, until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub takes: Option<Duration>,
    /// Calls that arrive in a minute
    #[arg(long, value_name = "N", default_value_t = 90.0)]
    pub calls_per_minute: f64,
    /// The same seed gives the same callers and agents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The centre's configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Listen on this address instead of the configured ones (the ports stay)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::IpAddr>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A span as people write it: `90s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration (valid: 60s, 5m, 1h)");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "60", "s", "-5s", "5 s", "99999999999999999999h", "5µ"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
