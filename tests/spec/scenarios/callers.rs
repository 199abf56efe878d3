//! Callers: where they are when they hang up, and what they may press while they wait.

use crate::driver::check;

#[test]
fn an_unknown_number_is_refused() {
    check(
        "
        queue nurse
        09:00:00  call 1 -> nowhere     => end 1 not-found, record 1 refused
        ",
    );
}

#[test]
fn a_full_centre_takes_no_more_calls() {
    check(
        "
        rules calls_max=1
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  call 2 -> nurse       => end 2 full, record 2 refused
        09:00:05  1 hangs up            => record 1 abandoned
        09:00:06  call 3 -> nurse       => music 3 nurse
        ",
    );
}

#[test]
fn the_caller_is_answered_then_waits_with_music() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse       => answer 1, enter 1 nurse, music 1 nurse
        09:00:01  see nurse 1
        ",
    );
}

#[test]
fn hang_up_while_waiting() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:30  1 hangs up            => leave 1 nurse abandoned, record 1 abandoned
        09:00:30  see nurse 0
        ",
    );
}

/// signalwire/freeswitch #2529: the agent answers to silence since the caller had left.
#[test]
fn hang_up_while_ringing_cancels_the_phone_at_once() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse         => ring 1 1007
        09:00:03  1 hangs up              => withdraw 1 1007 caller-left, leave 1 nurse abandoned-ringing, record 1 abandoned, agent 1007 ready
        09:00:03.02  1007 late-accepts 1   => withdraw late
        ",
    );
}

#[test]
fn hang_up_while_connecting_costs_the_agent_nothing() {
    check(
        "
        queue nurse  wrap=30s whisper
        agent 1007   nurse language=en  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 accepts 1
        09:00:04  1 hangs up            => leave 1 nurse abandoned-connecting, record 1 abandoned, agent 1007 ready
        09:00:05  call 2 -> nurse       => ring 2 1007
        ",
    );
}

#[test]
fn hang_up_while_talking_starts_wrap_up() {
    check(
        "
        queue nurse  wrap=30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007
        09:00:30  1 hangs up            => end 1007, agent 1007 wrap-up
        ",
    );
}

/// Every lost line is an incident, and is counted apart from callers who chose to leave.
#[test]
fn a_caller_whose_line_is_lost_is_a_failure_of_ours() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1 vanishes            => withdraw 1 1007 caller-left, leave 1 nurse failed, record 1 failed
        ",
    );
}

#[test]
fn a_key_takes_a_waiting_caller_elsewhere() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> billing 9=nurse
        09:00:05  call 2 -> nurse
        09:00:10  1 presses 9           => leave 1 billing withdrawn-moved, enter 1 nurse
        09:00:20  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn a_key_while_a_phone_rings_frees_that_phone() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  ready
        09:00:00  call 1 -> billing 9=nurse   => ring 1 1001
        09:00:05  1 presses 9                 => withdraw 1 1001 moved, agent 1001 ready
        09:00:06  call 2 -> billing           => ring 2 1001
        ",
    );
}

#[test]
fn an_unknown_key_changes_nothing() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1 presses 5
        09:00:02  1007 answers 1        => bridge 1 1007
        ",
    );
}

/// The agent's phone died in the conversation: the caller waits again where their arrival puts them, before all who came later.
#[test]
fn an_agent_who_vanishes_in_a_call_leaves_the_caller_first_in_line() {
    check(
        "
        queue nurse  wrap=10s
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:20  call 2 -> nurse
        09:00:30  1007 vanishes         => enter 1 nurse, agent 1007 wrap-up
        09:00:35  1008 ready            => ring 1 1008
        09:00:36  1008 answers 1        => bridge 1 1008
        09:00:40  .                     => agent 1007 not-ready station-lost
        09:01:00  1008 hangs up         => end 1
        09:01:10  .                     => record 1 answered, ring 2 1008
        ",
    );
}

#[test]
fn a_caller_whose_agent_is_lost_hears_an_apology_once_in_their_language() {
    check(
        "
        queue nurse
        agent 1007   nurse english=5 spanish=5  ready
        agent 1008   nurse english=5 spanish=5  not-ready
        09:00:00  call 1 -> nurse language=es   => ring 1 1007
        09:00:01  1007 answers 1                => bridge 1 1007
        09:00:30  1007 vanishes                 => music 1 nurse, play 1 es/apology
        09:00:40  .                             => play
        09:00:50  1008 ready                    => ring 1 1008, play
        09:00:51  1008 answers 1                => bridge 1 1008
        09:01:30  1008 hangs up                 => end 1, play
        ",
    );
}

#[test]
fn an_apology_does_not_talk_into_the_next_conversation() {
    check(
        "
        slow plays
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 vanishes         => play 1 en/apology, ring 1 1008
        09:00:31  1008 answers 1        => stop 1, bridge 1 1008
        ",
    );
}

#[test]
fn the_music_stops_when_the_agent_answers() {
    check(
        "
        slow plays
        queue nurse  comfort=20s/30s
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse       => music 1 nurse
        09:00:20  .                     => play 1 en/patience
        09:00:21  1007 ready            => ring 1 1007
        09:00:22  1007 answers 1        => bridge 1 1007, stop 1, silence 1
        ",
    );
}

/// Whoever waits has their keys, the second time as the first; while they talk no key means anything.
#[test]
fn a_caller_whose_agent_vanished_has_their_keys_again() {
    check(
        "
        queue billing
        queue nurse
        agent 1007   billing  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> billing 9=nurse  => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:10  1 presses 9           => leave, obsolete digits_entered
        09:00:30  1007 vanishes         => enter 1 billing, music 1 billing
        09:00:35  1 presses 9           => leave 1 billing withdrawn-moved, enter 1 nurse, ring 1 1008
        09:00:36  1008 answers 1        => bridge 1 1008
        09:01:00  1008 hangs up         => record 1 answered
        ",
    );
}

/// Their flow goes on from the queue step where they waited.
#[test]
fn a_caller_whose_agent_vanished_leaves_the_queue_as_the_flow_says() {
    check(
        "
        queue billing  max_wait=60s
        queue nurse
        agent 1007   billing  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> billing then=nurse  => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 vanishes         => enter 1 billing
        09:01:30  .                     => leave 1 billing overflowed, enter 1 nurse, ring 1 1008
        ",
    );
}

/// A flow's transfers are counted as an agent's are, done or not.
#[test]
fn a_flow_hands_the_caller_to_an_agent_and_that_is_a_transfer() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse hand_to=1008  => transferred false, enter 1 nurse, ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:20  1007 hangs up         => record 1 answered
        09:01:00  call 2 -> nurse hand_to=1007  => transferred true, ring 2 1007, enter
        09:01:02  1007 answers 2        => bridge 2 1007
        09:01:20  1007 hangs up         => record 2 answered
        ",
    );
}
