//! All interleavings, up to a length, of what can happen to a leg and to a call: CANCEL × 200, glare, late answers, loss at each step,
//! re-INVITE × BYE. The dialogs are modelled; the legs and the core are the real ones.

mod dialog;
mod house;

use careline::leg::machine::Ending;
use careline::leg::negotiate::{Codec, Local};
use careline::leg::{Input, Leg, Order, Report};
use dialog::{Dialog, Move};
use house::{House, Step};

/// Steps of one leg: whatever its dialog does, and whatever the core asks.
const ONE_LEG: usize = 12;
/// Steps of a whole call, from each of its stages; one more where there is time.
const WHOLE_CALL: usize = if cfg!(debug_assertions) { 4 } else { 5 };

// ── one leg ──

#[derive(Clone)]
struct Alone {
    leg: Leg,
    dialog: Dialog,
    /// The core has asked for its end.
    asked: bool,
    answered: bool,
    late_offer: bool,
    orders: Vec<Order>,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Dialog(Move),
    Answer,
    Drop,
    Withdraw,
}

fn local() -> Local {
    Local { address: "127.0.0.1:20000".parse().expect("an address"), session: 1, version: 1, codecs: vec![Codec::Pcmu, Codec::Pcma] }
}

impl Alone {
    fn caller(late_offer: bool) -> Alone {
        let offer = careline::leg::negotiate::offer(&Local { address: "127.0.0.2:4000".parse().expect("an address"), ..local() });
        let leg = Leg::invited(local(), (!late_offer).then_some(&offer)).expect("an ordinary offer");
        Alone { leg, dialog: Dialog::incoming(), asked: false, answered: false, late_offer, orders: Vec::new() }
    }

    fn station() -> Alone {
        let mut orders = Vec::new();
        let leg = Leg::dialled(local(), &mut orders);
        Alone { leg, dialog: Dialog::dialled(), asked: false, answered: true, late_offer: false, orders }
    }

    fn deeds(&self) -> Vec<Deed> {
        let mut deeds: Vec<Deed> = self.dialog.moves().into_iter().map(Deed::Dialog).collect();
        let gone = self.last_words() > 0;
        if !self.asked && !gone {
            deeds.extend((!self.answered).then_some(Deed::Answer));
            deeds.extend([Deed::Drop, Deed::Withdraw]);
        }
        deeds
    }

    fn last_words(&self) -> usize {
        self.orders.iter().filter(|order| matches!(order, Order::Report(Report::Ended(_) | Report::Refused(_)))).count()
    }

    fn does(&mut self, deed: Deed) {
        let input = match deed {
            Deed::Dialog(step) => self.dialog.play(step),
            Deed::Answer => Input::Answer,
            Deed::Drop => Input::End(Ending::Done { code: 480 }),
            Deed::Withdraw => Input::End(Ending::Withdrawn { elsewhere: true }),
        };
        self.asked |= matches!(input, Input::End(_));
        self.answered |= matches!(input, Input::Answer);
        let asks_for_offer = matches!(input, Input::Reoffer { sdp: None });
        let mut out = Vec::new();
        self.leg.handle(input, &mut out);
        for order in &out {
            self.dialog.obey(order, self.late_offer);
            if matches!(order, Order::AnswerReoffer { .. }) && asks_for_offer {
                self.dialog.offers();
            }
        }
        let told = out.iter().any(|order| matches!(order, Order::Report(_)));
        assert!(!(self.asked && told), "the core hears of what it has let go: {out:?}");
        self.orders.extend(out);
        self.check();
    }

    fn check(&self) {
        assert!(self.last_words() <= 1, "two last words");
        let closed = self.orders.iter().filter(|order| **order == Order::CloseMedia).count();
        let over = self.asked || self.last_words() == 1;
        assert_eq!(closed, usize::from(over), "sound ends once, when the leg does");
        assert!(self.dialog.is_answered(), "an offer of theirs is answered at once");
        assert!(!self.dialog.is_over() || over, "the dialog is over and nobody knows");
        assert!(!self.leg.is_gone() || self.dialog.is_over(), "the leg is gone and its dialog goes on");
        assert_eq!(self.leg.is_gone(), over && !self.dialog.is_cancelling(), "a leg is gone when it is over and has no CANCEL out");
    }
}

/// Every path of `left` more steps; how many there are.
fn walk_one(alone: &Alone, left: usize) -> u64 {
    let deeds = alone.deeds();
    if left == 0 || deeds.is_empty() {
        return 1;
    }
    deeds
        .into_iter()
        .map(|deed| {
            let mut next = alone.clone();
            next.does(deed);
            walk_one(&next, left - 1)
        })
        .sum()
}

#[test]
fn one_leg_ends_once_whatever_happens_in_whatever_order() {
    let starts = [("caller", Alone::caller(false)), ("late offer", Alone::caller(true)), ("station", Alone::station())];
    let mut all = 0;
    for (name, start) in starts {
        let paths = walk_one(&start, ONE_LEG);
        println!("{name}: {paths} interleavings of up to {ONE_LEG} steps");
        all += paths;
    }
    assert!(all > 5_000, "{all}");
}

// ── a caller, two agents and the core ──

fn walk(house: &House, left: usize, paths: &mut u64) {
    let steps = house.steps();
    if left == 0 || steps.is_empty() {
        *paths += 1;
        return house.clone().finish();
    }
    for step in steps {
        let mut next = house.clone();
        next.does(step);
        walk(&next, left - 1, paths);
    }
}

#[test]
fn a_call_loses_nobody_whatever_happens_in_whatever_order() {
    let mut all = 0;
    for (name, prefix) in [
        ("a caller arrives", &[][..]),
        ("a station is rung", &[Step::Caller(Move::Ack)]),
        ("a station has answered", &[Step::Caller(Move::Ack), Step::Agent(Move::Alert), Step::Agent(Move::Answer)]),
        ("caller and agent talk", &[Step::Caller(Move::Ack), Step::Agent(Move::Answer), Step::Joined]),
    ] {
        let mut start = House::new();
        prefix.iter().for_each(|step| start.does(*step));
        let mut paths = 0;
        walk(&start, WHOLE_CALL, &mut paths);
        println!("{name}: {paths} interleavings of up to {WHOLE_CALL} steps");
        all += paths;
    }
    assert!(all > 5_000, "{all}");
}
