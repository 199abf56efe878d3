//! Half an hour at five calls a second: memory, files and threads stay what they are.

use crate::page;
use crate::rows;
use serde_json::Value;

/// Concurrent calls are rate × (talk and what surrounds it): some fifteen.
const AGENTS: usize = 40;
/// Memory may grow by so much in the second half of the time; in the first the database's page cache fills to its bound of 2 MiB.
const GROWTH_MAX: f64 = 0.05;

/// Runs it and gives the page; the error says what grew.
pub fn soak(takes: &str) -> Result<String, String> {
    let circumstances = page::circumstances();
    let text = format!("--rate 5 --callers 200 --talk 2s-4s --sound aloud --every 60s --warm 5s --for {takes}");
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();
    let centre = rows::centre("soak", "127.61.1.2", AGENTS, false)?;
    let told = rows::load(&centre, AGENTS, &words)?;
    centre.stop().map_err(|error| error.to_string())?;
    let samples = told["samples"].as_array().ok_or("no samples")?;
    let mut page = format!(
        "# Half an hour at five calls a second\n\nMade by `loadtest/soak`. {circumstances} `careline load {text}`: {} calls dialled, {} served, \
         none lost, {} RTP packets forwarded.\n\n| minute | calls served | memory, KiB | files | threads | processor, s |\n|---|---|---|---|---|---|\n",
        told["calls"]["dialled"], told["calls"]["completed"], told["rtp"]["forwarded"]
    );
    for sample in samples {
        let (at, seen) = (sample[0].as_f64().unwrap_or_default(), &sample[2]);
        let (minute, processor) = (at / 60.0, seen["cpu_ms"].as_f64().unwrap_or_default() / 1000.0);
        page.push_str(&format!(
            "| {minute:.1} | {} | {} | {} | {} | {processor:.1} |\n",
            sample[1], seen["rss_kib"], seen["files"], seen["threads"]
        ));
    }
    let verdict = judge(samples);
    page.push_str(&format!("\n{}\n", verdict.as_ref().map_or_else(|grown| grown.clone(), Clone::clone)));
    match verdict {
        Ok(_) => Ok(page),
        Err(_) => Err(page),
    }
}

/// The end against the middle. The last sample is of a centre whose calls have just ended.
fn judge(samples: &[Value]) -> Result<String, String> {
    let of = |sample: &Value, name: &str| sample[2][name].as_f64().unwrap_or(f64::NAN);
    let steady = &samples[samples.len() / 2..];
    let (first, last) = (steady.first().ok_or("no samples")?, steady.last().ok_or("no samples")?);
    let most = |name: &str| steady.iter().map(|sample| of(sample, name)).fold(f64::MIN, f64::max);
    let growth = of(last, "rss_kib") / of(first, "rss_kib") - 1.0;
    let threads = most("threads") - of(first, "threads");
    let said = format!(
        "In the second half of the time memory grew by {:.1} % (since the first fifth, while the database's page cache filled, by {:.1} %), the number \
         of threads by {threads}; files were {} at most and {} at the end.",
        growth * 100.0,
        (of(last, "rss_kib") / of(&samples[samples.len() / 5], "rss_kib") - 1.0) * 100.0,
        most("files"),
        of(last, "files")
    );
    // Each call has two legs with two files each.
    let flat = growth <= GROWTH_MAX && threads <= 0.0 && of(last, "files") <= of(&samples[0], "files") + 20.0;
    if flat { Ok(said) } else { Err(format!("NOT FLAT. {said}")) }
}
