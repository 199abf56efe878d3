//! A second make of telephone: linphone, by its daemon. Its speaker is nobody's; what it says comes from a file.

use super::caller::Caller;
use super::centre::Centre;
use super::network::Network;
use super::phone::{self, Phone};
use super::process::{PATIENCE, Process};
use super::reached::ends_in_music;
use super::sound;
use super::vanished::SOON;
use careline::acd::{AgentState, NotReadyReason};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Straight to billing in Spanish.
const BILLING: &str = "+13125550102";
const TONE: f64 = 700.0;
/// An answer is over when nothing more has come for so long.
const ANSWER: Duration = Duration::from_millis(150);

struct Linphone {
    daemon: Process,
    pipe: PathBuf,
    control: UnixStream,
    tone: PathBuf,
}

impl Linphone {
    /// Starts the telephone of `agent` at the test's address `index`; it registers with `centre`.
    fn start(network: &Network, index: u8, agent: u64, centre: SocketAddr) -> Linphone {
        let directory = network.directory().join(format!("linphone-{agent}"));
        std::fs::create_dir_all(directory.join(".local/share/linphone")).expect("the test's directory takes a directory");
        let (address, server) = (network.address(index), centre.ip());
        let settings = format!(
            "[sip]\ndefault_proxy=0\nsip_port=5060\nsip_tcp_port=0\nsip_tls_port=0\nbind_address={address}\nuse_ipv6=0\nguess_hostname=0\n\
             [rtp]\naudio_rtp_port=7078\nbind_address={address}\n[sound]\nechocancellation=0\n\
             [video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\nautomatically_accept=0\n\
             [auth_info_0]\nusername={agent}\nuserid={agent}\npasswd=demo-{agent}\nrealm=riverside.example\ndomain={server}\n\
             [proxy_0]\nreg_proxy=<sip:{centre}>\nreg_identity=sip:{agent}@{server}\nreg_expires=300\nreg_sendregister=1\npublish=0\n"
        );
        std::fs::write(directory.join("linphonerc"), settings).expect("the test's directory takes a file");
        let tone = directory.join("tone.wav");
        phone::write_tone(&tone, TONE);
        let name = format!("careline-linphone-{address}");
        let mut command = Command::new("linphone-daemon");
        command.args(["--disable-stats-events", "--pipe", &name, "--config"]).arg(directory.join("linphonerc")).env("HOME", &directory);
        let daemon = Process::start(&mut command);
        let pipe = PathBuf::from("/tmp").join(name);
        let end = Instant::now() + PATIENCE;
        let control = loop {
            match UnixStream::connect(&pipe) {
                Ok(control) => break control,
                Err(_) if Instant::now() < end => std::thread::yield_now(),
                Err(error) => panic!("linphone-daemon never listened: {error}; tests/run installs it"),
            }
        };
        control.set_read_timeout(Some(ANSWER)).expect("a span above zero");
        Linphone { daemon, pipe, control, tone }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.control, "{command}").expect("linphone takes a command");
        let (mut answer, mut bytes) = (Vec::new(), [0; 4_096]);
        loop {
            match self.control.read(&mut bytes) {
                Ok(length) if length > 0 => answer.extend(&bytes[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && !answer.is_empty() => break,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                other => panic!("linphone ended: {other:?}"),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits until its call of this number is so.
    fn call_is(&mut self, call: u32, state: &str) {
        let (end, mut answer) = (Instant::now() + PATIENCE, String::new());
        while !answer.contains(&format!("State: {state}")) {
            assert!(Instant::now() < end, "call {call} of linphone never was {state}: {answer}");
            answer = self.ask(&format!("call-status {call}"));
        }
    }

    fn sound_tone(&mut self, call: u32) {
        let file = self.tone.display().to_string();
        let answer = self.ask(&format!("incall-player-start {file} {call}"));
        assert!(answer.contains("Status: Ok"), "{answer}");
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        self.daemon.kill();
        let _ = std::fs::remove_file(&self.pipe);
    }
}

#[test]
fn linphone_is_called_holds_retrieves_calls_and_presses_keys() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Linphone::start(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.call_is(1, "LinphoneCallIncomingReceived");
    phone.ask("answer 1");
    phone.call_is(1, "LinphoneCallStreamsRunning");
    phone.sound_tone(1);
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, TONE) >= 500);
    phone.ask("call-pause 1");
    phone.call_is(1, "LinphoneCallPaused");
    let held = caller.ear.mark();
    caller.ear.listen_until(held, "music while the agent holds", ends_in_music);
    phone.ask("call-resume 1");
    phone.call_is(1, "LinphoneCallStreamsRunning");
    phone.sound_tone(1);
    let back = caller.ear.mark();
    caller.ear.listen_until(back, "the agent's tone again", |heard| sound::tone_ms(heard, TONE) >= 500);
    caller.hang_up();
    centre.agent(1004, "ready again", |state| state == AgentState::Ready);

    phone.ask(&format!("call sip:*12@{}", centre.sip()));
    phone.call_is(2, "LinphoneCallStreamsRunning");
    phone.ask("dtmf 2");
    centre.agent(1004, "at their meal", |state| state == AgentState::NotReady(NotReadyReason::Meal));
    let [record] = &centre.stop()[..] else { panic!("one caller is one record") };
    assert!(record.segments[0].held > 0, "the hold is written down");
}

#[test]
fn linphone_that_vanishes_gives_its_caller_back() {
    let network = Network::new();
    let centre = Centre::start(&network, &SOON);
    let mut phone = Linphone::start(&network, 1, 1004, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let _caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.call_is(1, "LinphoneCallIncomingReceived");
    phone.ask("answer 1");
    phone.call_is(1, "LinphoneCallStreamsRunning");
    centre.agent(1004, "talking", |state| matches!(state, AgentState::Talking(_)));
    phone.daemon.kill();
    centre.wait("the caller in the queue again", |view| view.in_queue == 1);
    centre.agent(1004, "not to be reached", |state| state == AgentState::NotReady(NotReadyReason::StationLost));
}

#[test]
fn baresip_holds_and_retrieves() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let mut phone = Phone::start(&network, 1, 1004, TONE, centre.sip());
    centre.agent(1004, "ready", |state| state == AgentState::Ready);
    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    phone.accept();
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, TONE) >= 500);
    phone.hold();
    let held = caller.ear.mark();
    caller.ear.listen_until(held, "music while the agent holds", ends_in_music);
    phone.retrieve();
    let back = caller.ear.mark();
    caller.ear.listen_until(back, "the agent's tone again", |heard| sound::tone_ms(heard, TONE) >= 500);
    caller.hang_up();
    phone.call_ends();
}
