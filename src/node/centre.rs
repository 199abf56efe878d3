//! A centre that runs, as its owner and the HTTP API see it.

use super::reload::{self, InForce, Reloaded};
use super::{Message, explain};
use crate::acd::{Acd, Config, Event, View};
use crate::api::{self, AgentAsk, Answer, Explanation};
use crate::config;
use crate::metrics::{Edges, Metrics};
use crate::model::{AgentId, CallId, Phi, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

/// A loop that has not answered for so long is dead, or as good as that.
const ALIVE: Duration = Duration::from_secs(2);
/// While calls are let end: how often they are counted, and how often the log says how many there are.
const DRAIN_LOOKS: Duration = Duration::from_millis(200);
const DRAIN_TELLS: Duration = Duration::from_secs(5);

/// A running centre. Dropped without [`Centre::stop`] it goes on until the process ends.
pub struct Centre {
    door: Arc<Door>,
    sip: SocketAddr,
    http: SocketAddr,
    signalling: JoinHandle<()>,
    web: JoinHandle<()>,
    close_web: oneshot::Sender<()>,
}

/// What other threads hold of a centre.
struct Door {
    inbox: mpsc::Sender<Message>,
    view: watch::Receiver<Arc<View>>,
    metrics: Arc<Metrics>,
    config: watch::Receiver<Arc<InForce>>,
    draining: AtomicBool,
    /// Held by whoever reloads.
    reloading: Mutex<()>,
}

impl Centre {
    pub(super) fn open(
        (http, token): (SocketAddr, &str),
        config: watch::Receiver<Arc<InForce>>,
        (inbox, view): (mpsc::Sender<Message>, watch::Receiver<Arc<View>>),
        metrics: Arc<Metrics>,
        (sip, signalling): (SocketAddr, JoinHandle<()>),
    ) -> Result<Centre, String> {
        let door = Arc::new(Door { inbox, view, metrics, config, draining: AtomicBool::new(false), reloading: Mutex::new(()) });
        let (close_web, closed) = oneshot::channel();
        let (bound, ready) = std::sync::mpsc::sync_channel(1);
        let (backend, token) = (door.clone(), token.to_string());
        let web = std::thread::Builder::new().name("http".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for one thread");
            runtime.block_on(async move {
                let listener = match api::bind(http).await {
                    Ok(listener) => listener,
                    Err(error) => return drop(bound.send(Err(error))),
                };
                let address = listener.local_addr().map_err(|error| error.to_string());
                let _ = bound.send(address);
                let shutdown = async move { drop(closed.await) };
                if let Err(error) = api::serve(listener, &token, backend, shutdown).await {
                    tracing::error!(%error, "HTTP");
                }
            });
        });
        let web = web.map_err(|error| format!("thread: {error}"))?;
        let http = ready.recv().map_err(|_| "the HTTP thread ended at its start".to_string())??;
        Ok(Centre { door, sip, http, signalling, web, close_web })
    }

    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub fn http(&self) -> SocketAddr {
        self.http
    }

    pub fn config(&self) -> Arc<Config> {
        self.door.in_force().centre.clone()
    }

    /// The newest view; it changes at most every 100 ms.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.door.view.clone()
    }

    /// The figures at this moment, in Prometheus' text format; `None` if the centre has ended.
    pub async fn metrics(&self) -> Option<String> {
        self.door.scrape().await
    }

    /// Reads the configuration again and takes it, without losing a call, a place or a count; or all that is wrong with it, and nothing
    /// is changed. What came of it is logged and counted.
    pub async fn reload(&self) -> Result<Reloaded, Vec<String>> {
        self.door.reload().await
    }

    /// Takes no new calls, and waits until those alive have ended, or for as long as the configuration says.
    pub async fn drain(&self) {
        self.door.drain().await;
    }

    /// Tells the core something.
    pub fn send(&self, event: Event) -> Result<(), String> {
        self.door.send(event)
    }

    /// Asks the core something.
    pub async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&Acd, Time) -> T + Send + 'static) -> Option<T> {
        self.door.ask(|core, now, _| question(core, now)).await
    }

    /// Waits until the signalling thread is gone without having been told to: a bug has ended it, and the centre takes no more calls.
    pub async fn died(&self) {
        self.door.inbox.closed().await;
    }

    /// Ends every leg and closes every record; the store is complete when this returns.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        if self.door.inbox.send(Message::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
        let _ = self.close_web.send(());
        let (signalling, web) = (self.signalling, self.web);
        let joined = tokio::task::spawn_blocking(move || (signalling.join(), web.join())).await;
        if !matches!(joined, Ok((Ok(()), Ok(())))) {
            tracing::error!("a thread of the centre panicked");
        }
    }
}

impl Door {
    fn send(&self, event: Event) -> Result<(), String> {
        self.inbox.try_send(Message::Event(event)).map_err(|_| "the centre is too busy, or stopping: try again".to_string())
    }

    async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&Acd, Time, Edges) -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let question = Box::new(move |core: &Acd, now, edges: Edges| drop(reply.send(question(core, now, edges))));
        self.inbox.send(Message::Ask(question)).await.ok()?;
        answer.await.ok()
    }

    async fn scrape(&self) -> Option<String> {
        let (view, now, edges) = self.ask(|core, now, edges| (core.view(now), now, edges)).await?;
        Some(self.metrics.render(&self.in_force().centre, &view, now, &edges))
    }

    fn in_force(&self) -> Arc<InForce> {
        self.config.borrow().clone()
    }

    async fn reload(&self) -> Result<Reloaded, Vec<String>> {
        let Ok(_alone) = self.reloading.try_lock() else { return Err(vec!["a reload is under way".to_string()]) };
        let result = self.reload_alone().await;
        self.metrics.reloaded(result.is_ok(), config::now());
        match &result {
            Ok(Reloaded { diff, kept }) => {
                tracing::info!(%diff, "configuration reloaded");
                if !kept.is_empty() {
                    tracing::warn!(settings = kept.join(", "), "these take effect when the centre is started anew");
                }
            }
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!(problem, "configuration refused"));
                tracing::error!(problems = problems.len(), "the configuration in force goes on");
            }
        }
        result
    }

    async fn reload_alone(&self) -> Result<Reloaded, Vec<String>> {
        let in_force = self.in_force();
        let (taken, done) = oneshot::channel();
        let read = tokio::task::spawn_blocking(move || reload::read(&in_force.loaded, taken)).await;
        let (reload, reloaded) = read.map_err(|error| vec![format!("reading the configuration: {error}")])??;
        let gone = |_| vec!["the centre has ended".to_string()];
        self.inbox.send(Message::Reload(Box::new(reload))).await.map_err(|_| gone(()))?;
        done.await.map_err(|_| gone(()))?;
        Ok(reloaded)
    }

    async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let patience = self.in_force().loaded.server.drain;
        let end = Instant::now() + patience;
        let (mut told, mut told_at) = (0, end);
        if self.inbox.send(Message::Drain).await.is_err() {
            return;
        }
        while let Some(legs) = self.ask(|_, _, edges| edges.media_sessions).await {
            let left = end.saturating_duration_since(Instant::now());
            if legs == 0 || left.is_zero() {
                return tracing::info!(legs, "drained");
            }
            if legs != told && told_at.saturating_duration_since(Instant::now()) + DRAIN_TELLS >= left {
                tracing::info!(legs, seconds = left.as_secs(), "draining: no new calls, those alive go on for so long at most");
                (told, told_at) = (legs, Instant::now());
            }
            tokio::time::sleep(DRAIN_LOOKS.min(left)).await;
        }
    }
}

impl api::Backend for Door {
    fn metrics(&self) -> Answer<'_, Option<String>> {
        Box::pin(self.scrape())
    }

    fn alive(&self) -> Answer<'_, bool> {
        Box::pin(async { matches!(tokio::time::timeout(ALIVE, Door::ask(self, |_, _, _| ())).await, Ok(Some(()))) })
    }

    fn ready(&self) -> Result<(), String> {
        match (self.inbox.is_closed(), self.draining.load(Ordering::Relaxed)) {
            (true, _) => Err("the centre has stopped".to_string()),
            (_, true) => Err("the centre is draining: it takes no new calls".to_string()),
            _ => Ok(()),
        }
    }

    fn reload(&self) -> Answer<'_, Result<api::Reloaded, Vec<String>>> {
        Box::pin(async {
            let Reloaded { diff, kept } = Door::reload(self).await?;
            let needs_restart = kept.into_iter().map(String::from).collect();
            Ok(api::Reloaded { added: diff.added, removed: diff.removed, changed: diff.changed, needs_restart })
        })
    }

    fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    fn config(&self) -> Arc<Config> {
        self.in_force().centre.clone()
    }

    fn ask(&self, agent: AgentId, asked: AgentAsk) -> Result<(), String> {
        self.send(match asked {
            AgentAsk::Ready => Event::AgentReady { agent },
            AgentAsk::EndWrapUp { code } => {
                self.send(Event::WrapUpDone { agent, code: code.map(Phi) })?;
                Event::AgentReady { agent }
            }
            AgentAsk::ExtendWrapUp(by) => Event::WrapUpExtended { agent, by },
            AgentAsk::NotReady(reason) => Event::AgentNotReady { agent, reason },
            AgentAsk::LogOut => Event::AgentLoggedOut { agent },
        })
    }

    fn why_waiting(&self, call: CallId) -> Answer<'_, Option<Explanation>> {
        Box::pin(async move {
            let (why, now) = Door::ask(self, move |core, now, _| (core.why_waiting(call), now)).await?;
            why.map(|why| explain::waiting(&why, &self.in_force().centre, now))
        })
    }

    fn why_idle(&self, agent: AgentId) -> Answer<'_, Option<Explanation>> {
        Box::pin(async move {
            let (why, now) = Door::ask(self, move |core, now, _| (core.why_idle(agent), now)).await?;
            why.map(|why| explain::idle(&why, &self.in_force().centre, now))
        })
    }
}
