//! One process of another program, ended by its id when the test is done with it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A program that a test waits for and that takes longer is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Process {
    pub id: u32,
    program: String,
    /// What it prints, line by line.
    lines: Receiver<String>,
    ended: Receiver<bool>,
    succeeded: Option<bool>,
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
        let (id, output) = (child.id(), child.stdout.take().expect("standard output is piped"));
        let ((say, lines), (tell, ended)) = (channel(), channel());
        // Threads of its own read it and wait for it, so that a test waits for neither longer than its patience lasts.
        std::thread::spawn(move || {
            let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
            lines.for_each(|line| drop(say.send(String::from_utf8_lossy(&line).into_owned())));
        });
        std::thread::spawn(move || tell.send(child.wait().is_ok_and(|status| status.success())));
        Process { id, program, lines, ended, succeeded: None }
    }

    /// Waits until it prints a line that contains `what`.
    pub fn says(&self, what: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return,
                Ok(_) => {}
                Err(_) => panic!("{} never said {what:?}", self.program),
            }
        }
    }

    /// Waits until it ends, and panics unless it ended well.
    pub fn succeeds(&mut self) {
        self.wait();
        assert_eq!(self.succeeded, Some(true), "{} ended well", self.program);
    }

    pub fn wait(&mut self) {
        if self.succeeded.is_none() {
            self.succeeded = Some(self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{} never ended", self.program)));
        }
    }

    pub fn is_running(&mut self) -> bool {
        if self.succeeded.is_none() {
            self.succeeded = self.ended.try_recv().ok();
        }
        self.succeeded.is_none()
    }

    /// Asks it to end: SIGTERM.
    pub fn terminate(&mut self) {
        self.signal("-TERM");
    }

    /// Ends it without a word to anybody, as a power cut would.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.wait();
    }

    pub fn signal(&mut self, signal: &str) {
        if self.is_running() {
            let _ = Command::new("kill").args([signal, &self.id.to_string()]).status();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("-KILL");
    }
}
