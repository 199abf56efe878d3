//! Every series: its name and its definition. The HELP line is the definition that reports and wallboards state.

/// A series' name and its HELP line.
pub type Series = (&'static str, &'static str);

pub const CALLS: Series = (
    "careline_calls_total",
    "Calls that ended in the centre, by the number dialled (other: never in the configuration, and whatever was turned away before it was a call, with 404 or 503: those have no record) and by how they ended; exactly one disposition each.",
);
pub const CALLS_PLACED: Series = (
    "careline_calls_placed_total",
    "Calls that stations placed and that ended, by kind (outward: by an agent through a trunk; emergency) and by how they ended (reached: the far side answered; not_reached; refused; failed: we cut it). They are in no other figure of calls.",
);
pub const EMERGENCY_CALLS: Series =
    ("careline_emergency_calls_total", "Calls for help (911) that stations began, counted at once, wherever they led.");
pub const CALLS_IN_PROGRESS: Series = (
    "careline_calls_in_progress",
    "Calls in the centre now, by what they are in: flow, queue, talking, wrap_up (the caller is gone, the record still open), placed (by a station: outward, an emergency, or a code of the house).",
);
pub const VISITS_OFFERED: Series = (
    "careline_visits_offered_total",
    "Visits that entered the queue. At every instant offered = answered + abandoned + overflowed + deflected + failed + withdrawn + waiting + ringing + connecting.",
);
pub const VISITS_ANSWERED: Series =
    ("careline_visits_answered_total", "Visits that ended with sound joined both ways between caller and agent.");
pub const VISITS_ABANDONED: Series = (
    "careline_visits_abandoned_total",
    "Visits that ended because the caller hung up, by phase (waiting, ringing, connecting); short: waited no longer than the queue's short-abandon threshold, boundary inclusive.",
);
pub const VISITS_OVERFLOWED: Series =
    ("careline_visits_overflowed_total", "Visits that a rule of the queue sent on: longest wait, nobody who could serve, escalation.");
pub const VISITS_FAILED: Series = ("careline_visits_failed_total", "Visits that ended because we failed the caller.");
pub const VISITS_DEFLECTED: Series =
    ("careline_visits_deflected_total", "Visits that ended because the caller chose a callback or voicemail; not abandoned.");
pub const VISITS_WITHDRAWN: Series = (
    "careline_visits_withdrawn_total",
    "Visits that ended because the same call was served or ended through another of its visits (elsewhere), or moved by the caller's key or by staff (moved); in no ratio.",
);
pub const VISITS_IN_TARGET: Series =
    ("careline_visits_answered_in_target_total", "Visits answered within the queue's service-level threshold, boundary inclusive.");
pub const VISITS_WAITING: Series = ("careline_visits_waiting", "Visits that wait now, offered to nobody.");
pub const VISITS_RINGING: Series = ("careline_visits_ringing", "Visits for which an agent's station rings now.");
pub const VISITS_CONNECTING: Series = ("careline_visits_connecting", "Visits whose agent has answered and whose sound is not joined yet.");
pub const LONGEST_WAIT: Series = (
    "careline_longest_wait_seconds",
    "How long the visit that entered the queue first, of those still in it, has been there; 0 in an empty queue.",
);
pub const WAIT: Series = (
    "careline_wait_seconds",
    "Time from entering the queue to the end of the visit, by how it ended. Of the answered: to the bridge, ring time included; their sum over their count is the average speed of answer.",
);
pub const HANDLE: Series =
    ("careline_handle_seconds", "Handle time of one agent's time with a caller: talk + hold + wrap-up, booked when the wrap-up ends.");
pub const TALK: Series =
    ("careline_talk_seconds", "Talk time of one agent's time with a caller, hold excluded, booked when the wrap-up ends.");
pub const HOLD: Series = ("careline_hold_seconds", "Hold time within one agent's time with a caller, booked when the wrap-up ends.");
pub const WRAP_UP: Series = ("careline_wrap_up_seconds", "After-call work that followed one agent's time with a caller.");
pub const AGENTS: Series = ("careline_agents", "Agents who serve the queue, by state. An agent of several queues counts in each.");
pub const AGENT_STATE_TIME: Series = (
    "careline_agent_state_seconds_total",
    "Time that agents spent in a state, open states to now; the sum over all states is the time logged in.",
);
pub const OFFERS: Series =
    ("careline_offers_total", "Offers of a call to an agent that ended, by outcome; queue is empty for calls sent to an agent directly.");
pub const SPEED_OF_ANSWER: Series = (
    "careline_speed_of_answer_seconds",
    "Average speed of answer: sum of (bridged - entered) over answered visits / answered, over the visits that ended in the window; NaN without any.",
);
pub const ABANDONMENT: Series = (
    "careline_abandonment_ratio",
    "(abandoned - short) / (offered - short), over the visits that ended in the window, withdrawn ones apart; NaN without any.",
);
pub const SERVICE_LEVEL: Series = (
    "careline_service_level_ratio",
    "Service level over the visits that ended in the window. default: answered in target / (answered + abandoned - short); of_answered: answered in target / answered; with_abandoned: (answered + abandoned, in target) / (answered + abandoned); of_offered: answered in target / offered. NaN without any.",
);
pub const TRANSFERS: Series =
    ("careline_transfers_total", "Transfers by an agent or by a flow (no queue), by the queue that the call came from, kind and outcome.");
pub const FLOW_STEPS: Series = (
    "careline_flow_steps_total",
    "Steps of flows that callers went through, by outcome: done, no_input, invalid, key (left by a global key), failed.",
);
pub const LATE_EVENTS: Series =
    ("careline_core_obsolete_events_total", "Events that came too late to matter, such as an answer to an offer that was withdrawn.");
pub const CORE_EVENTS: Series = ("careline_core_events_total", "Events that the core has handled.");
pub const CORE_HANDLE: Series = ("careline_core_handle_seconds", "Time that the core took for one event.");
pub const CORE_RECOVERIES: Series = (
    "careline_core_recoveries_total",
    "Faults of the core's: each time it was built again from the journal, without the event at which it failed, which lies in data/quarantine.",
);
pub const JOURNAL_LAG: Series = (
    "careline_journal_lag_seconds",
    "How long what happened has waited to be brought to the disk: 0.05 s at most while all is well, growing while the journal cannot be written.",
);
pub const JOURNAL_FAILURES: Series =
    ("careline_journal_failures_total", "Times that the journal could not be written; the next file begins with all of the state.");
pub const CORE_INBOX: Series = ("careline_core_inbox_depth", "Messages that wait for the core's thread.");
pub const DISPATCH: Series = ("careline_dispatch_seconds", "Time from the event that made an offer possible to its INVITE on the wire.");
pub const VIOLATIONS: Series =
    ("careline_invariant_violations_total", "Times that the core's state was found to break one of its own rules; every one is a bug.");
pub const SIP_REQUESTS: Series = (
    "careline_sip_requests_total",
    "SIP requests that got a final answer, by method (other: not one that we know), class of the answer and transport; an ACK gets none.",
);
pub const SIP_TRANSACTIONS: Series = ("careline_sip_transactions", "SIP transactions alive.");
pub const TRUNK_UP: Series = (
    "careline_trunk_up",
    "1 while the trunk is up: one of its peers answers OPTIONS, where they are asked, and we are registered there, where we are to be; else 0.",
);
pub const REGISTRATIONS: Series = ("careline_registrations", "Contacts registered.");
pub const MEDIA_SESSIONS: Series = ("careline_media_sessions", "Media sessions open, one a leg.");
pub const RTP_PACKETS: Series = (
    "careline_rtp_packets_total",
    "RTP packets of all media sessions since the start, those that are open included: valid ones received (in) and sent (out).",
);
pub const RECORDINGS: Series = (
    "careline_recordings_total",
    "Recordings that are over, one a conversation, by outcome: complete; incomplete (the disk was full or slow, and sound is missing); failed (not begun).",
);
pub const RTP_STRANGERS: Series = (
    "careline_rtp_strangers_total",
    "RTP and RTCP packets from others than a session's own party, dropped, of all media sessions since the start.",
);
pub const RTP_ROUND_TRIP: Series = (
    "careline_rtp_round_trip_seconds",
    "Round trip to the party by the last RTCP report (RFC 3550) of a media session that has ended; sessions without one apart.",
);
pub const RTP_LOST: Series =
    ("careline_rtp_lost_total", "RTP packets that were sent to us and never came, of media sessions that have ended.");
pub const RTP_JITTER: Series = (
    "careline_rtp_jitter_seconds",
    "Interarrival jitter (RFC 3550) of what we received, as it last was when a media session ended; sessions that received nothing apart.",
);
pub const MOS: Series = (
    "careline_mos_score",
    "Sound that we received, one score a media session at its end: mean opinion score by the E-model (ITU-T G.107) for G.711, 1 to 4.4; sessions that received nothing apart.",
);
pub const SIP_GUARD: Series = (
    "careline_sip_guard_total",
    "What the SIP endpoint turned away or bore with: forbidden (request refused with 403), challenged (asked for a password), malformed (message that is broken or too long), overloaded (refused for want of room), timeouts (request or 200 of ours that was never answered), retransmitted (message of ours sent again).",
);
pub const RECORDS: Series = (
    "careline_records_total",
    "Calls' records, by what became of them: written, doubled (came twice, kept once), lost (neither the database nor the spool took it; in the log by its call).",
);
pub const SPOOL_RECORDS: Series =
    ("careline_spool_records", "Records that the database has not taken yet and the spool keeps, or memory while the disk takes nothing.");
pub const RELOADS: Series = (
    "careline_config_reloads_total",
    "Times that the configuration was read again, by outcome: taken, refused (wrong: the one in force goes on).",
);
pub const LAST_RELOAD: Series =
    ("careline_config_last_reload_successful", "1 if the configuration that was last read is in force; 0 if it was refused.");
pub const CONFIGURED: Series = (
    "careline_config_last_reload_success_timestamp_seconds",
    "When the configuration in force was taken, at the start or by a reload: seconds since 1970.",
);
pub const CALLS_MAX: Series = ("careline_calls_max", "Calls that may be in the centre at once; those above it are refused.");
pub const DRAINING: Series = ("careline_draining", "1 while the centre takes no new calls, because it was told to stop; else 0.");
pub const MEDIA_ROOM: Series = ("careline_media_sessions_max", "Media sessions for which there are ports.");
pub const BUILD_INFO: Series = ("careline_build_info", "1, labelled with the version that runs.");
pub const PROCESS_CPU: Series = ("process_cpu_seconds_total", "Processor time that the process has used, in user and system mode.");
pub const PROCESS_START: Series = ("process_start_time_seconds", "When the process began: seconds since 1970.");
pub const PROCESS_MEMORY: Series =
    ("process_resident_memory_bytes", "Memory of the process that is in the machine's own, not swapped out.");
pub const PROCESS_FILES: Series = ("process_open_fds", "Files and sockets that the process has open.");
pub const PROCESS_FILES_MAX: Series = ("process_max_fds", "Files and sockets that it may have open.");

pub const COUNTERS: &[Series] = &[
    CORE_RECOVERIES,
    JOURNAL_FAILURES,
    CALLS,
    CALLS_PLACED,
    EMERGENCY_CALLS,
    VISITS_OFFERED,
    VISITS_ANSWERED,
    VISITS_ABANDONED,
    VISITS_OVERFLOWED,
    VISITS_FAILED,
    VISITS_DEFLECTED,
    VISITS_WITHDRAWN,
    VISITS_IN_TARGET,
    OFFERS,
    TRANSFERS,
    FLOW_STEPS,
    LATE_EVENTS,
    CORE_EVENTS,
    VIOLATIONS,
    SIP_REQUESTS,
    SIP_GUARD,
    RECORDINGS,
    RTP_PACKETS,
    RTP_STRANGERS,
    RTP_LOST,
    RECORDS,
    RELOADS,
];

/// The recorder's counters are whole numbers: these are written beside them.
pub const SECONDS: &[Series] = &[AGENT_STATE_TIME, PROCESS_CPU];

pub const GAUGES: &[Series] = &[
    JOURNAL_LAG,
    CALLS_IN_PROGRESS,
    CALLS_MAX,
    VISITS_WAITING,
    VISITS_RINGING,
    VISITS_CONNECTING,
    LONGEST_WAIT,
    AGENTS,
    SPEED_OF_ANSWER,
    ABANDONMENT,
    SERVICE_LEVEL,
    CORE_INBOX,
    SIP_TRANSACTIONS,
    REGISTRATIONS,
    TRUNK_UP,
    MEDIA_SESSIONS,
    MEDIA_ROOM,
    SPOOL_RECORDS,
    LAST_RELOAD,
    CONFIGURED,
    DRAINING,
    BUILD_INFO,
    PROCESS_START,
    PROCESS_MEMORY,
    PROCESS_FILES,
    PROCESS_FILES_MAX,
];

pub const HISTOGRAMS: &[Series] = &[WAIT, HANDLE, TALK, HOLD, WRAP_UP, CORE_HANDLE, DISPATCH, RTP_JITTER, RTP_ROUND_TRIP, MOS];

/// Every series and its definition, for people: `config/prometheus/SERIES.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The series of /metrics\n\nPrinted from the tables by which Careline writes them; a test keeps this file true. Labels come from the \
         configuration alone, and what is configured stands at 0 from the start.\n",
    );
    let kinds = [("Gauges", GAUGES), ("Histograms, in seconds but for the score", HISTOGRAMS)];
    for (kind, group) in [("Counters", [COUNTERS, SECONDS].concat())].into_iter().chain(kinds.map(|(kind, group)| (kind, group.to_vec()))) {
        text += &format!("\n## {kind}\n\n| series | definition |\n|---|---|\n");
        group.iter().for_each(|(name, definition)| text += &format!("| `{name}` | {definition} |\n"));
    }
    text
}
