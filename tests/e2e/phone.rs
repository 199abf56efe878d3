//! An agent's telephone: a baresip process that rings, sounds a tone of its own and records what it hears.

use super::network::Network;
use super::process::{PATIENCE, Process};
use super::sound;
use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// baresip's control port (netstrings of JSON).
const CONTROL: u16 = 4444;
const SIP: u16 = 5060;
/// The tone is as long as a test may last.
const TONE_SECONDS: usize = 120;

pub struct Phone {
    pub agent: u64,
    address: SocketAddr,
    directory: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    /// Events that nobody has waited for yet.
    events: VecDeque<Value>,
    /// How many questions it was asked.
    asked: u64,
    baresip: Process,
}

impl Phone {
    /// Starts the telephone of `agent` at the test's address `index`; it registers with `centre`.
    pub fn start(network: &Network, index: u8, agent: u64, hertz: f64, centre: SocketAddr) -> Phone {
        let account = format!("<sip:{agent}@{centre}>;auth_user={agent};auth_pass=demo-{agent};regint=600;answermode=manual");
        Phone::with_account(network, index, agent, hertz, (&account, 1))
    }

    /// The same, with a second line: it may call out while it is in a call.
    pub fn start_with_two_lines(network: &Network, index: u8, agent: u64, hertz: f64, centre: SocketAddr) -> Phone {
        let account = format!("<sip:{agent}@{centre}>;auth_user={agent};auth_pass=demo-{agent};regint=600;answermode=manual");
        Phone::with_account(network, index, agent, hertz, (&account, 2))
    }

    /// A telephone that registers nowhere.
    pub fn start_alone(network: &Network, index: u8, agent: u64, hertz: f64) -> Phone {
        let account = format!("<sip:{agent}@{}>;regint=0;answermode=manual", network.address(index));
        Phone::with_account(network, index, agent, hertz, (&account, 1))
    }

    fn with_account(network: &Network, index: u8, agent: u64, hertz: f64, (account, lines): (&str, u32)) -> Phone {
        let address = SocketAddr::new(network.address(index), SIP);
        let directory = network.directory().join(format!("phone-{agent}"));
        std::fs::create_dir_all(&directory).expect("the test's directory takes a directory");
        write_tone(&directory.join("tone.wav"), hertz);
        let write = |name: &str, text: String| std::fs::write(directory.join(name), text).expect("the phone's directory takes a file");
        write("config", config(address, &directory, lines));
        write("accounts", String::new());
        write("contacts", String::new());
        let mut command = Command::new("stdbuf");
        let baresip = Process::start(command.args(["-oL", "baresip", "-f"]).arg(&directory).current_dir(&directory));
        baresip.says("baresip is ready");
        let control = TcpStream::connect((address.ip(), CONTROL)).expect("a ready baresip listens for commands");
        let mut phone = Phone { agent, address, directory, control, unread: Vec::new(), events: VecDeque::new(), asked: 0, baresip };
        // It registers only now: what it says while nobody listens is lost, and a call may be waiting for it.
        phone.ask("uanew", &format!("{account};audio_codecs=PCMU/8000/1"));
        phone
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls `user` at `server`, and waits until the call is answered.
    pub fn dial(&mut self, user: &str, server: SocketAddr) {
        self.start_to_dial(user, server);
        self.is_answered();
    }

    /// Calls `user` at `server`, hears why it may not, and waits until the call is refused.
    pub fn is_refused(&mut self, user: &str, server: SocketAddr, why: &str) {
        self.command_with("dial", &format!("sip:{user}@{server}"));
        self.hears(why, |heard| super::reached::says(heard, why));
        let event = self.take("CALL_CLOSED");
        assert!(event["param"].as_str().is_some_and(|why| why.starts_with("403")), "{event}");
    }

    /// Calls `user` at `server`.
    pub fn start_to_dial(&mut self, user: &str, server: SocketAddr) {
        self.command_with("dial", &format!("sip:{user}@{server}"));
    }

    /// Waits until the call that it makes is answered.
    pub fn is_answered(&mut self) {
        self.wait_for("CALL_ESTABLISHED");
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.command_with("sndcode", &key.to_string()));
    }

    /// Waits until what it has heard in its newest call satisfies.
    pub fn hears(&mut self, what: &str, satisfied: impl Fn(&[i16]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.recordings().last().is_some_and(|path| satisfied(&sound::read_growing(path))) {
            assert!(Instant::now() < end, "the phone of {} never heard {what}", self.agent);
            self.listen(Duration::from_millis(300));
        }
    }

    /// Waits until the centre knows it.
    pub fn registers(&mut self) {
        self.wait_for("REGISTER_OK");
    }

    /// Waits until it rings.
    pub fn rings(&mut self) {
        self.wait_for("CALL_INCOMING");
    }

    /// Waits until it rings, and reads what it shows.
    pub fn rings_for(&mut self) -> String {
        let event = self.take("CALL_INCOMING");
        event["peerdisplayname"].as_str().unwrap_or_default().to_string()
    }

    pub fn accept(&mut self) {
        self.command("accept");
        self.wait_for("CALL_ESTABLISHED");
    }

    pub fn hold(&mut self) {
        self.command("hold");
    }

    pub fn retrieve(&mut self) {
        self.command("resume");
    }

    /// Declines the call that rings, or hangs up.
    pub fn hang_up(&mut self) {
        self.command("hangup");
    }

    /// Waits until the call is over, from whichever side.
    pub fn call_ends(&mut self) {
        self.wait_for("CALL_CLOSED");
    }

    /// Whether it has rung since the last `rings`.
    pub fn has_rung(&mut self) -> bool {
        // What it answers to a question comes after every event before.
        self.ask("reginfo", "");
        self.events.iter().any(|event| event["type"] == "CALL_INCOMING")
    }

    /// The power fails: nobody is told.
    pub fn dies(&mut self) {
        self.baresip.kill();
    }

    /// It hears and says nothing for a while, as out of its network's reach.
    pub fn is_away(&mut self) {
        self.baresip.signal("-STOP");
    }

    pub fn is_back(&mut self) {
        self.baresip.signal("-CONT");
    }

    /// Switches it off and gives what it heard, call by call.
    pub fn heard(mut self) -> Vec<Vec<i16>> {
        self.baresip.terminate();
        self.baresip.wait();
        self.recordings().iter().map(|path| sound::read(path)).collect()
    }

    /// What it heard, a file a call, in the order of the calls.
    fn recordings(&self) -> Vec<PathBuf> {
        let files =
            std::fs::read_dir(&self.directory).expect("the phone's directory is there").map(|entry| entry.expect("an entry").path());
        let mut recordings: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).collect();
        recordings.sort();
        recordings
    }

    /// Takes what baresip tells for so long.
    fn listen(&mut self, span: Duration) {
        self.control.set_read_timeout(Some(span)).expect("a socket takes a time-out");
        let mut bytes = [0; 4_096];
        if let Ok(length) = self.control.read(&mut bytes) {
            self.unread.extend(&bytes[..length]);
        }
        while let Some(message) = self.message() {
            if message.get("event").is_some() {
                self.events.push_back(message);
            }
        }
    }

    fn command(&mut self, command: &str) {
        self.command_with(command, "");
    }

    fn command_with(&mut self, command: &str, parameters: &str) {
        self.send(&json!({"command": command, "params": parameters}));
    }

    /// A command, and baresip's answer to it.
    fn ask(&mut self, command: &str, parameters: &str) {
        self.asked += 1;
        let token = self.asked.to_string();
        self.send(&json!({"command": command, "params": parameters, "token": token}));
        self.wait(|message| message.get("response").is_some() && message["token"] == token.as_str(), "an answer");
    }

    fn send(&mut self, command: &Value) {
        let text = command.to_string();
        write!(self.control, "{}:{text},", text.len()).expect("baresip takes a command");
    }

    fn wait_for(&mut self, event: &str) {
        self.take(event);
    }

    fn take(&mut self, event: &str) -> Value {
        if let Some(at) = self.events.iter().position(|known| known["type"] == event) {
            return self.events.remove(at).expect("just seen");
        }
        self.wait(|message| message["type"] == event, event)
    }

    /// Reads messages until one is what is waited for; events before it are kept.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool, what: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Some(message) = self.message() {
                if wanted(&message) {
                    return message;
                }
                if message.get("event").is_some() {
                    self.events.push_back(message);
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the phone of {} never said {what}", self.agent);
            self.control.set_read_timeout(Some(left)).expect("a socket takes a time-out");
            let mut bytes = [0; 4_096];
            match self.control.read(&mut bytes) {
                Ok(length) if length > 0 => self.unread.extend(&bytes[..length]),
                other => panic!("the phone of {} never said {what}: {other:?}", self.agent),
            }
        }
    }

    /// One whole netstring of what was read.
    fn message(&mut self) -> Option<Value> {
        let colon = self.unread.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&self.unread[..colon]).ok()?.parse().expect("a netstring begins with its length");
        let end = colon + 1 + length + 1;
        if self.unread.len() < end {
            return None;
        }
        let message = serde_json::from_slice(&self.unread[colon + 1..end - 1]).expect("baresip speaks JSON");
        self.unread.drain(..end);
        Some(message)
    }
}

fn config(address: SocketAddr, directory: &Path, lines: u32) -> String {
    let (ip, directory) = (address.ip(), directory.display());
    format!(
        "poll_method epoll\nsip_listen {address}\nnet_interface {ip}\ncall_max_calls {lines}\n\
         audio_source aufile,{directory}/tone.wav\naudio_player aufile,none\naudio_alert aufile,none\n\
         ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\nrtp_ports 40000-48000\n\
         module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\nsnd_path {directory}\n\
         module_app account.so\nmodule_app menu.so\nmodule ctrl_tcp.so\nctrl_tcp_listen {ip}:{CONTROL}\n"
    )
}

/// A file of one tone.
pub fn write_tone(path: &Path, hertz: f64) {
    let spec = WavSpec { channels: 1, sample_rate: sound::RATE as u32, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = WavWriter::create(path, spec).expect("the phone's directory takes a file");
    (0..TONE_SECONDS * sound::RATE).for_each(|index| file.write_sample(sound::tone(hertz, index)).expect("the disk has room"));
    file.finalize().expect("the disk has room");
}
