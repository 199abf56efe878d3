//! Spans of time as people write them on a command line.

use std::time::Duration;

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

/// As [`duration`], with milliseconds too: `200ms`, `3s`, `1m`.
pub fn span(text: &str) -> Result<Duration, String> {
    match text.strip_suffix("ms").map(str::parse) {
        Some(Ok(count)) => Ok(Duration::from_millis(count)),
        Some(Err(_)) => Err(format!("'{text}' is no duration (valid: 200ms, 3s, 1m)")),
        None => duration(text),
    }
}

pub fn spans(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (span(from)?, span(to)?) {
        (from, to) if from <= to => Ok((from, to)),
        _ => Err(format!("'{text}' ends before it begins")),
    }
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

    #[test]
    fn a_span_may_have_milliseconds_and_an_end() {
        let ms = Duration::from_millis;
        assert_eq!(spans("200ms-2s"), Ok((ms(200), ms(2_000))));
        assert_eq!(spans("1m"), Ok((ms(60_000), ms(60_000))));
        assert!(spans("2s-1s").is_err() && span("ms").is_err());
    }
}
