//! The machine of one leg: a caller who rang us, or a station that we ring.

use super::negotiate::{self, Agreed, Local};

/// What a leg is told, by its dialog or by the core. Whatever the order, a leg reports its end exactly once, and nothing after it.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    // ── the core's orders ──
    /// 200 OK to a caller.
    Answer,
    /// Ends the leg, whatever it is doing. The core asked for it: nothing is reported.
    End(Ending),

    // ── the dialog's facts ──
    /// 180, or any provisional response that means ringing; with the answer to our offer if the other side can be heard already.
    Alerting { sdp: Option<String> },
    /// Whom this party calls is rung.
    FarRings,
    /// Whom this party calls can be heard already.
    FarAudible,
    /// 200 to our INVITE (acknowledged by the dialog), with the answer to our offer.
    Established { sdp: Option<String> },
    /// ACK to our 200, with the answer if the offer was ours.
    Acked { sdp: Option<String> },
    /// A final response other than 2xx to our INVITE.
    Refused { code: u16 },
    /// No final response to our INVITE, or the transport failed.
    TimedOut,
    /// CANCEL came before our final response; the dialog has answered it and the INVITE.
    Cancelled,
    /// A 200 crossed our CANCEL; the dialog has acknowledged and ended it.
    LateAnswer,
    /// re-INVITE or UPDATE from the other side; `None`: it wants our offer.
    Reoffer { sdp: Option<String> },
    /// BYE, or the dialog is known to be dead.
    Ended { lost: bool },
}

/// How the core ends a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The conversation is over; before the answer, the INVITE is refused with this code.
    Done { code: u16 },
    /// The offer is withdrawn; `elsewhere`: another answered it (RFC 3326), so the station need not list a missed call.
    Withdrawn { elsewhere: bool },
}

/// What a leg wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    // ── to its dialog ──
    Invite {
        sdp: String,
    },
    Accept {
        sdp: String,
    },
    /// 180.
    Ring,
    /// 183: it may be heard already what will be heard when we answer.
    Progress {
        sdp: String,
    },
    Reject {
        code: u16,
    },
    Cancel {
        elsewhere: bool,
    },
    Bye,
    AnswerReoffer {
        sdp: String,
    },
    RejectReoffer {
        code: u16,
    },
    // ── to its media ──
    Negotiate(Agreed),
    CloseMedia,
    // ── to the core ──
    Report(Report),
}

/// What the core hears of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    Alerting,
    /// Whom we called beyond a trunk can be heard before they answer.
    Audible,
    /// Our caller's leg is answered, or the station has answered us.
    Established,
    /// A station that we rang is gone without having been established.
    Refused(Refusal),
    /// The leg is gone.
    Ended(Gone),
    Held(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    HungUp,
    Lost,
}

/// Why a station did not take the call (the core's refusals, by response code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Declined,
    NoAnswer,
    Busy,
    Unreachable,
}

impl Refusal {
    /// The meaning of a final response to an INVITE. A redirection is a refusal and is never followed: it could lead anywhere. A busy
    /// station never rings: a 486 after ringing is what many telephones send when their owner declines.
    pub fn of_code(code: u16, has_rung: bool) -> Refusal {
        match code {
            486 | 600 if has_rung => Refusal::Declined,
            486 | 600 => Refusal::Busy,
            408 => Refusal::NoAnswer,
            300..=399 | 403 | 480 | 487 | 603 | 607 => Refusal::Declined,
            _ => Refusal::Unreachable,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// A caller's INVITE waits for our answer: the answer is ready, or we shall offer ourselves.
    Invited(Ready),
    /// We rang a station.
    Dialled {
        alerting: bool,
    },
    /// Both sides know that the leg is up.
    Up {
        held: bool,
    },
    /// Our CANCEL is under way; the core has forgotten the leg.
    Cancelling,
    Gone,
}

#[derive(Clone, Debug, PartialEq)]
enum Ready {
    Answer {
        sdp: String,
        agreed: Agreed,
    },
    /// The INVITE carried no offer (RFC 3261 §13.2.1): ours goes in the 200, the answer comes in the ACK.
    Offer,
}

/// One party's leg. `Local` is where its media listens.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    local: Local,
    state: State,
    /// Our offer went in a 200: the answer comes in the ACK.
    awaits_answer: bool,
    /// What comes before the answer is to be heard, and has not come yet.
    listens: bool,
}

impl Leg {
    /// A caller's INVITE. Refused at once (488) if nothing in the offer can be spoken with; then there is no leg.
    pub fn invited(local: Local, offer: Option<&str>) -> Result<Leg, Order> {
        let ready = match offer {
            None => Ready::Offer,
            Some(offer) => match negotiate::answer(offer, &local) {
                Ok((sdp, agreed)) => Ready::Answer { sdp, agreed },
                Err(_) => return Err(Order::Reject { code: 488 }),
            },
        };
        Ok(Leg { local, state: State::Invited(ready), awaits_answer: false, listens: false })
    }

    /// Rings a station.
    pub fn dialled(local: Local, out: &mut Vec<Order>) -> Leg {
        out.push(Order::Invite { sdp: negotiate::offer(&local) });
        Leg { local, state: State::Dialled { alerting: false }, awaits_answer: false, listens: false }
    }

    /// Calls somebody beyond a trunk: what they let us hear before they answer is heard.
    pub fn placed(local: Local, out: &mut Vec<Order>) -> Leg {
        Leg { listens: true, ..Leg::dialled(local, out) }
    }

    /// Whether nothing more can come of this leg and its owner may drop it.
    pub fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Applies one input. What comes too late changes nothing.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Order>) {
        match input {
            Input::Answer => self.answer(out),
            Input::End(ending) => self.end(ending, out),
            Input::Alerting { sdp } => self.alerting(sdp.as_deref(), out),
            Input::FarRings if matches!(self.state, State::Invited(_)) => out.push(Order::Ring),
            Input::FarRings => {}
            Input::FarAudible => self.far_audible(out),
            Input::Established { sdp } => self.established(sdp.as_deref(), out),
            Input::Acked { sdp } => self.acked(sdp.as_deref(), out),
            Input::Refused { code } => {
                let has_rung = self.state == (State::Dialled { alerting: true });
                self.refused(Refusal::of_code(code, has_rung), out);
            }
            Input::TimedOut => self.refused(Refusal::Unreachable, out),
            Input::Cancelled if matches!(self.state, State::Invited(_)) => self.gone(Gone::HungUp, out),
            // CANCEL has no effect on what has been answered (RFC 3261 §9.2).
            Input::Cancelled => {}
            Input::LateAnswer => self.cancelled_out(),
            Input::Reoffer { sdp } => self.reoffer(sdp.as_deref(), out),
            Input::Ended { lost } => self.gone(if lost { Gone::Lost } else { Gone::HungUp }, out),
        }
    }

    fn answer(&mut self, out: &mut Vec<Order>) {
        let State::Invited(ready) = &self.state else { return };
        match ready.clone() {
            Ready::Answer { sdp, agreed } => out.extend([Order::Accept { sdp }, Order::Negotiate(agreed)]),
            Ready::Offer => {
                self.awaits_answer = true;
                out.push(Order::Accept { sdp: negotiate::offer(&self.local) });
            }
        }
        self.state = State::Up { held: false };
        out.push(Order::Report(Report::Established));
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<Order>) {
        let elsewhere = matches!(ending, Ending::Withdrawn { elsewhere: true });
        let next = match (&self.state, ending) {
            (State::Invited(_), Ending::Done { code }) => {
                out.push(Order::Reject { code });
                State::Gone
            }
            (State::Invited(_), Ending::Withdrawn { .. }) => {
                out.push(Order::Reject { code: 480 });
                State::Gone
            }
            (State::Dialled { .. }, _) => {
                out.push(Order::Cancel { elsewhere });
                State::Cancelling
            }
            (State::Up { .. }, _) => {
                out.push(Order::Bye);
                State::Gone
            }
            (State::Cancelling | State::Gone, _) => return,
        };
        out.push(Order::CloseMedia);
        self.state = next;
    }

    fn alerting(&mut self, sdp: Option<&str>, out: &mut Vec<Order>) {
        let State::Dialled { alerting } = &mut self.state else { return };
        if !std::mem::replace(alerting, true) {
            out.push(Order::Report(Report::Alerting));
        }
        if let Some(agreed) = sdp.filter(|_| self.listens).and_then(|answer| negotiate::accept(answer, &self.local).ok()) {
            self.listens = false;
            out.extend([Order::Negotiate(agreed), Order::Report(Report::Audible)]);
        }
    }

    fn far_audible(&mut self, out: &mut Vec<Order>) {
        match &self.state {
            State::Invited(Ready::Answer { sdp, agreed }) => out.extend([Order::Progress { sdp: sdp.clone() }, Order::Negotiate(*agreed)]),
            // Who offered nothing can hear nothing yet.
            State::Invited(Ready::Offer) => out.push(Order::Ring),
            _ => {}
        }
    }

    /// A station's 200. Without sound that both can speak it is no answer at all.
    fn established(&mut self, sdp: Option<&str>, out: &mut Vec<Order>) {
        if !matches!(self.state, State::Dialled { .. }) {
            return;
        }
        match sdp.ok_or(()).and_then(|answer| negotiate::accept(answer, &self.local).map_err(drop)) {
            Ok(agreed) => {
                self.state = State::Up { held: agreed.hold };
                out.extend([Order::Negotiate(agreed), Order::Report(Report::Established)]);
            }
            Err(()) => {
                out.push(Order::Bye);
                self.refused(Refusal::Unreachable, out);
            }
        }
    }

    fn acked(&mut self, sdp: Option<&str>, out: &mut Vec<Order>) {
        if !matches!(self.state, State::Up { .. }) || !std::mem::take(&mut self.awaits_answer) {
            return;
        }
        match sdp.ok_or(()).and_then(|answer| negotiate::accept(answer, &self.local).map_err(drop)) {
            Ok(agreed) => self.agree(agreed, out),
            Err(()) => {
                out.push(Order::Bye);
                self.gone(Gone::Lost, out);
            }
        }
    }

    fn refused(&mut self, refusal: Refusal, out: &mut Vec<Order>) {
        if let State::Dialled { .. } = self.state {
            out.extend([Order::CloseMedia, Order::Report(Report::Refused(refusal))]);
            self.state = State::Gone;
        }
        self.cancelled_out();
    }

    /// The last word on an INVITE that we had cancelled.
    fn cancelled_out(&mut self) {
        if self.state == State::Cancelling {
            self.state = State::Gone;
        }
    }

    fn reoffer(&mut self, sdp: Option<&str>, out: &mut Vec<Order>) {
        if !matches!(self.state, State::Up { .. }) {
            // Before the leg is up an offer is out of order (RFC 3261 §14.2).
            out.push(Order::RejectReoffer { code: 491 });
            return;
        }
        self.local.version += 1;
        match sdp.map(|offer| negotiate::answer(offer, &self.local)) {
            None => {
                self.awaits_answer = true;
                out.push(Order::AnswerReoffer { sdp: negotiate::offer(&self.local) });
            }
            Some(Ok((sdp, agreed))) => {
                out.push(Order::AnswerReoffer { sdp });
                self.agree(agreed, out);
            }
            // The session goes on as it was (RFC 3261 §14.1).
            Some(Err(_)) => out.push(Order::RejectReoffer { code: 488 }),
        }
    }

    fn agree(&mut self, agreed: Agreed, out: &mut Vec<Order>) {
        let State::Up { held: was } = self.state else { return };
        let held = agreed.hold;
        self.state = State::Up { held };
        out.push(Order::Negotiate(agreed));
        if held != was {
            out.push(Order::Report(Report::Held(held)));
        }
    }

    fn gone(&mut self, how: Gone, out: &mut Vec<Order>) {
        match self.state {
            State::Invited(_) | State::Up { .. } => out.extend([Order::CloseMedia, Order::Report(Report::Ended(how))]),
            State::Dialled { .. } => {
                let refusal = if how == Gone::Lost { Refusal::Unreachable } else { Refusal::Declined };
                out.extend([Order::CloseMedia, Order::Report(Report::Refused(refusal))]);
            }
            State::Cancelling | State::Gone => {}
        }
        self.state = State::Gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leg::negotiate::Codec;

    fn at(address: &str) -> Local {
        Local { address: address.parse().unwrap(), session: 1, version: 1, codecs: vec![Codec::Pcmu, Codec::Pcma] }
    }

    fn local() -> Local {
        at("127.0.0.1:20000")
    }

    fn their_offer() -> String {
        negotiate::offer(&at("127.0.0.2:4000"))
    }

    fn held_offer() -> String {
        their_offer().replace("a=sendrecv", "a=sendonly")
    }

    fn caller(offer: Option<&str>) -> Leg {
        Leg::invited(local(), offer).expect("an ordinary offer")
    }

    fn station() -> Leg {
        let mut out = Vec::new();
        let leg = Leg::dialled(local(), &mut out);
        assert!(matches!(out[..], [Order::Invite { .. }]));
        leg
    }

    fn tell(leg: &mut Leg, input: Input) -> Vec<Order> {
        let mut out = Vec::new();
        leg.handle(input, &mut out);
        out
    }

    fn answered() -> Input {
        Input::Established { sdp: Some(their_offer()) }
    }

    #[test]
    fn a_caller_is_answered_with_the_answer_to_their_offer() {
        let mut leg = caller(Some(&their_offer()));
        let out = tell(&mut leg, Input::Answer);
        assert!(matches!(&out[..], [Order::Accept { sdp }, Order::Negotiate(agreed), Order::Report(Report::Established)]
            if sdp.contains("20000") && agreed.remote.port() == 4000));
    }

    #[test]
    fn an_offer_that_nobody_can_speak_is_refused() {
        let offer = their_offer().replace("RTP/AVP", "UDP/TLS/RTP/SAVPF");
        assert_eq!(Leg::invited(local(), Some(&offer)), Err(Order::Reject { code: 488 }));
    }

    #[test]
    fn a_late_offer_is_ours_and_its_answer_comes_in_the_ack() {
        let mut leg = caller(None);
        let out = tell(&mut leg, Input::Answer);
        assert!(matches!(&out[..], [Order::Accept { .. }, Order::Report(Report::Established)]));
        assert!(matches!(&tell(&mut leg, Input::Acked { sdp: Some(their_offer()) })[..], [Order::Negotiate(_)]));
        assert_eq!(tell(&mut leg, Input::Acked { sdp: None }), [], "a second ACK is nothing");
    }

    #[test]
    fn an_ack_without_the_answer_ends_the_leg() {
        let mut leg = caller(None);
        tell(&mut leg, Input::Answer);
        assert_eq!(tell(&mut leg, Input::Acked { sdp: None }), [Order::Bye, Order::CloseMedia, Order::Report(Report::Ended(Gone::Lost))]);
    }

    #[test]
    fn a_station_alerts_once_and_answers() {
        let mut leg = station();
        assert_eq!(tell(&mut leg, Input::Alerting { sdp: None }), [Order::Report(Report::Alerting)]);
        assert_eq!(tell(&mut leg, Input::Alerting { sdp: None }), []);
        assert!(matches!(&tell(&mut leg, answered())[..], [Order::Negotiate(_), Order::Report(Report::Established)]));
    }

    #[test]
    fn what_comes_before_the_answer_is_heard_beyond_a_trunk_only() {
        let early = || Input::Alerting { sdp: Some(their_offer()) };
        assert_eq!(tell(&mut station(), early()), [Order::Report(Report::Alerting)]);
        let mut leg = Leg::placed(local(), &mut Vec::new());
        assert_eq!(tell(&mut leg, Input::Alerting { sdp: None }), [Order::Report(Report::Alerting)]);
        assert!(matches!(&tell(&mut leg, early())[..], [Order::Negotiate(_), Order::Report(Report::Audible)]));
        assert_eq!(tell(&mut leg, early()), [], "once");
        let mut leg = caller(Some(&their_offer()));
        assert_eq!(tell(&mut leg, Input::FarRings), [Order::Ring]);
        let Order::Progress { sdp: early } = tell(&mut leg, Input::FarAudible).remove(0) else { panic!() };
        assert!(matches!(&tell(&mut leg, Input::Answer)[0], Order::Accept { sdp } if *sdp == early), "the same answer again");
        assert_eq!(tell(&mut leg, Input::FarAudible), []);
        assert_eq!(tell(&mut caller(None), Input::FarAudible), [Order::Ring]);
    }

    #[test]
    fn a_station_that_rang_was_not_busy_but_declined() {
        let mut leg = station();
        assert_eq!(tell(&mut leg, Input::Refused { code: 486 }), [Order::CloseMedia, Order::Report(Report::Refused(Refusal::Busy))]);
        let mut leg = station();
        tell(&mut leg, Input::Alerting { sdp: None });
        assert_eq!(tell(&mut leg, Input::Refused { code: 486 }), [Order::CloseMedia, Order::Report(Report::Refused(Refusal::Declined))]);
    }

    #[test]
    fn a_station_without_usable_sound_is_unreachable() {
        for sdp in [None, Some("v=0".to_string())] {
            let mut leg = station();
            assert_eq!(
                tell(&mut leg, Input::Established { sdp }),
                [Order::Bye, Order::CloseMedia, Order::Report(Report::Refused(Refusal::Unreachable))]
            );
            assert!(leg.is_gone());
        }
    }

    #[test]
    fn hold_is_reported_when_it_changes() {
        let mut leg = caller(Some(&their_offer()));
        tell(&mut leg, Input::Answer);
        let held = tell(&mut leg, Input::Reoffer { sdp: Some(held_offer()) });
        assert!(matches!(&held[..], [Order::AnswerReoffer { .. }, Order::Negotiate(_), Order::Report(Report::Held(true))]));
        let again = tell(&mut leg, Input::Reoffer { sdp: Some(held_offer()) });
        assert!(matches!(&again[..], [Order::AnswerReoffer { .. }, Order::Negotiate(_)]));
        let back = tell(&mut leg, Input::Reoffer { sdp: Some(their_offer()) });
        assert!(matches!(&back[..], [Order::AnswerReoffer { .. }, Order::Negotiate(_), Order::Report(Report::Held(false))]));
    }

    #[test]
    fn a_withdrawn_offer_is_cancelled_and_its_late_answer_is_silence() {
        for late in [Input::LateAnswer, Input::Refused { code: 487 }, Input::TimedOut] {
            let mut leg = station();
            tell(&mut leg, Input::Alerting { sdp: None });
            assert_eq!(
                tell(&mut leg, Input::End(Ending::Withdrawn { elsewhere: true })),
                [Order::Cancel { elsewhere: true }, Order::CloseMedia]
            );
            assert!(!leg.is_gone(), "the CANCEL has its own end");
            assert_eq!(tell(&mut leg, late), []);
            assert!(leg.is_gone());
        }
    }

    /// Every input that a leg can meet, as its dialog and the core may send them.
    fn inputs() -> Vec<Input> {
        vec![
            Input::Answer,
            Input::End(Ending::Done { code: 480 }),
            Input::End(Ending::Withdrawn { elsewhere: false }),
            Input::Alerting { sdp: Some(their_offer()) },
            Input::FarRings,
            Input::FarAudible,
            answered(),
            Input::Acked { sdp: None },
            Input::Refused { code: 486 },
            Input::TimedOut,
            Input::Cancelled,
            Input::LateAnswer,
            Input::Reoffer { sdp: Some(held_offer()) },
            Input::Reoffer { sdp: None },
            Input::Ended { lost: false },
            Input::Ended { lost: true },
        ]
    }

    /// All interleavings of four inputs: the media is closed once and never spoken to afterwards, the core hears of the end at most
    /// once, never after it asked for it, and a leg that is gone stays so.
    #[test]
    fn no_order_of_events_leaves_a_leg_half_alive() {
        let inputs = inputs();
        for start in [caller(Some(&their_offer())), caller(None), station()] {
            let mut paths: Vec<(Leg, Vec<Order>, bool)> = vec![(start, Vec::new(), false)];
            for _ in 0..4 {
                let mut next = Vec::with_capacity(paths.len() * inputs.len());
                for (leg, orders, asked) in &paths {
                    for input in &inputs {
                        let (mut leg, mut orders) = (leg.clone(), orders.clone());
                        let before = orders.len();
                        leg.handle(input.clone(), &mut orders);
                        let asked = *asked || matches!(input, Input::End(_));
                        check(&leg, &orders, before, asked);
                        next.push((leg, orders, asked));
                    }
                }
                paths = next;
            }
        }
    }

    fn check(leg: &Leg, orders: &[Order], before: usize, asked: bool) {
        let closes = orders.iter().filter(|o| **o == Order::CloseMedia).count();
        assert!(closes <= 1, "media closed twice: {orders:?}");
        let last_word = |o: &&Order| matches!(o, Order::Report(Report::Ended(_) | Report::Refused(_)));
        assert!(orders.iter().filter(last_word).count() <= 1, "two last words: {orders:?}");
        if asked {
            assert!(!orders[before..].iter().any(|o| matches!(o, Order::Report(_))), "told of what it asked for: {orders:?}");
        }
        if let Some(at) = orders.iter().position(|o| *o == Order::CloseMedia) {
            let spoken = orders[at + 1..].iter().any(|o| matches!(o, Order::Negotiate(_)));
            assert!(!spoken, "media spoken to after its close: {orders:?}");
        }
        if leg.is_gone() && orders.iter().any(|o| matches!(o, Order::Accept { .. } | Order::Invite { .. } | Order::Negotiate(_))) {
            assert_eq!(closes, 1, "a leg that is gone keeps its media: {orders:?}");
        }
    }
}
