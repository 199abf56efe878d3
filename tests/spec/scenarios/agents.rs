//! Agents: their states, after-call work, and what they ask for while busy.

use crate::driver::check;

#[test]
fn logging_in_is_not_yet_ready() {
    check(
        "
        queue nurse
        agent 1007   nurse  logged-out
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  1007 logs in          => agent 1007 not-ready logged-in
        09:00:02  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn wrap_up_ends_by_itself() {
    check(
        "
        queue nurse  wrap=30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:01:00  1007 hangs up         => end 1, agent 1007 wrap-up
        09:01:05  call 2 -> nurse
        09:01:29.999  .
        09:01:30  .                     => segment 1 1007 59s 30s, record 1 answered, ring 2 1007
        ",
    );
}

#[test]
fn wrap_up_ends_early_when_the_agent_says_so() {
    check(
        "
        queue nurse  wrap=30s ring=60s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:01:00  1007 hangs up         => agent 1007 wrap-up
        09:01:05  call 2 -> nurse
        09:01:10  1007 done refill      => segment 1 1007 59s 10s, record 1 answered, ring 2 1007
        09:01:31  .
        ",
    );
}

#[test]
fn wrap_up_is_extended_by_so_much_altogether() {
    check(
        "
        queue nurse  wrap=30s wrap_more=60s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:01:00  1007 hangs up         => agent 1007 wrap-up
        09:01:05  call 2 -> nurse
        09:01:10  1007 extends 40s
        09:01:20  1007 extends 40s
        09:02:29.999  .
        09:02:30  .                     => segment 1 1007 59s 90s, ring 2 1007
        ",
    );
}

/// asterisk/asterisk #1006, #1255: the wrong queue's wrap-up, or none.
#[test]
fn wrap_up_is_that_of_the_queue_that_was_served() {
    check(
        "
        queue nurse    wrap=30s
        queue billing  wrap=10s
        agent 1007   nurse billing  ready
        09:00:00  call 1 -> billing     => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:01:00  1007 hangs up         => agent 1007 wrap-up
        09:01:01  call 2 -> nurse
        09:01:09.999  .
        09:01:10  .                     => ring 2 1007
        09:01:11  1007 answers 2        => bridge 2 1007
        09:01:20  1007 hangs up         => agent 1007 wrap-up
        09:01:49.999  .
        09:01:50  .                     => agent 1007 ready
        ",
    );
}

/// What is asked for during a call waits until it ends.
#[test]
fn a_break_asked_for_in_a_call_begins_after_wrap_up() {
    check(
        "
        queue nurse  wrap=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 break
        09:00:31  see 1007 talking
        09:01:00  1007 hangs up         => agent 1007 wrap-up
        09:01:02  call 2 -> nurse
        09:01:10  .                     => agent 1007 not-ready break
        09:05:00  1007 ready            => ring 2 1007
        ",
    );
}

#[test]
fn the_last_wish_counts() {
    check(
        "
        queue nurse  wrap=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 break
        09:00:31  1007 ready
        09:01:00  1007 hangs up         => agent 1007 wrap-up
        09:01:10  .                     => agent 1007 ready
        ",
    );
}

#[test]
fn logging_out_in_a_call_waits_for_its_end() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 logs out
        09:00:31  see 1007 talking
        09:01:00  1 hangs up            => end 1007, agent 1007 logged-out
        ",
    );
}

#[test]
fn a_break_while_ringing_is_a_refusal_of_nobody() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 break
        09:00:04  1007 answers 1        => bridge 1 1007
        09:00:30  1007 hangs up         => agent 1007 not-ready break
        ",
    );
}

#[test]
fn a_lost_station_makes_a_ready_agent_unreachable() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 station lost     => agent 1007 not-ready station-lost
        09:00:10  call 1 -> nurse
        09:00:20  1007 station found    => agent 1007 ready, ring 1 1007, agent 1007 offered
        ",
    );
}

/// A found station does not end a break.
#[test]
fn a_found_station_changes_nothing_for_who_is_away() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 break            => agent 1007 not-ready break
        09:00:01  1007 station lost
        09:00:10  call 1 -> nurse
        09:00:20  1007 station found
        09:00:25  see 1007 not-ready break
        09:00:30  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn ready_without_a_station_waits_for_the_station() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  1007 station lost
        09:00:01  call 1 -> nurse
        09:00:02  1007 ready
        09:00:10  1007 station found    => ring 1 1007
        ",
    );
}

#[test]
fn said_twice_is_said_once() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 ready
        09:00:01  1007 logs in
        09:00:02  1007 station found
        09:00:03  see 1007 ready
        09:00:04  1007 station lost     => agent 1007 not-ready station-lost
        09:00:05  1007 station lost
        09:00:06  1007 logs out         => agent 1007 logged-out
        09:00:07  1007 logs out
        ",
    );
}

/// The caller is taken on hold and back; talk and hold are booked apart and together make the segment.
#[test]
fn hold_and_retrieve() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:10  1007 holds
        09:00:20  1007 retrieves
        09:00:30  1007 hangs up         => segment 1 1007 29s 0s, record 1 answered
        ",
    );
}

#[test]
fn calls_that_rang_out_are_remembered_until_the_agent_is_ready_again() {
    check(
        "
        rules no_answers=2 declined=1s
        queue nurse    ring=20s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:05  1 hangs up            => withdraw 1 1007 caller-left
        09:00:06  see 1007 missed
        09:01:00  call 2 -> nurse       => ring 2 1007
        09:01:20  .                     => withdraw 2 1007 no-answer, ring 2 1007
        09:01:30  see 1007 missed nurse 20s
        09:01:40  .                     => withdraw 2 1007 no-answer
        09:01:50  see 1007 missed nurse 40s nurse 20s
        09:02:00  1007 break
        09:02:01  see 1007 missed nurse 60s nurse 40s
        09:02:10  1007 ready            => ring 2 1007
        09:02:11  see 1007 missed
        09:02:12  1007 declines 2       => hold 1007 2 1s
        09:02:12  see 1007 missed
        ",
    );
}

#[test]
fn what_is_asked_in_a_call_is_known_at_once() {
    check(
        "
        queue nurse  wrap=30s
        agent 1007   nurse  ready
        09:00:00  1007 break
        09:00:01  see 1007 wish nothing
        09:00:02  1007 ready
        09:00:03  call 1 -> nurse       => ring 1 1007
        09:00:04  1007 answers 1        => bridge 1 1007
        09:00:05  1007 dials in 50
        09:00:06  1007 meal
        09:00:07  see 1007 wish meal
        09:00:08  1007 ends own
        09:00:10  1 hangs up            => agent 1007 wrap-up
        09:00:11  see 1007 wish meal
        09:00:12  1007 logs out
        09:00:13  see 1007 wish logged-out
        09:00:40  .                     => agent 1007 logged-out
        09:00:41  see 1007 wish nothing
        ",
    );
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials in 50
        09:00:01  1007 break
        09:00:02  see 1007 wish nothing
        09:00:03  1007 ends own         => agent 1007 not-ready break
        09:00:04  1007 dials out 51
        09:00:05  see 1007 wish break
        ",
    );
}
