//! Where the killed centre lives: an address and a directory of the test's own, and the program as it is started there.

use super::recorded::QUEUES;
use careline::loadgen::clock::Clock;
use careline::loadgen::scrape::{self, Samples};
use careline::model::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Whatever takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often an answer is asked for.
const ASK_EVERY: Duration = Duration::from_millis(5);

pub struct Place {
    directory: PathBuf,
    address: IpAddr,
}

impl Place {
    pub fn new() -> Place {
        static PLACES: AtomicU8 = AtomicU8::new(0);
        let (process, place) = (std::process::id(), PLACES.fetch_add(1, Ordering::Relaxed));
        let address = IpAddr::V4(Ipv4Addr::new(127, 15 + place, process as u8, 1 + (process >> 8 & 0x3f) as u8));
        let directory = std::env::temp_dir().join(format!("careline-kill-{process}-{place}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("config")).expect("the temporary directory takes a directory");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shipped = std::fs::read_to_string(root.join("config/careline.toml")).expect("the centre is shipped");
        let moved = shipped.replace("127.0.0.1", &address.to_string()).replace("\"../ivr-flows/prompts\"", "\"../prompts\"");
        let centre = recording(&moved.replace("\"../ivr-flows\"", "\"../flows\""));
        announcing(&root.join("ivr-flows"), &directory.join("flows"));
        briefly(&root.join("ivr-flows/prompts"), &directory.join("prompts"));
        std::fs::write(directory.join("config/careline.toml"), centre).expect("the directory takes a file");
        Place { directory, address }
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("config")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.address, 5060)
    }

    fn http(&self) -> SocketAddr {
        SocketAddr::new(self.address, 8080)
    }

    /// A place for a file of the test's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The centre whose straight lines record.
fn recording(centre: &str) -> String {
    let mut parts = centre.split("[queues.").map(String::from);
    let mut text = parts.next().expect("a text has a beginning");
    for part in parts {
        let name = part.split(']').next().expect("a heading ends").to_string();
        let part = if QUEUES.contains(&&*name) { part.replacen(']', "]\nrecord = true", 1) } else { part };
        text = text + "[queues." + &part;
    }
    text.replace("wrap_up = \"3s\"", "wrap_up = \"1s\"").replace("whisper = true", "whisper = false")
}

/// The shipped flows, in which everybody is told before anything else can be done.
fn announcing(shipped: &Path, flows: &Path) {
    std::fs::create_dir_all(flows).expect("the directory takes a directory");
    for file in files(shipped).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "yaml")) {
        let text = std::fs::read_to_string(&file).expect("a flow can be read");
        let text = text.replace("say: {prompt: emergency, in", "say: {prompts: [emergency, recording_notice], in");
        let text = text.replace("say: {prompt: please_hold}", "say: {prompts: [please_hold, recording_notice], barge_in: false}");
        std::fs::write(flows.join(file.file_name().expect("a file has a name")), text).expect("the directory takes a file");
    }
}

/// The shipped prompts; what callers of the straight lines hear first is short, since a life is.
fn briefly(shipped: &Path, prompts: &Path) {
    std::fs::create_dir_all(prompts).expect("the directory takes a directory");
    for file in files(shipped) {
        let own = prompts.join(file.file_name().expect("a file has a name"));
        if file.is_dir() {
            briefly(&file, &own);
        } else if file.file_stem().is_some_and(|name| name == "please_hold" || name == "recording_notice") {
            let spec = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
            let mut wav = hound::WavWriter::create(own, spec).expect("the directory takes a file");
            (0..3_200).for_each(|_| wav.write_sample(0).expect("the file takes sound"));
            wav.finalize().expect("the file takes its head");
        } else {
            std::os::unix::fs::symlink(file, own).expect("the directory takes a link");
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).expect("it is shipped").flatten().map(|entry| entry.path()).collect()
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the centre wrote is in {}", self.directory.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// One life of the program.
pub struct Server {
    child: Child,
    http: SocketAddr,
    /// Its last words, when it has ended.
    ended: Receiver<String>,
    /// From its start to its first answer to an OPTIONS.
    pub served_after: Duration,
    /// For how much of that one of its threads, the one that waited longest, could have run and had no processor.
    pub starved: Duration,
}

impl Server {
    /// Starts it and waits until it serves.
    pub fn start(place: &Place) -> Server {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_careline"));
        command.arg("serve").arg("--config").arg(place.config()).env("RUST_LOG", "warn");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (tell, ended) = channel();
        let mut errors = child.stderr.take().expect("its errors are piped");
        std::thread::spawn(move || {
            let mut said = String::new();
            let _ = std::io::Read::read_to_string(&mut errors, &mut said);
            let _ = tell.send(said);
        });
        let mut server = Server { child, http: place.http(), ended, served_after: Duration::ZERO, starved: Duration::ZERO };
        server.answers(place, begun);
        server.served_after = begun.elapsed();
        server.starved = starved(server.child.id());
        server
    }

    /// Asks until it answers.
    fn answers(&self, place: &Place, begun: Instant) {
        let socket = UdpSocket::bind((place.address, 0)).expect("loopback has a free port");
        socket.set_read_timeout(Some(ASK_EVERY)).expect("a socket takes a time-out");
        let here = socket.local_addr().expect("it is bound");
        let mut answer = [0; 2_048];
        for number in 1.. {
            assert!(begun.elapsed() < PATIENCE, "it never served: {:?}", self.ended.try_recv());
            let (server, count) = (place.sip(), number);
            let options = format!(
                "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bKask{count}\r\nMax-Forwards: 70\r\n\
                 From: <sip:test@{here}>;tag=t\r\nTo: <sip:{server}>\r\nCall-ID: ask{count}@{here}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            // Refused while nobody listens there.
            let sent = socket.send_to(options.as_bytes(), server);
            let received = socket.recv(&mut answer);
            if sent.is_ok() && received.is_ok_and(|length| answer[..length].starts_with(b"SIP/2.0 200")) {
                return;
            }
            if let Ok(said) = self.ended.recv_timeout(ASK_EVERY) {
                panic!("it ended at its start: {said}");
            }
        }
    }

    /// Waits so long; it must not end by itself.
    pub fn lives_for(&self, span: Duration) {
        let ended = self.ended.recv_timeout(span);
        assert_eq!(ended, Err(RecvTimeoutError::Timeout), "it ended by itself");
    }

    /// SIGKILL, as a power cut would; the instant just before.
    pub fn kill(&mut self) -> Time {
        let instant = Clock::start().now();
        self.child.kill().expect("it is running");
        self.child.wait().expect("it ends");
        let said = self.ended.recv_timeout(PATIENCE).expect("it has ended");
        assert!(!said.contains("ERROR") && !said.contains("panicked"), "what it said: {said}");
        instant
    }

    /// The figures; HTTP is served a moment after the first call could be.
    pub fn samples(&self) -> Samples {
        let begun = Instant::now();
        loop {
            match scrape::get(self.http, "/metrics") {
                Ok(text) => return Samples::read(&text),
                Err(error) => assert!(begun.elapsed() < PATIENCE, "it answers no scrape: {error}"),
            }
            self.lives_for(ASK_EVERY);
        }
    }

    /// Waits until no call is alive; the figures then.
    pub fn settles(&self) -> Samples {
        let begun = Instant::now();
        loop {
            let samples = self.samples();
            if samples.sum("careline_calls_in_progress", &[]) == 0.0 {
                return samples;
            }
            assert!(begun.elapsed() < PATIENCE, "calls are alive that nobody made");
            self.lives_for(Duration::from_millis(50));
        }
    }

    /// SIGTERM, and waits until it has ended.
    pub fn stops(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "it takes a signal");
        assert!(self.child.wait().expect("it ends").success(), "{:?}", self.ended.recv_timeout(PATIENCE));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long the thread that waited longest for a processor has waited (`/proc/PID/task/TID/schedstat`, the second number, in ns).
fn starved(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs").flatten();
    let waited = threads.filter_map(|thread| {
        let spent = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        spent.split(' ').nth(1)?.parse().ok()
    });
    Duration::from_nanos(waited.max().unwrap_or(0))
}
