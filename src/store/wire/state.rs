//! The pieces of a checkpoint: calls, sessions, offers, agents and the rest.

use super::{Broken, Input, Wire, wire_enum, wire_newtype, wire_struct};
use crate::acd::agent::{Agent, AgentState, Missed, NextState};
use crate::acd::call::{
    Call, Contact, Deflection, Disposition, Failure, Offer, OfferOutcome, OfferRecord, OfferStage, OwnCall, Party, Place, Segment, Stage,
    Visit, VisitOutcome, VisitRecord, WithdrawWhy, Withdrawal,
};
use crate::acd::checkpoint::{Hold, Rest};
use crate::ivr::walk::Gathered;
use crate::ivr::{Context, Phase, Session};

wire_newtype!(Place);

wire_struct! {
    Call {
        contact, arrived_at, from, to, did: house, language, flow, parked, visits, offers, parties, hearing, segments, answered_at, answer_due,
        flow_due, play, announcement, treatment, preferred, paused, held_from, direct, transferring, served_as, past, wrapping, over,
        wrap_up_code, said_position, steps, recorded,
    }
    Visit {
        queue, language, needs, class, place, entered_at, stage, rung, comforts, leave_at, due, rings, next_ring, offers,
    }
    Segment { agent, queue, from, to, held, wrap_up, transferred }
    Offer { call, queue, agent, leg, rung_at, accepted_at, stage, due, whisper }
    VisitRecord { queue, language, entered_at, left_at, stage, outcome, offers }
    OfferRecord { agent, rung_at, ended_at, outcome }
    OwnCall { kind, agent, to, station, far, placed_at, reached_at, due, held, held_for }
    Agent {
        state, since, next, own, station, reachable, no_answers, missed, logged_in_at, calls_since_login, idle_since, busy_from, busy, wrapping,
    }
    Missed { at, queue }
    Rest { now, offers, plays, facts, holds, last_offered, occupancy, last_agents, retired }
    Hold { call, until, why }
    Session {
        flow: house, step: house, context, language, values: values, ahead, back: house, phase, no_input, invalid, entry, confirming, swallow, answers,
    }
    Context { from, did: house, language, arrived_at }
    Gathered { value, secret }
}

wire_enum! {
    Contact { 0 Inbound(leg), 1 Callback, 2 Message, 3 Outbound }
    Party { 0 Caller, 1 Agent { agent, since, held }, 2 Supervisor(agent, mode), 3 Outside }
    Stage { 0 Waiting, 1 Ringing, 2 Connecting }
    VisitOutcome { 0 Answered, 1 Abandoned(stage), 2 Overflowed, 3 Deflected(why), 4 Failed, 5 Withdrawn(why) }
    Deflection { 0 Callback, 1 Voicemail }
    Withdrawal { 0 Elsewhere, 1 Moved }
    OfferStage { 0 Dialled, 1 Alerting, 2 Accepted }
    OfferOutcome { 0 Accepted, 1 Refused(why), 2 Withdrawn(why) }
    WithdrawWhy { 0 AnsweredElsewhere, 1 CallerLeft, 2 NoAnswer, 3 Moved, 4 Shortage }
    Disposition {
        0 Answered, 1 Abandoned, 2 AbandonedInFlow, 3 CompletedInFlow, 4 Diverted(to), 5 CallbackBooked, 6 Voicemail, 7 Refused, 8 Failed(why), 9 Reached,
        10 NotReached,
    }
    Failure { 0 LegLost, 1 MediaLost, 2 FlowFault, 3 NodeLost }
    AgentState {
        0 LoggedOut, 1 NotReady(reason), 2 Ready, 3 Offered(offer), 4 Connecting(offer), 5 Talking(call), 6 WrapUp { call, until }, 7 OwnCall,
    }
    NextState { 0 Ready, 1 NotReady(reason), 2 LoggedOut }
    Phase { 0 Speaking, 1 Listening, 2 Queued, 3 Transferring, 4 Over }
}
