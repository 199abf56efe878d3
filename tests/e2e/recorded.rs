//! A conversation on tape: the caller on the left, the agent on the right, sealed, and nothing that was said during a hold.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::reached::ends_in_music;
use super::sound::{self, RATE};
use careline::acd::AgentState;
use careline::cli::recording::export;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CALLER: f64 = 440.0;
const AGENT: f64 = 700.0;
const BILLING: &str = "needs = \"language >= 5 and billing >= 3\"";

/// The shipped centre whose billing records; every flow says so before anything else can be done.
fn recording_centre(network: &Network) -> Centre {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("ivr-flows");
    let flows = network.directory().join("flows");
    std::fs::create_dir_all(&flows).expect("the test's directory takes a directory");
    for file in std::fs::read_dir(&shipped).expect("the shipped flows").flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|ending| ending == "yaml") {
            let text = std::fs::read_to_string(&file).expect("a flow can be read");
            let text = text.replace("say: {prompt: emergency, in", "say: {prompts: [emergency, recording_notice], in");
            let text = text.replace("say: {prompt: please_hold}", "say: {prompts: [please_hold, recording_notice], barge_in: false}");
            std::fs::write(flows.join(file.file_name().expect("a file has a name")), text).expect("the test's directory takes a file");
        }
    }
    let was = format!("flows = \"{}\"", shipped.display());
    Centre::start(network, &[(&was, &format!("flows = \"{}\"", flows.display())), (BILLING, &format!("{BILLING}\nrecord = true"))])
}

/// Both channels of a WAV.
fn channels(path: &Path) -> [Vec<i16>; 2] {
    let mut wav = hound::WavReader::open(path).expect("an export is a WAV");
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 8_000));
    let samples: Vec<i16> = wav.samples::<i16>().map(|sample| sample.expect("a whole file")).collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

fn only_file(directory: &Path) -> PathBuf {
    let files: Vec<PathBuf> = std::fs::read_dir(directory).expect("recordings are there").flatten().map(|entry| entry.path()).collect();
    let [file] = &files[..] else { panic!("one conversation is one file: {files:?}") };
    file.clone()
}

#[test]
fn a_conversation_is_taped_on_two_sides_sealed_and_silent_during_a_hold() {
    let network = Network::new();
    let centre = recording_centre(&network);
    let data = centre.data().to_path_buf();
    let mut phone = Phone::start(&network, 1, 1004, AGENT, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut caller = Caller::dial(&network, 3, centre.sip(), "+13125550102");
    phone.rings();
    phone.accept();
    caller.ear.tone(CALLER);
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, AGENT) >= 500);
    caller.ear.listen(Duration::from_secs(3));
    phone.hold();
    let held = caller.ear.mark();
    caller.ear.listen_until(held, "the queue's music while the agent holds", ends_in_music);
    caller.ear.listen(Duration::from_secs(2));
    phone.retrieve();
    let back = caller.ear.mark();
    caller.ear.listen_until(back, "the agent again", |heard| sound::tone_ms(heard, AGENT) >= 1_000);
    caller.hang_up();
    phone.call_ends();
    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };

    let file = only_file(&data.join("recordings"));
    let call = record.call;
    assert_eq!(record.sounds.recordings, [format!("{call}-1.sealed")]);
    let [first, second] = &record.sounds.legs[..] else { panic!("two legs: {:?}", record.sounds.legs) };
    let agents: Vec<Option<u64>> = vec![first.agent, second.agent];
    assert!(agents.contains(&None) && agents.contains(&Some(1004)), "{agents:?}");
    for leg in &record.sounds.legs {
        assert!(leg.received > 100 && leg.score.is_some_and(|score| score > 3.5), "{leg:?}");
    }
    let bytes = std::fs::read(&file).expect("the recording can be read");
    // A held tone in any law is a pattern that repeats; what is sealed repeats nothing.
    let mut pairs: Vec<&[u8]> = bytes.chunks_exact(8).collect();
    let all = pairs.len();
    pairs.sort_unstable();
    pairs.dedup();
    assert!(pairs.len() == all, "nothing of the sound is on disk as it was");

    let wav = network.directory().join("whole.wav");
    let exported = export(&data, &call.to_string(), &wav).expect("who has the key can listen");
    assert_eq!(exported.problems, [""; 0]);
    let [left, right] = channels(&wav);
    assert!(left.len() > 6 * RATE, "{} s", left.len() / RATE);
    assert!(sound::tone_ms(&left, CALLER) >= 3_500 && sound::tone_ms(&right, AGENT) >= 3_500);
    assert_eq!((sound::tone_ms(&left, AGENT), sound::tone_ms(&right, CALLER)), (0, 0), "each on their own side");
    let silent = |sound: &[i16]| sound.chunks(RATE / 10).filter(|part| sound::loudness(part) < 20.0).count() * 100;
    assert!(silent(&left) >= 2_000, "what a caller says on hold is not taped: {} ms of silence", silent(&left));
    let access = std::fs::read_to_string(data.join("access.log")).expect("the access is written down");
    assert!(access.lines().count() == 1 && access.contains(&format!("recording export call={call} file={call}-1.sealed")), "{access}");

    // A crash tears a file anywhere: all but the last second is there.
    std::fs::write(&file, &bytes[..bytes.len() - 40]).expect("the file can be torn");
    let wav = network.directory().join("torn.wav");
    let exported = export(&data, &file.display().to_string(), &wav).expect("what is whole can be heard");
    assert!(exported.problems[0].contains("torn"), "{:?}", exported.problems);
    let [torn, _] = channels(&wav);
    assert!(torn.len() + RATE >= left.len() && left.starts_with(&torn), "{} of {} samples", torn.len(), left.len());
}
