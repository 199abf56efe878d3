//! `careline recording`: what was recorded, for who has the key.

use super::{failed, load};
use crate::media::tape::{self, CHUNK};
use crate::store::{MasterKey, recording};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The file in the data directory that says who listened to what.
const ACCESS: &str = "access.log";

/// Works with the recordings of conversations.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Makes a stereo WAV of a recording, the caller on the left and the agent on the right; the access is written to access.log
    Export {
        /// The call's number, or the path of one sealed file
        recording: String,
        /// The WAV to make; it must not exist
        out: PathBuf,
        /// The configuration that names the data directory
        #[arg(long, value_name = "DIR", default_value = "config")]
        config: PathBuf,
    },
}

pub fn run(args: &Args) -> ExitCode {
    let What::Export { recording, out, config } = &args.what;
    let loaded = match load(config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    match export(&loaded.server.data_dir, recording, out) {
        Ok(done) => {
            println!("{}: {:.1} s", out.display(), done.samples as f64 / 8000.0);
            done.problems.iter().for_each(|problem| eprintln!("careline: {problem}"));
            if done.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => failed(&error),
    }
}

/// What was made, and what is missing in it.
#[derive(Debug)]
pub struct Exported {
    pub samples: u64,
    pub problems: Vec<String>,
}

/// Exports every part of a call's recording, one after the other, or one file.
pub fn export(data_dir: &Path, what: &str, out: &Path) -> Result<Exported, String> {
    let files = match what.parse() {
        Ok(call) => recording::files(data_dir, call),
        Err(_) => vec![PathBuf::from(what)],
    };
    if files.is_empty() {
        return Err(format!("call {what} has no recording in {}", data_dir.join(recording::DIRECTORY).display()));
    }
    let key = MasterKey::find(None, data_dir)?;
    let (mut sound, mut problems) = (Vec::new(), Vec::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let read = match recording::read(file, &key) {
            Ok(read) => read,
            // The other parts can still be heard.
            Err(error) => {
                problems.push(format!("{}: {error}", file.display()));
                continue;
            }
        };
        // Before anybody can listen.
        note_access(data_dir, &format!("recording export call={} file={name}", read.title.call))?;
        if let Err(problem) = lay(&name, &read.chunks, &mut sound, &mut problems) {
            problems.push(problem);
        }
        problems.extend(read.error.map(|error| format!("{name}: {error}; what was before is exported")));
    }
    if sound.is_empty() && !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    write(out, &sound).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(Exported { samples: sound.len() as u64, problems })
}

/// Lays chunks one after the other, with silence where one is missing.
fn lay(name: &str, chunks: &[Vec<u8>], sound: &mut Vec<[i16; 2]>, problems: &mut Vec<String>) -> Result<(), String> {
    let mut next = 0;
    for chunk in chunks {
        let (number, samples) = tape::read(chunk).ok_or_else(|| format!("{name}: not a recording of this version"))?;
        if number > next {
            let missing = (number - next) as usize * CHUNK;
            problems.push(format!("{name}: {:.1} s are missing: the disk was full or slow", missing as f64 / 8000.0));
            sound.resize(sound.len() + missing, [0; 2]);
        }
        sound.extend(samples);
        next = number + 1;
    }
    Ok(())
}

/// What is heard in it is about somebody: only its owner can read it.
fn write(out: &Path, sound: &[[i16; 2]]) -> Result<(), String> {
    let spec = WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(|error| error.to_string())?;
    let mut wav = WavWriter::new(BufWriter::new(file), spec).map_err(|error| error.to_string())?;
    sound.iter().flatten().try_for_each(|sample| wav.write_sample(*sample)).map_err(|error| error.to_string())?;
    wav.finalize().map_err(|error| error.to_string())
}

/// One line: when, which user of this machine, what. Nobody listens without it.
fn note_access(data_dir: &Path, what: &str) -> Result<(), String> {
    let path = data_dir.join(ACCESS);
    let user = std::fs::metadata("/proc/self").map(|process| std::os::unix::fs::MetadataExt::uid(&process)).unwrap_or(u32::MAX);
    let line = format!("{} uid={user} {what}\n", jiff::Timestamp::now());
    let append = || File::options().append(true).create(true).mode(0o600).open(&path)?.write_all(line.as_bytes());
    append().map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallId, Time};
    use crate::store::Recorder;
    use std::fs;

    /// 100 ms of both sides, as a tape gives them.
    fn chunk() -> Vec<u8> {
        [&[0; 6][..], &[0x90; 2 * 800]].concat()
    }

    #[test]
    fn a_part_that_cannot_be_read_does_not_hide_the_others() {
        let data = std::env::temp_dir().join(format!("careline-export-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        let key = MasterKey::find(None, &data).unwrap();
        let begin = |key: &MasterKey, part: u32, bytes: Vec<u8>| {
            let mut recorder = Recorder::start(&data, key).unwrap();
            recorder.begin(CallId(7), part, Time(5)).0.write(bytes);
        };
        begin(&key, 1, chunk());
        begin(&MasterKey::random(), 3, chunk());
        begin(&key, 4, b"no tape".to_vec());
        begin(&key, 5, chunk());
        let torn = data.join(recording::DIRECTORY).join("7-2.sealed");
        fs::write(&torn, b"CARELN1").unwrap();
        let done = export(&data, "7", &data.join("all.wav")).unwrap();
        assert_eq!(done.samples, 2 * 800);
        assert!(done.problems.len() == 3 && (2..).zip(&done.problems).all(|(n, text)| text.contains(&format!("7-{n}.sealed"))));
        let nothing = export(&data, torn.to_str().unwrap(), &data.join("one.wav")).unwrap_err();
        assert!(nothing.contains("7-2.sealed") && !data.join("one.wav").exists(), "{nothing}");
        fs::remove_dir_all(&data).unwrap();
    }
}
