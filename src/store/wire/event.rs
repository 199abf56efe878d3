//! Everything that can happen.

use super::{Broken, Input, wire_enum};
use crate::acd::agent::NotReadyReason;
use crate::acd::call::{MonitorMode, Placed, Refusal, TransferKind};
use crate::acd::event::{Event, LegEnd, LookupError, Restored};

wire_enum! {
    Event {
        0 CallArrived { call, leg, from, to },
        1 LegEstablished { leg },
        2 CallPlaced { call, leg, agent, to, kind },
        3 LegEnded { leg, cause },
        4 PlayDone { leg, play },
        5 DigitsEntered { leg, digits },
        6 LookupDone { call, lookup, answer: answer },
        7 OfferAlerting { offer },
        8 OfferAccepted { offer },
        9 OfferRefused { offer, refusal },
        10 OfferFailed { offer },
        11 Bridged { offer },
        12 LegHeld { leg, held },
        13 TransferAsked { by, to, kind },
        14 AgentLoggedIn { agent },
        15 AgentLoggedOut { agent },
        16 AgentReady { agent },
        17 AgentNotReady { agent, reason },
        18 WrapUpDone { agent, code },
        19 WrapUpExtended { agent, by },
        20 StationLost { agent },
        21 StationFound { agent },
        22 MonitorAsked { call, supervisor, mode },
        23 CallMoved { call, to },
        24 ClassRaised { call, class },
        25 ConfigChanged(config),
        26 EstimateReady { queue, median, p80 },
        27 Restored(piece),
        28 EdgeResumed { edge, legs },
        29 EdgeLost { edge },
        30 DeadlineReached,
        31 AgentSeated { agent, station },
    }
    Restored { 0 Call(id, call), 1 Offer(id, offer), 2 Agent(id, agent), 3 Rest(rest), 4 Figures(figures), 5 OwnCall(id, call) }
    LegEnd { 0 HungUp, 1 Lost, 2 Refused }
    LookupError { 0 Timeout, 1 NotFound, 2 Unavailable }
    Placed { 0 Outward, 1 Emergency, 2 InHouse }
    TransferKind { 0 Blind, 1 Consult, 2 Complete, 3 Cancel, 4 Join }
    MonitorMode { 0 Listen, 1 Whisper, 2 Barge }
    Refusal { 0 Declined, 1 NoAnswer, 2 Busy, 3 Unreachable }
    NotReadyReason { 0 LoggedIn, 1 Break, 2 Meal, 3 Training, 4 Other, 5 RingNoAnswer, 6 StationLost, 7 Code(code) }
}
