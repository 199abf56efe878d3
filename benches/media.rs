//! What sound costs: processor time a packet of music and a packet forwarded, beside a bare loop that moves the same packets over as many
//! sockets in the same run, and how late packets are. `cargo bench --bench media [-- SECONDS]`; each line says its number of streams.

use careline::leg::sdp::Direction;
use careline::media::socket::Poller;
use careline::media::{Codec, Library, Media, Negotiated, Settings};
use careline::model::{CallId, LegId, hearing};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PACKET: usize = 172;
const SLOT: Duration = Duration::from_millis(1);

fn main() {
    let seconds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(5);
    let span = Duration::from_secs(seconds);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, {seconds} s each, processor time of the media thread alone");
    for streams in [250, 1000] {
        compare(&format!("music, {streams} waiting callers"), music(streams, span), floor_send(streams, span));
    }
    let calls = 100;
    compare(&format!("forwarded, {calls} calls both ways"), forward(calls, span), floor_forward(calls, span));
}

/// What one run cost.
struct Cost {
    micros: f64,
    packets: u64,
    late: Vec<Duration>,
}

fn compare(what: &str, ours: Cost, floor: Cost) {
    let ratio = ours.micros / floor.micros;
    println!("{what}: {:.2} µs a packet; bare loop {:.2} µs; ratio {ratio:.2} ({} packets)", ours.micros, floor.micros, ours.packets);
    for (who, mut late) in [("ours", ours.late), ("bare loop", floor.late)] {
        late.sort();
        let at = |part: f64| late.get((late.len() as f64 * part) as usize).copied().unwrap_or_default().as_secs_f64() * 1000.0;
        let over = late.iter().filter(|l| **l > Duration::from_millis(20)).count();
        println!("    {who}: late p50 {:.2} ms, p95 {:.2}, p99 {:.2}, over 20 ms {over}", at(0.5), at(0.95), at(0.99));
    }
}

/// Processor time that the thread of this name has had.
fn thread_time(name: &str) -> Duration {
    for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            let nanoseconds = read("schedstat").split_whitespace().next().and_then(|n| n.parse().ok());
            return Duration::from_nanos(nanoseconds.expect("schedstat begins with nanoseconds"));
        }
    }
    panic!("no thread {name}");
}

fn sockets(count: usize, address: [u8; 4]) -> Vec<UdpSocket> {
    let bind = |_| {
        let socket = UdpSocket::bind((IpAddr::from(address), 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket can be made so");
        socket
    };
    (0..count).map(bind).collect()
}

/// The other ends: counts what comes, and how late. A stream of music is late by its gap less 20 ms; a forwarded packet carries the time
/// of its departure.
struct Ears {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Ears {
    fn open(sockets: Vec<UdpSocket>, began: Instant, stamped: bool) -> Ears {
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), heard.clone());
        let listen = move || {
            let mut poller = Poller::new(512).expect("epoll");
            for (index, socket) in sockets.iter().enumerate() {
                poller.add(socket, index as u64).expect("epoll takes it");
            }
            let (mut late, mut last) = (Vec::with_capacity(1 << 20), vec![None::<Instant>; sockets.len()]);
            let mut buffer = [0; 1500];
            while !stopped.load(Ordering::Relaxed) {
                let ready = poller.wait(Some(Duration::from_millis(50)));
                let now = Instant::now();
                for index in (0..ready).map(|ready| poller.token(ready) as usize).collect::<Vec<_>>() {
                    let Ok(length) = sockets[index].recv(&mut buffer) else { continue };
                    count.fetch_add(1, Ordering::Relaxed);
                    let stamp = u64::from_le_bytes(buffer[12..20].try_into().expect("eight bytes"));
                    let gap = last[index].replace(now).map(|last| now - last);
                    if stamped && length == PACKET {
                        late.push((now - began).saturating_sub(Duration::from_nanos(stamp)));
                    } else if let Some(gap) = gap.filter(|_| !stamped) {
                        late.push(gap.saturating_sub(Duration::from_millis(20)));
                    }
                }
            }
            late
        };
        Ears { stop, heard, thread: std::thread::Builder::new().name("ears".into()).spawn(listen).expect("a thread") }
    }

    fn close(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("ears end well")
    }
}

/// Runs for the span and gives what the named thread's packets cost.
fn measure(thread: &str, ears: Ears, span: Duration) -> Cost {
    let wait = |span: Duration| {
        let until = Instant::now() + span;
        let (_keep, never) = std::sync::mpsc::channel::<()>();
        while Instant::now() < until {
            let _ = never.recv_timeout(until - Instant::now());
        }
    };
    wait(Duration::from_secs(1));
    let (time, heard) = (thread_time(thread), ears.heard.load(Ordering::Relaxed));
    wait(span);
    let (time, packets) = (thread_time(thread) - time, ears.heard.load(Ordering::Relaxed) - heard);
    Cost { micros: time.as_secs_f64() * 1e6 / packets as f64, packets, late: ears.close() }
}

fn media() -> Media {
    let mut library = Library::default();
    let samples: Vec<i16> = (0..64 * 8000).map(|n| ((n * 37) % 20_000) as i16 - 10_000).collect();
    library.add_track("hold-music", &samples);
    let settings =
        Settings { addresses: vec![IpAddr::from([127, 79, 0, 1])], ports: 20_000..=29_999, workers: 1, silence: Duration::from_secs(10) };
    Media::start(settings, Arc::new(library), |_| {}).expect("media starts")
}

fn agreed(remote: SocketAddr) -> Negotiated {
    Negotiated {
        remote,
        rtcp: SocketAddr::new(remote.ip(), remote.port() ^ 1),
        codec: Codec::Pcmu,
        payload_type: 0,
        telephone_event: Some(101),
        telephone_event_in: Some(101),
        direction: Direction::SendRecv,
        hold: false,
    }
}

fn music(streams: usize, span: Duration) -> Cost {
    let mut media = media();
    let ends = sockets(streams, [127, 79, 0, 2]);
    for (index, end) in ends.iter().enumerate() {
        let leg = LegId(index as u64);
        media.open(CallId(index as u64), leg).expect("a port");
        let end = end.local_addr().expect("bound");
        media.negotiate(leg, agreed(end), end.ip());
        media.start_music(leg, "hold-music");
    }
    measure("media-0", Ears::open(ends, Instant::now(), false), span)
}

/// The same packets from as many sockets, sent in the same slots by a loop that does nothing else.
fn floor_send(streams: usize, span: Duration) -> Cost {
    let ends = sockets(streams, [127, 79, 1, 2]);
    let to: Vec<SocketAddr> = ends.iter().map(|end| end.local_addr().expect("bound")).collect();
    let from = sockets(streams, [127, 79, 1, 1]);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let send = move || {
        let (mut poller, packet) = (Poller::new(1).expect("epoll"), [0; PACKET]);
        let began = Instant::now();
        for slot in 0.. {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            for index in (slot as usize % 20..streams).step_by(20) {
                let _ = from[index].send_to(&packet, to[index]);
            }
            poller.wait(Some((SLOT * (slot + 1)).saturating_sub(began.elapsed())));
        }
    };
    let thread = std::thread::Builder::new().name("floor".into()).spawn(send).expect("a thread");
    let cost = measure("floor", Ears::open(ends, Instant::now(), false), span);
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("the floor ends well");
    cost
}

/// Two parties a call who send a stamped packet each 20 ms; their ears are clones of the same sockets.
fn talk(ends: &[UdpSocket], to: Vec<SocketAddr>, began: Instant, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let ends: Vec<UdpSocket> = ends.iter().map(|end| end.try_clone().expect("a clone")).collect();
    let speak = move || {
        let (mut poller, mut packet) = (Poller::new(1).expect("epoll"), [0; PACKET]);
        packet[0] = 0x80;
        let first = Instant::now();
        for slot in 0u32.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let turn = slot / 20;
            packet[2..4].copy_from_slice(&(turn as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(turn * 160).to_be_bytes());
            for index in (slot as usize % 20..ends.len()).step_by(20) {
                packet[8..12].copy_from_slice(&(index as u32).to_be_bytes());
                packet[12..20].copy_from_slice(&(began.elapsed().as_nanos() as u64).to_le_bytes());
                let _ = ends[index].send_to(&packet, to[index]);
            }
            poller.wait(Some((SLOT * (slot + 1)).saturating_sub(first.elapsed())));
        }
    };
    std::thread::Builder::new().name("talk".into()).spawn(speak).expect("a thread")
}

fn forward(calls: usize, span: Duration) -> Cost {
    let mut media = media();
    let ends = sockets(2 * calls, [127, 79, 2, 2]);
    let mut to = Vec::new();
    for (index, end) in ends.iter().enumerate() {
        let (call, leg) = (CallId(index as u64 / 2), LegId(index as u64));
        to.push(media.open(call, leg).expect("a port"));
        let end = end.local_addr().expect("bound");
        media.negotiate(leg, agreed(end), end.ip());
        if index % 2 == 1 {
            media.hear(call, hearing::bridge(LegId(index as u64 - 1), leg), None);
        }
    }
    let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let talk = talk(&ends, to, began, stop.clone());
    let cost = measure("media-0", Ears::open(ends, began, true), span);
    stop.store(true, Ordering::Relaxed);
    talk.join().expect("talk ends well");
    cost
}

/// The same packets over as many sockets by a loop that only waits, receives and sends.
fn floor_forward(calls: usize, span: Duration) -> Cost {
    let ends = sockets(2 * calls, [127, 79, 3, 2]);
    let between = sockets(2 * calls, [127, 79, 3, 1]);
    let address = |socket: &UdpSocket| socket.local_addr().expect("bound");
    let (to, back): (Vec<_>, Vec<_>) = (between.iter().map(address).collect(), ends.iter().map(address).collect());
    let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let stopped = stop.clone();
    let pass = move || {
        let (mut poller, mut buffer) = (Poller::new(64).expect("epoll"), [0; 1500]);
        for (index, socket) in between.iter().enumerate() {
            poller.add(socket, index as u64).expect("epoll takes it");
        }
        while !stopped.load(Ordering::Relaxed) {
            for ready in 0..poller.wait(Some(Duration::from_millis(50))) {
                let (from, other) = (poller.token(ready) as usize, poller.token(ready) as usize ^ 1);
                if let Ok((length, _)) = between[from].recv_from(&mut buffer) {
                    let _ = between[other].send_to(&buffer[..length], back[other]);
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("floor".into()).spawn(pass).expect("a thread");
    let talk = talk(&ends, to, began, stop.clone());
    let cost = measure("floor", Ears::open(ends, began, true), span);
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("the floor ends well");
    talk.join().expect("talk ends well");
    cost
}
