//! What a dialog may report next: the contract of the SIP stack's reports, as a machine that chooses nothing itself.

use careline::leg::negotiate::{Codec, Local};
use careline::leg::{Input, Order, negotiate};

/// One thing that the other side, or the network, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Move {
    Cancel,
    Ack,
    /// The 200 was never acknowledged, a probe or a session timer found nobody: the dialog is lost.
    Lose,
    Bye,
    Hold,
    Retrieve,
    /// A re-INVITE without an offer.
    AskForOffer,
    Alert,
    Answer,
    /// A 200 without a word about sound.
    AnswerMute,
    Refuse(u16),
    Silence,
    LateAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Their INVITE waits for our answer.
    Ringing,
    Dialling,
    Cancelling,
    Up,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialog {
    stage: Stage,
    /// Our 200 waits for its ACK.
    unacknowledged: bool,
    /// That 200 carried our offer.
    offered: bool,
    /// Their new offer waits for our answer.
    reoffer: bool,
    alerted: bool,
}

fn offer(direction: &str) -> String {
    let local = Local { address: "127.0.0.2:4000".parse().expect("an address"), session: 1, version: 1, codecs: vec![Codec::Pcmu] };
    negotiate::offer(&local).replace("a=sendrecv", direction)
}

impl Dialog {
    fn new(stage: Stage) -> Dialog {
        Dialog { stage, unacknowledged: false, offered: false, reoffer: false, alerted: false }
    }

    pub fn incoming() -> Dialog {
        Dialog::new(Stage::Ringing)
    }

    pub fn dialled() -> Dialog {
        Dialog::new(Stage::Dialling)
    }

    /// Nothing comes of it any more.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub fn is_cancelling(&self) -> bool {
        self.stage == Stage::Cancelling
    }

    /// All that may happen next.
    pub fn moves(&self) -> Vec<Move> {
        match self.stage {
            Stage::Ringing => vec![Move::Cancel],
            Stage::Dialling => {
                let mut moves =
                    vec![Move::Answer, Move::AnswerMute, Move::Refuse(486), Move::Refuse(302), Move::Refuse(503), Move::Silence];
                moves.extend((!self.alerted).then_some(Move::Alert));
                moves
            }
            // The CANCEL has left; it may meet the refusal that it asks for, a 200, or nothing.
            Stage::Cancelling => vec![Move::Refuse(487), Move::LateAnswer, Move::Silence],
            // A new offer must wait for the ACK to the answer before (491, by the stack itself); a BYE need not.
            Stage::Up if self.unacknowledged => vec![Move::Ack, Move::Bye, Move::Lose],
            Stage::Up => vec![Move::Bye, Move::Lose, Move::Hold, Move::Retrieve, Move::AskForOffer],
            Stage::Over => vec![],
        }
    }

    /// It happens; what the leg hears of it.
    pub fn play(&mut self, step: Move) -> Input {
        assert!(self.moves().contains(&step), "{step:?} cannot be now: {self:?}");
        let (stage, input) = match step {
            Move::Cancel => (Stage::Over, Input::Cancelled),
            Move::Ack => {
                self.unacknowledged = false;
                let sdp = std::mem::take(&mut self.offered).then(|| offer("a=sendrecv"));
                (Stage::Up, Input::Acked { sdp })
            }
            Move::Lose => (Stage::Over, Input::Ended { lost: true }),
            Move::Bye => (Stage::Over, Input::Ended { lost: false }),
            Move::Hold | Move::Retrieve | Move::AskForOffer => {
                self.reoffer = true;
                let direction = if step == Move::Hold { "a=sendonly" } else { "a=sendrecv" };
                (Stage::Up, Input::Reoffer { sdp: (step != Move::AskForOffer).then(|| offer(direction)) })
            }
            Move::Alert => {
                self.alerted = true;
                (Stage::Dialling, Input::Alerting { sdp: None })
            }
            Move::Answer => (Stage::Up, Input::Established { sdp: Some(offer("a=sendrecv")) }),
            Move::AnswerMute => (Stage::Up, Input::Established { sdp: None }),
            Move::Refuse(code) => (Stage::Over, Input::Refused { code }),
            Move::Silence => (Stage::Over, Input::TimedOut),
            Move::LateAnswer => (Stage::Over, Input::LateAnswer),
        };
        self.stage = stage;
        input
    }

    /// What the leg asks of it; it must be in turn.
    pub fn obey(&mut self, order: &Order, late_offer: bool) {
        let stage = match (order, self.stage) {
            (Order::Accept { .. }, Stage::Ringing) => {
                (self.unacknowledged, self.offered) = (true, late_offer);
                Stage::Up
            }
            (Order::Reject { .. }, Stage::Ringing) => Stage::Over,
            (Order::Cancel { .. }, Stage::Dialling) => Stage::Cancelling,
            (Order::Bye, Stage::Up) => Stage::Over,
            (Order::AnswerReoffer { .. }, Stage::Up) if self.reoffer => {
                (self.reoffer, self.unacknowledged) = (false, true);
                Stage::Up
            }
            (Order::RejectReoffer { .. }, Stage::Up) if self.reoffer => {
                self.reoffer = false;
                Stage::Up
            }
            (Order::Accept { .. } | Order::Reject { .. } | Order::Cancel { .. } | Order::Bye, _) => {
                panic!("{order:?} is out of turn: {self:?}")
            }
            (Order::AnswerReoffer { .. } | Order::RejectReoffer { .. }, _) => panic!("{order:?} answers nothing: {self:?}"),
            (
                Order::Invite { .. } | Order::Ring | Order::Progress { .. } | Order::Negotiate(_) | Order::CloseMedia | Order::Report(_),
                stage,
            ) => stage,
        };
        self.stage = stage;
    }

    /// Their re-INVITE asked for our offer: the ACK brings the answer.
    pub fn offers(&mut self) {
        self.offered = true;
    }

    /// A new offer of theirs has been answered or refused.
    pub fn is_answered(&self) -> bool {
        !self.reoffer
    }
}
