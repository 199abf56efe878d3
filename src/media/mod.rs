//! Floor 3: sound. A worker thread per core owns its calls' sockets and one clock of 20 ms; prompts and music are encoded once and shared;
//! a bridge forwards payloads as they came. Commands go in by channel, events come out by callback; nothing here waits for anybody.

pub mod codec;
mod command;
pub mod event;
mod homes;
mod keys;
pub mod library;
mod mix;
mod outbox;
mod player;
mod reception;
mod resample;
mod rota;
mod rtcp;
mod rtp;
mod sender;
mod session;
pub mod socket;
mod source;
pub mod tape;
mod tones;
mod worker;

pub use crate::leg::negotiate::{Agreed as Negotiated, Codec};
pub use event::{Event, Stats, Totals};
pub use library::Library;

use crate::model::{CallId, Hearing, LegId, OfferId, PlayId, Prompt};
use command::Command;
use homes::Homes;
use session::{Shared, Sockets};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use worker::Worker;

/// Where sound lives on this machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses that media sockets are bound to and SDP names: one, or one of IPv4 and one of IPv6.
    pub addresses: Vec<IpAddr>,
    /// Each leg takes an even port for RTP and the odd one above it for RTCP.
    pub ports: RangeInclusive<u16>,
    /// Threads; one for each processor core is right.
    pub workers: usize,
    /// So long without a packet of a party who should send is a silence worth telling.
    pub silence: Duration,
}

/// Why a leg can have no sound. None that is open suffers by it.
#[derive(Debug)]
pub enum OpenError {
    /// Every pair of ports is taken.
    OutOfPorts,
    /// The process may open no more files.
    OutOfFiles,
    /// The kernel would not give a socket.
    Socket(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::OutOfPorts => f.write_str("every media port is taken: widen media.ports"),
            OpenError::OutOfFiles => f.write_str("no more open files: raise LimitNOFILE (ulimit -n)"),
            OpenError::Socket(error) => write!(f, "no media socket: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The centre's sound. Dropping it closes every leg and ends the threads.
pub struct Media {
    addresses: Vec<IpAddr>,
    first_port: u16,
    /// Pairs of ports in the range.
    pairs: usize,
    /// Counts up, so that a port rests as long as it can before it is used again.
    next_pair: usize,
    library: Arc<Library>,
    workers: Vec<worker::Handle>,
    totals: Arc<Totals>,
    homes: Homes,
}

impl Media {
    /// Starts the workers. `events` is called on their threads and must not block. Raises the limit of open files as far as it goes.
    pub fn start(settings: Settings, library: Arc<Library>, events: impl Fn(Event) + Send + Sync + 'static) -> io::Result<Media> {
        let first_port = settings.ports.start().next_multiple_of(2);
        let pairs = (usize::from(*settings.ports.end()) + 1).saturating_sub(usize::from(first_port)) / 2;
        if pairs == 0 || settings.workers == 0 || settings.addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "media needs an address, a pair of ports and a worker"));
        }
        socket::raise_open_files()?;
        let events: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(events);
        let hold_music = library.track(library::DEFAULT_TRACK).cloned();
        let totals = Arc::new(Totals::default());
        let tones = tones::KEYS.chars().map(|key| (key, Arc::new(library::Sound::prompt(&tones::samples(key))))).collect();
        let shared = Arc::new(Shared { hold_music, tones, totals: totals.clone(), silence: settings.silence.as_micros() as u64 });
        let start = |index| Worker::start(index, shared.clone(), events.clone());
        let workers = (0..settings.workers).map(start).collect::<io::Result<Vec<_>>>()?;
        let homes = Homes::new(workers.len());
        Ok(Media { addresses: settings.addresses, first_port, pairs, next_pair: 0, library, workers, homes, totals })
    }

    /// Opens a leg's sockets at our first address, and gives the address of its RTP. Both legs of a call share a worker.
    pub fn open(&mut self, call: CallId, leg: LegId) -> Result<SocketAddr, OpenError> {
        self.open_towards(call, leg, self.addresses[0])
    }

    /// As [`Media::open`], at an address of the party's own family if we have one.
    pub fn open_towards(&mut self, call: CallId, leg: LegId, party: IpAddr) -> Result<SocketAddr, OpenError> {
        let own = self.addresses.iter().find(|address| address.is_ipv4() == party.to_canonical().is_ipv4());
        let (address, sockets) = self.bind(*own.unwrap_or(&self.addresses[0]))?;
        self.workers[self.homes.enter(call, leg)].send(Command::Open { call, leg, sockets });
        Ok(address)
    }

    /// What the leg's ends agreed on, first or anew. The party's address is learnt again: the one that it declared, or behind a
    /// translator one at `signalled`, where its signalling comes from.
    pub fn negotiate(&self, leg: LegId, negotiated: Negotiated, signalled: IpAddr) {
        self.send(leg, Command::Negotiate { leg, negotiated, signalled });
    }

    /// Plays these sounds from now on; what is being heard goes on to its end.
    pub fn set_library(&mut self, library: Arc<Library>) {
        let music = library.track(library::DEFAULT_TRACK);
        self.workers.iter().for_each(|worker| worker.send(Command::HoldMusic { track: music.cloned() }));
        self.library = library;
    }

    /// Plays prompts once, in this order, over all else that the leg hears. A play that goes on is replaced. A prompt that the library
    /// lacks is passed over, so that the caller is never stuck at it.
    pub fn play(&self, leg: LegId, play: PlayId, prompts: Vec<Prompt>) {
        let find = |prompt: &Prompt| {
            let sound = self.library.prompt(prompt).cloned();
            if sound.is_none() {
                tracing::error!(%leg, %prompt, "no such prompt: passed over");
            }
            sound
        };
        let sounds = prompts.iter().filter_map(find).collect();
        self.send(leg, Command::Play { leg, play, sounds });
    }

    /// Ends this play at once; another one that has replaced it goes on.
    pub fn stop_play(&self, leg: LegId, play: PlayId) {
        self.send(leg, Command::StopPlay { leg, play });
    }

    /// Music from the track's beginning, until stopped; heard while the leg hears nobody and nothing is played to it.
    pub fn start_music(&self, leg: LegId, track: &str) {
        match self.library.track(track) {
            Some(track) => self.send(leg, Command::StartMusic { leg, track: track.clone() }),
            None => tracing::error!(%leg, track, "no such music, nor {}.wav: silence", library::DEFAULT_TRACK),
        }
    }

    pub fn stop_music(&self, leg: LegId) {
        self.send(leg, Command::StopMusic { leg });
    }

    /// Who of a call hears whom; a leg without a row hears nobody. With an offer `Event::Joined` follows when it is in force.
    pub fn hear(&self, call: CallId, hearing: Hearing, offer: Option<OfferId>) {
        self.tell(self.homes.of_call(call), Command::Hear { call, hearing, offer });
    }

    /// Tapes what the legs of a call say to one another, the first on the left, until told to stop or until one of them closes. What is
    /// said to a party that holds is not taped.
    pub fn record(&self, call: CallId, sides: [LegId; 2], sink: Box<dyn tape::Sink>) {
        self.send(sides[0], Command::Record { call, sides, sink });
    }

    pub fn pause_recording(&self, call: CallId, paused: bool) {
        self.tell(self.homes.of_call(call), Command::PauseRecording { call, paused });
    }

    pub fn stop_recording(&self, call: CallId) {
        self.tell(self.homes.of_call(call), Command::StopRecording { call });
    }

    /// Closes the leg's sockets; `Event::Closed` follows. A leg that was never open is ignored.
    pub fn close(&mut self, leg: LegId) {
        if let Some(home) = self.homes.leave(leg) {
            self.workers[home].send(Command::Close { leg });
        }
    }

    /// Legs that are open.
    pub fn sessions(&self) -> usize {
        self.homes.legs()
    }

    /// Legs for which there are ports.
    pub fn room(&self) -> usize {
        self.pairs
    }

    /// Packets of all legs since the start, those that are open included.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn send(&self, leg: LegId, command: Command) {
        self.tell(self.homes.of_leg(leg), command);
    }

    fn tell(&self, home: Option<usize>, command: Command) {
        match home {
            Some(home) => self.workers[home].send(command),
            None => tracing::debug!("a command for legs that are closed"),
        }
    }

    /// The next free pair of ports. The kernel is the judge of what is free: others may use ports of the range too.
    fn bind(&mut self, address: IpAddr) -> Result<(SocketAddr, Sockets), OpenError> {
        if self.homes.legs() >= self.pairs {
            return Err(OpenError::OutOfPorts);
        }
        for _ in 0..self.pairs {
            let pair = self.next_pair;
            self.next_pair = (pair + 1) % self.pairs;
            let port = self.first_port + 2 * pair as u16;
            match socket::bind_pair(address, port) {
                Ok((rtp, rtcp)) => return Ok((SocketAddr::new(address, port), Sockets { rtp, rtcp })),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => return Err(OpenError::OutOfFiles),
                Err(error) => return Err(OpenError::Socket(error)),
            }
        }
        Err(OpenError::OutOfPorts)
    }
}

#[cfg(test)]
mod tests;
