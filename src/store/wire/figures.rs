//! The figures, their windows included.

use super::{Broken, Input, wire_enum, wire_struct};
use crate::acd::figures::{Figures, Histogram, QueueFigures, StateTime, Targets};
use crate::acd::window::{Ended, Recent, WindowSums};
use crate::ivr::StepOutcome;

/// The words of the figures' keys: kinds of transfer, dispositions, names of events.
pub const WORDS: [&str; 42] = [
    "blind",
    "consult",
    "complete",
    "cancel",
    "join",
    "answered",
    "abandoned",
    "abandoned_in_flow",
    "completed_in_flow",
    "diverted",
    "callback_booked",
    "voicemail",
    "refused",
    "failed",
    "reached",
    "not_reached",
    "outward",
    "emergency",
    "agent_logged_in",
    "agent_logged_out",
    "agent_not_ready",
    "agent_ready",
    "bridged",
    "call_arrived",
    "call_moved",
    "call_placed",
    "class_raised",
    "digits_entered",
    "leg_ended",
    "leg_established",
    "leg_held",
    "offer_accepted",
    "offer_alerting",
    "offer_failed",
    "offer_refused",
    "overflow",
    "play_done",
    "station_found",
    "station_lost",
    "transfer_asked",
    "wrap_up_done",
    "wrap_up_extended",
];

wire_struct! {
    Figures {
        queues, offers, transfers, calls: house, calls_arrived, calls_ended, placed, placed_ended, flow_steps: house, agents, ring_uncounted,
        obsolete, names: house, numbers: house, facts, targets, recent,
    }
    Targets { service_level, short }
    QueueFigures {
        offered, answered, abandoned, overflowed, deflected, failed, withdrawn, answered_in_target, abandoned_in_target, waiting, ringing,
        connecting, wait, wait_from_arrival, handle, talk, hold, wrap_up, transferred, visit_time, integral_us, integral_to, windows,
    }
    Histogram { buckets, count, sum }
    StateTime { agents, entered_us, ended }
    WindowSums {
        ended, answered, answered_in_target, answered_wait, abandoned, abandoned_short, abandoned_in_target, withdrawn,
    }
    Ended { key, outcome, wait, in_target, short }
    Recent { ended, left_short, sums, day, midnights: house }
}

wire_enum! {
    StepOutcome { 0 Done, 1 NoInput, 2 Invalid, 3 Key, 4 Failed }
}
