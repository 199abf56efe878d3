//! A centre that runs, as its owner and the HTTP API see it.

use super::{Message, explain};
use crate::acd::{Acd, Config, Event, View};
use crate::api::{self, AgentAsk, Answer, Explanation};
use crate::metrics::{Edges, Metrics};
use crate::model::{AgentId, CallId, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

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
    config: Arc<Config>,
}

impl Centre {
    pub(super) fn open(
        (http, token): (SocketAddr, &str),
        config: Arc<Config>,
        (inbox, view): (mpsc::Sender<Message>, watch::Receiver<Arc<View>>),
        metrics: Arc<Metrics>,
        (sip, signalling): (SocketAddr, JoinHandle<()>),
    ) -> Result<Centre, String> {
        let door = Arc::new(Door { inbox, view, metrics, config });
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
        self.door.config.clone()
    }

    /// The newest view; it changes at most every 100 ms.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.door.view.clone()
    }

    /// The figures at this moment, in Prometheus' text format.
    pub async fn metrics(&self) -> String {
        self.door.scrape().await
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

    async fn scrape(&self) -> String {
        match self.ask(|core, now, edges| (core.view(now), now, edges)).await {
            Some((view, now, edges)) => self.metrics.render(&self.config, &view, now, &edges),
            None => String::new(),
        }
    }
}

impl api::Backend for Door {
    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(self.scrape())
    }

    fn ready(&self) -> Result<(), String> {
        if self.inbox.is_closed() { Err("the centre is stopping".to_string()) } else { Ok(()) }
    }

    fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    fn config(&self) -> Arc<Config> {
        self.config.clone()
    }

    fn ask(&self, agent: AgentId, asked: AgentAsk) -> Result<(), String> {
        self.send(match asked {
            AgentAsk::Ready => Event::AgentReady { agent },
            AgentAsk::EndWrapUp { code } => {
                self.send(Event::WrapUpDone { agent, code })?;
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
            why.map(|why| explain::waiting(&why, &self.config, now))
        })
    }

    fn why_idle(&self, agent: AgentId) -> Answer<'_, Option<Explanation>> {
        Box::pin(async move {
            let (why, now) = Door::ask(self, move |core, now, _| (core.why_idle(agent), now)).await?;
            why.map(|why| explain::idle(&why, &self.config, now))
        })
    }
}
