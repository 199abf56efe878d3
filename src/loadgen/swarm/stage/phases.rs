//! How a run goes from its first REGISTER to its last goodbye, and when the server's process is looked at.

use super::{Job, Phase, Stage};
use crate::loadgen::phone::{DialogId, Output};
use crate::loadgen::swarm::order::GATHER_RATE;
use crate::loadgen::swarm::process::Sample;
use crate::loadgen::swarm::seat::Seat;
use crate::loadgen::swarm::sound::SoundThread;
use crate::loadgen::swarm::tally::{Heard, Report};
use crate::model::Time;
use std::cmp::Reverse;
use std::time::Duration;

/// Who is not registered, or not there, after so long will not be.
pub(super) const GATHER_MAX: Duration = Duration::from_secs(60);
const LETTING_GO: Duration = Duration::from_millis(500);
/// The last goodbye has its answer by then, or none (64 × T1, and a little).
const ENDING_MAX: Duration = Duration::from_secs(35);
impl Stage<'_> {
    pub(super) fn timers(&mut self, now: Time) {
        let mut out = Output::default();
        if self.trunk.phone.next_timer().is_some_and(|at| at <= now) {
            self.trunk.phone.handle_timer(now, &mut out);
            self.settle_lines(now, &mut out);
        }
        for number in 0..self.seats.len() {
            if self.seats[number].wire.phone.next_timer().is_some_and(|at| at <= now) {
                self.seats[number].wire.phone.handle_timer(now, &mut out);
                self.settle_seat(now, number, &mut out);
            }
        }
    }

    /// A look at the server's process now and then.
    pub(super) fn look(&mut self, now: Time) {
        if matches!(self.phase, Phase::Registering { .. }) || now.since(self.sampled_at) < self.order.sample_every {
            return;
        }
        self.sampled_at = now;
        self.sample(now);
        let calls = &self.report.calls;
        let server = self.report.samples.last().map_or(String::new(), |(_, _, s)| {
            format!("; server {:.2} s processor, {} KiB, {} files, {} threads", s.cpu_ms / 1000.0, s.rss_kib, s.files, s.threads)
        });
        let (at, alive) = (now.since(self.began).as_secs(), self.lines.len());
        let line = format!("{at} s: {} dialled, {} completed, {alive} alive{server}", calls.dialled, calls.completed);
        (self.tell)(&line);
    }

    fn sample(&mut self, now: Time) {
        if let Some(sample) = self.server() {
            self.report.samples.push((now.since(self.began).as_secs_f64(), self.report.calls.completed, sample));
        }
    }

    fn server(&mut self) -> Option<Sample> {
        match Sample::take(self.order.server_process?) {
            Ok(sample) => Some(sample),
            Err(error) => {
                self.report.trouble = Some(format!("the server's process: {error}"));
                None
            }
        }
    }

    pub(super) fn window(&self) -> Option<Time> {
        if let Phase::Measuring { since, .. } = self.phase { Some(since) } else { None }
    }

    pub(super) fn advance(&mut self, now: Time) {
        let done = self.order.calls.is_some_and(|most| self.report.calls.dialled >= most && self.lines.is_empty());
        match self.phase {
            _ if self.report.trouble.is_some() && !matches!(self.phase, Phase::Ending { .. } | Phase::Over) => self.end(now),
            Phase::Registering { until } => self.check_registrations(now, until),
            Phase::Gathering { .. } if self.gathered() => {
                self.phase = Phase::Warming { until: now + self.order.warm };
            }
            Phase::Gathering { until } if now >= until => {
                let (here, all) = (self.report.calls.established, self.order.callers);
                self.report.trouble = Some(format!("{here} of {all} callers were answered in {GATHER_MAX:?}"));
            }
            Phase::Warming { until } if now >= until => self.open(now),
            Phase::Measuring { until, .. } if now >= until || done => self.end(now),
            Phase::Ending { until } => {
                let idle = self.lines.is_empty() && self.seats.iter().all(|seat| seat.current.is_none());
                if idle || now >= until {
                    self.report.calls.lost += self.lines.len() as u64;
                    self.report.calls.offers_lost += self.seats.iter().filter(|seat| seat.current.is_some()).count() as u64;
                    self.phase = Phase::Over;
                }
            }
            _ => {}
        }
    }

    /// Everybody who is to be there from the start is.
    fn gathered(&self) -> bool {
        let calls = &self.report.calls;
        let all_here = self.lines.len() >= self.order.callers && calls.established >= self.order.callers as u64;
        self.order.rate.is_some() || all_here || self.order.calls.is_some_and(|most| calls.dialled >= most)
    }

    fn check_registrations(&mut self, now: Time, until: Time) {
        let refused = self.seats.iter().find_map(|seat| seat.refused);
        if let Some(code) = refused {
            self.report.trouble = Some(format!("an agent could not register: the server says {code}"));
        } else if self.seats.iter().all(|seat| seat.registered) {
            self.phase = Phase::Gathering { until: now + GATHER_MAX };
            self.sample(now);
            let first = if self.order.rate.is_some() { 1 } else { self.order.callers };
            let gap = Duration::from_secs_f64(1.0 / GATHER_RATE);
            self.agenda.extend((0..first).map(|n| Reverse((now + gap * n as u32, Job::Dial))));
        } else if now >= until {
            self.report.trouble = Some(format!("no answer to REGISTER from {}", self.order.server));
        }
    }

    /// The window opens.
    fn open(&mut self, now: Time) {
        self.phase = Phase::Measuring { since: now, until: now + self.order.window };
        self.seats.iter_mut().for_each(Seat::reset);
        self.before = (self.traffic, self.report.calls.completed, self.report.calls.offers);
        self.report.window.server = self.server().map(|sample| (sample, sample));
        if let Some(sound) = &self.sound {
            sound.window(true);
        }
    }

    /// The window closes, if it was open, and everybody goes home.
    fn end(&mut self, now: Time) {
        if let Phase::Measuring { since, .. } = self.phase {
            let server = self.server();
            let (window, calls) = (&mut self.report.window, &self.report.calls);
            window.seconds = now.since(since).as_secs_f64();
            let (traffic, completed, offers) = self.before;
            (window.completed, window.offers) = (calls.completed - completed, calls.offers - offers);
            window.traffic = self.traffic.less(traffic);
            window.server = window.server.zip(server).map(|((before, _), after)| (before, after));
            let busy: Duration = self.seats.iter().map(|seat| seat.busy(now, since)).sum();
            window.agents_busy = busy.as_secs_f64() / (window.seconds * self.seats.len() as f64);
            if let Some(sound) = &self.sound {
                sound.window(false);
            }
        }
        self.phase = Phase::Ending { until: now + ENDING_MAX };
        let alive: Vec<DialogId> = self.lines.keys().copied().collect();
        self.report.calls.dismissed = alive.len() as u64;
        for dialog in alive {
            self.hang_up(now, dialog);
        }
    }

    pub(super) fn close(mut self) -> Report {
        if self.report.trouble.is_none() {
            // The server lets go of a call's files a moment after its last answer.
            std::thread::sleep(LETTING_GO);
            self.sample(self.clock.now());
        }
        let phones = self.seats.iter().map(|seat| &seat.wire.phone).chain([&self.trunk.phone]);
        let calls = &mut self.report.calls;
        for phone in phones {
            calls.unreadable += phone.unreadable;
            calls.resent += phone.resent;
            calls.repeated += phone.repeated;
            calls.probed += phone.probed;
        }
        self.report.heard = self.sound.take().map_or_else(Heard::default, SoundThread::finish);
        self.report
    }
}
