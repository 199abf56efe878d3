//! A media worker: one thread, its sessions, their sockets and one clock.

use super::event::Event;
use super::library::Sound;
use super::socket::{Poller, Waker};
use crate::leg::negotiate::Agreed;
use crate::model::{CallId, Hearing, LegId, OfferId, PlayId};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

/// A leg's two sockets.
pub struct Sockets {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

/// What `Media` asks of a worker, in the order asked.
pub enum Command {
    Open { call: CallId, leg: LegId, sockets: Sockets },
    Negotiate { leg: LegId, negotiated: Agreed },
    Play { leg: LegId, play: PlayId, sounds: Vec<Arc<Sound>> },
    StopPlay { leg: LegId, play: PlayId },
    StartMusic { leg: LegId, track: Arc<Sound> },
    StopMusic { leg: LegId },
    Hear { call: CallId, hearing: Hearing, offer: Option<OfferId> },
    Close { leg: LegId },
    Stop,
}

/// The outside's end of a worker. Dropping it ends the thread.
pub struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    pub fn send(&self, command: Command) {
        // A worker ends only when its handle is dropped; a panic within it ends one session.
        if self.commands.send(command).is_err() {
            tracing::error!("a media worker is gone");
        }
        self.waker.wake();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub struct Worker {
    commands: Receiver<Command>,
    waker: Arc<Waker>,
    poller: Poller,
    events: Arc<dyn Fn(Event) + Send + Sync>,
}

impl Worker {
    pub fn start(index: usize, _music: Option<Arc<Sound>>, events: Arc<dyn Fn(Event) + Send + Sync>) -> io::Result<Handle> {
        let (sender, commands) = mpsc::channel();
        let waker = Arc::new(Waker::new()?);
        let poller = Poller::new(128)?;
        poller.add(&*waker, u64::MAX)?;
        let mut worker = Worker { commands, waker: waker.clone(), poller, events };
        let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || worker.run())?;
        Ok(Handle { commands: sender, waker, thread: Some(thread) })
    }

    fn run(&mut self) {
        loop {
            self.poller.wait(None);
            self.waker.clear();
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Command::Stop => return,
                    Command::Close { leg } => (self.events)(Event::Closed { leg, stats: super::event::Stats::default() }),
                    _ => {}
                }
            }
        }
    }
}
