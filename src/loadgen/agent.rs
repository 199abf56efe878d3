//! One virtual agent at their telephone: registers, and answers, refuses or ignores what rings.

use super::ledger::{OfferEntry, OfferStep};
use super::phone::{DialogId, Goodbye, Output, Phone, Seen};
use super::plan::{Answer, How, Plan};
use super::sdp;
use super::tone;
use super::voice::Voice;
use crate::model::Time;
use std::net::IpAddr;
use std::time::Duration;

/// Who hears nobody for so long says goodbye: the sound was never joined.
const SILENCE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Agent {
    pub agent: u64,
    pub registered: bool,
    pub refused: Option<u16>,
    at: IpAddr,
    /// The number of this agent's tone.
    tone: usize,
    rings: u64,
    call: Option<Call>,
    /// Calls that are over.
    pub entries: Vec<OfferEntry>,
    /// Back at the desk then, to be ready again.
    away_until: Option<Time>,
}

#[derive(Debug)]
struct Call {
    dialog: DialogId,
    entry: OfferEntry,
    plan: Answer,
    rung_at: Time,
    offer: Vec<u8>,
    voice: Option<Voice>,
    answered_at: Option<Time>,
    heard_at: Option<Time>,
    leaving: bool,
}

impl Agent {
    pub fn new(agent: u64, tone: usize, at: IpAddr) -> Agent {
        Agent { agent, registered: false, refused: None, at, tone, rings: 0, call: None, entries: Vec::new(), away_until: None }
    }

    pub fn idle(&self) -> bool {
        self.call.is_none()
    }

    /// Something that the telephone has seen.
    pub fn see(&mut self, now: Time, seen: Seen, plan: &Plan, phone: &mut Phone, out: &mut Output) {
        match seen {
            Seen::Registered => self.registered = true,
            Seen::RegistrationRefused(code) => self.refused = Some(code),
            Seen::Incoming { dialog, shown, sdp } => self.rings(now, dialog, shown, sdp, plan, phone, out),
            Seen::Cancelled { dialog } => {
                let away = self.call.as_ref().filter(|c| c.dialog == dialog).map(|c| c.plan.how);
                if let Some(How::Ignore(away)) = away {
                    self.away_until = Some(now + away);
                }
                self.end(now, dialog, &[OfferStep::Cancelled, OfferStep::Over]);
            }
            Seen::Acknowledged { dialog } => self.note(now, dialog, OfferStep::Acknowledged),
            Seen::ByeReceived { dialog } => self.end(now, dialog, &[OfferStep::ByeReceived, OfferStep::Over]),
            Seen::ByeAnswered { dialog } => self.end(now, dialog, &[OfferStep::Over]),
            Seen::Lost { dialog } => self.end(now, dialog, &[OfferStep::Lost, OfferStep::Over]),
            _ => {}
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn rings(&mut self, now: Time, dialog: DialogId, shown: String, offer: Vec<u8>, plan: &Plan, phone: &mut Phone, out: &mut Output) {
        let mut entry = OfferEntry { agent: self.agent, shown, steps: vec![(now, OfferStep::InviteReceived)] };
        if self.call.is_some() {
            // Two calls at once for one agent: the ledgers will not agree.
            phone.refuse(now, dialog, 486, out);
            entry.steps.extend([(now, OfferStep::RungWhileBusy), (now, OfferStep::RefusalSent(486)), (now, OfferStep::Over)]);
            self.entries.push(entry);
            return;
        }
        self.rings += 1;
        let answer = plan.answer(self.agent, self.rings);
        if answer.how == How::Busy {
            // A telephone that is in another call says so without ringing.
            phone.refuse(now, dialog, 486, out);
            entry.steps.extend([(now, OfferStep::RefusalSent(486)), (now, OfferStep::Over)]);
            self.entries.push(entry);
            return;
        }
        phone.ring(now, dialog, out);
        entry.steps.push((now, OfferStep::RingingSent));
        self.call =
            Some(Call { dialog, entry, plan: answer, rung_at: now, offer, voice: None, answered_at: None, heard_at: None, leaving: false });
    }

    fn note(&mut self, now: Time, dialog: DialogId, step: OfferStep) {
        if let Some(call) = self.call.as_mut().filter(|call| call.dialog == dialog) {
            call.entry.steps.push((now, step));
        }
    }

    fn end(&mut self, now: Time, dialog: DialogId, steps: &[OfferStep]) {
        if let Some(mut call) = self.call.take_if(|call| call.dialog == dialog) {
            call.entry.steps.extend(steps.iter().map(|step| (now, *step)));
            self.entries.push(call.entry);
        }
    }

    /// The next 20 ms of this agent's day; true if the agent wants to be ready again.
    pub fn step(&mut self, now: Time, phone: &mut Phone, out: &mut Output) -> bool {
        let back = self.away_until.take_if(|until| *until <= now).is_some();
        let Some(call) = &mut self.call else { return back };
        match call.answered_at {
            None => self.decide(now, phone, out),
            Some(answered) if !call.leaving => {
                call.listen(now);
                let done = match call.heard_at {
                    Some(heard) => now.since(heard) >= call.plan.talk,
                    None => now.since(answered) >= SILENCE_MAX,
                };
                if done && phone.hang_up(now, call.dialog, out) == Goodbye::Bye {
                    call.leaving = true;
                    call.entry.steps.push((now, OfferStep::ByeSent));
                }
            }
            Some(_) => {}
        }
        back
    }

    fn decide(&mut self, now: Time, phone: &mut Phone, out: &mut Output) {
        let Some(call) = self.call.as_mut().filter(|call| now.since(call.rung_at) >= call.plan.after) else { return };
        let dialog = call.dialog;
        let code = match call.plan.how {
            How::Ignore(_) | How::Busy => return,
            How::Decline => 603,
            How::Answer => match call.pick_up(self.at, self.tone, self.rings) {
                Some(answer) => {
                    phone.answer(now, dialog, answer, out);
                    call.answered_at = Some(now);
                    call.entry.steps.push((now, OfferStep::AnswerSent));
                    return;
                }
                None => 488,
            },
        };
        phone.refuse(now, dialog, code, out);
        self.end(now, dialog, &[OfferStep::RefusalSent(code), OfferStep::Over]);
    }
}

impl Call {
    /// Our session description for this offer; `None` if it cannot be met.
    fn pick_up(&mut self, at: IpAddr, tone: usize, ring: u64) -> Option<String> {
        let remote = sdp::read(&self.offer).ok()?;
        let mut voice = Voice::open(at, tone, (tone as u32) << 20 | ring as u32).ok()?;
        voice.talk_to(remote);
        let answer = sdp::describe(voice.local(), ring, remote.telephone_event);
        self.voice = Some(voice);
        Some(answer)
    }

    fn listen(&mut self, now: Time) {
        let Some(voice) = &mut self.voice else { return };
        voice.step(now);
        if self.heard_at.is_some() {
            return;
        }
        if let Some(tone) = voice.heard().filter(|tone| *tone >= tone::CALLERS_FROM) {
            self.heard_at = Some(now);
            self.entry.steps.push((now, OfferStep::HeardCaller(tone)));
        }
    }
}
