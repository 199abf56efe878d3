//! What the machine itself costs: the same packets moved by bare loops over as many sockets, in microseconds of processor time.

use careline::media::socket::Poller;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PACKET: usize = 172;
const SLOT: Duration = Duration::from_millis(1);

/// A thread that goes on until it is told to stop.
struct Thread {
    stop: Arc<AtomicBool>,
    name: &'static str,
    thread: JoinHandle<()>,
}

impl Thread {
    fn start(name: &'static str, mut turn: impl FnMut() + Send + 'static) -> Thread {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            while !stopped.load(Ordering::Relaxed) {
                turn();
            }
        };
        Thread { stop, name, thread: std::thread::Builder::new().name(name.into()).spawn(work).expect("a thread") }
    }

    /// Processor time that it has had.
    fn time(&self) -> Duration {
        for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
            if read("comm").trim() == self.name {
                let nanoseconds = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok());
                return Duration::from_nanos(nanoseconds.expect("schedstat begins with nanoseconds"));
            }
        }
        panic!("no thread {}", self.name);
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a bare loop ends well");
    }
}

fn sockets(count: usize, address: [u8; 4]) -> Vec<UdpSocket> {
    let bind = |_| {
        let socket = UdpSocket::bind((IpAddr::from(address), 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket can be made so");
        socket
    };
    (0..count).map(bind).collect()
}

fn addresses(sockets: &[UdpSocket]) -> Vec<SocketAddr> {
    sockets.iter().map(|socket| socket.local_addr().expect("bound")).collect()
}

fn watch(sockets: &[UdpSocket]) -> Poller {
    let poller = Poller::new(64).expect("epoll");
    for (index, socket) in sockets.iter().enumerate() {
        poller.add(socket, index as u64).expect("epoll takes it");
    }
    poller
}

/// Listeners who count what they hear.
fn ears(sockets: Vec<UdpSocket>) -> (Thread, Arc<AtomicU64>) {
    let heard = Arc::new(AtomicU64::new(0));
    let (count, mut poller, mut buffer) = (heard.clone(), watch(&sockets), [0; 1500]);
    let listen = move || {
        for ready in 0..poller.wait(Some(Duration::from_millis(50))) {
            let socket = &sockets[poller.token(ready) as usize];
            count.fetch_add(u64::from(socket.recv(&mut buffer).is_ok()), Ordering::Relaxed);
        }
    };
    (Thread::start("ears", listen), heard)
}

/// Sends a packet from each socket every 20 ms, in slots of a millisecond.
fn sender(name: &'static str, from: Vec<UdpSocket>, to: Vec<SocketAddr>) -> Thread {
    let (mut poller, packet, began, mut slot) = (Poller::new(1).expect("epoll"), [0; PACKET], Instant::now(), 0u32);
    Thread::start(name, move || {
        for index in (slot as usize % 20..from.len()).step_by(20) {
            let _ = from[index].send_to(&packet, to[index]);
        }
        slot += 1;
        poller.wait(Some((SLOT * slot).saturating_sub(began.elapsed())));
    })
}

/// Processor time of a thread for each packet heard in the span.
fn cost(of: &Thread, heard: &AtomicU64, span: Duration) -> f64 {
    let pause = |span: Duration| {
        let (_keep, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(span);
    };
    pause(Duration::from_millis(300));
    let (time, before) = (of.time(), heard.load(Ordering::Relaxed));
    pause(span);
    let (time, packets) = (of.time() - time, heard.load(Ordering::Relaxed) - before);
    time.as_secs_f64() * 1e6 / packets as f64
}

/// A packet of music: a bare send from one of so many sockets.
pub fn music(streams: usize, span: Duration) -> f64 {
    let ends = sockets(streams, [127, 62, 1, 2]);
    let to = addresses(&ends);
    let sender = sender("bare-send", sockets(streams, [127, 62, 1, 1]), to);
    let (ears, heard) = ears(ends);
    let micros = cost(&sender, &heard, span);
    sender.end();
    ears.end();
    micros
}

/// A packet forwarded between the two parties of so many calls: wait, receive, send.
pub fn forward(calls: usize, span: Duration) -> f64 {
    let ends = sockets(2 * calls, [127, 62, 2, 2]);
    let between = sockets(2 * calls, [127, 62, 2, 1]);
    let (to, back) = (addresses(&between), addresses(&ends));
    let (mut poller, mut buffer) = (watch(&between), [0; 1500]);
    let pass = Thread::start("bare-pass", move || {
        for ready in 0..poller.wait(Some(Duration::from_millis(50))) {
            let (from, other) = (poller.token(ready) as usize, poller.token(ready) as usize ^ 1);
            if let Ok((length, _)) = between[from].recv_from(&mut buffer) {
                let _ = between[other].send_to(&buffer[..length], back[other]);
            }
        }
    });
    let talkers: Vec<UdpSocket> = ends.iter().map(|end| end.try_clone().expect("a clone")).collect();
    let talk = sender("talk", talkers, to);
    let (ears, heard) = ears(ends);
    let micros = cost(&pass, &heard, span);
    for thread in [talk, pass, ears] {
        thread.end();
    }
    micros
}

/// One message received and one sent by a bare echo, each time woken for it.
pub fn exchange(bytes: usize, rounds: usize) -> f64 {
    let echo = UdpSocket::bind("127.62.3.1:0").expect("a free port");
    echo.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
    let to = echo.local_addr().expect("bound");
    let mut buffer = vec![0; 65_536];
    let thread = Thread::start("bare-echo", move || {
        if let Ok((length, from)) = echo.recv_from(&mut buffer) {
            let _ = echo.send_to(&buffer[..length], from);
        }
    });
    let (asker, message, mut answer) = (UdpSocket::bind("127.62.3.2:0").expect("a free port"), vec![b'x'; bytes], vec![0; 65_536]);
    asker.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout can be set");
    let mut ask = |rounds: usize| {
        for _ in 0..rounds {
            asker.send_to(&message, to).expect("loopback takes it");
            // A lost one is not waited for twice.
            let _ = asker.recv(&mut answer);
        }
    };
    ask(rounds / 10);
    let before = thread.time();
    ask(rounds);
    let micros = (thread.time() - before).as_secs_f64() * 1e6 / rounds as f64;
    thread.end();
    micros
}
