//! What was recorded of the conversations: every party's packets say whose they are and when they were sent, so that a recording tells how
//! far it reaches.

use super::place::Place;
use careline::cli::recording::export;
use careline::loadgen::ledger::Ledger;
use careline::loadgen::{stamp, tone};
use careline::model::Time;
use careline::store::{StoredCall, StoredSegment};
use std::path::Path;
use std::time::Duration;

/// A crash costs no more of a conversation than this.
const LAST: Duration = Duration::from_secs(1);
/// So much before a kill nothing may have held the callers up, or the machine held the centre up too, and nothing can be said of it.
const CALM: Duration = Duration::from_secs(2);
/// A packet lasts so long; one may be cut in two where the recording ends.
const PACKET: Duration = Duration::from_millis(20);
/// The queues that record.
pub const QUEUES: [&str; 2] = ["billing", "scheduling"];

/// What the conversations are held against.
pub struct Story<'a> {
    pub place: &'a Place,
    pub ledger: &'a Ledger,
    pub records: &'a [StoredCall],
    /// The instants.
    pub kills: &'a [Time],
    /// Whose tone is whose.
    pub agents: &'a [u64],
    pub seed: u64,
}

/// What the conversations' recordings came to.
#[derive(Default)]
struct Seen {
    /// Of those that were over a second before a kill.
    whole: usize,
    /// Of those that a kill cut after more than a second.
    cut: usize,
    /// From the end of what is heard of one side to the kill.
    lags: Vec<Duration>,
}

impl Story<'_> {
    /// Every conversation of a queue that records can be listened to: what a kill cut to within the last second before it, on both sides,
    /// and what was over a second before is whole.
    pub fn is_recorded(&self) {
        let mut seen = Seen::default();
        for record in self.records {
            let [segment] = &record.segments[..] else { continue };
            if segment.queue.as_deref().is_some_and(|queue| QUEUES.contains(&queue)) {
                self.check(record, segment, &mut seen);
            }
        }
        seen.lags.sort();
        let (judged, worst) = (seen.lags.len(), seen.lags.last().copied().unwrap_or_default());
        println!("{} recordings whole; {} cut, of which {judged} sides reach to at most {worst:?} before the kill", seen.whole, seen.cut);
        let kills = self.kills.len();
        assert!(seen.whole >= kills && seen.cut >= kills / 3, "seed {}: people talked", self.seed);
        assert!(worst <= LAST, "seed {}: {:?}", self.seed, seen.lags);
    }

    fn check(&self, record: &StoredCall, segment: &StoredSegment, seen: &mut Seen) {
        let what = format!("seed {}: call {}", self.seed, record.call);
        let (from, over) = (Time(segment.from), Time(segment.to.unwrap_or(record.ended_at)));
        let cut = record.detail.as_deref() == Some("node_lost");
        let kill = self.kills.iter().copied().find(|kill| *kill >= over);
        // Who was cut went on until the kill, of which the server could say nothing any more.
        let end = kill.filter(|_| cut).unwrap_or(over);
        let long = end.since(from) > LAST;
        let [file] = &record.sounds.recordings[..] else {
            assert!(record.sounds.recordings.is_empty() && cut && !long, "{what}: {:?}", record.sounds.recordings);
            return;
        };
        assert_eq!(*file, format!("{}-1.sealed", record.call));
        let wav = self.place.file("listen.wav");
        let exported = match export(&self.place.data(), &record.call.to_string(), &wav) {
            Ok(exported) => exported,
            // Begun, and nothing was due to be written yet.
            Err(error) => return assert!(cut && !long, "{what}: {error}"),
        };
        let sides = channels(&wav);
        std::fs::remove_file(&wav).expect("an export is a file");
        if !cut && kill.is_none_or(|kill| kill.since(over) > LAST) {
            assert_eq!(exported.problems, [""; 0], "{what}: it was over");
            seen.whole += 1;
        }
        seen.cut += usize::from(cut && long);
        let calm = !self.ledger.pauses.iter().any(|(since, until)| *since <= end && end.since(*until) <= CALM);
        let agent = self.agents.iter().position(|agent| *agent == segment.agent).expect("an agent of the centre");
        let caller = self.ledger.callers.iter().find(|caller| caller.from == record.from.0).expect("a caller of the crowd's");
        for (side, own) in sides.iter().zip([caller.tone, agent]) {
            let packets = packets(side);
            assert!(packets.iter().all(|(_, tone)| *tone == Some(own)), "{what}: nobody else is heard on a side");
            if cut && long && calm {
                seen.lags.push(packets.last().map_or(end.since(from), |(last, _)| end.since(*last + 2 * PACKET)));
            }
        }
    }
}

/// The caller's side and the agent's.
fn channels(wav: &Path) -> [Vec<u8>; 2] {
    let mut wav = hound::WavReader::open(wav).expect("an export is a WAV");
    let samples: Vec<i16> = wav.samples::<i16>().map(|sample| sample.expect("a whole file")).collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).map(|sample| tone::encode(*sample)).collect())
}

/// When each packet was sent, and its tone.
fn packets(side: &[u8]) -> Vec<(Time, Option<usize>)> {
    let codes = side.windows(tone::SAMPLES).map(|codes| <&[u8; tone::SAMPLES]>::try_from(codes).expect("so long"));
    codes.filter_map(|codes| Some((stamp::read(codes)?, tone::recognise(codes)))).collect()
}
