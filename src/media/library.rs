//! Prompts and hold music, decoded once and shared by all who listen.

use super::codec::{self, Codec, FRAME};
use super::resample;
use crate::model::{Language, Prompt};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest sound that is loaded.
const MAX_LENGTH: Duration = Duration::from_secs(600);
/// The track that is played where a queue's own is missing.
pub const DEFAULT_TRACK: &str = "hold-music";

/// One recording at 8 kHz in both laws.
#[derive(Debug)]
pub struct Sound {
    ulaw: Arc<[u8]>,
    alaw: Arc<[u8]>,
    /// Samples of the recording; a track's payload goes on for one frame more with its own beginning, so that a frame may start anywhere.
    length: usize,
}

impl Sound {
    /// A recording that is played once: its last frame is filled with silence.
    pub(super) fn prompt(samples: &[i16]) -> Sound {
        let length = samples.len().div_ceil(FRAME) * FRAME;
        let law = |codec| {
            let mut bytes: Vec<u8> = samples.iter().map(|s| codec::encode(codec, *s)).collect();
            bytes.resize(length, codec::silence(codec));
            bytes.into()
        };
        Sound { ulaw: law(Codec::Pcmu), alaw: law(Codec::Pcma), length }
    }

    /// A recording that is played round and round.
    pub(super) fn track(samples: &[i16]) -> Sound {
        let law = |codec| samples.iter().cycle().take(samples.len() + FRAME).map(|s| codec::encode(codec, *s)).collect();
        Sound { ulaw: law(Codec::Pcmu), alaw: law(Codec::Pcma), length: samples.len() }
    }

    /// The frame of 20 ms that begins at `position` (in samples); a track's positions go round.
    pub fn frame(&self, codec: Codec, position: usize) -> &[u8; FRAME] {
        let law = match codec {
            Codec::Pcmu => &self.ulaw,
            Codec::Pcma => &self.alaw,
        };
        law[position..].first_chunk().expect("a position is below the length, and a frame follows each")
    }

    /// In samples.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// All that can be played.
#[derive(Debug, Default)]
pub struct Library {
    prompts: BTreeMap<Prompt, Arc<Sound>>,
    tracks: BTreeMap<String, Arc<Sound>>,
}

impl Library {
    /// Loads `<language>/<name>.wav` as prompts and `<name>.wav` as tracks of music: mono, 16 bits, at 8 kHz or a multiple of it.
    /// Gives every problem of every file at once.
    pub fn load(directory: &Path) -> Result<Library, Vec<String>> {
        let (mut library, mut problems) = (Library::default(), Vec::new());
        for (path, is_directory) in list(directory, &mut problems) {
            let name = stem(&path);
            if !is_directory {
                if let Some(samples) = read(&path, resample::Edge::Loop, &mut problems) {
                    library.add_track(&name, &samples);
                }
                continue;
            }
            let Some(language) = Language::new(&name) else {
                problems.push(format!("{}: a folder of prompts is named by a language tag, such as en or es", path.display()));
                continue;
            };
            for (path, is_directory) in list(&path, &mut problems) {
                if let Some(samples) = Some(&path).filter(|_| !is_directory).and_then(|p| read(p, resample::Edge::Silence, &mut problems)) {
                    library.add_prompt(Prompt::new(language, &stem(&path)), &samples);
                }
            }
        }
        if problems.is_empty() { Ok(library) } else { Err(problems) }
    }

    /// Adds a prompt of samples at 8 kHz.
    pub fn add_prompt(&mut self, prompt: Prompt, samples: &[i16]) {
        self.prompts.insert(prompt, Arc::new(Sound::prompt(samples)));
    }

    /// Adds a track of music of samples at 8 kHz, to be played round and round.
    pub fn add_track(&mut self, name: &str, samples: &[i16]) {
        assert!(!samples.is_empty(), "a track has a sound");
        self.tracks.insert(name.to_owned(), Arc::new(Sound::track(samples)));
    }

    pub fn prompt(&self, prompt: &Prompt) -> Option<&Arc<Sound>> {
        self.prompts.get(&prompt.recording())
    }

    /// The track of this name, or else the default one.
    pub fn track(&self, name: &str) -> Option<&Arc<Sound>> {
        self.tracks.get(name).or_else(|| self.tracks.get(DEFAULT_TRACK))
    }

    pub fn has_track(&self, name: &str) -> bool {
        self.tracks.contains_key(name)
    }

    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.keys()
    }

    /// How long a prompt takes.
    pub fn duration(&self, prompt: &Prompt) -> Option<Duration> {
        self.prompt(prompt).map(|sound| Duration::from_millis(sound.length as u64 / 8))
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The WAV files and folders of a folder, in the order of their names.
fn list(directory: &Path, problems: &mut Vec<String>) -> Vec<(std::path::PathBuf, bool)> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(format!("{}: {error}", directory.display()));
            return Vec::new();
        }
    };
    let mut found: Vec<_> = entries.flatten().map(|e| (e.path(), e.path().is_dir())).collect();
    found.retain(|(path, is_directory)| *is_directory || path.extension().is_some_and(|e| e == "wav"));
    found.sort();
    found
}

fn read(path: &Path, edge: resample::Edge, problems: &mut Vec<String>) -> Option<Vec<i16>> {
    let result = decode(path).and_then(|(rate, samples)| {
        if samples.is_empty() {
            return Err("no sound in it".to_owned());
        }
        if samples.len() as u64 > u64::from(rate) * MAX_LENGTH.as_secs() {
            return Err(format!("longer than {} s", MAX_LENGTH.as_secs()));
        }
        let factor = usize::try_from(rate / 8000).unwrap_or(0);
        if !rate.is_multiple_of(8000) || !(1..=6).contains(&factor) {
            return Err(format!("{rate} Hz (valid: 8000, 16000, 24000, 32000, 40000, 48000)"));
        }
        Ok(resample::decimate(&samples, factor, edge))
    });
    result.map_err(|why| problems.push(format!("{}: {why}", path.display()))).ok()
}

fn decode(path: &Path) -> Result<(u32, Vec<i16>), String> {
    let mut reader = hound::WavReader::open(path).map_err(|error| format!("no WAV that can be read: {error}"))?;
    let spec = reader.spec();
    if spec.channels != 1 || spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return Err(format!("{} channels of {} bits (valid: one channel of 16-bit integers)", spec.channels, spec.bits_per_sample));
    }
    let samples: Result<Vec<i16>, _> = reader.samples().collect();
    Ok((spec.sample_rate, samples.map_err(|error| format!("broken: {error}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("careline-library-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("en")).unwrap();
        path
    }

    fn wav(path: &Path, rate: u32, channels: u16, samples: &[i16]) {
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        samples.iter().for_each(|s| writer.write_sample(*s).unwrap());
        writer.finalize().unwrap();
    }

    #[test]
    fn prompts_are_padded_with_silence_and_tracks_go_round() {
        let folder = folder("good");
        let ramp: Vec<i16> = (0..170).map(|i| i * 100).collect();
        wav(&folder.join("en/hello.wav"), 8000, 1, &ramp);
        wav(&folder.join("hold-music.wav"), 8000, 1, &ramp);
        let library = Library::load(&folder).unwrap();
        let hello = Prompt::new(Language::new("en").unwrap(), "hello");
        assert_eq!(library.duration(&hello), Some(Duration::from_millis(40)));
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let last = library.prompt(&hello).unwrap().frame(codec, FRAME);
            assert_eq!(last[9], codec::encode(codec, 16_900));
            assert!(last[10..].iter().all(|b| *b == codec::silence(codec)));
            let round = library.track("no-such-track").unwrap().frame(codec, 169);
            assert_eq!(
                (round[0], round[1], round[159]),
                (codec::encode(codec, 16_900), codec::encode(codec, 0), codec::encode(codec, 15_800))
            );
        }
        assert!(library.has_track("hold-music") && !library.has_track("no-such-track"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_problem_is_named_at_once_with_its_file() {
        let folder = folder("bad");
        wav(&folder.join("en/stereo.wav"), 8000, 2, &[0; 4]);
        wav(&folder.join("en/fast.wav"), 44_100, 1, &[0; 4]);
        wav(&folder.join("en/empty.wav"), 8000, 1, &[]);
        std::fs::write(folder.join("en/text.wav"), "hello").unwrap();
        std::fs::create_dir(folder.join("not a language")).unwrap();
        let problems = Library::load(&folder).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        for part in ["stereo.wav: 2 channels", "fast.wav: 44100 Hz", "empty.wav: no sound", "text.wav: no WAV", "not a language: a folder"]
        {
            assert!(problems.iter().any(|p| p.contains(part)), "{part} in {problems:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(Library::load(&folder).unwrap_err().len(), 1);
    }
}
