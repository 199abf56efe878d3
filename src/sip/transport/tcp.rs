//! SIP over TCP: one table of connections, accepted and opened; a task for each, which never makes the driver wait.

use super::framer::{Framer, Piece};
use crate::sip::api::{Flow, Streams, Transport, source_of};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// Messages that may wait for one connection to take them; then it reads too slowly to be served.
const QUEUE: usize = 256;
/// Messages that all connections together may hold for the driver; then they are read no further.
const INBOX: usize = 256;
/// A peer that takes nothing for so long is gone.
const STALL: Duration = Duration::from_secs(10);
/// How long a connection may take to open.
const OPENING: Duration = Duration::from_secs(3);
const BACKLOG: i32 = 1024;
/// A connection is read so much at a time, at least.
const READ: usize = 4096;

/// What a connection has to say.
#[derive(Debug)]
pub enum Said {
    Message(Flow, Vec<u8>),
    /// It is gone, or could not be opened.
    Closed(Flow),
}

/// What its task tells, with the connection's number: a later one of the same addresses is another.
type Told = (u64, Said);

#[derive(Debug)]
struct Connection {
    id: u64,
    queue: mpsc::Sender<Arc<[u8]>>,
    task: AbortHandle,
}

#[derive(Debug)]
pub struct Tcp {
    listeners: Vec<(TcpListener, SocketAddr)>,
    table: HashMap<Flow, Connection>,
    per_source: BTreeMap<IpAddr, usize>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    /// Closed by us, to be said yet.
    dropped: Vec<Flow>,
    limits: Streams,
    last_id: u64,
}

impl Tcp {
    /// Wants a tokio runtime, of which one thread polls this.
    pub fn new(limits: Streams) -> Tcp {
        let (tell, told) = mpsc::channel(INBOX);
        let (listeners, table, per_source) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Tcp { listeners, table, per_source, tell, told, dropped: Vec::new(), limits, last_id: 0 }
    }

    /// Listens on `local` alone: a port that is taken is an error.
    pub fn listen(&mut self, local: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        self.listeners.push((listener, local));
        Ok(local)
    }

    pub fn connections(&self) -> usize {
        self.table.len()
    }

    pub fn set_limits(&mut self, limits: Streams) {
        self.limits = limits;
    }

    /// What comes next; new connections are taken on the way. Ready as long as there is anything.
    pub fn poll_next(&mut self, context: &mut Context) -> Poll<Said> {
        for at in 0..self.listeners.len() {
            // An error concerns one connection that is gone already, or our own shortage, which a timer's turn looks at again.
            while let Poll::Ready(Ok((stream, remote))) = self.listeners[at].0.poll_accept(context) {
                let local = self.listeners[at].1;
                self.accept(Flow { local, remote, transport: Transport::Tcp }, stream);
            }
        }
        if let Some(flow) = self.dropped.pop() {
            return Poll::Ready(Said::Closed(flow));
        }
        while let Poll::Ready(Some((id, said))) = self.told.poll_recv(context) {
            let (Said::Message(flow, _) | Said::Closed(flow)) = &said;
            let known = self.table.get(flow).is_some_and(|connection| connection.id == id);
            if known && matches!(said, Said::Closed(_)) {
                self.forget(flow);
            }
            if known {
                return Poll::Ready(said);
            }
        }
        Poll::Pending
    }

    fn accept(&mut self, flow: Flow, stream: TcpStream) {
        let source = source_of(flow.remote.ip());
        if self.table.len() < self.limits.connections && self.per_source.get(&source).copied().unwrap_or(0) < self.limits.per_source {
            self.start(flow, async move { Ok(stream) });
        }
    }

    fn start(&mut self, flow: Flow, stream: impl Future<Output = io::Result<TcpStream>> + Send + 'static) -> &Connection {
        self.forget(&flow);
        self.last_id += 1;
        let (id, limits, tell) = (self.last_id, self.limits, self.tell.clone());
        let (queue, queued) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            if let Ok(stream) = stream.await {
                Line { id, flow, limits, tell: tell.clone() }.serve(stream, queued).await;
            }
            // Fails only when the driver has ended.
            let _ = tell.send((id, Said::Closed(flow))).await;
        });
        *self.per_source.entry(source_of(flow.remote.ip())).or_insert(0) += 1;
        self.table.entry(flow).insert_entry(Connection { id, queue, task: task.abort_handle() }).into_mut()
    }

    /// Takes a connection out of the table. Its task writes what is queued and ends.
    fn forget(&mut self, flow: &Flow) -> Option<Connection> {
        let connection = self.table.remove(flow)?;
        let source = source_of(flow.remote.ip());
        let count = self.per_source.get_mut(&source).expect("every connection is counted");
        *count -= 1;
        if *count == 0 {
            self.per_source.remove(&source);
        }
        Some(connection)
    }

    /// Queues a message. A request opens a connection where there is none; a response whose connection is gone has nobody to go to.
    pub fn send(&mut self, flow: Flow, bytes: &[u8]) {
        let known = self.table.get(&flow);
        let connection = match known {
            Some(connection) => connection,
            None if bytes.starts_with(b"SIP/2.0 ") => return,
            None if self.table.len() >= self.limits.connections => return self.dropped.push(flow),
            None => self.start(flow, open(flow)),
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = connection.queue.try_send(bytes.into()) {
            tracing::warn!("a connection that does not read is closed");
            connection.task.abort();
            self.forget(&flow);
            self.dropped.push(flow);
        }
    }

    /// Closes a connection once it has taken what is queued for it.
    pub fn close(&mut self, flow: Flow) {
        if self.forget(&flow).is_some() {
            self.dropped.push(flow);
        }
    }
}

async fn open(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The peer knows us by our address.
    socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    timeout(OPENING, socket.connect(flow.remote)).await?
}

/// One connection's task.
struct Line {
    id: u64,
    flow: Flow,
    limits: Streams,
    tell: mpsc::Sender<Told>,
}

impl Line {
    /// Until the peer goes, or the table lets go of it; then what is queued is still written.
    async fn serve(&self, stream: TcpStream, queued: mpsc::Receiver<Arc<[u8]>>) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let (reading, writing) = stream.into_split();
        let (pings, pinged) = mpsc::channel(1);
        let writer = write(writing, queued, pinged);
        tokio::pin!(writer);
        tokio::select! {
            () = &mut writer => {}
            () = self.read(reading, pings) => {
                // The driver lets go at this word, and has answered what came before it.
                let _ = self.tell.send((self.id, Said::Closed(self.flow))).await;
                writer.await;
            }
        }
    }

    /// Until the stream ends, cannot be framed, or the peer is silent for too long.
    async fn read(&self, mut stream: OwnedReadHalf, pings: mpsc::Sender<()>) {
        let mut framer = Framer::new(self.limits.message, self.limits.headers);
        let mut begun: Option<Instant> = None;
        loop {
            while let Some(piece) = framer.next_piece() {
                begun = None;
                let (bytes, lost) = match piece {
                    Piece::Message(bytes) => (bytes, false),
                    Piece::Lost(bytes) => (bytes, true),
                    Piece::Ping => {
                        // One that waits already answers both.
                        let _ = pings.try_send(());
                        continue;
                    }
                };
                let told = self.tell.send((self.id, Said::Message(self.flow, bytes))).await;
                if lost || told.is_err() {
                    return;
                }
            }
            let end = match framer.is_inside() {
                true => *begun.get_or_insert_with(Instant::now) + self.limits.half,
                false => Instant::now() + self.limits.idle,
            };
            framer.room().reserve(READ);
            match timeout_at(end, stream.read_buf(framer.room())).await {
                Ok(Ok(1..)) => {}
                Err(_) if framer.is_inside() => {
                    // What is there gets an answer before we hang up.
                    let _ = self.tell.send((self.id, Said::Message(self.flow, framer.give_up()))).await;
                    return;
                }
                _ => return,
            }
        }
    }
}

/// Writes what is queued, until the queue is dropped and empty, or the peer takes nothing more.
async fn write(mut stream: OwnedWriteHalf, mut queued: mpsc::Receiver<Arc<[u8]>>, mut pinged: mpsc::Receiver<()>) {
    loop {
        let message = tokio::select! {
            biased;
            Some(()) = pinged.recv() => Some(Arc::from(&b"\r\n"[..])),
            message = queued.recv() => message,
        };
        let Some(message) = message else { break };
        if !matches!(timeout(STALL, stream.write_all(&message)).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = stream.shutdown().await;
}
