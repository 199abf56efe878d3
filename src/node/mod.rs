//! Floor 4: the live loop. One thread owns the SIP endpoint, the legs and the core, so that a call passes through no lock and no queue
//! between them; media workers, the records' writer and HTTP have threads of their own and speak to it by channels.

mod centre;
mod clock;
mod codes;
mod explain;
mod headroom;
mod journal;
mod legs;
mod names;
mod outward;
mod pins;
pub mod recover;
mod reload;
mod settings;
mod sinks;
mod sound;
mod stations;
mod switchboard;
mod vigil;

pub use centre::Centre;
pub use reload::Reloaded;

use crate::acd::{Acd, Event, View};
use crate::config::Loaded;
use crate::media::{self, Library, Media};
use crate::metrics::{Edges, Metrics};
use crate::model::{CallId, LegId, Time};
use crate::sip::{self, Arrival, Endpoint, Lines, Random};
use crate::store::{MasterKey, Recorder, Store};
use headroom::Headroom;
use names::Names;
use reload::{InForce, Reload};
use sinks::Sinks;
use std::sync::Arc;
use std::time::{Duration, Instant};
use switchboard::{People, Switchboard};
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that may wait for the loop. Two seconds of the busiest media workers.
const INBOX: usize = 65_536;
/// Datagrams that are taken in one turn before timers and the inbox are looked at.
const BURST: usize = 64;
/// The view is built at most so often.
const VIEW_EVERY: Duration = Duration::from_millis(100);

/// Opening hours and midnights are renewed so often.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A node that stops stays so long for the answers to its BYEs: two retransmissions.
const FAREWELL: Duration = Duration::from_millis(1600);
/// And so long at most until the registrars at which we are have forgotten us.
const LEAVE: Duration = Duration::from_secs(2);
/// The core's state is checked against its own rules so often.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// With more calls alive than this the check would hold the line up: it waits for a quieter moment.
const CHECK_CALLS: usize = 1_000;

/// What other threads send to the loop.
pub(crate) enum Message {
    Event(Event),
    /// A question to the core; it cannot change it.
    Ask(Question),
    /// Another configuration.
    Reload(Box<Reload>),
    /// Where names lead now.
    Names(names::Addresses),
    /// No new calls from now on; those alive go on.
    Drain,
    /// Ends every leg, closes every record, and says so.
    Stop(oneshot::Sender<()>),
}

/// What may be looked at on the signalling thread.
pub(crate) type Question = Box<dyn FnOnce(&Acd, Time, Edges) + Send>;

/// Starts a centre: binds its ports, opens its store, logs nobody in. Every error names what could not be had.
pub fn start(loaded: Loaded) -> Result<Centre, String> {
    let library = Library::load(&loaded.server.prompts_dir).map_err(|problems| problems.join("\n"))?;
    let key = MasterKey::find(None, &loaded.server.data_dir)?;
    let mut store = Store::open(&loaded.server.data_dir, &key, &loaded.centre)?;
    let (loaded, start) = recover::resume(loaded, &key, &mut store)?;
    let (server, centre) = (loaded.server.clone(), loaded.centre.clone());
    let recorder = Recorder::start(&server.data_dir, &key)?;
    let metrics = Arc::new(Metrics::new(&centre));
    metrics.configured(crate::config::now());
    let (configs, config) = watch::channel(Arc::new(InForce { loaded: loaded.clone(), centre: Arc::new(centre.clone()) }));
    let (inbox, messages) = mpsc::channel(INBOX);
    let (views, view) = watch::channel(Arc::new(View::default()));
    // Not bounded: each event answers something that the loop asked for, or is one key of one leg; losing one would leave a caller stuck.
    let (events, heard) = mpsc::unbounded_channel();
    let report = move |event| {
        // Fails only when the loop has ended.
        let _ = events.send(event);
    };
    let no_media = |error: &dyn std::fmt::Display| format!("media on {:?}: {error}", server.media.addresses);
    let mut media = Media::start(settings::media(&server), Arc::new(library), report).map_err(|error| no_media(&error))?;
    // Better now than at the first caller.
    for address in &server.media.addresses {
        media.open_towards(CallId(0), LegId(0), *address).map_err(|error| no_media(&error))?;
        media.close(LegId(0));
    }
    let (bound, ready) = std::sync::mpsc::sync_channel(1);
    let sinks = Sinks::new(store, metrics.clone());
    let people = People {
        ready_on_register: settings::ready_on_register(&server),
        pins: pins::Pins::new(settings::pins(&server)),
        codes: server.codes.clone(),
        outward: server.outward.clone(),
        headroom: Headroom::new(server.memory_reserve),
    };
    let (listen, transports, streams) = (server.sip.listen.clone(), settings::transports(&server), settings::streams(&server));
    let mut endpoint = Endpoint::new(settings::sip(&server, &centre), Random::system());
    let names = Names::start(inbox.downgrade(), settings::names(&server))?;
    let thread = std::thread::Builder::new()
        .name("signalling".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for one thread");
            runtime.block_on(async move {
                let lines = match Lines::bind(&listen, transports, streams) {
                    Ok(lines) => lines,
                    Err(error) => {
                        let _ = bound.send(Err(format!("SIP on {error}")));
                        return;
                    }
                };
                endpoint.listen(lines.locals().to_vec());
                let _ = bound.send(Ok(lines.locals()[0]));
                let board = Switchboard::new(start, endpoint, media, sinks, recorder, people);
                let now = Instant::now();
                let own =
                    Loop { configs, board, lines, names, messages, heard, views, shown: now, changed: true, renewed: now, checked: now };
                own.run().await;
            });
        })
        .map_err(|error| format!("thread: {error}"))?;
    let sip = ready.recv().map_err(|_| "the signalling thread ended at its start".to_string())??;
    let token = &server.http.token.0;
    Centre::open((server.http.listen, token), config, (inbox, view), metrics, (sip, thread))
}

struct Loop {
    /// What is in force.
    configs: watch::Sender<Arc<InForce>>,
    board: Switchboard,
    lines: Lines,
    names: Names,
    messages: mpsc::Receiver<Message>,
    heard: mpsc::UnboundedReceiver<media::Event>,
    views: watch::Sender<Arc<View>>,
    shown: Instant,
    changed: bool,
    renewed: Instant,
    checked: Instant,
}

impl Loop {
    async fn run(mut self) {
        let mut room = vec![0; sip::transport::DATAGRAM_MAX];
        loop {
            let nap = self.nap();
            tokio::select! {
                arrival = self.lines.next(&mut room) => self.arrived(arrival, &mut room),
                Some(event) = self.heard.recv() => {
                    self.board.heard(event, &mut |flow, bytes| self.lines.send(flow, bytes));
                    self.changed = true;
                }
                message = self.messages.recv() => match message {
                    Some(Message::Stop(done)) => return self.stop(done).await,
                    Some(message) => self.message(message),
                    None => return,
                },
                () = tokio::time::sleep(nap) => {}
            }
            self.changed |= self.board.tick(&mut |flow, bytes| self.lines.send(flow, bytes));
            self.hang_up_lines();
            self.keep_house();
            self.show();
        }
    }

    /// Until the next timer, or the next view.
    fn nap(&self) -> Duration {
        let timer = self.board.next_wake().map_or(Duration::from_secs(1), |at| self.board.clock.until(at));
        let view = if self.changed { VIEW_EVERY.saturating_sub(self.shown.elapsed()) } else { Duration::MAX };
        timer.min(view)
    }

    fn arrived(&mut self, arrival: Arrival, room: &mut [u8]) {
        match arrival {
            Arrival::Datagram(flow, length) => self.burst(flow, length, room),
            Arrival::Message(flow, bytes) => self.board.message(flow, &bytes, &mut |flow, bytes: &[u8]| self.lines.send(flow, bytes)),
            Arrival::Closed(flow) => self.board.closed(flow, &mut |flow, bytes: &[u8]| self.lines.send(flow, bytes)),
            Arrival::Failed(error) => tracing::error!(%error, "a SIP socket"),
        }
        self.changed = true;
    }

    fn burst(&mut self, first: sip::Flow, length: usize, room: &mut [u8]) {
        self.board.message(first, &room[..length], &mut |flow, bytes: &[u8]| self.lines.send(flow, bytes));
        for _ in 1..BURST {
            let Some((flow, length)) = self.lines.try_receive(room) else { break };
            self.board.message(flow, &room[..length], &mut |flow, bytes: &[u8]| self.lines.send(flow, bytes));
        }
    }

    fn message(&mut self, message: Message) {
        let send = &mut |flow, bytes: &[u8]| self.lines.send(flow, bytes);
        match message {
            Message::Event(event) => self.board.event(event, send),
            Message::Ask(question) => return question(&self.board.core, self.board.clock.now(), self.board.edges(self.messages.len())),
            Message::Reload(reload) => self.reload(*reload),
            Message::Names(addresses) => {
                self.board.endpoint.set_trunks(settings::trunks(&self.configs.borrow().loaded.server, &addresses));
                self.names.known = addresses;
            }
            Message::Drain => self.board.endpoint.drain(),
            Message::Stop(_) => unreachable!("stopping ends the loop"),
        }
        self.changed = true;
    }

    /// Closes the connections that cannot be understood any more; what was said to them before is still sent.
    fn hang_up_lines(&mut self) {
        for flow in self.board.closing.drain(..) {
            self.lines.close(flow);
        }
    }

    /// What must be done now and then, whoever calls.
    fn keep_house(&mut self) {
        if self.checked.elapsed() >= CHECK_EVERY && self.board.core.calls_alive() <= CHECK_CALLS {
            self.checked = Instant::now();
            self.board.check();
        }
        if self.renewed.elapsed() >= RENEW_EVERY {
            self.renewed = Instant::now();
            let loaded = self.configs.borrow().loaded.clone();
            let now = self.board.clock.now();
            let centre = loaded.renewed(now);
            self.board.book.configured(now, None);
            self.board.event(Event::ConfigChanged(Box::new(centre)), &mut |flow, bytes| self.lines.send(flow, bytes));
            self.in_force(loaded);
        }
    }

    fn reload(&mut self, reload: Reload) {
        let Reload { loaded, mut sip, library, taken } = reload;
        sip.trunks = settings::trunks(&loaded.server, &self.names.known);
        self.names.want(settings::names(&loaded.server));
        self.lines.set_limits(settings::streams(&loaded.server));
        self.board.reconfigure(&loaded, sip, library, &mut |flow, bytes| self.lines.send(flow, bytes));
        self.in_force(loaded);
        // Whoever asked may have gone.
        let _ = taken.send(());
    }

    /// Tells the other threads what is in force now.
    fn in_force(&self, loaded: Loaded) {
        let centre = Arc::new(self.board.core.config().clone());
        self.configs.send_replace(Arc::new(InForce { loaded, centre }));
    }

    fn show(&mut self) {
        if self.changed && self.shown.elapsed() >= VIEW_EVERY {
            self.views.send_replace(Arc::new(self.board.core.view(self.board.clock.now())));
            (self.shown, self.changed) = (Instant::now(), false);
        }
    }

    /// Ends every call, waits until what was said has been answered or said again, and writes the last record.
    async fn stop(mut self, done: oneshot::Sender<()>) {
        let anybody = self.board.end_all(&mut |flow, bytes| self.lines.send(flow, bytes));
        let leaves = self.board.leave_trunks(&mut |flow, bytes| self.lines.send(flow, bytes));
        let mut room = vec![0; sip::transport::DATAGRAM_MAX];
        let begun = Instant::now();
        let farewell = begun + if anybody { FAREWELL } else { Duration::ZERO };
        let end = if leaves { farewell.max(begun + LEAVE) } else { farewell };
        while Instant::now() < farewell || self.board.endpoint.is_leaving() && Instant::now() < end {
            let nap = self.nap().min(end.saturating_duration_since(Instant::now()));
            if let Ok(arrival) = tokio::time::timeout(nap, self.lines.next(&mut room)).await {
                self.arrived(arrival, &mut room);
            }
            self.board.tick(&mut |flow, bytes| self.lines.send(flow, bytes));
        }
        self.views.send_replace(Arc::new(self.board.core.view(self.board.clock.now())));
        self.board.finish(&mut self.heard);
        let _ = done.send(());
    }
}
