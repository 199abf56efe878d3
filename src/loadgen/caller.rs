//! One virtual caller, from INVITE to goodbye.

use super::ledger::{CallerEntry, CallerStep};
use super::phone::{DialogId, Goodbye, Output, Phone, Seen};
use super::plan;
use super::sdp::{self, TELEPHONE_EVENT};
use super::tone;
use super::voice::Voice;
use crate::model::Time;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;

#[derive(Debug)]
pub struct Caller {
    pub dialog: DialogId,
    pub entry: CallerEntry,
    plan: plan::Caller,
    keys: VecDeque<(std::time::Duration, char)>,
    /// Keys that have been handed to the voice and have not begun to sound.
    pressed: VecDeque<char>,
    voice: Voice,
    answered_at: Option<Time>,
    heard_at: Option<Time>,
    stranger: bool,
    leaving: bool,
    pub over: bool,
}

impl Caller {
    /// Dials. `number` is the caller's own among all of the run.
    pub fn dial(now: Time, number: u64, plan: plan::Caller, at: IpAddr, phone: &mut Phone, out: &mut Output) -> io::Result<Caller> {
        let tone = tone::of_caller(number);
        let voice = Voice::open(at, tone, number as u32 ^ 0x0ca1_1e40)?;
        let offer = sdp::describe(voice.local(), number + 1, Some(TELEPHONE_EVENT));
        let dialog = phone.invite(now, &plan.from, &plan.errand.number, offer, out);
        let entry = CallerEntry {
            from: plan.from.clone(),
            dialled: plan.errand.number.clone(),
            language: plan.errand.language.clone(),
            queue: (!plan.hurried).then(|| plan.errand.queue.clone()),
            joins_after: plan.joins,
            changed_to: None,
            tone,
            steps: vec![(now, CallerStep::InviteSent)],
        };
        let keys = plan.keys.iter().copied().collect();
        let mut caller = Caller {
            dialog,
            entry,
            plan,
            keys,
            pressed: VecDeque::new(),
            voice,
            answered_at: None,
            heard_at: None,
            stranger: false,
            leaving: false,
            over: false,
        };
        if caller.plan.regrets {
            caller.leave(now, phone, out);
        }
        Ok(caller)
    }

    pub fn talking(&self) -> bool {
        self.heard_at.is_some()
    }

    fn note(&mut self, now: Time, step: CallerStep) {
        self.entry.steps.push((now, step));
    }

    fn end(&mut self, now: Time, step: CallerStep) {
        self.note(now, step);
        self.note(now, CallerStep::Over);
        self.over = true;
    }

    fn leave(&mut self, now: Time, phone: &mut Phone, out: &mut Output) {
        self.leaving = true;
        match phone.hang_up(now, self.dialog, out) {
            Goodbye::Bye => self.note(now, CallerStep::ByeSent),
            Goodbye::Cancel => self.note(now, CallerStep::CancelSent),
            Goodbye::Nothing => {}
        }
    }

    /// Something of this caller's dialog.
    pub fn see(&mut self, now: Time, seen: Seen, phone: &mut Phone, out: &mut Output) {
        match seen {
            Seen::Progress { code, .. } => self.note(now, CallerStep::Progress(code)),
            Seen::Established { sdp: body, .. } => {
                self.note(now, CallerStep::Established);
                self.answered_at = Some(now);
                match sdp::read(&body) {
                    Ok(remote) => self.voice.talk_to(remote),
                    Err(_) => self.leave(now, phone, out),
                }
            }
            Seen::Refused { code, .. } => self.end(now, CallerStep::Refused(code)),
            Seen::LateAnswer { .. } => self.note(now, CallerStep::LateAnswer),
            Seen::ByeReceived { .. } => self.end(now, CallerStep::ByeReceived),
            Seen::ByeAnswered { .. } => {
                self.note(now, CallerStep::Over);
                self.over = true;
            }
            Seen::Lost { .. } => self.end(now, CallerStep::Lost),
            _ => {}
        }
    }

    /// The next 20 ms of this caller's life. `agents` says whose tone is whose.
    pub fn step(&mut self, now: Time, agents: &[u64], phone: &mut Phone, out: &mut Output) {
        let Some(answered) = self.answered_at.filter(|_| !self.over && !self.leaving) else { return };
        if self.voice.step(now) {
            let key = self.pressed.pop_front().expect("a key that sounds was pressed");
            self.note(now, CallerStep::KeyPressed(key));
            if self.plan.errand.change.as_ref().is_some_and(|(change, _)| *change == key) && self.plan.change_at.is_none() {
                self.entry.changed_to = self.plan.errand.change.as_ref().map(|(_, queue)| queue.clone());
            }
        }
        let since = now.since(answered);
        if self.heard_at.is_none() {
            while let Some((_, key)) = self.keys.front().copied().filter(|(at, _)| *at <= since) {
                self.keys.pop_front();
                self.press(key);
            }
            if self.plan.change_at.is_some_and(|at| at <= since) {
                let (key, _) = self.plan.errand.change.clone().expect("a change has its key");
                self.plan.change_at = None;
                self.press(key);
            }
            self.listen(now, agents);
        }
        let gives_up = match self.heard_at {
            Some(heard) => now.since(heard) >= self.plan.talk,
            None => since >= self.plan.patience,
        };
        if gives_up {
            self.leave(now, phone, out);
        }
    }

    fn press(&mut self, key: char) {
        self.pressed.push_back(key);
        self.voice.press(key);
    }

    fn listen(&mut self, now: Time, agents: &[u64]) {
        let Some(tone) = self.voice.heard() else { return };
        match agents.get(tone) {
            Some(agent) => {
                self.heard_at = Some(now);
                self.note(now, CallerStep::HeardAgent(*agent));
            }
            None if !self.stranger => {
                self.stranger = true;
                self.note(now, CallerStep::HeardStranger(tone));
            }
            None => {}
        }
    }
}
